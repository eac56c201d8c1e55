"""The ground floor: frozen values and their rules. No I/O, light imports."""

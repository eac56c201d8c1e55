"""Files: CSV uploads of any size, answered as a stream."""

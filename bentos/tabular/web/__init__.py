"""The web side: connections, keys, addresses, pages, problems."""

"""What changed since the release: drift."""

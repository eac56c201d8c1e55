"""Releases: bundles as they are found, read, checked and swapped."""

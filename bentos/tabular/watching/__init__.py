"""Watching: metrics, and how they leave the process."""

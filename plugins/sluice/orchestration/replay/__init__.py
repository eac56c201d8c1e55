"""Replay: simulated days through the real stages, to see what the daily check notices, and when."""

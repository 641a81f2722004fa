"""Moves to `lessons/` and `kernel/`."""

"""Nadaraya-Watson kernel regression. Moves to `lessons/` and `kernel/`."""

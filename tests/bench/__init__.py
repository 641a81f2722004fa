"""The rows of `make bench` and its table."""

"""What the kit costs, measured side by side: `make bench`, or `python -m bench --help`."""

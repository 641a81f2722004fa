"""The command `lab` under its earlier name: `python -m utilities.cli`."""

from utilities.commands.lab import main

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())

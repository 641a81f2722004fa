"""The `lab` command: `lab.py` lists the subcommands, one module each."""

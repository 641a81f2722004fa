"""The `lab` command: each probe of `lab doctor`."""

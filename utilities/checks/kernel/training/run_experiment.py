"""Not moved here yet: see `utilities/checks/training/`."""

from utilities.checks.training.observe import run_experiment as observe

__all__ = ["observe"]

"""Not moved here yet: see `utilities/checks/training/`."""

from utilities.checks.training.observe import carbon_tracker_callback as observe

__all__ = ["observe"]

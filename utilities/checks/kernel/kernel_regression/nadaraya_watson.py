"""Not moved here yet: see `utilities/checks/kernel_regression/`."""

from utilities.checks.kernel_regression.observe import nadaraya_watson as observe

__all__ = ["observe"]

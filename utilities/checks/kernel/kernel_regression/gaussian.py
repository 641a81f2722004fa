"""Not moved here yet: see `utilities/checks/kernel_regression/`."""

from utilities.checks.kernel_regression.observe import gaussian as observe

__all__ = ["observe"]

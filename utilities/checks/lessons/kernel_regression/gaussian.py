"""Not moved here yet: see `utilities/checks/kernel_regression/`."""

from utilities.checks.core.legacy import Legacy

CHECK = Legacy("kernel_regression", "gaussian")

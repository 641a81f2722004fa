"""Not moved here yet: see `utilities/checks/pretrained/`."""

from utilities.checks.core.legacy import Legacy

CHECK = Legacy("pretrained", "fit_linear_probe")

"""Not moved here yet: see `utilities/checks/pretrained/`."""

from utilities.checks.pretrained.observe import fit_linear_probe as observe

__all__ = ["observe"]

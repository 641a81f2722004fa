"""Not moved here yet: see `utilities/checks/inductive_bias/`."""

from utilities.checks.inductive_bias.observe import resnet_classifier as observe

__all__ = ["observe"]

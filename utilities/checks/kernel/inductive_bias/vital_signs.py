"""Not moved here yet: see `utilities/checks/inductive_bias/`."""

from utilities.checks.inductive_bias.observe import vital_signs as observe

__all__ = ["observe"]

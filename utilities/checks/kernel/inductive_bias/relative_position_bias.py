"""Not moved here yet: see `utilities/checks/inductive_bias/`."""

from utilities.checks.inductive_bias.observe import relative_position_bias as observe

__all__ = ["observe"]

"""Not moved here yet: see `utilities/checks/inductive_bias/`."""

from utilities.checks.inductive_bias.observe import position_embedding_2d as observe

__all__ = ["observe"]

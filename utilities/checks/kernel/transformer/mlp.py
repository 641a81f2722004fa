"""Not moved here yet: see `utilities/checks/transformer/`."""

from utilities.checks.transformer.observe import mlp as observe

__all__ = ["observe"]

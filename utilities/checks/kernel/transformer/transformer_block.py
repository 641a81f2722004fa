"""Not moved here yet: see `utilities/checks/transformer/`."""

from utilities.checks.transformer.observe import transformer_block as observe

__all__ = ["observe"]

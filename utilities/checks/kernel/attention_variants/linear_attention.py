"""Not moved here yet: see `utilities/checks/attention_variants/`."""

from utilities.checks.attention_variants.observe import linear_attention as observe

__all__ = ["observe"]

"""Not moved here yet: see `utilities/checks/attention_variants/`."""

from utilities.checks.attention_variants.observe import dot_product_attention as observe

__all__ = ["observe"]

"""Not moved here yet: see `utilities/checks/attention_variants/`."""

from utilities.checks.attention_variants.observe import attention_vit as observe

__all__ = ["observe"]

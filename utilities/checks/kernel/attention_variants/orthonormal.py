"""Not moved here yet: see `utilities/checks/attention_variants/`."""

from utilities.checks.attention_variants.observe import orthonormal as observe

__all__ = ["observe"]

"""Not moved here yet: see `utilities/checks/small_datasets/`."""

from utilities.checks.small_datasets.observe import multi_head_attention_lsa as observe

__all__ = ["observe"]

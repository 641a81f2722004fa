"""Not moved here yet: see `utilities/checks/small_datasets/`."""

from utilities.checks.small_datasets.observe import shifted_patch_tokenization as observe

__all__ = ["observe"]

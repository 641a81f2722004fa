"""Not moved here yet: see `utilities/checks/small_datasets/`."""

from utilities.checks.small_datasets.observe import warm_up_cosine as observe

__all__ = ["observe"]

"""Not moved here yet: see `utilities/checks/small_datasets/`."""

from utilities.checks.small_datasets.observe import make_optimizer as observe

__all__ = ["observe"]

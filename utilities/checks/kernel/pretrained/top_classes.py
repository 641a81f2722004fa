"""Not moved here yet: see `utilities/checks/pretrained/`."""

from utilities.checks.pretrained.observe import top_classes as observe

__all__ = ["observe"]

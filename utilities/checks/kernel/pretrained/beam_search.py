"""Not moved here yet: see `utilities/checks/pretrained/`."""

from utilities.checks.pretrained.observe import beam_search as observe

__all__ = ["observe"]

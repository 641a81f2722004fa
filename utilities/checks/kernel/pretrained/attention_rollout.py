"""Not moved here yet: see `utilities/checks/pretrained/`."""

from utilities.checks.pretrained.observe import attention_rollout as observe

__all__ = ["observe"]

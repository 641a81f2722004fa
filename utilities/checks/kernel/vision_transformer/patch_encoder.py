"""Not moved here yet: see `utilities/checks/vision_transformer/`."""

from utilities.checks.vision_transformer.observe import patch_encoder as observe

__all__ = ["observe"]

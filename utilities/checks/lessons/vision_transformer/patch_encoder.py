"""Not moved here yet: see `utilities/checks/vision_transformer/`."""

from utilities.checks.core.legacy import Legacy

CHECK = Legacy("vision_transformer", "patch_encoder")

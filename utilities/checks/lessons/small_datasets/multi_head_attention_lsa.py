"""Not moved here yet: see `utilities/checks/small_datasets/`."""

from utilities.checks.core.legacy import Legacy

CHECK = Legacy("small_datasets", "multi_head_attention_lsa")

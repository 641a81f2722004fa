"""Not moved here yet: see `utilities/checks/attention_variants/`."""

from utilities.checks.core.legacy import Legacy

CHECK = Legacy("attention_variants", "linear_attention")

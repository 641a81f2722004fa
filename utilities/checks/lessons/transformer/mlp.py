"""Not moved here yet: see `utilities/checks/transformer/`."""

from utilities.checks.core.legacy import Legacy

CHECK = Legacy("transformer", "mlp")

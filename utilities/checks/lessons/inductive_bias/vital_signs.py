"""Not moved here yet: see `utilities/checks/inductive_bias/`."""

from utilities.checks.core.legacy import Legacy

CHECK = Legacy("inductive_bias", "vital_signs")

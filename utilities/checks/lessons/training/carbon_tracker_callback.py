"""Not moved here yet: see `utilities/checks/training/`."""

from utilities.checks.core.legacy import Legacy

CHECK = Legacy("training", "carbon_tracker_callback")

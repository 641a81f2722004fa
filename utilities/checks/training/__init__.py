"""The training run and the callback that tracks its carbon footprint."""

from utilities.checks.exercise import Exercise

test_run_experiment = Exercise("run_experiment", __name__)
test_carbon_tracker_callback = Exercise("carbon_tracker_callback", __name__)

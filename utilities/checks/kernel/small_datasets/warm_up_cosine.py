"""Ask a schedule for learning rates, and bad settings for a refusal."""

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel import probes
from utilities.checks.kernel.case import RAISED, WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array, describe, from_keras_3, refuse_nothing
from utilities.checks.kernel.small_datasets.protocol import SCHEDULE

LIBRARIES = ("tensorflow", "tf_keras", "keras", "numpy")
BASE = tf_keras.optimizers.schedules.LearningRateSchedule


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the learning rate at the steps of the case, or whether its settings are refused."""
    if case.stage == "settings":
        said = _refusal(implementation, case)
        tells_why = said is None or "warm" in said.lower()
        return {"refused": np.array(said is not None), "tells_why": np.array(tells_why)}
    schedule = _schedule(implementation, case)
    facts = {
        "is_schedule": np.array(isinstance(schedule, BASE)),
        "of_keras_3": np.array(bool(from_keras_3(schedule))),
    }
    if case.stage == "config":
        schedule = probes.made_anew(schedule)
    rate_at = _traced(schedule) if case.stage == "tensors" else lambda step: schedule(int(step))
    rates = [one_number(rate_at(step)) for step in case["steps"]]
    return {"learning_rate": np.array(rates), **facts}


def one_number(value: Any) -> float:
    """Return a learning rate as a number, or stop where it is none."""
    array = as_array(value, "learning rate", tensor=False)
    if array.size != 1:
        raise Stopped(WRONG_TYPE, f"One step gives {array.size} learning rates; one is expected.")
    return float(array.reshape(()))


def _schedule(implementation: Any, case: Case) -> Any:
    """Return what the class makes, a schedule to Keras or not, as long as it can be called."""
    if isinstance(implementation, BASE) or not callable(implementation):
        raise Stopped(WRONG_TYPE, "Give the class WarmUpCosine itself to the check.")
    made = implementation(**{name: case[name] for name in SCHEDULE})
    refuse_nothing(made, "schedule")
    if not callable(made):
        raise Stopped(WRONG_TYPE, f"WarmUpCosine(…) is {describe(made)}; a schedule is expected.")
    return made


def _traced(schedule: Callable) -> Callable:
    """Return the schedule as an optimiser calls it: inside a graph, with a tensor of whole numbers."""
    inside = tf.function(lambda step: schedule(step), [tf.TensorSpec((), tf.int64)])
    return lambda step: inside(tf.constant(step, tf.int64))


def _comes_from_a_library(error: Exception) -> bool:
    """Return whether TensorFlow, Keras or NumPy raised an error, not the student's own line."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__", "")).split(".")[0] in LIBRARIES


def _refusal(implementation: Any, case: Case) -> str | None:
    """Return what the ValueError says that comes when the schedule is made or first called, if any."""
    try:
        _schedule(implementation, case)(0)
    except ValueError as error:
        if _comes_from_a_library(error):
            raise
        return str(error)
    except (AssertionError, TypeError) as error:
        if case["total_steps"] >= case["warmup_steps"]:
            raise
        raise Stopped(
            RAISED,
            f"A warm-up longer than the run stops with {type(error).__name__}; a ValueError is asked "
            "for, which says what is wrong with the settings.",
            "refused with another error",
        ) from None
    return None

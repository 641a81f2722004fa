"""Ask for the loss of each image, also while a graph is traced, and follow its gradients."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from utilities.checks.kernel import probes
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.inductive_bias.protocol import DISTILLED, SETTINGS
from utilities.checks.kernel.observing import as_array


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the losses and, in their stage, the gradients of their sum by the logits of both."""
    inputs = [tf.constant(case[name]) for name in DISTILLED]
    given = {name: case[name] for name in SETTINGS if case[name] is not None}
    call: Callable[..., Any] = partial(implementation, **given)
    if case.stage == "traced":
        call = probes.with_unknown_batch(call, inputs)
    if case.stage != "gradient":
        return {"loss": as_array(call(*inputs), "loss")}
    labels, *logits = inputs
    with tf.GradientTape() as tape:
        tape.watch(logits)
        result = call(labels, *logits)
        loss = as_array(result, "loss")
        total = tf.reduce_sum(result)
    student, teacher = tape.gradient(total, logits, unconnected_gradients="zero")
    return {
        "loss": loss,
        "student_gradient": as_array(student, "gradient"),
        "teacher_gradient": as_array(teacher, "gradient"),
    }

"""Build the MLP, give it the weights of a case, and return what it computes, in training too."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel import models, probes
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_array
from utilities.checks.kernel.shared import IN_TRAINING, spare


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the output at inference, in some stages in training, in others facts about weights."""
    arguments = (units_of(case, "hidden_units"), case["dropout_rate"])
    model = models.build_model(case["x"].shape, lambda x: implementation(x, *arguments))
    _, seen = with_its_weights(model, case, looks=case.stage == "several layers")
    if case.stage in IN_TRAINING:
        seen["output_in_training"] = as_array(model(case["x"], training=True), "output")
    return seen


def with_its_weights(
    model: tf_keras.Model, case: Case, looks: bool
) -> tuple[dict[str, tf.Variable], dict[str, np.ndarray]]:
    """Give a model the weights of a case; return these by role, and what it then shows at inference.

    looks: for each trainable weight also whether it can learn from its own initial value, and whether
    the gradient of the output reaches it.
    """

    def call() -> tf.Tensor:
        return model(case["x"], training=False)

    learns = {"learns": probes.can_learn(call, model.trainable_weights)} if looks else {}
    assigned, found = models.assign_by_role(model, case.inputs)
    fill(model, assigned, case)
    reached = {"reached": probes.gradient_reaches(call, model.trainable_weights)} if looks else {}
    seen = {
        **found,
        **models.outputs(model, case["x"]),
        "non_linearities": models.non_linearities(model),
        "rates": models.dropout_rates(model),
    }
    return assigned, {**seen, **learns, **reached}


def fill(model: tf_keras.Model, assigned: dict[str, tf.Variable], case: Case) -> None:
    """Give kernels and biases of shapes that the case has none for a value, always the same one."""
    known = {id(variable) for variable in assigned.values()}
    for variable, role in zip(model.trainable_weights, models.roles(model), strict=True):
        if id(variable) not in known and role in ("kernel", "bias", *models.ATTENTION):
            variable.assign(tf.cast(spare(case, tuple(variable.shape)), variable.dtype))


def units_of(case: Case, name: str) -> list[int] | tuple[int, ...]:
    """Return the layer sizes as a list or, for a batch of one, as a tuple: both are usual."""
    units = case[name].tolist()
    return tuple(units) if len(case["x"]) == 1 else units

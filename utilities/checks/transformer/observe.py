"""Build models of transformer parts, give them the weights of a case, and return what they do."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel.case import Case
from utilities.checks.kernel.models import assign_by_role, build_model
from utilities.checks.kernel.observing import as_array


def mlp(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the weights found, and the output at inference and in training."""
    arguments = (_units(case, "hidden_units"), case["dropout_rate"])
    model = build_model(case["x"].shape, lambda x: implementation(x, *arguments))
    _, found = assign_by_role(model, case.inputs)
    values = {**found, **_outputs(model, case), **_gradients(model, case, "several layers")}
    if case.stage in ("training", "rate 0"):
        values["output_in_training"] = as_array(model(case["x"], training=True), "output")
    return values


def transformer_block(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the weights found, the outputs and, in the training stage, each update alone."""
    rate = () if case["dropout_rate"] is None else (case["dropout_rate"],)
    arguments = (case["num_heads"], case["proj_dim"], _units(case, "mlp_units"), *rate)
    model = build_model(case["x"].shape, lambda x: implementation(x, *arguments))
    assigned, found = assign_by_role(model, case.inputs)
    values = {**found, **_outputs(model, case), **_gradients(model, case, "whole block")}
    if case.stage == "training" and not found["missing"].size:
        values |= _updates(model, assigned, case)
    return values


def _outputs(model: tf_keras.Model, case: Case) -> dict[str, np.ndarray]:
    """Return the output at inference, twice: it must not change."""
    names = ("output", "output_again")
    return {name: as_array(model(case["x"], training=False), "output") for name in names}


def _updates(
    model: tf_keras.Model, assigned: dict[str, tf.Variable], case: Case
) -> dict[str, np.ndarray]:
    """Return the outputs, at inference and in training, with one update on, then with none."""
    last = case["mlp_units"].size
    switches = {"attention": assigned["W_o"], "mlp": assigned[f"bias_{last}"]}
    values = {}
    for on in ("attention", "mlp", "neither"):
        silenced = {name: tf.identity(v) for name, v in switches.items() if name != on}
        for name in silenced:
            switches[name].assign(tf.zeros_like(silenced[name]))
        values[f"{on}_alone"] = as_array(model(case["x"], training=False), "output")
        values[f"{on}_alone_in_training"] = as_array(model(case["x"], training=True), "output")
        for name, value in silenced.items():
            switches[name].assign(value)
    return values


def _gradients(model: tf_keras.Model, case: Case, stage: str) -> dict[str, np.ndarray]:
    """Return, in that stage, for each trainable weight whether the output's gradient reaches it."""
    if case.stage != stage:
        return {}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(case["x"], training=False) ** 2)
    gradients = tape.gradient(loss, model.trainable_weights)
    reached = [g is not None and bool(tf.reduce_any(tf.not_equal(g, 0))) for g in gradients]
    return {"reached": np.array(reached, dtype=bool)}


def _units(case: Case, name: str) -> list[int] | tuple[int, ...]:
    """Return the layer sizes as a list or, for a batch of one, as a tuple: both are usual."""
    units = case[name].tolist()
    return tuple(units) if len(case["x"]) == 1 else units

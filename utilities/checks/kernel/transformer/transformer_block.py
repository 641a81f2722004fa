"""Build a transformer block, give it the weights of a case, and return what it computes."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel import models
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_array
from utilities.checks.kernel.transformer.mlp import units_of, with_its_weights


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the weights found, the outputs and, in the training stage, each update alone."""
    rate = () if case["dropout_rate"] is None else (case["dropout_rate"],)
    arguments = (case["num_heads"], case["proj_dim"], units_of(case, "mlp_units"), *rate)
    model = models.build_model(case["x"].shape, lambda x: implementation(x, *arguments))
    assigned, seen = with_its_weights(model, case, looks=case.stage == "whole block")
    return seen | (_updates(model, assigned, case) if case.stage == "training" else {})


def _updates(
    model: tf_keras.Model, assigned: dict[str, tf.Variable], case: Case
) -> dict[str, np.ndarray]:
    """Return the outputs, at inference and in training, with one update on, then with none.

    Nothing is returned where the weights are not there by which an update is switched off.
    """
    names = {"attention": "W_o", "mlp": f"kernel_{case['mlp_units'].size}"}
    if not set(names.values()) <= set(assigned):
        return {}
    switches = {part: assigned[name] for part, name in names.items()}
    values = {}
    for on in ("attention", "mlp", "neither"):
        silenced = {part: tf.identity(v) for part, v in switches.items() if part != on}
        for part in silenced:
            switches[part].assign(tf.zeros_like(silenced[part]))
        values[f"{on}_alone"] = as_array(model(case["x"], training=False), "output")
        values[f"{on}_alone_in_training"] = as_array(model(case["x"], training=True), "output")
        for part, value in silenced.items():
            switches[part].assign(value)
    return values

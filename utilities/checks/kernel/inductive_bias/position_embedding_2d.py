"""Give a layer of positions its tables, and return the tokens that it makes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from utilities.checks.kernel import probes
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_array
from utilities.checks.kernel.shared import TABLES


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the tokens of a layer that holds the case's tables, and facts about its weights.

    `first_…` are the values that a table had when it was made.
    """
    tokens = tf.constant(case["tokens"])  # (B, N, d)
    sizes = (case["rows"], case["columns"], case["proj_dim"])
    layer = probes.new_layer(implementation, "PositionEmbedding2D", *sizes)
    probes.refuse_keras_3(layer)
    call = probes.functional_model(layer, [tokens]) if case.stage == "model" else layer
    as_array(call(tokens), "output")  # the first call makes the weights
    made = {id(weight) for weight in layer.weights}
    tables = _tables(layer, case)
    first = {f"first_{name}": as_array(variable, "weight") for name, variable in tables.items()}
    for name, variable in tables.items():
        variable.assign(tf.cast(tf.reshape(case[name], variable.shape), variable.dtype))
    output, again = (as_array(call(tokens), "output") for _ in range(2))
    reached = probes.gradient_reaches(
        lambda: tf.cast(layer(tokens), tf.float32) ** 2, list(tables.values())
    )
    trained = probes.among(tables.values(), layer.trainable_weights) & reached
    known = dict(zip(tables, trained, strict=True))
    return {
        **first,
        "output": output,
        "same_in_training": probes.alike(output, call(tokens, training=True)),
        "repeats": np.array(np.allclose(output, again, atol=1e-6, equal_nan=True)),
        "found": np.array([name in tables for name in TABLES]),
        "trained": np.array([bool(known.get(name, False)) for name in TABLES]),
        "trainable_count": probes.count(layer.trainable_weights),
        "takes_a_name": probes.takes_a_name(implementation, *sizes),
        "made_once": np.array({id(weight) for weight in layer.weights} == made),
        "freezes": probes.freezes(layer, lambda: layer(tokens)),
        "shapes": np.array(["×".join(map(str, w.shape)) for w in layer.weights] or [""]),
    }


def _tables(layer: Any, case: Case) -> Mapping[str, tf.Variable]:
    """Return the tables by their shape; axes of length 1 do not count."""
    tables: dict[str, tf.Variable] = {}
    for variable in layer.weights:
        for name in TABLES:
            fits = _without_ones(variable.shape) == _without_ones(case[name].shape)
            if fits and name not in tables:
                tables[name] = variable
                break
    return tables


def _without_ones(shape: Any) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)

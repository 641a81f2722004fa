"""Number the biases of a layer, and return what it adds to scores of 0 and to others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from utilities.checks.kernel import probes
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_array


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return what a layer adds to scores of 0 and to others, once all its weights are different."""
    scores = tf.constant(case["scores"])  # (B, h, N, N)
    sizes = (case["num_heads"], case["rows"], case["columns"])
    layer = probes.new_layer(implementation, "RelativePositionBias", *sizes)
    probes.refuse_keras_3(layer)
    call = probes.functional_model(layer, [scores]) if case.stage == "model" else layer
    as_array(call(scores), "output")
    made = {id(weight) for weight in layer.weights}
    trainable = list(layer.trainable_weights)
    floating = [weight for weight in layer.weights if weight.dtype.is_floating]
    _number(trainable or floating)
    output, again = (as_array(call(scores), "output") for _ in range(2))
    return {
        "bias": as_array(call(tf.zeros_like(scores)), "output"),
        "output": output,
        "same_in_training": probes.alike(output, call(scores, training=True)),
        "repeats": np.array(np.allclose(output, again, atol=1e-6, equal_nan=True)),
        "trainable_count": probes.count(trainable),
        "unreached": np.array(_unreached(layer, scores, trainable)),
        "takes_a_name": probes.takes_a_name(implementation, *sizes),
        "made_once": np.array({id(weight) for weight in layer.weights} == made),
        "freezes": probes.freezes(layer, lambda: layer(scores)),
    }


def _number(variables: Sequence[tf.Variable]) -> None:
    """Give every entry of the variables another whole number, from 1 on."""
    first = 1
    for variable in variables:
        count = int(tf.size(variable))
        values = np.arange(first, first + count).reshape(variable.shape)
        variable.assign(tf.cast(values, variable.dtype))
        first += count


def _unreached(layer: Any, scores: tf.Tensor, variables: Sequence[tf.Variable]) -> int:
    """Return how many entries of the variables the gradient of the output does not reach."""
    with tf.GradientTape() as tape:
        loss = probes.uneven_sum(layer(scores))
    gradients = tape.gradient(loss, list(variables))
    reached = [0 if g is None else int(np.sum(tf.convert_to_tensor(g).numpy() != 0)) for g in gradients]
    return sum(int(tf.size(variable)) for variable in variables) - sum(reached)

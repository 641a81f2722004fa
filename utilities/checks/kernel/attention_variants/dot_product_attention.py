"""Make layers of dot-product attention and return what they compute."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel import probes
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import Stopped, as_array, as_pair, refuse_nothing

Seen = dict[str, np.ndarray]


def observe(implementation: Any, case: Case) -> Seen:
    """Return output and weights; of an unknown normalization, whether it was refused."""
    qkv = [tf.constant(case[name]) for name in "qkv"]
    if case.stage == "unknown":
        return _refusal(implementation, case["normalization"], qkv)
    layer = _made(implementation, *(() if case.stage == "default" else (case["normalization"],)))
    if case.stage == "config":
        layer = probes.made_anew(layer)
    call: Callable = layer
    if case.stage == "model":
        symbolic = [tf_keras.Input(x.shape[1:]) for x in qkv]
        pair = as_pair(layer(*symbolic), "output", "attention_weights")
        model = tf_keras.Model(symbolic, list(pair))
        call = lambda *inputs: model(list(inputs))  # noqa: E731
    seen, again = (_output_and_weights(call(*qkv)) for _ in range(2))
    return {**seen, "repeats": probes.same(seen, again), "weight_count": probes.count(layer.weights)}


def _made(implementation: Any, *arguments: str) -> tf_keras.layers.Layer:
    return probes.new_layer(implementation, "DotProductAttention", *arguments)


def _refusal(implementation: Any, normalization: str, qkv: list[tf.Tensor]) -> Seen:
    """Return whether an unknown normalization raises ValueError, when made or when called.

    raised: whether making the layer raises another error; one in the call has not noticed the name.
    """
    made = None
    try:
        made = _made(implementation, normalization)
        refuse_nothing(made(*qkv), "result")
    except (NotImplementedError, Stopped):
        raise
    except Exception as error:
        refused = isinstance(error, ValueError)
        return {"refused": np.array(refused), "raised": np.array(not refused and made is None)}
    return {"refused": np.array(False), "raised": np.array(False)}


def _output_and_weights(result: Any) -> Seen:
    output, weights = as_pair(result, "output", "attention_weights")
    return {
        "output": as_array(output, "output"),
        "attention_weights": as_array(weights, "attention weights"),
    }

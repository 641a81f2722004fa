"""Make multi-head attention layers, give them the weights of a case, and return what they compute."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel import probes
from utilities.checks.kernel.attention.protocol import WEIGHTS
from utilities.checks.kernel.attention.scaled_dot_product_attention import output_and_weights
from utilities.checks.kernel.case import WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array

Inputs = list[tf.Tensor]
Seen = dict[str, np.ndarray]


def observe(implementation: Any, case: Case) -> Seen:
    """Return what a layer that holds the case's weights computes, each stage in its own way."""
    inputs = [tf.constant(case[name]) for name in "qkv"]
    mask = {} if case["mask"] is None else {"mask": tf.constant(case["mask"])}
    return _BY_STAGE.get(case.stage, _called)(implementation, case, inputs, mask)


def assign(layer: Any, case: Case) -> None:
    """Give the layer the weights of the case, or stop where it has no such weight."""
    probes.assign_weights(layer, {name: case[name] for name in WEIGHTS}, WEIGHTS)


def _called(implementation: Any, case: Case, inputs: Inputs, mask: dict) -> Seen:
    """Return output and attention weights of a layer, and whether a second call gives the same."""
    layer = _made(implementation, case, return_attention_weights=True)
    layer(*inputs, **mask)  # the first call makes the weights
    made = list(layer.weights)
    assign(layer, case)
    seen = output_and_weights(layer(*inputs, **mask))
    again = output_and_weights(layer(*inputs, **mask))
    kept = len(layer.weights) == len(made) and bool(np.all(probes.among(layer.weights, made)))
    return {**seen, "repeats": probes.same(seen, again), "made_once": np.array(kept)}


def _output_alone(implementation: Any, case: Case, inputs: Inputs, _: dict) -> Seen:
    """Return the output of a layer that is not asked for its attention weights."""
    layer = _made(implementation, case)
    layer(*inputs)
    assign(layer, case)
    output = layer(*inputs)
    if isinstance(output, (tuple, list)):
        raise Stopped(
            WRONG_TYPE,
            f"With return_attention_weights=False the layer returns {len(output)} values; "
            "the output alone is expected.",
        )
    return {"output": as_array(output, "output")}


def _weights(implementation: Any, case: Case, inputs: Inputs, _: dict) -> Seen:
    """Return what is trained, what the gradient reaches, and what a layer makes of being frozen."""
    layer = _made(implementation, case)
    layer(*inputs)
    weights = [probes.find_weight(layer, name) for name in WEIGHTS]
    learns = probes.can_learn(lambda: layer(*inputs), weights)
    heads_alike = [bool(tf.reduce_all(w == w[:1])) and w.shape[0] > 1 for w in weights[:3]]
    starts_small = any(map(_is_smaller_than_glorot, weights[:3]))
    named = [isinstance(getattr(layer, name, None), tf.Variable) for name in WEIGHTS]
    assign(layer, case)
    return {
        "trainable_count": probes.count(layer.trainable_weights),
        "trainable": probes.among(weights, layer.trainable_weights),
        "gradient_reaches": probes.gradient_reaches(lambda: layer(*inputs), weights),
        "learns": learns,
        "starts_small": np.array(starts_small),
        "heads_alike": np.array(all(heads_alike)),
        "named": np.array(named),
        "freezes": probes.freezes(layer, lambda: layer(*inputs)),
    }


def _is_smaller_than_glorot(weight: tf.Variable) -> bool:
    """Return whether a weight (h, d, p) starts as if the heads were a part of its width."""
    of_one_head = np.sqrt(2 / sum(weight.shape[1:]))
    return float(tf.math.reduce_std(weight)) < 0.75 * of_one_head


def _in_model(implementation: Any, case: Case, inputs: Inputs, _: dict) -> Seen:
    """Return output and attention weights of a functional model, its batch size unknown."""
    layer = _made(implementation, case, return_attention_weights=True)
    model = probes.functional_model(layer, inputs)
    assign(layer, case)
    return output_and_weights(model(inputs))


def _from_config(implementation: Any, case: Case, inputs: Inputs, _: dict) -> Seen:
    """Return output and attention weights of a layer made anew from another one's config."""
    layer = _made(implementation, case, return_attention_weights=True)
    told = layer(*inputs)
    again = probes.made_anew(layer)
    again(*inputs)
    assign(again, case)
    result = again(*inputs)
    if isinstance(told, (tuple, list)) and not isinstance(result, (tuple, list)):
        raise Stopped(
            WRONG_TYPE,
            "A layer made with return_attention_weights=True and made anew from its get_config() "
            "no longer returns the attention weights: the config must hold every argument.",
        )
    return output_and_weights(result)


_BY_STAGE: dict[str, Callable[..., Seen]] = {
    "output alone": _output_alone,
    "weights": _weights,
    "model": _in_model,
    "config": _from_config,
}


def _made(implementation: Any, case: Case, **options: Any) -> tf_keras.layers.Layer:
    sizes = (case["num_heads"], case["proj_dim"])
    return probes.new_layer(implementation, "MultiHeadAttention", *sizes, **options)

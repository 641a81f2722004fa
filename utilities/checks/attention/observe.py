"""Call attention implementations and return what they compute."""

from typing import Any

import numpy as np
import tensorflow as tf

from utilities.checks.case import WRONG_SHAPE, WRONG_TYPE, Case
from utilities.checks.observing import Stopped, as_array, as_pair

WEIGHTS = ("W_q", "W_k", "W_v", "W_o")


def scaled_dot_product_attention(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return output and attention weights, called eagerly or, in the traced stage, in a graph."""
    if case.stage == "traced":
        implementation = tf.function(implementation)
    q, k, v = (tf.constant(case[name]) for name in "qkv")
    mask = () if case["mask"] is None else (tf.constant(case["mask"]),)
    result = implementation(q, k, v, *mask)
    output, weights = as_pair(result, "output", "attention_weights")
    return {
        "output": as_array(output, "output"),
        "attention_weights": as_array(weights, "attention weights"),
    }


def multi_head_attention(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return output, attention weights and facts of a layer that holds the case's weights."""
    sizes = {"num_heads": case["num_heads"], "proj_dim": case["proj_dim"]}
    inputs = [tf.constant(case[name]) for name in "qkv"]
    mask = {} if case["mask"] is None else {"mask": tf.constant(case["mask"])}
    layer = implementation(**sizes, return_attention_weights=True)
    layer(*inputs, **mask)  # builds the weights
    weights = assign_weights(layer, case)
    output, attention_weights = as_pair(layer(*inputs, **mask), "output", "attention_weights")
    return {
        **weights,
        "output": as_array(output, "output"),
        "attention_weights": as_array(attention_weights, "attention weights"),
        "output_alone": as_array(_without_weights(implementation, sizes, inputs, mask, case), "output"),
        "trainable_count": np.array(sum(int(tf.size(w)) for w in layer.trainable_weights)),
        "gradients": np.array(_gradients_reach(layer, inputs, mask)),
        "config": np.array(_config_names(implementation, layer, sizes)),
    }


def assign_weights(layer: Any, case: Case) -> dict[str, np.ndarray]:
    """Give the layer the weights of the case and return them as the layer holds them."""
    values = {}
    for name in WEIGHTS:
        variable = find_weight(layer, name)
        if tuple(variable.shape) != case[name].shape:
            raise Stopped(
                WRONG_SHAPE,
                f"The weight {name} has shape {tuple(variable.shape)}; "
                f"{case[name].shape} is expected for {case.describe()}.",
            )
        variable.assign(tf.cast(case[name], variable.dtype))
        values[name] = as_array(variable, name)
    return values


def find_weight(layer: Any, name: str) -> tf.Variable:
    """Return the trainable weight of that name: as an attribute or as the variable's own name."""
    attribute = getattr(layer, name, None)
    if isinstance(attribute, tf.Variable):
        return attribute
    for variable in getattr(layer, "trainable_weights", ()):
        if variable.name.split("/")[-1].split(":")[0] == name:
            return variable
    known = ", ".join(v.name for v in getattr(layer, "trainable_weights", ())) or "none"
    raise Stopped(
        WRONG_TYPE, f"The layer has no trainable weight {name}. Its trainable weights: {known}."
    )


def _without_weights(implementation, sizes, inputs, mask, case) -> Any:
    """Return what a layer gives that is not asked for its attention weights."""
    layer = implementation(**sizes)
    layer(*inputs, **mask)
    assign_weights(layer, case)
    return layer(*inputs, **mask)


def _gradients_reach(layer, inputs, mask) -> list[bool]:
    """Return for W_q, W_k, W_v, W_o whether the gradient of the output reaches it."""
    variables = [find_weight(layer, name) for name in WEIGHTS]
    with tf.GradientTape() as tape:
        output = layer(*inputs, **mask)[0]
        loss = tf.reduce_sum(output**2)
    return [g is not None and bool(tf.reduce_any(g != 0)) for g in tape.gradient(loss, variables)]


def _config_names(implementation, layer, sizes) -> list[bool]:
    """Return for num_heads and proj_dim whether a layer made from the config has the same value."""
    config = layer.get_config()
    again = implementation.from_config(config).get_config()
    return [config.get(name) == value == again.get(name) for name, value in sizes.items()]

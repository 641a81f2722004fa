"""Call attention implementations and return what they compute."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.case import NOT_ATTEMPTED, RAISED, WRONG_SHAPE, WRONG_TYPE, Case
from utilities.checks.observing import Stopped, as_array, as_pair, describe

WEIGHTS = {
    "W_q": "(num_heads, d_q, proj_dim)",
    "W_k": "(num_heads, d_k, proj_dim)",
    "W_v": "(num_heads, d_v, proj_dim)",
    "W_o": "(num_heads·proj_dim, proj_dim)",
}
Inputs = list[tf.Tensor]
Mask = dict[str, tf.Tensor]


def scaled_dot_product_attention(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return output and weights, called eagerly or, in the traced stage, as a Keras model does."""
    q, k, v = (tf.constant(case[name]) for name in "qkv")
    mask = () if case["mask"] is None else (tf.constant(case["mask"]),)
    call = implementation
    if case.stage == "traced":
        call = _with_unknown_batch(implementation, (q, k, v), *mask)
    seen = _seen(call(q, k, v, *mask))
    return {**seen, "repeats": _same(seen, _seen(call(q, k, v, *mask)))}


def multi_head_attention(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return what a layer that holds the case's weights computes, each stage in its own way."""
    inputs = [tf.constant(case[name]) for name in "qkv"]
    mask = {} if case["mask"] is None else {"mask": tf.constant(case["mask"])}
    return _BY_STAGE.get(case.stage, _called)(implementation, case, inputs, mask)


def _called(implementation: Any, case: Case, inputs: Inputs, mask: Mask) -> dict[str, np.ndarray]:
    """Return output and attention weights of a layer, and whether a second call gives the same."""
    layer = _made(implementation, case, return_attention_weights=True)
    layer(*inputs, **mask)  # the first call makes the weights
    made = list(layer.weights)
    assign_weights(layer, case)
    seen = _seen(layer(*inputs, **mask))
    return {
        **seen,
        "repeats": _same(seen, _seen(layer(*inputs, **mask))),
        "made_once": np.array({id(w) for w in layer.weights} == {id(w) for w in made}),
    }


def _output_alone(implementation: Any, case: Case, inputs: Inputs, _: Mask) -> dict[str, np.ndarray]:
    """Return the output of a layer that is not asked for its attention weights."""
    layer = _made(implementation, case)
    layer(*inputs)
    assign_weights(layer, case)
    output = layer(*inputs)
    if isinstance(output, (tuple, list)):
        raise Stopped(
            WRONG_TYPE,
            f"With return_attention_weights=False the layer returns {len(output)} values; "
            "the output alone is expected.",
        )
    return {"output": as_array(output, "output")}


def _weights(implementation: Any, case: Case, inputs: Inputs, _: Mask) -> dict[str, np.ndarray]:
    """Return how many numbers are trained, and which of the weights the gradient reaches."""
    layer = _made(implementation, case)
    layer(*inputs)
    assign_weights(layer, case)
    weights = [find_weight(layer, name) for name in WEIGHTS]
    trained = {id(weight) for weight in layer.trainable_weights}
    with tf.GradientTape() as tape:
        output = layer(*inputs)
        output = output[0] if isinstance(output, (tuple, list)) else output
        loss = tf.reduce_sum(tf.square(output))
    gradients = tape.gradient(loss, weights)
    reached = [g is not None and np.any(tf.convert_to_tensor(g) != 0) for g in gradients]
    return {
        "trainable_count": np.array(sum(int(tf.size(w)) for w in layer.trainable_weights)),
        "trainable": np.array([id(weight) in trained for weight in weights]),
        "gradient_reaches": np.array(reached),
    }


def _in_model(implementation: Any, case: Case, inputs: Inputs, _: Mask) -> dict[str, np.ndarray]:
    """Return output and attention weights of a functional model, its batch size unknown."""
    layer = _made(implementation, case, return_attention_weights=True)
    symbolic = [tf_keras.Input(shape=x.shape[1:]) for x in inputs]
    output, weights = as_pair(layer(*symbolic), "output", "attention_weights")
    assign_weights(layer, case)
    return _seen(tf_keras.Model(symbolic, [output, weights])(inputs))


def _from_config(implementation: Any, case: Case, inputs: Inputs, _: Mask) -> dict[str, np.ndarray]:
    """Return output and attention weights of a layer made anew from another one's config."""
    layer = _made(implementation, case, return_attention_weights=True)
    try:
        config = layer.get_config()
    except NotImplementedError:
        raise Stopped(
            NOT_ATTEMPTED, "get_config is not written yet: Keras needs it to save and copy a layer."
        ) from None
    try:
        again = type(layer).from_config(config)
    except Exception as error:
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise Stopped(
            RAISED,
            f"No layer can be made anew from get_config(): {reason[0]}. The config must hold every "
            "argument of the layer under its name, and the layer must take the arguments of every "
            "Keras layer, such as name.",
        ) from None
    again(*inputs)
    assign_weights(again, case)
    result = again(*inputs)
    if not isinstance(result, (tuple, list)):
        raise Stopped(
            WRONG_TYPE,
            "A layer made with return_attention_weights=True and made anew from its get_config() "
            "no longer returns the attention weights: the config must hold every argument.",
        )
    return _seen(result)


_BY_STAGE: dict[str, Callable] = {
    "output alone": _output_alone,
    "weights": _weights,
    "model": _in_model,
    "config": _from_config,
}


def assign_weights(layer: Any, case: Case) -> None:
    """Give the layer the weights of the case, or stop where it has no such weight."""
    for name, axes in WEIGHTS.items():
        variable = find_weight(layer, name)
        if tuple(variable.shape) != case[name].shape:
            raise Stopped(
                WRONG_SHAPE,
                f"The weight {name} has shape {tuple(variable.shape)}; "
                f"{case[name].shape} is expected, that is {axes}.",
            )
        variable.assign(tf.cast(case[name], variable.dtype))


def find_weight(layer: Any, name: str) -> tf.Variable:
    """Return the weight of that name: as an attribute or as the variable's own name."""
    attribute = getattr(layer, name, None)
    if isinstance(attribute, tf.Variable):
        return attribute
    for variable in getattr(layer, "weights", ()):
        if variable.name.split("/")[-1].split(":")[0] == name:
            return variable
    names = [v.name.split(":")[0].split("/")[-2:] for v in getattr(layer, "weights", ())]
    known = ", ".join("/".join(parts) for parts in names) or "none"
    raise Stopped(WRONG_TYPE, f"The layer has no weight {name}. Its weights: {known}.")


def _made(implementation: Any, case: Case, **options: bool) -> tf_keras.layers.Layer:
    """Return a new layer with the sizes of the case, or stop where it is no Keras layer."""
    if not callable(implementation) or isinstance(implementation, tf_keras.layers.Layer):
        came = "a layer" if callable(implementation) else describe(implementation)
        raise Stopped(
            WRONG_TYPE, f"Give the class MultiHeadAttention itself to the check; you give {came}."
        )
    layer = implementation(case["num_heads"], case["proj_dim"], **options)
    if isinstance(layer, tf_keras.layers.Layer):
        return layer
    base = "" if inspect.isclass(implementation) else f" It is {describe(implementation)}."
    raise Stopped(
        WRONG_TYPE,
        "MultiHeadAttention must be a class that inherits from tf_keras.layers.Layer." + base,
    )


def _seen(result: Any) -> dict[str, np.ndarray]:
    output, weights = as_pair(result, "output", "attention_weights")
    return {
        "output": as_array(output, "output"),
        "attention_weights": as_array(weights, "attention weights"),
    }


def _same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> np.ndarray:
    """Return whether two calls with the same inputs gave exactly the same."""
    return np.array(all(np.array_equal(first[n], second[n], equal_nan=True) for n in first))


def _with_unknown_batch(implementation: Any, qkv: Sequence[tf.Tensor], mask: tf.Tensor) -> Callable:
    """Return the implementation traced with an unknown batch size, as in a Keras model."""

    def attend(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor) -> Any:
        return implementation(q, k, v, mask)

    batched = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in qkv]
    return tf.function(attend, input_signature=[*batched, tf.TensorSpec(mask.shape, mask.dtype)])

"""What a check does with a layer, a model or a result, whoever wrote it: each probe once.

The kernel side: TensorFlow. A probe returns plain arrays, or stops with a problem in plain words.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel.case import NOT_ATTEMPTED, RAISED, WRONG_SHAPE, WRONG_TYPE
from utilities.checks.kernel.observing import (
    Stopped,
    as_array,
    describe,
    from_keras_3,
    refuse_nothing,
)

LEARNING_STEPS = 3  # of gradient descent, before a weight is said never to learn,
DRAWS = 5  # and so many draws of the initial values


def new_layer(
    implementation: Any, name: str, *arguments: Any, base: type = tf_keras.layers.Layer, **options: Any
) -> Any:
    """Return what a student's class makes, or stop where it is no such object.

    name: the class's name in the course. base: what it must inherit from.
    """
    if isinstance(implementation, base) or not callable(implementation):
        came = (
            "an object that is made already" if callable(implementation) else describe(implementation)
        )
        raise Stopped(WRONG_TYPE, f"Give the class {name} itself to the check; you give {came}.")
    made = implementation(*arguments, **options)
    refuse_nothing(made, "result")
    if isinstance(made, base):
        return made
    came = "" if inspect.isclass(implementation) else f" It is {describe(made)}."
    parent = f"tf_keras.{base.__module__.split('.')[-1]}.{base.__name__}".replace(
        "base_layer", "layers"
    )
    raise Stopped(
        WRONG_TYPE, f"{name} must be a class that inherits from {parent}.{came}{from_keras_3(made)}"
    )


def takes_a_name(implementation: Callable, *arguments: Any) -> np.ndarray:
    """Return whether a student's class hands on what Keras' own layers take, such as a name."""
    try:
        return np.array(implementation(*arguments, name="given").name == "given")
    except TypeError:
        return np.array(False)


def find_weight(layer: Any, name: str) -> tf.Variable:
    """Return the weight of that name: as an attribute or as the variable's own name."""
    attribute = getattr(layer, name, None)
    if isinstance(attribute, tf.Variable):
        return attribute
    for variable in getattr(layer, "weights", ()):
        if own_name(variable) == name:
            return variable
    names = [v.name.split(":")[0].split("/")[-2:] for v in getattr(layer, "weights", ())]
    known = ", ".join("/".join(parts) for parts in names) or "none"
    raise Stopped(WRONG_TYPE, f"The layer has no weight {name}. Its weights: {known}.")


def own_name(variable: tf.Variable) -> str:
    """Return the last part of a variable's name, as the student gave it."""
    return variable.name.split("/")[-1].split(":")[0]


def assign_weights(layer: Any, values: Mapping[str, np.ndarray], axes: Mapping[str, str]) -> None:
    """Give a layer's weights their values, by name, or stop where one is missing or of another shape.

    axes: what the shape of each weight is made of, in the words of the course.
    """
    for name, value in values.items():
        variable = find_weight(layer, name)
        if tuple(variable.shape) != value.shape:
            raise Stopped(
                WRONG_SHAPE,
                f"The weight {name} has shape {tuple(variable.shape)}; "
                f"{value.shape} is expected, that is {axes[name]}.",
            )
        variable.assign(tf.cast(value, variable.dtype))


def made_anew(made: Any) -> Any:
    """Return the same again from its config, as Keras does when it copies or loads a model."""
    try:
        config = made.get_config()
    except NotImplementedError:
        raise Stopped(
            NOT_ATTEMPTED,
            "get_config is not written yet: Keras needs it to save and copy a layer.",
            "no get_config",
        ) from None
    try:
        return type(made).from_config(config)
    except Exception as error:
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise Stopped(
            RAISED,
            f"Nothing can be made anew from get_config(): {reason[0]}. The config must hold every "
            "argument under its name, and the class must take the arguments of every Keras layer, "
            "such as name.",
            "config incomplete",
        ) from None


def functional_model(layer: Callable, inputs: Sequence[tf.Tensor]) -> tf_keras.Model:
    """Return the functional model around a layer, its batch size unknown."""
    symbolic = [tf_keras.Input(shape=x.shape[1:], dtype=x.dtype) for x in inputs]
    return tf_keras.Model(symbolic, layer(*symbolic))


def with_unknown_batch(call: Callable, inputs: Sequence[tf.Tensor], *fixed: tf.Tensor) -> Callable:
    """Return a call traced for any batch size, as inside a Keras model; `fixed` keep their shape."""
    signature = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in inputs]
    signature += [tf.TensorSpec(x.shape, x.dtype) for x in fixed]
    return tf.function(lambda *tensors: call(*tensors), input_signature=signature)


def same(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return whether two calls with the same inputs gave exactly the same."""
    return np.array(all(np.array_equal(first[n], second[n], equal_nan=True) for n in first))


def uneven_sum(outputs: Any) -> tf.Tensor:
    """Return a sum in which no two numbers weigh the same, so that no normalisation undoes it."""
    total = tf.constant(0.0)
    for output in outputs if isinstance(outputs, (tuple, list)) else [outputs]:
        output = tf.cast(output, tf.float32)
        uneven = tf.cos(tf.range(tf.size(output), dtype=tf.float32))
        total += tf.reduce_sum(tf.reshape(output, [-1]) * uneven)
    return total


def gradient_reaches(call: Callable[[], Any], weights: Sequence[tf.Variable]) -> np.ndarray:
    """Return for each weight whether the gradient of what a call gives reaches it."""
    with tf.GradientTape() as tape:
        loss = uneven_sum(call())
    gradients = tape.gradient(loss, list(weights))
    return np.array(
        [g is not None and bool(tf.reduce_any(tf.convert_to_tensor(g) != 0)) for g in gradients], bool
    )


def can_learn(call: Callable[[], Any], weights: Sequence[tf.Variable]) -> np.ndarray:
    """Return for each weight whether it is reached at its own initial values, or after a few steps.

    One weight that starts at zero, as residual branches sometimes do, holds back the others for a
    step; several that do so hold each other back for ever. A draw may be unlucky, such as one that
    leaves all of three ReLUs dead: then others are tried, made of the same numbers in another order,
    which changes nothing about values that are all alike. The weights are put back afterwards.
    """
    kept = [weight.numpy() for weight in weights]
    reached, rng = np.zeros(len(weights), bool), np.random.default_rng(0)
    for _ in range(DRAWS):
        reached |= _reached_in_steps(call, weights)
        if reached.all():
            break
        for weight, value in zip(weights, kept, strict=True):
            weight.assign(rng.permuted(value))
    for weight, value in zip(weights, kept, strict=True):
        weight.assign(value)
    return reached


def _reached_in_steps(call: Callable[[], Any], weights: Sequence[tf.Variable]) -> np.ndarray:
    """Return for each weight whether a gradient reaches it within a few steps, which are taken."""
    reached = np.zeros(len(weights), bool)
    for _ in range(LEARNING_STEPS):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(uneven_sum(call()) - 1.0))
        for i, gradient in enumerate(tape.gradient(loss, list(weights))):
            if gradient is not None:
                gradient = tf.convert_to_tensor(gradient)
                reached[i] |= bool(tf.reduce_any(gradient != 0))
                weights[i].assign_sub(0.1 * gradient / (1e-12 + tf.norm(gradient)))
        if reached.all():
            break
    return reached


def count(weights: Iterable[tf.Variable]) -> np.ndarray:
    """Return how many numbers some weights hold."""
    return np.array(sum(int(tf.size(weight)) for weight in weights))


def among(weights: Iterable[tf.Variable], others: Iterable[tf.Variable]) -> np.ndarray:
    """Return for each weight whether it is one of the others."""
    known = {id(weight) for weight in others}
    return np.array([id(weight) in known for weight in weights], bool)


def freezes(layer: Any, call: Callable[[], Any]) -> np.ndarray:
    """Return whether a layer keeps its weights and, if it repeats at all, its result when frozen."""
    before, again, weights = as_arrays(call()), as_arrays(call()), {id(w) for w in layer.weights}
    repeats = all(map(np.array_equal, before, again))
    layer.trainable = False
    try:
        after = as_arrays(call())
        kept = {id(w) for w in layer.weights} == weights and not layer.trainable_weights
        return np.array(kept and (not repeats or all(map(np.array_equal, before, after))))
    finally:
        layer.trainable = True


def as_arrays(result: Any) -> list[np.ndarray]:
    """Return one tensor or several as arrays."""
    several = result if isinstance(result, (tuple, list)) else [result]
    return [as_array(part) for part in several]


def refuse_keras_3(layer: Any) -> None:
    """Stop where a layer holds a piece of Keras 3: its weights would be neither trained nor saved."""
    for name, value in vars(layer).items():
        if told := from_keras_3(value):
            raise Stopped(WRONG_TYPE, f"In your layer, {name} is {describe(value)}.{told}")


def alike(first: np.ndarray, second: Any) -> np.ndarray:
    """Return whether a second result is the first one, but for rounding."""
    other = as_array(second, "output")
    same_shape = other.shape == first.shape
    return np.array(same_shape and np.allclose(first, other, rtol=1e-5, atol=1e-5, equal_nan=True))

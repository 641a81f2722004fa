"""Build functional models of parts of a transformer, give them weights by role, ask what is in them.

The kernel side: TensorFlow. Weights are told by what they are for, not by the names of layers.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel.case import WRONG_TYPE, WRONG_VALUE
from utilities.checks.kernel.observing import (
    Stopped,
    as_array,
    describe,
    from_keras_3,
    refuse_nothing,
)
from utilities.checks.kernel.shared import GRID

ATTENTION = ("W_q", "W_k", "W_v", "W_o")
ROLES = (*ATTENTION, "gamma", "beta", "kernel", "bias")
KERAS_NAMES = {"query": "W_q", "key": "W_k", "value": "W_v", "attention_output": "W_o"}


def build_model(shape: Sequence[int], build: Callable) -> tf_keras.Model:
    """Return the model from an input (B, …) of that shape, batch left open, to what `build` makes."""
    inputs = tf_keras.Input(shape[1:])
    with refusing_keras_3():
        outputs = build(inputs)
    refuse_nothing(outputs, "result")
    if isinstance(outputs, tf_keras.layers.Layer):
        raise Stopped(
            WRONG_TYPE,
            f"The result is a {type(outputs).__name__} layer itself: call the layer on x, and "
            "return what it gives back.",
        )
    if not is_symbolic(outputs):
        raise Stopped(
            WRONG_TYPE,
            f"The result is {describe(outputs)}; one tensor is expected, as Keras layers give it "
            f"back when they are called on x.{from_keras_3(outputs)}",
        )
    try:
        return tf_keras.Model(inputs, outputs)
    except ValueError as error:
        raise Stopped(WRONG_VALUE, "The result does not depend on x.") from error


@contextlib.contextmanager
def refusing_keras_3() -> Iterator[None]:
    """Stop where a layer of Keras 3 is called: it may run, but its weights are lost to the model."""
    keras = sys.modules.get("keras")
    layer = getattr(getattr(keras, "layers", None), "Layer", None)
    if layer is None:
        yield
        return

    def refuse(self: Any, *_: Any, **__: Any) -> None:
        raise Stopped(WRONG_TYPE, f"Your code calls {describe(self)}.{from_keras_3(self)}")

    own = layer.__call__
    layer.__call__ = refuse
    try:
        yield
    finally:
        layer.__call__ = own


def is_symbolic(value: Any) -> bool:
    return tf.is_tensor(value) and tf_keras.backend.is_keras_tensor(value)


def assign_by_role(
    model: tf_keras.Model, values: Mapping[str, np.ndarray]
) -> tuple[dict[str, tf.Variable], dict[str, np.ndarray]]:
    """Give the model its weights; return them by name, and what was found.

    values: by name: those of ATTENTION, and gamma_1, beta_1, kernel_1, bias_1, gamma_2, …; other
    names are left alone. Found are, for each trainable weight in the model's order: its role, its
    shape, and whether there is a value for it; besides, the names whose weight the model lacks.
    """
    found = roles(model)
    wanted = {name: value for name, value in values.items() if role_of_name(name) in ROLES}
    assigned: dict[str, tf.Variable] = {}
    matched = []
    for variable, role in zip(model.trainable_weights, found, strict=True):
        name = _matching(wanted, assigned, variable, role)
        matched.append(name is not None)
        if name is not None:
            assigned[name] = variable
            variable.assign(tf.cast(_laid_out(wanted[name], variable.shape), variable.dtype))
    shapes = [([1, 1, 1] + [n for n in w.shape])[-3:] for w in model.trainable_weights]
    return assigned, {
        "roles": np.array(found, dtype=str),
        "shapes": np.array(shapes, dtype=int).reshape(-1, 3),
        "matched": np.array(matched, dtype=bool),
        "missing": np.array([name for name in wanted if name not in assigned], dtype=str),
    }


def role_of_name(name: str) -> str:
    """Return `kernel` for `kernel_2`, and `W_q` for itself."""
    return name if name in ATTENTION else name.rsplit("_", 1)[0]


def roles(model: tf_keras.Model) -> list[str]:
    """Return for each trainable weight what it is for: one of ROLES, or `other`."""
    attention = {
        variable.ref(): name
        for layer in model.submodules
        for name in ATTENTION
        if isinstance(variable := getattr(layer, name, None), tf.Variable)
    }
    found: list[str] = []
    for variable in model.trainable_weights:
        known = attention.get(variable.ref()) or _role_by_name(variable)
        found.append(known or _role_by_shape(variable, found[-1] if found else ""))
    return found


def _role_by_name(variable: tf.Variable) -> str | None:
    *path, name = variable.name.split(":")[0].split("/")
    if name in ATTENTION or name in ("gamma", "beta"):
        return name
    if path and path[-1] in KERAS_NAMES:
        return KERAS_NAMES[path[-1]] if name == "kernel" else "attention bias"
    return None


def _role_by_shape(variable: tf.Variable, previous: str) -> str:
    """Return the role of a weight under any name: vectors follow the weight they belong to."""
    rank = len(_squeezed(variable.shape))
    if rank >= 2:
        return "kernel"
    if rank == 1 and previous == "kernel":
        return "bias"
    if rank == 1 and previous == "gamma":
        return "beta"
    if rank == 1 and bool(tf.reduce_all(variable == 1)):
        return "gamma"  # gains begin at one
    return "other"


def _matching(
    wanted: dict[str, np.ndarray], assigned: dict[str, tf.Variable], variable: tf.Variable, role: str
) -> str | None:
    """Return the first name of that role, not assigned yet, whose value fits the variable."""
    for name, value in wanted.items():
        free = name not in assigned and role_of_name(name) == role
        if free and _laid_out(value, variable.shape) is not None:
            return name
    return None


def _laid_out(value: np.ndarray, shape: tf.TensorShape) -> np.ndarray | None:
    """Return a weight of the course in the layout of a variable, or None where there is none.

    Dense and 1-wide Conv1D kernels differ by a leading 1; Keras' attention has its heads in
    second place, (d, h, p), and (h, p, d) for what the course stacks as (h·p, d).
    """
    heads_second = [np.moveaxis(value, 0, -2)] if value.ndim == 3 else []
    for layout in (value, value.T, *heads_second):
        if _squeezed(layout.shape) == _squeezed(shape):
            return layout.reshape(shape)
    heads_apart = len(shape) == 3 and value.shape == (shape[0] * shape[1], shape[2])
    return value.reshape(shape) if heads_apart else None


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape without leading ones."""
    shape = tuple(shape)
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def non_linearities(model: tf_keras.Model) -> np.ndarray:
    """Return what the non-linearities found in a model give on GRID, (number, len(GRID)).

    They are the activations of layers, and layers without weights that bend the grid; what is
    hidden inside a layer of the student's own is not found.
    """
    found: list[np.ndarray] = []
    for part in model.submodules:
        function = getattr(part, "activation", None)
        if not callable(function) and isinstance(part, tf_keras.layers.Layer):
            function = part if _acts_on_each_number(part) else None
        on_grid = _on_grid(function) if callable(function) else None
        if on_grid is not None and not any(np.allclose(on_grid, known) for known in found):
            found.append(on_grid)
    return np.array(found).reshape(-1, len(GRID))


def _acts_on_each_number(layer: tf_keras.layers.Layer) -> bool:
    several = (tf_keras.Model, tf_keras.layers.InputLayer, tf_keras.layers.Dropout)
    return not layer.weights and not isinstance(layer, several)


def _on_grid(function: Callable) -> np.ndarray | None:
    """Return the function's values on GRID, or None where it is no non-linearity of one number."""
    try:
        values = np.asarray(function(tf.constant(GRID, tf.float32)), np.float64)
    except Exception:
        return None
    if values.shape != GRID.shape or not np.all(np.isfinite(values)):
        return None
    bends = bool(np.abs(np.diff(values, n=2)).max() > 1e-3)
    return values if bends else None


def epsilons(model: tf_keras.Model) -> np.ndarray:
    """Return what the layer normalisations add to the variance, without repetition."""
    kind = tf_keras.layers.LayerNormalization
    return np.array(
        sorted({float(part.epsilon) for part in model.submodules if isinstance(part, kind)})
    )


def dropout_rates(model: tf_keras.Model) -> np.ndarray:
    """Return the rates of the dropout layers, without repetition."""
    kind = tf_keras.layers.Dropout
    return np.array(sorted({float(part.rate) for part in model.submodules if isinstance(part, kind)}))


def outputs(model: tf_keras.Model, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the output at inference, and whether a second call gives the same."""
    output, again = (as_array(model(x, training=False), "output") for _ in range(2))
    return {
        "output": output,
        "repeats": np.array(np.allclose(output, again, rtol=1e-4, atol=1e-5, equal_nan=True)),
    }

"""Build models of transformer parts, give them the weights of a case, and return what they do."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel.case import WRONG_TYPE, WRONG_VALUE, Case
from utilities.checks.kernel.observing import Stopped, as_array, describe, refuse_nothing

ATTENTION = ("W_q", "W_k", "W_v", "W_o")
KERAS_NAMES = {"query": "W_q", "key": "W_k", "value": "W_v", "attention_output": "W_o"}


def mlp(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the weights found, and the output at inference and in training."""
    arguments = (_units(case, "hidden_units"), case["dropout_rate"])
    model = build_model(case["x"].shape, lambda x: implementation(x, *arguments))
    _, found = assign_weights(model, case)
    values = {**found, **_outputs(model, case), **_gradients(model, case, "several layers")}
    if case.stage in ("training", "rate 0"):
        values["output_in_training"] = as_array(model(case["x"], training=True), "output")
    return values


def transformer_block(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the weights found, the outputs and, in the training stage, each update alone."""
    rate = () if case["dropout_rate"] is None else (case["dropout_rate"],)
    arguments = (case["num_heads"], case["proj_dim"], _units(case, "mlp_units"), *rate)
    model = build_model(case["x"].shape, lambda x: implementation(x, *arguments))
    assigned, found = assign_weights(model, case)
    values = {**found, **_outputs(model, case), **_gradients(model, case, "whole block")}
    if case.stage == "training" and not found["missing"].size:
        values |= _updates(model, assigned, case)
    return values


def build_model(shape: Sequence[int], build: Callable) -> tf_keras.Model:
    """Return the model from an input of that shape, batch left open, to what `build` makes."""
    inputs = tf_keras.Input(shape[1:])
    outputs = build(inputs)
    refuse_nothing(outputs, "result")
    if isinstance(outputs, tf_keras.layers.Layer):
        raise Stopped(
            WRONG_TYPE,
            f"The result is a {type(outputs).__name__} layer itself: call the layer on x, and "
            "return what it gives back.",
        )
    if not _is_symbolic(outputs):
        raise Stopped(
            WRONG_TYPE,
            f"The result is {describe(outputs)}; one tensor is expected, as Keras layers give it "
            "back when they are called on x.",
        )
    try:
        return tf_keras.Model(inputs, outputs)
    except ValueError as error:
        raise Stopped(WRONG_VALUE, "The result does not depend on x.") from error


def assign_weights(
    model: tf_keras.Model, case: Case
) -> tuple[dict[str, tf.Variable], dict[str, np.ndarray]]:
    """Give the model the weights of the case; return them by name, and what was found.

    Weights are told by what they are for, not by the names of layers. Found are, for each
    trainable weight in the model's order: its role, its shape, and whether the case has a value
    for it; besides, the names of the case's weights that the model lacks.
    """
    roles = _roles(model)
    wanted = {name: case[name] for name in case.inputs if _role_of_name(name) in ROLES}
    assigned: dict[str, tf.Variable] = {}
    matched = []
    for variable, role in zip(model.trainable_weights, roles, strict=True):
        name = _matching(wanted, assigned, variable, role)
        matched.append(name is not None)
        if name is not None:
            assigned[name] = variable
            variable.assign(tf.cast(_laid_out(wanted[name], variable.shape), variable.dtype))
    shapes = [([1, 1, 1] + [n for n in w.shape])[-3:] for w in model.trainable_weights]
    return assigned, {
        "roles": np.array(roles, dtype=str),
        "shapes": np.array(shapes, dtype=int).reshape(-1, 3),
        "matched": np.array(matched, dtype=bool),
        "missing": np.array([name for name in wanted if name not in assigned], dtype=str),
        "frozen": np.array(len(model.non_trainable_weights)),
    }


ROLES = (*ATTENTION, "gamma", "beta", "kernel", "bias")


def _role_of_name(name: str) -> str:
    """Return `kernel` for `kernel_2`, and `W_q` for itself."""
    return name if name in ATTENTION else name.rsplit("_", 1)[0]


def _roles(model: tf_keras.Model) -> list[str]:
    """Return for each trainable weight what it is for: one of ROLES, or `other`."""
    attention = {
        variable.ref(): name
        for layer in model.submodules
        for name in ATTENTION
        if isinstance(variable := getattr(layer, name, None), tf.Variable)
    }
    roles: list[str] = []
    for variable in model.trainable_weights:
        known = attention.get(variable.ref()) or _role_by_name(variable)
        roles.append(known or _role_by_shape(variable, roles[-1] if roles else ""))
    return roles


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
        free = name not in assigned and _role_of_name(name) == role
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


def _is_symbolic(value: Any) -> bool:
    return tf.is_tensor(value) and tf_keras.backend.is_keras_tensor(value)

"""Make layers of self-attention, give their projections a case's weights, return what they compute."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.checks.kernel import probes
from utilities.checks.kernel.case import WRONG_SHAPE, WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array, from_keras_3, refuse_nothing

PROJECTIONS = ("W_q", "W_k", "W_v", "W_o")
Seen = dict[str, np.ndarray]


def observed(implementation: Any, name: str, case: Case, names: Sequence[str] = PROJECTIONS) -> Seen:
    """Return what a layer that holds the case's weights makes of tokens; facts in "weights".

    names: the projections that it has to have; others get their weights where it has them.
    """
    x = tf.constant(case["x"])  # (B, N, d)
    layer = probes.new_layer(implementation, name, case["num_heads"], case["key_dim"])
    if case.stage == "config":
        layer = probes.made_anew(layer)
    call: Callable = layer
    if case.stage == "model":
        inputs = tf_keras.Input(x.shape[1:])
        outputs = layer(inputs)
        refuse_nothing(outputs, "output")
        call = tf_keras.Model(inputs, outputs)
    as_array(call(x), "output")  # makes the weights
    if case.stage == "weights":
        return _facts(layer, x, case, names)
    made = list(layer.weights)
    biased = _assign(layer, case, names)
    output = as_array(call(x), "output")
    kept = len(layer.weights) == len(made) and bool(np.all(probes.among(layer.weights, made)))
    return {
        "output": output,
        "biased": np.array(biased),
        "repeats": probes.same({"output": output}, {"output": as_array(call(x), "output")}),
        "made_once": np.array(kept),
    }


def _facts(layer: Any, x: tf.Tensor, case: Case, names: Sequence[str]) -> Seen:
    """Return what is used, trained, biased, reached and learns, for each projection."""
    parts = [_dense(layer, name) for name in names]
    made = list(layer.weights)
    layer(x)
    kept = len(layer.weights) == len(made) and bool(np.all(probes.among(layer.weights, made)))
    used = [part.kernel if part.built else None for part in parts]
    kernels = [kernel for kernel in used if kernel is not None]
    learns = probes.can_learn(lambda: layer(x), kernels)
    _assign(layer, case, names)
    reached = probes.gradient_reaches(lambda: layer(x), kernels)

    def of_all(facts: np.ndarray) -> np.ndarray:
        known = iter(facts)
        return np.array([kernel is not None and bool(next(known)) for kernel in used], bool)

    return {
        "made_once": np.array(kept),
        "trainable_count": probes.count(layer.trainable_weights),
        "trainable": of_all(probes.among(kernels, layer.trainable_weights)),
        "used": np.array([kernel is not None for kernel in used]),
        "biased": np.array([getattr(part, "use_bias", True) for part in parts]),
        "gradient_reaches": of_all(reached),
        "learns": of_all(learns),
        "freezes": probes.freezes(layer, lambda: layer(x)),
    }


def _assign(layer: Any, case: Case, names: Sequence[str]) -> list[bool]:
    """Give the layer's projections the weights of the case; return for all four whether biased.

    A projection that was never called has no weights yet, and one that is narrower than it should
    be gets the first columns.
    """
    biased = []
    for name in PROJECTIONS:
        if name not in names and not isinstance(getattr(layer, name, None), layers.Layer):
            biased.append(True)
            continue
        part = _dense(layer, name)
        bias = getattr(part, "bias", None)
        biased.append(bias is not None or not part.built)
        for variable, value in (
            (part.kernel if part.built else None, case[name]),
            (bias, case[f"{name}_bias"]),
        ):
            if variable is not None:
                variable.assign(tf.cast(_fitting(variable, value, name, case), variable.dtype))
    return biased


def _fitting(variable: tf.Variable, value: np.ndarray, name: str, case: Case) -> np.ndarray:
    """Return a weight's value as the layer lays it out, or stop where it has another size."""
    shape = tuple(variable.shape)
    if _ordered(shape, value.shape):
        return value.reshape(shape)
    if len(shape) == value.ndim and all(n <= m for n, m in zip(shape, value.shape, strict=True)):
        return value[tuple(slice(n) for n in shape)]
    part = "kernel" if value.ndim == 2 else "bias"
    raise Stopped(
        WRONG_SHAPE,
        f"The {part} of {name} has shape {shape}; {value.shape} is expected for tokens of width "
        f"{case['x'].shape[-1]}, num_heads = {case['num_heads']} and key_dim = {case['key_dim']}.",
    )


def _ordered(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Return whether a shape is the expected one, but for axes that were split in two."""
    lengths = list(shape)
    for length in expected:
        product = 1
        while lengths and product < length:
            product *= lengths.pop(0)
        if product != length:
            return False
    return all(length == 1 for length in lengths)


def _dense(layer: Any, name: str) -> Any:
    """Return the Dense layer of that name, or stop where there is none."""
    part = getattr(layer, name, None)
    if part is None:
        part = next((p for p in layer.submodules if getattr(p, "name", None) == name), None)
    if told := from_keras_3(part):
        raise Stopped(WRONG_TYPE, f"{name} is no layer of tf_keras.{told}")
    if isinstance(part, layers.Layer):
        return part
    known = sorted(n for n, p in vars(layer).items() if isinstance(p, layers.Layer) and n[0] != "_")
    raise Stopped(
        WRONG_TYPE,
        f"Your layer has no Dense layer {name}: keep it as self.{name}. Its layers: "
        f"{', '.join(known) or 'none'}.",
    )

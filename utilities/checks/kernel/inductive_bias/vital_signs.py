"""Make small models with the weights of a case and return the vital signs that are told of them."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.checks.kernel.case import WRONG_TYPE, Case
from utilities.checks.kernel.inductive_bias.protocol import SIGNS
from utilities.checks.kernel.observing import Stopped, as_array, describe, refuse_nothing


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the three numbers for the case's model, and what is left of the model afterwards."""
    model = _two_layers(case)
    before = model.get_weights()
    trainable = [part.trainable for part in model.submodules if isinstance(part, layers.Layer)]
    result = implementation(model, case["images"], case["labels"])
    numbers = _three(result)
    trained = [part.trainable for part in model.submodules if isinstance(part, layers.Layer)]
    kept = trained == trainable and all(map(np.array_equal, before, model.get_weights()))
    seen = {**numbers, "kept": np.array(kept), "in_an_array": np.array(not _several(result))}
    if case.stage == "dropout":
        model.set_weights(before)
        again = _three(implementation(model, case["images"], case["labels"]))
        seen["repeats"] = np.array(
            all(np.array_equal(numbers[n], again[n], equal_nan=True) for n in SIGNS)
        )
    return seen


def _two_layers(case: Case) -> tf_keras.Model:
    """Return a model of two Dense layers: ReLU between them, dropout before the last in its stage."""
    hidden, num_classes = case["kernel_2"].shape
    first = layers.Dense(hidden, activation="relu", trainable=case.stage != "frozen")
    last = layers.Dense(num_classes)
    inputs = tf_keras.Input(case["images"].shape[1:])
    x = first(layers.Flatten()(inputs))
    if case.stage == "dropout":
        x = layers.Dropout(0.5)(x)
    model = tf_keras.Model(inputs, last(x))
    first.set_weights([case["kernel_1"], case["bias_1"]])
    last.set_weights([case["kernel_2"], case["bias_2"]])
    return model


def _several(result: Any) -> bool:
    return isinstance(result, (tuple, list))


def _three(result: Any) -> dict[str, np.ndarray]:
    """Return the three numbers by name, or stop where something else came."""
    refuse_nothing(result, "result")
    in_a_row = isinstance(result, (np.ndarray, tf.Tensor)) and result.shape == (3,)
    if not (_several(result) and len(result) == 3 or in_a_row):
        came = f"{len(result)} values" if _several(result) else describe(result)
        raise Stopped(
            WRONG_TYPE, f"Return three numbers, (loss, spread, gradient_norm); you return {came}."
        )
    named = zip(SIGNS, result, strict=True)
    return {name: _number(value, name.replace("_", " ")) for name, value in named}


def _number(value: Any, name: str) -> np.ndarray:
    array = as_array(value, name, tensor=False)
    return array.reshape(()) if array.size == 1 else array

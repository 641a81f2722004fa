"""Call patch layers and classifiers and return what they compute."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.case import WRONG_TYPE, Case
from utilities.checks.observing import Stopped, as_array, describe

ENCODER_WEIGHTS = ("kernel", "bias", "class_token", "positions")


def patch_extractor(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the patches; in the functional stage from a model, with the static shape."""
    images = tf.constant(case["images"])  # (B, H, W, C)
    patches = as_array(implementation(case["patch_size"])(images), "output")
    if case.stage != "functional":
        return {"output": patches}
    inputs = tf_keras.Input(images.shape[1:])
    outputs = implementation(case["patch_size"])(inputs)
    model = tf_keras.Model(inputs, outputs)
    return {
        "output": as_array(model(images), "output"),
        "output_of_one": as_array(model(images[:1]), "output"),
        "static_shape": np.array([-1 if n is None else n for n in outputs.shape[1:]]),
    }


def patch_encoder(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the tokens of an encoder that holds the case's weights, and facts about these."""
    patches = tf.constant(case["patches"])  # (B, N, p)
    encoder = implementation(case["num_patches"], case["proj_dim"])
    as_array(encoder(patches), "output")  # builds the weights
    if case.stage == "functional":
        encoder = _functional_model(implementation(case["num_patches"], case["proj_dim"]), patches)
    found = _encoder_weights(encoder, case)
    for name, variable in found.items():
        variable.assign(np.resize(case[name], variable.shape))
    with tf.GradientTape() as tape:
        tokens = encoder(patches)
        loss = tf.reduce_sum((tf.cast(tokens, tf.float32) + 1.0) ** 2)  # tokens may be zero
    gradients = dict(zip(found, tape.gradient(loss, list(found.values())), strict=True))
    trainable = {id(variable) for variable in encoder.trainable_weights}
    return {
        **{name: _like(case[name], variable) for name, variable in found.items()},
        "output": as_array(tokens, "output"),
        "output_again": as_array(encoder(patches), "output"),
        "output_of_one": as_array(encoder(patches[:1]), "output"),
        "found": np.array([name in found for name in ENCODER_WEIGHTS]),
        "trained": np.array(
            [
                name in found and id(found[name]) in trainable and _reaches(gradients[name])
                for name in ENCODER_WEIGHTS
            ]
        ),
        "trainable_count": np.array(sum(int(tf.size(w)) for w in encoder.trainable_weights)),
    }


def _functional_model(layer: Any, example: tf.Tensor) -> tf_keras.Model:
    inputs = tf_keras.Input(example.shape[1:])
    return tf_keras.Model(inputs, layer(inputs))


def _encoder_weights(encoder: Any, case: Case) -> dict[str, tf.Variable]:
    """Return the encoder's weights by their role, wherever in it they live."""
    if not hasattr(encoder, "weights"):
        raise Stopped(
            WRONG_TYPE, f"PatchEncoder(…) is {describe(encoder)}; a Keras layer is expected."
        )
    found: dict[str, tf.Variable] = {}
    for variable in encoder.weights:
        role = _encoder_role(variable, case)
        if role is not None:
            found.setdefault(role, variable)
    return found


def _encoder_role(variable: tf.Variable, case: Case) -> str | None:
    """Return the role that name and shape of a weight speak for; axes of length 1 do not count."""
    values, proj_dim = case["kernel"].shape
    shape = tuple(length for length in variable.shape if length != 1)
    if shape == (proj_dim,):
        is_token = len(variable.shape) > 1 or "class_token" in variable.name
        return "class_token" if is_token else "bias"
    if shape == (values, proj_dim):
        return "kernel"
    return "positions" if len(shape) == 2 and shape[1] == proj_dim else None


def _like(expected: np.ndarray, variable: tf.Variable) -> np.ndarray:
    """Return the variable's values, in the contract's shape where their number allows it."""
    values = as_array(variable, "weight")
    return values.reshape(expected.shape) if values.size == expected.size else np.squeeze(values)


def _reaches(gradient: Any) -> bool:
    return gradient is not None and bool(tf.reduce_any(tf.convert_to_tensor(gradient) != 0))

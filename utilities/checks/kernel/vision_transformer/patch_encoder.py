"""Give an encoder of patches its weights, and return the tokens that it makes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel import probes
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_array
from utilities.checks.kernel.shared import ENCODER_WEIGHTS as WEIGHTS


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the tokens of an encoder that holds the case's weights, and facts about these.

    `first_…` are the values that a weight had when it was made.
    """
    patches = tf.constant(case["patches"])  # (B, N, p)
    encoder = probes.new_layer(implementation, "PatchEncoder", case["num_patches"], case["proj_dim"])
    probes.refuse_keras_3(encoder)
    call = probes.functional_model(encoder, [patches]) if case.stage == "model" else encoder
    as_array(call(patches), "output")  # builds the weights
    made = list(encoder.weights)
    found = _weights(encoder, case)
    first = {f"first_{name}": as_array(variable, "weight") for name, variable in found.items()}
    for name, variable in found.items():
        variable.assign(tf.cast(np.resize(case[name], variable.shape), variable.dtype))
    tokens, again = (as_array(call(patches), "output") for _ in range(2))
    return {
        **first,
        "output": tokens,
        "output_of_one": as_array(call(patches[:1]), "output"),
        "repeats": np.array(np.allclose(tokens, again, atol=1e-6, equal_nan=True)),
        "same_in_training": probes.alike(tokens, call(patches, training=True)),
        "token_named": np.array(_is_named(encoder, found.get("class_token"))),
        "made_once": np.array(len(encoder.weights) == len(made)),
        **_facts(encoder, found, patches),
    }


def _facts(encoder: Any, found: Mapping[str, tf.Variable], patches: tf.Tensor) -> dict[str, np.ndarray]:
    """Return which weights there are, which are trained and reached, and how many numbers they hold."""
    variables = list(found.values())
    reached = probes.gradient_reaches(lambda: (encoder(patches) + 1.0) ** 2, variables)
    trained = probes.among(variables, encoder.trainable_weights) & reached
    facts = dict(zip(found, trained, strict=True))
    return {
        "found": np.array([name in found for name in WEIGHTS]),
        "trained": np.array([bool(facts.get(name, False)) for name in WEIGHTS]),
        "trainable_count": probes.count(encoder.trainable_weights),
        "freezes": probes.freezes(encoder, lambda: encoder(patches)),
    }


def _is_named(encoder: Any, token: tf.Variable | None) -> bool:
    """Return whether the class token, if there is one, is found under its name."""
    if token is None:
        return True
    return getattr(encoder, "class_token", None) is token or probes.own_name(token) == "class_token"


def _weights(encoder: tf_keras.layers.Layer, case: Case) -> dict[str, tf.Variable]:
    """Return the encoder's weights by their role, wherever in it they live."""
    found: dict[str, tf.Variable] = {}
    for variable in encoder.weights:
        role = _role(variable, case)
        if role is not None:
            found.setdefault(role, variable)
    return found


def _role(variable: tf.Variable, case: Case) -> str | None:
    """Return the role that name and shape of a weight speak for; axes of length 1 do not count."""
    values, proj_dim = case["kernel"].shape
    shape = tuple(length for length in variable.shape if length != 1)
    if shape == (proj_dim,):
        is_token = len(variable.shape) > 1 or probes.own_name(variable).startswith("class_token")
        return "class_token" if is_token else "bias"
    if shape == (values, proj_dim):
        return "kernel"
    return "positions" if len(shape) == 2 and shape[1] == proj_dim else None

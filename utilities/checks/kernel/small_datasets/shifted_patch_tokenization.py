"""Make shifted patch tokenization, give it the weights of a case, and return its tokens."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel import probes
from utilities.checks.kernel.case import RAISED, Case
from utilities.checks.kernel.observing import Stopped, as_array

Seen = dict[str, np.ndarray]


def observe(implementation: Any, case: Case) -> Seen:
    """Return what a token is made from, and the tokens made with the weights of the case.

    normalised_patches (B, N, F): from a second layer, whose projection is made the identity; so the
    values come out in whatever order the layer has them. output (B, N, d): the tokens.
    """
    images = tf.constant(case["images"])  # (B, H, W, C)
    probe = _tokenizer(implementation, case, case["kernel"].shape[0])
    _tokens(probe(images))  # builds the weights
    _make_identity(probe)
    layer = _tokenizer(implementation, case, case["proj_dim"])
    if case.stage == "config":
        layer = probes.made_anew(layer)
    call = probes.functional_model(layer, [images]) if case.stage == "functional" else layer
    first = images[:, case["patch_size"] :] if case.stage == "sizes" else images
    alone = not isinstance(call(first), (tuple, list))
    made = list(layer.weights)
    facts = _facts(layer, images) if case.stage == "weights" else {}
    _assign(layer, case)
    if case.stage == "weights":
        reached = probes.gradient_reaches(lambda: _first(layer(images)), layer.trainable_weights)
        facts["gradient_reaches"] = reached
    output = _again(call, images) if case.stage == "sizes" else _tokens(call(images))
    kept = len(layer.weights) == len(made) and bool(np.all(probes.among(layer.weights, made)))
    return {
        "normalised_patches": _tokens(probe(images)),
        "output": output,
        "repeats": np.array(np.array_equal(output, _tokens(call(images)), equal_nan=True)),
        "made_once": np.array(kept and bool(made)),
        "alone": np.array(alone),
        **facts,
    }


def _tokenizer(implementation: Any, case: Case, proj_dim: int) -> tf_keras.layers.Layer:
    sizes = (case["patch_size"], proj_dim)
    return probes.new_layer(implementation, "ShiftedPatchTokenization", *sizes)


def _first(result: Any) -> Any:
    """Return the tokens, also where more is returned beside them."""
    return result[0] if isinstance(result, (tuple, list)) and result else result


def _tokens(result: Any) -> np.ndarray:
    return as_array(_first(result), "output")


def _again(call: Any, images: tf.Tensor) -> np.ndarray:
    """Return the tokens of images of another size than the layer was first called with."""
    try:
        return _tokens(call(images))
    except Stopped:
        raise
    except Exception as error:
        raise Stopped(
            RAISED,
            f"Called first with lower images, the layer stops with {type(error).__name__} at "
            f"{images.shape[1]}×{images.shape[2]} pixels. Read the sizes from the images of each call.",
            "image size fixed",
        ) from None


def _facts(layer: Any, images: tf.Tensor) -> Seen:
    """Return what is trained, what can learn, and what a layer makes of being frozen."""
    trained = list(layer.trainable_weights)
    return {
        "parameter_count": probes.count(trained),
        "freezes": probes.freezes(layer, lambda: _first(layer(images))),
        "learns": probes.can_learn(lambda: _first(layer(images)), trained),
    }


def _make_identity(layer: tf_keras.layers.Layer) -> None:
    """Make the projection the identity and its bias 0; the normalisation is left as it is made."""
    for variable in layer.trainable_weights:
        if _is_kernel(variable):
            rows, columns = _rows(variable), variable.shape[-1]
            variable.assign(np.eye(rows, columns).reshape(variable.shape))
        elif not _is_gain(variable):
            variable.assign(tf.zeros_like(variable))


def _assign(layer: tf_keras.layers.Layer, case: Case) -> None:
    """Give the layer's weights the values of the case, cut or repeated where their shape differs."""
    for variable in layer.trainable_weights:
        if _is_kernel(variable):
            name = "kernel"
        elif _is_gain(variable):
            name = "gamma"
        else:
            name = "bias" if variable.shape[-1:] == (case["proj_dim"],) else "beta"
        variable.assign(np.resize(case[name], variable.shape))


def _is_kernel(variable: tf.Variable) -> bool:
    return len(variable.shape) > 1 and _rows(variable) > 1


def _is_gain(variable: tf.Variable) -> bool:
    """Return whether the weight is the gain of a normalisation, which starts as ones."""
    return len(variable.shape) < 2 and bool(tf.reduce_all(variable == 1))


def _rows(variable: tf.Variable) -> int:
    """Return how many numbers go into one output of a kernel."""
    return int(np.prod(variable.shape[:-1]))

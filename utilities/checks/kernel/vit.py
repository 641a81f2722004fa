"""Observe a Vision Transformer with known weights: what both labs' checks of such models share."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.checks.kernel import known, models, probes
from utilities.checks.kernel.case import WRONG_TYPE, Case
from utilities.checks.kernel.observing import (
    Stopped,
    as_array,
    describe,
    from_keras_3,
    refuse_nothing,
)

Seen = dict[str, np.ndarray]
FACTOR = 3.0  # by which the weights of the last layer grow


def made(create: Callable[[], Any], images: np.ndarray) -> tf_keras.Model:
    """Return the model that a student's function makes, its weights made, or stop and say what came."""
    with models.refusing_keras_3():
        model = create()
    refuse_nothing(model, "result")
    if not isinstance(model, tf_keras.Model):
        raise Stopped(
            WRONG_TYPE,
            f"The result is {describe(model)}; a tf_keras.Model is expected, from the images to "
            f"the logits.{from_keras_3(model)}",
        )
    as_array(model(tf.constant(images)), "output")
    return model


def observe(model: tf_keras.Model, case: Case, assign: Callable[[], None]) -> Seen:
    """Return what a model makes of the case's images once its weights are assigned, and facts.

    Where the inner tensors can be seen, also the tokens before the first block and after the last.
    """
    images = tf.constant(case["images"])  # (B, H, W, C)
    learns = _learning(model, images) if case.stage == "one block" else np.array([], str)
    assign()
    weights = model.trainable_weights
    pieces = _pieces(model, images, case["embedding_proj_dim"])
    output = pieces["output"]
    seen = {
        **pieces,
        "repeats": np.array(np.array_equal(output, as_array(model(images), "output"), equal_nan=True)),
        "parameter_count": probes.count(weights),
        "epsilons": models.epsilons(model),
        "non_linearities": models.non_linearities(model),
        "cannot_learn": learns,
    }
    if case.stage == "blocks":
        reached = probes.gradient_reaches(lambda: model(images, training=False), weights)
        seen["without_gradient"] = _names(weights, ~reached)
        seen["output_in_training"] = as_array(model(images, training=True), "output")
    else:
        with _dropouts() as acted:
            in_training = as_array(model(images, training=True), "output")
        seen["dropouts"] = np.array(acted, float).reshape(-1, 3)
        seen["drops"] = np.array(not np.array_equal(in_training, output))
    return seen


def assign_by_shape(model: tf_keras.Model, seed: int, special: Callable[[tf.Variable], Any]) -> None:
    """Give each trained weight the numbers of its shape; gains of normalisations stay 1.

    special: variable → its own numbers, or None. A convolution is a kernel on the pixels of a patch.
    """
    for variable in model.trainable_weights:
        numbers = special(variable)
        if numbers is None:
            numbers = _of_shape(seed, tuple(variable.shape))
            if is_gain(variable):
                continue
        variable.assign(np.reshape(numbers, variable.shape))


def _of_shape(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 4:
        shape = (int(np.prod(shape[:3])), shape[3])
    return known.weight(seed, *(n for n in shape if n != 1))


def is_gain(variable: tf.Variable) -> bool:
    """Return whether a weight is the gain of a normalisation: one axis, made of ones."""
    return len(variable.shape) == 1 and bool(tf.reduce_all(variable == 1))


def _pieces(model: tf_keras.Model, images: tf.Tensor, width: int) -> Seen:
    """Return the output and, from the same call, the tokens before the first block and the last ones.

    Where these cannot be seen, the output stands for them.
    """
    names = ("encoding", "last_tokens", "output")
    before, last = _token_tensors(model, width)
    if before is None or last is None:
        output = as_array(model(images), "output")
        return {**dict.fromkeys(names, output), "in_pieces": np.array(False)}
    found = tf_keras.Model(model.inputs, [before, last, model.outputs[0]])(images)
    seen = {name: np.asarray(value) for name, value in zip(names, found, strict=True)}
    return {**seen, "in_pieces": np.array(True)}


def _token_tensors(model: tf_keras.Model, width: int) -> tuple[Any, Any]:
    """Return the last symbolic tensors of all tokens, (B, n, d): before any block, and of all."""
    inner = known.inner_tensors(model)
    rows = {tensor.shape[1] or 0 for _, _, tensor in inner if _is_sequence(tensor, width)}
    before, last, in_blocks = None, None, False
    for layer, inputs, tensor in inner:
        shape = (max(rows, default=0), width)
        reads_tokens = any(tuple(x.shape[1:]) == shape for x in inputs)
        makes_tokens = tuple(tensor.shape[1:]) == shape
        if not in_blocks and not reads_tokens and _holds_a_block(layer):
            return None, None  # encoding and blocks in one: what lies between cannot be seen
        if reads_tokens and not makes_tokens and _holds_a_block(layer):
            return None, None  # the last normalisation or a block in one with the head
        in_blocks = in_blocks or (reads_tokens and _is_no_table(layer, shape))
        if makes_tokens:
            last = tensor
            before = before if in_blocks else tensor
    return before, last


def _is_sequence(tensor: Any, width: int) -> bool:
    return len(tensor.shape) == 3 and tensor.shape[1] != 1 and tensor.shape[2] == width


def _is_no_table(layer: layers.Layer, shape: tuple[int, int]) -> bool:
    """Return whether a layer that reads tokens has weights, other than a table of positions."""
    sizes = {tuple(n for n in weight.shape if n != 1) for weight in layer.weights}
    return bool(sizes - {shape})


def _holds_a_block(layer: layers.Layer) -> bool:
    """Return whether a layer has a normalisation or attention in it."""
    of_heads = [w for w in layer.weights if len(w.shape) == 3 and w.shape[0] != 1]
    return bool(of_heads) or any(probes.own_name(w) == "gamma" for w in layer.weights)


def _learning(model: tf_keras.Model, images: tf.Tensor) -> np.ndarray:
    """Return the names of the weights that the model's own initial values keep from learning."""
    weights = model.trainable_weights
    return _names(weights, ~probes.can_learn(lambda: model(images, training=False), weights))


def _names(weights: Sequence[tf.Variable], which: np.ndarray) -> np.ndarray:
    return np.array([w.name for w, chosen in zip(weights, which, strict=True) if chosen], dtype=str)


@contextlib.contextmanager
def _dropouts() -> Iterator[list[tuple[float, float, float]]]:
    """Record where Keras' dropout acts: rows and width of what it drops from, and its rate."""
    acted: list[tuple[float, float, float]] = []
    original = layers.Dropout.call

    def call(self: Any, inputs: tf.Tensor, training: Any = None) -> tf.Tensor:
        switch = tf_keras.backend.learning_phase() if training is None else training
        if float(self.rate) > 0 and bool(switch):
            rows = inputs.shape[1] if len(inputs.shape) > 2 else 1
            acted.append((float(rows), float(inputs.shape[-1]), float(self.rate)))
        return original(self, inputs, training=training)

    layers.Dropout.call = call
    try:
        yield acted
    finally:
        layers.Dropout.call = original

"""Call attention variants, the constraint and the ViT, and return what they compute."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.checks.kernel.case import WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array, describe, refuse_nothing
from utilities.profile import PreNormViTSize

Seen = dict[str, np.ndarray]








# --- the Vision Transformer ------------------------------------------------------------------


class Mixing(layers.Layer):
    """A stand-in for attention: each token becomes a fixed mixture of all, times a trained gain."""

    def __init__(self, mixing: np.ndarray):
        super().__init__()
        self.mixing = tf.constant(mixing)  # (N, N)
        self.gain = self.add_weight("gain", (1, 1, 1), initializer="ones")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.gain * tf.einsum("mn,bnd->bmd", self.mixing, x)  # (B, N, d)


class DoubleAndMirror(layers.Layer):
    """An augmentation without chance: images twice as large, and in training mirrored as well."""

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        doubled = tf.repeat(tf.repeat(images, 2, axis=1), 2, axis=2)  # (B, 2·H, 2·W, C)
        mirror = tf.cast(bool(training) if training is None else training, tf.bool)
        return tf.cond(mirror, lambda: tf.reverse(doubled, axis=[2]), lambda: doubled)


def attention_vit(implementation: Any, case: Case) -> Seen:
    """Return what a model with the case's weights makes of images, and facts about it."""
    made: list[Mixing] = []

    def make_attention() -> Mixing:
        made.append(Mixing(case["mixing"]))
        return made[-1]

    model = _vit(implementation, case, make_attention)
    images = tf.constant(case["images"])  # (B, H, W, C)
    _assign_by_shape(model, made, case)
    output = as_array(model(images), "output")
    with tf.GradientTape() as tape:
        loss = _uneven_sum(model(images, training=False))
    weights = model.trainable_weights
    gradients = tape.gradient(loss, weights)
    seen = {
        "output": output,
        "again": as_array(model(images), "output"),
        "in_training": as_array(model(images, training=True), "output"),
        "parameter_count": np.array(sum(int(tf.size(w)) for w in weights)),
        "attentions_made": np.array(len(made)),
        "without_gradient": np.array(
            [w.name for w, g in zip(weights, gradients, strict=True) if not _reaches(g)], dtype=str
        ),
        "epsilons": np.array(_epsilons(model), dtype=float),
    }
    for variable in weights:
        if variable.shape[-1] == case["num_classes"]:
            variable.assign(3.0 * variable)
    return {**seen, "output_of_scaled": as_array(model(images), "output")}


def _vit(implementation: Any, case: Case, make_attention: Callable) -> tf_keras.Model:
    size = PreNormViTSize(
        image_size=case["image_size"],
        patch_size=case["patch_size"],
        embedding_proj_dim=case["embedding_proj_dim"],
        num_heads=1,
        transformer_layers=case["transformer_layers"],
        mlp_units=tuple(int(n) for n in case["mlp_units"]),
        head_units=tuple(int(n) for n in case["head_units"]),
        dropout_rate=case["dropout_rate"],
        head_dropout_rate=case["head_dropout_rate"],
    )
    augmented = {"data_augmentation": DoubleAndMirror()} if case.stage == "blocks" else {}
    model = implementation(
        input_shape=case["images"].shape[1:],
        num_classes=case["num_classes"],
        size=size,
        make_attention=make_attention,
        **augmented,
    )
    refuse_nothing(model, "result")
    if not isinstance(model, tf_keras.Model):
        raise Stopped(
            WRONG_TYPE,
            f"The result is {describe(model)}; a tf_keras.Model is expected, from the images to "
            "the logits.",
        )
    if not model.built:
        model(tf.constant(case["images"]))
    return model


def _assign_by_shape(model: tf_keras.Model, made: list[Mixing], case: Case) -> None:
    """Give the model's weights the case's values, told by their shape; other shapes get any."""
    parts = (
        "patch_kernel",
        "positions",
        "bias_",
        "mlp_kernel_",
        "mlp_bias_",
        "head_kernel_",
        "head_bias_",
    )
    values = {case[n].shape: case[n] for n in case.inputs if n.startswith(parts)}
    side, width = case["patch_size"], case["embedding_proj_dim"]
    values[(side, side, case["images"].shape[-1], width)] = case["patch_kernel"]  # a convolution
    values = {tuple(n for n in shape if n != 1): value for shape, value in values.items()}
    attentions = {id(attention.gain) for attention in made}
    for variable in model.trainable_weights:
        shape = tuple(length for length in variable.shape if length != 1)
        gain = len(shape) == 1 and bool(tf.reduce_all(variable == 1))  # of a normalisation: stays 1
        if id(variable) not in attentions and not gain:
            value = values.get(shape, case["patch_kernel"])
            variable.assign(np.resize(value, variable.shape))


def _epsilons(model: tf_keras.Model) -> list[float]:
    """Return what the model's layer normalisations add to the variance, without repetition."""
    norms = (part for part in model.submodules if isinstance(part, layers.LayerNormalization))
    return sorted({float(norm.epsilon) for norm in norms})


# --- common ----------------------------------------------------------------------------------


def _uneven_sum(x: Any) -> tf.Tensor:
    """Return the squares' sum with different factors, so that no part cancels another."""
    refuse_nothing(x, "output")
    squares = tf.reshape(tf.square(tf.cast(x, tf.float32)), (-1,))
    return tf.reduce_sum(squares * tf.range(1.0, 1.0 + tf.cast(tf.size(squares), tf.float32)))


def _reaches(gradient: Any) -> bool:
    return gradient is not None and bool(np.any(tf.convert_to_tensor(gradient) != 0))

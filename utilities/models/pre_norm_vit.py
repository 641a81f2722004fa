"""The Vision Transformer of the extension labs: pre-norm blocks, all tokens read by the head.

The labs exchange its parts (tokens, attention, positions) and compare what each brings.
Source: K. Salama, "Image classification with Vision Transformer", Keras examples, 2021, after
Dosovitskiy et al. 2021, arXiv 2010.11929.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.models.sizes import PreNormViTSize

Layer = Callable[[tf.Tensor], tf.Tensor]

NAME = "pre_norm_vit"  # of the kit's models, by which a check knows them from a student's own


def create_pre_norm_vit(
    input_shape: tuple[int, int, int],
    num_classes: int,
    size: PreNormViTSize,
    tokenize: Layer,
    make_attention: Callable[[], Layer],
    data_augmentation: Layer | None = None,
    make_pooling: Callable[[], Layer] = layers.Flatten,
) -> tf_keras.Model:
    """Return a model from images (B, H, W, C) to logits (B, num_classes).

    Args:
        input_shape: (H, W, C) of an image before augmentation.
        num_classes: length of the logits.
        size: widths, depth and dropout.
        tokenize: from augmented images to tokens with their positions, (B, N, d).
        make_attention: called once a block; what it returns maps tokens (B, N, d) to (B, N, d).
        data_augmentation: put before the tokens, resizing included.
        make_pooling: what it returns maps the last tokens (B, N, d) to one vector an image, (B, …).
    """
    inputs = layers.Input(shape=input_shape)
    images = inputs if data_augmentation is None else data_augmentation(inputs)
    x = tokenize(images)  # (B, N, d)
    for _ in range(size.transformer_layers):
        x = pre_norm_block(x, make_attention(), size.mlp_units, size.dropout_rate)
    x = layers.LayerNormalization(epsilon=1e-6)(x)
    x = layers.Dropout(size.head_dropout_rate)(make_pooling()(x))  # (B, N·d), or (B, d) if pooled
    x = feed_forward(x, size.head_units, size.head_dropout_rate)
    return tf_keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=NAME)


def pre_norm_block(
    x: tf.Tensor, attention: Layer, mlp_units: Sequence[int], dropout_rate: float
) -> tf.Tensor:
    """Map tokens (B, N, d) to (B, N, d): attention, then an MLP, each normalised first and added."""
    x = x + attention(layers.LayerNormalization(epsilon=1e-6)(x))
    return x + feed_forward(layers.LayerNormalization(epsilon=1e-6)(x), mlp_units, dropout_rate)


def feed_forward(x: tf.Tensor, hidden_units: Sequence[int], dropout_rate: float) -> tf.Tensor:
    """Apply Dense with GELU, then Dropout, once for each entry of `hidden_units`: (…, d) in."""
    for units in hidden_units:
        x = layers.Dense(units, activation=tf_keras.activations.gelu)(x)
        x = layers.Dropout(dropout_rate)(x)
    return x


def resize_and_augment(image_size: int, training_images: np.ndarray) -> tf_keras.Sequential:
    """Return what the Keras example does to images: standardise, resize, mirror, turn, zoom.

    The channels' means and variances are taken from `training_images` (n, H, W, C); a Normalization
    layer that never saw an image would leave pixels of 0 to 255 as they are. Mirroring, turning and
    zooming happen in training only.
    """
    normalization = layers.Normalization()
    normalization.adapt(training_images)
    return tf_keras.Sequential(
        [
            normalization,
            layers.Resizing(image_size, image_size),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(factor=0.02),
            layers.RandomZoom(height_factor=0.2, width_factor=0.2),
        ],
        name="resize_and_augment",
    )


class PatchProjection(layers.Layer):
    """Patches of an image, each multiplied by one matrix: images (B, H, W, C) to (B, N, width).

    The patches stand row by row. With `normalise` a LayerNormalization of the patch's values comes
    before the projection.
    """

    def __init__(self, patch_size: int, width: int, normalise: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.patch_size, self.width, self.normalise = patch_size, width, normalise
        self.norm = layers.LayerNormalization(epsilon=1e-6) if normalise else None
        self.projection = layers.Dense(width)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        side = [1, self.patch_size, self.patch_size, 1]
        cut = tf.image.extract_patches(images, side, side, [1, 1, 1, 1], "VALID")
        _, rows, columns, values = cut.shape
        patches = tf.reshape(cut, (-1, rows * columns, values))  # (B, N, P²·C)
        return self.projection(patches if self.norm is None else self.norm(patches))

    def get_config(self) -> dict:
        own = {"patch_size": self.patch_size, "width": self.width, "normalise": self.normalise}
        return {**super().get_config(), **own}


class PatchTokens(PatchProjection):
    """Projected patches plus a trainable position each: images (B, H, W, C) to tokens (B, N, width)."""

    def build(self, input_shape: tf.TensorShape) -> None:
        _, height, across, _ = input_shape
        self.num_patches = (height // self.patch_size) * (across // self.patch_size)
        self.positions = layers.Embedding(self.num_patches, self.width)
        super().build(input_shape)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return super().call(images) + self.positions(tf.range(self.num_patches))  # (B, N, d)

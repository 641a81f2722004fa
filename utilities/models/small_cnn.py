"""The model that the Vision Transformer is compared with."""

from __future__ import annotations

import tf_keras
from tf_keras import layers


def build_small_cnn(
    input_shape: tuple[int, int, int],
    num_classes: int,
    data_augmentation: tf_keras.Model | None = None,
    filters: int = 32,
) -> tf_keras.Model:
    """Return a small convolutional network, as a first course in deep learning ends with.

    Three 3x3 convolutions with ReLU, the first two followed by 2x2 max pooling, then a Dense
    layer of 64. On 32x32x3 images and 10 classes it has 122,570 parameters; with 88 filters it takes
    as many multiply-adds as the small Vision Transformer.

    Args:
        input_shape: (H, W, C), H and W at least 18, so that something is left after pooling.
        num_classes: length of the logits.
        data_augmentation: layers put before the network, as in `create_vit_classifier`.
        filters: of the first convolution; the other two have twice as many.

    Returns:
        A model from (B, H, W, C) to logits (B, num_classes).
    """
    height, width, _ = input_shape
    if min(height, width) < 18:
        raise ValueError(f"images of {height}x{width} are too small: 18x18 at least")
    inputs = x = layers.Input(shape=input_shape)
    if data_augmentation is not None:
        x = data_augmentation(x)
    x = layers.Conv2D(filters, 3, activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(2 * filters, 3, activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(2 * filters, 3, activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(64, activation="relu")(x)
    return tf_keras.Model(inputs, layers.Dense(num_classes)(x), name="small_cnn")

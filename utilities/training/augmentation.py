"""Images varied at random during training."""

from __future__ import annotations

import tf_keras
from tf_keras import layers

from utilities.models.sizes import CIFAR10_SHAPE


def crop_and_flip(pixels: int = 4) -> tf_keras.Sequential:
    """Return augmentation for training: each image shifted by up to `pixels`, half of them mirrored.

    Images of 32×32 pixels, (B, 32, 32, C) in and out; what is shifted in is 0, the mean colour of
    standardised images. At inference the images pass unchanged.
    """
    share = pixels / CIFAR10_SHAPE[0]
    return tf_keras.Sequential(
        [
            layers.RandomTranslation(share, share, fill_mode="constant", interpolation="nearest"),
            layers.RandomFlip("horizontal"),
        ],
        name="crop_and_flip",
    )


def report_augmentation() -> tf_keras.Sequential:
    """Return the augmentation of the project report's ResNet, images (B, H, W, C) in and out.

    Turned by up to 20°, shifted and zoomed by up to a fifth, mirrored; at inference unchanged. Its
    shear is left out: Keras has no layer for it.
    """
    return tf_keras.Sequential(
        [
            layers.RandomRotation(20 / 360, fill_mode="nearest"),
            layers.RandomTranslation(0.2, 0.2, fill_mode="nearest"),
            layers.RandomZoom(0.2, 0.2, fill_mode="nearest"),
            layers.RandomFlip("horizontal"),
        ],
        name="report_augmentation",
    )

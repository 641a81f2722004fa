"""Images varied at random during training, one by one or two of a batch mixed."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.models.sizes import CIFAR10_SHAPE

Mix = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


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


def mixup(images: tf.Tensor, labels: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Blend each image of a batch with its neighbour, and their labels in the same shares.

    Args:
        images: (B, H, W, C), in random order.
        labels: (B, K), each row a distribution over the classes.
        draws: the first of three numbers in [0, 1) is the share of the image itself. Evenly drawn, as
            in the paper's experiments on CIFAR (α = 1).

    Returns:
        Images (B, H, W, C) of floats and labels (B, K).
    Source: Zhang et al. 2018, arXiv 1710.09412.
    """
    images = tf.cast(images, tf.float32)
    return _blend(images, draws[0]), _blend(labels, draws[0])


def cutmix(images: tf.Tensor, labels: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Paste a box of its neighbour into each image of a batch; labels in the shares of the pixels.

    Args:
        images: (B, H, W, C), in random order.
        labels: (B, K), each row a distribution over the classes.
        draws: three numbers in [0, 1): the share of the image that stays if the box is whole, and
            the row and the column of the box's centre. What lies outside of the image is cut off.

    Returns:
        Images (B, H, W, C) of floats and labels (B, K).
    Source: Yun et al. 2019, arXiv 1905.04899.
    """
    images = tf.cast(images, tf.float32)
    _, height, width, _ = images.shape
    half_side = tf.sqrt(1 - draws[0]) / 2  # as a share of the image's
    down = tf.abs((tf.range(height, dtype=tf.float32) + 0.5) / height - draws[1]) < half_side  # (H,)
    across = tf.abs((tf.range(width, dtype=tf.float32) + 0.5) / width - draws[2]) < half_side  # (W,)
    stays = 1 - tf.cast(down[:, None] & across, tf.float32)[..., None]  # (H, W, 1)
    return _blend(images, stays), _blend(labels, tf.reduce_mean(stays))


def _blend(values: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Return values (B, …) times `share`, plus those of their neighbours in the batch for the rest."""
    return share * values + (1 - share) * tf.roll(values, 1, axis=0)


def mixed(batches: tf.data.Dataset, mix: Mix) -> tf.data.Dataset:
    """Return batches of images and soft labels (B, K), each mixed by new random numbers.

    The numbers come from a data set of their own: those that `map` draws are the same in each epoch.
    """
    seeds = tf.data.Dataset.random(rerandomize_each_iteration=True)

    def with_draws(batch: tuple[tf.Tensor, tf.Tensor], seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return mix(*batch, tf.random.stateless_uniform((3,), tf.stack([seed, 0])))

    return tf.data.Dataset.zip((batches, seeds)).map(with_draws)


def one_hot(batches: tf.data.Dataset, num_classes: int) -> tf.data.Dataset:
    """Return batches whose labels (B,) or (B, 1) are rows of 0 and a single 1, (B, num_classes)."""
    return batches.map(lambda x, y: (x, tf.one_hot(tf.reshape(y, (-1,)), num_classes)))

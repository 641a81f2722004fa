"""What makes a small ViT more of a CNN: a stem of convolutions, and tokens pooled to one vector."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras
from tf_keras import layers


class ConvolutionalStem(layers.Layer):
    """Strided 3×3 convolutions in place of the patches: images (B, H, W, C) to tokens (B, N, width).

    One convolution for each prime factor of `patch_size`, which is its stride, so that there are as
    many tokens as patches. Each is followed by BatchNormalization and ReLU and has twice the channels
    of the one before, the last `width`; a 1×1 convolution ends the stem.
    Source: Xiao et al. 2021, arXiv 2106.14881.
    """

    def __init__(self, patch_size: int, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.patch_size, self.width = patch_size, width
        strides = prime_factors(patch_size)
        steps: list[layers.Layer] = []
        for doublings, stride in zip(reversed(range(len(strides))), strides, strict=True):
            steps += [
                layers.Conv2D(width // 2**doublings, 3, stride, "same", use_bias=False),
                # Short runs: with Keras' 0.99 the means would still be those of the first epochs.
                layers.BatchNormalization(momentum=0.9),
                layers.ReLU(),
            ]
        self.convolutions = tf_keras.Sequential([*steps, layers.Conv2D(width, 1)])

    def call(self, images: tf.Tensor) -> tf.Tensor:
        x = self.convolutions(images)  # (B, rows, columns, d)
        _, rows, columns, width = x.shape
        return tf.reshape(x, (-1, rows * columns, width))  # (B, N, d)

    def get_config(self) -> dict:
        return {**super().get_config(), "patch_size": self.patch_size, "width": self.width}


class SequencePooling(layers.Layer):
    """The mean of the tokens, weighted by what a Dense layer thinks of each: (B, N, d) to (B, d).

    Source: Hassani et al. 2021, arXiv 2104.05704.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.score = layers.Dense(1)

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        weights = tf.nn.softmax(self.score(tokens), axis=1)  # (B, N, 1)
        return tf.reduce_sum(weights * tokens, axis=1)  # (B, d)


def prime_factors(number: int) -> list[int]:
    """Return the prime factors of a whole number above 1, the smallest first."""
    smallest = next(factor for factor in range(2, number + 1) if number % factor == 0)
    rest = number // smallest
    return [smallest, *(prime_factors(rest) if rest > 1 else [])]

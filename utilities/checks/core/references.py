"""Trusted earlier steps, put in place of a student's own for one observation.

They are made of Keras' own layers where there is one, so that they tell a reader nothing new.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras


def scaled_dot_product_attention(
    q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Attention through Keras' softmax layer, any leading dimensions; returns (output, weights)."""
    scores = float(q.shape[-1]) ** -0.5 * tf.matmul(q, k, transpose_b=True)  # (…, n_q, n_k)
    weights = tf_keras.layers.Softmax(dtype=scores.dtype)(scores, mask)
    return tf.matmul(weights, v), weights


class MultiHeadAttention(tf_keras.layers.Layer):
    """Keras' own multi-head attention under the course's interface; (B, n_q, proj_dim) out."""

    def __init__(
        self, num_heads: int, proj_dim: int, return_attention_weights: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.return_attention_weights = return_attention_weights
        self.attention = tf_keras.layers.MultiHeadAttention(
            num_heads, proj_dim, use_bias=False, output_shape=proj_dim
        )

    def call(
        self, q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        output, weights = self.attention(q, v, k, attention_mask=mask, return_attention_scores=True)
        return (output, weights) if self.return_attention_weights else output


def mlp(x: tf.Tensor, hidden_units: Sequence[int], dropout_rate: float) -> tf.Tensor:
    """Dense with GELU, then Dropout, for each entry; position-wise."""
    for units in hidden_units:
        x = tf_keras.layers.Dense(units, activation="gelu")(x)
        x = tf_keras.layers.Dropout(dropout_rate)(x)
    return x


def transformer_block(
    x: tf.Tensor, num_heads: int, proj_dim: int, mlp_units: Sequence[int], dropout_rate: float = 0.1
) -> tf.Tensor:
    """A post-norm block made of trusted attention and a trusted MLP."""
    attended = MultiHeadAttention(num_heads, proj_dim)(x, x, x)
    x = _add_and_normalise(x, attended, dropout_rate)
    return _add_and_normalise(x, mlp(x, mlp_units, dropout_rate), dropout_rate)


class PatchExtractor(tf_keras.layers.Layer):
    """TensorFlow's own patch extraction; (B, H, W, C) → (B, N, patch_size²·C)."""

    def __init__(self, patch_size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def call(self, images: tf.Tensor) -> tf.Tensor:
        size = [1, self.patch_size, self.patch_size, 1]
        patches = tf.image.extract_patches(images, size, size, [1, 1, 1, 1], "VALID")
        _, rows, columns, values = patches.shape
        return tf.reshape(patches, (-1, rows * columns, values))  # (B, N, patch_size²·C)


class PatchEncoder(tf_keras.layers.Layer):
    """Projection, class token first, positions added; (B, N, p) → (B, N + 1, d)."""

    def __init__(self, num_patches: int, proj_dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.projection = tf_keras.layers.Dense(proj_dim)
        self.positions = tf_keras.layers.Embedding(num_patches + 1, proj_dim)
        self.class_token = self.add_weight("class_token", (1, 1, proj_dim), initializer="zeros")
        self.num_patches = num_patches

    def call(self, patches: tf.Tensor) -> tf.Tensor:
        projected = self.projection(patches)
        class_token = tf.repeat(self.class_token, tf.shape(projected)[0], axis=0)  # (B, 1, d)
        tokens = tf.concat([class_token, projected], axis=1)  # (B, N + 1, d)
        return tokens + self.positions(tf.range(self.num_patches + 1))


class WarmUpCosine(tf_keras.optimizers.schedules.CosineDecay):
    """Keras' own cosine decay under the course's arguments; 0 after the last step."""

    def __init__(
        self,
        learning_rate_base: float,
        total_steps: int,
        warmup_learning_rate: float,
        warmup_steps: int,
    ):
        if total_steps < warmup_steps:
            raise ValueError("total_steps must not be smaller than warmup_steps")
        super().__init__(
            warmup_learning_rate if warmup_steps else learning_rate_base,
            max(total_steps - warmup_steps, 1),
            warmup_target=learning_rate_base if warmup_steps else None,
            warmup_steps=warmup_steps,
        )


def _add_and_normalise(x: tf.Tensor, update: tf.Tensor, dropout_rate: float) -> tf.Tensor:
    update = tf_keras.layers.Dropout(dropout_rate)(update)
    return tf_keras.layers.LayerNormalization(epsilon=1e-6)(tf_keras.layers.Add()([x, update]))

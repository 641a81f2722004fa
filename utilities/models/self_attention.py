"""Self-attention in several heads around any attention of queries, keys and values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras
from tf_keras import layers

Initializer = str | Callable[..., tf.Tensor]
Attend = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class SelfAttention(layers.Layer):
    """Tokens (B, N, d) that attend to each other in heads of their own; (B, N, d) out.

    Args:
        num_heads: number of heads.
        key_dim: width of the queries, keys and values in a head.
        attend: from q, k, v (B, h, N, key_dim) to (output, attention weights).
        kernel_constraint: put on the projections of queries, keys and values.
        kernel_initializer, output_initializer: of the three projections, (d, num_heads·key_dim), and
            of the one behind the heads, (num_heads·key_dim, d).
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        attend: Attend,
        kernel_constraint: tf_keras.constraints.Constraint | None = None,
        kernel_initializer: Initializer = "glorot_uniform",
        output_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads, self.key_dim, self.attend = num_heads, key_dim, attend
        self.output_initializer = output_initializer
        width = num_heads * key_dim
        self.W_q, self.W_k, self.W_v = (
            layers.Dense(
                width,
                name=name,
                kernel_constraint=kernel_constraint,
                kernel_initializer=kernel_initializer,
            )
            for name in ("W_q", "W_k", "W_v")
        )

    def build(self, input_shape: tf.TensorShape) -> None:
        self.W_o = layers.Dense(input_shape[-1], name="W_o", kernel_initializer=self.output_initializer)
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        q, k, v = (self._split(project(x)) for project in (self.W_q, self.W_k, self.W_v))
        output, _ = self.attend(q, k, v)  # (B, h, N, key_dim)
        _, h, N, key_dim = output.shape
        merged = tf.reshape(tf.transpose(output, [0, 2, 1, 3]), (-1, N, h * key_dim))  # (B, N, h·p)
        return self.W_o(merged)

    def _split(self, x: tf.Tensor) -> tf.Tensor:
        _, N, _ = x.shape
        heads = tf.reshape(x, (-1, N, self.num_heads, self.key_dim))  # (B, N, h, p)
        return tf.transpose(heads, [0, 2, 1, 3])  # (B, h, N, p)

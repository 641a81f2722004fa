"""Look inside a trained Vision Transformer that a student has written."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
import tf_keras


def attention_weights_of(model: tf_keras.Model, images: np.ndarray, block: int = -1) -> np.ndarray:
    """Return the attention weights (B, h, N + 1, N + 1) of one block for images (B, H, W, C).

    The block's `MultiHeadAttention` is made once more with the same weights, this time asked for
    its attention weights.

    Raises:
        ValueError: the model has no layer of the class `MultiHeadAttention`.
    """
    attentions = _layers_named(model, "MultiHeadAttention")
    if not attentions:
        raise ValueError("The model has no MultiHeadAttention layer among its layers.")
    attention = attentions[block]
    tokens = tf_keras.Model(model.inputs, attention.inbound_nodes[0].keras_inputs[0])(images)
    outspoken = type(attention)(attention.num_heads, attention.proj_dim, return_attention_weights=True)
    outspoken(tokens, tokens, tokens)  # creates the weights
    outspoken.set_weights(attention.get_weights())
    return outspoken(tokens, tokens, tokens)[1].numpy()


def position_embeddings_of(model: tf_keras.Model) -> np.ndarray:
    """Return the position embeddings (N + 1, d) of a model's `PatchEncoder`.

    Raises:
        ValueError: the model has no layer of the class `PatchEncoder`, or that has no weights of
            shape (num_patches + 1, proj_dim).
    """
    for encoder in _layers_named(model, "PatchEncoder"):
        num_patches, proj_dim = encoder.num_patches, encoder.proj_dim
        for weight in encoder.weights:
            if tuple(weight.shape) == (num_patches + 1, proj_dim):
                return tf.convert_to_tensor(weight).numpy()
    raise ValueError("The model has no PatchEncoder with position embeddings (N + 1, d).")


def without_patches(pixels: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """Return standardised images (B, C, H, W) whose first patches of an order are grey, that is 0.

    Args:
        pixels: (B, C, H, W), cut into a square grid of N patches, numbered row by row.
        order: (B, N), for each image its patches in the order in which they go.
        count: how many of them go.
    """
    num_patches = order.shape[1]
    side = math.isqrt(num_patches)
    kept = np.argsort(order, axis=1) >= count  # (B, N)
    grid = kept.reshape(-1, 1, side, side)  # (B, 1, side, side)
    patch = (1, 1, pixels.shape[2] // side, pixels.shape[3] // side)
    return pixels * np.kron(grid, np.ones(patch, pixels.dtype))  # (B, C, H, W)


def _layers_named(model: tf_keras.Model, name: str) -> list[tf_keras.layers.Layer]:
    return [layer for layer in model.layers if type(layer).__name__ == name]

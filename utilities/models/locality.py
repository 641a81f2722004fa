"""How far a Vision Transformer looks: attention weights, attention distances, temperatures."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras


def self_attention_weights_of(model: tf_keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the attention weights (L, B, h, N, N) of all L blocks for images (B, H, W, C).

    Every layer whose class is called `MultiHeadAttention…` counts; it is called once more on its own
    input and asked for its attention weights.

    Raises:
        ValueError: the model has no such layer.
    """
    attentions = _attentions(model)
    tokens = [attention.inbound_nodes[0].keras_inputs[0] for attention in attentions]
    inputs_of_blocks = tf_keras.Model(model.inputs, tokens)(images, training=False)
    if len(attentions) == 1:
        inputs_of_blocks = [inputs_of_blocks]
    weights = [
        attention(x, x, return_attention_scores=True)[1]  # (B, h, N, N)
        for attention, x in zip(attentions, inputs_of_blocks, strict=True)
    ]
    return np.stack(weights)


def attention_distances(weights: np.ndarray, grid: int, patch_size: int) -> np.ndarray:
    """Return the mean attention distance (L, h), in pixels, of attention weights (L, B, h, N, N).

    The distance between the centres of the query's patch and of the attended patch, weighted by
    attention, and averaged over images and queries. `grid`: patches in a row of the image, N = grid².
    Source: Dosovitskiy et al. 2021, arXiv 2010.11929, figure 7; Raghu et al. 2021, arXiv 2108.08810.
    """
    if weights.shape[-2:] != (grid**2, grid**2):
        raise ValueError(f"weights have shape {weights.shape}; expected (…, {grid**2}, {grid**2}).")
    expected = (weights * _patch_distances(grid, patch_size)).sum(axis=-1)  # (L, B, h, N)
    return expected.mean(axis=(1, 3))


def uniform_attention_distance(grid: int, patch_size: int) -> float:
    """Return the attention distance, in pixels, of a token that attends to all patches alike."""
    return float(_patch_distances(grid, patch_size).mean())


def temperature_weights_of(model: tf_keras.Model) -> list[tf.Variable]:
    """Return the weights, (1,) or (h, 1, 1), that are a model's temperatures in its LSA layers.

    In each of them the temperature is the smallest of the trained weights.

    Raises:
        ValueError: the model has no such layer.
    """
    trained = [attention.trainable_weights for attention in _attentions(model, "LSA")]
    return [min(weights, key=lambda weight: int(np.prod(weight.shape))) for weights in trained]


def temperatures_of(model: tf_keras.Model) -> np.ndarray:
    """Return the temperatures (L, 1), or (L, h), of a model's `MultiHeadAttentionLSA` layers.

    Raises:
        ValueError: the model has no such layer.
    """
    return np.stack([weight.numpy().ravel() for weight in temperature_weights_of(model)])


def _patch_distances(grid: int, patch_size: int) -> np.ndarray:
    """Return the distances (N, N), in pixels, between the centres of patches, row by row."""
    centres = patch_size * np.stack(np.divmod(np.arange(grid**2), grid), axis=-1)  # (N, 2)
    return np.linalg.norm(centres[:, None] - centres[None], axis=-1)


def _attentions(model: tf_keras.Model, ending: str = "") -> list[tf_keras.layers.Layer]:
    name = "MultiHeadAttention" + ending
    found = [layer for layer in model.layers if type(layer).__name__.startswith(name)]
    if not found:
        raise ValueError(f"The model has no {name} layer among its layers.")
    return found

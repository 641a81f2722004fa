"""The formulas of the course in float64, fed with an implementation's own weights (NumPy only)."""

import numpy as np


def softmax(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return exp(scores) normalised to sum 1 along `axis`, any shape; −inf gives weight 0."""
    exponentials = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def masked(scores: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Return the scores with −inf wherever the mask is False or 0."""
    return scores if mask is None else np.where(np.asarray(mask, bool), scores, -np.inf)


def scaled_dot_product_attention(q, k, v, mask=None) -> tuple[np.ndarray, np.ndarray]:
    """Return softmax(qkᵀ/√d_k)v and the weights; q (…, n_q, d_k), k (…, n_k, d_k), v (…, n_k, d_v).

    Source: Vaswani et al., "Attention Is All You Need", 2017, equation 1.
    """
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(k.shape[-1])  # (…, n_q, n_k)
    attention_weights = softmax(masked(scores, mask))
    return attention_weights @ v, attention_weights

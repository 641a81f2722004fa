"""The formulas of the attention variants in float64, made of steps that can be exchanged.

NumPy only. What several lessons need stands in `oracles`.
"""

from collections.abc import Callable, Sequence

import numpy as np

from utilities.checks.core import oracles

Array = np.ndarray
Attend = Callable[[Array, Array, Array], Array]  # q, k, v (B, h, N, p) → (B, h, N, p)


def normalised(x: Array, axis: int | tuple[int, ...] = -1) -> Array:
    """Return x, any shape, divided by its length along `axis`; zeros stay zeros."""
    length = np.sqrt(np.square(x).sum(axis=axis, keepdims=True))
    return x / np.where(length > 0, length, 1.0)


def products(q: Array, k: Array) -> Array:
    """Return every query times every key; q (…, n_q, d), k (…, n_k, d) → (…, n_q, n_k)."""
    return q @ np.swapaxes(k, -1, -2)


SCORES = {
    "standard": lambda q, k: products(q, k) / np.sqrt(q.shape[-1]),
    "linear": lambda q, k: products(q, k) / q.shape[-1],
    "cosine": lambda q, k: products(normalised(q), normalised(k)),
}


def dot_product_attention(
    q: Array, k: Array, v: Array, score: Callable, normalise: Callable = oracles.softmax
) -> tuple[Array, Array]:
    """Return the values averaged by the softmax of the scores (…, n_q, n_k), and these weights."""
    weights = normalise(score(q, k))
    return weights @ v, weights


def cosine_attention(q: Array, k: Array, v: Array) -> Array:
    """Return (q̂ k̂ᵀ) v, q̂ and k̂ of length 1; q, k, v (…, N, p).

    Source: Mongaras, Dohm and Larson, "Cottention", 2024, arXiv 2409.18747, without its factor.
    """
    return products(normalised(q), normalised(k)) @ v


def elu_plus_one(x: Array) -> Array:
    """Return elu(x) + 1, any shape: x + 1 above 0, exp(x) below, so always positive."""
    return np.where(x > 0, x + 1.0, np.exp(np.minimum(x, 0.0)))


def linear_attention(
    q: Array, k: Array, v: Array, feature: Callable[[Array], Array] = elu_plus_one
) -> Array:
    """Return each query's mean of the values, weighted by φ(q)·φ(k), in its quadratic form.

    q, k, v (…, N, p). Source: Katharopoulos et al., "Transformers are RNNs", 2020, equation 4,
    arXiv 2006.16236.
    """
    weights = products(feature(q), feature(k))  # (…, N, N)
    return weights @ v / weights.sum(axis=-1, keepdims=True)


def split(x: Array, num_heads: int) -> Array:
    """Return (B, N, h·p) as heads (B, h, N, p), head i from columns i·p to (i + 1)·p."""
    return np.stack(np.split(x, num_heads, axis=-1), axis=1)


def merge(heads: Array) -> Array:
    """Return heads (B, h, N, p) side by side, (B, N, h·p)."""
    return np.concatenate(np.moveaxis(heads, 1, 0), axis=-1)


def orthonormal_step(w: Array, beta: float) -> Array:
    """Return (1 + β)w − β(wwᵀ)w of a matrix w (m, n).

    Source: Conneau et al., "Word Translation Without Parallel Data", 2018, equation 7,
    arXiv 1710.04087.
    """
    return (1 + beta) * w - beta * (w @ w.T) @ w


def pre_norm_block(x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step) -> Array:
    """Return x (B, N, d) after attention and MLP, each normalised first and added."""
    x = x + attention(norm(x))
    return x + mlp(norm(x))


def vit_parameter_count(
    patch_values: int,
    num_patches: int,
    width: int,
    layers: int,
    mlp_units: Sequence[int],
    head_units: Sequence[int],
    num_classes: int,
    attention: int = 1,
) -> int:
    """Return the number of trained numbers of the pre-norm ViT; `attention`: of one attention."""
    tokens = patch_values * width + width + num_patches * width
    block = 4 * width + attention + oracles.dense_parameter_count(width, *mlp_units)
    head = oracles.dense_parameter_count(num_patches * width, *head_units, num_classes)
    return tokens + layers * block + 2 * width + head

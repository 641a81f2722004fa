"""The formulas of the small-data lab in float64, fed with an implementation's own weights (NumPy).

Source: Lee, Lee and Song, "Vision Transformer for Small-Size Datasets", 2021, arXiv 2112.13492.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from utilities.checks.core import oracles

DIAGONALS = ((-1, -1), (-1, 1), (1, -1), (1, 1))  # signs of the shifts, (down, right)
Images = list[np.ndarray]


def shifted(images: np.ndarray, down: int, right: int, **padding: Any) -> np.ndarray:
    """Return images (B, H, W, C) moved by some pixels; what comes in at the edge is 0.

    padding: the arguments of `np.pad` where something else comes in.
    """
    _, height, width, _ = images.shape
    margins = ((0, 0), (abs(down),) * 2, (abs(right),) * 2, (0, 0))
    padded = np.pad(images, margins, **padding)
    top, left = abs(down) - down, abs(right) - right
    return padded[:, top : top + height, left : left + width]


def with_diagonal_shifts(images: np.ndarray, patch_size: int) -> Images:
    """Return the images and their four copies moved by half a patch along the diagonals."""
    half = patch_size // 2
    return [images, *(shifted(images, half * down, half * right) for down, right in DIAGONALS)]


def shifted_patches(
    images: np.ndarray, patch_size: int, versions: Callable[..., Images] = with_diagonal_shifts
) -> np.ndarray:
    """Return what a token is made from, (B, N, 5·P²·C): its patch in all versions of the image."""
    images = images.astype(np.float64)
    return oracles.patches(np.concatenate(versions(images, patch_size), axis=-1), patch_size)


def standardised(x: np.ndarray, epsilon: float, axis: int = -1) -> np.ndarray:
    """Return x with mean 0 and variance 1 along `axis`, any shape."""
    return oracles.layer_norm(x, 1.0, 0.0, epsilon, axis)


def locality_self_attention(
    x: np.ndarray,
    kernels: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    temperature: np.ndarray,
    attend: Callable | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return output (B, N, d) and weights (B, h, N, N) of self-attention on tokens x (B, N, d).

    kernels, biases: of query, key, value (d, h, k), (h, k), and of the output (h, k, d), (d,).
    temperature: (1,) or one for each head, (h,). attend: (q, k, v, temperature) → (heads, weights)
    on (B, h, N, k), for attention that goes wrong.
    """
    q, k, v = (
        np.moveaxis(np.einsum("bnd,dhk->bnhk", x, W) + b, 2, 1)  # (B, h, N, k)
        for W, b in zip(kernels[:3], biases[:3], strict=True)
    )
    heads, weights = (attend or attend_to_others)(q, k, v, np.reshape(temperature, (-1, 1, 1)))
    return np.einsum("bhnk,hkd->bnd", heads, kernels[3]) + biases[3], weights


def attend_to_others(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, temperature: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return softmax(qkᵀ/τ)v with the diagonal masked, and the weights; q, k, v (B, h, N, k)."""
    scores = q @ np.swapaxes(k, -1, -2) / temperature  # (B, h, N, N)
    weights = oracles.softmax(oracles.masked(scores, others(scores.shape[-1])))
    return weights @ v, weights


def others(length: int) -> np.ndarray:
    """Return the mask (N, N) that lets a token attend to all tokens but itself."""
    return ~np.eye(length, dtype=bool)


def warm_up_cosine(
    step: np.ndarray,
    learning_rate_base: float,
    total_steps: float,
    warmup_learning_rate: float,
    warmup_steps: float,
) -> np.ndarray:
    """Return the learning rate at each step: linear warm-up, then a cosine down to 0, 0 for good.

    Source: Loshchilov and Hutter, "SGDR", 2017, arXiv 1608.03983, for the cosine.
    """
    step = np.asarray(step, np.float64)
    share = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
    cosine = learning_rate_base * (1 + np.cos(np.pi * share)) / 2
    rise = (learning_rate_base - warmup_learning_rate) * step / max(warmup_steps, 1)
    rates = np.where(step < warmup_steps, warmup_learning_rate + rise, cosine)
    return np.where(step > total_steps, 0.0, rates)

"""The formulas of the lab on inductive bias in float64 (NumPy only)."""

from collections.abc import Callable, Sequence

import numpy as np

from utilities.checks.core import oracles


def places(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of each patch, numbered row by row; both (rows·columns,)."""
    return np.divmod(np.arange(rows * columns), columns)


def position_embedding_2d(x_table: np.ndarray, y_table: np.ndarray) -> np.ndarray:
    """Return [X | Y] for each patch, row by row; tables (columns, d/2), (rows, d/2) → (N, d).

    Source: Dosovitskiy et al. 2021, arXiv 2010.11929, appendix D.4.
    """
    row, column = places(len(y_table), len(x_table))
    return np.concatenate([x_table[column], y_table[row]], axis=-1)


def offsets(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how many rows and columns lie between each two patches, both (N, N)."""
    row, column = places(rows, columns)
    return row[:, None] - row, column[:, None] - column


def pooled_logits(
    features: np.ndarray,
    kernels: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    activation: Callable,
    pool: Callable = np.mean,
) -> np.ndarray:
    """Return the logits (B, K) of feature maps (B, h, w, f): pooled, a hidden layer each, one more."""
    x = pool(features.astype(np.float64), axis=(1, 2))  # (B, f)
    hidden = [activation] * (len(kernels) - 1)
    return oracles.mlp(x, kernels, biases, [*hidden, lambda logits: logits])


def crossentropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean cross-entropy of logits (n, K) for labels (n,)."""
    return float(-np.log(oracles.softmax(logits)[np.arange(len(labels)), labels]).mean())


def forward(
    flat: np.ndarray, kernel_1: np.ndarray, bias_1: np.ndarray, kernel_2: np.ndarray, bias_2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return hidden values (n, u) and logits (n, K) of a network with one ReLU layer."""
    hidden = np.maximum(flat @ kernel_1 + bias_1, 0.0)
    return hidden, hidden @ kernel_2 + bias_2


def gradients(
    flat: np.ndarray,
    labels: np.ndarray,
    kernel_1: np.ndarray,
    bias_1: np.ndarray,
    kernel_2: np.ndarray,
    bias_2: np.ndarray,
) -> list[np.ndarray]:
    """Return the gradients of the mean cross-entropy for the four weights, in the given order."""
    hidden, logits = forward(flat, kernel_1, bias_1, kernel_2, bias_2)
    of_logits = (oracles.softmax(logits) - np.eye(logits.shape[-1])[labels]) / len(flat)  # (n, K)
    of_hidden = of_logits @ kernel_2.T * (hidden > 0)  # (n, u)
    return [flat.T @ of_hidden, of_hidden.sum(0), hidden.T @ of_logits, of_logits.sum(0)]

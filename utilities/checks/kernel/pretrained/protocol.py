"""What both sides of these checks call things."""

from collections.abc import Callable, Sequence

import numpy as np

LookUp = Callable[[Sequence[int] | np.ndarray], np.ndarray]  # tokens so far → log-probabilities (V,)


def from_table(table: np.ndarray) -> LookUp:
    """Return the function that looks log-probabilities up: row 0 before the first token."""

    def log_probabilities(tokens: Sequence[int] | np.ndarray) -> np.ndarray:
        last = int(tokens[-1]) + 1 if len(tokens) else 0
        return table[min(len(tokens), len(table) - 1), last].copy()  # (V,)

    return log_probabilities

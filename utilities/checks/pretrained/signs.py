"""What both sides of the pre-trained checks agree on: how a table answers (NumPy only)."""

import numpy as np


def from_table(table: np.ndarray):
    """Return the function that looks log-probabilities up: row 0 before the first token."""

    def log_probabilities(tokens) -> np.ndarray:
        last = int(tokens[-1]) + 1 if len(tokens) else 0
        return table[min(len(tokens), len(table) - 1), last].copy()  # (V,)

    return log_probabilities

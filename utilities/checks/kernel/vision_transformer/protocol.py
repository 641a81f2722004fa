"""What both sides of these checks call things."""

import numpy as np


def row(width: int) -> np.ndarray:
    """Return the row that a fused kernel of queries, keys and values repeats."""
    return np.linspace(0.05, 0.15, width, dtype=np.float32)

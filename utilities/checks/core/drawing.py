"""Random arrays that cases are made of (NumPy only), float32."""

import numpy as np


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return standard normal numbers of that shape."""
    return rng.normal(size=shape).astype(np.float32)


def kernel(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return weights (…, d_in, d_out) that keep the size of what they multiply."""
    return (rng.normal(size=shape) / np.sqrt(shape[-2])).astype(np.float32)


def uniform(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return positive numbers between 0.5 and 1.5 of that shape."""
    return rng.uniform(0.5, 1.5, shape).astype(np.float32)

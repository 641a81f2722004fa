"""The formulas of the attention variants in float64, made of steps that can be exchanged.

NumPy only. What several lessons need stands in `oracles`.
"""

from collections.abc import Sequence

import numpy as np

from utilities.checks.core import oracles

Array = np.ndarray


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

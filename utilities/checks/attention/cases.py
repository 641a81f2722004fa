"""What goes into the attention checks. All dimensions of a case differ from each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from utilities.checks.case import Case
from utilities.checks.drawing import kernel, normal


def scaled_dot_product_attention(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw cases of simple and full attention: one key, no mask, masks, dtypes, a Keras model."""
    cases = [
        _attention_case(rng, "one key", (), 3, 1, 5, 2),
        _attention_case(rng, "no mask", (), 4, 6, 3, 2),
        _attention_case(rng, "no mask", (1,), 3, 7, 5, 4),
        _attention_case(rng, "no mask", (2, 3), 4, 5, 7, 6),
        _attention_case(rng, "mask", (), 4, 6, 3, 2, mask=bool),
        _attention_case(rng, "mask", (2,), 5, 4, 3, 6, mask=bool),
        _attention_case(rng, "mask of 0 and 1", (), 3, 5, 4, 2, mask=np.int32),
        _attention_case(rng, "broadcast mask", (2,), 5, 4, 3, 6, mask=bool, mask_shape=(2, 1, 4)),
        _attention_case(rng, "broadcast mask", (3, 2), 5, 4, 7, 6, mask=bool, mask_shape=(3, 1, 5, 4)),
        _attention_case(rng, "float16", (2,), 3, 6, 5, 4, dtype=np.float16),
        _attention_case(rng, "float16", (2,), 5, 3, 6, 4, dtype=np.float16, mask=bool),
        _attention_case(rng, "float64", (2,), 3, 4, 6, 5, dtype=np.float64),
        _attention_case(rng, "float64", (3,), 4, 5, 2, 6, dtype=np.float64, mask=bool),
        _attention_case(rng, "traced", (2,), 5, 3, 4, 6, mask=bool),
    ]
    if thorough:
        for _ in range(3):
            lengths = rng.permutation(np.arange(2, 9))[: rng.integers(4, 7)]
            n_q, n_k, d_k, d_v, *leading = (int(length) for length in lengths)
            cases.append(_attention_case(rng, "no mask", leading, n_q, n_k, d_k, d_v))
            cases.append(_attention_case(rng, "mask", leading, n_q, n_k, d_k, d_v, mask=bool))
            cases.append(
                _attention_case(rng, "mask of 0 and 1", leading, n_q, n_k, d_k, d_v, mask=np.float32)
            )
    return cases


def multi_head_attention(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw cases of one head, several heads, masks, a Keras model and Keras' conventions."""
    cases = [
        _heads_case(rng, "one head", 1, 4, batch=2, n_q=3, n_k=5, d_q=6, d_k=7, d_v=8),
        _heads_case(rng, "self-attention", 3, 4, batch=2, n_q=5, n_k=5, d_q=6, d_k=6, d_v=6),
        _heads_case(rng, "heads", 3, 4, batch=2, n_q=5, n_k=7, d_q=6, d_k=8, d_v=9),
        _heads_case(rng, "heads", 2, 5, batch=1, n_q=4, n_k=3, d_q=7, d_k=6, d_v=8),
        _heads_case(rng, "mask", 3, 5, batch=2, n_q=4, n_k=6, d_q=7, d_k=8, d_v=9, mask=True),
        _heads_case(rng, "output alone", 2, 4, batch=3, n_q=5, n_k=6, d_q=7, d_k=8, d_v=9),
        _heads_case(rng, "weights", 2, 3, batch=4, n_q=5, n_k=6, d_q=7, d_k=8, d_v=9),
        _heads_case(rng, "model", 2, 3, batch=4, n_q=6, n_k=5, d_q=8, d_k=9, d_v=7),
        _heads_case(rng, "config", 3, 2, batch=4, n_q=6, n_k=5, d_q=9, d_k=7, d_v=8),
    ]
    if thorough:
        for _ in range(2):
            sizes = [int(length) for length in rng.permutation(np.arange(2, 10))]
            cases.append(_heads_case(rng, "heads", *sizes))
            cases.append(_heads_case(rng, "mask", *sizes, mask=True))
    return cases


def _attention_case(
    rng: np.random.Generator,
    stage: str,
    leading: Sequence[int],
    n_q: int,
    n_k: int,
    d_k: int,
    d_v: int,
    dtype: DTypeLike = np.float32,
    mask: DTypeLike | None = None,
    mask_shape: tuple[int, ...] | None = None,
) -> Case:
    """Return q, k, v of size one, so that scores have size √d_k and softmax is not saturated."""
    inputs = {
        "q": rng.normal(size=(*leading, n_q, d_k)).astype(dtype),
        "k": rng.normal(size=(*leading, n_k, d_k)).astype(dtype),
        "v": rng.normal(size=(*leading, n_k, d_v)).astype(dtype),
        "mask": None if mask is None else _mask(rng, mask_shape or (n_q, n_k)).astype(mask),
    }
    return Case(stage, inputs)


def _heads_case(
    rng: np.random.Generator,
    stage: str,
    num_heads: int,
    proj_dim: int,
    batch: int,
    n_q: int,
    n_k: int,
    d_q: int,
    d_k: int,
    d_v: int,
    *,
    mask: bool = False,
) -> Case:
    """Return inputs and weights that keep projections at size one; one input in self-attention."""

    q = normal(rng, batch, n_q, d_q)
    alone = stage == "self-attention"
    inputs = {
        "num_heads": num_heads,
        "proj_dim": proj_dim,
        "q": q,
        "k": q.copy() if alone else normal(rng, batch, n_k, d_k),
        "v": q.copy() if alone else normal(rng, batch, n_k, d_v),
        "mask": _mask(rng, (n_q, n_k)) if mask else None,
        "W_q": kernel(rng, num_heads, d_q, proj_dim),
        "W_k": kernel(rng, num_heads, d_k, proj_dim),
        "W_v": kernel(rng, num_heads, d_v, proj_dim),
        "W_o": kernel(rng, num_heads * proj_dim, proj_dim),
    }
    return Case(stage, inputs)


def _mask(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask that hides about a third of the keys, never all of a query's, never none."""
    mask = rng.random(shape) < 0.65
    rows = mask.reshape(-1, shape[-1])  # (rows, n_k)
    for i, row in enumerate(rows):
        row[i % len(row)], row[(i + 1) % len(row)] = True, False
    return mask

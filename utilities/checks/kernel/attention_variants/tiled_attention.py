"""Call attention in tiles; return its output, and what arrays it makes on the way."""

from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_array
from utilities.checks.kernel.probes import gradient_reaches, same, with_unknown_batch
from utilities.training.cost import arrays_made

Seen = dict[str, np.ndarray]


def observe(implementation: Any, case: Case) -> Seen:
    """Return the output, called eagerly or as in a Keras model; of many tokens, what they cost."""
    if case.stage == "cost":
        return _cost(implementation, case)
    qkv = [tf.constant(case[name]) for name in "qkv"]

    def attend(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) -> Any:
        return implementation(q, k, v, case["block_size"])

    call = with_unknown_batch(attend, qkv) if case.stage == "model" else attend
    seen, again = ({"output": as_array(call(*qkv), "output")} for _ in range(2))
    seen["repeats"] = same(seen, again)
    if case.stage == "whole blocks":
        variables = [tf.Variable(value) for value in qkv]
        seen["reached"] = gradient_reaches(lambda: attend(*map(tf.identity, variables)), variables)
    return seen


def _cost(implementation: Any, case: Case) -> Seen:
    """Return peak memory by number of tokens, the largest array, and whether rows of scores are whole.

    peak_bytes: of tokens that attend to each other, for each length. largest_shape: of an array, at
    the last of them. whole_rows: whether, with few queries and many keys, an array holds the scores
    of a query with all keys: as many numbers for each key as there are queries, or fewer.
    """

    def attend(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) -> Any:
        return implementation(q, k, v, case["block_size"])

    peaks: list[int] = []
    largest: tuple[int, ...] = ()
    for length in case["lengths"]:
        x = tf.constant(np.resize(case["q"], (1, int(length), case["q"].shape[-1])))  # (1, N, d)
        as_array(attend(x, x, x), "output")
        made = arrays_made(lambda x: attend(x, x, x), x)
        peaks.append(made.peak_bytes)
        largest = made.largest
    k, v = tf.constant(case["k"]), tf.constant(case["v"])
    made = arrays_made(partial(attend, k=k, v=v), tf.constant(case["q"]))
    B, n_q, _ = case["q"].shape
    rows = any(_is_rows(shape, case["k"].shape[1], B, n_q) for shape in made.shapes)
    return {
        "peak_bytes": np.array(peaks),
        "largest_shape": np.array(largest, dtype=int),
        "whole_rows": np.array(rows),
    }


def _is_rows(shape: tuple[int, ...], n_k: int, batch: int, n_q: int) -> bool:
    """Return whether an array holds a number for each key and each of some queries.

    Keys and values are wider than there are queries; a column beside them, such as ones, and a number
    for each key that all queries share, such as where padding is, are no scores either.
    """
    along = [length for length in shape if length >= n_k]
    if not along:
        return False
    others = int(np.prod(shape)) // max(along)
    return batch < others <= batch * n_q or (others == batch and shape[-1] >= n_k)

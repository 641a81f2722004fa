"""Make layers of linear attention; return what they make of tokens, and what many tokens cost."""

from typing import Any

import numpy as np
import tensorflow as tf

from utilities.checks.kernel import probes
from utilities.checks.kernel.attention_variants.self_attention import Seen, observed
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_array
from utilities.training.cost import arrays_made


def observe(implementation: Any, case: Case) -> Seen:
    """Return what a layer of linear attention makes of tokens; of many tokens, what it costs."""
    if case.stage == "cost":
        return _cost(implementation, case)
    return observed(implementation, "LinearAttention", case)


def _cost(implementation: Any, case: Case) -> Seen:
    """Return the numbers that all arrays of a call hold, and the largest one's shape, by length."""
    numbers, largest = [], []
    for length in case["lengths"]:
        x = tf.constant(np.resize(case["x"], (1, int(length), case["x"].shape[-1])))
        layer = probes.new_layer(implementation, "LinearAttention", case["num_heads"], case["key_dim"])
        as_array(layer(x), "output")  # makes the weights
        made = arrays_made(layer, x)
        numbers.append(made.numbers)
        largest.append(made.largest)
    return {
        "numbers": np.array(numbers),
        "largest_sizes": np.array([int(np.prod(shape)) for shape in largest]),
        "largest_shape": np.array(largest[-1], dtype=int),
    }

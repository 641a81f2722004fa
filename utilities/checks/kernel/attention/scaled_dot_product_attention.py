"""Call an attention function and return what it computes."""

from typing import Any

import numpy as np
import tensorflow as tf

from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_array, as_parts
from utilities.checks.kernel.probes import gradient_reaches, same, with_unknown_batch


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return output and weights, called eagerly or, in the traced stage, as a Keras model does."""
    qkv = [tf.constant(case[name]) for name in "qkv"]
    mask = () if case["mask"] is None else (tf.constant(case["mask"]),)
    call = with_unknown_batch(implementation, qkv, *mask) if case.stage == "traced" else implementation
    seen = output_and_weights(call(*qkv, *mask))
    seen["repeats"] = same(seen, output_and_weights(call(*qkv, *mask)))
    if case.stage == "no mask":
        variables = [tf.Variable(value) for value in qkv]
        seen["reached"] = gradient_reaches(
            lambda: implementation(*map(tf.identity, variables), *mask), variables
        )
    return seen


def output_and_weights(result: Any) -> dict[str, np.ndarray]:
    """Return output and attention weights as arrays, as far as they came."""
    parts = as_parts(result, "output", "attention_weights")
    return {name: as_array(part, name.replace("_", " ")) for name, part in parts.items()}

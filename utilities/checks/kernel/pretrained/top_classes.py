"""Ask for the most probable classes of logits, as a model gives them."""

from typing import Any

import numpy as np
import tensorflow as tf

from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_pair
from utilities.checks.kernel.pretrained.lists import numbers


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return classes and probabilities, and whether they came as one array that unpacks."""
    logits = tf.constant(case["logits"])
    result = implementation(logits) if case["k"] is None else implementation(logits, case["k"])
    stacked = isinstance(result, (np.ndarray, tf.Tensor)) and np.ndim(result) == 3 and len(result) == 2
    classes, probabilities = as_pair(tuple(result) if stacked else result, "classes", "probabilities")
    return {
        "classes": numbers(classes, "classes"),
        "probabilities": numbers(probabilities, "probabilities"),
        "whole": np.array(np.asarray(numbers(classes, "classes")).dtype.kind in "iu"),
        "stacked": np.array(stacked),
    }

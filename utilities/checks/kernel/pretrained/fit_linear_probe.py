"""Fit a linear probe to features and labels."""

from typing import Any

import numpy as np

from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_pair
from utilities.checks.kernel.pretrained.lists import numbers


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the weights and the bias."""
    penalty = {} if case["penalty"] is None else {"penalty": case["penalty"]}
    result = implementation(case["features"], case["labels"], case["num_classes"], **penalty)
    weights, bias = as_pair(result, "weights", "bias")
    return {"weights": numbers(weights, "weights"), "bias": numbers(bias, "bias")}

"""Call kernel and regression implementations and return what they compute."""

from collections.abc import Callable
from typing import Any

import numpy as np

from utilities.checks.kernel.case import WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array, as_pair, is_tensor


def gaussian(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the kernel's values."""
    return {"kernel_value": _as_numpy(_with_sigma(implementation, case, case["distance"]))}


def nadaraya_watson(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return prediction and attention weights, computed with the kernel of the case."""
    from utilities.checks.core.oracles import KERNELS  # in grading they arrive with this check

    kernel = KERNELS[case["kernel"]]
    result = _with_sigma(implementation, case, case["q"], case["k"], case["v"], kernel)
    prediction, weights = as_pair(result, "prediction", "attention_weights")
    return {
        "prediction": _as_numpy(prediction, "prediction"),
        "attention_weights": _as_numpy(weights, "attention weights"),
    }


def _with_sigma(function: Callable, case: Case, *arguments: Any) -> Any:
    """Call a function with its width left out, by position or by name, as the case says."""
    if case["sigma_given"] == "by default":
        return function(*arguments)
    if case["sigma_given"] == "by position":
        return function(*arguments, case["sigma"])
    return function(*arguments, sigma=case["sigma"])


def _as_numpy(value: Any, name: str = "kernel value") -> np.ndarray:
    """Return a NumPy result as an array; this lesson has no use for TensorFlow's tensors."""
    if is_tensor(value):
        raise Stopped(
            WRONG_TYPE,
            f"The {name} is a TensorFlow tensor; a NumPy array is expected. "
            "This step is written with NumPy alone: TensorFlow comes in with the attention layer.",
        )
    return as_array(value, name, tensor=False)

"""Call a Gaussian kernel and return its values."""

from collections.abc import Callable
from typing import Any

import numpy as np

from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_array, is_tensor, refuse_nothing, refuse_size


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the kernel's values, and whether they came as NumPy's."""
    value = with_sigma(implementation, case, case["distance"])
    return {"kernel_value": as_numpy(value, "kernel value"), "in_numpy": in_numpy(value)}


def with_sigma(function: Callable, case: Case, *arguments: Any) -> Any:
    """Call a function with its width left out, by position or by name, as the case says."""
    if case["sigma_given"] == "by default":
        return function(*arguments)
    if case["sigma_given"] == "by position":
        return function(*arguments, case["sigma"])
    return function(*arguments, sigma=case["sigma"])


def as_numpy(value: Any, name: str) -> np.ndarray:
    """Return a result as an array; lists and tensors count as such, which costs a small finding."""
    refuse_nothing(value, name)
    if is_tensor(value) and hasattr(value, "numpy"):
        return as_array(value, name)
    refuse_size((_numbers_in(value),), name)  # before they are copied into one array
    try:
        listed = np.asarray(value) if isinstance(value, (list, tuple)) else value
    except ValueError:
        listed = value  # rows of unequal length
    return as_array(listed, name, tensor=False)


def _numbers_in(value: Any) -> int:
    """Return how many numbers a result holds, lists of arrays included."""
    if isinstance(value, (list, tuple)):
        return sum(map(_numbers_in, value))
    return value.size if isinstance(value, np.ndarray) else 1


def in_numpy(*values: Any) -> np.ndarray:
    """Return whether all values are NumPy's, or plain numbers."""
    return np.array(all(isinstance(v, (np.ndarray, np.generic, int, float)) for v in values))

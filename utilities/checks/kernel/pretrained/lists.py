"""Results in plain Python, which this lesson accepts: numbers and lists of them."""

from typing import Any

import numpy as np

from utilities.checks.kernel.case import WRONG_TYPE
from utilities.checks.kernel.observing import Stopped, as_array


def numbers(value: Any, name: str) -> np.ndarray:
    """Return an array, a tensor, a number, or a list of these of moderate size as an array."""
    if isinstance(value, (list, tuple)) and value:
        parts = [np.asarray(part) if _plain(part) else part for part in value]
        arrays = [as_array(part, name, tensor=False) for part in parts]
        if len({array.shape for array in arrays}) > 1:
            raise Stopped(WRONG_TYPE, f"The {name} has rows of unequal length.")
        value = np.stack(arrays)
    return as_array(value, name, tensor=False)


def _plain(part: Any) -> bool:
    """Return whether a part of a list is itself a list of plain numbers."""
    return isinstance(part, (list, tuple)) and all(
        isinstance(number, (int, float, np.generic)) for number in part
    )

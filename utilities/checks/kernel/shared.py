"""What both sides of a check have to know, and neither may learn from the other (NumPy only)."""

import numpy as np

from utilities.checks.kernel.case import Case

GRID = np.linspace(-3.0, 3.0, 13)  # where a non-linearity is looked at
ENCODER_WEIGHTS = ("kernel", "bias", "class_token", "positions")
TABLES = ("x_table", "y_table")
IN_TRAINING = (
    "training",
    "rate 0",
)  # stages in which numbers go their own ways, each through a diagonal


def spare(case: Case, shape: tuple[int, ...]) -> np.ndarray:
    """Return what a weight holds for which the case has none; axes of length 1 do not count."""
    *_, rows, columns = (1, 1, *(length for length in shape if length > 1))
    if 1 < rows * columns == np.prod(shape) and rows > 1 and case.stage in IN_TRAINING:
        return np.eye(rows, columns, dtype=np.float32).reshape(shape)
    return np.resize(case["spare"], shape) / np.float32(np.sqrt(rows))

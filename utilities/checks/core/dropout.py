"""Tell from the numbers of one training call where dropout acted (NumPy only).

Dropout leaves few possibilities for a number: dropped, or kept and scaled. Each possibility is a
branch: the values that all entries would have, and the probability with which one entry has it.
"""

from collections.abc import Sequence

import numpy as np

Branch = tuple[np.ndarray, float]
DEVIATIONS = 6.0  # a right layer falls outside once in five hundred million calls
CLOSE = 1e-3  # relative to the largest value; branches lie further apart


def dropped(branches: Sequence[Branch], rate: float, scaled: bool = True) -> list[Branch]:
    """Return the branches after dropout; kept values are divided by 1 − rate if `scaled`.

    Source: Srivastava et al., "Dropout", 2014, in the scaled form that Keras computes.
    """
    factor = 1.0 / (1.0 - rate) if scaled else 1.0
    after: list[Branch] = []
    for values, probability in branches:
        _join(after, values * factor, probability * (1.0 - rate))
        _join(after, np.zeros_like(values), probability * rate)
    return after


def branch_of_each(observed: np.ndarray, branches: Sequence[Branch]) -> np.ndarray | None:
    """Return the index of the branch that each entry took, or None where an entry took none."""
    if not np.all(np.isfinite(observed)) or observed.shape != branches[0][0].shape:
        return None
    distances = np.abs(observed - np.stack([values for values, _ in branches]))
    limit = CLOSE * max(float(np.abs(values).max()) for values, _ in branches)
    return distances.argmin(axis=0) if np.all(distances.min(axis=0) <= limit) else None


def as_frequent_as_expected(taken: np.ndarray, branches: Sequence[Branch]) -> bool:
    """Return whether each branch was taken about as often as its probability says."""
    n = taken.size
    return all(
        abs(float(np.mean(taken == i)) - p) <= DEVIATIONS * np.sqrt(p * (1.0 - p) / n)
        for i, (_, p) in enumerate(branches)
    )


def constant_along_an_axis(taken: np.ndarray) -> bool:
    """Return whether whole rows, columns or examples took one branch together."""
    return any(
        taken.shape[axis] > 1 and bool(np.all(taken == taken.take([0], axis)))
        for axis in range(taken.ndim)
    )


def _join(branches: list[Branch], values: np.ndarray, probability: float) -> None:
    """Add a branch, or its probability to a branch with the same values."""
    for i, (known, p) in enumerate(branches):
        if np.allclose(known, values, rtol=CLOSE, atol=CLOSE):
            branches[i] = (known, p + probability)
            return
    branches.append((values, probability))

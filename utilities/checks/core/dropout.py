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
    if rate <= 0.0:
        return list(branches)
    if rate >= 1.0:
        return [(np.zeros_like(values), probability) for values, probability in branches]
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


def as_taken(
    observed: np.ndarray, branches: Sequence[Branch], whole: bool = False, counted: bool = True
) -> np.ndarray:
    """Return the values of the branches that the entries took: what is expected of one random call.

    whole: rows or columns go together, and only so; otherwise each entry goes its own way, as often
    as the probabilities say where it is `counted`.
    Raises ValueError where the entries cannot have come about in this way.
    """
    taken = branch_of_each(observed, branches)
    if taken is None:
        raise ValueError("an entry took no branch")
    telling = _tell_apart(branches)
    told = taken[..., telling]
    if telling.any() and constant_along_an_axis(told) != whole:
        raise ValueError("rows go together, or should")
    if telling.any() and counted and not whole and not as_frequent_as_expected(told, branches):
        raise ValueError("a branch was taken too often")
    return np.take_along_axis(np.stack([values for values, _ in branches]), taken[None], axis=0)[0]


def _tell_apart(branches: Sequence[Branch]) -> np.ndarray:
    """Return for each column whether no two branches have the same values there."""
    values = np.sort(np.stack([values for values, _ in branches]), axis=0)  # (branches, …, d)
    apart = np.diff(values, axis=0) > CLOSE * np.abs(values).max()
    return np.all(apart, axis=tuple(range(apart.ndim - 1))) & (len(branches) > 1)


def _join(branches: list[Branch], values: np.ndarray, probability: float) -> None:
    """Add a branch, or its probability to a branch with the same values."""
    for i, (known, p) in enumerate(branches):
        if np.allclose(known, values, rtol=CLOSE, atol=CLOSE):
            branches[i] = (known, p + probability)
            return
    branches.append((values, probability))

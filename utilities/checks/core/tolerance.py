"""How far rounding alone can carry a value from a float64 formula (NumPy only)."""

import numpy as np

from utilities.checks.kernel.case import Case

ROUNDING = 8.0  # roundings of one unit each that an output may have gathered per √term


def tolerance(expected: np.ndarray, dtype: np.dtype, terms: int, depth: float = 1) -> float:
    """Return the largest difference that rounding alone can explain.

    Rounding errors of a sum of n terms grow like √n times the unit of the dtype times the size
    of the numbers (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 2.8).
    Nothing is held to more than float32, since intermediate factors such as √d may be float32.
    """
    unit = max(np.finfo(np.float32).eps, np.finfo(dtype).eps if np.dtype(dtype).kind == "f" else 0)
    size = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    return ROUNDING * depth * float(unit) * float(np.sqrt(max(terms, 1))) * max(float(size), 1e-2)


def agrees(
    observed: np.ndarray,
    expected: np.ndarray,
    terms: int,
    depth: float = 1,
    dtype: np.dtype | None = None,
) -> bool:
    """Return whether two arrays have one shape and differ by no more than rounding; texts are equal.

    Where a wrong formula gives infinity or nan, the observed value must give the same.
    """
    if observed.dtype.kind == expected.dtype.kind == "U":
        return bool(np.array_equal(observed, expected))
    if observed.shape != expected.shape or observed.dtype.kind not in "fiub":
        return False
    limit = tolerance(expected, dtype or observed.dtype, terms, depth)
    observed = observed.astype(np.float64)
    if np.all(np.isfinite(expected)):  # as good as always: allclose would take far longer
        return bool(np.all(np.abs(observed - expected) <= limit))
    return bool(np.allclose(observed, expected, rtol=0.0, atol=limit, equal_nan=True))


def coarsest_dtype(case: Case) -> np.dtype:
    """Return the floating type with the fewest digits of what went in.

    What came out does not count: whoever sends float16 would choose how exact the answer must be.
    """
    arrays = (value for value in case.inputs.values() if isinstance(value, np.ndarray))
    floating = [array.dtype for array in arrays if array.dtype.kind == "f"]
    return max(floating, key=lambda dtype: np.finfo(dtype).eps, default=np.dtype(np.float32))

"""What goes into the kernel checks. All dimensions of a case differ from each other."""

import numpy as np
from numpy.typing import DTypeLike

from utilities.checks.kernel.case import Case

NARROW, WIDE = (0.5, 0.8), (1.3, 1.8)  # widths at which σ, σ², 2σ² and 1 are far apart


def gaussian(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw single numbers, widths given in every way, arrays of any shape, and dtypes."""
    cases = [
        _gaussian_case(rng, "number", None, "by default"),
        _gaussian_case(rng, "number", None, "by default"),
        _gaussian_case(rng, "width", None, "by position", WIDE),
        _gaussian_case(rng, "width", None, "by name", NARROW),
        _gaussian_case(rng, "shape", (), "by name", WIDE),
        _gaussian_case(rng, "shape", (7,), "by default"),
        _gaussian_case(rng, "shape", (4, 3), "by position", NARROW),
        _gaussian_case(rng, "shape", (2, 5, 3), "by name", WIDE),
        _gaussian_case(rng, "dtype", (6,), "by name", WIDE, np.float32),
        Case("dtype", {"distance": np.arange(5), "sigma": 1.0, "sigma_given": "by default"}),
        Case("dtype", {"distance": np.arange(6), "sigma": 3, "sigma_given": "by position"}),
    ]
    if thorough:
        for width in (NARROW, WIDE, (4.0, 6.0)):
            shape = tuple(int(length) for length in rng.permutation(np.arange(1, 7))[:4])
            cases.append(_gaussian_case(rng, "shape", shape, "by position", width))
            cases.append(_gaussian_case(rng, "dtype", shape, "by name", width, np.float32))
    return cases


def nadaraya_watson(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw a simple regression, several dimensions, other kernels and widths, and float32."""
    cases = [
        _regression_case(rng, "simple", 1, 5, 1, 2),
        _regression_case(rng, "simple", 4, 6, 1, 3),
        _regression_case(rng, "dimensions", 4, 7, 3, 2),
        _regression_case(rng, "dimensions", 6, 3, 2, 1),
        _regression_case(rng, "kernel", 5, 6, 1, 2, "exponential"),
        _regression_case(rng, "kernel", 4, 6, 2, 3, "exponential"),
        _regression_case(rng, "kernel", 3, 4, 5, 2, "cauchy"),
        _regression_case(rng, "width", 5, 4, 3, 2, "gaussian", "by position", WIDE),
        _regression_case(rng, "width", 4, 6, 2, 3, "exponential", "by name", NARROW),
        _regression_case(rng, "width", 3, 5, 2, 4, "cauchy", "by name", WIDE),
        _regression_case(rng, "float32", 4, 5, 2, 3, "cauchy", "by name", WIDE, np.float32),
    ]
    if thorough:
        for kernel in ("gaussian", "exponential", "cauchy"):
            for width in (NARROW, WIDE):
                n_q, n_k, d, d_v = (int(length) for length in rng.permutation(np.arange(2, 10))[:4])
                cases.append(_regression_case(rng, "width", n_q, n_k, d, d_v, kernel, "by name", width))
    return cases


def _gaussian_case(
    rng: np.random.Generator,
    stage: str,
    shape: tuple[int, ...] | None,
    sigma_given: str,
    width: tuple[float, float] | None = None,
    dtype: DTypeLike = np.float64,
) -> Case:
    """Return distances up to five widths, never near 1 for a single number, where d = d²."""
    sigma = _width(rng, width)
    distance: np.ndarray | np.float64
    if shape is None:
        distance = np.float64(round(rng.uniform(1.3, 1.8) * max(sigma, 1.0), 2))
    else:
        distance = (rng.uniform(0, 3, size=shape) * sigma).astype(dtype)
        distance.flat[-1] = 4.2 * sigma  # far out in the tail, where nothing may be cut off
    return Case(stage, {"distance": distance, "sigma": sigma, "sigma_given": sigma_given})


def _regression_case(
    rng: np.random.Generator,
    stage: str,
    n_q: int,
    n_k: int,
    d: int,
    d_v: int,
    kernel: str = "gaussian",
    sigma_given: str = "by default",
    width: tuple[float, float] | None = None,
    dtype: DTypeLike = np.float64,
) -> Case:
    """Return queries and keys about one width apart, so that every key has a say."""
    sigma = _width(rng, width)
    spread = sigma / np.sqrt(d)
    inputs = {
        "q": (rng.normal(size=(n_q, d)) * spread).astype(dtype),
        "k": (rng.normal(size=(n_k, d)) * spread).astype(dtype),
        "v": rng.normal(size=(n_k, d_v)).astype(dtype),
        "kernel": kernel,
        "sigma": sigma,
        "sigma_given": sigma_given,
    }
    return Case(stage, inputs)


def _width(rng: np.random.Generator, width: tuple[float, float] | None) -> float:
    return 1.0 if width is None else round(float(rng.uniform(*width)), 2)

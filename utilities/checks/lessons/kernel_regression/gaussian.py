"""The Gaussian kernel: what goes in, the formula, the mistakes, what is looked at."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Only, Values, Wrong
from utilities.checks.kernel.case import Case, Observation

NARROW, WIDE = (0.5, 0.8), (1.3, 1.8)  # widths at which σ, σ², 2σ² and 1 are far apart

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw single numbers, widths given in every way, arrays of any shape, and dtypes."""
    drawn = [
        _case(rng, "number", None, "by default"),
        Case("number", {"distance": 1.5, "sigma": 1.0, "sigma_given": "by default"}),
        _case(rng, "width", None, "by position", WIDE),
        _case(rng, "width", None, "by name", NARROW),
        _case(rng, "shape", (), "by name", WIDE),
        _case(rng, "shape", (7,), "by default"),
        _case(rng, "shape", (4, 3), "by position", NARROW),
        _case(rng, "shape", (2, 5, 3), "by name", WIDE),
        _case(rng, "dtype", (6,), "by name", WIDE, np.float32),
        Case("dtype", {"distance": np.arange(5), "sigma": 1.0, "sigma_given": "by default"}),
        Case("dtype", {"distance": np.arange(6), "sigma": 3, "sigma_given": "by position"}),
    ]
    if thorough:
        for width in (NARROW, WIDE, (4.0, 6.0)):
            shape = tuple(int(length) for length in rng.permutation(np.arange(1, 7))[:4])
            drawn.append(_case(rng, "shape", shape, "by position", width))
            drawn.append(_case(rng, "dtype", shape, "by name", width, np.float32))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    shape: tuple[int, ...] | None,
    sigma_given: str,
    width: tuple[float, float] | None = None,
    dtype: DTypeLike = np.float64,
) -> Case:
    """Return distances up to five widths, never near 1 for a single number, where d = d²."""
    sigma = draw_width(rng, width)
    distance: np.ndarray | np.float64
    if shape is None:
        distance = np.float64(round(rng.uniform(1.3, 1.8) * max(sigma, 1.0), 2))
    else:
        distance = (rng.uniform(0, 3, size=shape) * sigma).astype(dtype)
        distance.flat[-1] = 4.2 * sigma  # far out in the tail, where nothing may be cut off
    return Case(stage, {"distance": distance, "sigma": sigma, "sigma_given": sigma_given})


def draw_width(rng: np.random.Generator, width: tuple[float, float] | None) -> float:
    """Return σ from a range, 1 where none is given."""
    return 1.0 if width is None else round(float(rng.uniform(*width)), 2)


# --- the formula -----------------------------------------------------------------------------------


def formula(
    case: Case, seen: Observation, *, whole: bool = False, cut: float = np.inf, **settings: Any
) -> Arrays:
    """Return the kernel's values; the settings are those of the oracle, and two more.

    whole: values are cut to whole numbers where the distances are whole. cut: from so many σ on they
    are 0.
    """
    distance = np.asarray(case["distance"], np.float64)
    value = np.asarray(oracles.gaussian(distance, float(case["sigma"]), **settings))
    if whole and np.asarray(case["distance"]).dtype.kind == "i":
        value = np.trunc(value)
    if np.isfinite(cut):
        value = np.where(distance > cut * case["sigma"], 0.0, value)
    return {"kernel_value": value}


def _itself(x: Any) -> Any:
    return x


DENSITY = (
    "You divide as for a probability density, by σ√(2π) or a part of it. The kernel is 1 at distance "
    "0: its size cancels later, when the weights are normalised."
)
MISTAKES = [
    Mistake(
        "distance not squared",
        "Your exponent grows with the distance itself, not with its square. A Gaussian is flat at its "
        "top; is yours, or does it have a peak?",
        {"power": _itself},
        {"power": lambda distance: 2 * distance},
    ),
    Mistake(
        "sigma not squared",
        "Your exponent divides by 2σ, not by 2σ². The exponent must not change when distances and "
        "σ are given in centimetres in place of metres: does yours?",
        denominator=lambda sigma: 2 * sigma,
    ),
    Mistake(
        "factor 2 missing",
        "Your exponent is −distance²/σ²: the 2 below the fraction bar is missing.",
        denominator=lambda sigma: sigma**2,
    ),
    Mistake(
        "2 squared with sigma",
        "Your exponent divides by (2σ)²: only σ is squared, the 2 is not. Check your brackets.",
        denominator=lambda sigma: (2 * sigma) ** 2,
    ),
    Mistake(
        "sigma multiplies",
        "Your exponent is multiplied by σ², so a larger σ makes the curve narrower. In Python, "
        "a / b * c means (a / b) * c: put the whole denominator in brackets.",
        denominator=lambda sigma: 2 / sigma**2,
    ),
    Mistake(
        "minus missing",
        "Your values grow with the distance: a minus sign is missing in the exponent. "
        "What is near must weigh more than what is far.",
        sign=1.0,
    ),
    Mistake(
        "exp missing",
        "You return the exponent itself: the exponential function is missing.",
        exponential=_itself,
    ),
    Mistake(
        "sigma ignored",
        "Your result is the same for every σ: you compute with σ = 1.",
        denominator=lambda sigma: 2.0,
    ),
    Mistake(
        "density normalised",
        DENSITY,
        {"afterwards": lambda value, sigma: value / (sigma * np.sqrt(2 * np.pi))},
        {"afterwards": lambda value, sigma: value / np.sqrt(2 * np.pi * sigma)},
        {"afterwards": lambda value, sigma: value / np.sqrt(2 * np.pi)},
    ),
    Mistake(
        "normalised to sum 1",
        "Your values are divided by their sum. The kernel looks at each distance on its own; the "
        "weights are normalised in the next step.",
        afterwards=lambda value, sigma: value / value.sum(),
    ),
    Mistake(
        "summed",
        "You return the sum of the values. Each distance has its own value: the result has the "
        "shape of `distance`.",
        afterwards=lambda value, sigma: value.sum(),
    ),
    Mistake(
        "flattened",
        "Your result is one long row. Each distance has its own value: the result has the shape of "
        "`distance`.",
        afterwards=lambda value, sigma: np.ravel(value),
    ),
    Mistake(
        "exponential kernel",
        "Your values are exp(−distance/σ), a kernel with a peak at 0. The Gaussian falls with the "
        "square of the distance.",
        power=_itself,
        denominator=_itself,
    ),
    Mistake(
        "one minus kernel",
        "Your values are 1 minus the kernel: 0 at distance 0, near 1 far away. What is near must "
        "weigh more than what is far.",
        afterwards=lambda value, sigma: 1 - value,
    ),
    Mistake(
        "cut to whole numbers",
        "For distances that are whole numbers your values are cut to whole numbers too. The result "
        "needs a floating-point type: which array do you write it into?",
        whole=True,
    ),
    Mistake(
        "cut to zero",
        "You set far distances to 0. The Gaussian never reaches 0: leave its tails.",
        *({"cut": widths} for widths in (2.0, 3.0, 4.0)),
    ),
]


def in_numpy(case: Case, seen: Observation) -> Wrong | None:
    """The result is NumPy's."""
    if seen["in_numpy"]:
        return None
    return Wrong(
        "not in NumPy",
        "Your numbers come as TensorFlow tensors or as lists. This step is written with NumPy "
        "alone, and returns its arrays: TensorFlow comes in with the attention layer.",
    )


CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[oracles.gaussian],
    findings=[
        Values("number", "exp(−distance²/2σ²) for a single number, σ = 1", 1.25),
        Values("width", "σ sets the width, given by position or by name", 1.25),
        Values("shape", "arrays of any shape, each entry on its own", 2.0, about=("afterwards", "cut")),
        Values("dtype", "whole numbers and float32 distances work"),
        Claim(("shape", "dtype"), "the result is a NumPy array", 0.5, in_numpy),
    ],
    mistakes=MISTAKES,
    kinds=[
        Only(
            "sigma has no default",
            "Your function cannot be called without σ: give the argument its default, sigma=1.0.",
            lambda case: case["sigma_given"] == "by default",
        ),
        Only(
            "single numbers only",
            "Your function works for a single number, but not for an array. NumPy's functions work "
            "on arrays entry by entry; those of the module math do not.",
            lambda case: np.ndim(case["distance"]) > 0,
        ),
    ],
)

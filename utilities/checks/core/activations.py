"""Non-linearities: those that do as well as GELU, those that do not, and which one was used."""

from collections.abc import Iterable
from functools import partial

import numpy as np

from utilities.checks.core.oracles import Step, gelu, sigmoid
from utilities.checks.kernel.shared import GRID

CLOSE = 5e-5  # on the grid: more than rounding, less than between a function and its fast form


def linear(x: np.ndarray) -> np.ndarray:
    return x


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def silu(x: np.ndarray) -> np.ndarray:
    return x * sigmoid(x)


def fast_gelu(x: np.ndarray) -> np.ndarray:
    """Return GELU as its tanh form approximates it (Hendrycks and Gimpel, 2016)."""
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def _faster_gelu(x: np.ndarray) -> np.ndarray:
    return x * sigmoid(1.702 * x)


def _elu(x: np.ndarray, scale: float = 1.0, alpha: float = 1.0) -> np.ndarray:
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _mish(x: np.ndarray) -> np.ndarray:
    return x * np.tanh(np.logaddexp(x, 0))


def _leaky_relu(x: np.ndarray, slope: float) -> np.ndarray:
    return np.where(x > 0, x, slope * x)


GELU: tuple[Step, ...] = (gelu, fast_gelu, _faster_gelu)
OTHERS: dict[
    str, tuple[Step, ...]
] = {  # accepted in place of GELU: they are rectified or smooth forms of it
    "ReLU": (relu,),
    "swish": (silu,),
    "ELU": (_elu,),
    "SELU": (partial(_elu, scale=1.05070098, alpha=1.67326324),),
    "Mish": (_mish,),
    "leaky ReLU": tuple(partial(_leaky_relu, slope=slope) for slope in (0.3, 0.2, 0.1, 0.01)),
}
ACCEPTED: tuple[Step, ...] = (*GELU, *(step for steps in OTHERS.values() for step in steps))
MIXED: tuple[Step, ...] = (gelu, fast_gelu, relu)  # what one model may have in different places
SATURATING: tuple[Step, ...] = (sigmoid, np.tanh)


def used(on_grid: np.ndarray, among: Iterable[Step] = ACCEPTED) -> list[Step]:
    """Return those non-linearities that were seen in a model.

    on_grid: what `kernel.models.non_linearities` found, (number, len(GRID)).
    """
    return [f for f in among if any(np.allclose(row, f(GRID), atol=CLOSE) for row in on_grid)]


def closest(candidates: Iterable[np.ndarray], observed: np.ndarray) -> np.ndarray:
    """Return the first candidate that is as good as equal or, failing that, the nearest.

    Raises ValueError where there is none.
    """
    nearest, smallest = None, np.inf
    for candidate in candidates:
        if candidate.shape != observed.shape:
            return candidate
        distance = float(np.abs(candidate - observed).max())
        if nearest is None or distance < smallest:
            nearest, smallest = candidate, distance
        if smallest <= 5e-6:
            break
    if nearest is None:
        raise ValueError("there is no candidate")
    return nearest

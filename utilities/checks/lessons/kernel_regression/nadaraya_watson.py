"""Nadaraya-Watson kernel regression: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Only, Values
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons.kernel_regression.gaussian import NARROW, WIDE, draw_width, in_numpy

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw a simple regression, several dimensions, other kernels and widths, and float32."""
    drawn = [
        _case(rng, "simple", 1, 5, 1, 2),
        _case(rng, "simple", 4, 6, 1, 3),
        _case(rng, "dimensions", 4, 7, 3, 2),
        _case(rng, "dimensions", 6, 3, 2, 1),
        _case(rng, "kernel", 5, 6, 1, 2, "exponential"),
        _case(rng, "kernel", 4, 6, 2, 3, "exponential"),
        _case(rng, "kernel", 3, 4, 5, 2, "cauchy"),
        _case(rng, "width", 5, 4, 3, 2, "gaussian", "by position", WIDE),
        _case(rng, "width", 4, 6, 2, 3, "exponential", "by name", NARROW),
        _case(rng, "width", 3, 5, 2, 4, "cauchy", "by name", WIDE),
        _case(rng, "float32", 4, 5, 2, 3, "cauchy", "by name", WIDE, np.float32),
    ]
    if thorough:
        for kernel in ("gaussian", "exponential", "cauchy"):
            for width in (NARROW, WIDE):
                n_q, n_k, d, d_v = (int(length) for length in rng.permutation(np.arange(2, 10))[:4])
                drawn.append(_case(rng, "width", n_q, n_k, d, d_v, kernel, "by name", width))
    return drawn


def _case(
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
    """Return queries and keys about one width apart, so that every key counts."""
    sigma = draw_width(rng, width)
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


# --- the formula -----------------------------------------------------------------------------------


def formula(case: Case, seen: Observation, *, alone: bool = False, **settings: Any) -> Arrays:
    """Return weights and prediction, or the prediction alone; other settings are the oracle's."""
    q, k, v = (case[name].astype(np.float64) for name in "qkv")
    kernel = oracles.KERNELS[case["kernel"]]
    prediction, weights = oracles.nadaraya_watson(q, k, v, kernel, case["sigma"], **settings)
    return (
        {"prediction": prediction}
        if alone
        else {"attention_weights": weights, "prediction": prediction}
    )


# --- the mistakes ----------------------------------------------------------------------------------


def _over(axis: int | tuple[int, ...]) -> oracles.Step:
    return lambda closeness: closeness / closeness.sum(axis=axis, keepdims=True)


def _of_distance(distance: Callable) -> Callable:
    """Return the closeness of another distance, (q, k) → (n_q, n_k)."""
    return lambda q, k, kernel, sigma: kernel(distance(q, k), sigma)


def _of_differences(reduce: oracles.Step) -> Callable:
    """Return the closeness of the distance that a function of the differences (n_q, n_k, d) gives."""
    return _of_distance(lambda q, k: reduce(q[:, None] - k[None]))


def _in_each_dimension(combine: oracles.Step) -> Callable:
    """Return the kernel of each dimension (n_q, n_k, d), combined to (n_q, n_k)."""
    return lambda q, k, kernel, sigma: combine(kernel(np.abs(q[:, None] - k[None]), sigma))


MISTAKES = [
    Mistake(
        "weights not returned",
        "Your prediction is right, but it comes alone. Return two values: (prediction, "
        "attention_weights).",
        alone=True,
    ),
    Mistake(
        "normalised over queries",
        "Your weights sum to 1 over the queries. Each query shares its attention among the keys: "
        "each row of the weights must sum to 1.",
        normalise=_over(0),
    ),
    Mistake(
        "normalised over everything",
        "Your weights sum to 1 over all queries and keys together. Each query shares its attention "
        "among the keys: each row of the weights must sum to 1.",
        normalise=_over((0, 1)),
    ),
    Mistake(
        "not normalised",
        "Your weights do not sum to 1: you weigh the values with the kernel as it is. A weighted "
        "mean is divided by the sum of its weights.",
        normalise=lambda closeness: closeness,
    ),
    Mistake(
        "weights returned before normalising",
        "Your prediction is right, but the weights you return are the kernel's values before "
        "normalising. Return the weights that the prediction is made with.",
        returns=lambda prediction, weights, closeness: (prediction, closeness),
    ),
    Mistake(
        "sum in place of mean",
        "Your weights are right, but the prediction sums the values with weights that are not "
        "normalised. Use the weights that you return.",
        average=lambda weights, closeness, k, v: closeness @ v,
    ),
    Mistake(
        "divided by the number of keys",
        "You divide by the number of keys. A weighted mean is divided by the sum of its weights, and "
        "by nothing else.",
        {"average": lambda weights, closeness, k, v: weights @ v / len(k)},
        {"normalise": lambda closeness: closeness / closeness.shape[1]},
    ),
    Mistake(
        "weights transposed",
        "Your weights have one row per key. They belong the other way round: one row per query, "
        "shape (n_q, n_k).",
        returns=lambda prediction, weights, closeness: (prediction, weights.T),
    ),
    Mistake(
        "results swapped",
        "You return the weights first. The order is (prediction, attention_weights).",
        returns=lambda prediction, weights, closeness: (weights, prediction),
    ),
    Mistake(
        "keys used as values",
        "Your prediction averages the keys. The keys say where a value was measured; the values "
        "are what is averaged.",
        average=lambda weights, closeness, k, v: weights @ k,
    ),
    Mistake(
        "summed over the values",
        "Your prediction is the sum over the entries of a value. Each query gets a value of its own, "
        "with all its entries: (n_q, d_v).",
        returns=lambda prediction, weights, closeness: (prediction.sum(axis=-1), weights),
    ),
    Mistake(
        "softmax of the kernel",
        "Your weights are the softmax of the kernel's values, so the exponential is taken twice. "
        "The kernel's values are weights already, they need only be normalised.",
        normalise=oracles.softmax,
    ),
    Mistake(
        "nearest key only",
        "Your prediction is the value of the nearest key alone. Every key counts, "
        "the near ones more than the far ones.",
        average=lambda weights, closeness, k, v: v[closeness.argmax(axis=-1)],
    ),
    Mistake(
        "squared distance",
        "You hand the squared distance to the kernel. The kernel expects a distance: "
        "what is still to be done after summing the squares?",
        closeness=_of_distance(lambda q, k: np.square(oracles.euclidean(q, k))),
    ),
    Mistake(
        "signed differences",
        "You hand q − k with its sign to the kernel. A distance is never negative, and differences "
        "in several dimensions must not cancel: not every kernel is symmetric as the Gaussian is.",
        closeness=_of_differences(lambda difference: difference.sum(axis=-1)),
    ),
    Mistake(
        "Manhattan distance",
        "You sum the absolute differences (the Manhattan distance). The Euclidean distance is "
        "expected, the length of the straight line.",
        closeness=_of_differences(lambda difference: np.abs(difference).sum(axis=-1)),
    ),
    Mistake(
        "averaged over dimensions",
        "You average over the dimensions. The Euclidean distance sums the squares of the differences "
        "and takes the root.",
        {"closeness": _of_differences(lambda d: np.sqrt(np.square(d).mean(axis=-1)))},
        {"closeness": _of_differences(lambda d: np.abs(d).mean(axis=-1))},
    ),
    Mistake(
        "largest difference only",
        "Your distance is the largest difference in any dimension. The Euclidean distance counts "
        "them all.",
        closeness=_of_differences(lambda difference: np.abs(difference).max(axis=-1)),
    ),
    Mistake(
        "first dimension only",
        "Your distance looks at the first dimension alone. Queries and keys have d dimensions: "
        "the Euclidean distance counts them all.",
        closeness=_of_differences(lambda difference: np.abs(difference[..., 0])),
    ),
    Mistake(
        "kernel for each dimension",
        "You apply the kernel in each dimension and combine the results, which is the same for "
        "products of the Gaussian alone. Work out the distance first, then apply the kernel once.",
        {"closeness": _in_each_dimension(lambda closeness: closeness.prod(axis=-1))},
        {"closeness": _in_each_dimension(lambda closeness: closeness.sum(axis=-1))},
    ),
    Mistake(
        "dot product for distance",
        "You hand the dot product of query and key to the kernel. It grows where they are alike; "
        "a distance shrinks. (The dot product has its turn in the next section.)",
        closeness=_of_distance(lambda q, k: q @ k.T),
    ),
    Mistake(
        "kernel ignored",
        "Your result is right for the Gaussian kernel only: use the kernel that you are given.",
        closeness=lambda q, k, kernel, sigma: oracles.gaussian(oracles.euclidean(q, k), sigma),
    ),
    Mistake(
        "sigma ignored",
        "Your result does not change with σ: the kernel never receives it.",
        closeness=lambda q, k, kernel, sigma: kernel(oracles.euclidean(q, k), 1.0),
    ),
    Mistake(
        "sigma applied twice",
        "You divide the distance by σ and then give σ to the kernel as well. The kernel does it.",
        closeness=lambda q, k, kernel, sigma: kernel(oracles.euclidean(q, k) / sigma, sigma),
    ),
]

CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[oracles.nadaraya_watson],
    findings=[
        Values("simple", "a weighted mean of the values, for queries and keys on a line", 2.0),
        Values("dimensions", "Euclidean distance in several dimensions"),
        Values("kernel", "any kernel can be given"),
        Values("width", "σ reaches the kernel"),
        Values("float32", "float32 works"),
        Claim(("simple", "float32"), "the results are NumPy arrays", 0.5, in_numpy),
    ],
    mistakes=MISTAKES,
    kinds=[
        Only(
            "one dimension only",
            "Your code works for queries and keys on a line, but not in several dimensions.",
            lambda case: case["q"].shape[1] > 1,
        ),
    ],
    depth=4,  # distance, kernel, normalisation, prediction
)

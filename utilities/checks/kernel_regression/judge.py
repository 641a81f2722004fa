"""Judge kernel regression: the formulas, and the mistakes people make with them."""

from collections.abc import Callable, Sequence

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.judging import Mistake, Oracle, Stage, Values, judge_stages
from utilities.checks.core.report import Finding

# (closeness, weights, k, v) → (weights, prediction)
Finish = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
REGRESSION_DEPTH = 4  # distance, kernel, normalisation, prediction


def gaussian(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the kernel's values, stage by stage."""
    stages = [
        Stage("number", "exp(−distance²/2σ²) for a single number, σ = 1"),
        Stage("width", "σ sets the width, given by position or by name"),
        Stage("shape", "arrays of any shape, each entry on its own", 2.0),
        Stage("dtype", "whole numbers and float32 distances work"),
    ]
    return judge_stages(cases, observations, stages, _kernel(oracles.gaussian), GAUSSIAN_MISTAKES)


def nadaraya_watson(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge prediction and weights, stage by stage."""
    stages = [
        Stage("simple", "a weighted mean of the values, for queries and keys on a line"),
        Stage("dimensions", "Euclidean distance in several dimensions"),
        Stage("kernel", "any kernel can be given"),
        Stage("width", "σ reaches the kernel"),
        Stage("float32", "float32 works"),
    ]
    return judge_stages(
        cases, observations, stages, _regression(), REGRESSION_MISTAKES, REGRESSION_DEPTH
    )


def _kernel(formula: Callable) -> Oracle:
    """Return the oracle that applies `formula(distance, sigma)` to the case."""

    def oracle(case: Case, _: Observation) -> Values:
        value = formula(np.asarray(case["distance"], np.float64), float(case["sigma"]))
        return {"kernel_value": np.asarray(value)}

    return oracle


def _rounded_to_integers(case: Case, _: Observation) -> Values:
    """Return the right values, cut to whole numbers where the distances are whole numbers."""
    value = oracles.gaussian(np.asarray(case["distance"], np.float64), case["sigma"])
    whole = np.asarray(case["distance"]).dtype.kind == "i"
    return {"kernel_value": np.trunc(value) if whole else value}


def _cut_to_zero(case: Case, observation: Observation) -> Values:
    """Return the right values, but zero wherever a zero was observed."""
    value = oracles.gaussian(np.asarray(case["distance"], np.float64), case["sigma"])
    observed = observation["kernel_value"]
    same_shape = observed.shape == value.shape
    return {"kernel_value": np.where(observed == 0, 0.0, value) if same_shape else value}


GAUSSIAN_MISTAKES = [
    Mistake(
        "distance not squared",
        "Your exponent holds the distance itself, not its square. A Gaussian is flat at its top; "
        "is yours, or has it a peak?",
        _kernel(lambda d, s: oracles.gaussian(np.sqrt(d), s)),
    ),
    Mistake(
        "sigma not squared",
        "Your exponent divides by 2σ, not by 2σ². The exponent must not change when distances and "
        "σ are given in centimetres in place of metres: does yours?",
        _kernel(lambda d, s: oracles.gaussian(d, np.sqrt(s))),
    ),
    Mistake(
        "factor 2 missing",
        "Your exponent is −distance²/σ²: the 2 below the fraction bar is missing.",
        _kernel(lambda d, s: oracles.gaussian(d, s / np.sqrt(2))),
    ),
    Mistake(
        "2 squared with sigma",
        "Your exponent divides by (2σ)²: only σ is squared, the 2 is not. Check your brackets.",
        _kernel(lambda d, s: oracles.gaussian(d, np.sqrt(2) * s)),
    ),
    Mistake(
        "sigma multiplies",
        "Your exponent is multiplied by σ², so a larger σ makes the curve narrower. In Python, "
        "a / b * c means (a / b) * c: put the whole denominator in brackets.",
        _kernel(lambda d, s: oracles.gaussian(d, 1 / s)),
    ),
    Mistake(
        "minus missing",
        "Your values grow with the distance: a minus sign is missing in the exponent. "
        "What is near must weigh more than what is far.",
        _kernel(lambda d, s: 1 / oracles.gaussian(d, s)),
    ),
    Mistake(
        "exp missing",
        "You return the exponent itself: the exponential function is missing.",
        _kernel(lambda d, s: np.log(oracles.gaussian(d, s))),
    ),
    Mistake(
        "sigma ignored",
        "Your result is the same for every σ: you compute with σ = 1.",
        _kernel(lambda d, s: oracles.gaussian(d, 1.0)),
    ),
    Mistake(
        "density normalised",
        "You divide by σ√(2π), which makes a probability density. The kernel is 1 at distance 0: "
        "its size cancels later, when the weights are normalised.",
        _kernel(lambda d, s: oracles.gaussian(d, s) / (s * np.sqrt(2 * np.pi))),
    ),
    Mistake(
        "density normalised",
        "You divide by √(2πσ) or √(2π), as for a probability density. The kernel is 1 at distance "
        "0: its size cancels later, when the weights are normalised.",
        _kernel(lambda d, s: oracles.gaussian(d, s) / np.sqrt(2 * np.pi * s)),
    ),
    Mistake(
        "density normalised",
        "You divide by √(2π), as for a probability density. The kernel is 1 at distance 0: "
        "its size cancels later, when the weights are normalised.",
        _kernel(lambda d, s: oracles.gaussian(d, s) / np.sqrt(2 * np.pi)),
    ),
    Mistake(
        "normalised to sum 1",
        "Your values are divided by their sum. The kernel looks at each distance on its own; the "
        "weights are normalised in the next step.",
        _kernel(lambda d, s: oracles.gaussian(d, s) / oracles.gaussian(d, s).sum()),
    ),
    Mistake(
        "summed",
        "You return the sum of the values. Each distance has its own value: the result has the "
        "shape of `distance`.",
        _kernel(lambda d, s: oracles.gaussian(d, s).sum()),
    ),
    Mistake(
        "exponential kernel",
        "Your values are exp(−distance/σ), a kernel with a peak at 0. The Gaussian falls with the "
        "square of the distance.",
        _kernel(oracles.exponential),
    ),
    Mistake(
        "one minus kernel",
        "Your values are 1 minus the kernel: 0 at distance 0, near 1 far away. What is near must "
        "weigh more than what is far.",
        _kernel(lambda d, s: 1 - oracles.gaussian(d, s)),
    ),
    Mistake(
        "cut to whole numbers",
        "For distances that are whole numbers your values are cut to whole numbers too. The result "
        "needs a floating-point type: which array do you write it into?",
        _rounded_to_integers,
    ),
    Mistake(
        "cut to zero",
        "You set far distances to 0. The Gaussian never reaches 0: leave its tails.",
        _cut_to_zero,
    ),
]


def _regression(
    distance: oracles.Distance = oracles.euclidean,
    apply: Callable | None = None,
    finish: Finish | None = None,
) -> Oracle:
    """Return the oracle of the regression, right or wrong in the given way.

    distance: (q, k) → distances (n_q, n_k).
    apply: (kernel, distances, sigma) → closeness (n_q, n_k), in place of kernel(distances, sigma).
    finish: (closeness, weights, k, v) → (weights, prediction), in place of the right last step.
    """

    def oracle(case: Case, _: Observation) -> Values:
        q, k, v = (case[name].astype(np.float64) for name in "qkv")
        kernel, sigma = oracles.KERNELS[case["kernel"]], case["sigma"]
        used = kernel if apply is None else lambda d, s: apply(kernel, d, s)
        prediction, weights = oracles.nadaraya_watson(q, k, v, used, sigma, distance)
        if finish:
            weights, prediction = finish(used(distance(q, k), sigma), weights, k, v)
        return {"attention_weights": weights, "prediction": prediction}

    return oracle


def _each_dimension(combine: Callable) -> Oracle:
    """Return the oracle that applies the kernel to each dimension and combines the results."""

    def oracle(case: Case, _: Observation) -> Values:
        q, k, v = (case[name].astype(np.float64) for name in "qkv")
        kernel = oracles.KERNELS[case["kernel"]]
        closeness = combine(kernel(np.abs(q[:, None] - k[None]), case["sigma"]))  # (n_q, n_k)
        weights = closeness / closeness.sum(axis=-1, keepdims=True)
        return {"attention_weights": weights, "prediction": weights @ v}

    return oracle


def _normalised(axis: int | tuple[int, ...]) -> Finish:
    """Return the last step with the closeness normalised over the given axis."""

    def finish(
        closeness: np.ndarray, _: np.ndarray, k: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        weights = closeness / closeness.sum(axis=axis, keepdims=True)
        return weights, weights @ v

    return finish


def _of_differences(reduce: Callable) -> oracles.Distance:
    """Return the distance that a function of the differences (n_q, n_k, d) gives."""
    return lambda q, k: reduce(q[:, None] - k[None])


REGRESSION_MISTAKES = [
    Mistake(
        "normalised over queries",
        "Your weights sum to 1 over the queries. Each query shares its attention among the keys: "
        "each row of the weights must sum to 1.",
        _regression(finish=_normalised(0)),
    ),
    Mistake(
        "normalised over everything",
        "Your weights sum to 1 over all queries and keys together. Each query shares its attention "
        "among the keys: each row of the weights must sum to 1.",
        _regression(finish=_normalised((0, 1))),
    ),
    Mistake(
        "not normalised",
        "Your weights do not sum to 1: you weigh the values with the kernel as it is. A weighted "
        "mean is divided by the sum of its weights.",
        _regression(finish=lambda c, w, k, v: (c, c @ v)),
    ),
    Mistake(
        "weights returned before normalising",
        "Your prediction is right, but the weights you return are the kernel's values before "
        "normalising. Return the weights that the prediction is made with.",
        _regression(finish=lambda c, w, k, v: (c, w @ v)),
    ),
    Mistake(
        "sum in place of mean",
        "Your weights are right, but the prediction sums the values with weights that are not "
        "normalised. Use the weights that you return.",
        _regression(finish=lambda c, w, k, v: (w, c @ v)),
    ),
    Mistake(
        "divided by the number of keys",
        "Your prediction is divided by the number of keys, although the weights already sum to 1: "
        "a weighted sum of the values is then their mean.",
        _regression(finish=lambda c, w, k, v: (w, w @ v / len(k))),
    ),
    Mistake(
        "divided by the number of keys",
        "Your weights are divided by the number of keys. Divide by the sum of the kernel's values.",
        _regression(finish=lambda c, w, k, v: (c / len(k), c @ v / len(k))),
    ),
    Mistake(
        "weights transposed",
        "Your weights have one row per key. They belong the other way round: one row per query, "
        "shape (n_q, n_k).",
        _regression(finish=lambda c, w, k, v: (w.T, w @ v)),
    ),
    Mistake(
        "results swapped",
        "You return the weights first. The order is (prediction, attention_weights).",
        _regression(finish=lambda c, w, k, v: (w @ v, w)),
    ),
    Mistake(
        "keys used as values",
        "Your prediction averages the keys. The keys say where a value was measured; the values "
        "are what is averaged.",
        _regression(finish=lambda c, w, k, v: (w, w @ k)),
    ),
    Mistake(
        "softmax of the kernel",
        "Your weights are the softmax of the kernel's values, so the exponential is taken twice. "
        "The kernel's values are weights already, they need only be normalised.",
        _regression(finish=lambda c, w, k, v: (oracles.softmax(c), oracles.softmax(c) @ v)),
    ),
    Mistake(
        "nearest key only",
        "Your prediction is the value of the nearest key alone. Every key has a say, "
        "the near ones more than the far ones.",
        _regression(finish=lambda c, w, k, v: (w, v[c.argmax(axis=-1)])),
    ),
    Mistake(
        "squared distance",
        "You hand the squared distance to the kernel. The kernel expects a distance: "
        "what is still to be done after summing the squares?",
        _regression(distance=lambda q, k: np.square(oracles.euclidean(q, k))),
    ),
    Mistake(
        "signed differences",
        "You hand q − k with its sign to the kernel. A distance is never negative, and differences "
        "in several dimensions must not cancel: not every kernel is symmetric as the Gaussian is.",
        _regression(distance=_of_differences(lambda difference: difference.sum(axis=-1))),
    ),
    Mistake(
        "Manhattan distance",
        "You sum the absolute differences (the Manhattan distance). The Euclidean distance is "
        "expected, the length of the straight line.",
        _regression(distance=_of_differences(lambda difference: np.abs(difference).sum(axis=-1))),
    ),
    Mistake(
        "averaged over dimensions",
        "You average the squared differences over the dimensions before the root. The Euclidean "
        "distance sums them.",
        _regression(
            distance=_of_differences(lambda difference: np.sqrt(np.square(difference).mean(axis=-1)))
        ),
    ),
    Mistake(
        "averaged over dimensions",
        "You average the differences over the dimensions. The Euclidean distance sums their "
        "squares and takes the root.",
        _regression(distance=_of_differences(lambda difference: np.abs(difference).mean(axis=-1))),
    ),
    Mistake(
        "largest difference only",
        "Your distance is the largest difference in any dimension. The Euclidean distance counts "
        "them all.",
        _regression(distance=_of_differences(lambda difference: np.abs(difference).max(axis=-1))),
    ),
    Mistake(
        "first dimension only",
        "Your distance looks at the first dimension alone. Queries and keys have d dimensions: "
        "the Euclidean distance counts them all.",
        _regression(distance=_of_differences(lambda difference: np.abs(difference[..., 0]))),
    ),
    Mistake(
        "kernel for each dimension",
        "You apply the kernel in each dimension and multiply the results. That is the same for the "
        "Gaussian alone: work out the distance first, then apply the kernel once.",
        _each_dimension(lambda closeness: closeness.prod(axis=-1)),
    ),
    Mistake(
        "kernel for each dimension",
        "You apply the kernel in each dimension and sum or average the results. Work out the "
        "distance first, then apply the kernel once.",
        _each_dimension(lambda closeness: closeness.sum(axis=-1)),
    ),
    Mistake(
        "dot product for distance",
        "You hand the dot product of query and key to the kernel. It grows where they are alike; "
        "a distance shrinks. (The dot product has its turn in the next section.)",
        _regression(distance=lambda q, k: q @ k.T),
    ),
    Mistake(
        "kernel ignored",
        "Your result is right for the Gaussian kernel only: use the kernel that you are given.",
        _regression(apply=lambda kernel, d, s: oracles.gaussian(d, s)),
    ),
    Mistake(
        "sigma ignored",
        "Your result does not change with σ: the kernel never receives it.",
        _regression(apply=lambda kernel, d, s: kernel(d, 1.0)),
    ),
    Mistake(
        "sigma applied twice",
        "You divide the distance by σ and then give σ to the kernel as well. The kernel does it.",
        _regression(apply=lambda kernel, d, s: kernel(d / s, s)),
    ),
]

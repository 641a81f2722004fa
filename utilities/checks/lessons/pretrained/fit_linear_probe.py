"""A linear probe by ridge regression: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable
from functools import partial

import numpy as np

from utilities.checks.core.check import Arrays, Check, Mistake, Only, Values
from utilities.checks.core.tolerance import ROUNDING
from utilities.checks.kernel.case import Case, Observation

DEFAULT_PENALTY = 1.0
Pair = tuple[np.ndarray, np.ndarray]

# --- what goes in ----------------------------------------------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw features and labels: many samples, labels as columns, an unseen class, few samples."""
    draw = partial(_case, rng)
    drawn = [
        draw("many samples", 40, 3, 4, penalty=2.0),
        draw("many samples", 60, 5, 3, penalty=20.0),
        draw("default penalty", 24, 4, 3, penalty=None),
        draw("labels in a column", 30, 4, 3, penalty=5.0, column=True),
        draw("a class without samples", 32, 3, 5, penalty=3.0, unseen=True),
        draw("fewer samples than features", 7, 9, 3, penalty=4.0),
    ]
    for _ in range(3 * thorough):
        num_classes, d, n = (int(size) for size in np.sort(rng.permutation(np.arange(2, 30))[:3]))
        drawn.append(draw("many samples", n, d, num_classes, penalty=round(rng.uniform(2.0, 10.0), 1)))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    n: int,
    d: int,
    num_classes: int,
    penalty: float | None,
    column: bool = False,
    unseen: bool = False,
) -> Case:
    """Return features with a mean away from 0, each class at a place of its own."""
    seen = num_classes - 1 if unseen else num_classes  # the last class has no sample
    labels = rng.permutation(np.arange(n) % seen)
    centres = rng.normal(size=(num_classes, d))
    features = centres[labels] + rng.normal(size=(n, d)) + rng.uniform(0.5, 1.5, size=d)
    labels = labels.astype(np.uint8)
    return Case(
        stage,
        {
            "features": features.astype(np.float32),
            "labels": labels[:, np.newaxis] if column else labels,
            "num_classes": num_classes,
            "penalty": penalty,
        },
    )


# --- the formula -----------------------------------------------------------------------------------


def _one_hot(labels: np.ndarray, num_classes: int) -> np.ndarray:
    return np.eye(num_classes)[labels]


def _ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """Return the W (d, K) that minimises |xW − y|² + penalty·|W|²; x (n, d), y (n, K).

    Source: Hoerl and Kennard, "Ridge Regression", 1970.
    """
    return _solved(x, y, penalty * np.eye(x.shape[-1]))


def _solved(x: np.ndarray, y: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Return (xᵀx + penalties)⁻¹xᵀy, nan where many W solve it: libraries choose differently then."""
    gram = x.T @ x + penalties
    if np.linalg.matrix_rank(gram) < len(gram):
        return np.full((x.shape[-1], y.shape[-1]), np.nan)
    return np.linalg.solve(gram, x.T @ y)


def _centred(x: np.ndarray, y: np.ndarray, penalty: float) -> Pair:
    """Return W of the centred fit, and the bias that belongs to it."""
    weights = _ridge(x - x.mean(axis=0), y - y.mean(axis=0), penalty)
    return weights, y.mean(axis=0) - x.mean(axis=0) @ weights


def formula(
    case: Case,
    seen: Observation,
    *,
    targets: Callable[[np.ndarray, int], np.ndarray] = _one_hot,
    scale: Callable[[np.ndarray], np.ndarray] = lambda x: x,
    fit: Callable[[np.ndarray, np.ndarray, float], Pair] = _centred,
    strength: Callable[[float, int], float] = lambda penalty, n: penalty,
    default: Callable[..., float] = lambda x, y, seen: DEFAULT_PENALTY,
    bias: Callable[[np.ndarray, np.ndarray, Pair], np.ndarray] = lambda x, y, fitted: fitted[1],
    returns: Callable[[np.ndarray, np.ndarray], Pair] = lambda weights, bias: (weights, bias),
) -> Arrays:
    """Return weights (d, K) and bias (K,) of features (n, d), the bias left free.

    The settings, in the order in which they act: the targets, what is done to the features, what is
    fitted, how the penalty acts (with n samples), what it is if it is not given, the bias in the
    end, and what is returned.
    """
    x, labels = scale(case["features"].astype(np.float64)), np.ravel(case["labels"])
    y = targets(labels, case["num_classes"])
    penalty = default(x, y, seen) if case["penalty"] is None else case["penalty"]
    fitted = fit(x, y, strength(penalty, len(x)))
    weights, intercept = returns(fitted[0], bias(x, y, fitted))
    return {"weights": weights, "bias": intercept}


def depth(case: Case) -> float:
    """Return how far float32 may go astray: as far as the matrix is ill conditioned."""
    x = case["features"].astype(np.float64)
    columns = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    penalty = DEFAULT_PENALTY if case["penalty"] is None else case["penalty"]
    gram = columns.T @ columns + np.diag([penalty] * x.shape[1] + [0.0])
    return float(max(ROUNDING, np.linalg.cond(gram) / ROUNDING))


# --- the mistakes ----------------------------------------------------------------------------------


def _bias_penalised(x: np.ndarray, y: np.ndarray, penalty: float) -> Pair:
    solution = _ridge(np.concatenate([x, np.ones((len(x), 1))], axis=1), y, penalty)
    return solution[:-1], solution[-1]


def _penalty_everywhere(x: np.ndarray, y: np.ndarray, penalty: float) -> Pair:
    weights = _solved(x - x.mean(axis=0), y, np.array(penalty))
    return weights, y.mean(axis=0) - x.mean(axis=0) @ weights


def _through_zero(x: np.ndarray, y: np.ndarray, penalty: float) -> Pair:
    return _ridge(x, y, penalty), np.zeros(y.shape[-1])


def _uncentred(x: np.ndarray, y: np.ndarray, penalty: float) -> Pair:
    """Fit features that are not centred, with the bias of centred ones."""
    weights = _ridge(x, y, penalty)
    return weights, y.mean(axis=0) - x.mean(axis=0) @ weights


def _targets_centred_alone(x: np.ndarray, y: np.ndarray, penalty: float) -> Pair:
    weights, bias = _uncentred(x, y - y.mean(axis=0), penalty)
    return weights, bias + y.mean(axis=0)


def _mean_target(x: np.ndarray, y: np.ndarray, fitted: Pair) -> np.ndarray:
    return y.mean(axis=0)


def _of_the_mean_features(x: np.ndarray, fitted: Pair) -> np.ndarray:
    return x.mean(axis=0) @ fitted[0]


def _observed_penalty(x: np.ndarray, y: np.ndarray, seen: Observation) -> float:
    """Return the penalty that the observed weights W fit best: XᵀY − XᵀXW = penalty·W, all centred."""
    weights = seen.values.get("weights", np.zeros(0))
    if weights.shape != (x.shape[-1], y.shape[-1]) or not np.any(weights):
        return DEFAULT_PENALTY
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return float(np.sum(weights * (x.T @ (y - x @ weights))) / np.sum(weights**2))


def _classes_that_occur(labels: np.ndarray, num_classes: int) -> np.ndarray:
    return np.eye(int(labels.max()) + 1)[labels]


def _standardised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _unit_length(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


MISTAKES = [
    Mistake(
        "bias penalised",
        "Your bias is penalised along with the weights. It only moves all scores of a class up or "
        "down, and is to be left free.",
        fit=_bias_penalised,
    ),
    Mistake(
        "no bias",
        "Your fit has no bias: its lines all go through 0, but the features' mean is not 0.",
        fit=_through_zero,
    ),
    Mistake(
        "bias fitted apart",
        "Your weights are fitted as if there were no bias, and the bias is put in afterwards. The "
        "two depend on each other: centre features and targets first.",
        {"fit": _through_zero, "bias": _mean_target},
        {"fit": _uncentred},
        {"fit": _targets_centred_alone},
        {"fit": _targets_centred_alone, "bias": _mean_target},
    ),
    Mistake(
        "bias without the features' mean",
        "Your weights are right. The bias is not: the features were centred for the fit, but those "
        "that the probe will see are not. What has to be taken off?",
        bias=_mean_target,
    ),
    Mistake(
        "bias without the targets' mean",
        "Your weights are right. The bias is not: at the mean of the features the scores have to be "
        "the mean of the targets, not 0.",
        bias=lambda x, y, fitted: -_of_the_mean_features(x, fitted),
    ),
    Mistake(
        "bias forgotten",
        "Your weights are right, but the bias is 0. At the mean of the features the scores have to "
        "be the mean of the targets.",
        bias=lambda x, y, fitted: np.zeros(y.shape[-1]),
    ),
    Mistake(
        "sign of the bias",
        "Your weights are right, but a sign in the bias is not: the mean features times W are taken "
        "off the mean targets.",
        {"bias": lambda x, y, fitted: y.mean(axis=0) + _of_the_mean_features(x, fitted)},
        {"bias": lambda x, y, fitted: _of_the_mean_features(x, fitted) - y.mean(axis=0)},
    ),
    Mistake(
        "no penalty",
        "Your fit equals that without a penalty.",
        strength=lambda penalty, n: 0.0,
    ),
    Mistake(
        "penalty ignored",
        "Your penalty is 1 whatever is given: the argument is not used.",
        strength=lambda penalty, n: 1.0,
    ),
    Mistake(
        "penalty times n",
        "Your penalty acts n times as strongly as asked: it belongs to the sum of the squared "
        "errors, not to their mean.",
        strength=lambda penalty, n: penalty * n,
    ),
    Mistake(
        "penalty over n",
        "Your penalty acts n times more weakly than asked: the Gram matrix is a sum over samples.",
        strength=lambda penalty, n: penalty / n,
    ),
    Mistake("penalty squared", "Your penalty is squared.", strength=lambda penalty, n: penalty**2),
    Mistake(
        "root of the penalty",
        "Your penalty acts as its root. Rows that are added to the features have the root of the "
        "penalty on their diagonal, the Gram matrix the penalty itself.",
        strength=lambda penalty, n: penalty**0.5,
    ),
    Mistake(
        "penalty halved",
        "Your penalty acts half as strongly as asked: look at the factors 2 of the derivative.",
        strength=lambda penalty, n: penalty / 2,
    ),
    Mistake(
        "penalty doubled",
        "Your penalty acts twice as strongly as asked: look at the factors 2 of the derivative.",
        strength=lambda penalty, n: penalty * 2,
    ),
    Mistake(
        "penalty subtracted",
        "Your penalty is subtracted from the Gram matrix.",
        strength=lambda penalty, n: -penalty,
    ),
    Mistake(
        "penalty added to every entry",
        "You add the penalty to every entry of the Gram matrix. It belongs on the diagonal: what is it "
        "multiplied by?",
        fit=_penalty_everywhere,
    ),
    Mistake(
        "wrong default",
        "Where no penalty is given, it is 1.",
        default=_observed_penalty,
        unseen="it is read off what was observed: the catalogue shows it",
    ),
    Mistake(
        "targets of −1 and 1",
        "Your targets are −1 and 1; 0 and 1 (one-hot) are asked for.",
        targets=lambda labels, num_classes: 2 * _one_hot(labels, num_classes) - 1,
    ),
    Mistake(
        "numbers of the classes as targets",
        "Your targets are the numbers of the classes, as if class 2 were twice class 1. Each class has "
        "a column of its own, 1 for its samples and 0 for all others.",
        targets=lambda labels, num_classes: labels[:, np.newaxis].astype(np.float64),
    ),
    Mistake(
        "classes that occur",
        "Your targets have a column for the classes that occur among the labels. num_classes says how "
        "many there are, even if one of them does not occur.",
        targets=_classes_that_occur,
    ),
    Mistake(
        "features standardised",
        "Your weights belong to features that were divided by their standard deviation; the probe "
        "will see features that were not.",
        scale=_standardised,
    ),
    Mistake(
        "features of length 1",
        "Your weights belong to features that were divided by their length; the probe will see "
        "features that were not.",
        scale=_unit_length,
    ),
    Mistake(
        "weights transposed",
        "Your weights have a row per class. They belong the other way round: features @ weights gives "
        "the scores, shape (d, K).",
        returns=lambda weights, bias: (weights.T, bias),
    ),
    Mistake(
        "bias in a row of its own",
        "Your bias has two axes. It is one number per class, shape (K,).",
        {"returns": lambda weights, bias: (weights, bias[np.newaxis])},
        {"returns": lambda weights, bias: (weights, bias[:, np.newaxis])},
    ),
    Mistake(
        "results swapped",
        "You return the bias first. The order is (weights, bias).",
        returns=lambda weights, bias: (bias, weights),
    ),
]
CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values("many samples", "weights and bias of the least penalised squared error", 2.0),
        Values("default penalty", "a penalty of 1 where none is given", about=("default",)),
        Values("labels in a column", "labels of shape (n, 1), as CIFAR-10 has them"),
        Values("a class without samples", "a column for every class, also for one never seen"),
        Values("fewer samples than features", "fewer samples than features"),
    ],
    mistakes=MISTAKES,
    kinds=[
        Only(
            "labels in a row only",
            "Your code works for labels of shape (n,) alone. CIFAR-10 has them in a column, (n, 1): "
            "bring them into one row first.",
            lambda case: case["labels"].ndim == 2,
        ),
        Only(
            "enough samples only",
            "Your code works only where there are more samples than features. The penalty makes the "
            "matrix invertible for any number: what is divided or solved without it?",
            lambda case: len(case["features"]) < case["features"].shape[1],
        ),
    ],
    depth=depth,
)

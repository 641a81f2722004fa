"""The most probable classes: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable
from functools import partial

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Mistake, Remark, Sign, Values
from utilities.checks.core.oracles import Step, softmax
from utilities.checks.core.tolerance import ROUNDING
from utilities.checks.kernel.case import Case, Observation

LARGE = 1000.0  # the exponential of it is infinite, that of its negative 0, in float64 too
Pair = tuple[np.ndarray, np.ndarray]

# --- what goes in ----------------------------------------------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw logits of one image and of several, for several k, large ones, and many classes."""
    draw = partial(_case, rng)
    drawn = [
        draw("one image", 1, 7, k=1),
        draw("one image", 1, 6, k=3),
        draw("images", 3, 7, k=4),
        draw("images", 4, 12, k=2),
        draw("five", 2, 8, k=None),
        draw("all classes", 2, 6, k=6),
        draw("large logits", 2, 6, k=3, shifts=[LARGE, LARGE]),
        draw("far apart", 3, 6, k=3, shifts=[0.0, -LARGE, -0.1]),
        draw("many classes", 1, 1000, k=400),  # so many that none but a sorted choice is in order
    ]
    for _ in range(3 * thorough):
        batch, k, num_classes = (int(n) for n in np.sort(rng.permutation(np.arange(2, 15))[:3]))
        drawn.append(draw("images", batch, num_classes, k=k))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    num_classes: int,
    k: int | None,
    shifts: list[float] | None = None,
) -> Case:
    """Return logits, no two of which are close; the order of each image tells ranks from classes."""
    rows: list[np.ndarray] = []
    while len(rows) < batch:
        jitter = rng.uniform(
            0, 0.2 / num_classes, num_classes
        )  # so that no two images have a logit alike
        rows.append(rng.permutation(np.linspace(-1.5, 2.0, num_classes) + jitter))
        order = _best_first(rows[-1])
        if np.array_equal(order[:k], np.argsort(order)[:k]):
            rows.pop()
    logits = np.stack(rows) + np.array(shifts or [0.0] * batch)[:, np.newaxis]
    return Case(stage, {"logits": logits.astype(np.float32), "k": k})


def depth(case: Case) -> float:
    """Return how far rounding reaches: a logarithm that is taken off is as exact as it is large."""
    return 1.0 + float(np.abs(case["logits"]).max()) / ROUNDING


# --- the formula -----------------------------------------------------------------------------------


def _best_first(logits: np.ndarray) -> np.ndarray:
    return np.argsort(-logits, axis=-1, kind="stable")


def _first_of(order: np.ndarray, probabilities: np.ndarray, k: int) -> Pair:
    classes = order[:, :k]
    return classes, np.take_along_axis(probabilities, classes, axis=-1)


def formula(
    case: Case,
    seen: Observation,
    *,
    images: Step = lambda logits: logits,
    probabilities: Step = softmax,
    order: Step = _best_first,
    choose: Callable[[np.ndarray, np.ndarray, int], Pair] = _first_of,
    number: Callable[[int, np.ndarray], int] = lambda k, logits: k,
    default: Callable[[Observation], int] = lambda seen: 5,
    arrange: Callable[[Pair, Observation], Pair] = lambda pair, seen: pair,
    returns: Callable[[np.ndarray, np.ndarray], Pair] = lambda classes, values: (classes, values),
) -> Arrays:
    """Return the k most probable classes of logits (B, K), best first, and their probabilities.

    The settings, in the order in which they act: which images, what makes probabilities of logits,
    how the classes are sorted, how k of them are chosen, how many, how many if it is not said, in
    which order they are returned, and as what.
    """
    logits = images(case["logits"].astype(np.float64))  # (B, K)
    k = number(default(seen) if case["k"] is None else case["k"], logits)
    pair = choose(order(logits), probabilities(logits), k)
    classes, values = returns(*arrange(pair, seen))
    return {"classes": classes, "probabilities": values}


# --- the mistakes ----------------------------------------------------------------------------------


_softmax_of_images = partial(softmax, axis=0)


def _best_of_images_first(logits: np.ndarray) -> np.ndarray:
    return _best_first(_softmax_of_images(logits))


def _softmax_of_batch(logits: np.ndarray) -> np.ndarray:
    """Return shares of all images together; nan where an image has next to none, in no order then."""
    shares = softmax(logits, axis=None)
    return np.where(shares.sum(axis=-1, keepdims=True) > 1e-30, shares, np.nan)


def _softmax_over_the_top(order: np.ndarray, probabilities: np.ndarray, k: int) -> Pair:
    classes, values = _first_of(order, probabilities, k)
    return classes, values / values.sum(axis=-1, keepdims=True)


def _worst_of_the_best_first(order: np.ndarray, probabilities: np.ndarray, k: int) -> Pair:
    classes, values = _first_of(order, probabilities, k)
    return classes[:, ::-1], values[:, ::-1]


def _unmatched(order: np.ndarray, probabilities: np.ndarray, k: int) -> Pair:
    classes, values = _first_of(order, probabilities, k)
    return classes[:, ::-1], values


def _ranks(order: np.ndarray, probabilities: np.ndarray, k: int) -> Pair:
    return np.argsort(order, axis=-1)[:, :k], _first_of(order, probabilities, k)[1]


def _observed_number(seen: Observation) -> int:
    """Return how many classes came, whatever the default of the implementation is."""
    return int(seen["classes"].shape[-1]) if "classes" in seen.values else 5


def _as_observed(pair: Pair, seen: Observation) -> Pair:
    """Return the right classes, each with its probability, in the order in which they came."""
    classes, values = pair
    if "classes" not in seen.values:
        return pair
    came = seen["classes"]
    if not np.array_equal(np.sort(came), np.sort(classes)):
        raise ValueError("other classes came")
    ranks = np.argsort(np.argsort(came, axis=-1), axis=-1)
    places = np.take_along_axis(np.argsort(classes, axis=-1), ranks, axis=-1)
    return np.take_along_axis(classes, places, axis=-1), np.take_along_axis(values, places, axis=-1)


def _not_finite(case: Case, seen: Observation) -> bool:
    return not np.all(np.isfinite(seen["probabilities"]))


WORST_FIRST = "You have found the right classes, but in the wrong order: the most probable comes first."
CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values("one image", "the most probable classes of one image, best first"),
        Values("images", "several images, each on its own", 2.0),
        Values("five", "five classes where k is not given", about=("default",)),
        Values("all classes", "k may be as large as the number of classes", 0.5),
        Values("many classes", "in order among many classes too", 0.5, about=("arrange",)),
        Values("large logits", "large logits do not overflow"),
        Values("far apart", "nor do logits that differ much from image to image", 0.5),
    ],
    mistakes=[
        Mistake(
            "no softmax",
            "Your probabilities are the logits themselves: they are neither between 0 and 1 nor do "
            "they sum to 1. What turns scores into probabilities?",
            probabilities=lambda logits: logits,
        ),
        Mistake(
            "log-softmax",
            "Your probabilities are negative: they are logarithms of probabilities.",
            probabilities=lambda logits: np.log(softmax(logits)),
        ),
        Mistake(
            "sigmoid",
            "Your probabilities are sigmoids of the logits, which treats each class as a yes-or-no "
            "question of its own. Here the classes exclude each other: their probabilities sum to 1.",
            probabilities=oracles.sigmoid,
        ),
        Mistake(
            "exponentials not normalised",
            "Your probabilities are exponentials of the logits: they do not sum to 1 yet.",
            {"probabilities": np.exp},
            {"probabilities": lambda logits: np.exp(logits - logits.max(axis=-1, keepdims=True))},
        ),
        Mistake(
            "divided by the sum of the logits",
            "Your probabilities are the logits divided by their sum: negative logits make negative "
            "ones. Something has to make the scores positive first.",
            probabilities=lambda logits: logits / logits.sum(axis=-1, keepdims=True),
        ),
        Mistake(
            "softmax twice",
            "Your softmax is applied twice, which makes the probabilities nearly equal.",
            probabilities=lambda logits: softmax(softmax(logits)),
        ),
        Mistake(
            "softmax over the images",
            "Your softmax runs over the images of the batch. It has to run over the classes.",
            {"probabilities": _softmax_of_images},
            {"probabilities": _softmax_of_images, "order": _best_of_images_first},
        ),
        Mistake(
            "softmax over the whole batch",
            "Your probabilities sum to 1 over all images together. Each image has its own.",
            probabilities=_softmax_of_batch,
        ),
        Mistake(
            "softmax over the top k",
            "Your probabilities sum to 1 over the k classes you return. The classes that are left out "
            "have their share, too: softmax first, choose then.",
            choose=_softmax_over_the_top,
        ),
        Mistake("worst of the best first", WORST_FIRST, choose=_worst_of_the_best_first),
        Mistake(
            "least probable classes",
            "You return the least probable classes. Sorting goes from small to large.",
            {"order": partial(np.argsort, axis=-1)},
            {"order": partial(np.argsort, axis=-1), "choose": _worst_of_the_best_first},
        ),
        Mistake(
            "images turned round",
            "You turn the images round, not their classes: [::-1] acts on the first axis, and the "
            "classes lie along the last one.",
            order=lambda logits: np.argsort(logits, axis=-1)[::-1],
        ),
        Mistake(
            "classes and probabilities do not match",
            "Your probabilities go from large to small, your classes from less to more probable: the "
            "two lists do not belong together.",
            choose=_unmatched,
        ),
        Mistake(
            "ranks for classes",
            "Your first result holds the rank of each class, not the classes in order of rank.",
            choose=_ranks,
        ),
        Mistake(
            "not sorted",
            "You have found the k largest probabilities, but in no order (NumPy's argpartition "
            "and TensorFlow's top_k with sorted=False leave them so). The most probable comes first.",
            arrange=_as_observed,
            unseen="it is read off what was observed: the catalogue shows it",
        ),
        Mistake(
            "k ignored",
            "You return as many classes whatever k says. Which argument tells how many are wanted?",
            {"number": lambda k, logits: min(5, logits.shape[-1])},
            {"number": lambda k, logits: logits.shape[-1]},
            {"number": lambda k, logits: 1},
        ),
        Mistake(
            "wrong default",
            "Without k, five classes are asked for.",
            default=_observed_number,
            unseen="it is read off what was observed: the catalogue shows it",
        ),
        Mistake(
            "first image only",
            "You return the classes of the first image alone. Each image of the batch has a row.",
            {"returns": lambda classes, values: (classes[0], values[0])},
            {"images": lambda logits: logits[:1]},
        ),
        Mistake(
            "axis dropped",
            "Where there is one image, or one class, its axis is missing from your results: keep the "
            "shape (B, k) for every B and k.",
            returns=lambda classes, values: (np.squeeze(classes), np.squeeze(values)),
        ),
        Mistake(
            "results swapped",
            "You return the probabilities first. The order is (classes, probabilities).",
            returns=lambda classes, values: (values, classes),
        ),
    ],
    signs=[
        Sign(
            "one maximum for the batch",
            "Your softmax is 0/0 for images whose logits are far below those of another: the largest "
            "logit that you take off belongs to the whole batch. Each image has its own.",
            lambda case, seen: case.stage == "far apart" and _not_finite(case, seen),
        ),
        Sign(
            "overflow",
            "Your probabilities are not numbers: the exponential of a large logit is infinite. Softmax "
            "stays the same when the largest logit is taken off all of them; TensorFlow's own does so.",
            _not_finite,
        ),
    ],
    remarks=[
        Remark(
            "You return one array that holds both results, which turns the classes into floating-point "
            "numbers. A pair (classes, probabilities) keeps them whole.",
            lambda case, seen: bool(seen["stacked"]),
        ),
        Remark(
            "Your classes are floating-point numbers. A class is a place in a list of names: as a "
            "whole number it can be looked up there.",
            lambda case, seen: not seen["whole"] and not seen["stacked"],
        ),
    ],
    depth=depth,
)

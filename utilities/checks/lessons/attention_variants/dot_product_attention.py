"""Attention with scores of three kinds: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Only, Sign, Values, Wrong
from utilities.checks.core.drawing import normal
from utilities.checks.core.oracles import softmax, unit_length
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons.attention.scaled_dot_product_attention import RANDOM

NORMALIZATIONS = ("standard", "linear", "cosine")
Scores = Mapping[str, Any]  # settings of `oracles.scaled_dot_product_attention`

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw each normalization for several shapes, a Keras model, a zero query, an unknown name."""
    draw, drawn = partial(_case, rng), []
    for name in NORMALIZATIONS:
        drawn += [
            draw(name, name, (), 4, 6, 3, 2),
            draw(name, name, (1,), 3, 7, 5, 4),
            draw(name, name, (2, 3), 4, 5, 7, 6),
        ]
    zeros = draw("zeros", "cosine", (2,), 4, 5, 3, 6)
    zeros["q"][:, 1] = zeros["k"][:, 2] = 0.0
    drawn += [
        zeros,
        draw("default", "standard", (3,), 2, 4, 5, 6),
        draw("model", "linear", (2, 3), 5, 4, 7, 6),
        draw("config", "cosine", (3,), 4, 6, 5, 2),
        draw("unknown", "euclidean", (2,), 3, 5, 4, 6),
    ]
    for name in NORMALIZATIONS if thorough else ():
        n_q, n_k, d, d_v, *leading = (int(n) for n in rng.permutation(np.arange(2, 8)))
        drawn.append(draw(name, name, leading, n_q, n_k, d, d_v))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    normalization: str,
    leading: Sequence[int],
    n_q: int,
    n_k: int,
    d: int,
    d_v: int,
) -> Case:
    """Return q, k, v; keys are longer than queries, so that their lengths show."""
    inputs = {
        "normalization": normalization,
        "q": normal(rng, *leading, n_q, d),
        "k": normal(rng, *leading, n_k, d) * np.float32(1.5),
        "v": normal(rng, *leading, n_k, d_v),
    }
    return Case(stage, inputs)


# --- the formula -----------------------------------------------------------------------------------


def _width(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> float:
    return float(q.shape[-1])


def one(*_: Any) -> float:
    """Return 1, what scores are divided by that are not divided."""
    return 1.0


STANDARD: Scores = {}
LINEAR: Scores = {"divisor": _width}
COSINE: Scores = {"lengths": unit_length, "divisor": one}


def formula(
    case: Case,
    seen: Observation,
    *,
    standard: Scores = STANDARD,
    linear: Scores = LINEAR,
    cosine: Scores = COSINE,
    **inside: Any,
) -> Arrays:
    """Return weights and output of attention, its scores as the case's normalization makes them.

    standard, linear, cosine: how each differs from scaled dot-product attention. The other settings
    are the oracle's.
    """
    scores = {"standard": standard, "linear": linear, "cosine": cosine}.get(case["normalization"])
    if scores is None:
        return {}
    q, k, v = (case[name].astype(np.float64) for name in "qkv")
    output, weights = oracles.scaled_dot_product_attention(q, k, v, **{**inside, **scores})
    return {"attention_weights": weights, "output": output}


# --- the mistakes ----------------------------------------------------------------------------------


def _over(divisor: Any) -> Scores:
    return {"divisor": divisor}


def _cosine(**differs: Any) -> Scores:
    return {**COSINE, **differs}


def _roots_of_keys(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> float:
    return float(np.sqrt(k.shape[-2]))


def _keys(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> float:
    return float(k.shape[-2])


def _same_root(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> float:
    return oracles.root_of_width(q, k, v)


def _by_sum(x: np.ndarray) -> np.ndarray:
    return x / np.abs(x).sum(axis=-1, keepdims=True)


def _by_square(x: np.ndarray) -> np.ndarray:
    return x / np.square(x).sum(axis=-1, keepdims=True)


_AS_COSINE = 'With "cosine", queries and keys are both divided by their length, and by nothing else. '
MISTAKES = [
    Mistake(
        "normalization ignored",
        "Your scores are made in one way whatever `normalization` says. Which of the three is "
        "asked for?",
        {"linear": STANDARD, "cosine": STANDARD},
        {"standard": LINEAR, "cosine": LINEAR},
        {"standard": COSINE, "linear": COSINE},
    ),
    Mistake(
        "no scaling",
        'With "standard" and "linear" your scores are the bare products QKᵀ. By what is each divided?',
        {"standard": _over(one), "linear": _over(one)},
        {"standard": _over(one)},
        {"linear": _over(one)},
    ),
    Mistake(
        "standard and linear swapped",
        'Your "standard" divides by d and your "linear" by √d: it is the other way round.',
        standard=LINEAR,
        linear=STANDARD,
    ),
    Mistake(
        "multiplied where divided",
        "Your scores are multiplied by √d or d where they should be divided.",
        {"standard": _over(lambda q, k, v: q.shape[-1] ** -0.5)},
        {"linear": _over(lambda q, k, v: 1 / q.shape[-1])},
        {
            "standard": _over(lambda q, k, v: q.shape[-1] ** -0.5),
            "linear": _over(lambda q, k, v: 1 / q.shape[-1]),
        },
    ),
    Mistake(
        "divided by √n_k",
        "Your scores are divided by the root of the number of keys. What counts is how many entries "
        "a query has: the last axis.",
        standard=_over(_roots_of_keys),
    ),
    Mistake(
        "divided by n_k",
        'With "linear" you divide by the number of keys. What counts is d, how many entries a query '
        "has: the last axis.",
        linear=_over(_keys),
    ),
    Mistake(
        "divided by the number of keys",
        "You divide by the number of keys, or its root. What counts is d, how many entries a query "
        "has: the last axis.",
        standard=_over(_roots_of_keys),
        linear=_over(_keys),
    ),
    Mistake(
        "cosine not normalised",
        _AS_COSINE + "Yours are the bare products.",
        cosine=_cosine(lengths=lambda x: x),
    ),
    Mistake(
        "cosine divided by √d as well",
        _AS_COSINE + "Yours are divided by √d or d as well: a cosine lies between −1 and 1 already.",
        {"cosine": _cosine(divisor=_same_root)},
        {"cosine": _cosine(divisor=_width)},
    ),
    Mistake(
        "only queries normalised",
        _AS_COSINE + "You normalise the queries alone.",
        cosine={"divisor": one, "roles": lambda q, k, v: (unit_length(q), k, v)},
    ),
    Mistake(
        "only keys normalised",
        _AS_COSINE + "You normalise the keys alone.",
        cosine={"divisor": one, "roles": lambda q, k, v: (q, unit_length(k), v)},
    ),
    Mistake(
        "normalised over the tokens",
        _AS_COSINE
        + "You take the length over the tokens: each query and each key is a row of its own, "
        "and its entries lie along the last axis.",
        cosine=_cosine(lengths=partial(unit_length, axis=-2)),
    ),
    Mistake(
        "one length for all",
        _AS_COSINE + "You divide by one length, that of all entries together. Each query and each key "
        "has its own.",
        cosine=_cosine(lengths=partial(unit_length, axis=None)),
    ),
    Mistake(
        "sum of magnitudes for the length",
        _AS_COSINE + "Your length is the sum of the entries' magnitudes. The length meant here is the "
        "root of the sum of squares.",
        cosine=_cosine(lengths=_by_sum),
    ),
    Mistake(
        "squared length",
        _AS_COSINE + "You divide by the sum of squares: its root is missing.",
        cosine=_cosine(lengths=_by_square),
    ),
    Mistake(
        "values normalised",
        _AS_COSINE + "Your values are divided by their length too.",
        cosine={"divisor": one, "roles": lambda q, k, v: tuple(map(unit_length, (q, k, v)))},
    ),
    Mistake(
        "softmax over the queries",
        "Your softmax runs over the queries. Each query shares its attention among the keys: "
        "normalise over the last axis.",
        normalise=partial(softmax, axis=-2),
    ),
    Mistake(
        "no softmax",
        "Your weights are the bare scores: softmax is missing. Only the next exercise does without it.",
        normalise=lambda scores: scores,
    ),
    Mistake(
        "softmax twice",
        "Your softmax is applied twice, which makes the weights nearly equal.",
        normalise=lambda scores: softmax(softmax(scores)),
    ),
    Mistake(
        "cosine without softmax",
        'With "cosine", your weights are the bare cosines: softmax comes after all three.',
        cosine=_cosine(normalise=lambda scores: scores),
    ),
    Mistake(
        "keys used as values",
        "Your output averages the keys. The keys decide the weights; the values are what is averaged.",
        average=lambda weights, v, k: weights @ k,
    ),
    Mistake(
        "scores returned",
        "Your output is right, but the weights you return are the scores before the softmax.",
        returns=lambda output, weights, scores: (output, scores),
    ),
    Mistake(
        "output and weights swapped",
        "You return (weights, output); the order is (output, weights).",
        returns=lambda output, weights, scores: (weights, output),
    ),
]


def _refused(case: Case, seen: Observation) -> Wrong | None:
    if seen["refused"]:
        return None
    came = "another error than ValueError" if seen["raised"] else "nothing"
    return Wrong(
        "another error" if seen["raised"] else "unknown normalization accepted",
        f'DotProductAttention("euclidean") raises {came}. A misspelt name should be noticed at once: '
        "raise a ValueError that says which names there are.",
    )


def _weightless(case: Case, seen: Observation) -> Wrong | None:
    if not seen["weight_count"]:
        return None
    return Wrong(
        "weights of its own",
        f"Your layer has {int(seen['weight_count'])} weights. The projections belong to the multi-head "
        "layer around it.",
    )


LENGTH_0 = Sign(
    "length 0",
    "A vector of zeros has length 0, and 0/0 is nan. A vector of zeros should stay one: which "
    "TensorFlow function divides by the length and minds that?",
    lambda case, seen: case.stage == "zeros" and not np.all(np.isfinite(seen["output"])),
)
CONFIG = Only(
    "config incomplete",
    "A layer made anew from its get_config() computes something else: the config must hold every "
    "argument under its name, with the value it was made with.",
    lambda case: case.stage == "config",
)
CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[oracles.scaled_dot_product_attention],
    findings=[
        Values("standard", '"standard" divides the scores by √d', 2.0),
        Values("linear", '"linear" divides the scores by d', 2.0, about=("linear",)),
        Values(
            "cosine",
            '"cosine" compares directions: queries and keys of length 1',
            2.0,
            about=("cosine",),
        ),
        Values("zeros", "a query or key of length 0 gives no nan"),
        Values("default", '"standard" is the default'),
        Values("model", "works in a functional Keras model"),
        Values("config", "a layer made anew from get_config() is the same"),
        Claim("unknown", "an unknown normalization raises ValueError", 1.0, _refused),
        Claim("default", "the layer has no weights of its own", 1.0, _weightless),
    ],
    mistakes=MISTAKES,
    signs=[LENGTH_0, RANDOM],
    kinds=[
        CONFIG,
        Only(
            "two axes alone",
            "Your code works where q, k and v have two axes, and no leading ones. Which transposition "
            "turns the last two axes round and leaves the others?",
            lambda case: case["q"].ndim > 2,
        ),
        Only(
            "another default",
            'Made without an argument, your layer does not do what "standard" does.',
            lambda case: case.stage == "default",
        ),
    ],
    depth=2,
)

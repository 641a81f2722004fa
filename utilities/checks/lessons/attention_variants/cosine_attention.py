"""Cosine attention without softmax: the formula, the mistakes, what is looked at."""

from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Mistake, Sign, Values
from utilities.checks.core.oracles import Step, root_of_width, softmax, unit_length
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons.attention_variants import self_attention
from utilities.checks.lessons.attention_variants.dot_product_attention import CONFIG, LENGTH_0, one
from utilities.checks.lessons.attention_variants.self_attention import DEPTH, HEADS, shared_findings

PROJECTIONS = ("W_q", "W_v", "W_o")


def _as_they_are(x: np.ndarray) -> np.ndarray:
    return x


def formula(
    case: Case,
    seen: Observation,
    *,
    sources: tuple[str, ...] = ("W_q", "W_q", "W_v"),
    roles: Any = lambda q, k, v: (q, k, v),
    lengths: Step = unit_length,
    divisor: Any = one,
    normalise: Step = _as_they_are,
    average: Any = lambda weights, v, k: weights @ v,
    **around: Any,
) -> Arrays:
    """Return (q̂ q̂ᵀ)v in heads, projected; q̂ of length 1. The settings are those of the oracles.

    Source: Mongaras, Dohm and Larson, "Cottention", 2024, arXiv 2409.18747, without its factor.
    """
    inside = partial(
        oracles.scaled_dot_product_attention,
        roles=roles,
        lengths=lengths,
        divisor=divisor,
        normalise=normalise,
        average=average,
    )
    return self_attention.layer(
        case, seen, lambda q, k, v: inside(q, k, v)[0], sources=sources, **around
    )


def _number_of_tokens(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> float:
    return float(k.shape[-2])


def _softmax_of(temperature: float) -> Step:
    return lambda scores: softmax(scores / temperature)


def _rows_to_1(scores: np.ndarray) -> np.ndarray:
    return scores / scores.sum(axis=-1, keepdims=True)


MISTAKES = [
    *HEADS,
    Mistake(
        "softmax not left out",
        "Your cosines go through a softmax. Here they are the weights themselves, negative ones too.",
        {"normalise": softmax},
        {"normalise": softmax, "divisor": root_of_width},
        {"normalise": _softmax_of(0.1)},  # Swin Transformer V2 starts there
        {"normalise": _softmax_of(0.01)},
    ),
    Mistake(
        "not normalised",
        "Your scores are the bare products: queries and keys are not divided by their length.",
        lengths=_as_they_are,
    ),
    Mistake(
        "scaled, not normalised",
        "Your scores are products divided by √p, not cosines: each query and each key is divided by "
        "its own length.",
        lengths=_as_they_are,
        divisor=root_of_width,
    ),
    Mistake(
        "standard attention",
        "Your layer is standard attention, softmax(QKᵀ/√p)V. Which two things are different here?",
        lengths=_as_they_are,
        divisor=root_of_width,
        normalise=softmax,
    ),
    Mistake(
        "only one side normalised",
        "You normalise queries or keys alone. A cosine needs both lengths to be 1.",
        {"lengths": _as_they_are, "roles": lambda q, k, v: (unit_length(q), k, v)},
        {"lengths": _as_they_are, "roles": lambda q, k, v: (q, unit_length(k), v)},
    ),
    Mistake(
        "normalised before the heads",
        "You divide by the length of the whole projection, all heads together. The cosine is taken "
        "inside a head: split first.",
        lengths=_as_they_are,
        whole=unit_length,
    ),
    Mistake(
        "normalised over the tokens",
        "You take the length over the tokens. Each query is a row of its own, and its entries lie "
        "along the last axis.",
        lengths=partial(unit_length, axis=-2),
    ),
    Mistake(
        "one length for all",
        "You divide by one length, that of all entries together. Each query has its own: along which "
        "axis do its entries lie?",
        lengths=partial(unit_length, axis=None),
    ),
    Mistake(
        "divided by √p as well",
        "Your cosines are divided by √p as well: they lie between −1 and 1 already.",
        divisor=root_of_width,
    ),
    Mistake(
        "divided by the number of tokens",
        "Your cosines are divided by the number of tokens: you average where the formula sums.",
        divisor=_number_of_tokens,
    ),
    Mistake(
        "rows made to sum to 1",
        "Your cosines are divided by their sum. It may be near 0, since cosines can be negative; the "
        "formula leaves them as they are.",
        normalise=_rows_to_1,
    ),
    Mistake(
        "negative cosines cut off",
        "Your negative cosines become 0. The formula keeps them: a token may be subtracted.",
        normalise=lambda scores: np.maximum(scores, 0.0),
    ),
    Mistake(
        "keys with a projection of their own",
        "Your keys have a projection of their own, W_k. In this layer they are the queries, which "
        "saves one: Q = K.",
        entails=("extra weights",),
        sources=("W_q", "W_k", "W_v"),
    ),
    Mistake(
        "keys from W_v",
        "Your keys are the values. Queries and keys share one projection, W_q.",
        sources=("W_q", "W_v", "W_v"),
    ),
    Mistake(
        "queries from W_v",
        "Your queries and keys are made by W_v, and W_q has no effect.",
        entails=("made and unused", "no gradient", "weights missing"),
        sources=("W_v", "W_v", "W_v"),
    ),
    Mistake(
        "values from W_q",
        "Your values are made by W_q, and W_v has no effect.",
        entails=("made and unused", "no gradient", "weights missing"),
        sources=("W_q", "W_q", "W_q"),
    ),
    Mistake(
        "values normalised",
        "Your values are divided by their length as well. Only queries and keys are.",
        average=lambda weights, v, k: weights @ unit_length(v),
    ),
    Mistake(
        "normalised queries for values",
        "Your output sums the normalised queries: the values have no part in it.",
        entails=("made and unused", "no gradient", "weights missing"),
        average=lambda weights, v, k: weights @ unit_length(k),
    ),
]
CHECK = Check(
    cases=partial(self_attention.cases, special="zeros"),
    formula=formula,
    passes_to=[self_attention.layer],
    findings=[
        *shared_findings(PROJECTIONS),
        Values("zeros", "a token whose query has length 0 gives no nan"),
    ],
    mistakes=MISTAKES,
    signs=[
        Sign(LENGTH_0.name, LENGTH_0.message, LENGTH_0.seen),
        *self_attention.shared_signs(),
    ],
    kinds=[CONFIG],
    depth=DEPTH,
)

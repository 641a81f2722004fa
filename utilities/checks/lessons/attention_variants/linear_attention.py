"""Linear attention: the formula in its quadratic form, the mistakes, what is looked at."""

from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Sign, Wrong
from utilities.checks.core.oracles import Step, softmax, transposed
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons.attention_variants import self_attention
from utilities.checks.lessons.attention_variants.dot_product_attention import CONFIG
from utilities.checks.lessons.attention_variants.self_attention import (
    DEPTH,
    HEADS,
    WEIGHTS,
    shared_findings,
)

LENGTHS = np.array([256, 512])  # tokens, between which the cost is compared


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw a layer's cases, and one of many tokens."""
    drawn = self_attention.cases(rng, thorough, special="cost")
    next(case for case in drawn if case.stage == "cost").inputs["lengths"] = LENGTHS
    return drawn


def elu_plus_one(x: np.ndarray) -> np.ndarray:
    """Return elu(x) + 1, any shape: x + 1 above 0, exp(x) below, so always positive."""
    return np.where(x > 0, x + 1.0, np.exp(np.minimum(x, 0.0)))


def _scaled(x: np.ndarray, power: float) -> np.ndarray:
    return x * x.shape[-1] ** power


def _sums(weights: np.ndarray) -> np.ndarray:
    """Return each query's sum of weights (…, N, 1), nan where terms of both signs nearly cancel.

    With φ as it should be all weights are positive; with another the rest is rounding.
    """
    sums = weights.sum(axis=-1, keepdims=True)
    clear = np.abs(sums) >= 0.03 * np.abs(weights).sum(axis=-1, keepdims=True)
    return np.where(clear, sums, np.nan)


def formula(
    case: Case,
    seen: Observation,
    *,
    before: Any = lambda q, k, v: (q, k, v),
    feature: Step = elu_plus_one,
    of_keys: Step | None = None,
    of_values: Step = lambda v: v,
    hide: Step = lambda weights: weights,
    divisor: Step = _sums,
    instead: Any = None,
    **around: Any,
) -> Arrays:
    """Return each query's mean of the values, weighted by φ(q)·φ(k), in heads, projected.

    The settings: what is done to queries, keys and values first, φ, that of the keys and of the
    values if it is another, which weights are hidden, what a query's sum is divided by, what is
    computed instead; the others are those of the layer.
    Source: Katharopoulos et al., "Transformers are RNNs", 2020, equation 4, arXiv 2006.16236.
    """

    def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        q, k, v = before(q, k, v)
        if instead is not None:
            return np.asarray(instead(q, k, v))
        weights = hide(feature(q) @ transposed((of_keys or feature)(k)))  # (B, h, N, N)
        return weights @ of_values(v) / divisor(weights)

    return self_attention.layer(case, seen, attend, **around)


def _sums_or_one(weights: np.ndarray) -> np.ndarray:
    """Return each query's sum of weights (…, N, 1), 1 where it is 0."""
    sums = weights.sum(axis=-1, keepdims=True)
    return np.where(sums == 0, 1.0, sums)


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


def _softmax_features(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    return softmax(q) @ transposed(softmax(k, axis=-2)) @ v


def _standard(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    return oracles.scaled_dot_product_attention(q, k, v)[0]


MISTAKES = [
    *HEADS,
    Mistake(
        "not divided by the sum of the weights",
        "Your output is φ(Q)(φ(K)ᵀV), a sum. It has to be a mean: divide by the sum of each query's "
        "weights, φ(q)·Σφ(k).",
        divisor=lambda weights: np.ones_like(weights[..., :1]),
    ),
    Mistake(
        "divided by the number of tokens",
        "You divide by the number of tokens. Each query has a sum of weights of its own, φ(q)·Σφ(k).",
        divisor=lambda weights: np.asarray(weights.shape[-1]),
    ),
    Mistake(
        "multiplied by the sum of the weights",
        "You multiply by the sum of each query's weights. A mean divides by it.",
        divisor=lambda weights: 1 / _sums(weights),
    ),
    Mistake(
        "weights summed over the queries",
        "You divide by a sum over the queries. Each query divides by the sum over all keys.",
        divisor=lambda weights: weights.sum(axis=-2)[..., np.newaxis],
    ),
    Mistake(
        "one sum for all queries",
        "You divide by one sum, that of all weights of all queries. Each query has its own.",
        divisor=lambda weights: weights.sum(axis=(-1, -2), keepdims=True),
    ),
    Mistake(
        "elu without + 1",
        "Your φ is elu(x), which may be negative: weights of both signs, and a sum that may be 0. "
        "What does the formula add?",
        feature=lambda x: elu_plus_one(x) - 1.0,
    ),
    Mistake(
        "ReLU for φ",
        "Your φ is ReLU, or ReLU and a constant. The formula has elu(x) + 1, which is exp(x) below 0: "
        "never 0 nor constant, so it keeps a gradient.",
        {"feature": _relu, "divisor": _sums_or_one},
        {"feature": _relu},
        {"feature": lambda x: _relu(x) + 1.0},
        {"feature": lambda x: _relu(x) + 1e-3},  # as in Choromanski et al., 2021 (Performer)
        {"feature": lambda x: _relu(x) + 1e-6},
    ),
    Mistake(
        "exponential for φ",
        "Your φ is exp(x). The formula has elu(x) + 1, which is exp(x) only below 0.",
        feature=np.exp,
    ),
    Mistake(
        "no φ",
        "Your weights are the bare products of queries and keys, which may be negative. φ makes them "
        "positive.",
        feature=lambda x: x,
    ),
    Mistake(
        "φ of the queries only",
        "Your φ is applied to the queries alone; it belongs on the keys as well.",
        of_keys=lambda k: k,
    ),
    Mistake(
        "φ of the keys only",
        "Your φ is applied to the keys alone; it belongs on the queries as well.",
        feature=lambda q: q,
        of_keys=elu_plus_one,
    ),
    Mistake(
        "φ of the values",
        "Your φ is applied to the values as well. Only the weights have to be positive.",
        of_values=elu_plus_one,
    ),
    Mistake(
        "scaled by √p",
        "Your queries or keys are scaled before φ. There is no softmax that could saturate, and the "
        "formula has no such factor.",
        {"before": lambda q, k, v: (_scaled(q, -0.5), k, v)},
        {"before": lambda q, k, v: (q, _scaled(k, -0.5), v)},
        {"before": lambda q, k, v: (_scaled(q, -0.25), _scaled(k, -0.25), v)},
        {"before": lambda q, k, v: (_scaled(q, -0.5), _scaled(k, -0.5), v)},
    ),
    Mistake(
        "softmax of queries and keys",
        "Your features are softmax of the queries and of the keys: that is another linear attention "
        "(Shen et al.). Here φ(x) = elu(x) + 1 entry by entry.",
        instead=_softmax_features,
    ),
    Mistake(
        "standard attention",
        "Your layer is standard attention, softmax(QKᵀ/√p)V.",
        instead=_standard,
    ),
    Mistake(
        "causal",
        "Each of your tokens sees only those before it. An image has no order in time: every token "
        "sees all.",
        hide=np.tril,
    ),
    Mistake(
        "keys from W_q",
        "Your keys are made by W_q. In this layer they have a projection of their own.",
        entails=("made and unused", "no gradient", "weights missing"),
        sources=("W_q", "W_q", "W_v"),
    ),
    Mistake(
        "queries from W_k",
        "Your queries are made by W_k. In this layer they have a projection of their own.",
        entails=("made and unused", "no gradient", "weights missing"),
        sources=("W_k", "W_k", "W_v"),
    ),
    Mistake(
        "queries and keys swapped",
        "Your queries and keys have changed places.",
        sources=("W_k", "W_q", "W_v"),
    ),
    Mistake(
        "values from another projection",
        "Your values are made by W_q or W_k, and W_v has no effect.",
        {"sources": ("W_q", "W_k", "W_k")},
        {"sources": ("W_q", "W_k", "W_q")},
        {"sources": ("W_q", "W_k", "W_k"), "of_values": elu_plus_one},
        {"sources": ("W_q", "W_k", "W_q"), "of_values": elu_plus_one},
        entails=("made and unused", "no gradient", "weights missing"),
    ),
    Mistake(
        "keys and values swapped",
        "Your keys and values have changed places.",
        sources=("W_q", "W_v", "W_k"),
    ),
]


def _cost(case: Case, seen: Observation) -> Wrong | None:
    """All arrays together, and the largest, grow with N, not with N²."""
    (few, many), (small, large) = seen["numbers"], seen["largest_sizes"]
    growth = max(many / max(few, 1), large / max(small, 1))
    if growth < 3:
        return None
    shape = ", ".join(str(int(n)) for n in seen["largest_shape"])
    return Wrong(
        "quadratic cost",
        f"Twice the tokens make your arrays {growth:.1f} times as large. With {int(LENGTHS[-1])} "
        f"tokens the largest has shape ({shape}). Put the brackets elsewhere, so that no array has an "
        "entry for each pair of tokens.",
    )


CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[self_attention.layer],
    findings=[
        *shared_findings(WEIGHTS),
        Claim("cost", "twice the tokens need twice the memory, not four times", 2.0, _cost),
    ],
    mistakes=MISTAKES,
    signs=[
        Sign(
            "weights sum to 0",
            "Your output is not a number: some query's weights sum to 0, or nearly. With φ(x) = elu(x) "
            "+ 1 they cannot, since all of them are positive. What is your φ, and what do you divide "
            "by?",
            lambda case, seen: not np.all(np.isfinite(seen["output"])),
        ),
        *self_attention.shared_signs(),
    ],
    kinds=[CONFIG],
    depth=DEPTH,
)

"""Judge attention: the formula with the observed weights, and the mistakes people make with it."""

from collections.abc import Sequence

import numpy as np

from utilities.checks import oracles
from utilities.checks.case import Case, Observation
from utilities.checks.judging import Mistake, Stage, Values, judge_stages
from utilities.checks.report import Finding


def scaled_dot_product_attention(
    cases: Sequence[Case], observations: Sequence[Observation]
) -> list[Finding]:
    """Judge output and weights, stage by stage."""
    stages = [
        Stage("one key", "with one key, every query returns its value"),
        Stage("no mask", "softmax(QKᵀ/√d_k)V for any leading dimensions", 2.0),
        Stage("mask", "masked keys get no weight, the others share all of it", 2.0),
        Stage("float16", "float16 works, mask included"),
        Stage("float64", "float64 works"),
        Stage("traced", "works inside tf.function and Keras models"),
    ]
    return judge_stages(cases, observations, stages, _attention, ATTENTION_MISTAKES)


def _attention(case: Case, _: Observation) -> Values:
    q, k, v = (case[name].astype(np.float64) for name in "qkv")
    output, weights = oracles.scaled_dot_product_attention(q, k, v, case["mask"])
    return {"attention_weights": weights, "output": output}


def _wrong_attention(scale=None, axis=-1, mask_after=False, invert=False, ignore=False):
    """Return the oracle of attention that goes wrong in the given way."""

    def oracle(case: Case, _: Observation) -> Values:
        q, k, v = (case[name].astype(np.float64) for name in "qkv")
        mask = None if ignore or case["mask"] is None else np.asarray(case["mask"], bool)
        factor = np.sqrt(k.shape[-1]) if scale is None else scale(q, k, v)
        scores = q @ np.swapaxes(k, -1, -2) / factor
        if mask is not None and not mask_after:
            scores = oracles.masked(scores, ~mask if invert else mask)
        weights = oracles.softmax(scores, axis)
        if mask is not None and mask_after:
            weights = np.where(mask, weights, 0.0)
        return {"attention_weights": weights, "output": weights @ v}

    return oracle


ATTENTION_MISTAKES = [
    Mistake(
        "no scaling",
        "Your output equals softmax(QKᵀ)V: the scores are not divided by √d_k.",
        _wrong_attention(lambda q, k, v: 1.0),
    ),
    Mistake(
        "divided by d_k",
        "Your scores are divided by d_k itself; divide by its square root. "
        "Which of the two keeps the variance of the scores at one?",
        _wrong_attention(lambda q, k, v: k.shape[-1]),
    ),
    Mistake(
        "softmax axis",
        "Your softmax runs over the queries. Each query shares its attention among the keys, so "
        "each row of the weights must sum to 1: normalise over the last axis.",
        _wrong_attention(axis=-2),
    ),
    Mistake(
        "mask inverted",
        "Your mask is read the wrong way round: True (or 1) means that the query may attend to the "
        "key, False (or 0) that it may not.",
        _wrong_attention(invert=True),
    ),
    Mistake(
        "mask after softmax",
        "Your mask sets weights to zero after the softmax, so the rows no longer sum to 1. "
        "Mask the scores before the softmax.",
        _wrong_attention(mask_after=True),
    ),
    Mistake("mask ignored", "Your mask has no effect.", _wrong_attention(ignore=True)),
]

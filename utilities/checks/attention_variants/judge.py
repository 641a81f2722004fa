"""Judge the attention variants and the constraint: formulas, fed with the weights of the case."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from utilities.checks.attention_variants import formulas
from utilities.checks.attention_variants.mistakes import (
    COSINE_MISTAKES,
    DOT_PRODUCT_MISTAKES,
    LINEAR_MISTAKES,
    ORTHONORMAL_MISTAKES,
    dot_product_oracle,
    layer_oracle,
    matrix_oracle,
)
from utilities.checks.core.report import Finding
from utilities.checks.judging import (
    Pairs,
    Stage,
    explained,
    fact,
    judge_stages,
    problem_finding,
    told_random,
)
from utilities.checks.kernel.case import NOT_FINITE, WRONG_VALUE, Case, Observation

DEPTH = 4  # projection, scores, weighted sum, output projection

REFUSES = "an unknown normalization raises ValueError"
NO_WEIGHTS = "the layer has no weights of its own"
LINEAR_COST = "twice the tokens need twice the memory, not four times"
CONSTRAINT = "it is a tf_keras.constraints.Constraint"

DOT_PRODUCT_STAGES = [
    Stage("standard", '"standard" divides the scores by √d', 2.0),
    Stage("linear", '"linear" divides the scores by d', 2.0),
    Stage("cosine", '"cosine" compares directions: queries and keys of length 1', 2.0),
    Stage("zeros", "a query or key of length 0 gives no nan"),
    Stage("model", "works in a functional Keras model"),
    Stage("config", "a layer made anew from get_config() is the same"),
]

LAYER_STAGES = [
    Stage("one head", "one head: projections, attention, W_o"),
    Stage("heads", "several heads side by side, each with its own columns", 2.0),
    Stage("model", "works in a functional Keras model"),
    Stage("config", "a layer made anew from get_config() is the same"),
]
ZEROS = Stage("zeros", "a token whose query has length 0 gives no nan")

MATRIX_STAGES = [
    Stage("matrices", "(1 + β)w − β(wwᵀ)w for wide, tall and square matrices", 2.0),
    Stage("default", "β is 0.01 if nothing else is said"),
    Stage("orthonormal", "an orthonormal matrix stays as it is"),
    Stage("trained", "Keras applies it after a step of training"),
    Stage("config", "a constraint made anew from get_config() is the same"),
]

MADE_AT_EACH_CALL = (
    "Your layer makes new weights each time it is called, so it forgets what it has learned. Make "
    "them once and keep them."
)
RANDOM = "The same call twice gives different results: something random is at work."
ZERO_LENGTH = (
    "A vector of zeros has length 0, and 0/0 is nan. A vector of zeros should stay one: which "
    "TensorFlow function divides by the length and minds that?"
)
WEIGHTS_SUM_TO_0 = (
    "Your output is not a number: some query's weights sum to 0, or nearly. With φ(x) = elu(x) + 1 "
    "they cannot, since all of them are positive. What is your φ, and what do you divide by?"
)
NO_CONFIG = (
    "A layer or constraint made anew from its get_config() computes something else: the config "
    "must hold every argument under its name, with the value it was made with."
)


def dot_product_attention(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge output and weights under each normalization, then what is refused and kept."""
    findings = judge_stages(
        cases, observations, DOT_PRODUCT_STAGES, dot_product_oracle(), DOT_PRODUCT_MISTAKES, 2
    )
    findings = told_random(_told_zeros(_told_config(findings)), observations, RANDOM)
    pairs = list(zip(cases, observations, strict=True))
    return [*findings, _refused(pairs), _weightless(pairs)]


def cosine_attention(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the output stage by stage, then what is trained."""
    right = layer_oracle(formulas.cosine_attention)
    stages = [*LAYER_STAGES, ZEROS]
    findings = judge_stages(cases, observations, stages, right, COSINE_MISTAKES, DEPTH)
    return _told_layer(findings, cases, observations)


def linear_attention(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the output against the quadratic form, then what is trained and what it costs."""
    right = layer_oracle(formulas.linear_attention, "W_k")
    findings = judge_stages(cases, observations, LAYER_STAGES, right, LINEAR_MISTAKES, DEPTH)
    told = [
        replace(finding, mistake="weights sum to 0", message=f"{WEIGHTS_SUM_TO_0}\n{finding.message}")
        if finding.kind == NOT_FINITE and not finding.mistake
        else finding
        for finding in _told_layer(findings, cases, observations)
    ]
    pairs = zip(cases, observations, strict=True)
    return [*told, *(_linear(*pair) for pair in pairs if pair[0].stage == "cost")]


def orthonormal(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the new matrix stage by stage, then what kind of thing the constraint is."""
    right = matrix_oracle()
    findings = judge_stages(cases, observations, MATRIX_STAGES, right, ORTHONORMAL_MISTAKES, depth=2)
    stopped = problem_finding(CONSTRAINT, observations[0])
    is_one = stopped or fact(
        CONSTRAINT,
        bool(observations[0]["is_constraint"]),
        "Orthonormal should be a class that inherits from tf_keras.constraints.Constraint: Keras "
        "can then save it with a layer.",
        "no Constraint",
    )
    return [*_told_config(findings), is_one]


def _refused(pairs: Pairs) -> Finding:
    seen = next(observation for case, observation in pairs if case.stage == "unknown")
    stopped = problem_finding(REFUSES, seen)
    if stopped:
        return stopped
    came = str(seen["error"])
    return fact(
        REFUSES,
        bool(seen["refused"]),
        f'DotProductAttention("euclidean") raises {came or "nothing"}. A misspelt name should be '
        "noticed at once: raise a ValueError that says which names there are.",
        "another error" if came else "unknown normalization accepted",
    )


def _weightless(pairs: Pairs) -> Finding:
    seen = [observation for case, observation in pairs if case.stage != "unknown"]
    stopped = next((f for s in seen if (f := problem_finding(NO_WEIGHTS, s))), None)
    count = 0 if stopped else max(int(observation["weight_count"]) for observation in seen)
    return stopped or fact(
        NO_WEIGHTS,
        count == 0,
        f"Your layer has {count} weights. The projections belong to the multi-head layer around it.",
        "weights of its own",
    )


def _trained(case: Case, observation: Observation) -> Finding:
    """Return the finding on what is trained: the projections of the case, and nothing else."""
    names = [name for name in ("W_q", "W_k", "W_v", "W_o") if name in case.unsaid]
    expected = sum(case[name].size for name in case.unsaid)
    name = f"{', '.join(names[:-1])} and {names[-1]} are trained, with biases, and nothing else"
    stopped = problem_finding(name, observation)
    if stopped:
        return stopped

    def lacking(value: str) -> str:
        holds = zip(names, np.ravel(observation[value]), strict=True)
        return ", ".join(projection for projection, held in holds if not held)

    if lacking("trainable"):
        message = f"Keras does not train {lacking('trainable')}: how did you make it?"
        return fact(name, False, message, "weights not trainable")
    count = int(observation["trainable_count"])
    if count != expected:
        third = "there is no W_k: the keys come from W_q" if len(names) == 3 else "there are four"
        message = (
            f"Your layer trains {count} numbers; {expected} are expected. Of the projections "
            f"{third}, and all have biases."
        )
        own_keys = case["W_q"].size + case["W_q_bias"].size
        mistake = "keys with a projection of their own" if count == expected + own_keys else ""
        return fact(name, False, message, mistake or "extra weights")
    message = (
        f"No gradient reaches {lacking('gradient_reaches')}, so training would not change it. Is it "
        "used, and with TensorFlow operations from there to the output?"
    )
    return fact(name, not lacking("gradient_reaches"), message, "no gradient")


def _linear(case: Case, observation: Observation) -> Finding:
    """Return the finding on cost: all arrays together, and the largest, grow with N, not with N²."""
    stopped = problem_finding(LINEAR_COST, observation, 2.0)
    if stopped:
        return stopped
    (few, many), (small, large) = observation["numbers"], observation["largest_sizes"]
    length = int(case["lengths"][-1])
    growth = max(many / max(few, 1), large / max(small, 1))
    shape = ", ".join(str(int(n)) for n in observation["largest_shape"])
    return fact(
        LINEAR_COST,
        bool(growth < 3),
        f"Twice the tokens make your arrays {growth:.1f} times as large. With {length} tokens the "
        f"largest has shape ({shape}). Put the brackets elsewhere, so that no array has an entry for "
        "each pair of tokens.",
        "quadratic cost",
        share=2.0,
    )


def _told_layer(
    findings: list[Finding], cases: Sequence[Case], observations: Sequence[Observation]
) -> list[Finding]:
    """Return the findings on a layer, with what is trained, and what can be seen directly named."""
    pairs = zip(cases, observations, strict=True)
    trained = [_trained(*pair) for pair in pairs if pair[0].stage == "weights"]
    findings = _told_zeros(_told_config(findings))
    if not all(bool(observation.values.get("made_once", True)) for observation in observations):
        findings = explained(findings, "weights made at each call", MADE_AT_EACH_CALL)
    return told_random([*findings, *trained], observations, RANDOM)


def _told_config(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings with the one on get_config() explained where no other is of wrong value."""
    others = [finding for finding in findings if "get_config" not in finding.name]
    if any(finding.kind == WRONG_VALUE for finding in others):
        return list(findings)
    return [
        replace(finding, mistake="config incomplete", message=NO_CONFIG)
        if "get_config" in finding.name and finding.kind == WRONG_VALUE
        else finding
        for finding in findings
    ]


def _told_zeros(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings with those explained that are nan for a vector of length 0."""
    return [
        replace(finding, mistake="length 0", message=ZERO_LENGTH)
        if finding.kind == NOT_FINITE and "length 0" in finding.name
        else finding
        for finding in findings
    ]

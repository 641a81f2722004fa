"""Judge attention: the formula, fed with the weights of the case, against what was observed."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from utilities.checks import oracles
from utilities.checks.attention.mistakes import (
    ATTENTION_MISTAKES,
    HEADS_MISTAKES,
    WEIGHTS,
    attention_oracle,
    compared,
)
from utilities.checks.case import NOT_FINITE, RAISED, Case, Observation
from utilities.checks.judging import (
    Stage,
    Values,
    beside_values,
    explained,
    fact,
    judge_stages,
    of_stage,
    problem_finding,
    told_random,
)
from utilities.checks.report import Finding

HEADS_DEPTH = 4  # projection, scores, weighted mean, output projection

ATTENTION_STAGES = [
    Stage("one key", "with one key, every query returns its value"),
    Stage("no mask", "softmax(QKᵀ/√d_k)V for any leading dimensions", 2.0),
    Stage("mask", "masked keys get no weight, the others share all of it", 2.0),
    Stage("mask of 0 and 1", "a mask of 0 and 1 works as one of False and True"),
    Stage("broadcast mask", "one mask can serve many queries or many leading dimensions"),
    Stage("float16", "float16 works, mask included"),
    Stage("float64", "float64 works"),
    Stage("traced", "works in Keras models, where the batch size is not known yet"),
]

HEADS_STAGES = [
    Stage("one head", "one head: projected queries, keys and values, attention, W_o"),
    Stage("self-attention", "self-attention: queries, keys and values from one input"),
    Stage("heads", "several heads, each with its own projections, side by side", 2.0),
    Stage("mask", "one mask holds for all heads"),
    Stage("output alone", "return_attention_weights=False returns the output alone"),
    Stage("model", "works in a functional Keras model"),
    Stage("config", "a layer made anew from get_config() is the same"),
]

ONE_WIDTH = (
    "Your layer works where q, k and v have the same width, but stops where they differ. "
    "From which input does each of W_q, W_k and W_v take its width?"
)
MADE_AT_EACH_CALL = (
    "Your layer makes new weights each time it is called, so it forgets what it has learned. "
    "Make them once, on the first call, and keep them."
)
RANDOM = (
    "The same call twice gives different results: something random is at work, such as dropout "
    "that is active outside training."
)


def scaled_dot_product_attention(
    cases: Sequence[Case], observations: Sequence[Observation]
) -> list[Finding]:
    """Judge output and weights, stage by stage."""
    right = attention_oracle(oracles.scaled_dot_product_attention)
    findings = judge_stages(cases, observations, ATTENTION_STAGES, right, ATTENTION_MISTAKES)
    findings = _told_by_dtype(findings)
    return told_random(findings, observations, RANDOM)


def multi_head_attention(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge output, weights and what is trained, stage by stage."""
    findings = judge_stages(
        cases, observations, HEADS_STAGES, _right_heads, HEADS_MISTAKES, HEADS_DEPTH
    )
    seen = list(zip(cases, observations, strict=True))
    trained = beside_values(
        [_trained(*pair) for pair in of_stage("weights", seen)],
        of_stage("heads", seen), _right_heads, HEADS_MISTAKES, HEADS_DEPTH,
    )  # fmt: skip
    findings = _told_by_width(findings)
    if not all(bool(observation.values.get("made_once", True)) for observation in observations):
        findings = explained(findings, "weights made at each call", MADE_AT_EACH_CALL)
    return told_random(findings + trained, observations, RANDOM)


def _right_heads(case: Case, _: Observation) -> Values:
    q, k, v = (case[name].astype(np.float64) for name in "qkv")
    W_q, W_k, W_v, W_o = (case[name].astype(np.float64) for name in WEIGHTS)
    right = oracles.multi_head_attention(q, k, v, W_q, W_k, W_v, W_o, case["mask"])
    return compared(case, *right)


def _trained(case: Case, observation: Observation) -> Finding:
    """Return the finding on what is trained: the four weights, and nothing else."""
    name = "W_q, W_k, W_v and W_o are trained, and nothing else"
    stopped = problem_finding(name, observation)
    if stopped:
        return stopped

    def lacking(value: str) -> str:
        holds = zip(WEIGHTS, np.ravel(observation[value]), strict=True)
        return ", ".join(weight for weight, held in holds if not held)

    extra = int(observation["trainable_count"]) - sum(case[weight].size for weight in WEIGHTS)
    if lacking("trainable"):
        message = (
            f"Keras does not train {lacking('trainable')}: it is missing from "
            "layer.trainable_weights. How did you make it, and with which options?"
        )
        return fact(name, False, message, "weights not trainable")
    if extra:
        message = (
            f"Your layer trains {extra} numbers besides W_q, W_k, W_v and W_o. The projections "
            "have no biases; is there another layer or variable that is not needed?"
        )
        return fact(name, False, message, "extra weights")
    message = (
        f"No gradient reaches {lacking('gradient_reaches')}, so training would not change it. "
        "Is it used at all, and with TensorFlow operations from there to the output?"
    )
    return fact(name, not lacking("gradient_reaches"), message, "no gradient")


def _told_by_dtype(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings with those explained that fail for one floating type only."""
    by_stage = {stage.name: f for stage, f in zip(ATTENTION_STAGES, findings, strict=True)}
    half, works = by_stage["float16"], by_stage["no mask"].kind != RAISED
    if half.kind == NOT_FINITE and by_stage["mask"].held:
        by_stage["float16"] = replace(
            half,
            mistake="too large for float16",
            message=(
                "Your mask gives nan in float16, whose largest number is 65504: −1e9 becomes −inf "
                "there, and 0 times infinity is nan. Choose between two values, or add a number "
                "that fits the type."
            ),
        )
    for name in ("float16", "float64"):
        finding = by_stage[name]
        if finding.kind == RAISED and works:
            advice = (
                "Your code works for float32 alone: somewhere a number or tensor has a fixed type. "
                "Take the type from the input."
            )
            message = f"{advice}\n{finding.message}"
            by_stage[name] = replace(finding, mistake="float32 only", message=message)
    return list(by_stage.values())


def _told_by_width(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings with those explained that stop unless q, k and v have one width."""
    by_stage = {stage.name: f for stage, f in zip(HEADS_STAGES, findings, strict=True)}
    if not by_stage["self-attention"].held:
        return list(findings)
    return [
        replace(finding, mistake="one width for all", message=f"{ONE_WIDTH}\n{finding.message}")
        if finding.kind == RAISED and by_stage["one head"].kind == RAISED
        else finding
        for finding in findings
    ]

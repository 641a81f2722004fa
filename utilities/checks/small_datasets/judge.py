"""Judge the small-data lab: its formulas, fed with an implementation's own weights."""

from collections.abc import Sequence

import numpy as np

from utilities.checks.core.report import Finding
from utilities.checks.judging import Mistake, Stage, fact, judge_stages, problem_finding, recognise
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.small_datasets.mistakes import (
    LSA_MISTAKES,
    OPTIMIZER_MISTAKES,
    RATE_MISTAKES,
    RIGHT_ATTENTION,
    TOKEN_MISTAKES,
    optimizer_oracle,
    rate_oracle,
    token_oracle,
)

TOKEN_DEPTH = 6  # dependent operations up to an output: tolerances grow with them
LSA_DEPTH = 6
RATE_DEPTH = 4
STEP_DEPTH = 12

TOKEN_STAGES = [
    Stage("one patch", "a token is made from its patch in the image and in four shifted copies"),
    Stage("patches", "images of any shape become tokens, row by row", 2.0),
    Stage("odd patches", "half a patch means patch_size // 2"),
    Stage("functional", "works in a functional model, with the number of tokens known"),
    Stage("config", "a layer made anew from get_config() is the same"),
]
LSA_STAGES = [
    Stage("one head", "one head: no token attends to itself, and τ divides the scores"),
    Stage("heads", "several heads", 2.0),
    Stage("attention weights", "return_attention_scores=True returns output and attention weights"),
    Stage("functional", "works in a functional model"),
    Stage("config", "a layer made anew from get_config() is the same"),
]
RATE_STAGES = [
    Stage("warm-up", "rises in a straight line from warmup_learning_rate to learning_rate_base"),
    Stage("cosine", "falls along a cosine from there to 0 at total_steps"),
    Stage("end", "is 0 after total_steps"),
    Stage("no warm-up", "starts with the cosine where warmup_steps is 0"),
    Stage("tensors", "takes a tensor as step, as an optimiser gives it"),
    Stage("config", "a schedule made anew from get_config() is the same"),
]
OPTIMIZER_STAGES = [
    Stage("rate", "every step uses the learning rate that the schedule has for it", 2.0),
    Stage("update", "the steps are AdamW's, with this weight decay"),
]


def shifted_patch_tokenization(
    cases: Sequence[Case], observations: Sequence[Observation]
) -> list[Finding]:
    """Judge what a token is made from and what it becomes, stage by stage, and what is trained."""
    findings = judge_stages(
        cases, observations, TOKEN_STAGES, token_oracle(), TOKEN_MISTAKES, TOKEN_DEPTH
    )
    return [*findings, _tokenizer_trained(*_of_stage("weights", cases, observations))]


def multi_head_attention_lsa(
    cases: Sequence[Case], observations: Sequence[Observation]
) -> list[Finding]:
    """Judge output, attention weights, dropout and the temperature, stage by stage."""
    complete = [pair for pair in zip(cases, observations, strict=True) if pair[1].problem is None]
    fitting = recognise([Mistake("", "", oracle) for oracle in RIGHT_ATTENTION], complete, LSA_DEPTH)
    right = fitting.oracle if fitting else RIGHT_ATTENTION[0]
    findings = judge_stages(cases, observations, LSA_STAGES, right, LSA_MISTAKES, LSA_DEPTH)
    dropout = _dropped(*_of_stage("dropout", cases, observations))
    weights = _of_stage("weights", cases, observations)
    return [*findings, dropout, _starts(*weights), _attention_trained(*weights)]


def warm_up_cosine(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the learning rate, stage by stage, and whether bad settings are refused."""
    findings = judge_stages(cases, observations, RATE_STAGES, rate_oracle(), RATE_MISTAKES, RATE_DEPTH)
    return [*findings, _refuses(*_of_stage("too short", cases, observations))]


def make_optimizer(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the learning rate that was used in each step, and what the step did."""
    return judge_stages(
        cases, observations, OPTIMIZER_STAGES, optimizer_oracle(), OPTIMIZER_MISTAKES, STEP_DEPTH
    )


def _of_stage(
    stage: str, cases: Sequence[Case], observations: Sequence[Observation]
) -> tuple[Case, Observation]:
    return next(pair for pair in zip(cases, observations, strict=True) if pair[0].stage == stage)


def _tokenizer_trained(case: Case, observation: Observation) -> Finding:
    name = "normalisation and projection are trained, and nothing else"
    stopped = problem_finding(name, observation)
    if stopped:
        return stopped
    expected = sum(case[weight].size for weight in ("gamma", "beta", "kernel", "bias"))
    message = _count_message(
        int(observation["trainable_count"]),
        expected,
        "LayerNormalization has gain and shift for each value of a flattened patch, the Dense layer "
        "a kernel and a bias. Is there a layer too many or too few, or one that is made in call() "
        "and forgotten?",
    )
    if message:
        return fact(name, False, message, "other weights")
    missed = ", ".join(observation["without_gradient"])
    message = f"No gradient reaches {missed}, so training would not change it."
    return fact(name, not missed, message, "no gradient")


def _starts(case: Case, observation: Observation) -> Finding:
    """Return the finding on the temperature that a new layer has."""
    name = "the temperature starts at √key_dim"
    stopped = problem_finding(name, observation)
    if stopped:
        return stopped
    found = observation["temperature"]
    if found.size == 0:
        return fact(name, False, _no_temperature(case), "no temperature")
    key_dim, (_, width) = case["key_dim"], case["x"].shape[1:]
    if np.allclose(found, np.sqrt(key_dim), rtol=1e-5):
        return fact(name, True, "")
    known = {
        "key_dim": key_dim,
        "1": 1.0,
        "1/√key_dim": key_dim**-0.5,
        "1/key_dim": 1 / key_dim,
        "√d, the root of the width of a token": width**0.5,
        "√(num_heads·key_dim)": (case["num_heads"] * key_dim) ** 0.5,
        "the logarithm of √key_dim": np.log(key_dim) / 2,
    }
    where = next((text for text, value in known.items() if np.allclose(found, value, rtol=1e-5)), "")
    came = where or f"{found[0]:.4g}"
    message = (
        f"Your temperature starts at {came}; with key_dim = {key_dim} it is to start at "
        f"√{key_dim} = {key_dim**0.5:.4g}, so that a new layer scales as plain attention does."
    )
    return fact(name, False, message, "temperature starts elsewhere")


def _no_temperature(case: Case) -> str:
    return (
        "The layer has no weight of a single number (or of one for each of its "
        f"{case['num_heads']} heads). The temperature is a weight: add_weight makes one, and a plain "
        "Python number is never trained."
    )


def _attention_trained(case: Case, observation: Observation) -> Finding:
    name = "the temperature is trained, beside the weights of Keras' layer"
    stopped = problem_finding(name, observation)
    if stopped:
        return stopped
    found = observation["temperature"].size
    if not found:
        return fact(name, False, _no_temperature(case), "no temperature")
    if not observation["temperature_trained"]:
        message = "Your temperature is not among layer.trainable_weights: how did you make it?"
        return fact(name, False, message, "temperature not trained")
    parts = ("query", "key", "value", "output")
    expected = found + sum(case[f"{part}_{w}"].size for part in parts for w in ("kernel", "bias"))
    message = _count_message(
        int(observation["trainable_count"]),
        expected,
        "Beside the temperature there are kernels and biases of query, key, value and output.",
    )
    if message:
        return fact(name, False, message, "other weights")
    message = (
        "No gradient reaches the temperature, so training would not change it. Is it used, and not "
        "turned into a plain number first?"
    )
    return fact(name, not len(observation["without_gradient"]), message, "no gradient")


def _dropped(_: Case, observation: Observation) -> Finding:
    name = "dropout acts on the attention weights, in training only"
    stopped = problem_finding(name, observation)
    if stopped:
        return stopped
    message = (
        "With dropout=0.5 your layer gives the same in training as at inference. Keras' layer drops "
        "attention weights after the softmax, and only where training is True."
    )
    return fact(name, bool(observation["changes"]), message, "no dropout")


def _refuses(_: Case, observation: Observation) -> Finding:
    name = "total_steps below warmup_steps is refused"
    stopped = problem_finding(name, observation)
    if stopped:
        return stopped
    message = "A warm-up longer than the whole run is to raise a ValueError, and yours goes on."
    return fact(name, bool(observation["refused"]), message, "not refused")


def _count_message(count: int, expected: int, explanation: str) -> str:
    """Return what is wrong with the number of trained numbers, empty where nothing is."""
    if count == expected:
        return ""
    return f"Your layer trains {count:,} numbers; {expected:,} are expected. {explanation}"

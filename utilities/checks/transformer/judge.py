"""Judge the MLP and the transformer block: the layers found, their values, their dropout."""

from collections.abc import Sequence

import numpy as np

from utilities.checks.core.report import Finding
from utilities.checks.judging import (
    Mistake,
    Pairs,
    Stage,
    beside_values,
    fact,
    judge_stages,
    of_stage,
    problem_finding,
    recognise,
)
from utilities.checks.kernel.case import WRONG_VALUE, Case, Observation
from utilities.checks.transformer.formulas import (
    BLOCK_DEPTH,
    MLP_DEPTH,
    all_found,
    everywhere,
    mlp_oracle,
    right_block,
)
from utilities.checks.transformer.mistakes import BLOCK_MISTAKES, MLP_MISTAKES, SIZE_MISTAKES
from utilities.checks.transformer.training import (
    block_dropout_mistake,
    dropout_finding,
    mlp_dropout_mistake,
)


def mlp(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the layers, the values of one and of several, and dropout."""
    stages = [
        Stage("one layer", "one layer: a non-linearity after xW + b"),
        Stage("several layers", "several layers, each followed by the non-linearity", 2.0),
    ]
    pairs = list(zip(cases, observations, strict=True))
    layers, training = _apart(pairs, ("training", "rate 0"))
    facts = [
        _layers_finding(
            "one Dense layer for each entry of hidden_units", layers, MLP_MISTAKES + SIZE_MISTAKES
        ),
        dropout_finding(
            "dropout after each layer, in training only", training, mlp_dropout_mistake, 2.0
        ),
    ]
    formulas = (mlp_oracle(everywhere), MLP_MISTAKES, MLP_DEPTH)
    found, dropout = beside_values(facts, of_stage("several layers", pairs), *formulas)
    return [found, *judge_stages(cases, observations, stages, *formulas), dropout]


def transformer_block(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the parts found, the values of each part and of the whole, and dropout."""
    stages = [
        Stage("attention part", "attention part: x₁ = LN(x + MHA(x, x, x))"),
        Stage("MLP part", "MLP part: x₂ = LN(x₁ + mlp(x₁))"),
        Stage("whole block", "the whole block, for any sizes", 2.0),
    ]
    pairs = list(zip(cases, observations, strict=True))
    layers, training = _apart(pairs, ("training",))
    facts = [
        _layers_finding(
            "one attention, one MLP, and a LayerNormalization after each", layers, BLOCK_MISTAKES
        ),
        dropout_finding(
            "dropout on what each part adds, in training only",
            training,
            block_dropout_mistake,
            1.0,
        ),
    ]
    formulas = (right_block, BLOCK_MISTAKES, BLOCK_DEPTH)
    found, dropout = beside_values(facts, of_stage("whole block", pairs), *formulas)
    return [found, *judge_stages(cases, observations, stages, *formulas), dropout]


def _apart(pairs: Pairs, stages: Sequence[str]) -> tuple[Pairs, Pairs]:
    """Return the pairs of all other stages, and those of the given ones."""
    inside = [pair for pair in pairs if pair[0].stage in stages]
    return [pair for pair in pairs if pair[0].stage not in stages], inside


def _layers_finding(name: str, pairs: Pairs, mistakes: Sequence[Mistake]) -> Finding:
    """Judge whether all weights were found, none too many, and all of them learn."""
    for _, observation in pairs:
        stopped = problem_finding(name, observation)
        if stopped:
            return stopped
    odd = [(case, observation) for case, observation in pairs if not all_found(observation)]
    if odd:
        mistake = recognise(mistakes, pairs) or recognise(mistakes, odd)
        message = mistake.message if mistake else _what_was_found(*odd[0])
        return fact(name, False, message, mistake.name if mistake else "", WRONG_VALUE)
    return fact(
        name,
        all(np.all(observation.values.get("reached", True)) for _, observation in pairs),
        "The gradient does not reach all of the weights, so that some cannot learn. Use TensorFlow "
        "operations throughout, and let every layer lead to the result.",
        "gradient cut off",
    )


def _what_was_found(case: Case, observation: Observation) -> str:
    shapes = observation["shapes"][~observation["matched"]]
    odd = [f"({', '.join(str(n) for n in shape if n > 1)})" for shape in shapes]
    parts = [f"For {case.describe()}:"]
    if observation["missing"].size:
        parts.append(f"no trainable weight plays the part of {', '.join(observation['missing'])};")
    if odd:
        parts.append(f"weights of shape {', '.join(odd)} were not expected;")
    return " ".join(parts)[:-1] + "."

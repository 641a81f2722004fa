"""Judge dropout: where it acts, how often, and that it acts in training alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.report import Finding
from utilities.checks.judging import Pairs, agrees, fact, problem_finding
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.transformer.cases import ANCHORS
from utilities.checks.core.dropout import (
    Branch,
    as_frequent_as_expected,
    branch_of_each,
    constant_along_an_axis,
    dropped,
)
from utilities.checks.transformer.formulas import (
    ACCEPTED,
    BLOCK_DEPTH,
    MLP_DEPTH,
    SATURATING,
    Activation,
    all_found,
    as_float,
    dense_weights,
    everywhere,
    expected_shapes,
    last_linear,
    linear,
    repeatable,
    right_block,
)
from utilities.checks.transformer.mistakes import ALWAYS_ON

DEFAULT_RATE = 0.1


@dataclass(frozen=True)
class Placement:
    """A way to go wrong with dropout: a name, a message, and the steps that an MLP then takes."""

    name: str
    message: str
    steps: Callable[[int], list[str]]
    rate: Callable[[float], float] = lambda rate: rate
    scaled: bool = True


DENSE, ACTIVATION, DROPOUT = "dense", "activation", "dropout"
LAYER = [DENSE, ACTIVATION, DROPOUT]
NO_DROPOUT = "In training, nothing is dropped. Is there a Dropout layer after each step that needs one?"
RATE_IGNORED = "Dropout does not use the dropout_rate it is given."
KEEP_RATE = (
    "Dropout drops what it should keep: in Keras the rate is the part that is dropped, not the "
    "part that stays."
)
NOT_SCALED = (
    "What dropout keeps is not scaled up by 1/(1 − rate), so that training and inference see "
    "numbers of different size. Keras' Dropout does it for you."
)
ROWS = (
    "Dropout drops whole rows or columns together. Each number is to be dropped by itself: give "
    "Dropout no noise_shape."
)


def _rate_ignored(fixed: float) -> Placement:
    return Placement("rate ignored", RATE_IGNORED, lambda depth: LAYER * depth, lambda rate: fixed)


PLACEMENTS = [
    Placement("no dropout", NO_DROPOUT, lambda depth: LAYER[:2] * depth),
    Placement(
        "dropout after the last layer only",
        "Only your last layer is followed by dropout. Every layer is: put it inside the loop.",
        lambda depth: LAYER[:2] * depth + [DROPOUT],
    ),
    Placement(
        "no dropout after the last layer",
        "Your last layer is not followed by dropout; every layer is.",
        lambda depth: (LAYER * depth)[:-1],
    ),
    Placement(
        "dropout before Dense",
        "Your dropout comes before the Dense layer: the order is Dense, non-linearity, dropout.",
        lambda depth: [DROPOUT, DENSE, ACTIVATION] * depth,
    ),
    Placement(
        "dropout before the non-linearity",
        "Your dropout comes before the non-linearity: the order is Dense, non-linearity, dropout.",
        lambda depth: [DENSE, DROPOUT, ACTIVATION] * depth,
    ),
    Placement("keep rate for drop rate", KEEP_RATE, lambda depth: LAYER * depth, lambda rate: 1 - rate),
    Placement("not scaled", NOT_SCALED, lambda depth: LAYER * depth, scaled=False),
    *(_rate_ignored(fixed) for fixed in (0.1, 0.2, 0.25, 0.4, 0.5)),
]


def dropout_finding(name: str, pairs: Pairs, mistake_of: Callable, share: float) -> Finding:
    """Judge that inference is repeatable, and training as the rate says."""
    for case, observation in pairs:
        stopped = problem_finding(name, observation, share)
        if stopped:
            return stopped
        if not repeatable(observation):
            return fact(name, False, ALWAYS_ON.message, ALWAYS_ON.name, share=share)
        found = mistake_of(case, observation)
        if found:
            mistake, message = found
            return fact(name, False, message, mistake, share=share)
    return fact(name, True, "", share=share)


def mlp_dropout_mistake(case: Case, observation: Observation) -> tuple[str, str] | None:
    """Return name and message of what is wrong with dropout in one case, or None."""
    if case.stage == "rate 0":
        same = agrees(observation["output_in_training"], observation["output"], 1, MLP_DEPTH)
        return None if same else ("rate ignored", RATE_IGNORED)
    activations = _activations_seen(case, observation)
    if activations is None:
        return "", "Dropout can be judged once the output at inference is right."
    observed = observation["output_in_training"][..., : _chain_width(case)]
    branches_of = partial(_mlp_branches, case, observation, activations)
    right = branches_of(LAYER * len(activations), case["dropout_rate"])
    taken = branch_of_each(observed, right)
    if taken is not None:
        return _frequency_mistake(taken, [right])
    for wrong in PLACEMENTS:
        steps, rate = wrong.steps(len(activations)), wrong.rate(case["dropout_rate"])
        if branch_of_each(observed, branches_of(steps, rate, wrong.scaled)) is not None:
            return wrong.name, wrong.message
    return "", (
        "In training, each number after a layer is either dropped (it becomes 0) or kept and "
        f"divided by 1 − {case['dropout_rate']}; yours are something else."
    )


def _frequency_mistake(
    taken: np.ndarray, alternatives: Sequence[Sequence[Branch]]
) -> tuple[str, str] | None:
    if constant_along_an_axis(taken):
        return "whole rows dropped", ROWS
    if any(as_frequent_as_expected(taken, branches) for branches in alternatives):
        return None
    return "rate ignored", (
        "Dropout does not drop as many numbers as its rate says, and yet scales the others by it."
    )


def _mlp_branches(
    case: Case,
    observation: Observation,
    activations: list[Activation],
    steps: list[str],
    rate: float,
    scaled: bool = True,
) -> list[Branch]:
    """Return what the entries may become on their way through the steps (B, N, chain width)."""
    width = _chain_width(case)
    x = as_float(case["x"][..., :width])
    remaining = iter(zip(_biases_found(case, observation), activations, strict=True))
    branches: list[Branch] = [(x, 1.0)]
    activation: Activation = linear
    for step in steps:
        if step == DROPOUT:
            branches = dropped(branches, rate, scaled)
        elif step == DENSE:
            bias, activation = next(remaining)
            branches = [(values + bias[:width], p) for values, p in branches]
        else:
            branches = [(activation(values), p) for values, p in branches]
    return branches


def _activations_seen(case: Case, observation: Observation) -> list[Activation] | None:
    """Return the non-linearities, right or wrong, that explain the output at inference."""
    depth = len(expected_shapes(case))
    observed = observation["output"][..., : _chain_width(case)]
    for pattern in (everywhere, last_linear):
        for activation in [*ACCEPTED, *SATURATING, linear]:
            activations = pattern(activation, depth)
            [(values, _)] = _mlp_branches(case, observation, activations, LAYER[:2] * depth, 0.0)
            if agrees(observed, values, case.longest_axis, MLP_DEPTH):
                return activations
    return None


def _biases_found(case: Case, observation: Observation) -> list[np.ndarray]:
    return [
        bias * (f"bias_{i}" not in observation["missing"])
        for i, bias in enumerate(dense_weights(case)[1], start=1)
    ]


def _chain_width(case: Case) -> int:
    """Return how many columns go straight from input to output of a training case."""
    return min(min(shape) for shape in expected_shapes(case))


def block_dropout_mistake(case: Case, observation: Observation) -> tuple[str, str] | None:
    """Return name and message of what is wrong with dropout in one case, or None."""
    if not all_found(observation):
        return "", "Dropout can be judged once the layers of the block are as expected."
    found = _block_dropout_unlike_expected(case, observation)
    expected = right_block(case, observation)["output"]
    if found and not agrees(observation["output"], expected, case.longest_axis, BLOCK_DEPTH):
        return "", "Dropout can be judged once the output at inference is right."
    return found


def _block_dropout_unlike_expected(case: Case, observation: Observation) -> tuple[str, str] | None:
    if not _same_in_training(observation, "neither"):
        return "dropout on the residual", (
            "In training, x itself is dropped in places, not only what attention and MLP add to "
            "it. Dropout acts on their outputs, before x is added: x keeps its free passage."
        )
    rate = DEFAULT_RATE if case["dropout_rate"] is None else case["dropout_rate"]
    if all(_same_in_training(observation, part) for part in ("attention", "mlp")):
        return "no dropout", NO_DROPOUT
    x = as_float(case["x"])
    x_1 = oracles.layer_norm(x, 1.0, 0.0)
    return _update_mistake(observation, "attention", x, rate, 1) or _update_mistake(
        observation, "mlp", x_1, rate, 2
    )


def _update_mistake(
    observation: Observation, part: str, base: np.ndarray, rate: float, times: int
) -> tuple[str, str] | None:
    """Judge the dropout on what one part adds to `base`: dropout of that rate, so many times."""
    label = {"attention": "attention", "mlp": "the MLP"}[part]
    update = _update(observation[f"{part}_alone"], base)
    observed = _update(observation[f"{part}_alone_in_training"], base)
    if not np.all(np.abs(update) > 0.05):  # false where nothing is added, or a NaN came
        return "", f"Dropout on the output of {label} can be judged once inference is right."
    right = _block_branches(update, rate, times)
    taken = branch_of_each(observed, right)
    if taken is not None:
        once = [p for _, p in _block_branches(update, rate, 1)]
        one_seed = [(values, p) for (values, _), p in zip(right, once, strict=True)]
        return _frequency_mistake(taken, [right, one_seed])  # equal seeds drop the same numbers
    for n in range(times):
        if branch_of_each(observed, _block_branches(update, rate, n)) is not None:
            return f"no dropout after {label}", _missing_dropout(label, n)
    for name, message, wrong_rate, scaled in (
        ("keep rate for drop rate", KEEP_RATE, 1 - rate, True),
        ("not scaled", NOT_SCALED, rate, False),
        *(("rate ignored", RATE_IGNORED, r, True) for r in (0.1, 0.2, 0.25, 0.3, 0.4, 0.5)),
    ):
        branches = [_block_branches(update, wrong_rate, n, scaled) for n in range(1, times + 1)]
        if any(branch_of_each(observed, b) is not None for b in branches):
            return name, message
    return "", (
        f"In training, each number that {label} adds is either dropped (it becomes 0) or kept and "
        f"scaled up by 1/(1 − {rate}); yours are something else."
    )


def _missing_dropout(label: str, found: int) -> str:
    if found == 0:
        return f"In training, nothing of the output of {label} is dropped before it is added."
    return (
        "The output of the MLP passes only one dropout: your mlp ends with one of its own, and the "
        "block has another on all that the MLP gives."
    )


def _block_branches(update: np.ndarray, rate: float, times: int, scaled: bool = True) -> list[Branch]:
    branches: list[Branch] = [(update, 1.0)]
    for _ in range(times):
        branches = dropped(branches, rate, scaled)
    return branches


def _update(normalised: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Return what was added to `base` (B, N, d) before each row was shifted and scaled.

    Nothing is added to the two anchor columns, so they tell by how much; (B, N, d − 2).
    """
    z = as_float(normalised)
    with np.errstate(all="ignore"):
        scale = (base[..., 0] - base[..., 1]) / (z[..., 0] - z[..., 1])  # (B, N)
        total = base[..., :1] + (z - z[..., :1]) * scale[..., None]
    return (total - base)[..., ANCHORS:]


def _same_in_training(observation: Observation, part: str) -> bool:
    here, there = observation[f"{part}_alone"], observation[f"{part}_alone_in_training"]
    return bool(np.allclose(here, there, rtol=1e-4, atol=1e-4))

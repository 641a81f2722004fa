"""The formulas of the MLP and the block with known weights: right ones, and ways to go wrong."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.activations import (  # noqa: F401
    ACCEPTED,
    MIXED,
    SATURATING,
    closest,
    linear,
    relu,
)
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.judging import Oracle, Values

MLP_DEPTH = 6  # dependent operations up to an output: tolerances grow with them
BLOCK_DEPTH = 12
Activation = oracles.Step
Norm = Callable[..., np.ndarray]  # (x, gamma, beta, epsilon) → x
Formula = Callable[..., np.ndarray]  # (x, attend, mlp, norm_1, norm_2) → the block's output


Pattern = Callable[[Activation, int], list[Activation]]


def everywhere(activation: Activation, depth: int) -> list[Activation]:
    return [activation] * depth


def last_linear(activation: Activation, depth: int) -> list[Activation]:
    return [activation] * (depth - 1) + [linear]


def first_only(activation: Activation, depth: int) -> list[Activation]:
    return [activation] + [linear] * (depth - 1)


# The MLP


def mlp_oracle(
    pattern: Pattern,
    among: Sequence[Activation] = ACCEPTED,
    formula: Callable[..., np.ndarray] = oracles.mlp,
) -> Oracle:
    """Return the oracle of an MLP whose non-linearity is the one of `among` that comes closest."""

    def oracle(case: Case, observation: Observation) -> Values:
        x, (kernels, biases) = as_float(case["x"]), dense_weights(case)
        outputs = (formula(x, kernels, biases, pattern(f, len(kernels))) for f in among)
        return {"output": closest(outputs, observation["output"])}

    return oracle


def activation_first(
    x: np.ndarray, kernels: list[np.ndarray], biases: list[np.ndarray], activations: list[Activation]
) -> np.ndarray:
    for kernel, bias, activation in zip(kernels, biases, activations, strict=True):
        x = activation(x) @ kernel + bias
    return x


def bias_last(
    x: np.ndarray, kernels: list[np.ndarray], biases: list[np.ndarray], activations: list[Activation]
) -> np.ndarray:
    for kernel, bias, activation in zip(kernels, biases, activations, strict=True):
        x = activation(x @ kernel) + bias
    return x


def dense_weights(case: Case) -> tuple[list[np.ndarray], list[np.ndarray]]:
    layers = range(1, 1 + sum(name.startswith("kernel_") for name in case.inputs))
    kernels = [as_float(case[f"kernel_{i}"]) for i in layers]
    return kernels, [as_float(case[f"bias_{i}"]) for i in layers]


def kernel_shapes(observation: Observation) -> list[tuple[int, ...]]:
    """Return the shapes (d_in, d_out) of the Dense kernels found, in order."""
    kernels = observation["shapes"][observation["roles"] == "kernel"]
    return [tuple(int(n) for n in shape[1:]) for shape in kernels]


def expected_shapes(case: Case) -> list[tuple[int, ...]]:
    return [case[name].shape for name in case.inputs if name.startswith("kernel_")]


def repeatable(observation: Observation) -> bool:
    """Return whether inference gave the same output twice."""
    first, again = observation["output"], observation["output_again"]
    return bool(np.allclose(first, again, rtol=1e-4, atol=1e-5, equal_nan=True))


def all_found(observation: Observation) -> bool:
    """Return whether the model has the weights of the case, and no others."""
    return not observation["missing"].size and bool(np.all(observation["matched"]))


def block_oracle(
    formula: Formula = oracles.transformer_block,
    pattern: Pattern = everywhere,
    among: Sequence[Activation] = MIXED,
    norm: Norm | None = None,
) -> Oracle:
    """Return the oracle of a block that follows a formula of (x, attend, mlp, norm_1, norm_2)."""

    def oracle(case: Case, observation: Observation) -> Values:
        outputs = _block_outputs(case, formula, pattern, among, norm, (1e-6, 1e-3))
        return {"output": closest(outputs, observation["output"])}

    return oracle


def right_block(case: Case, observation: Observation) -> Values:
    """Return the output of a right block: any usual epsilon and non-linearity, either naming."""
    arguments = (everywhere, ACCEPTED, None, (1e-6, 1e-3, 1e-5, 1e-4))
    outputs = (
        output
        for formula in (oracles.transformer_block, _norms_swapped)
        for output in _block_outputs(case, formula, *arguments)
    )
    return {"output": closest(outputs, observation["output"])}


def _norms_swapped(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    """Return the right output of a block that created its second normalisation first."""
    return oracles.transformer_block(x, attend, mlp, norm_2, norm_1)


def _block_outputs(
    case: Case,
    formula: Formula,
    pattern: Pattern,
    among: Sequence[Activation],
    norm: Norm | None,
    epsilons: Sequence[float],
) -> Iterable[np.ndarray]:
    x, (kernels, biases) = as_float(case["x"]), dense_weights(case)
    W_q, W_k, W_v, W_o = (as_float(case[name]) for name in ("W_q", "W_k", "W_v", "W_o"))
    gains = [(as_float(case[f"gamma_{i}"]), as_float(case[f"beta_{i}"])) for i in (1, 2)]

    def attend(x: np.ndarray) -> np.ndarray:
        return oracles.multi_head_attention(x, x, x, W_q, W_k, W_v, W_o)[0]

    for epsilon in epsilons:
        normalise = partial(norm or oracles.layer_norm, epsilon=epsilon)
        norms = [partial(normalise, gamma=gamma, beta=beta) for gamma, beta in gains]
        for activation in among:
            activations = pattern(activation, len(kernels))
            mlp = partial(oracles.mlp, kernels=kernels, biases=biases, activations=activations)
            yield formula(x, attend, mlp, *norms)


def bare_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray:
    return oracles.layer_norm(x, np.ones_like(gamma), np.zeros_like(beta), epsilon)


def batch_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray:
    """Return what batch normalisation gives before it has seen a batch: mean 0, variance 1."""
    return gamma * x / np.sqrt(1.0 + epsilon) + beta


def as_float(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64)

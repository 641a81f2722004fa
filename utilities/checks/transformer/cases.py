"""What goes into the transformer checks: inputs, sizes, and the weights to compute with.

All dimensions of a case differ from each other, save those that the residual makes equal.
"""

from collections.abc import Sequence

import numpy as np

from utilities.checks.core.drawing import kernel, normal
from utilities.checks.kernel.case import Case

RATE = 0.3  # far from 1 − RATE, from one half and from the default 0.1: each can be told apart
ANCHORS = 2  # columns that the updates of a training case leave alone


def mlp(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw cases of one layer and of several, and of what dropout does in training."""
    cases = [
        _mlp_case(rng, "one layer", (2, 5, 4), [7]),
        _mlp_case(rng, "several layers", (3, 5, 4), [7, 6]),
        _mlp_case(rng, "several layers", (1, 6, 5), [3, 8]),
        _mlp_case(rng, "several layers", (2, 4, 7), [5, 6, 8]),
        _mlp_dropout_case(rng, "training", (6, 20, 9), [8, 7], RATE),
        _mlp_dropout_case(rng, "rate 0", (2, 6, 5), [4, 3], 0.0),
    ]
    if thorough:
        for depth in (1, 2, 3, 4):
            batch, tokens, width, *units = (int(n) for n in rng.permutation(np.arange(2, 10)))
            cases.append(_mlp_case(rng, "several layers", (batch, tokens, width), units[:depth]))
        cases.append(_mlp_dropout_case(rng, "training", (7, 30, 6), [5], 0.15))
        cases.append(_mlp_dropout_case(rng, "training", (7, 30, 8), [6, 9, 5], 0.2))
    return cases


def transformer_block(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw cases of each part alone, of the whole block, and of what dropout does in training."""
    cases = [
        _block_case(rng, "attention part", (2, 5, 4), 3, [7, 4], silent=("kernel_2", "bias_2")),
        _block_case(rng, "MLP part", (3, 4, 5), 2, [6, 5], silent=("W_o",)),
        _block_case(rng, "whole block", (2, 5, 6), 3, [8, 6]),
        _block_case(rng, "whole block", (1, 7, 5), 4, [6, 8, 5]),
        _block_dropout_case(rng, (6, 11, 8), 3, [5, 8], RATE),
        _block_dropout_case(rng, (7, 12, 9), 2, [5, 9], None),
    ]
    if thorough:
        for depth in (1, 3):
            sizes = (int(n) for n in rng.permutation(np.arange(2, 10)))
            batch, tokens, width, heads, *units = sizes
            shape = (batch, tokens, width)
            units = [*units[: depth - 1], width]
            cases.append(_block_case(rng, "whole block", shape, heads if depth == 1 else 1, units))
        cases.append(_block_dropout_case(rng, (7, 13, 8), 2, [9, 8], 0.15))
    return cases


def _mlp_case(
    rng: np.random.Generator, stage: str, shape: tuple[int, ...], units: Sequence[int]
) -> Case:
    """Return an MLP with weights that keep the size of x (…, d); dropout must not show in it."""
    weights = _mlp_weights(rng, shape[-1], units)
    return _mlp_case_of(stage, normal(rng, *shape), units, RATE, weights)


def _mlp_dropout_case(
    rng: np.random.Generator, stage: str, shape: tuple[int, ...], units: Sequence[int], rate: float
) -> Case:
    """Return an MLP in which each number goes its own way, so that the output tells its story.

    Kernels have ones on the diagonal, and all is positive: an entry of the output shows where on
    its way it was dropped, and by what factor it grew.
    """
    weights = {}
    for i, (d_in, d_out) in enumerate(zip([shape[-1], *units], units, strict=False), start=1):
        weights[f"kernel_{i}"] = np.eye(d_in, d_out, dtype=np.float32)
        weights[f"bias_{i}"] = _uniform(rng, d_out)
    return _mlp_case_of(stage, _uniform(rng, *shape), units, rate, weights)


def _mlp_case_of(
    stage: str, x: np.ndarray, units: Sequence[int], rate: float, weights: dict[str, np.ndarray]
) -> Case:
    inputs = {"x": x, "hidden_units": np.array(units), "dropout_rate": rate}
    return Case(stage, inputs | weights, unsaid=tuple(weights))


def _block_case(
    rng: np.random.Generator,
    stage: str,
    shape: tuple[int, ...],
    num_heads: int,
    units: Sequence[int],
    silent: Sequence[str] = (),
) -> Case:
    """Return a block with random weights, those named in `silent` being zero."""
    width = shape[-1]
    weights = {
        **{name: kernel(rng, num_heads, width, width) for name in ("W_q", "W_k", "W_v")},
        "W_o": kernel(rng, num_heads * width, width),
        **_norm_weights(rng.uniform(0.5, 1.5, (2, width)), rng.normal(size=(2, width))),
        **_mlp_weights(rng, width, units),
    }
    for name in silent:
        weights[name] = np.zeros_like(weights[name])
    return _block_case_of(stage, normal(rng, *shape), num_heads, units, RATE, weights)


def _block_dropout_case(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    num_heads: int,
    units: Sequence[int],
    rate: float | None,
) -> Case:
    """Return a block whose two updates can be read off its output.

    Layer normalisation only shifts and scales each row. The updates leave two columns of a row
    alone, the anchors, and from these both the shift and the scale can be found. The update of
    the MLP is its last bias, so that nothing dropped before its last layer changes it.
    """
    width, last = shape[-1], len(units)
    x = _uniform(rng, *shape)
    x[..., 0], x[..., 1] = 3.0, -2.0
    W_v = _uniform(rng, num_heads, width, width) / width
    W_v[:, :ANCHORS] = 0.0
    W_o = _uniform(rng, num_heads * width, width) / (num_heads * width)
    W_o[:, :ANCHORS] = 0.0
    weights = {
        "W_q": kernel(rng, num_heads, width, width),
        "W_k": kernel(rng, num_heads, width, width),
        "W_v": W_v,
        "W_o": W_o,
        **_norm_weights(np.ones((2, width)), np.zeros((2, width))),
        **_mlp_weights(rng, width, units),
    }
    weights[f"kernel_{last}"] = np.zeros_like(weights[f"kernel_{last}"])
    weights[f"bias_{last}"] = _uniform(rng, width)
    weights[f"bias_{last}"][:ANCHORS] = 0.0
    return _block_case_of("training", x, num_heads, units, rate, weights)


def _block_case_of(
    stage: str,
    x: np.ndarray,
    num_heads: int,
    units: Sequence[int],
    rate: float | None,
    weights: dict[str, np.ndarray],
) -> Case:
    inputs = {
        "x": x,
        "num_heads": num_heads,
        "proj_dim": x.shape[-1],
        "mlp_units": np.array(units),
        "dropout_rate": rate,
    }
    return Case(stage, inputs | weights, unsaid=tuple(weights))


def _mlp_weights(rng: np.random.Generator, width: int, units: Sequence[int]) -> dict[str, np.ndarray]:
    weights = {}
    for i, (d_in, d_out) in enumerate(zip([width, *units], units, strict=False), start=1):
        weights[f"kernel_{i}"] = 1.5 * kernel(rng, d_in, d_out)  # GELU takes some of the size away
        weights[f"bias_{i}"] = 0.5 * normal(rng, d_out)
    return weights


def _norm_weights(gammas: np.ndarray, betas: np.ndarray) -> dict[str, np.ndarray]:
    weights = {}
    for i, (gamma, beta) in enumerate(zip(gammas, betas, strict=True), start=1):
        weights[f"gamma_{i}"] = gamma.astype(np.float32)
        weights[f"beta_{i}"] = beta.astype(np.float32)
    return weights


def _uniform(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.uniform(0.5, 1.5, shape).astype(np.float32)

"""Attention rollout: what goes in, the formula, the mistakes, what is looked at."""

from functools import partial

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Mistake, Values
from utilities.checks.core.oracles import Step, transposed
from utilities.checks.kernel.case import Case, Observation

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw attention weights of one head and layer, then of several layers, heads and images."""
    draw = partial(_case, rng)
    drawn = [
        draw("one layer", 1, 1, 1, 4),
        draw("two layers", 2, 1, 1, 5),
        draw("heads", 2, 1, 3, 4),
        draw("images", 2, 3, 1, 5),
        draw("layers", 3, 1, 2, 4),
        draw("layers", 4, 2, 3, 6),
    ]
    for _ in range(3 * thorough):
        drawn.append(draw("layers", *(int(size) for size in rng.permutation(np.arange(2, 9))[:4])))
    return drawn


def _case(
    rng: np.random.Generator, stage: str, num_layers: int, batch: int, num_heads: int, num_tokens: int
) -> Case:
    """Return softmaxed scores of size one: every token has a say, none has it all."""
    scores = rng.normal(size=(num_layers, batch, num_heads, num_tokens, num_tokens))
    return Case(stage, {"attentions": oracles.softmax(scores).astype(np.float32)})


# --- the formula -----------------------------------------------------------------------------------


def _mean_of_heads(attention: np.ndarray) -> np.ndarray:
    return attention.mean(axis=1)


def _with_identity(weights: np.ndarray) -> np.ndarray:
    return weights + np.eye(weights.shape[-1])


def _halved(weights: np.ndarray) -> np.ndarray:
    return weights / 2


def _last_leftmost(layers: np.ndarray) -> np.ndarray:
    """Return the product of the layers (L, …, n, n), the last one leftmost."""
    rollout = layers[0]
    for layer in layers[1:]:
        rollout = layer @ rollout
    return rollout


def formula(
    case: Case,
    seen: Observation,
    *,
    fuse: Step = _mean_of_heads,
    residual: Step = _with_identity,
    normalise: Step = _halved,
    combine: Step = _last_leftmost,
    finish: Step = lambda rollout: rollout,
) -> Arrays:
    """Return the rollout (B, n, n) of attentions (L, B, h, n, n).

    The settings, in the order in which they act: how heads become one, how the residual connection
    is added, what makes rows sum to 1, how the layers are put together, and what is returned of it.
    Source: Abnar and Zuidema, "Quantifying Attention Flow in Transformers", 2020, equation 1.
    """
    attentions = case["attentions"].astype(np.float64)
    layers = np.stack([normalise(residual(fuse(attention))) for attention in attentions])
    return {"rollout": finish(combine(layers))}


# --- the mistakes ----------------------------------------------------------------------------------


def _as_they_are(weights: np.ndarray) -> np.ndarray:
    return weights


def _over(axis: int | tuple[int, ...] | None) -> Step:
    return lambda weights: weights / weights.sum(axis=axis, keepdims=True)


def _largest(attention: np.ndarray) -> np.ndarray:
    return attention.max(axis=1)


def _smallest(attention: np.ndarray) -> np.ndarray:
    return attention.min(axis=1)


def _sum_of_heads(attention: np.ndarray) -> np.ndarray:
    return attention.sum(axis=1)


def _from_identity(layers: np.ndarray) -> np.ndarray:
    """Return the product of all layers but the first, of none the identity (…, n, n)."""
    start = np.broadcast_to(np.eye(layers.shape[-1]), layers[0].shape)
    return _last_leftmost(np.concatenate([start[np.newaxis], layers[1:]]))


def _from_plain_identity(layers: np.ndarray) -> np.ndarray:
    """Return the same, but of none an identity without images (n, n)."""
    return _from_identity(layers) if len(layers) > 1 else np.eye(layers.shape[-1])


def _from_second(layers: np.ndarray) -> np.ndarray:
    """Return the product from the second layer on, where there is one: IndexError, where not."""
    return _last_leftmost(layers[1:])


def _without_last(layers: np.ndarray) -> np.ndarray:
    return _from_identity(np.concatenate([layers[:1], layers[:-1]]))


def _halved_at_the_end(rollout: np.ndarray) -> np.ndarray:
    return _halved(_with_identity(rollout))


NO_RESIDUAL = {"residual": _as_they_are, "normalise": _as_they_are}
LARGEST = "You take the largest weight of all heads; their mean is asked for."
MISTAKES = [
    Mistake(
        "no residual",
        "Your rollout multiplies the attention alone. A token also keeps itself, through the "
        "residual connection: that is what the identity stands for.",
        NO_RESIDUAL,
        {"residual": _as_they_are},
    ),
    Mistake(
        "not normalised",
        "The rows of your rollout do not sum to 1: after the identity is added, they have to be "
        "brought back to 1 in every layer.",
        {"normalise": _as_they_are},
        {"residual": lambda weights: weights + 2 * np.eye(weights.shape[-1])},  # A/2 + I
        {"residual": lambda weights: 2 * weights + np.eye(weights.shape[-1])},  # A + I/2
    ),
    Mistake(
        "identity subtracted",
        "You subtract the identity. A token keeps itself: the residual connection adds.",
        residual=lambda weights: weights - np.eye(weights.shape[-1]),
    ),
    Mistake(
        "divided by the whole sum",
        "You divide by the sum of a whole matrix, so that its rows sum to 1/n. Each row is the share "
        "of one token: it is divided by its own sum.",
        {"normalise": _over((-2, -1))},
        {"normalise": _over(None)},
    ),
    Mistake(
        "columns normalised",
        "The columns of your matrices are normalised. A row belongs to a query: it must sum to 1.",
        normalise=_over(-2),
    ),
    Mistake(
        "ones for the identity",
        "You add 1 to every weight. The identity has ones on its diagonal alone: a token keeps "
        "itself, and not a part of every other.",
        {"residual": lambda weights: weights + 1},
        {"residual": lambda weights: weights + 1, "normalise": _over(-1)},
    ),
    Mistake("largest head", LARGEST, fuse=_largest, normalise=_over(-1)),
    Mistake("largest head, rows not normalised", LARGEST, fuse=_largest),
    Mistake(
        "smallest head",
        "You take the smallest weight of all heads; their mean is asked for.",
        {"fuse": _smallest},
        {"fuse": _smallest, "normalise": _over(-1)},
    ),
    Mistake(
        "heads summed",
        "You add up the heads instead of averaging them, so that the identity counts for less "
        "the more heads there are.",
        {"fuse": _sum_of_heads, "normalise": _over(-1)},
        {"fuse": _sum_of_heads},
    ),
    Mistake(
        "one head only",
        "Your rollout equals that of one head alone; all heads are to be averaged.",
        {"fuse": lambda attention: attention[:, 0]},
        {"fuse": lambda attention: attention[:, -1]},
    ),
    Mistake(
        "heads kept",
        "Your rollout still has an axis for the heads: their mean comes first, in every layer.",
        fuse=_as_they_are,
    ),
    Mistake(
        "images averaged",
        "You average over the images of the batch and keep the heads. Which axis of (B, h, n, n) are "
        "the heads?",
        fuse=lambda attention: attention.mean(axis=0),
    ),
    Mistake(
        "wrong axis averaged",
        "You average over an axis of the weights. Which axis of (B, h, n, n) are the heads?",
        {"fuse": lambda attention: attention.mean(axis=2)},
        {"fuse": lambda attention: attention.mean(axis=3)},
        {"fuse": lambda attention: np.full(attention.shape[-2:], attention.mean())},
    ),
    Mistake(
        "order of layers",
        "Your product has the layers in the wrong order. Information goes through the first layer "
        "first: which side of a matrix product acts first?",
        combine=lambda layers: _last_leftmost(layers[::-1]),
    ),
    Mistake(
        "entry by entry",
        "You multiply entry by entry; a matrix product is asked for (what one token gathered was "
        "itself gathered by others before).",
        {"combine": lambda layers: layers.prod(axis=0)},
        {"combine": lambda layers: layers.prod(axis=0) * np.eye(layers.shape[-1])},
    ),
    Mistake(
        "layers averaged",
        "You average the layers; they follow each other, so their matrices are multiplied.",
        combine=lambda layers: layers.mean(axis=0),
    ),
    Mistake(
        "layers added",
        "You add up the layers; they follow each other, so their matrices are multiplied.",
        combine=lambda layers: layers.sum(axis=0),
    ),
    Mistake(
        "last layer only",
        "Your rollout equals that of the last layer alone.",
        combine=lambda layers: layers[-1],
    ),
    Mistake(
        "first layer only",
        "Your rollout equals that of the first layer alone. Does your loop come to its end?",
        combine=lambda layers: layers[0],
    ),
    Mistake(
        "first layer left out",
        "The first layer is missing from your product. Where does your loop start, and with what?",
        {"combine": _from_identity},
        {"combine": _from_plain_identity},
        {"combine": _from_second},
    ),
    Mistake(
        "last layer left out",
        "The last layer is missing from your product. Where does your loop end?",
        combine=_without_last,
    ),
    Mistake(
        "first layer twice",
        "The first layer is in your product twice: you start with it, and your loop multiplies by it "
        "again.",
        combine=lambda layers: _last_leftmost(np.concatenate([layers[:1], layers])),
    ),
    Mistake(
        "transposed",
        "Your rollout is transposed: row i says from which tokens token i has gathered.",
        {"finish": transposed},
        {"combine": lambda layers: _last_leftmost(transposed(layers))},
    ),
    Mistake(
        "identity at the end",
        "You add the identity once, at the end. There is a residual connection in every layer.",
        {**NO_RESIDUAL, "finish": _halved_at_the_end},
        {**NO_RESIDUAL, "finish": _with_identity},
    ),
    Mistake(
        "class token only",
        "You return the row of the class token alone. The rollout has a row for every token, and for "
        "every image: (B, n, n).",
        {"finish": lambda rollout: rollout[:, 0, 1:]},
        {"finish": lambda rollout: rollout[:, 0]},
    ),
    Mistake(
        "first image only",
        "You return the rollout of the first image alone. Each image of the batch has one.",
        finish=lambda rollout: rollout[0],
    ),
]
CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values("one layer", "one layer of one head: half attention, half identity"),
        Values("two layers", "two layers are multiplied, the second on the left", about=("combine",)),
        Values("heads", "the heads are averaged", about=("fuse",)),
        Values("images", "each image on its own", 0.5),
        Values("layers", "any number of layers, the last one leftmost", 1.5),
    ],
    mistakes=MISTAKES,
    depth=lambda case: len(case["attentions"]),
)

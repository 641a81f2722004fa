"""Locality self-attention: what goes in, the formula, the mistakes, what is looked at.

Source: Lee, Lee and Song, "Vision Transformer for Small-Size Datasets", 2021, arXiv 2112.13492.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import permutations, product
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Choice, Claim, Mistake, Sign, Values, Wrong
from utilities.checks.core.drawing import kernel, normal
from utilities.checks.core.oracles import masked, softmax
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.small_datasets.protocol import DROPOUT, PROJECTIONS
from utilities.checks.lessons.attention.scaled_dot_product_attention import RANDOM

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one head, several heads, attention weights, dropout, a functional model, a saved layer."""
    draw = partial(_case, rng)
    drawn = [
        draw("one head", 2, length=3, width=5, num_heads=1, key_dim=4),
        draw("heads", 2, length=5, width=6, num_heads=3, key_dim=4),
        draw("heads", 1, length=4, width=7, num_heads=2, key_dim=5),
        draw("attention weights", 2, length=6, width=5, num_heads=3, key_dim=7),
        draw("weights", 2, length=4, width=6, num_heads=3, key_dim=5),
        draw("dropout", 2, length=5, width=7, num_heads=1, key_dim=4),
        draw("functional", 3, length=5, width=7, num_heads=2, key_dim=6),
        draw("config", 2, length=5, width=8, num_heads=3, key_dim=6),
        draw("lengths", 2, length=7, width=6, num_heads=2, key_dim=5),
    ]
    for stage in ("heads", "attention weights", "functional") if thorough else ():
        num_heads, key_dim, length, width, batch = (int(n) for n in rng.permutation(5) + 3)
        drawn.append(draw(stage, batch, length, width, num_heads, key_dim))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    length: int,
    width: int,
    num_heads: int,
    key_dim: int,
) -> Case:
    """Return tokens, weights that keep projections at size one, and temperatures around √key_dim."""
    x, weights, inner = normal(rng, batch, length, width), {}, num_heads * key_dim
    for name in PROJECTIONS:
        shape = (inner, width) if name == "output" else (width, inner)
        weights[f"{name}_kernel"] = kernel(rng, *shape)
        weights[f"{name}_bias"] = normal(rng, shape[-1]) / 2
    spread = rng.permutation(np.linspace(0.45, 0.75, num_heads))  # well away from 1
    weights["temperature"] = (np.sqrt(key_dim) * spread).astype(np.float32)
    inputs = {"num_heads": num_heads, "key_dim": key_dim, "x": x, **weights}
    return Case(stage, inputs, unsaid=tuple(weights))


# --- the formula -----------------------------------------------------------------------------------

Scale = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # (scores, temperature, key_dim) → scores
Dropped = Callable[["Heads", np.ndarray], np.ndarray]  # (heads, what came) → what may come


class Heads:
    """Scores, weights, values (B, h, N, …) and the projection behind them, for dropout to act on."""

    def __init__(
        self,
        scores: np.ndarray,
        weights: np.ndarray,
        values: np.ndarray,
        normalise: Callable,
        finish: Callable,
    ):
        self.scores, self.weights, self.values = scores, weights, values
        self.normalise, self.finish = normalise, finish

    def output(self, weights: np.ndarray) -> np.ndarray:
        """Return the layer's output (B, N, d) for these attention weights."""
        return self.finish(weights @ self.values)


def patterns(length: int) -> np.ndarray:
    """Return all that dropout may multiply a row with, (2^length, 1, 1, 1, length)."""
    every = np.array(list(product((0.0, 1 / (1 - DROPOUT)), repeat=length)))
    return every[:, None, None, None]


def nearest(candidates: Sequence[np.ndarray], observed: np.ndarray) -> np.ndarray:
    """Return for each token (B, N) the candidate that is nearest; candidates (c, B, N, d)."""
    several = np.array(candidates)
    if observed.shape != several.shape[1:]:
        return several[0]
    chosen = np.abs(several - observed).max(-1).argmin(0)  # (B, N)
    return np.take_along_axis(several, chosen[None, ..., None], 0)[0]


def drop_weights(heads: Heads, observed: np.ndarray) -> np.ndarray:
    """Return what tokens become where attention weights are dropped as it seems they were."""
    kept = patterns(heads.weights.shape[-1])
    return nearest([heads.output(heads.weights * keep) for keep in kept], observed)


def formula(
    case: Case,
    seen: Observation,
    *,
    scale: Scale = lambda scores, temperature, key_dim: scores / temperature,
    hide: Callable[[np.ndarray, np.ndarray], np.ndarray] = masked,
    normalise: Callable[[np.ndarray], np.ndarray] = softmax,
    afterwards: Callable = lambda weights, mask, temperature: weights,
    bias: float = 1.0,
    order: Sequence[int] = (0, 1, 2),
    returned: oracles.Step = lambda weights: weights,
    swapped: bool = False,
    dropped: Dropped = drop_weights,
    told: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda weights, seen: weights,
    start: Callable[[Case, np.ndarray], Any] = lambda case, seen: np.sqrt(case["key_dim"]),
    tempered: bool = True,
    trained: bool = True,
) -> Arrays:
    """Return output and attention weights, and what a layer starts and is trained with.

    The settings, in the order in which they act: how scores are scaled, how the mask hides, what
    makes weights of scores, what happens to these; whether projections have biases, and which of
    the three alike is which, since all are learned; how the weights are returned, and whether they
    come first; what dropout may make of the output in training, and of the weights; where the
    temperature starts, whether there is one, and whether it is trained.
    """
    if order != (0, 1, 2) and seen["roles_known"]:
        raise ValueError("the names of the weights tell which is which")
    found = seen["temperature"].size
    per_head = found == case["num_heads"]
    temperature = case["temperature"][: None if per_head else 1].astype(np.float64)
    projections = [_projection(case, PROJECTIONS[i], bias) for i in (*order, 3)]
    x, h = case["x"].astype(np.float64), case["num_heads"]
    q, k, v = (_split(x @ W + b, h) for W, b in projections[:3])  # (B, h, N, key_dim)
    scores = scale(q @ oracles.transposed(k), temperature.reshape(-1, 1, 1), k.shape[-1])
    mask = ~np.eye(x.shape[1], dtype=bool)  # (N, N)
    weights = afterwards(normalise(hide(scores, mask)), mask, temperature.reshape(-1, 1, 1))
    W_o, b_o = projections[3]
    heads = Heads(
        hide(scores, mask), weights, v, normalise, lambda heads: oracles.merge(heads) @ W_o + b_o
    )
    output, turn = heads.output(weights), slice(None, None, -1 if swapped else 1)
    if case.stage == "attention weights":
        names = ("output", "attention_weights")[turn]
        return dict(zip(names, (output, returned(weights)), strict=True))
    if case.stage == "dropout":
        names = ("output_in_training", "weights_in_training")[turn]
        trained_output, trained_weights = (seen[name] for name in names)
        values = dropped(heads, trained_output), told(returned(weights), trained_weights)
        return {"output": output, **dict(zip(names, values, strict=True))}
    if case.stage != "weights":
        return {"output": output}
    count = sum(W.size + bool(bias) * b.size for W, b in projections)
    count += trained * tempered * max(found, 1)
    starts = np.full(max(found, 1) * tempered, start(case, seen["temperature"]))
    return {"output": output, "temperature": starts, "parameter_count": np.array(count)}


def _projection(case: Case, name: str, bias: float) -> tuple[np.ndarray, np.ndarray]:
    return case[f"{name}_kernel"].astype(np.float64), bias * case[f"{name}_bias"].astype(np.float64)


def _split(x: np.ndarray, num_heads: int) -> np.ndarray:
    """Return x (B, N, h·k) head by head, (B, h, N, k)."""
    batch, length, inner = x.shape
    return np.moveaxis(x.reshape(batch, length, num_heads, inner // num_heads), 2, 1)


# --- the mistakes ----------------------------------------------------------------------------------

SCALE = "The scores are divided by the temperature τ, once, and by nothing else."


def _by_a_constant(scores: np.ndarray, _: np.ndarray, key_dim: int) -> np.ndarray:
    return scores / np.sqrt(key_dim)


def _unscaled(scores: np.ndarray, *_: Any) -> np.ndarray:
    return scores


def _unhidden(scores: np.ndarray, _: np.ndarray) -> np.ndarray:
    return scores


def _masked_late(weights: np.ndarray, mask: np.ndarray, _: np.ndarray) -> np.ndarray:
    return weights * mask


def _drop_scores(heads: Heads, observed: np.ndarray) -> np.ndarray:
    kept = patterns(heads.scores.shape[-1])
    hidden = np.isneginf(heads.scores)
    rows = [np.where(hidden, heads.scores, np.where(hidden, 0, heads.scores) * keep) for keep in kept]
    return nearest([heads.output(heads.normalise(row)) for row in rows], observed)


def _drop_heads(heads: Heads, observed: np.ndarray) -> np.ndarray:
    kept = patterns(heads.values.shape[-1])
    attended = heads.weights @ heads.values  # (B, h, N, k)
    return nearest([heads.finish(attended * keep) for keep in kept], observed)


def _drop_output(heads: Heads, observed: np.ndarray) -> np.ndarray:
    return _dropped_entries(heads.output(heads.weights), observed)


def _drop_nothing(heads: Heads, observed: np.ndarray) -> np.ndarray:
    return heads.output(heads.weights)


def _drop_and_normalise(heads: Heads, observed: np.ndarray) -> np.ndarray:
    rows = [heads.weights * keep for keep in patterns(heads.weights.shape[-1])]
    sums = [np.maximum(row.sum(-1, keepdims=True), 1e-9) for row in rows]
    return nearest([heads.output(row / s) for row, s in zip(rows, sums, strict=True)], observed)


def _dropped_entries(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return values of which those are 0 that were observed so, and the others scaled up."""
    return np.where(observed == 0, 0.0, values / (1 - DROPOUT))


MISTAKES = [
    Mistake(
        "plain attention",
        "Your layer computes plain multi-head attention: the scores are divided by √key_dim, "
        "and the diagonal is not masked. Is your own computation called at all?",
        {"scale": _by_a_constant, "hide": _unhidden},
        {"scale": _by_a_constant, "hide": _unhidden, "tempered": False},
        entails=("no gradient",),
    ),
    Mistake(
        "no temperature",
        "The layer has no weight of a single number (or of one for each of its heads). The "
        "temperature is a weight: add_weight makes one, and a plain Python number is never trained.",
        {"scale": _by_a_constant, "tempered": False},
        {"tempered": False},
        {"scale": _unscaled, "tempered": False},
        entails=("no gradient", "temperature not trained"),
    ),
    Mistake(
        "temperature not trained",
        "Your temperature is not among layer.trainable_weights: how did you make it?",
        trained=False,
        entails=("no gradient",),
    ),
    Mistake(
        "temperature not used",
        "Your scores are divided by √key_dim, whatever the temperature has become. " + SCALE,
        scale=_by_a_constant,
        entails=("no gradient",),
    ),
    Mistake(
        "scaled twice",
        "Your scores are divided by √key_dim and by the temperature as well. The temperature "
        "takes the place of √key_dim: that is why it starts there.",
        scale=lambda scores, tau, k: scores / tau / np.sqrt(k),
    ),
    Mistake(
        "temperature as its logarithm",
        "Your weight is the logarithm of the temperature: exp stands between it and the scores. "
        "Learn the temperature itself; it starts at √key_dim.",
        *(
            {"scale": lambda scores, tau, k, sign=sign: scores / np.exp(sign * tau), "start": begun}
            for sign in (1, -1)
            for begun in (
                lambda case, seen: np.log(case["key_dim"]) / 2,
                lambda case, seen: -np.log(case["key_dim"]) / 2,
                lambda case, seen: seen,
            )
        ),
    ),
    Mistake(
        "multiplied by the temperature",
        "Your scores are multiplied by the temperature. " + SCALE,
        {"scale": lambda scores, tau, _: scores * tau},
        {
            "scale": lambda scores, tau, _: scores * tau,
            "start": lambda case, seen: case["key_dim"] ** -0.5,
        },
    ),
    Mistake(
        "divided by the squared temperature",
        "Your scores are divided by the temperature twice, in the queries and in the keys?",
        scale=lambda scores, tau, _: scores / tau**2,
    ),
    Mistake(
        "divided by the root of the temperature",
        "Your scores are divided by √τ. The temperature starts at √key_dim: it is the root.",
        {"scale": lambda scores, tau, _: scores / np.sqrt(tau)},
        {
            "scale": lambda scores, tau, _: scores / np.sqrt(tau),
            "start": lambda case, seen: case["key_dim"],
        },
    ),
    Mistake(
        "no scaling",
        "Your scores are not divided by anything. " + SCALE,
        scale=_unscaled,
        entails=("no gradient",),
    ),
    Mistake(
        "temperature after the softmax",
        "You divide by the temperature after the softmax, so a row no longer sums to 1.",
        {"scale": _unscaled, "afterwards": lambda weights, _, tau: weights / tau},
    ),
    Mistake(
        "diagonal not masked",
        "Your tokens attend to themselves as well: the diagonal of the scores is not masked. Nobody "
        "passes a mask in: it is made from the number of tokens.",
        hide=_unhidden,
    ),
    Mistake(
        "mask inverted",
        "Each of your tokens attends to itself and to nothing else. Which scores does your mask touch, "
        "and is what it puts there the smallest number or the largest?",
        hide=lambda scores, mask: masked(scores, ~mask),
        entails=("no gradient",),
    ),
    Mistake(
        "masked after the softmax",
        "You set the diagonal to 0 after the softmax, so a row no longer sums to 1. What score "
        "does the softmax turn into 0?",
        {"hide": _unhidden, "afterwards": _masked_late},
    ),
    Mistake(
        "diagonal scores set to 0",
        "You set the scores of the diagonal to 0. To the softmax that is a score like any other: "
        "which one does it turn into the weight 0?",
        hide=lambda scores, mask: scores * mask,
    ),
    Mistake(
        "mask added",
        "You add 0 or 1 to the scores: that favours the others a little. Which score does the "
        "softmax turn into 0?",
        {"hide": lambda scores, mask: scores + mask},
    ),
    Mistake(
        "later tokens masked",
        "Each token attends to those on one side of it alone, as in a language model. Only the "
        "diagonal is masked.",
        {"hide": lambda scores, mask: masked(scores, np.tril(np.ones_like(mask)))},
        {"hide": lambda scores, mask: masked(scores, np.triu(np.ones_like(mask)))},
    ),
    Mistake(
        "softmax axis",
        "Your softmax runs over the queries. Each token shares its attention among the others: "
        "each row must sum to 1.",
        normalise=partial(softmax, axis=-2),
    ),
    Mistake(
        "softmax over heads",
        "Your softmax runs over the heads. Each token shares its attention among the other tokens.",
        # a large negative number, since nothing but −inf along the axis gives nan
        hide=lambda scores, mask: np.where(mask, scores, -1e9),
        normalise=partial(softmax, axis=1),
    ),
    Mistake(
        "no biases",
        "Your projections have no biases. The layer has the weights of Keras' MultiHeadAttention, "
        "biases included, and the temperature.",
        bias=0.0,
    ),
    Mistake(
        "results swapped",
        "You return the attention weights first. The order is (output, attention weights).",
        swapped=True,
    ),
    Mistake(
        "weights transposed",
        "The attention weights you return have one row per key: queries come first, (B, h, N, N).",
        returned=oracles.transposed,
    ),
    Mistake(
        "no dropout",
        "With dropout=0.5 your layer gives the same in training as at inference. Keras' layer drops "
        "attention weights after the softmax, and only where training is True.",
        dropped=_drop_nothing,
    ),
    Mistake(
        "dropout before the softmax",
        "Your dropout acts on the scores. It is the attention weights that are dropped: which step "
        "makes weights of scores?",
        {"dropped": _drop_scores},
        {"dropped": _drop_scores, "told": lambda weights, seen: seen},
    ),
    Mistake(
        "dropout behind the attention",
        "Your dropout acts on what attention gives. It is the attention weights that are dropped, "
        "before they average the values.",
        {"dropped": _drop_heads},
        {"dropped": _drop_output},
    ),
    Mistake(
        "weights made to sum to 1 again",
        "After dropout your attention weights are divided by their sum. Dropout makes up for what it "
        "drops by itself.",
        dropped=_drop_and_normalise,
    ),
    Mistake(
        "dropped weights returned",
        "In training you return the attention weights as dropout leaves them. Return the weights as "
        "they were before dropout.",
        told=_dropped_entries,
    ),
    Mistake(
        "temperature starts elsewhere",
        "Your temperature does not start at √key_dim, where a new layer scales as plain attention "
        "does.",
        start=lambda case, seen: seen,
        unseen="wherever it starts is read off what was observed",
    ),
]


def _learns(case: Case, seen: Observation) -> Wrong | None:
    """The temperature has a gradient, and the layer's own start lets everything learn."""
    if not np.all(seen["gradient_reaches"]):
        return Wrong(
            "no gradient",
            "No gradient reaches the temperature, so training would not change it. Is it used, and "
            "not turned into a plain number first?",
        )
    if not np.all(seen["learns"]) or seen["alike"]:
        return Wrong(
            "start that cannot learn",
            "With the initial values you chose, projections stay alike or without a gradient: the "
            "layer would never learn. Draw them at random, as Keras does.",
        )
    if not seen["freezes"]:
        return Wrong(
            "weights made anew when frozen",
            "With layer.trainable = False your layer makes new weights or gives another result.",
        )
    return None


CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values(
            "one head",
            "one head: no token attends to itself, and τ divides the scores",
            1.5,
            about=("scale",),
        ),
        Values("heads", "several heads", 2.0, about=("hide", "normalise", "afterwards", "bias")),
        Values(
            "attention weights",
            "return_attention_scores=True returns output and attention weights",
            about=("swapped", "returned"),
        ),
        Values(
            "dropout",
            "dropout acts on the attention weights, in training only",
            1.5,
            about=("dropped", "told"),
        ),
        Values("functional", "works in a functional model", 0.5),
        Values("config", "a layer made anew from get_config() is the same", 0.5),
        Values("lengths", "one layer serves any number of tokens", 0.5),
        Values(
            "weights",
            "the temperature starts at √key_dim",
            1.0,
            of=("temperature",),
            about=("start", "tempered"),
            claim=True,
        ),
        Values(
            "weights",
            "it is trained, beside the weights of Keras' layer, and nothing else",
            1.0,
            of=("parameter_count",),
            about=("trained",),
            claim=True,
        ),
        Claim("weights", "the gradient reaches it, and the layer can learn", 0.5, _learns),
    ],
    mistakes=MISTAKES,
    choices=[Choice("", {"order": order}) for order in list(permutations(range(3)))[1:]],
    signs=[
        RANDOM,
        Sign(
            "other weights",
            "Your layer trains more or fewer numbers than Keras' layer and the temperature have. "
            "Beside the temperature there are kernels and biases of query, key, value and output.",
            lambda case, seen: case.stage == "weights",
        ),
    ],
    depth=6,  # projection, scores, temperature, softmax, weighted mean, output projection
)

"""The mistakes people make in the small-data lab, each as the oracle of what it computes (NumPy)."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.judging import Mistake, Oracle, Values
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.small_datasets import formulas
from utilities.checks.small_datasets.signs import SCHEDULE

EPSILONS = (1e-6, 1e-5, 1e-3)  # what layer normalisation adds to the variance: any of the usual


# Shifted patch tokenization


def token_oracle(
    values: Callable = formulas.shifted_patches,
    normalise: Callable = formulas.standardised,
    project: Callable | None = None,
    projects_values: bool = False,
    tokens_too: bool = True,
) -> Oracle:
    """Return the oracle of tokens, whatever the order of the values that a token is made from.

    The order does not matter, since the projection is learned: it is read off the features seen.
    values: (images, patch size) → (B, N, F). normalise: (values, epsilon) → the same shape.
    project: (features, gamma, beta, kernel, bias) → tokens (B, N, d), given the values before
    normalisation where `projects_values` says so. tokens_too: compare the tokens as well.
    """

    def oracle(case: Case, observation: Observation) -> Values:
        raw = values(case["images"].astype(np.float64), case["patch_size"])  # (B, N, F)
        seen = observation["normalised_patches"]  # (B, N, K)
        candidates = [normalise(raw, epsilon) for epsilon in EPSILONS]
        order = column_order(seen, candidates[0], case["kernel"].shape[0])
        candidates = [_columns(candidate, order) for candidate in candidates]
        features = min(candidates, key=lambda candidate: _distance(candidate, seen))
        if not tokens_too:
            return {"normalised_patches": features}
        used, width = raw.shape[-1], case["proj_dim"]
        weights = [np.resize(case[name], used).astype(np.float64) for name in ("gamma", "beta")]
        weights += [np.resize(case["kernel"], (used, width)), case["bias"]]
        projected = _columns(raw, order) if projects_values else features
        tokens = (project or _projected)(projected[..., :used], *weights)
        static = {"static_shape": tokens.shape[1:]} if case.stage == "functional" else {}
        return {"normalised_patches": features, "output": tokens, **static}

    return oracle


def column_order(seen: np.ndarray, features: np.ndarray, count: int) -> list[int]:
    """Return which column of features (B, N, F) each column of those seen (B, N, count) is.

    Where `count` exceeds F, the rest are columns of 0.
    """
    if seen.shape != (*features.shape[:2], count):
        return list(range(count))
    flat, flat_seen = (x.reshape(-1, x.shape[-1]) for x in (_columns(features, range(count)), seen))
    distance = np.abs(flat[:, :, None] - flat_seen[:, None, :]).max(axis=0)  # (max(F, K), K)
    order = []
    for k in range(count):
        order.append(int(np.argmin(distance[:, k])))
        distance[order[-1]] = np.inf  # each only once
    return order


def _columns(x: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Return these columns of x (B, N, F); beyond F they are 0."""
    missing = max(len(order) - x.shape[-1], 0)
    return np.pad(x, ((0, 0), (0, 0), (0, missing)))[..., list(order)]


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max()) if one.shape == other.shape else np.inf


def _projected(
    features: np.ndarray, gamma: np.ndarray, beta: np.ndarray, kernel: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    return (gamma * features + beta) @ kernel + bias


def _normalised_late(
    features: np.ndarray, gamma: np.ndarray, beta: np.ndarray, kernel: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """Return projected patches, normalised afterwards; the shift there is as wide as the bias."""
    gain = np.resize(gamma, bias.shape)
    return gain * formulas.standardised(features @ kernel + bias, EPSILONS[0]) + bias


def _without_gain(
    features: np.ndarray, gamma: np.ndarray, beta: np.ndarray, kernel: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    return features @ kernel + bias


def _activated(activation: Callable) -> Callable:
    """Return normalisation with a non-linearity behind the projection, here the identity."""
    return lambda values, epsilon: activation(formulas.standardised(values, epsilon))


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def _unchanged(values: np.ndarray, _: float) -> np.ndarray:
    return values


def _versions(select: Callable) -> Callable:
    """Return the values of patches cut from other versions: (images, patch size) → images."""
    return partial(formulas.shifted_patches, versions=select)


def _moved(images: np.ndarray, moves: Sequence[tuple[int, int]], **padding: Any) -> list[np.ndarray]:
    return [formulas.shifted(images, down, right, **padding) for down, right in moves]


def _diagonal(images: np.ndarray, by: int, **padding: Any) -> list[np.ndarray]:
    moves = [(by * down, by * right) for down, right in formulas.DIAGONALS]
    return [images, *_moved(images, moves, **padding)]


def _along_the_axes(images: np.ndarray, patch_size: int) -> list[np.ndarray]:
    by = patch_size // 2
    return [images, *_moved(images, [(by, 0), (-by, 0), (0, by), (0, -by)])]


def _rolled(images: np.ndarray, patch_size: int) -> list[np.ndarray]:
    by = patch_size // 2
    moves = [(by * down, by * right) for down, right in formulas.DIAGONALS]
    return [images, *(np.roll(images, move, axis=(1, 2)) for move in moves)]


def _one_diagonal(down: int, right: int) -> Callable:
    """Return the versions where all four copies go the same way."""

    def versions(images: np.ndarray, patch_size: int) -> list[np.ndarray]:
        by = patch_size // 2
        return [images, *_moved(images, [(by * down, by * right)] * 4)]

    return versions


def _two_of_four(first: int) -> Callable:
    """Return the versions where two copies are missing."""

    def versions(images: np.ndarray, patch_size: int) -> list[np.ndarray]:
        everything = formulas.with_diagonal_shifts(images, patch_size)
        return [images, everything[first], everything[5 - first]]

    return versions


def _as_one(join: Callable) -> Callable:
    """Return the versions where the five images become one."""
    return lambda images, size: [join(formulas.with_diagonal_shifts(images, size), axis=0)]


def _shifted_inside_patches(images: np.ndarray, patch_size: int) -> np.ndarray:
    """Return values where each patch is moved by itself, so that no neighbour comes in."""
    channels, patches = images.shape[-1], oracles.patches(images, patch_size)  # (B, N, P²·C)
    batch, number, _ = patches.shape
    alone = patches.reshape(-1, patch_size, patch_size, channels)  # (B·N, P, P, C)
    joined = np.concatenate(formulas.with_diagonal_shifts(alone, patch_size), axis=-1)
    return joined.reshape(batch, number, -1)  # (B, N, 5·P²·C)


def _column_by_column(images: np.ndarray, patch_size: int) -> np.ndarray:
    rows, columns = (length // patch_size for length in images.shape[1:3])
    values = formulas.shifted_patches(images, patch_size)
    order = np.arange(rows * columns).reshape(rows, columns).T.ravel()
    return values[:, order]


def _reshaped(images: np.ndarray, patch_size: int) -> np.ndarray:
    joined = np.concatenate(formulas.with_diagonal_shifts(images, patch_size), axis=-1)
    batch, height, width, channels = joined.shape
    number = (height // patch_size) * (width // patch_size)
    return joined.reshape(batch, number, patch_size**2 * channels)


def _as_more_tokens(images: np.ndarray, patch_size: int) -> np.ndarray:
    versions = formulas.with_diagonal_shifts(images, patch_size)
    return np.concatenate([oracles.patches(version, patch_size) for version in versions], axis=1)


def _pixels_normalised(images: np.ndarray, patch_size: int, epsilon: float = 1e-6) -> np.ndarray:
    joined = np.concatenate(formulas.with_diagonal_shifts(images, patch_size), axis=-1)
    return oracles.patches(formulas.standardised(joined, epsilon), patch_size)


_AXES = "Half a patch left or right and at the same time half a patch up or down: four diagonals."
_EDGES = (
    "Where your copies are moved away from the edge, {} comes in. Pixels from beyond the image are "
    "to be 0: they stand for nothing."
)

TOKEN_MISTAKES = [
    Mistake(
        "no shifted copies",
        "Your tokens are made from the image alone: its four shifted copies are missing.",
        token_oracle(_versions(lambda images, _: [images])),
    ),
    Mistake(
        "the image itself missing",
        "Your tokens are made from the four shifted copies alone: the image itself belongs to them.",
        token_oracle(_versions(lambda x, size: formulas.with_diagonal_shifts(x, size)[1:])),
    ),
    Mistake(
        "shifted by a whole patch",
        "Your copies are shifted by a whole patch. Then a token sees its neighbours, but nothing "
        "that lies across the border between them: by how much would it see half of each?",
        token_oracle(_versions(_diagonal)),
    ),
    Mistake(
        "half a patch rounded up",
        "With an odd patch size you shift by the larger half; patch_size // 2 is asked for.",
        token_oracle(_versions(lambda images, size: _diagonal(images, (size + 1) // 2))),
    ),
    Mistake(
        "shifted by one pixel",
        "Your copies are shifted by one pixel, whatever the patch size is.",
        token_oracle(_versions(lambda images, _: _diagonal(images, 1))),
    ),
    Mistake(
        "shifted along the axes",
        "Your copies are shifted left, right, up and down. " + _AXES,
        token_oracle(_versions(_along_the_axes)),
    ),
    Mistake(
        "rolled round",
        _EDGES.format("the opposite edge") + " tf.roll turns the image round; what pads with 0?",
        token_oracle(_versions(_rolled)),
    ),
    Mistake(
        "edges repeated",
        _EDGES.format("the last row or column again"),
        token_oracle(_versions(lambda x, size: _diagonal(x, size // 2, mode="edge"))),
    ),
    Mistake(
        "edges mirrored",
        _EDGES.format("the image's mirror image"),
        token_oracle(_versions(lambda x, size: _diagonal(x, size // 2, mode="reflect"))),
    ),
    Mistake(
        "edges mirrored",
        _EDGES.format("the image's mirror image"),
        token_oracle(_versions(lambda x, size: _diagonal(x, size // 2, mode="symmetric"))),
    ),
    *(
        Mistake(
            "all copies shifted one way",
            "Your four copies are all shifted in the same direction. " + _AXES,
            token_oracle(_versions(_one_diagonal(*signs))),
        )
        for signs in formulas.DIAGONALS
    ),
    *(
        Mistake(
            "two copies missing",
            "Only two of the four diagonals are there. " + _AXES,
            token_oracle(_versions(_two_of_four(first))),
        )
        for first in (1, 2)
    ),
    Mistake(
        "images added",
        "You add the five images up. Side by side along the channels, each of them keeps its own "
        "weights in the projection.",
        token_oracle(_versions(_as_one(np.sum))),
    ),
    Mistake(
        "images added",
        "You average the five images. Side by side along the channels, each of them keeps its own "
        "weights in the projection.",
        token_oracle(_versions(_as_one(np.mean))),
    ),
    Mistake(
        "shifted inside the patches",
        "You cut first and shift each patch by itself, so half of it is lost and nothing of its "
        "neighbours comes in. Which of the two steps must come first?",
        token_oracle(_shifted_inside_patches),
    ),
    Mistake(
        "five times as many tokens",
        "Your five images become tokens of their own, five times as many. One token is made from "
        "the same patch of all five: along which axis are the images to be joined?",
        token_oracle(_as_more_tokens),
    ),
    Mistake(
        "patches column by column",
        "Your patches run down the columns of the image. They go row by row.",
        token_oracle(_column_by_column),
    ),
    Mistake(
        "patches by reshape alone",
        "A reshape alone cuts the image into pieces of lines, not into squares.",
        token_oracle(_reshaped),
    ),
    Mistake(
        "no normalisation",
        "The LayerNormalization of the flattened patches is missing: they go straight to the "
        "projection.",
        token_oracle(normalise=_unchanged, project=_without_gain),
    ),
    Mistake(
        "normalised after the projection",
        "You normalise what comes out of the projection. The flattened patch is normalised first.",
        token_oracle(project=_normalised_late, projects_values=True),
    ),
    Mistake(
        "pixels normalised",
        "You normalise each pixel's channels. The LayerNormalization runs over all the values of a "
        "flattened patch together: which step must come before it?",
        token_oracle(_pixels_normalised, normalise=_unchanged, tokens_too=False),
    ),
    Mistake(
        "non-linearity",
        "There is a non-linearity behind the projection; a linear one is asked for.",
        token_oracle(normalise=_activated(_relu), tokens_too=False),
    ),
    Mistake(
        "non-linearity",
        "There is a non-linearity behind the projection; a linear one is asked for.",
        token_oracle(normalise=_activated(oracles.gelu), tokens_too=False),
    ),
]


# Locality self-attention

Attend = Callable[..., tuple[np.ndarray, np.ndarray]]  # (q, k, v, τ) → (heads, weights)


def locality_oracle(
    attend: Attend | None = None,
    order: Sequence[int] = (0, 1, 2),
    biases: bool = True,
    finish: Callable | None = None,
) -> Oracle:
    """Return the oracle of locality self-attention that goes wrong in the given ways.

    order: which of the equally shaped projections is which; all three are learned, so any will do.
    finish: (output, weights) → (output, weights).
    """

    def oracle(case: Case, observation: Observation) -> Values:
        x, kernels, offsets = _attention_weights(case, order, biases)
        per_head = observation["temperature"].size == case["num_heads"]
        temperature = case["temperature"][: None if per_head else 1].astype(np.float64)
        output, weights = formulas.locality_self_attention(x, kernels, offsets, temperature, attend)
        if finish:
            output, weights = finish(output, weights)
        if case.stage == "attention weights":
            return {"attention_weights": weights, "output": output}
        return {"output": output}

    return oracle


def _attention_weights(case: Case, order: Sequence[int], biases: bool) -> Any:
    names = [*(("query", "key", "value")[i] for i in order), "output"]
    kernels = [case[f"{name}_kernel"].astype(np.float64) for name in names]
    offsets = [case[f"{name}_bias"] * np.float64(biases) for name in names]
    return case["x"].astype(np.float64), kernels, offsets


RIGHT_ATTENTION = [locality_oracle(order=order) for order in permutations(range(3))]


def _going_wrong(
    scale: Callable | None = None,
    hide: Callable | None = None,
    normalise: Callable = oracles.softmax,
    finish: Callable | None = None,
) -> Attend:
    """Return attention that goes wrong in the given ways.

    scale: (scores, τ, k) → scores. hide: (scores, mask) → scores. normalise: scores → weights.
    finish: (weights, mask, τ) → weights.
    """

    def attend(
        q: np.ndarray, k: np.ndarray, v: np.ndarray, temperature: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        scores = q @ np.swapaxes(k, -1, -2)  # (B, h, N, N)
        scores = (scale or _scaled)(scores, temperature, k.shape[-1])
        mask = formulas.others(scores.shape[-1])
        weights = normalise((hide or oracles.masked)(scores, mask))
        weights = finish(weights, mask, temperature) if finish else weights
        return weights @ v, weights

    return attend


def _scaled(scores: np.ndarray, temperature: np.ndarray, _: int) -> np.ndarray:
    return scores / temperature


def _by_a_constant(scores: np.ndarray, _: Any, key_dim: int) -> np.ndarray:
    return scores / np.sqrt(key_dim)


def _ignored(scores: np.ndarray, _: Any) -> np.ndarray:
    return scores


_SCALE = "The scores are divided by the temperature τ, once, and by nothing else."

LSA_MISTAKES = [
    Mistake(name, message, locality_oracle(attend))
    for name, message, attend in [
        (
            "plain attention",
            "Your layer computes plain multi-head attention: the scores are divided by √key_dim, "
            "and the diagonal is not masked. Is your own computation called at all?",
            _going_wrong(_by_a_constant, _ignored),
        ),
        (
            "temperature not used",
            "Your scores are divided by √key_dim, whatever the temperature has become. " + _SCALE,
            _going_wrong(_by_a_constant),
        ),
        (
            "scaled twice",
            "Your scores are divided by √key_dim and by the temperature as well. The temperature "
            "takes the place of √key_dim: that is why it starts there.",
            _going_wrong(lambda scores, tau, k: scores / tau / np.sqrt(k)),
        ),
        (
            "multiplied by the temperature",
            "Your scores are multiplied by the temperature. " + _SCALE,
            _going_wrong(lambda scores, tau, _: scores * tau),
        ),
        (
            "divided by the squared temperature",
            "Your scores are divided by the temperature twice, in the queries and in the keys?",
            _going_wrong(lambda scores, tau, _: scores / tau**2),
        ),
        (
            "divided by the root of the temperature",
            "Your scores are divided by √τ. The temperature starts at √key_dim: it is the root.",
            _going_wrong(lambda scores, tau, _: scores / np.sqrt(tau)),
        ),
        (
            "no scaling",
            "Your scores are not divided by anything. " + _SCALE,
            _going_wrong(lambda scores, *_: scores),
        ),
        (
            "temperature after the softmax",
            "You divide by the temperature after the softmax, so a row no longer sums to 1.",
            _going_wrong(lambda scores, *_: scores, finish=lambda weights, _, tau: weights / tau),
        ),
        (
            "diagonal not masked",
            "Your tokens attend to themselves as well: the diagonal of the scores is not masked.",
            _going_wrong(hide=_ignored),
        ),
        (
            "mask inverted",
            "Your mask is the wrong way round: each token attends to itself and to nothing else.",
            _going_wrong(hide=lambda scores, mask: oracles.masked(scores, ~mask)),
        ),
        (
            "masked after the softmax",
            "You set the diagonal to 0 after the softmax, so a row no longer sums to 1. What score "
            "does the softmax turn into 0?",
            _going_wrong(hide=_ignored, finish=lambda weights, mask, _: weights * mask),
        ),
        (
            "diagonal scores set to 0",
            "You set the scores of the diagonal to 0. To the softmax that is a score like any other: "
            "which one does it turn into the weight 0?",
            _going_wrong(hide=lambda scores, mask: scores * mask),
        ),
        (
            "mask added",
            "You add the mask, 0 or 1, to the scores: that favours the others a little. Which score "
            "does the softmax turn into 0?",
            _going_wrong(hide=lambda scores, mask: scores + mask),
        ),
        (
            "mask added",
            "You take 1 from the scores of the diagonal: that weakens them a little. Which score "
            "does the softmax turn into 0?",
            _going_wrong(hide=lambda scores, mask: scores + mask - 1.0),
        ),
        (
            "softmax axis",
            "Your softmax runs over the queries. Each token shares its attention among the others: "
            "each row must sum to 1.",
            _going_wrong(normalise=partial(oracles.softmax, axis=-2)),
        ),
    ]
] + [
    Mistake(
        "no biases",
        "Your projections have no biases. The layer has the weights of Keras' MultiHeadAttention, "
        "biases included, and the temperature.",
        locality_oracle(biases=False),
    ),
    Mistake(
        "results swapped",
        "You return the attention weights first. The order is (output, attention weights).",
        locality_oracle(finish=lambda output, weights: (weights, output)),
    ),
]


# Learning rate


def rate_oracle(rate: Callable = formulas.warm_up_cosine) -> Oracle:
    """Return the oracle of a schedule: rate(step, base, total steps, first rate, warm-up steps)."""

    def oracle(case: Case, _: Observation) -> Values:
        settings = (case[name] for name in SCHEDULE)
        return {"learning_rate": rate(case["steps"], *settings)}

    return oracle


def _rises_then(
    cosine: Callable, after: Callable | None = None, rise: Callable | None = None
) -> Callable:
    """Return a schedule with another decay, another end or another warm-up.

    cosine: (step, base, total, first, warm) → rate in the decay; after: (base, decayed) → rate
    beyond the last step; rise: (step, base, first, warm) → rate in the warm-up.
    """

    def rate(step: np.ndarray, base: float, total: float, first: float, warm: float) -> np.ndarray:
        step = step.astype(np.float64)
        rising = (rise or _rise)(step, base, first, max(warm, 1))
        decayed = cosine(step, base, total, first, warm)
        rates = np.where(step < warm, rising, decayed)
        return np.where(step > total, after(base, decayed) if after else 0.0, rates)

    return rate


def _rise(step: np.ndarray, base: float, first: float, warm: float) -> np.ndarray:
    return first + (base - first) * step / warm


def _half_cosine(base: float, share: np.ndarray) -> np.ndarray:
    return base * (1 + np.cos(np.pi * share)) / 2


def _cosine(step: np.ndarray, base: float, total: float, _: Any, warm: float) -> np.ndarray:
    return _half_cosine(base, (step - warm) / (total - warm))


def _share(step: np.ndarray, total: float, warm: float) -> np.ndarray:
    return (step - warm) / (total - warm)


RATE_MISTAKES = [
    Mistake(name, message, rate_oracle(rate))
    for name, message, rate in [
        (
            "constant",
            "Your learning rate is the same at every step.",
            lambda step, base, *_: np.full(step.shape, base),
        ),
        (
            "no warm-up",
            "Your learning rate has no warm-up: it starts at its highest and only falls.",
            lambda step, base, total, first, warm: np.where(
                step > total, 0.0, _half_cosine(base, step / total)
            ),
        ),
        (
            "cosine counted from step 0",
            "Your cosine starts at step 0, so that it has already fallen when the warm-up ends. It "
            "starts where the warm-up ends, at the full rate.",
            _rises_then(lambda step, base, total, _, warm: _half_cosine(base, step / total)),
        ),
        (
            "cosine too long",
            "Your cosine takes total_steps steps from the end of the warm-up on, so it does not "
            "reach 0 at step total_steps. How many steps are left for it?",
            _rises_then(lambda step, base, total, _, warm: _half_cosine(base, (step - warm) / total)),
        ),
        (
            "cosine not halved",
            "Your decay starts at twice the full rate: 1 + cos runs from 2 to 0.",
            _rises_then(lambda *arguments: 2 * _cosine(*arguments)),
        ),
        (
            "cosine without the 1",
            "Your decay is the cosine itself, which runs from 1 to −1: half of your rates are "
            "negative. What turns it into a run from 1 to 0?",
            _rises_then(
                lambda step, base, total, _, warm: base * np.cos(np.pi * _share(step, total, warm))
            ),
        ),
        (
            "quarter of a wave",
            "Your decay is the first quarter of a cosine. The half wave is asked for, made to run "
            "from 1 to 0: slow at the start and slow at the end.",
            _rises_then(
                lambda step, base, total, _, warm: base * np.cos(np.pi * _share(step, total, warm) / 2)
            ),
        ),
        (
            "cosine without π",
            "Your cosine is taken of the share of the steps itself. At the end of the run its angle "
            "must be half a turn.",
            _rises_then(
                lambda step, base, total, _, warm: base * (1 + np.cos(_share(step, total, warm))) / 2
            ),
        ),
        (
            "straight line",
            "Your learning rate falls along a straight line, not along a cosine.",
            _rises_then(lambda step, base, total, _, warm: base * (1 - _share(step, total, warm))),
        ),
        (
            "ends at the first rate",
            "Your cosine falls to warmup_learning_rate. It falls to 0.",
            _rises_then(
                lambda step, base, total, first, warm: (
                    first + _half_cosine(base - first, _share(step, total, warm))
                )
            ),
        ),
        (
            "rises again",
            "Behind the last step your cosine goes on, and the learning rate rises again. There it "
            "is to be 0.",
            _rises_then(_cosine, after=lambda _, decayed: decayed),
        ),
        (
            "full rate after the end",
            "Behind the last step your learning rate is the full one. There it is to be 0.",
            _rises_then(_cosine, after=lambda base, _: base),
        ),
        (
            "warm-up from 0",
            "Your warm-up starts at 0. It starts at warmup_learning_rate.",
            _rises_then(_cosine, rise=lambda step, base, first, warm: base * step / warm),
        ),
        (
            "warm-up too high",
            "Your warm-up rises by learning_rate_base, and starts at warmup_learning_rate: so it ends "
            "too high. By how much must it rise to end at learning_rate_base?",
            _rises_then(_cosine, rise=lambda step, base, first, warm: first + base * step / warm),
        ),
        (
            "warm-up one step ahead",
            "Your warm-up is one step ahead: at step 0 it has already risen.",
            _rises_then(
                _cosine, rise=lambda step, base, first, warm: _rise(step + 1, base, first, warm)
            ),
        ),
        (
            "flat warm-up",
            "Your warm-up does not rise: it stays at warmup_learning_rate.",
            _rises_then(_cosine, rise=lambda step, base, first, _: np.full(step.shape, first)),
        ),
        (
            "warm-up falls",
            "Your warm-up falls where it should rise.",
            _rises_then(
                _cosine, rise=lambda step, base, first, warm: _rise(warm - step, base, first, warm)
            ),
        ),
    ]
]


def optimizer_oracle(
    rates: Callable | None = None, weight_decay: Callable | None = None, update: Callable | None = None
) -> Oracle:
    """Return the oracle of the rate used in each step and, in the update stage, of the weights.

    rates: (steps, case) → learning rates; weight_decay: case → number; update: (weights,
    gradients, rates, weight decay) → the weights after each step, for another optimiser.
    """

    def oracle(case: Case, _: Observation) -> Values:
        gradients = case["gradients"].astype(np.float64)
        used = (rates or scheduled())(np.arange(len(gradients)), case)
        if case.stage == "rate":
            return {"learning_rate": used}
        decay = weight_decay(case) if weight_decay else case["weight_decay"]
        return {"weights": (update or _adamw)(case["kernel"], gradients, used, decay)}

    return oracle


def scheduled(
    steps_per_epoch: Callable | None = None,
    warmup: Callable | None = None,
    total: Callable | None = None,
    first_rate: Callable | None = None,
) -> Callable:
    """Return the rates of warm-up and cosine whose steps are counted in the given ways.

    steps_per_epoch: case → steps; warmup, total: (case, steps an epoch) → steps; first_rate:
    case → the rate that the warm-up starts at.
    """

    def rates(steps: np.ndarray, case: Case) -> np.ndarray:
        one_epoch = (steps_per_epoch or _steps_per_epoch)(case)
        total_steps = total(case, one_epoch) if total else case["epochs"] * one_epoch
        warmup_steps = warmup(case, one_epoch) if warmup else case["warmup_epochs"] * one_epoch
        first = first_rate(case) if first_rate else 0.0
        return formulas.warm_up_cosine(steps, case["learning_rate"], total_steps, first, warmup_steps)

    return rates


def _steps_per_epoch(case: Case) -> int:
    return -(-case["num_samples"] // case["batch_size"])


def _adamw(
    kernel: np.ndarray, gradients: np.ndarray, rates: np.ndarray, weight_decay: float
) -> np.ndarray:
    given = [lambda _, gradient=gradient: gradient for gradient in gradients]
    return oracles.adamw(kernel, given, rates, weight_decay)


def _sgd(kernel: np.ndarray, gradients: np.ndarray, rates: np.ndarray, _: Any) -> np.ndarray:
    return kernel - np.cumsum(rates[:, None] * gradients, axis=0)


OPTIMIZER_MISTAKES = [
    Mistake(
        "constant rate",
        "Your optimiser uses the same learning rate in every step. Was the schedule made, and then "
        "not handed to the optimiser?",
        optimizer_oracle(lambda steps, case: np.full(len(steps), case["learning_rate"])),
    ),
    Mistake(
        "last batch forgotten",
        "Your run ends too soon: when the samples do not fill the last batch, it still is a step. "
        "Which way must the division be rounded?",
        optimizer_oracle(scheduled(lambda case: case["num_samples"] // case["batch_size"])),
    ),
    Mistake(
        "epochs counted as steps",
        "Your schedule is over after as many steps as there are epochs. The optimiser counts steps, "
        "and an epoch has many of them.",
        optimizer_oracle(scheduled(lambda _: 1)),
    ),
    Mistake(
        "samples counted as steps",
        "Your schedule counts samples. The optimiser makes one step for each batch.",
        optimizer_oracle(scheduled(lambda case: case["num_samples"])),
    ),
    Mistake(
        "one epoch only",
        "Your schedule is over after the first epoch: how many steps does the whole run have?",
        optimizer_oracle(scheduled(total=lambda case, one_epoch: one_epoch)),
    ),
    Mistake(
        "warm-up counted in steps",
        "Your warm-up lasts warmup_epochs steps. How many steps has an epoch?",
        optimizer_oracle(scheduled(warmup=lambda case, _: case["warmup_epochs"])),
    ),
    Mistake(
        "no warm-up",
        "Your learning rate starts at its highest: warmup_epochs has no effect.",
        optimizer_oracle(scheduled(warmup=lambda *_: 0)),
    ),
    Mistake(
        "warm-up added to the run",
        "Your run is longer than it is by the warm-up, so the rate does not reach 0. The warm-up is "
        "part of the epochs.",
        optimizer_oracle(
            scheduled(
                total=lambda case, one_epoch: (case["epochs"] + case["warmup_epochs"]) * one_epoch
            )
        ),
    ),
    Mistake(
        "warm-up from the full rate",
        "Your warm-up starts at the full learning rate, so nothing rises. It starts at 0.",
        optimizer_oracle(scheduled(first_rate=lambda case: case["learning_rate"])),
    ),
    Mistake(
        "no weight decay",
        "Your optimiser has no weight decay, though its learning rates are right.",
        optimizer_oracle(weight_decay=lambda _: 0.0),
    ),
    Mistake(
        "weight decay of its own",
        "Your optimiser uses AdamW's own weight decay, 0.004, not the one that is given.",
        optimizer_oracle(weight_decay=lambda _: 0.004),
    ),
    Mistake(
        "not AdamW",
        "The steps of your optimiser are those of plain gradient descent; AdamW is asked for.",
        optimizer_oracle(update=_sgd),
    ),
]

"""Shifted patch tokenization: what goes in, the formula, the mistakes, what is looked at.

Source: Lee, Lee and Song, "Vision Transformer for Small-Size Datasets", 2021, arXiv 2112.13492.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Sign, Values, Wrong
from utilities.checks.core.drawing import kernel, normal
from utilities.checks.kernel.case import Case, Observation

DIAGONALS = ((-1, -1), (-1, 1), (1, -1), (1, 1))  # signs of the shifts, (down, right)
EPSILONS = (1e-6, 1e-5, 1e-3)  # what layer normalisation adds to the variance: any of the usual
WEIGHTS = ("gamma", "beta", "kernel", "bias")

# --- what goes in ----------------------------------------------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one patch, images wider and higher, odd patches, a functional model, a saved layer."""
    draw = partial(_case, rng)
    drawn = [
        draw("one patch", 2, rows=1, columns=1, channels=1, patch_size=4, proj_dim=7),
        draw("patches", 1, rows=2, columns=3, channels=1, patch_size=4, proj_dim=9),
        draw("patches", 2, rows=4, columns=3, channels=3, patch_size=2, proj_dim=5),
        draw("odd patches", 2, rows=3, columns=2, channels=1, patch_size=3, proj_dim=4),
        draw("weights", 2, rows=3, columns=4, channels=2, patch_size=2, proj_dim=7),
        draw("functional", 3, rows=2, columns=4, channels=1, patch_size=2, proj_dim=6),
        draw("config", 1, rows=3, columns=2, channels=2, patch_size=2, proj_dim=9),
        draw("sizes", 1, rows=4, columns=3, channels=1, patch_size=2, proj_dim=7),
    ]
    for stage, patch_size in (("patches", 4), ("odd patches", 5), ("functional", 3)) * thorough:
        rows, columns, batch = (int(n) for n in rng.permutation(3) + 2)
        drawn.append(draw(stage, batch, rows, columns, 1, patch_size, proj_dim=7))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    rows: int,
    columns: int,
    channels: int,
    patch_size: int,
    proj_dim: int,
) -> Case:
    """Return images of `rows` × `columns` patches, and the weights to give to the layer."""
    values = 5 * patch_size**2 * channels
    weights = {
        "gamma": 1 + normal(rng, values) / 4,
        "beta": normal(rng, values) / 2,
        "kernel": kernel(rng, values, proj_dim),
        "bias": normal(rng, proj_dim),
    }
    images = normal(rng, batch, rows * patch_size, columns * patch_size, channels)
    sizes = {"patch_size": patch_size, "proj_dim": proj_dim}
    return Case(stage, {"images": images, **sizes, **weights}, unsaid=WEIGHTS)


# --- the formula -----------------------------------------------------------------------------------

Images = list[np.ndarray]
Versions = Callable[[np.ndarray], Images]  # images → the images of which patches are cut


def shifted(images: np.ndarray, down: int, right: int, mode: str = "constant") -> np.ndarray:
    """Return images (B, H, W, C) moved by some pixels; what comes in at the edge is 0.

    mode: that of `np.pad` where something else comes in.
    """
    _, height, width, _ = images.shape
    if mode == "constant":  # by hand, in a tenth of the time of np.pad
        rows, rows_before = _overlap(height, down)
        columns, columns_before = _overlap(width, right)
        moved = np.zeros_like(images)
        moved[:, rows, columns] = images[:, rows_before, columns_before]
        return moved
    margins = ((0, 0), (abs(down),) * 2, (abs(right),) * 2, (0, 0))
    padded = np.pad(images, margins, mode)  # type: ignore[call-overload]
    top, left = abs(down) - down, abs(right) - right
    return padded[:, top : top + height, left : left + width]


def _overlap(length: int, step: int) -> tuple[slice, slice]:
    """Return which places of an axis are filled after a move by `step`, and where they were before."""
    filled = slice(min(max(step, 0), length), max(length + min(step, 0), 0))
    return filled, slice(filled.start - step, filled.stop - step)


def cut(images: np.ndarray, patch_size: int, versions: Versions) -> np.ndarray:
    """Return what tokens are made from, (B, N, 5·P²·C): their patch in all versions of the image."""
    return oracles.patches(np.concatenate(versions(images), axis=-1), patch_size)


def standardised(x: np.ndarray, epsilon: float) -> np.ndarray:
    """Return x (…, F) with mean 0 and variance 1 along the last axis."""
    return oracles.layer_norm(x, 1.0, 0.0, epsilon)


def formula(
    case: Case,
    seen: Observation,
    *,
    by: Callable[[int], int] = lambda patch_size: patch_size // 2,
    directions: Sequence[tuple[int, int]] = DIAGONALS,
    move: Callable[..., np.ndarray] = shifted,
    itself: bool = True,
    cut: Callable[[np.ndarray, int, Versions], np.ndarray] = cut,
    pixels_first: bool = False,
    normalise: Callable[[np.ndarray, float], np.ndarray] = standardised,
    late: bool = False,
    gain: bool = True,
    bias: bool = True,
    activation: oracles.Step = lambda x: x,
) -> Arrays:
    """Return normalised patches, tokens and the number of weights.

    The order of the values that a token is made from does not matter, since the projection is
    learned: it is read off the patches seen. The settings, in the order in which they act: how far
    and where copies are moved, and how; whether the image itself is there; how patches are cut;
    whether pixels are normalised in place of patches, and how; whether after the projection;
    whether the normalisation has weights and the projection a bias; and what comes behind it.
    """
    size = case["patch_size"]

    def versions(images: np.ndarray) -> Images:
        moved = [move(images, by(size) * down, by(size) * right) for down, right in directions]
        return [images] * itself + moved

    def values(epsilon: float) -> np.ndarray:
        images = case["images"].astype(np.float64)
        if pixels_first:
            return cut(images, size, lambda x: [standardised(np.concatenate(versions(x), -1), epsilon)])
        return cut(images, size, versions)

    raw = [values(epsilon) for epsilon in EPSILONS]
    patches = seen["normalised_patches"]  # (B, N, K)
    made = [x if pixels_first else normalise(x, e) for x, e in zip(raw, EPSILONS, strict=True)]
    order = column_order(patches, activation(made[0]), case["kernel"].shape[0])
    features = min((_columns(x, order) for x in made), key=lambda x: _distance(activation(x), patches))
    used, width = raw[0].shape[-1], case["proj_dim"]
    normed = width if late else raw[0].shape[-1] // size**2 if pixels_first else used
    gamma, beta = (np.resize(case[name], normed).astype(np.float64) for name in ("gamma", "beta"))
    W, b = np.resize(case["kernel"], (used, width)).astype(np.float64), bias * case["bias"]
    count = W.size + bias * b.size + 2 * gain * normed
    if late:
        projected = _columns(raw[0], order)[..., :used] @ W + b
        # the shift there is as wide as the bias, and so gets its numbers
        tokens = standardised(projected, EPSILONS[0])
        tokens = gamma * tokens + case["bias"] if gain else tokens
    else:
        kept = features[..., :used]
        weighted = kept * np.resize(gamma, used) + np.resize(beta, used) if gain else kept
        tokens = weighted @ W + b
    tokens = activation(tokens)
    values_seen = {"normalised_patches": activation(features), "output": tokens}
    if case.stage == "weights":
        values_seen["parameter_count"] = np.array(count)
    return values_seen


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
    missing = len(order) - x.shape[-1]
    if missing > 0:
        x = np.pad(x, ((0, 0), (0, 0), (0, missing)))
    return x[..., list(order)]


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max()) if one.shape == other.shape else np.inf


# --- the mistakes ----------------------------------------------------------------------------------


def _rolled(images: np.ndarray, down: int, right: int) -> np.ndarray:
    return np.roll(images, (down, right), axis=(1, 2))


def _as_one(join: Callable) -> Callable:
    """Return the cutting where the five images become one."""
    return lambda images, size, versions: oracles.patches(join(versions(images), axis=0), size)


def _shifted_inside_patches(images: np.ndarray, patch_size: int, versions: Versions) -> np.ndarray:
    """Return values where each patch is moved by itself, so that no neighbour comes in."""
    channels, patches = images.shape[-1], oracles.patches(images, patch_size)  # (B, N, P²·C)
    batch, number, _ = patches.shape
    alone = patches.reshape(-1, patch_size, patch_size, channels)  # (B·N, P, P, C)
    joined = np.concatenate(versions(alone), axis=-1)
    return joined.reshape(batch, number, -1)  # (B, N, 5·P²·C)


def _column_by_column(images: np.ndarray, patch_size: int, versions: Versions) -> np.ndarray:
    rows, columns = (length // patch_size for length in images.shape[1:3])
    order = np.arange(rows * columns).reshape(rows, columns).T.ravel()
    return cut(images, patch_size, versions)[:, order]


def _reshaped(images: np.ndarray, patch_size: int, versions: Versions) -> np.ndarray:
    joined = np.concatenate(versions(images), axis=-1)
    batch, height, width, channels = joined.shape
    number = (height // patch_size) * (width // patch_size)
    return joined.reshape(batch, number, patch_size**2 * channels)


def _as_more_tokens(images: np.ndarray, patch_size: int, versions: Versions) -> np.ndarray:
    return np.concatenate([oracles.patches(v, patch_size) for v in versions(images)], axis=1)


AXES = "Half a patch left or right and at the same time half a patch up or down: four diagonals."
EDGES = (
    "Where your copies are moved away from the edge, {} comes in. Pixels from beyond the image are "
    "to be 0: they stand for nothing."
)
ALONG_THE_AXES = ((1, 0), (-1, 0), (0, 1), (0, -1))

MISTAKES = [
    Mistake(
        "no shifted copies",
        "Your tokens are made from the image alone: its four shifted copies are missing.",
        directions=(),
    ),
    Mistake(
        "the image itself missing",
        "Your tokens are made from the four shifted copies alone: the image itself belongs to them.",
        itself=False,
    ),
    Mistake(
        "not shifted at all",
        "Your four copies are the image itself, not shifted. By how many pixels does it move?",
        by=lambda _: 0,
    ),
    Mistake(
        "shifted by a whole patch",
        "Your copies are shifted by a whole patch. Then a token sees its neighbours, but nothing "
        "that lies across the border between them: by how much would it see half of each?",
        by=lambda size: size,
    ),
    Mistake(
        "half a patch rounded up",
        "With an odd patch size you shift by the larger half; patch_size // 2 is asked for.",
        by=lambda size: (size + 1) // 2,
    ),
    Mistake(
        "shifted by one pixel",
        "Your copies are shifted by one pixel, whatever the patch size is.",
        {"by": lambda _: 1},
    ),
    Mistake(
        "shifted along the axes",
        "Your copies are shifted left, right, up and down. " + AXES,
        directions=ALONG_THE_AXES,
    ),
    Mistake(
        "rolled round",
        EDGES.format("the opposite edge") + " tf.roll turns the image round; what pads with 0?",
        move=_rolled,
    ),
    Mistake(
        "edges repeated",
        EDGES.format("the last row or column again"),
        move=partial(shifted, mode="edge"),
    ),
    Mistake(
        "edges mirrored",
        EDGES.format("the image's mirror image"),
        *({"move": partial(shifted, mode=mode)} for mode in ("reflect", "symmetric")),
    ),
    Mistake(
        "all copies shifted one way",
        "Your four copies are all shifted in the same direction. " + AXES,
        *({"directions": (way,) * 4} for way in DIAGONALS),
    ),
    Mistake(
        "two copies missing",
        "Only two of the four diagonals are there. " + AXES,
        *({"directions": (DIAGONALS[i], DIAGONALS[3 - i])} for i in (0, 1)),
    ),
    Mistake(
        "one copy missing",
        "One of the four diagonals is missing. " + AXES,
        *({"directions": DIAGONALS[:i] + DIAGONALS[i + 1 :]} for i in range(4)),
    ),
    Mistake(
        "a diagonal twice",
        "One of the four diagonals is there twice, and another one is missing. " + AXES,
        *(
            {"directions": tuple(DIAGONALS[j] if k == i else way for k, way in enumerate(DIAGONALS))}
            for i in range(4)
            for j in range(4)
            if i != j
        ),
    ),
    Mistake(
        "images added",
        "You add the five images up, or average them. Side by side along the channels, each of them "
        "keeps its own weights in the projection.",
        *({"cut": _as_one(join)} for join in (np.sum, np.mean)),
    ),
    Mistake(
        "shifted inside the patches",
        "You cut first and shift each patch by itself, so half of it is lost and nothing of its "
        "neighbours comes in. Which of the two steps must come first?",
        cut=_shifted_inside_patches,
    ),
    Mistake(
        "five times as many tokens",
        "Your five images become tokens of their own, five times as many. One token is made from "
        "the same patch of all five: along which axis are the images to be joined?",
        cut=_as_more_tokens,
    ),
    Mistake(
        "patches column by column",
        "Your patches run down the columns of the image. They go row by row.",
        cut=_column_by_column,
    ),
    Mistake(
        "patches by reshape alone",
        "A reshape alone cuts the image into pieces of lines, not into squares.",
        cut=_reshaped,
    ),
    Mistake(
        "no normalisation",
        "The LayerNormalization of the flattened patches is missing: they go straight to the "
        "projection.",
        {"normalise": lambda values, _: values, "gain": False},
    ),
    Mistake(
        "normalisation without weights",
        "Your normalisation has no gain and no shift to learn. A LayerNormalization has both.",
        gain=False,
    ),
    Mistake(
        "normalised after the projection",
        "You normalise what comes out of the projection. The flattened patch is normalised first.",
        late=True,
    ),
    Mistake(
        "pixels normalised",
        "You normalise each pixel's channels. The LayerNormalization runs over all the values of a "
        "flattened patch together: which step must come before it?",
        pixels_first=True,
    ),
    Mistake("no bias", "Your projection has no bias; a Dense layer has one.", bias=False),
    Mistake(
        "non-linearity",
        "There is a non-linearity behind the projection; a linear one is asked for.",
        *({"activation": act} for act in (lambda x: np.maximum(x, 0), oracles.gelu, np.tanh)),
    ),
]

# --- what only the kernel can know -----------------------------------------------------------------


def _learns(case: Case, seen: Observation) -> Wrong | None:
    """A gradient reaches every weight, from the layer's own start too; freezing changes nothing."""
    if not np.all(seen["gradient_reaches"]):
        missed = int(np.sum(~seen["gradient_reaches"]))
        return Wrong(
            "no gradient",
            f"No gradient reaches {missed} of the weights, so training would not change them.",
        )
    if not np.all(seen["learns"]):
        return Wrong(
            "start that cannot learn",
            "With the initial values you chose, no gradient reaches some of the weights, and it is "
            "still so after a few steps.",
        )
    if not seen["freezes"]:
        return Wrong(
            "weights made anew when frozen",
            "With layer.trainable = False your layer makes new weights or gives another result.",
        )
    return None


def _alone(case: Case, seen: Observation) -> Wrong | None:
    if seen["alone"]:
        return None
    return Wrong(
        "patches returned too",
        "Your layer returns several values; the tokens alone are expected, or the next layer cannot "
        "be called with them.",
    )


CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values(
            "one patch",
            "a token is made from its patch in the image and in four shifted copies",
            1.5,
            of=("normalised_patches",),
            about=("itself", "move"),
        ),
        Values(
            "patches",
            "images of any shape become tokens, row by row",
            2.5,
            about=("cut", "directions", "by"),
        ),
        Values(
            ("weights", "config"),
            "a token's values are normalised together, then projected",
            1.5,
            of=("normalised_patches", "output"),
            about=("normalise", "late", "pixels_first", "activation", "gain", "bias"),
        ),
        Values("odd patches", "half a patch means patch_size // 2", 1.5),
        Values("functional", "works in a functional model"),
        Values("sizes", "one layer serves images of any size", 0.5),
        Values(
            "weights",
            "normalisation and projection are trained, and nothing else",
            0.5,
            of=("parameter_count",),
            claim=True,
        ),
        Claim("weights", "a gradient reaches every weight, also at the start", 0.5, _learns),
        Claim("functional", "returns the tokens alone", 1.5, _alone),
    ],
    mistakes=MISTAKES,
    signs=[
        Sign(
            "weights made at each call",
            "The same call twice gives different results: your layer makes new weights each time, or "
            "something in it is random. Make its layers in __init__ and keep them.",
            lambda case, seen: not (seen["made_once"] and seen["repeats"]),
            anywhere=True,
        ),
        Sign(
            "other weights",
            "Your layer trains more or fewer numbers than are expected. LayerNormalization has gain "
            "and shift for each value of a flattened patch, the Dense layer a kernel and a bias.",
            lambda case, seen: case.stage == "weights",
        ),
    ],
    depth=6,  # mean, variance, root, gain, projection, sum
)

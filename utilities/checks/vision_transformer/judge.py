"""Judge patches and their encoding, and name the mistakes people make."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from utilities.checks.core import oracles
from utilities.checks.core.report import Finding
from utilities.checks.judging import (
    Mistake,
    Oracle,
    Stage,
    Values,
    agrees,
    beside_values,
    fact,
    judge_stages,
    of_stage,
)
from utilities.checks.kernel.case import RAISED, Case, Observation
from utilities.checks.vision_transformer.judge_classifier import vit_classifier

__all__ = ["patch_extractor", "patch_encoder", "vit_classifier"]

FUNCTIONAL = "works inside a functional model, for any batch size"


def patch_extractor(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the patches, stage by stage."""
    stages = [
        Stage("one patch", "one patch keeps its pixels in order: row by row, channels together"),
        Stage("patches", "patches come row by row, whatever the height and width", 2.0),
        Stage("uint8", "images of bytes keep their values"),
        Stage("functional", f"{FUNCTIONAL}, with the number of patches known"),
    ]
    return _told_of_models(judge_stages(cases, observations, stages, _patches, PATCH_MISTAKES))


def patch_encoder(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the tokens stage by stage, then whether all of it is trained."""
    stages = [
        Stage("projection", "every patch is projected: one Dense layer with a bias"),
        Stage("class token", "the class token stands before the patches"),
        Stage("positions", "every token gets its position added, the class token too", 2.0),
        Stage("functional", FUNCTIONAL),
    ]
    findings = judge_stages(cases, observations, stages, _tokens, ENCODER_MISTAKES)
    findings = _told_of_models(findings)
    pairs = [pair for pair in zip(cases, observations, strict=True) if pair[1].problem is None]
    if len(pairs) < len(cases):
        return [*findings, _not_seen(REPEATABLE), _not_seen(TRAINED)]
    facts = [_is_repeatable(pairs), _is_trained(pairs, findings)]
    computed = of_stage("positions", pairs)
    return [*findings, *beside_values(facts, computed, _tokens, ENCODER_MISTAKES)]


def _told_of_models(findings: list[Finding]) -> list[Finding]:
    """Say of code that fails only inside a functional model what is different there."""
    *others, last = findings
    if last.kind != RAISED or any(finding.kind == RAISED for finding in others):
        return findings
    message = (
        "It works when it is given numbers, but not inside a functional model, where the batch "
        "size is not known yet (None) and tensors hold no numbers. Take −1 or tf.shape(x)[0] for "
        f"the batch size, and TensorFlow operations throughout. {last.message}"
    )
    name = "batch size fixed"
    return [*others, dataclasses.replace(last, message=message, mistake=name)]


# --- patches ---------------------------------------------------------------------------------


def _patches(case: Case, observation: Observation) -> Values:
    expected = oracles.patches(case["images"], case["patch_size"])
    if case.stage != "functional":
        return {"output": expected}
    return {
        "output": expected,
        "output_of_one": expected[:1],
        "static_shape": np.array(expected.shape[1:]),
    }


def _wrong_patches(
    wrong: Callable[[np.ndarray, int], np.ndarray],
) -> Callable[[Case, Observation], Values]:
    return lambda case, _: {"output": wrong(case["images"], case["patch_size"])}


def _arranged(*order: int, merged: int = 2) -> Oracle:
    """Return the oracle of patches whose axes are put in another order before they are merged.

    The axes: 0 batch, 1 rows of patches, 2 rows of pixels, 3 columns of patches, 4 columns of
    pixels, 5 channels. merged: how many of them, after the batch, count the patches.
    """

    def arrange(images: np.ndarray, size: int) -> np.ndarray:
        batch, height, width, channels = images.shape
        cut = images.reshape(batch, height // size, size, width // size, size, channels)
        cut = cut.transpose(order)
        return cut.reshape(batch, int(np.prod(cut.shape[1 : 1 + merged])), -1)

    return _wrong_patches(arrange)


def _not_flattened(images: np.ndarray, size: int) -> np.ndarray:
    batch, height, width, channels = images.shape
    flat = oracles.patches(images, size)
    return flat.reshape(batch, height // size, width // size, size * size * channels)


def _as_small_images(images: np.ndarray, size: int) -> np.ndarray:
    flat = oracles.patches(images, size)
    return flat.reshape(*flat.shape[:2], size, size, images.shape[-1])


def _batch_merged(images: np.ndarray, size: int) -> np.ndarray:
    flat = oracles.patches(images, size)
    return flat.reshape(-1, flat.shape[-1])


def _plain_reshape(images: np.ndarray, size: int) -> np.ndarray:
    return images.reshape(len(images), -1, size * size * images.shape[-1])


def _sides_swapped(images: np.ndarray, size: int) -> np.ndarray:
    batch, height, width, channels = images.shape
    return oracles.patches(images.reshape(batch, width, height, channels), size)


def _overlapping(step: Callable[[int], int], padded: bool = False) -> Oracle:
    """Return the oracle of patches that start every step(patch_size) pixels."""

    def overlap(images: np.ndarray, size: int) -> np.ndarray:
        stride = max(step(size), 1)
        if padded:
            extra = size - stride  # TensorFlow's "SAME": the smaller half before, the larger after
            sides = (extra // 2, extra - extra // 2)
            images = np.pad(images, ((0, 0), sides, sides, (0, 0)))
        rows_cut = sliding_window_view(images, size, axis=1)  # (B, rows, W, C, size)
        windows = sliding_window_view(rows_cut, size, axis=2)  # (B, rows, columns, C, size, size)
        windows = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
        batch, rows, columns = windows.shape[:3]
        return windows.reshape(batch, rows * columns, -1)  # (B, N, patch_size²·C)

    return _wrong_patches(overlap)


_OVERLAP = (
    "Your patches overlap: there are more of them than fit side by side. How far must the window "
    "move so that every pixel is in exactly one patch?"
)

PATCH_MISTAKES = [
    Mistake(
        "plain reshape",
        "Your patches are consecutive stretches of the image's pixels: a plain reshape cuts full "
        "rows, not squares. Split height and width into (patch, pixel) pairs, then bring the two "
        "patch axes together.",
        _wrong_patches(_plain_reshape),
    ),
    Mistake(
        "patches column by column",
        "Your patches are the right ones, but they come column by column. Number them as one "
        "reads: along the first row, then the next.",
        _arranged(0, 3, 1, 2, 4, 5),
    ),
    Mistake(
        "pixels column by column",
        "Inside each patch your pixels come column by column. Read them row by row.",
        _arranged(0, 1, 3, 4, 2, 5),
    ),
    Mistake(
        "image transposed",
        "Your patches are those of the image mirrored on its diagonal: rows and columns are "
        "exchanged, both of the patches and of the pixels inside them.",
        _arranged(0, 3, 1, 4, 2, 5),
    ),
    Mistake(
        "channels first",
        "Inside each patch you give all pixels of the first channel, then all of the second. Keep "
        "the channels of a pixel together: channels are the last axis.",
        _arranged(0, 1, 3, 5, 2, 4),
    ),
    Mistake(
        "channels apart",
        "You make a patch of its own from every channel. A patch holds all channels of its pixels: "
        "patch_size² · C numbers.",
        _arranged(0, 5, 1, 3, 2, 4, merged=3),
    ),
    Mistake(
        "channels apart",
        "You make a patch of its own from every channel. A patch holds all channels of its pixels: "
        "patch_size² · C numbers.",
        _arranged(0, 1, 3, 5, 2, 4, merged=3),
    ),
    Mistake(
        "height and width swapped",
        "Your height and width are exchanged: it shows as soon as an image is not square. Images "
        "are (B, H, W, C), height first.",
        _wrong_patches(_sides_swapped),
    ),
    Mistake("overlapping patches", _OVERLAP, _overlapping(lambda size: 1)),
    Mistake("overlapping patches", _OVERLAP, _overlapping(lambda size: 1, padded=True)),
    Mistake("overlapping patches", _OVERLAP, _overlapping(lambda size: size // 2)),
    Mistake("overlapping patches", _OVERLAP, _overlapping(lambda size: size // 2, padded=True)),
    Mistake(
        "not flattened",
        "Your patches still lie in a grid of rows and columns. The transformer reads one sequence: "
        "merge the two into N.",
        _wrong_patches(_not_flattened),
    ),
    Mistake(
        "pixels not flattened",
        "Your patches are small images still. Each patch is one vector of patch_size² · C numbers.",
        _wrong_patches(_as_small_images),
    ),
    Mistake(
        "batch merged",
        "You merged the images of the batch into one long list of patches. The first axis stays "
        "the batch.",
        _wrong_patches(_batch_merged),
    ),
    Mistake(
        "first image only",
        "You return the patches of the first image only.",
        _wrong_patches(lambda images, size: oracles.patches(images[:1], size)),
    ),
    Mistake(
        "pixels scaled",
        "Your patches hold the pixels divided by 255. This step only cuts: scaling belongs to the "
        "preparation of the data, where it must not be done twice.",
        _wrong_patches(lambda images, size: oracles.patches(images, size) / 255.0),
    ),
    Mistake(
        "number of patches unknown",
        "Your patches are right, but inside a functional model their shape is not fully known "
        "(None). The next layers need the number of patches and the length of each: compute both "
        "from the static shape and give them to the reshape; leave only the batch size open.",
        lambda case, observation: {
            **_patches(case, observation),
            **_shape_with_gaps(case, observation),
        },
    ),
]


def _shape_with_gaps(case: Case, observation: Observation) -> Values:
    """Return the static shape as observed where it is unknown, as expected elsewhere."""
    if case.stage != "functional":
        return {}
    seen, expected = observation["static_shape"], _patches(case, observation)["static_shape"]
    if seen.shape != expected.shape:
        return {"static_shape": expected}
    return {"static_shape": np.where(seen == -1, seen, expected)}


# --- encoding --------------------------------------------------------------------------------

REPEATABLE = "the same patches give the same tokens each time"
TRAINED = "projection, class token and positions are all trained and saved, and nothing else is"
ENCODER_WEIGHTS = ("kernel", "bias", "class_token", "positions")
NEVER: Values = {"output": np.array(np.nan)}  # what no observation equals
SAVED = ("the projection's kernel", "the projection's bias", "the class token", "the positions")
NOT_TRAINED = (
    "projection not trainable",
    "no bias",
    "class token not trainable",
    "positions not trainable",
)


def _weights(case: Case) -> list[np.ndarray]:
    """Return the weights that the layer was given; what it says of them decides nothing."""
    return [case[name].astype(np.float64) for name in ENCODER_WEIGHTS]


def _parts(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return projected patches (B, N, d), class tokens (B, 1, d) and positions (N + 1, d)."""
    kernel, bias, class_token, positions = _weights(case)
    projected = case["patches"].astype(np.float64) @ kernel + bias
    return projected, np.repeat(class_token, len(projected), axis=0), positions


def _tokens(case: Case, _: Observation) -> Values:
    tokens = oracles.encoded_patches(case["patches"].astype(np.float64), *_weights(case))
    return {"output": tokens, "output_of_one": tokens[:1]}


def _wrong_tokens(wrong: Callable[..., np.ndarray]) -> Oracle:
    """Return the oracle of tokens made by `wrong(projected, class_token, positions)`."""
    return lambda case, _: {"output": wrong(*_parts(case))}


def _prepended(projected: np.ndarray, class_token: np.ndarray) -> np.ndarray:
    return np.concatenate([class_token, projected], axis=1)  # (B, N + 1, d)


def _own_positions(case: Case, observation: Observation) -> Values:
    """Return [token; patches + positions] for a table that has one row a patch."""
    projected, class_token, _ = _parts(case)
    table = observation["positions"].astype(np.float64)  # (N, d) where this mistake was made
    return {"output": _prepended(projected + table, class_token)}


def _without_class_token(case: Case, observation: Observation) -> Values:
    projected, _, _ = _parts(case)
    table = observation["positions"].astype(np.float64)
    return {"output": projected + table[: projected.shape[1]]}


def _some_fixed_table(case: Case, observation: Observation) -> Values:
    """Return tokens plus whatever table was added to all images alike, one that is no weight."""
    if "positions" in observation.values:
        return NEVER
    projected, class_token, _ = _parts(case)
    tokens = _prepended(projected, class_token)
    return {"output": tokens + (observation["output"] - tokens).mean(axis=0)}


def _some_fixed_token(case: Case, observation: Observation) -> Values:
    """Return tokens whose first is whatever came there, where the class token is no weight."""
    if "class_token" in observation.values:
        return NEVER
    tokens = _tokens(case, observation)["output"].copy()
    tokens[:, 0] = observation["output"][:, 0].mean(axis=0)
    return {"output": tokens}


def _without_bias(case: Case, observation: Observation) -> Values:
    if "bias" in observation.values:
        return NEVER
    projected, class_token, positions = _parts(case)
    return {"output": _prepended(projected - case["bias"], class_token) + positions}


def _activated(activation: Callable) -> Oracle:
    return _wrong_tokens(
        lambda projected, class_token, positions: (
            _prepended(activation(projected), class_token) + positions
        )
    )


_ACTIVATED = (
    "Your projection has a non-linearity. The projection is a plain Dense layer: every patch is "
    "mapped linearly."
)
_PATCHES_ONLY = (
    "Your positions are added to the patches alone, before the class token joins them. There are "
    "N + 1 positions, one for each token: put the sequence together first."
)
_TOKEN_ADDED = (
    "Your class token is added to every patch. It is a token of its own, in front of the others."
)
_NO_TOKEN = (
    "Your tokens are the patches alone: the class token is missing. There is one token more than "
    "there are patches."
)

ENCODER_MISTAKES = [
    Mistake(
        "class token last",
        "Your class token stands after the patches. Put it first, so that it is found at index 0 "
        "whatever the number of patches.",
        _wrong_tokens(lambda x, token, positions: np.concatenate([x, token], axis=1) + positions),
    ),
    Mistake("no class token", _NO_TOKEN, _without_class_token),
    Mistake("no class token", _NO_TOKEN, _wrong_tokens(lambda x, token, positions: x)),
    Mistake(
        "class token added",
        _TOKEN_ADDED,
        _wrong_tokens(lambda x, token, positions: x + token + positions[: x.shape[1]]),
    ),
    Mistake(
        "class token added",
        _TOKEN_ADDED,
        _wrong_tokens(lambda x, token, positions: x + token),
    ),
    Mistake("positions for patches only", _PATCHES_ONLY, _own_positions),
    Mistake(
        "positions for patches only",
        _PATCHES_ONLY,
        _wrong_tokens(lambda x, token, positions: _prepended(x + positions[1:], token)),
    ),
    Mistake(
        "positions for patches only",
        _PATCHES_ONLY,
        _wrong_tokens(lambda x, token, positions: _prepended(x + positions[:-1], token)),
    ),
    Mistake(
        "no positions",
        "Your tokens carry no positions: without them the transformer cannot tell where a patch was.",
        _wrong_tokens(lambda x, token, positions: _prepended(x, token)),
    ),
    Mistake(
        "positions multiplied",
        "Your tokens are multiplied by their positions. Add them.",
        _wrong_tokens(lambda x, token, positions: _prepended(x, token) * positions),
    ),
    Mistake(
        "positions concatenated",
        "Your positions are put beside the tokens, which doubles the width. Add them.",
        _wrong_tokens(
            lambda x, token, positions: np.concatenate(
                [_prepended(x, token), np.repeat(positions[None], len(x), axis=0)], axis=-1
            )
        ),
    ),
    Mistake(
        "wrong order of positions",
        "Your tokens get the positions in reverse. Token i gets row i of the table.",
        _wrong_tokens(lambda x, token, positions: _prepended(x, token) + positions[::-1]),
    ),
    Mistake(
        "wrong order of positions",
        "Every token gets the same position. Token i gets row i of the table, with i = 0 … N.",
        _wrong_tokens(lambda x, token, positions: _prepended(x, token) + positions[0]),
    ),
    Mistake("projection with activation", _ACTIVATED, _activated(lambda x: np.maximum(x, 0.0))),
    Mistake("projection with activation", _ACTIVATED, _activated(np.tanh)),
    Mistake(
        "no bias",
        "Your projection has no bias: it is a plain Dense layer with kernel and bias.",
        _without_bias,
    ),
    Mistake(
        "class token not trainable",
        "Your class token is not one of the layer's weights, so it can never learn what to look "
        "for. Make it with add_weight, in __init__ or build.",
        _some_fixed_token,
    ),
    Mistake(
        "positions not trainable",
        "Your positions are not among the layer's weights: they are fixed, or their table is made "
        "anew where it is used, out of the layer's sight. Make them in __init__ or build.",
        _some_fixed_table,
    ),
]


def _not_seen(name: str) -> Finding:
    return Finding(name, False, "This shows once the findings above hold.")


def _is_repeatable(pairs: Sequence[tuple[Case, Observation]]) -> Finding:
    held = all(agrees(seen["output_again"], seen["output"], case.longest_axis) for case, seen in pairs)
    made_anew = not all(seen["found"].all() for _, seen in pairs)
    return fact(
        REPEATABLE,
        held,
        "Two calls with the same patches give different tokens. Is there a dropout that is always "
        "on, or a weight that is made anew at every call?",
        "" if made_anew else "dropout always on",
    )


def _is_trained(pairs: Sequence[tuple[Case, Observation]], findings: list[Finding]) -> Finding:
    full = [(case, seen) for case, seen in pairs if case.stage in ("positions", "functional")]
    trained = np.all([seen["trained"] for _, seen in full], axis=0)
    if not trained.all():
        missing = [i for i, is_trained in enumerate(trained) if not is_trained]
        told = {finding.mistake for finding in findings if finding.mistake}
        return fact(
            TRAINED,
            False,
            f"Training would not move {', '.join(SAVED[i] for i in missing)}. What is learned must "
            "be made in __init__ or build, be kept as an attribute of the layer, stay trainable, "
            "and take part in the output.",
            told.pop() if len(told) == 1 else NOT_TRAINED[missing[0]],
        )
    case, seen = full[-1]
    expected = sum(np.size(case[name]) for name in ENCODER_WEIGHTS)
    count = int(seen["trainable_count"])
    values, proj_dim = case["kernel"].shape
    return fact(
        TRAINED,
        count == expected,
        f"The layer has {count} trainable numbers; {expected} are expected for "
        f"{case['num_patches']} patches of {values} numbers and proj_dim {proj_dim}.",
        "weights too many" if count > expected else "weights too few",
    )

"""Encoding patches: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable
from functools import partial

import numpy as np

from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Remark, Sign, Values, Wrong
from utilities.checks.core.drawing import kernel, normal
from utilities.checks.core.oracles import Step, layer_norm
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.shared import ENCODER_WEIGHTS as WEIGHTS
from utilities.checks.lessons.layers import BATCH_SIZE_FIXED, unchanged

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw the projection alone, then with a class token, then with positions, then in a model."""
    draw = partial(_case, rng)
    drawn = [
        draw("projection", batch=2, num_patches=4, values=7, proj_dim=6, silent=WEIGHTS[2:]),
        draw("class token", batch=3, num_patches=5, values=8, proj_dim=4, silent=WEIGHTS[3:]),
        draw("positions", batch=2, num_patches=6, values=12, proj_dim=5),
        draw("positions", batch=1, num_patches=3, values=5, proj_dim=8),
        draw("model", batch=3, num_patches=4, values=9, proj_dim=6),
    ]
    if thorough:
        for stage in ("positions", "model"):
            batch, patches, values, width = (int(n) for n in rng.permutation(np.array([2, 4, 6, 9])))
            drawn.append(draw(stage, batch, patches, values, width))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    num_patches: int,
    values: int,
    proj_dim: int,
    silent: tuple[str, ...] = (),
) -> Case:
    """Return patches, and the weights to give to the encoder; those in `silent` are zero."""
    weights = {
        "kernel": kernel(rng, values, proj_dim),
        "bias": normal(rng, proj_dim),
        "class_token": normal(rng, 1, 1, proj_dim),
        "positions": normal(rng, num_patches + 1, proj_dim),
    }
    weights |= {name: np.zeros_like(weights[name]) for name in silent}
    sizes = {"num_patches": num_patches, "proj_dim": proj_dim}
    patches = normal(rng, batch, num_patches, values)
    return Case(stage, {**sizes, "patches": patches, **weights}, unsaid=WEIGHTS)


# --- the formula -----------------------------------------------------------------------------------

Pair = Callable[[np.ndarray, np.ndarray], np.ndarray]


def in_front(x: np.ndarray, token: np.ndarray) -> np.ndarray:
    """Return the class token (B, 1, d), then the patches (B, N, d)."""
    return np.concatenate([token, x], axis=1)


def formula(
    case: Case,
    seen: Observation,
    *,
    kept: tuple[str, ...] = (),
    with_bias: bool = True,
    activation: Step = lambda x: x,
    before: Pair = lambda x, positions: x,
    join: Pair = in_front,
    add: Pair = lambda tokens, positions: tokens + positions,
    free: str = "",
    finish: Pair = lambda tokens, observed: tokens,
) -> Arrays:
    """Return the tokens, those of the first image alone, and those in training.

    The settings: which weights act with the values that they had when they were made; whether
    there is a bias; what is done to projected patches and, before the class token joins them, with
    the positions; how it joins; how positions are added; which part no weight explains, so that
    whatever comes there, the same for all images, is as expected; what is done to the tokens.
    """
    weights = {name: case[name].astype(np.float64) for name in WEIGHTS}
    weights |= {name: _first(seen, name).reshape(weights[name].shape) for name in kept}
    x = (
        case["patches"].astype(np.float64) @ weights["kernel"] + weights["bias"] * with_bias
    )  # (B, N, d)
    x = before(activation(x), weights["positions"])
    token = np.broadcast_to(weights["class_token"], (len(x), 1, x.shape[-1]))
    tokens = add(join(x, token), weights["positions"])
    if free:
        _refuse_a_weight(seen, free)
        rest = (seen["output"] - tokens).mean(axis=0)  # (N + 1, d)
        tokens = tokens + (rest if free == "positions" else np.vstack([rest[:1], 0 * rest[1:]]))
    names = ("output",) if free and not seen["repeats"] else ("output", "output_of_one")
    return {name: finish(tokens[: len(seen[name])], seen[name]) for name in names}


def _first(seen: Observation, name: str) -> np.ndarray:
    """Return the values that a weight was made with; positions of zeros tell nothing."""
    first = seen[f"first_{name}"].astype(np.float64)
    if name == "positions" and not np.any(first):
        raise ValueError("all zeros")
    return first


def _refuse_a_weight(seen: Observation, name: str) -> None:
    """Raise ValueError where there is a weight, so that nothing of its part is free."""
    if seen["found"][WEIGHTS.index(name)]:
        raise ValueError(name)


# --- the mistakes ----------------------------------------------------------------------------------


def _unchanged(tokens: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return tokens


def _patches_alone(x: np.ndarray, token: np.ndarray) -> np.ndarray:
    return x


def _token_added(x: np.ndarray, token: np.ndarray) -> np.ndarray:
    return x + token


def _first_rows(x: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return x + positions[: x.shape[1]]


def _last_rows(x: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return x + positions[1:]


def _beside(tokens: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return np.concatenate([tokens, np.broadcast_to(positions, tokens.shape)], axis=-1)


def _scaled(tokens: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return tokens * np.sqrt(tokens.shape[-1]) + positions


def _dropped(tokens: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return the tokens without those numbers that were dropped, the others scaled as they were."""
    kept = (observed != 0) & (tokens != 0)
    factor = np.median(observed[kept] / tokens[kept])
    return tokens * kept * factor if factor > 1 else tokens


USED_ONCE = (
    "changing it afterwards changes nothing. What is computed in __init__ from a weight is a copy that "
    "training never reaches: compute it in call."
)
ELSEWHERE = "it can only be made by a layer whose weights are others"
MISTAKES = [
    Mistake(
        "class token last",
        "Your class token stands after the patches. Put it first, so that it is found at index 0 "
        "whatever the number of patches.",
        join=lambda x, token: np.concatenate([x, token], axis=1),
    ),
    Mistake(
        "no class token",
        "Your tokens are the patches alone: the class token is missing. There is one token more than "
        "there are patches.",
        {"join": _patches_alone, "add": _first_rows},
        {"join": _patches_alone, "add": _last_rows},
        {"join": _patches_alone, "add": _unchanged},
        entails=("class token not trainable", "weights too few"),
    ),
    Mistake(
        "class token added",
        "Your class token is added to every patch. It is a token of its own, in front of the others.",
        {"join": _token_added, "add": _first_rows},
        {"join": _token_added, "add": _last_rows},
        {"join": _token_added, "add": _unchanged},
        entails=("weights too few",),
    ),
    Mistake(
        "positions for patches only",
        "Your positions are added to the patches alone, before the class token joins them. There are "
        "N + 1 positions, one for each token: put the sequence together first.",
        {"before": _first_rows, "add": _unchanged},
        {"before": _last_rows, "add": _unchanged},
        entails=("weights too few",),
    ),
    Mistake(
        "no positions",
        "Your tokens carry no positions: without them the transformer cannot tell where a patch was.",
        entails=("positions not trainable", "weights too few"),
        add=_unchanged,
    ),
    Mistake(
        "positions multiplied",
        "Your tokens are multiplied by their positions. Add them.",
        add=lambda tokens, positions: tokens * positions,
    ),
    Mistake(
        "positions concatenated",
        "Your positions are put beside the tokens, which doubles the width. Add them.",
        add=_beside,
    ),
    Mistake(
        "wrong order of positions",
        "Your tokens do not get the positions in their order. Token i gets row i of the table: with "
        "which numbers, from 0 to N, are the rows looked up?",
        {"add": lambda tokens, positions: tokens + positions[::-1]},
        {"add": lambda tokens, positions: tokens + positions[0]},
        {"add": lambda tokens, positions: tokens + positions[-1]},
    ),
    Mistake(
        "tokens scaled",
        "You multiply the tokens by √proj_dim before the positions are added. That is a habit of "
        "language models; here nothing is scaled.",
        {"add": _scaled},
        {"activation": lambda x: x * np.sqrt(x.shape[-1])},
    ),
    Mistake(
        "projection with activation",
        "Your projection has a non-linearity. The projection is a plain Dense layer: every patch is "
        "mapped linearly.",
        {"activation": lambda x: np.maximum(x, 0.0)},
        {"activation": np.tanh},
    ),
    Mistake(
        "no bias",
        "Your projection has no bias: it is a plain Dense layer with kernel and bias.",
        entails=("no bias", "weights too few"),
        with_bias=False,
    ),
    Mistake(
        "class token made and not used",
        f"Your class token is a weight, but {USED_ONCE}",
        entails=("class token not trainable",),
        kept=("class_token",),
    ),
    Mistake(
        "positions made and not used",
        f"Your positions are a weight, but {USED_ONCE}",
        entails=("positions not trainable",),
        kept=("positions",),
    ),
    Mistake(
        "class token and positions made and not used",
        f"Your class token and your positions are weights, but {USED_ONCE}",
        entails=("class token not trainable", "positions not trainable"),
        kept=("class_token", "positions"),
    ),
    Mistake(
        "class token not trainable",
        "Your class token is not one of the layer's weights, so it can never learn what to look "
        "for. Make it with add_weight, in __init__ or build.",
        entails=("class token not trainable", "weights too few"),
        free="class_token",
        unseen=ELSEWHERE,
    ),
    Mistake(
        "positions not trainable",
        "Your positions are not among the layer's weights: they are fixed, or their table is made "
        "anew where it is used, out of the layer's sight. Make them in __init__ or build.",
        entails=("positions not trainable", "weights too few", "weights made at each call"),
        free="positions",
        unseen=ELSEWHERE,
    ),
    Mistake(
        "dropout always on",
        "Numbers are dropped from your tokens at each call, outside training too. No dropout is asked "
        "for here.",
        finish=_dropped,
        unseen=ELSEWHERE,
    ),
    Mistake(
        "weights too many",
        "Your tokens are normalised by a LayerNormalization, which has weights of its own. That "
        "belongs to the blocks.",
        {"finish": lambda tokens, observed: layer_norm(tokens, 1.0, 0.0, 1e-3)},
        {"finish": lambda tokens, observed: layer_norm(tokens, 1.0, 0.0, 1e-6)},
        entails=("weights too many",),
    ),
]

# --- what only the kernel can know -----------------------------------------------------------------

SAID = ("the projection's kernel", "the projection's bias", "the class token", "the positions")
NOT_TRAINED = (
    "projection not trainable",
    "no bias",
    "class token not trainable",
    "positions not trainable",
)


def _trained(case: Case, seen: Observation) -> Wrong | None:
    """Projection, class token and positions are trained, and nothing else."""
    missing = [i for i, is_trained in enumerate(seen["trained"]) if not is_trained]
    if missing:
        return Wrong(
            NOT_TRAINED[missing[0]],
            f"Training would not move {', '.join(SAID[i] for i in missing)}. What is learned must "
            "be made in __init__ or build, be kept as an attribute of the layer, stay trainable, "
            "and take part in the output.",
        )
    count, expected = int(seen["trainable_count"]), sum(np.size(case[name]) for name in WEIGHTS)
    if count != expected:
        values, proj_dim = case["kernel"].shape
        return Wrong(
            "weights too many" if count > expected else "weights too few",
            f"The layer has {count} trainable numbers; {expected} are expected for "
            f"{case['num_patches']} patches of {values} numbers and proj_dim {proj_dim}.",
        )
    return None


def _the_same_always(case: Case, seen: Observation) -> Wrong | None:
    """Training, freezing and calling again change nothing."""
    if not seen["made_once"]:
        return Wrong(
            "weights made at each call",
            "Your layer makes new weights each time it is called, so it forgets what it has learned. "
            "Make them once, in __init__ or build.",
        )
    return unchanged(
        seen,
        Wrong(
            "dropout in the encoding",
            "In training the same patches give other tokens. No dropout is asked for here: it belongs "
            "to the blocks and to the head.",
        ),
    )


FULL = ("positions",)
CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values("projection", "every patch is projected: one Dense layer with a bias"),
        Values("class token", "the class token stands before the patches"),
        Values("positions", "every token gets its position added, the class token too", 2.0),
        Values("model", "works inside a functional model, for any batch size"),
        Claim(
            "positions",
            "projection, class token and positions are all trained and saved, and nothing else is",
            1.0,
            _trained,
            FULL,
            early=True,
        ),
        Claim(
            "model",
            "the same patches give the same tokens each time, in training too",
            0.5,
            _the_same_always,
            FULL,
        ),
    ],
    mistakes=MISTAKES,
    signs=[
        Sign(
            "random",
            "Two calls with the same patches give different tokens: something random is at work.",
            lambda case, seen: not seen["repeats"] and bool(seen["made_once"]),
            anywhere=True,
        ),
    ],
    kinds=[BATCH_SIZE_FIXED],
    remarks=[
        Remark(
            "Your class token has another name than class_token, under which the task asks for it.",
            lambda case, seen: not seen["token_named"],
        ),
    ],
    depth=2,
)

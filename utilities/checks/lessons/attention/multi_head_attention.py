"""Multi-head attention: what goes in, the formula, the mistakes, what is looked at."""

from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Only, Remark, Sign, Values, Wrong
from utilities.checks.core.drawing import kernel, normal
from utilities.checks.core.oracles import project, softmax
from utilities.checks.kernel.attention.protocol import WEIGHTS
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons.attention.scaled_dot_product_attention import (
    INSIDE,
    RANDOM,
    SIGN_LOST,
    SWAPPED,
    draw_mask,
)

ALONE = ("self-attention", "one width")  # stages in which q, k and v have one width
COMPARED = {"output alone": ("output",), "weights": ()}  # by stage; elsewhere output and weights

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one head, several heads, masks of every shape, a Keras model, Keras' conventions."""
    draw = partial(_case, rng)
    drawn = [
        draw("one head", 1, 4, batch=2, n_q=3, n_k=5, d_q=6, d_k=7, d_v=8),
        draw("self-attention", 3, 4, batch=2, n_q=5, n_k=5, d_q=6, d_k=6, d_v=6),
        draw("one width", 2, 3, batch=2, n_q=4, n_k=7, d_q=5, d_k=5, d_v=5),
        draw("as many keys", 2, 3, batch=2, n_q=4, n_k=4, d_q=5, d_k=6, d_v=7),
        draw("heads", 3, 4, batch=2, n_q=5, n_k=7, d_q=6, d_k=8, d_v=9),
        draw("heads", 2, 5, batch=1, n_q=4, n_k=3, d_q=7, d_k=6, d_v=8),
        draw("mask", 3, 5, batch=2, n_q=4, n_k=6, d_q=7, d_k=8, d_v=9, mask=(4, 6)),
        draw("masks", 3, 5, batch=2, n_q=4, n_k=6, d_q=7, d_k=8, d_v=9, mask=(2, 1, 4, 6)),
        draw("masks", 2, 5, batch=3, n_q=4, n_k=6, d_q=7, d_k=8, d_v=9, mask=(3, 2, 4, 6)),
        draw("masks", 3, 4, batch=2, n_q=5, n_k=7, d_q=6, d_k=8, d_v=9, mask=(2, 1, 1, 7)),
        draw("output alone", 2, 4, batch=3, n_q=5, n_k=6, d_q=7, d_k=7, d_v=7),
        draw("weights", 5, 3, batch=4, n_q=5, n_k=6, d_q=7, d_k=7, d_v=7),
        draw("model", 2, 3, batch=4, n_q=6, n_k=5, d_q=8, d_k=8, d_v=8),
        draw("config", 3, 2, batch=4, n_q=6, n_k=5, d_q=9, d_k=9, d_v=9),
    ]
    for _ in range(2 * thorough):
        sizes = _any_sizes(rng)
        drawn.append(draw("heads", **sizes))
        drawn.append(draw("mask", **sizes, mask=(sizes["n_q"], sizes["n_k"])))
    return drawn


def _any_sizes(rng: np.random.Generator) -> dict[str, Any]:
    """Draw sizes that all differ, and for which no reshape fits by chance that counts the keys."""
    names = ("num_heads", "proj_dim", "batch", "n_q", "n_k", "d_q", "d_k", "d_v")
    while True:
        sizes = dict(zip(names, map(int, rng.permutation(np.arange(2, 10))), strict=True))
        if sizes["batch"] * sizes["n_q"] % sizes["n_k"]:
            return sizes


def _case(
    rng: np.random.Generator,
    stage: str,
    num_heads: int,
    proj_dim: int,
    batch: int,
    n_q: int,
    n_k: int,
    d_q: int,
    d_k: int,
    d_v: int,
    mask: tuple[int, ...] | None = None,
) -> Case:
    """Return inputs and weights that keep projections at size one; one input in self-attention."""
    q = normal(rng, batch, n_q, d_q)
    alone = stage == "self-attention"
    inputs = {
        "num_heads": num_heads,
        "proj_dim": proj_dim,
        "q": q,
        "k": q.copy() if alone else normal(rng, batch, n_k, d_k),
        "v": q.copy() if alone else normal(rng, batch, n_k, d_v),
        "mask": draw_mask(rng, mask) if mask else None,
        "W_q": kernel(rng, num_heads, d_q, proj_dim),
        "W_k": kernel(rng, num_heads, d_k, proj_dim),
        "W_v": kernel(rng, num_heads, d_v, proj_dim),
        "W_o": kernel(rng, num_heads * proj_dim, proj_dim),
    }
    return Case(stage, inputs, unsaid=tuple(WEIGHTS))


# --- the formula -----------------------------------------------------------------------------------


def formula(
    case: Case,
    seen: Observation,
    *,
    width: Any = None,
    swapped: bool = False,
    alone: bool = False,
    **settings: Any,
) -> Arrays:
    """Return weights and output, as far as the stage looks at them.

    width: what the scores are divided by the root of, from the sizes of the layer, if not d_k.
    swapped: where both are returned, the weights come first. alone: they never come. The other
    settings are the oracles'.
    """
    q, k, v = (case[name].astype(np.float64) for name in "qkv")
    W_q, W_k, W_v, W_o = (case[name].astype(np.float64) for name in WEIGHTS)
    if width:
        settings["divisor"] = lambda q, k, v: np.sqrt(width(case))
    output, weights = oracles.multi_head_attention(
        q, k, v, W_q, W_k, W_v, W_o, case["mask"], **settings
    )
    values = {"attention_weights": weights, "output": output}
    compared = COMPARED.get(case.stage, tuple(values))
    if alone and len(compared) == 2:
        compared = ("output",)
    if swapped and len(compared) == 2:
        values = {"attention_weights": output, "output": weights}
    return {name: values[name] for name in compared}


# --- the mistakes ----------------------------------------------------------------------------------


def _split_without_transposing(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    fused = oracles.merge(project(x, W))  # (B, n, h·p)
    return fused.reshape(len(x), W.shape[0], x.shape[1], W.shape[2])  # (B, h, n, p)


def _fused_by_reshape(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    heads, d, width = W.shape
    fused = x @ W.reshape(d, heads * width)  # (B, n, h·p)
    return np.moveaxis(fused.reshape(*x.shape[:2], heads, width), 2, 1)  # (B, h, n, p)


def _merge_before_transposing(heads: np.ndarray) -> np.ndarray:
    batch, h, n_q, width = heads.shape
    return heads.reshape(batch, n_q, h * width)  # (B, n_q, h·p)


def _merge_interleaved(heads: np.ndarray) -> np.ndarray:
    batch, h, n_q, width = heads.shape
    return heads.transpose(0, 2, 3, 1).reshape(batch, n_q, width * h)  # (B, n_q, p·h)


def _mean_of_heads(heads: np.ndarray) -> np.ndarray:
    return oracles.merge(np.repeat(heads.mean(1, keepdims=True), heads.shape[1], axis=1))


def _first_mask_for_all(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return oracles.masked(scores, mask[:1] if mask.ndim == 4 else mask)


def _mask_tiled(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Hide as where heads are folded into the batch and the batch's masks are tiled beside them."""
    batch, h, *_ = scores.shape
    if mask.ndim < 4 or mask.shape[1] > 1:
        return oracles.masked(scores, mask)
    tiled = np.tile(mask[:, 0], (h, 1, 1)).reshape(batch, h, *mask.shape[2:])  # (B, h, n_q, n_k)
    return oracles.masked(scores, tiled)


SPLIT = (
    "Each of your heads mixes entries of different tokens. Projected side by side, the entries "
    "stand in the order (B, n, h, p): reshape to that first, then move the axis of the heads."
)
MISTAKES = [
    *(m for m in INSIDE if m.name != "divided by √d_v"),  # inside a head d_v is d_k
    Mistake("results swapped", SWAPPED, swapped=True),
    Mistake(
        "weights not returned",
        "Your layer returns the output alone, also where it was made with "
        "return_attention_weights=True. Which two values are to come then?",
        alone=True,
    ),
    Mistake(
        "keys and values swapped",
        "The keys and the values have changed places: the scores come from queries and values, and "
        "the keys are averaged. Look at the order of the arguments.",
        roles=lambda q, k, v: (q, v, k),
    ),
    Mistake(
        "values used as keys",
        "Your scores compare the queries with the values. The keys decide the weights; the values are "
        "what is averaged.",
        entails=("no gradient",),
        roles=lambda q, k, v: (q, v, v),
    ),
    Mistake(
        "queries and keys swapped",
        "The queries and the keys have changed places. Each query asks all keys: the weights have "
        "one row per query.",
        roles=lambda q, k, v: (k, q, v),
    ),
    Mistake(
        "heads merged before transposing back",
        "Your heads are merged before they are transposed back, so the entries of different tokens "
        "mix. After attention the axes are (B, h, n_q, p): which two must change places before "
        "the reshape?",
        merge=_merge_before_transposing,
    ),
    Mistake(
        "W_o interleaved",
        "Your heads are merged entry by entry: all heads' first entries, then all second ones. "
        "The rows of W_o belong to the heads one after the other: in which order must the last "
        "two axes stand before the reshape?",
        merge=_merge_interleaved,
    ),
    Mistake(
        "heads split without transposing",
        SPLIT,
        {"project": _split_without_transposing},
        {"project": _split_without_transposing, "merge": _merge_before_transposing},
    ),
    Mistake(
        "projection weights reshaped",
        "You reshape W of shape (h, d, p) to (d, h·p), which mixes its entries. Move the axis of "
        "the heads next to p before you merge the two.",
        project=_fused_by_reshape,
    ),
    Mistake(
        "divided by √(h·proj_dim)",
        "Your scores are divided by √(h·proj_dim), the width of all heads together. Each head "
        "works alone: how wide are the queries inside one?",
        width=lambda case: case["num_heads"] * case["proj_dim"],
    ),
    Mistake(
        "divided by √(proj_dim/h)",
        "Your scores are divided by √(proj_dim/h). In this course every head is proj_dim wide, it "
        "is not shared out among the heads.",
        {"width": lambda case: case["proj_dim"] / case["num_heads"]},
        {"width": lambda case: max(case["proj_dim"] // case["num_heads"], 1)},
    ),
    Mistake(
        "divided by √d_q",
        "Your scores are divided by the root of the width of the layer's input. The products are "
        "taken after the projection: how wide are queries and keys then?",
        {"width": lambda case: case["q"].shape[-1]},
        {"width": lambda case: case["k"].shape[-1]},
    ),
    Mistake(
        "divided by √h",
        "Your scores are divided by √h, the number of heads. What matters is how wide queries and "
        "keys are inside a head.",
        width=lambda case: case["num_heads"],
    ),
    Mistake(
        "first head used for all",
        "All your heads give the same: the first head's projections are used for each of them.",
        project=lambda x, W: project(x, np.repeat(W[:1], len(W), axis=0)),
    ),
    Mistake(
        "last head used for all",
        "All your heads give the same: the last head's projections are used for each of them.",
        project=lambda x, W: project(x, np.repeat(W[-1:], len(W), axis=0)),
    ),
    Mistake(
        "heads averaged",
        "Every head's output is the mean of all heads. The heads stand side by side, so that W_o "
        "can weigh them one against the other.",
        merge=_mean_of_heads,
    ),
    Mistake(
        "heads share one attention",
        "Your heads share their mean attention weights. Each head attends on its own: that is why "
        "there are several.",
        afterwards=lambda w, mask, k: np.repeat(w.mean(axis=1, keepdims=True), w.shape[1], axis=1),
    ),
    Mistake(
        "softmax over heads",
        "Your softmax runs over the heads. Within each head, each query shares its attention among "
        "the keys: normalise over the last axis.",
        normalise=partial(softmax, axis=1),
    ),
    Mistake(
        "one mask for the batch",
        "The mask of the first example is used for all examples of the batch. A mask of shape "
        "(B, 1, n_q, n_k) has one for each: let it be broadcast.",
        hide=_first_mask_for_all,
    ),
    Mistake(
        "masks of other examples",
        "Examples get each other's masks: where heads are folded into the batch, each mask must be "
        "repeated for the heads of its own example, not laid out example after example.",
        hide=_mask_tiled,
    ),
    Mistake(
        "weights averaged over heads",
        "Your output is right, but the weights you return are averaged over the heads. Return "
        "every head's: shape (B, h, n_q, n_k).",
        finish=lambda output, weights, merged: (output, weights.mean(axis=1)),
    ),
    Mistake(
        "weights summed over heads",
        "Your output is right, but the weights you return are summed over the heads. Return every "
        "head's: shape (B, h, n_q, n_k).",
        finish=lambda output, weights, merged: (output, weights.sum(axis=1)),
    ),
    Mistake(
        "output projection missing",
        "You return the heads side by side, h·proj_dim wide: the last projection, by W_o, is missing.",
        entails=("no gradient",),
        finish=lambda output, weights, merged: (merged, weights),
    ),
    Mistake(
        "activation after projection",
        "Your projections have a non-linearity (ReLU). They are linear: nothing comes after the "
        "matrix product.",
        {"project": lambda x, W: np.maximum(project(x, W), 0)},
        {"finish": lambda output, weights, merged: (np.maximum(output, 0), weights)},
    ),
]

# --- what only the kernel can know -----------------------------------------------------------------


def _lacking(seen: Observation | Arrays, fact: str) -> str:
    holds = zip(WEIGHTS, np.ravel(seen[fact]), strict=True)
    return ", ".join(weight for weight, held in holds if not held)


def _trained(case: Case, seen: Observation) -> Wrong | None:
    """The four weights are trained, and nothing else."""
    extra = int(seen["trainable_count"]) - sum(case[weight].size for weight in WEIGHTS)
    if lacking := _lacking(seen, "trainable"):
        return Wrong(
            "weights not trainable",
            f"Keras does not train {lacking}: it is missing from layer.trainable_weights. How did "
            "you make it, and with which options?",
        )
    if extra:
        return Wrong(
            "extra weights",
            f"Your layer trains {extra} numbers besides W_q, W_k, W_v and W_o. The projections "
            "have no biases; is there another layer or variable that is not needed?",
        )
    if lacking := _lacking(seen, "gradient_reaches"):
        return Wrong(
            "no gradient",
            f"No gradient reaches {lacking}, so training would not change it. "
            "Is it used at all, and with TensorFlow operations from there to the output?",
        )
    return None


def _starts(case: Case, seen: Observation) -> Wrong | None:
    """The layer's own initial weights can learn, and the heads are not all the same."""
    lacking = _lacking({"learns": seen["learns"] | ~seen["gradient_reaches"]}, "learns")
    if lacking:
        return Wrong(
            "start that cannot learn",
            f"With the initial values you chose, no gradient reaches {lacking}, and it is still so "
            "after a few steps: the layer would never learn. Draw them at random.",
        )
    if seen["heads_alike"]:
        return Wrong(
            "heads start alike",
            "All your heads start with the same weights, so each step changes them in the same way "
            "and they stay one head. Let random numbers set them apart at the start.",
        )
    return None


def _named(case: Case, seen: Observation) -> Wrong | None:
    """The weights have their names."""
    if lacking := _lacking(seen, "named"):
        return Wrong(
            "weights under other names",
            f"The layer has no attribute {lacking}: later cells read layer.W_q and the others. "
            "The name that add_weight is given is not enough.",
        )
    return None


CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[oracles.scaled_dot_product_attention, oracles.multi_head_attention],
    findings=[
        Values("one head", "one head: projected queries, keys and values, attention, W_o", 1.5),
        Values(ALONE, "self-attention, and any number of tokens of one width"),
        Values(
            ("heads", "as many keys"), "several heads, each with its own projections, side by side", 2.0
        ),
        Values("mask", "one mask holds for all heads"),
        Values("masks", "every example, and every head, can have a mask of its own", 0.5),
        Values("output alone", "return_attention_weights=False returns the output alone"),
        Values("model", "works in a functional Keras model"),
        Values("config", "a layer made anew from get_config() is the same"),
        Claim("weights", "W_q, W_k, W_v and W_o are trained, and nothing else", 1.5, _trained, ALONE),
        Claim("weights", "with its own initial weights the layer can learn", 1.5, _starts, ALONE),
        Claim("weights", "its weights are found under their names", 0.5, _named, ALONE),
    ],
    mistakes=MISTAKES,
    signs=[
        Sign(
            "weights made at each call",
            "Your layer makes new weights each time it is called, so it forgets what it has "
            "learned. Make them once, on the first call, and keep them.",
            lambda case, seen: not seen["made_once"],
            anywhere=True,
        ),
        RANDOM,
        SIGN_LOST,
    ],
    remarks=[
        Remark(
            "With layer.trainable = False your layer makes new weights. Ask whether there are any "
            "weights yet, not whether there are any to train. (The code that you were given may have "
            "had this fault: no point is lost.)",
            lambda case, seen: not seen["freezes"],
        ),
        Remark(
            "Your W_q, W_k or W_v start smaller than Glorot's rule has it for one head: in a weight of "
            "shape (h, d, p) Keras' glorot_uniform takes the heads for a part of the width. The scores "
            "then start near 0, the more so the more heads there are; glorot_per_head draws each head "
            "by itself.",
            lambda case, seen: case.stage == "weights" and bool(seen["starts_small"]),
        ),
    ],
    kinds=[
        Only(
            "one width for all",
            "Your layer works where q, k and v have the same width, but not where they differ. "
            "From which input does each of W_q, W_k and W_v take its width?",
            lambda case: len({case[name].shape[-1] for name in "qkv"}) > 1,
        ),
        Only(
            "one number of tokens",
            "Your layer works where there are as many queries as keys, but not where they differ. "
            "Which of them has a row for each number of the output?",
            lambda case: case["q"].shape[1] != case["k"].shape[1],
        ),
    ],
    depth=4,  # projection, scores, weighted mean, output projection
)

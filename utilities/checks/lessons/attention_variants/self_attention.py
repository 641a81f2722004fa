"""What the layers of self-attention share: cases, projections and heads, mistakes, findings."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Claim, Mistake, Sign, Values, Wrong
from utilities.checks.core.drawing import kernel, normal
from utilities.checks.core.oracles import Step
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons.attention.scaled_dot_product_attention import RANDOM

WEIGHTS = ("W_q", "W_k", "W_v", "W_o")
DEPTH = 4  # projection, scores, weighted sum, output projection

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool, special: str) -> list[Case]:
    """Draw one head, several, what is special, a Keras model, Keras' conventions."""
    draw = partial(_case, rng)
    drawn = [
        draw("one head", batch=2, length=5, width=6, num_heads=1, key_dim=4),
        draw("heads", batch=2, length=7, width=5, num_heads=3, key_dim=4),
        draw("heads", batch=1, length=4, width=9, num_heads=2, key_dim=5),
        draw("heads", batch=3, length=5, width=8, num_heads=4, key_dim=2),  # h·p is the width
        draw(special, batch=2, length=6, width=5, num_heads=3, key_dim=4),
        draw("weights", batch=4, length=5, width=7, num_heads=2, key_dim=3),
        draw("model", batch=4, length=5, width=7, num_heads=3, key_dim=2),
        draw("config", batch=4, length=6, width=7, num_heads=2, key_dim=5),
    ]
    for _ in range(2 * thorough):
        drawn.append(draw("heads", *(int(n) for n in rng.permutation(np.arange(2, 10))[:5])))
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
    """Return tokens x, and kernel and bias of each Dense layer, projections of size one."""
    x = normal(rng, batch, length, width)
    values: dict[str, np.ndarray] = {}
    for name in WEIGHTS:
        shape = (num_heads * key_dim, width) if name == "W_o" else (width, num_heads * key_dim)
        values[name] = kernel(rng, *shape)
        values[f"{name}_bias"] = normal(rng, shape[-1]) / 2
    if stage == "zeros":
        x[:, 1] = values["W_q_bias"][:] = 0.0
    if stage == "one head":  # the first two queries point away from each other
        values["W_q_bias"][:] = 0.0
        x[:, 1] = -2 * x[:, 0]
    inputs = {"num_heads": num_heads, "key_dim": key_dim, "x": x, **values}
    return Case(stage, inputs, unsaid=tuple(values))


# --- the formula -----------------------------------------------------------------------------------


def split(x: np.ndarray, num_heads: int) -> np.ndarray:
    """Return (B, N, h·p) as heads (B, h, N, p), head i from columns i·p to (i + 1)·p."""
    return np.stack(np.split(x, num_heads, axis=-1), axis=1)


def layer(
    case: Case,
    seen: Observation,
    attend: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    *,
    sources: Sequence[str] = ("W_q", "W_k", "W_v"),
    width: Callable[[Case], int] = lambda case: case["num_heads"] * case["key_dim"],
    heads: Callable[[Case], int] = lambda case: case["num_heads"],
    whole: Step = lambda x: x,
    split: Callable[[np.ndarray, int], np.ndarray] = split,
    merge: Step = oracles.merge,
    finish: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda output, merged: output,
) -> Arrays:
    """Return what tokens (B, N, d) become: projected, attended to in heads, projected again.

    A projection that is seen to have no bias is taken without one. The settings: where queries, keys
    and values come from, how wide they are in all, in how many heads, what happens to queries and
    keys before and when they are split, how heads are merged, and what is returned.
    """
    if case.stage in ("weights", "cost"):
        return {}
    x, wide = case["x"].astype(np.float64), width(case)

    def project(name: str) -> np.ndarray:
        return x @ case[name][:, :wide].astype(np.float64) + _bias(case, seen, name)[:wide]

    q, k, v = (project(name) for name in sources)  # (B, N, h·p)
    merged = merge(attend(*(split(y, heads(case)) for y in (whole(q), whole(k), v))))  # (B, N, h·p)
    output = merged[..., :wide] @ case["W_o"][:wide].astype(np.float64) + _bias(case, seen, "W_o")
    return {"output": finish(output, merged)}


def _bias(case: Case, seen: Observation, name: str) -> np.ndarray:
    biased = dict(zip(WEIGHTS, np.ravel(seen.values.get("biased", ())), strict=False))
    return case[f"{name}_bias"].astype(np.float64) * float(biased.get(name, True))


# --- the mistakes ----------------------------------------------------------------------------------


def _split_without_transposing(x: np.ndarray, num_heads: int) -> np.ndarray:
    B, N, width = x.shape
    return x.reshape(B, num_heads, N, width // num_heads)


def _merge_without_transposing(heads: np.ndarray) -> np.ndarray:
    B, h, N, p = heads.shape
    return heads.reshape(B, N, h * p)


def _merge_interleaved(heads: np.ndarray) -> np.ndarray:
    B, h, N, p = heads.shape
    return heads.transpose(0, 2, 3, 1).reshape(B, N, p * h)


def _key_dim(case: Case) -> int:
    return int(case["key_dim"])


HEADS = [  # what goes wrong with heads, whatever happens inside them
    Mistake(
        "heads merged without transposing back",
        "Your heads are merged before they are transposed back, so the entries of different tokens "
        "mix. After attention the axes are (B, h, N, p): which two must change places before the "
        "reshape?",
        merge=_merge_without_transposing,
    ),
    Mistake(
        "heads merged entry by entry",
        "Your heads are merged entry by entry: all heads' first entries, then all second ones. The "
        "heads stand side by side, each whole.",
        merge=_merge_interleaved,
    ),
    Mistake(
        "heads split without transposing",
        "You reshape (B, N, h·p) straight to (B, h, N, p), which mixes tokens and heads. Split the "
        "last axis first, then transpose.",
        {"split": _split_without_transposing},
        {"split": _split_without_transposing, "merge": _merge_without_transposing},
    ),
    Mistake(
        "one head for all",
        "Your attention works on the whole width at once, as if there were one head. Each head has "
        "its own part of the columns.",
        heads=lambda case: 1,
    ),
    Mistake(
        "heads share the width",
        "Your projections are key_dim wide in all. key_dim is the width of each head, so all heads "
        "together are num_heads times as wide.",
        {"width": _key_dim, "heads": lambda case: 1},
        {"width": _key_dim},
        entails=("weights missing",),
        unseen="its weights have other shapes than those of a right layer: the catalogue shows it",
    ),
    Mistake(
        "output projection missing",
        "You return the heads side by side: the last projection is missing. W_o is made and never "
        "used.",
        entails=("no gradient", "made and unused", "weights missing"),
        finish=lambda output, merged: merged,
    ),
]


def shared_signs() -> list[Sign]:
    """Return what is seen directly in any layer of self-attention."""
    return [
        Sign(
            "weights made at each call",
            "Your layer makes new weights each time it is called, so it forgets what it has learned. "
            "Make them once and keep them.",
            lambda case, seen: not seen["made_once"],
            anywhere=True,
        ),
        RANDOM,
    ]


# --- what only the kernel can know -----------------------------------------------------------------


def shared_findings(names: Sequence[str]) -> list[Values | Claim]:
    """Return the findings about values and weights of a layer with these projections."""
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    trained, starts = partial(_trained, names), partial(_starts, names)
    return [
        Values("one head", "one head: projections, attention, W_o", 1.5),
        Values("heads", "several heads side by side, each with its own columns", 2.0),
        Values("model", "works in a functional Keras model"),
        Values("config", "a layer made anew from get_config() is the same"),
        Claim(
            "weights", f"{listed} are trained, with biases, and nothing else", 1.0, trained, early=True
        ),
        Claim("weights", "with its own initial weights the layer can learn", 1.0, starts),
        Claim("weights", "its weights stay when the layer is frozen", 0.5, _kept),
    ]


def _lacking(names: Sequence[str], holds: Any) -> str:
    return ", ".join(name for name, held in zip(names, np.ravel(holds), strict=True) if not held)


def _trained(names: Sequence[str], case: Case, seen: Observation) -> Wrong | None:
    """The projections are used and trained, with biases, and nothing else is."""
    if not seen["made_once"]:
        return None  # told by its own sign
    if lacking := _lacking(names, seen["used"]):
        return Wrong(
            "made and unused",
            f"You make {lacking}, but nothing ever calls it. Where does it belong on the way from x to "
            "the output?",
        )
    if lacking := _lacking(names, seen["biased"]):
        return Wrong("bias missing", f"{lacking} has no bias: all projections of this layer have one.")
    if lacking := _lacking(names, seen["trainable"]):
        return Wrong("weights not trainable", f"Keras does not train {lacking}: how did you make it?")
    expected = sum(case[name].size + case[f"{name}_bias"].size for name in names)
    count = int(seen["trainable_count"])
    if count != expected:
        return Wrong(
            "extra weights" if count > expected else "weights missing",
            f"Your layer trains {count} numbers; {expected} are expected, those of "
            f"{', '.join(names)} with their biases. Has each of them its full width, and does W_o see "
            "the numbers of all heads?",
        )
    if lacking := _lacking(names, seen["gradient_reaches"]):
        return Wrong(
            "no gradient",
            f"No gradient reaches {lacking}, so training would not change it. Is it used, and with "
            "TensorFlow operations from there to the output?",
        )
    return None


def _starts(names: Sequence[str], case: Case, seen: Observation) -> Wrong | None:
    """The layer's own initial weights can learn."""
    lacking = _lacking(names, seen["learns"] | ~seen["gradient_reaches"] | ~seen["used"])
    if not lacking:
        return None
    return Wrong(
        "start that cannot learn",
        f"With the initial values you chose, no gradient reaches {lacking}, and it is still so after a "
        "few steps: the layer would never learn. Draw them at random.",
    )


def _kept(case: Case, seen: Observation) -> Wrong | None:
    if seen["freezes"]:
        return None
    return Wrong(
        "weights made anew when frozen",
        "With layer.trainable = False your layer makes new weights or gives another result. Ask "
        "whether there are any weights yet, not whether there are any to train.",
    )

"""Relative position bias: which pairs of patches share a number, however it is stored."""

from collections.abc import Callable
from functools import partial

import numpy as np

from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Sign, Values, Wrong
from utilities.checks.core.drawing import normal
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons.layers import BATCH_SIZE_FIXED, TAKES_NO_NAME, unchanged

# --- what goes in ------------------------------------------------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one row of patches, grids wider and higher, and a functional model."""
    draw = partial(_case, rng)
    drawn = [
        draw("one row", batch=2, num_heads=3, rows=1, columns=4),
        draw("grid", batch=2, num_heads=3, rows=4, columns=5),
        draw("grid", batch=1, num_heads=2, rows=5, columns=3),
        draw("model", batch=5, num_heads=4, rows=2, columns=3),
    ]
    if thorough:
        num_heads, rows, columns = (int(n) for n in rng.permutation(np.array([3, 4, 6])))
        drawn.append(draw("grid", 2, num_heads, rows, columns))
    return drawn


def _case(
    rng: np.random.Generator, stage: str, batch: int, num_heads: int, rows: int, columns: int
) -> Case:
    scores = normal(rng, batch, num_heads, rows * columns, rows * columns)
    return Case(stage, {"num_heads": num_heads, "rows": rows, "columns": columns, "scores": scores})


# --- the formula: pairs of patches share a bias that have one label, and no others -------------------

Labels = Callable[[int, int], np.ndarray]  # rows, columns → a whole number for each pair, (N, N)


def places(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of each patch, numbered row by row; both (N,)."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return row, column


def of_offsets(label: Callable[..., np.ndarray]) -> Labels:
    """Return the labels of all pairs, `label` being a function of the offsets (N, N) and the sizes."""

    def labels(rows: int, columns: int) -> np.ndarray:
        row, column = places(rows, columns)
        return label(row[:, None] - row, column[:, None] - column, rows, columns)

    return labels


SIGNED = of_offsets(lambda dr, dc, rows, columns: 1000 * dr + dc)


def formula(
    case: Case,
    seen: Observation,
    *,
    labels: Labels = SIGNED,
    of_heads: Callable[[int], np.ndarray] = np.arange,
    lay: Callable[[np.ndarray], np.ndarray] = lambda labels: labels,
    use: str = "added",
    axes: tuple[int, ...] = (0, 1, 2, 3),
) -> Arrays:
    """Return what is added to scores of 0, and the scores with it.

    Which number a label has is the layer's own choice: it is read off the first pair that has it.
    The settings: the label of each pair; that of each head; how heads and pairs are laid out; how
    scores and bias are put together; the order of the axes of what is returned.
    """
    of_pairs = labels(case["rows"], case["columns"])  # (N, N)
    several = lay(of_heads(case["num_heads"])[:, None, None] * 10**6 + of_pairs)  # (h, N, N)
    back, scores = tuple(np.argsort(axes)), case["scores"].astype(np.float64)
    seen_bias, output = (seen[n].astype(np.float64).transpose(back) for n in ("bias", "output"))
    bias = _as_labelled(seen_bias, several)
    if use == "multiplied":
        bias = 0 * bias
        output = scores * _as_labelled(np.round(output / scores, 2), several)
    elif use == "made anew":
        if seen["made_once"]:
            raise ValueError(use)
        output = scores + _as_labelled(output - scores, several, apart=False)
    else:
        output = {"added": scores + bias, "alone": bias, "subtracted": bias - scores}[use]
    return {"bias": bias.transpose(axes), "output": output.transpose(axes)}


def _as_labelled(observed: np.ndarray, labels: np.ndarray, apart: bool = True) -> np.ndarray:
    """Return the observed biases (B, h, N, N) as they would be if labels alone decided.

    Each label has the number of its first pair in the first image; where another label has that
    number already, another one, unless numbers too near each other cannot be told `apart`.
    """
    if observed.shape[1:] != labels.shape:
        return np.zeros((len(observed), *labels.shape))
    numbers = observed[0].ravel()
    kinds, first, inverse = np.unique(labels.ravel(), return_index=True, return_inverse=True)
    _, earliest = np.unique(numbers[first], return_index=True)
    taken = np.full(len(kinds), apart)
    taken[earliest] = False
    own = np.where(taken, np.abs(numbers).max() + 1.0 + np.arange(len(kinds)), numbers[first])
    return np.broadcast_to(own[inverse.ravel()].reshape(labels.shape), observed.shape)


# --- the mistakes ----------------------------------------------------------------------------------


def _of_places(label: Callable[..., np.ndarray]) -> Labels:
    """Return the labels of all pairs, `label` a function of the places of both patches."""

    def labels(rows: int, columns: int) -> np.ndarray:
        row, column = places(rows, columns)
        empty = np.zeros((len(row), len(row)), int)
        return label(row[:, None] + empty, column[:, None] + empty, row + empty, column + empty)

    return labels


def _column_by_column(rows: int, columns: int) -> np.ndarray:
    column, row = np.divmod(np.arange(rows * columns), rows)
    return 1000 * (row[:, None] - row) + column[:, None] - column


def _clipped(limit: int) -> Labels:
    return of_offsets(lambda dr, dc, *_: 1000 * np.clip(dr, -limit, limit) + np.clip(dc, -limit, limit))


def _wrapped(dr: np.ndarray, dc: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return 1000 * (dr % rows) + dc % columns


def _reshaped(labels: np.ndarray) -> np.ndarray:
    return np.moveaxis(labels, 0, -1).reshape(labels.shape)  # (N, N, h), read as (h, N, N)


DISTANCES = (
    lambda dr, dc, *_: 1000 * abs(dr) + abs(dc),
    lambda dr, dc, *_: abs(dr) + abs(dc),
    lambda dr, dc, *_: dr**2 + dc**2,
    lambda dr, dc, *_: np.maximum(abs(dr), abs(dc)),
)
COLLIDING = (
    lambda dr, dc, *_: dr + dc,
    lambda dr, dc, rows, columns: dr * rows + dc,
    lambda dr, dc, rows, columns: dr * (2 * rows - 1) + dc,
    lambda dr, dc, rows, columns: dr * (2 * columns - 2) + dc,
)
SIZE = ("size of the table", "entries never used")
ELSEWHERE = "it can only be made by a layer whose weights are others"
MISTAKES = [
    Mistake(
        "no bias",
        "Nothing is added to scores of 0, although your layer's weights are not 0.",
        carries=False,
        labels=of_offsets(lambda dr, dc, *_: 0 * dr),
        of_heads=lambda heads: np.zeros(heads, int),
    ),
    Mistake(
        "heads share a bias",
        "All your heads get the same bias. Each head has a column of the table for itself: one may "
        "look to the left, another upwards.",
        entails=SIZE,
        of_heads=lambda heads: np.zeros(heads, int),
    ),
    Mistake(
        "reshaped instead of transposed",
        "Your biases are mixed up: looked up in the table they come as (N, N, h), and a reshape "
        "to (h, N, N) does not move the axis of the heads to the front. Which operation does?",
        lay=_reshaped,
    ),
    Mistake(
        "a bias for every pair",
        "Your table has a number for every pair of patches. Then nothing is shared, and what is "
        "learned in one corner is unknown in the other: the bias may depend on the offset of two "
        "patches, not on where they are.",
        entails=SIZE,
        labels=_of_places(lambda r, c, s, d: 1000 * (100 * r + c) + 100 * s + d),
    ),
    Mistake(
        "distance without a sign",
        "Your bias depends on the distance alone: a patch to the left counts as much as one to the "
        "right. Offsets have a sign.",
        *({"labels": of_offsets(label)} for label in DISTANCES),
        entails=SIZE,
    ),
    Mistake(
        "offset in the sequence",
        "Your bias depends on the difference of the patches' numbers, as in a text. The last patch "
        "of a row and the first of the next are neighbours there, but not in the image: take rows "
        "and columns apart.",
        entails=SIZE,
        labels=of_offsets(lambda dr, dc, rows, columns: dr * columns + dc),
    ),
    Mistake(
        "rows alone",
        "Your bias depends on the rows alone; the columns between two patches count too.",
        entails=SIZE,
        labels=of_offsets(lambda dr, dc, *_: dr),
    ),
    Mistake(
        "columns alone",
        "Your bias depends on the columns alone; the rows between two patches count too.",
        entails=SIZE,
        labels=of_offsets(lambda dr, dc, *_: dc),
    ),
    Mistake(
        "offsets collide",
        "Different offsets fall on the same entry of your table. If you number them with one index: "
        "one step in the rows has to be as large as the number of offsets in the columns.",
        *({"labels": of_offsets(label)} for label in COLLIDING),
        entails=SIZE,
    ),
    Mistake(
        "patches column by column",
        "Your patches are numbered column by column. They come row by row: the first `columns` "
        "patches are the first row.",
        labels=_column_by_column,
    ),
    Mistake(
        "key alone",
        "Your bias depends on the key's place alone: every query looks at the same spot. Take the "
        "offset between query and key.",
        entails=SIZE,
        labels=_of_places(lambda r, c, s, d: 1000 * s + d),
    ),
    Mistake(
        "query alone",
        "Your bias depends on the query's place alone, and the softmax takes no notice of what is "
        "the same for all keys. Take the offset between query and key.",
        entails=SIZE,
        labels=_of_places(lambda r, c, s, d: 1000 * r + c),
    ),
    Mistake(
        "offsets clipped",
        "Your offsets are clipped: all patches that lie further away share a bias.",
        *({"labels": _clipped(limit)} for limit in (1, 2, 3)),
        entails=SIZE,
    ),
    Mistake(
        "offsets wrap around",
        "Negative offsets fall on the entries of positive ones, as where an index below 0 counts from "
        "the end. Add what makes the smallest offset 0.",
        entails=SIZE,
        labels=of_offsets(_wrapped),
    ),
    Mistake(
        "scores missing",
        "You return the bias alone, whatever the scores are. Return the scores with the bias added.",
        use="alone",
    ),
    Mistake(
        "bias subtracted",
        "You take the bias away from the scores. It is added.",
        use="subtracted",
    ),
    Mistake(
        "multiplied",
        "Your scores are multiplied by the bias, so that scores of 0 stay 0. The bias is added.",
        use="multiplied",
    ),
    Mistake(
        "table made in every call",
        "Your layer makes new weights in every call, so that what it learns is thrown away. "
        "Weights are made once: in __init__ or in build.",
        entails=("table made in every call",),
        use="made anew",
        unseen=ELSEWHERE,
    ),
    Mistake(
        "heads last",
        "What you return has the heads as its last axis. Scores come in as (B, h, N, N), and that "
        "shape stays.",
        axes=(0, 2, 3, 1),
    ),
]

# --- what only the kernel can know -----------------------------------------------------------------


def _size(case: Case) -> int:
    return (2 * case["rows"] - 1) * (2 * case["columns"] - 1) * case["num_heads"]


def _sums_to_one(case: Case, seen: Observation) -> bool:
    return bool(np.allclose(seen["output"].sum(-1), 1.0, atol=1e-3))


def _trained(case: Case, seen: Observation) -> Wrong | None:
    """One table is trained, of the right size, and every entry of it is used."""
    count = int(seen["trainable_count"])
    if not seen["made_once"]:
        return Wrong(
            "table made in every call",
            "Your layer makes new weights in every call, so that what it learns is thrown away. "
            "Weights are made once: in __init__ or in build.",
        )
    if count == 0:
        return Wrong(
            "table not trained",
            "Your layer trains nothing. The table is a weight: made with self.add_weight, and "
            "trainable.",
        )
    if count != _size(case):
        return Wrong(
            "size of the table",
            f"For {case['num_heads']} heads, {case['rows']} rows and {case['columns']} columns your "
            f"layer trains {count} numbers; {_size(case)} are expected. How many different offsets "
            "are there from the first row to the last and back, 0 included?",
        )
    if seen["unreached"] and not _sums_to_one(case, seen):
        return Wrong(
            "entries never used",
            "Some entries of your table are never used: no gradient reaches them.",
        )
    return None


def _the_same_always(case: Case, seen: Observation) -> Wrong | None:
    """Training and freezing change nothing."""
    return unchanged(
        seen,
        Wrong(
            "dropout in the scores",
            "In training the same scores give other ones. No dropout is asked for here.",
        ),
    )


GRID = ("grid",)
CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values("one row", "in one row of patches, the bias depends on how far apart two patches are"),
        Values(
            "grid",
            "in a grid, pairs with the same offset share a bias in each head, and no others do",
            2.5,
            ("bias",),
        ),
        Values(
            "grid", "the bias is added to the scores, the same for every image", 1.0, about=("use",)
        ),
        Values("model", "works inside a functional model, for any batch size"),
        Claim(
            GRID,
            "one trainable table of (2·rows − 1)·(2·columns − 1) biases a head",
            1.0,
            _trained,
            GRID,
            early=True,
        ),
        Claim(
            "model", "it does the same in training and when it is frozen", 0.5, _the_same_always, GRID
        ),
    ],
    mistakes=MISTAKES,
    signs=[
        Sign(
            "softmax inside",
            "The rows you return sum to 1: they went through a softmax. Return the scores; the "
            "attention layer around yours applies it.",
            _sums_to_one,
        ),
        Sign(
            "random",
            "The same scores twice give different results: something random is at work.",
            lambda case, seen: not seen["repeats"] and bool(seen["made_once"]),
            anywhere=True,
        ),
    ],
    kinds=[BATCH_SIZE_FIXED],
    remarks=[TAKES_NO_NAME],
    depth=2,
)

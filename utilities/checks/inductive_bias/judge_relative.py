"""Judge the relative position bias: which pairs of patches share a number, however it is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from utilities.checks.core.report import Finding
from utilities.checks.inductive_bias.formulas import offsets, places
from utilities.checks.judging import agrees, fact, problem_finding
from utilities.checks.kernel.case import WRONG_SHAPE, Case, Observation

ONE_ROW = "in one row of patches, the bias depends on how far apart two patches are"
SHARED = "in a grid, pairs with the same offset share a bias, and no others do"
HEADS = "every head has biases of its own"
ADDED = "the bias is added to the scores, the same for every image"
FUNCTIONAL = "works inside a functional model, for any batch size"
TRAINED = "one trainable table of (2·rows − 1)·(2·columns − 1) biases a head"
Pair = tuple[Case, Observation]


def relative_position_bias(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge which pairs share a bias, then how it is used and trained."""
    pairs = list(zip(cases, observations, strict=True))
    seen = [pair for pair in pairs if pair[1].problem is None]
    explained = _mistake(seen)
    findings = [
        _staged(pairs, "one row", ONE_ROW, _shares_right, explained),
        _staged(pairs, "grid", SHARED, _shares_right, explained, share=2.0),
        _staged(pairs, "functional", FUNCTIONAL, _shares_right, explained),
    ]
    if len(seen) < len(pairs):
        unseen = "This could not be looked at: see above."
        return findings + [fact(name, False, unseen, kind="") for name in (HEADS, ADDED, TRAINED)]
    return [*findings, _heads(seen, explained), _added(seen, explained), _trained(seen, explained)]


Explained = tuple[str, str]


def _staged(
    pairs: Sequence[Pair],
    stage: str,
    name: str,
    holds: Callable[[Case, Observation], bool],
    explained: Explained,
    share: float = 1.0,
) -> Finding:
    """Return the finding about all cases of a stage: what stopped one, or whether all hold."""
    of_stage = [pair for pair in pairs if pair[0].stage == stage]
    for _, observation in of_stage:
        if stopped := problem_finding(name, observation, share):
            return stopped
    wrong = [pair for pair in of_stage if not holds(*pair)]
    if not wrong:
        return fact(name, True, "", share=share)
    case, observation = wrong[0]
    if observation["bias"].shape != case["scores"].shape:
        came, expected = observation["bias"].shape, case["scores"].shape
        message = (
            f"Scores come in as (B, h, N, N) = {expected} and go out as {came}; the shape is to stay."
        )
        return fact(name, False, message, explained[0], WRONG_SHAPE, share)
    mistake, message = explained
    return fact(name, False, message or _first_wrong_pair(case, observation), mistake, share=share)


def _bias(observation: Observation) -> np.ndarray:
    """Return the bias of each head for the first image, (h, N, N), to whole numbers."""
    return np.round(observation["bias"][0].astype(np.float64), 2)


def _keeps_shape(case: Case, observation: Observation) -> bool:
    return observation["bias"].shape == observation["output"].shape == case["scores"].shape


def _shares_right(case: Case, observation: Observation) -> bool:
    if not _keeps_shape(case, observation):
        return False
    return _share_as(_signed, case, _bias(observation))


def _share_as(label: Callable[[int, int], np.ndarray], case: Case, bias: np.ndarray) -> bool:
    """Return whether in each head (h, N, N) the pairs share a bias that have the same label."""
    expected = _partition(label(case["rows"], case["columns"]))
    return all(np.array_equal(_partition(of_head), expected) for of_head in bias)


def _partition(labels: np.ndarray) -> np.ndarray:
    """Return for each pair (N, N) the first pair that has the same label: alike for alike sharing."""
    _, first, inverse = np.unique(labels.ravel(), return_index=True, return_inverse=True)
    return first[inverse.ravel()].reshape(labels.shape)


def _first_wrong_pair(case: Case, observation: Observation) -> str:
    """Return a sentence about two pairs of patches that share a bias and should not, or the reverse."""
    expected = _partition(_signed(case["rows"], case["columns"]))
    for of_head in _bias(observation):
        observed = _partition(of_head)
        for i, j in np.argwhere(observed != expected):
            shared = expected[i, j] != i * len(expected) + j
            k, m = divmod(int(expected[i, j] if shared else observed[i, j]), len(expected))
            says = (
                "differ, although their offset is the same"
                if shared
                else "are the same, although their offsets differ"
            )
            grid = f"{case['rows']} rows and {case['columns']} columns of patches"
            return f"With {grid}, the biases from patch {i} to {j} and from patch {k} to {m} {says}."
    return "The heads do not agree on which pairs share a bias."


# --- mistakes: another label for a pair of patches -------------------------------------------


def _pairs(label: Callable[..., np.ndarray]) -> Callable[[int, int], np.ndarray]:
    """Return the labels of all pairs, `label` being a function of the offsets (N, N)."""
    return lambda rows, columns: label(*offsets(rows, columns), rows, columns)


def _of_places(label: Callable[..., np.ndarray]) -> Callable[[int, int], np.ndarray]:
    """Return the labels of all pairs, `label` a function of the places of both patches."""

    def labels(rows: int, columns: int) -> np.ndarray:
        row, column = places(rows, columns)
        empty = np.zeros((len(row), len(row)), int)
        return label(row[:, None] + empty, column[:, None] + empty, row + empty, column + empty)

    return labels


_signed = _pairs(lambda dr, dc, rows, columns: 1000 * dr + dc)


def _column_by_column(rows: int, columns: int) -> np.ndarray:
    column, row = np.divmod(np.arange(rows * columns), rows)
    return 1000 * (row[:, None] - row) + column[:, None] - column


def _clipped(limit: int) -> Callable:
    return _pairs(lambda dr, dc, *_: 1000 * np.clip(dr, -limit, limit) + np.clip(dc, -limit, limit))


_COLLIDE = (
    "Different offsets fall on the same entry of your table. If you number them with one index: one "
    "step in the rows has to be as large as the number of offsets in the columns."
)
_DISTANCE = (
    "Your bias depends on the distance alone: a patch to the left counts as much as one to the right. "
    "Offsets have a sign."
)

LABELS: list[tuple[str, str, Callable[[int, int], np.ndarray]]] = [
    (
        "no bias",
        "Nothing is added to scores of 0, although your layer's weights are not 0.",
        _pairs(lambda dr, dc, *_: 0 * dr),
    ),
    (
        "a bias for every pair",
        "Your table has a number for every pair of patches. Then nothing is shared, and what is "
        "learned in one corner is unknown in the other: the bias may depend on the offset of two "
        "patches, not on where they are.",
        _of_places(lambda r, c, s, d: 1000 * (100 * r + c) + 100 * s + d),
    ),
    ("distance without a sign", _DISTANCE, _pairs(lambda dr, dc, *_: 1000 * abs(dr) + abs(dc))),
    ("distance without a sign", _DISTANCE, _pairs(lambda dr, dc, *_: abs(dr) + abs(dc))),
    ("distance without a sign", _DISTANCE, _pairs(lambda dr, dc, *_: dr**2 + dc**2)),
    ("distance without a sign", _DISTANCE, _pairs(lambda dr, dc, *_: np.maximum(abs(dr), abs(dc)))),
    (
        "offset in the sequence",
        "Your bias depends on the difference of the patches' numbers, as in a text. The last patch "
        "of a row and the first of the next are neighbours there, but not in the image: take rows "
        "and columns apart.",
        _pairs(lambda dr, dc, rows, columns: dr * columns + dc),
    ),
    (
        "rows alone",
        "Your bias depends on the rows alone; the columns between two patches count too.",
        _pairs(lambda dr, dc, *_: dr),
    ),
    (
        "columns alone",
        "Your bias depends on the columns alone; the rows between two patches count too.",
        _pairs(lambda dr, dc, *_: dc),
    ),
    ("offsets collide", _COLLIDE, _pairs(lambda dr, dc, *_: dr + dc)),
    ("offsets collide", _COLLIDE, _pairs(lambda dr, dc, rows, columns: dr * rows + dc)),
    ("offsets collide", _COLLIDE, _pairs(lambda dr, dc, rows, columns: dr * (2 * rows - 1) + dc)),
    (
        "patches column by column",
        "Your patches are numbered column by column. They come row by row: the first `columns` "
        "patches are the first row.",
        _column_by_column,
    ),
    (
        "key alone",
        "Your bias depends on the key's place alone: every query looks at the same spot. Take the "
        "offset between query and key.",
        _of_places(lambda r, c, s, d: 1000 * s + d),
    ),
    (
        "query alone",
        "Your bias depends on the query's place alone, and the softmax takes no notice of what is "
        "the same for all keys. Take the offset between query and key.",
        _of_places(lambda r, c, s, d: 1000 * r + c),
    ),
    (
        "offsets clipped",
        "Your offsets are clipped at 1: all that lies further away shares a bias.",
        _clipped(1),
    ),
    (
        "offsets clipped",
        "Your offsets are clipped at 2: all that lies further away shares a bias.",
        _clipped(2),
    ),
]


def _mistake(seen: Sequence[Pair]) -> Explained:
    """Return name and message of the known mistake that explains all cases, or two empty texts."""
    if not seen or not all(_keeps_shape(*pair) for pair in seen):
        return "", ""
    for name, message, made in SIGNS:
        if all(made(case, observation) for case, observation in seen):
            return name, message
    if all(_shares_right(*pair) for pair in seen):
        return "", ""
    for name, message, label in LABELS:
        if all(_share_as(label, case, _bias(observation)) for case, observation in seen):
            return name, message
    if all(_reshaped(*pair) for pair in seen):
        return (
            "reshaped instead of transposed",
            "Your biases are mixed up: looked up in the table they come as (N, N, h), and a reshape "
            "to (h, N, N) does not move the axis of the heads to the front. Which operation does?",
        )
    return "", ""


def _reshaped(case: Case, observation: Observation) -> bool:
    bias = _bias(observation)  # (h, N, N), perhaps in truth (N, N, h)
    heads, n, _ = bias.shape
    return _share_as(_signed, case, bias.reshape(n, n, heads).transpose(2, 0, 1))


def _is_softmaxed(case: Case, observation: Observation) -> bool:
    return bool(np.allclose(observation["output"].sum(-1), 1.0, atol=1e-3))


def _is_multiplied(case: Case, observation: Observation) -> bool:
    ratio = observation["output"] / case["scores"]
    return bool(
        np.all(observation["bias"] == 0)
        and np.allclose(ratio, ratio[:1], rtol=1e-3)
        and ratio.std() > 0.1
    )


def _is_bias_alone(case: Case, observation: Observation) -> bool:
    return np.array_equal(observation["bias"], observation["output"])


SIGNS: list[tuple[str, str, Callable[[Case, Observation], bool]]] = [
    (
        "table made in every call",
        "Your layer makes new weights in every call, so that what it learns is thrown away. Weights "
        "are made once: in __init__ or in build.",
        lambda case, o: not o["made_once"],
    ),
    (
        "softmax inside",
        "The rows you return sum to 1: they went through a softmax. Return the scores; the attention "
        "layer around yours applies it.",
        _is_softmaxed,
    ),
    (
        "multiplied",
        "Your scores are multiplied by the bias, so that scores of 0 stay 0. The bias is added.",
        _is_multiplied,
    ),
    (
        "scores missing",
        "You return the bias alone, whatever the scores are. Return the scores with the bias added.",
        _is_bias_alone,
    ),
    (
        "heads share a bias",
        "All your heads get the same bias. Each head has a column of the table for itself: one may "
        "look to the left, another upwards.",
        lambda case, o: bool(np.all(o["bias"] == o["bias"][:, :1]) and np.any(o["bias"] != 0)),
    ),
]


# --- how the bias is used and trained --------------------------------------------------------


def _heads(seen: Sequence[Pair], explained: Explained) -> Finding:
    mistake, message = explained

    def own(case: Case, observation: Observation) -> bool:
        if not _keeps_shape(case, observation):
            return False
        of_heads = [set(np.unique(of_head)) for of_head in _bias(observation)]
        return sum(map(len, of_heads)) == len(set().union(*of_heads))

    held = all(own(*pair) for pair in seen)
    return fact(HEADS, held, message or "Some entries of your table serve more than one head.", mistake)


def _added(seen: Sequence[Pair], explained: Explained) -> Finding:
    mistake, message = explained

    def is_sum(case: Case, observation: Observation) -> bool:
        bias, scores = observation["bias"].astype(np.float64), case["scores"]
        if not _keeps_shape(case, observation) or np.any(bias != bias[:1]):
            return False
        return bool(np.any(bias)) and agrees(observation["output"], bias + scores, case.longest_axis, 4)

    held = all(is_sum(*pair) for pair in seen)
    text = "What you return is not scores + bias, or the bias differs from image to image."
    return fact(ADDED, held, message or text, mistake)


def _trained(seen: Sequence[Pair], explained: Explained) -> Finding:
    mistake, message = explained
    if any(o["trainable_count"] == 0 for _, o in seen):
        return fact(
            TRAINED,
            False,
            "Your layer trains nothing. The table is a weight: made with self.add_weight, and "
            "trainable.",
            mistake or "table not trained",
        )
    case, observation = next(
        ((c, o) for c, o in seen if o["trainable_count"] != _table_size(c)), seen[-1]
    )
    if int(observation["trainable_count"]) != _table_size(case):
        text = (
            f"For {case['num_heads']} heads, {case['rows']} rows and {case['columns']} columns your "
            f"layer trains {int(observation['trainable_count'])} numbers; {_table_size(case)} are "
            "expected. How many different offsets are there from the first row to the last and back, "
            "0 included?"
        )
        return fact(TRAINED, False, f"{message} {text}".strip(), mistake or "size of the table")
    held = all(o["unreached"] == 0 and o["made_once"] for _, o in seen)
    text = "Some entries of your table are never used: no gradient reaches them."
    return fact(TRAINED, held, message or text, mistake or "entries never used")


def _table_size(case: Case) -> int:
    return (2 * case["rows"] - 1) * (2 * case["columns"] - 1) * case["num_heads"]

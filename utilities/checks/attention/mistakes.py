"""The mistakes people make with attention, each as the oracle of what it computes (NumPy only)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from utilities.checks import oracles
from utilities.checks.case import Case, Observation
from utilities.checks.judging import Mistake, Oracle, Values

WEIGHTS = ("W_q", "W_k", "W_v", "W_o")
COMPARED = {"output alone": ("output",), "weights": ()}  # by stage; elsewhere output and weights

Attend = Callable[..., tuple[np.ndarray, np.ndarray]]  # (q, k, v, mask) → (output, weights)


def attention_oracle(attend: Attend) -> Oracle:
    """Return the oracle that applies `attend(q, k, v, mask)` to the case."""

    def oracle(case: Case, _: Observation) -> Values:
        q, k, v = (case[name].astype(np.float64) for name in "qkv")
        output, weights = attend(q, k, v, case["mask"])
        return {"attention_weights": weights, "output": output}

    return oracle


def heads_oracle(
    attend: Attend | None = None,
    project: Callable | None = None,
    merge: Callable | None = None,
    width: Callable[[Case], float] | None = None,
    finish: Callable | None = None,
) -> Oracle:
    """Return the oracle of multi-head attention that goes wrong in the given ways.

    attend: attention inside the heads. project: (x, W) → (B, h, n, p).
    merge: heads (B, h, n_q, p) → (B, n_q, h·p). width: case → number whose root divides the scores.
    finish: (output, weights, merged) → (output, weights).
    """

    def oracle(case: Case, _: Observation) -> Values:
        q, k, v = (case[name].astype(np.float64) for name in "qkv")
        W_q, W_k, W_v, W_o = (case[name].astype(np.float64) for name in WEIGHTS)
        attend_, mask = attend or _attend, case["mask"]
        if width:
            attend_ = _going_wrong(divisor=lambda q, k, v: np.sqrt(width(case)))
        project_ = project or _project
        queries, keys, values = (project_(x, W) for x, W in ((q, W_q), (k, W_k), (v, W_v)))
        heads, weights = attend_(queries, keys, values, mask)  # (B, h, n_q, p), (B, h, n_q, n_k)
        merged = (merge or _merge)(heads)  # (B, n_q, h·p)
        output = merged @ W_o  # (B, n_q, p)
        if finish:
            output, weights = finish(output, weights, merged)
        return compared(case, output, weights)

    return oracle


def compared(case: Case, output: np.ndarray, weights: np.ndarray) -> Values:
    """Return those of the values that the stage of the case compares."""
    values = {"attention_weights": weights, "output": output}
    return {name: values[name] for name in COMPARED.get(case.stage, values)}


def _attend(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    divisor: Callable | None = None,
    hide: Callable[[np.ndarray, np.ndarray], np.ndarray] = oracles.masked,
    normalise: Callable[[np.ndarray], np.ndarray] = oracles.softmax,
    finish: Callable | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return output and weights of attention that may go wrong on the way.

    divisor: (q, k, v) → what the scores are divided by. hide: (scores, mask) → scores.
    normalise: scores → weights. finish: (scores, weights, q, k, v, mask) → (output, weights).
    """
    scores = q @ np.swapaxes(k, -1, -2)  # (…, n_q, n_k)
    scores = scores / (np.sqrt(k.shape[-1]) if divisor is None else divisor(q, k, v))
    if mask is not None:
        mask = np.asarray(mask, bool)
        scores = hide(scores, mask)
    weights = normalise(scores)
    return finish(scores, weights, q, k, v, mask) if finish else (weights @ v, weights)


def _going_wrong(**how: Any) -> Attend:
    """Return attention that goes wrong in the given way, see `_attend`."""
    return partial(_attend, **how)


def _weights_changed(change: Callable) -> Attend:
    """Return attention whose weights are changed after the softmax: (weights, mask) → weights."""

    def finish(
        scores: np.ndarray,
        weights: np.ndarray,
        q: np.ndarray,
        k: np.ndarray,
        v: np.ndarray,
        mask: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        weights = change(weights, mask)
        return weights @ v, weights

    return _going_wrong(finish=finish)


def _keys_reshaped(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    rows_as_columns = k.reshape(*k.shape[:-2], k.shape[-1], k.shape[-2])  # (…, d_k, n_k)
    return _attend(q, np.swapaxes(rows_as_columns, -1, -2), v, mask)


def _scaled_after_softmax(weights: np.ndarray, k: np.ndarray) -> np.ndarray:
    return weights / np.sqrt(k.shape[-1])


def _unit_length(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _softmax_over_both(scores: np.ndarray) -> np.ndarray:
    return oracles.softmax(scores, axis=(-2, -1))


def _ignored(scores: np.ndarray, _: np.ndarray) -> np.ndarray:
    return scores


def _project(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Return x (B, n, d) projected by W (h, d, p); (B, h, n, p)."""
    return x[:, None] @ W


def _split_without_transposing(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    fused = np.concatenate(np.moveaxis(_project(x, W), 1, 0), axis=-1)  # (B, n, h·p)
    return fused.reshape(len(x), W.shape[0], x.shape[1], W.shape[2])  # (B, h, n, p)


def _fused_by_reshape(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    heads, d, width = W.shape
    fused = x @ W.reshape(d, heads * width)  # (B, n, h·p)
    return np.moveaxis(fused.reshape(*x.shape[:2], heads, width), 2, 1)  # (B, h, n, p)


def _merge(heads: np.ndarray) -> np.ndarray:
    """Return the heads (B, h, n_q, p) side by side; (B, n_q, h·p)."""
    return np.concatenate(np.moveaxis(heads, 1, 0), axis=-1)


def _merge_before_transposing(heads: np.ndarray) -> np.ndarray:
    batch, h, n_q, width = heads.shape
    return heads.reshape(batch, n_q, h * width)  # (B, n_q, h·p)


def _merge_interleaved(heads: np.ndarray) -> np.ndarray:
    batch, h, n_q, width = heads.shape
    return heads.transpose(0, 2, 3, 1).reshape(batch, n_q, width * h)  # (B, n_q, p·h)


_SPLIT = (
    "Each of your heads mixes entries of different tokens. Projected side by side, the entries "
    "stand in the order (B, n, h, p): reshape to that first, then move the axis of the heads."
)
_SCALED_LATE = (
    "You divide by √d_k after the softmax. The scores are what is scaled: the softmax must see "
    "them after the division."
)
_NOT_SOFTMAX = "Each query's weights are to be positive and to sum to 1: what does that?"

# Mistakes in attention itself, as (name, message, attend); inside heads they are the same.
_IN_ATTENTION: list[tuple[str, str, Attend]] = [
    (
        "no scaling",
        "Your output equals softmax(QKᵀ)V: the scores are not divided by √d_k.",
        _going_wrong(divisor=lambda q, k, v: 1.0),
    ),
    (
        "divided by d_k",
        "Your scores are divided by d_k, by its square root twice over. "
        "Which division keeps the variance of the scores at one?",
        _going_wrong(divisor=lambda q, k, v: k.shape[-1]),
    ),
    (
        "multiplied by √d_k",
        "Your scores are multiplied by √d_k. The wider the queries and keys, the larger their "
        "products: that is what the scaling must undo.",
        _going_wrong(divisor=lambda q, k, v: k.shape[-1] ** -0.5),
    ),
    (
        "divided by √n_k",
        "Your scores are divided by √n_k, the number of keys. The sum in each score runs over the "
        "d_k entries of query and key: which axis of k has that length?",
        _going_wrong(divisor=lambda q, k, v: np.sqrt(k.shape[-2])),
    ),
    (
        "divided by √n_q",
        "Your scores are divided by √n_q, the number of queries. The sum in each score runs over "
        "the d_k entries of query and key: which axis of q has that length?",
        _going_wrong(divisor=lambda q, k, v: np.sqrt(q.shape[-2])),
    ),
    (
        "divided by √d_v",
        "Your scores are divided by √d_v, the width of the values. The values have no part in the "
        "scores: what is the width of queries and keys?",
        _going_wrong(divisor=lambda q, k, v: np.sqrt(v.shape[-1])),
    ),
    (
        "scaled after softmax",
        _SCALED_LATE,
        _going_wrong(
            divisor=lambda q, k, v: 1.0,
            finish=lambda s, w, q, k, v, m: (
                _scaled_after_softmax(w, k) @ v,
                _scaled_after_softmax(w, k),
            ),
        ),
    ),
    (
        "scaled after softmax",
        _SCALED_LATE,
        _going_wrong(
            divisor=lambda q, k, v: 1.0,
            finish=lambda s, w, q, k, v, m: (_scaled_after_softmax(w, k) @ v, w),
        ),
    ),
    (
        "keys not transposed",
        "Your keys are reshaped where they should be transposed: the shapes fit, but the entries "
        "of different keys are mixed. Which function swaps the last two axes?",
        _keys_reshaped,
    ),
    (
        "softmax axis",
        "Your softmax runs over the queries. Each query shares its attention among the keys, so "
        "each row of the weights must sum to 1: normalise over the last axis.",
        _going_wrong(normalise=partial(oracles.softmax, axis=-2)),
    ),
    (
        "softmax over everything",
        "Your weights sum to 1 over all queries and keys together. Each query shares its attention "
        "among the keys: each row of the weights must sum to 1.",
        _going_wrong(normalise=_softmax_over_both),
    ),
    (
        "no softmax",
        "Your weights are the scores themselves: the softmax is missing. " + _NOT_SOFTMAX,
        _going_wrong(normalise=lambda scores: scores),
    ),
    (
        "softmax twice",
        "Your softmax is applied twice, which makes the weights nearly equal.",
        _going_wrong(normalise=lambda scores: oracles.softmax(oracles.softmax(scores))),
    ),
    (
        "sigmoid",
        "Your weights are the sigmoid of the scores, so the keys do not compete. " + _NOT_SOFTMAX,
        _going_wrong(normalise=lambda scores: 1 / (1 + np.exp(-scores))),
    ),
    (
        "log of softmax",
        "Your weights are the logarithm of the softmax. " + _NOT_SOFTMAX,
        _going_wrong(normalise=lambda scores: np.log(oracles.softmax(scores))),
    ),
    (
        "queries and keys normalised",
        "Your queries and keys are made unit length first, which is cosine attention. Here the "
        "scores are plain products, scaled.",
        lambda q, k, v, mask=None: _attend(_unit_length(q), _unit_length(k), v, mask),
    ),
    (
        "mask inverted",
        "Your mask is read the wrong way round: True (or 1) means that the query may attend to the "
        "key, False (or 0) that it may not.",
        _going_wrong(hide=lambda scores, mask: oracles.masked(scores, ~mask)),
    ),
    (
        "mask after softmax",
        "Your mask sets weights to zero after the softmax, so the rows no longer sum to 1. "
        "Mask the scores before the softmax.",
        _going_wrong(
            hide=_ignored,
            finish=lambda s, w, q, k, v, m: (
                (w if m is None else w * m) @ v,
                w if m is None else w * m,
            ),
        ),
    ),
    (
        "mask added",
        "You add the mask, 0 or 1, to the scores: that favours the allowed keys a little. A hidden "
        "key must end with weight 0: what score does the softmax turn into 0?",
        _going_wrong(hide=lambda scores, mask: scores + mask),
    ),
    (
        "mask multiplied",
        "You multiply the scores with the mask, so hidden keys get the score 0. The softmax gives "
        "a score of 0 a fair share: what score does it turn into 0?",
        _going_wrong(hide=lambda scores, mask: scores * mask),
    ),
    ("mask ignored", "Your mask has no effect.", _going_wrong(hide=_ignored)),
    (
        "scores returned",
        "Your output is right, but the weights you return are the scores before the softmax. "
        "Return the weights that the output is made with.",
        _going_wrong(finish=lambda s, w, q, k, v, m: (w @ v, s)),
    ),
    (
        "keys used as values",
        "Your output averages the keys. The keys decide the weights; the values are what is averaged.",
        _going_wrong(finish=lambda s, w, q, k, v, m: (w @ k, w)),
    ),
    (
        "weights transposed",
        "The weights you return have one row per key. They belong the other way round: one row per "
        "query, shape (…, n_q, n_k).",
        _going_wrong(finish=lambda s, w, q, k, v, m: (w @ v, np.swapaxes(w, -1, -2))),
    ),
]

_SWAPPED = (
    "results swapped",
    "You return the weights first. The order is (output, attention_weights).",
    _going_wrong(finish=lambda s, w, q, k, v, m: (w, w @ v)),
)

ATTENTION_MISTAKES = [
    Mistake(name, message, attention_oracle(attend))
    for name, message, attend in [*_IN_ATTENTION, _SWAPPED]
]

HEADS_MISTAKES = [
    *(Mistake(name, message, heads_oracle(attend)) for name, message, attend in _IN_ATTENTION),
    Mistake("results swapped", _SWAPPED[1], heads_oracle(finish=lambda out, w, merged: (w, out))),
    Mistake(
        "keys and values swapped",
        "The keys and the values have changed places: the scores come from queries and values, and "
        "the keys are averaged. Look at the order of the arguments.",
        heads_oracle(lambda q, k, v, mask: _attend(q, v, k, mask)),
    ),
    Mistake(
        "queries and keys swapped",
        "The queries and the keys have changed places. Each query asks all keys: the weights have "
        "one row per query.",
        heads_oracle(lambda q, k, v, mask: _attend(k, q, v, mask)),
    ),
    Mistake(
        "heads merged before transposing back",
        "Your heads are merged before they are transposed back, so the entries of different tokens "
        "mix. After attention the axes are (B, h, n_q, p): which two must change places before "
        "the reshape?",
        heads_oracle(merge=_merge_before_transposing),
    ),
    Mistake(
        "W_o interleaved",
        "Your heads are merged entry by entry: all heads' first entries, then all second ones. "
        "The rows of W_o belong to the heads one after the other: in which order must the last "
        "two axes stand before the reshape?",
        heads_oracle(merge=_merge_interleaved),
    ),
    Mistake(
        "heads split without transposing", _SPLIT, heads_oracle(project=_split_without_transposing)
    ),
    Mistake(
        "heads split without transposing",
        _SPLIT + " And the same way back.",
        heads_oracle(project=_split_without_transposing, merge=_merge_before_transposing),
    ),
    Mistake(
        "projection weights reshaped",
        "You reshape W of shape (h, d, p) to (d, h·p), which mixes its entries. Move the axis of "
        "the heads next to p before you merge the two.",
        heads_oracle(project=_fused_by_reshape),
    ),
    Mistake(
        "divided by √(h·proj_dim)",
        "Your scores are divided by √(h·proj_dim), the width of all heads together. Each head "
        "works alone: how wide are the queries inside one?",
        heads_oracle(width=lambda case: case["num_heads"] * case["proj_dim"]),
    ),
    Mistake(
        "divided by √(proj_dim/h)",
        "Your scores are divided by √(proj_dim/h). In this course every head is proj_dim wide, it "
        "is not shared out among the heads.",
        heads_oracle(width=lambda case: case["proj_dim"] / case["num_heads"]),
    ),
    Mistake(
        "divided by √(proj_dim/h)",
        "Your scores are divided by √(proj_dim // h). In this course every head is proj_dim wide, "
        "it is not shared out among the heads.",
        heads_oracle(width=lambda case: max(case["proj_dim"] // case["num_heads"], 1)),
    ),
    Mistake(
        "divided by √d_q",
        "Your scores are divided by the root of the width of the layer's input. The products are "
        "taken after the projection: how wide are queries and keys then?",
        heads_oracle(width=lambda case: case["q"].shape[-1]),
    ),
    Mistake(
        "divided by √d_q",
        "Your scores are divided by the root of the width of the layer's input k. The products are "
        "taken after the projection: how wide are queries and keys then?",
        heads_oracle(width=lambda case: case["k"].shape[-1]),
    ),
    Mistake(
        "divided by √h",
        "Your scores are divided by √h, the number of heads. What matters is how wide queries and "
        "keys are inside a head.",
        heads_oracle(width=lambda case: case["num_heads"]),
    ),
    Mistake(
        "first head used for all",
        "All your heads give the same: the first head's projections are used for each of them.",
        heads_oracle(project=lambda x, W: _project(x, np.repeat(W[:1], len(W), axis=0))),
    ),
    Mistake(
        "last head used for all",
        "All your heads give the same: the last head's projections are used for each of them.",
        heads_oracle(project=lambda x, W: _project(x, np.repeat(W[-1:], len(W), axis=0))),
    ),
    Mistake(
        "heads averaged",
        "Every head's output is the mean of all heads. The heads stand side by side, so that W_o "
        "can weigh them one against the other.",
        heads_oracle(
            merge=lambda heads: _merge(np.repeat(heads.mean(1, keepdims=True), heads.shape[1], 1))
        ),
    ),
    Mistake(
        "heads share one attention",
        "Your heads share their mean attention weights. Each head attends on its own: that is why "
        "there are several.",
        heads_oracle(
            attend=_weights_changed(
                lambda w, mask: np.repeat(w.mean(axis=1, keepdims=True), w.shape[1], axis=1)
            )
        ),
    ),
    Mistake(
        "softmax over heads",
        "Your softmax runs over the heads. Within each head, each query shares its attention among "
        "the keys: normalise over the last axis.",
        heads_oracle(attend=_going_wrong(normalise=partial(oracles.softmax, axis=1))),
    ),
    Mistake(
        "weights averaged over heads",
        "Your output is right, but the weights you return are averaged over the heads. Return "
        "every head's: shape (B, h, n_q, n_k).",
        heads_oracle(finish=lambda output, weights, merged: (output, weights.mean(axis=1))),
    ),
    Mistake(
        "weights summed over heads",
        "Your output is right, but the weights you return are summed over the heads. Return every "
        "head's: shape (B, h, n_q, n_k).",
        heads_oracle(finish=lambda output, weights, merged: (output, weights.sum(axis=1))),
    ),
    Mistake(
        "output projection missing",
        "You return the heads side by side, h·proj_dim wide: the last projection, by W_o, is missing.",
        heads_oracle(finish=lambda output, weights, merged: (merged, weights)),
    ),
    Mistake(
        "activation after projection",
        "Your projections have a non-linearity (ReLU). They are linear: nothing comes after the "
        "matrix product.",
        heads_oracle(project=lambda x, W: np.maximum(_project(x, W), 0)),
    ),
    Mistake(
        "activation after projection",
        "Your output projection has a non-linearity (ReLU). It is linear: nothing comes after the "
        "matrix product.",
        heads_oracle(finish=lambda output, weights, merged: (np.maximum(output, 0), weights)),
    ),
]

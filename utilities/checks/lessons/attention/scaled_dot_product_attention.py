"""Scaled dot-product attention: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Only, Remark, Sign, Values, Wrong
from utilities.checks.core.oracles import softmax
from utilities.checks.kernel.case import Case, Observation

MASKED = 0.65  # of the keys may be attended to

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw simple and full attention: one key, no mask, masks, floating types, a Keras model."""
    draw = partial(_case, rng)
    drawn = [
        draw("one key", (), 3, 1, 5, 2),
        draw("no mask", (), 4, 6, 3, 2),
        draw("no mask", (1,), 3, 7, 5, 4),
        draw("no mask", (2, 3), 4, 5, 7, 6),
        draw("mask", (), 4, 6, 3, 2, mask=bool),
        draw("mask", (2,), 5, 4, 3, 6, mask=bool),
        draw("mask of 0 and 1", (), 3, 5, 4, 2, mask=np.int32),
        draw("mask of 0 and 1", (2,), 4, 5, 3, 6, mask=np.int32),
        draw("broadcast mask", (2,), 5, 4, 3, 6, mask=bool, mask_shape=(2, 1, 4)),
        draw("broadcast mask", (2,), 3, 4, 5, 6, mask=bool, mask_shape=(2, 3, 4)),
        draw("broadcast mask", (2,), 3, 5, 4, 6, mask=bool, mask_shape=(5,)),
        draw("broadcast mask", (3, 2), 5, 4, 7, 6, mask=bool, mask_shape=(3, 1, 5, 4)),
        draw("broadcast mask", (3, 2), 4, 5, 7, 6, mask=bool, mask_shape=(1, 2, 4, 5)),
        draw("float16", (2,), 3, 6, 5, 4, dtype=np.float16),
        draw("float16", (2,), 5, 3, 6, 4, dtype=np.float16, mask=bool),
        draw("float64", (2,), 3, 4, 6, 5, dtype=np.float64),
        draw("float64", (3,), 4, 5, 2, 6, dtype=np.float64, mask=bool),
        draw("traced", (2,), 5, 3, 4, 6, mask=bool),
    ]
    for leading_dimensions in range(3 * thorough):  # lengths are drawn, never how many there are
        lengths = rng.permutation(np.arange(2, 9))[: 4 + leading_dimensions]
        n_q, n_k, d_k, d_v, *leading = (int(length) for length in lengths)
        drawn.append(draw("no mask", leading, n_q, n_k, d_k, d_v))
        drawn.append(draw("mask", leading, n_q, n_k, d_k, d_v, mask=bool))
        drawn.append(draw("mask of 0 and 1", leading, n_q, n_k, d_k, d_v, mask=np.float32))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    leading: Sequence[int],
    n_q: int,
    n_k: int,
    d_k: int,
    d_v: int,
    dtype: DTypeLike = np.float32,
    mask: DTypeLike | None = None,
    mask_shape: tuple[int, ...] | None = None,
) -> Case:
    """Return q, k, v of size one, so that scores have size √d_k and softmax is not saturated."""
    inputs = {
        "q": rng.normal(size=(*leading, n_q, d_k)).astype(dtype),
        "k": rng.normal(size=(*leading, n_k, d_k)).astype(dtype),
        "v": rng.normal(size=(*leading, n_k, d_v)).astype(dtype),
        "mask": None if mask is None else draw_mask(rng, mask_shape or (n_q, n_k)).astype(mask),
    }
    return Case(stage, inputs)


def draw_mask(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask that hides about a third of the keys, never all of a query's, never none."""
    mask = rng.random(shape) < MASKED
    rows = mask.reshape(-1, shape[-1])  # (rows, n_k)
    for i, row in enumerate(rows):
        row[i % len(row)], row[(i + 1) % len(row)] = True, False
    return mask


# --- the formula -----------------------------------------------------------------------------------


def formula(case: Case, seen: Observation, *, alone: bool = False, **settings: Any) -> Arrays:
    """Return weights and output, or the output alone; the other settings are those of the oracle."""
    q, k, v = (case[name].astype(np.float64) for name in "qkv")
    output, weights = oracles.scaled_dot_product_attention(q, k, v, case["mask"], **settings)
    return {"output": output} if alone else {"attention_weights": weights, "output": output}


# --- the mistakes ----------------------------------------------------------------------------------


def _keys_reshaped(k: np.ndarray) -> np.ndarray:
    return k.reshape(*k.shape[:-2], k.shape[-1], k.shape[-2])  # (…, d_k, n_k)


def _unit_length(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _scaled_late(weights: np.ndarray, mask: np.ndarray | None, k: np.ndarray) -> np.ndarray:
    return weights / np.sqrt(k.shape[-1])


def _hidden_late(weights: np.ndarray, mask: np.ndarray | None, k: np.ndarray) -> np.ndarray:
    return weights if mask is None else weights * mask


def _one(*_: Any) -> float:
    return 1.0


def _unhidden(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return scores


NOT_SOFTMAX = "Each query's weights are to be positive and to sum to 1: what does that?"
SCALED_LATE = (
    "You divide by √d_k after the softmax. The scores are what is scaled: the softmax must see "
    "them after the division."
)
INSIDE = [  # mistakes in attention itself; inside the heads of a layer they are the same
    Mistake(
        "no scaling",
        "Your output equals softmax(QKᵀ)V: the scores are not divided by √d_k.",
        divisor=_one,
    ),
    Mistake(
        "divided by d_k",
        "Your scores are divided by d_k, by its square root twice over. "
        "Which division keeps the variance of the scores at one?",
        divisor=lambda q, k, v: k.shape[-1],
    ),
    Mistake(
        "multiplied by √d_k",
        "Your scores are multiplied by √d_k. The wider the queries and keys, the larger their "
        "products: that is what the scaling must undo.",
        divisor=lambda q, k, v: k.shape[-1] ** -0.5,
    ),
    Mistake(
        "divided by √n_k",
        "Your scores are divided by √n_k, the number of keys. The sum in each score runs over the "
        "d_k entries of query and key: which axis of k has that length?",
        divisor=lambda q, k, v: np.sqrt(k.shape[-2]),
    ),
    Mistake(
        "divided by √n_q",
        "Your scores are divided by √n_q, the number of queries. The sum in each score runs over "
        "the d_k entries of query and key: which axis of q has that length?",
        divisor=lambda q, k, v: np.sqrt(q.shape[-2]),
    ),
    Mistake(
        "divided by √d_v",
        "Your scores are divided by √d_v, the width of the values. The values have no part in the "
        "scores: what is the width of queries and keys?",
        divisor=lambda q, k, v: np.sqrt(v.shape[-1]),
    ),
    Mistake(
        "scaled after softmax",
        SCALED_LATE,
        {"divisor": _one, "afterwards": _scaled_late},
        {"divisor": _one, "average": lambda weights, v, k: _scaled_late(weights, None, k) @ v},
    ),
    Mistake(
        "keys not transposed",
        "Your keys are reshaped where they should be transposed: the shapes fit, but the entries "
        "of different keys are mixed. Which function swaps the last two axes?",
        keys=_keys_reshaped,
    ),
    Mistake(
        "softmax axis",
        "Your softmax runs over the queries. Each query shares its attention among the keys, so "
        "each row of the weights must sum to 1: normalise over the last axis.",
        normalise=partial(softmax, axis=-2),
    ),
    Mistake(
        "softmax over everything",
        "Your weights sum to 1 over all queries and keys together. Each query shares its attention "
        "among the keys: each row of the weights must sum to 1.",
        normalise=partial(softmax, axis=(-2, -1)),
    ),
    Mistake(
        "no softmax",
        "Your weights are the scores themselves: the softmax is missing. " + NOT_SOFTMAX,
        normalise=lambda scores: scores,
    ),
    Mistake(
        "softmax twice",
        "Your softmax is applied twice, which makes the weights nearly equal.",
        normalise=lambda scores: softmax(softmax(scores)),
    ),
    Mistake(
        "sigmoid",
        "Your weights are the sigmoid of the scores, so the keys do not compete. " + NOT_SOFTMAX,
        normalise=oracles.sigmoid,
    ),
    Mistake(
        "log of softmax",
        "Your weights are the logarithm of the softmax. " + NOT_SOFTMAX,
        normalise=lambda scores: np.log(softmax(scores)),
    ),
    Mistake(
        "queries and keys normalised",
        "Your queries and keys are made unit length first, which is cosine attention. Here the "
        "scores are plain products, scaled.",
        {"lengths": _unit_length},
        {"lengths": _unit_length, "divisor": _one},
    ),
    Mistake(
        "mask inverted",
        "Your mask is read the wrong way round: True (or 1) means that the query may attend to the "
        "key, False (or 0) that it may not.",
        hide=lambda scores, mask: oracles.masked(scores, ~mask),
    ),
    Mistake(
        "mask after softmax",
        "Your mask sets weights to zero after the softmax, so the rows no longer sum to 1. "
        "Mask the scores before the softmax.",
        {"hide": _unhidden, "afterwards": _hidden_late},
    ),
    Mistake(
        "mask added",
        "You add the mask, 0 or 1, to the scores: that favours the allowed keys a little. A hidden "
        "key must end with weight 0: what score does the softmax turn into 0?",
        hide=lambda scores, mask: scores + mask,
    ),
    Mistake(
        "mask multiplied",
        "You multiply the scores with the mask, so hidden keys get the score 0. The softmax gives "
        "a score of 0 a fair share: what score does it turn into 0?",
        hide=lambda scores, mask: scores * mask,
    ),
    Mistake("mask ignored", "Your mask has no effect.", hide=_unhidden),
    Mistake(
        "scores returned",
        "Your output is right, but the weights you return are the scores before the softmax. "
        "Return the weights that the output is made with.",
        returns=lambda output, weights, scores: (output, scores),
    ),
    Mistake(
        "keys used as values",
        "Your output averages the keys. The keys decide the weights; the values are what is averaged.",
        entails=("no gradient", "gradient cut off"),  # of W_v in a layer, of v itself
        average=lambda weights, v, k: weights @ k,
    ),
    Mistake(
        "weights transposed",
        "The weights you return have one row per key. They belong the other way round: one row per "
        "query, shape (…, n_q, n_k).",
        returns=lambda output, weights, scores: (output, oracles.transposed(weights)),
    ),
]
ALONE = "Your output is right, but it comes alone. Return two values: (output, attention_weights)."
SWAPPED = "You return the weights first. The order is (output, attention_weights)."
RANDOM = Sign(
    "random",
    "The same call twice gives different results: something random is at work, such as dropout "
    "that is active outside training.",
    lambda case, seen: not seen["repeats"],
    anywhere=True,
)


def _favours_the_hidden(case: Case, seen: Observation) -> bool:
    weights, mask = seen["attention_weights"], case["mask"]
    if mask is None or not np.all(np.isfinite(weights)):
        return mask is not None
    hidden = np.broadcast_to(~np.asarray(mask, bool), weights.shape)
    return bool(np.all(np.where(hidden, weights, 0.0).sum(axis=-1) > 0.99))


SIGN_LOST = Sign(
    "sign of the mask lost",
    "The hidden keys share all of the weight among themselves: a large number is added to their "
    "scores where a large negative one is needed.",
    _favours_the_hidden,
)


def _overflows(case: Case, seen: Observation) -> bool:
    return case.stage == "float16" and not np.all(np.isfinite(seen["attention_weights"]))


def _keeps_digits(case: Case, seen: Observation) -> Wrong | None:
    """The results of float64 have more digits than float32 can hold."""
    results = [seen.values[name] for name in ("output", "attention_weights") if name in seen.values]
    if not all(map(_is_short, results)):
        return None
    return Wrong(
        "computed in float32",
        "For float64 inputs your results have the digits of float32: somewhere a type is fixed. Take "
        "the type from the input.",
    )


def _is_short(values: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(values, values.astype(np.float32)))


def lets_gradients_pass(case: Case, seen: Observation) -> Wrong | None:
    """A gradient reaches queries, keys and values."""
    cut = [name for name, reached in zip("qkv", seen["reached"], strict=True) if not reached]
    if not cut:
        return None
    return Wrong(
        "gradient cut off",
        f"No gradient reaches {', '.join(cut)}: what leads there would never learn. Do all steps on "
        "the way stay in TensorFlow, without tf.stop_gradient?",
    )


CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[oracles.scaled_dot_product_attention],
    findings=[
        Values("one key", "with one key, every query returns its value"),
        Values(
            "no mask",
            "softmax(QKᵀ/√d_k)V for any leading dimensions",
            2.5,
            about=("divisor", "normalise", "keys", "lengths", "average", "returns"),
        ),
        Values("mask", "masked keys get no weight, the others share all of it", 2.0, about=("hide",)),
        Values("mask of 0 and 1", "a mask of 0 and 1 works as one of False and True"),
        Values("broadcast mask", "one mask can serve many queries or many leading dimensions"),
        Values("float16", "float16 works, mask included"),
        Values("float64", "float64 works"),
        Claim("float64", "float64 keeps its digits", 1.0, _keeps_digits),
        Values("traced", "works in Keras models, where the batch size is not known yet"),
        Claim("no mask", "a gradient reaches queries, keys and values", 1.0, lets_gradients_pass),
    ],
    mistakes=[
        *INSIDE,
        Mistake("weights not returned", ALONE, alone=True),
        Mistake("results swapped", SWAPPED, returns=lambda output, weights, scores: (weights, output)),
    ],
    signs=[
        RANDOM,
        Sign(
            "too large for float16",
            "Your mask gives nan in float16, whose largest number is 65504: −1e9 becomes −inf "
            "there, and 0 times infinity is nan. Choose between two values, or add a number "
            "that fits the type.",
            _overflows,
        ),
        SIGN_LOST,
    ],
    kinds=[
        Only(
            "float32 only",
            "Your code works for float32 alone: somewhere a number or tensor has a fixed type. "
            "Take the type from the input.",
            lambda case: case["q"].dtype != np.float32,
        ),
    ],
    remarks=[
        Remark(
            "For float16 inputs your results come as another type. The layers around yours expect the "
            "type that they gave.",
            lambda case, seen: case["q"].dtype == np.float16 and seen["output"].dtype != np.float16,
        ),
    ],
)

"""Attention in tiles: what goes in, the online softmax, the mistakes, what is looked at."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Only, Sign, Values, Wrong
from utilities.checks.core.drawing import normal
from utilities.checks.core.oracles import softmax, transposed
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons.attention.scaled_dot_product_attention import RANDOM, lets_gradients_pass

Block = tuple[np.ndarray, np.ndarray]  # keys, or their scores (…, n_q, b), and values (…, b, d_v)
LEVEL = 120.0  # of scores: float32 holds neither exp(120) nor exp(−120)
ANY_SIZE = ("large scores", "small scores", "queries apart")
CARRIED = "rising and falling"
LENGTHS = np.array([128, 256])  # tokens, between which the memory is compared
COST_BLOCK = 16  # keys in a block meanwhile

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one block, several, a last one that is not full, scores of any size, many tokens."""
    draw = partial(_case, rng)
    drawn = [
        draw("one block", (), 3, 4, 5, 2, block_size=4),
        draw("one block", (2,), 5, 3, 4, 6, block_size=7),
        draw("whole blocks", (), 3, 6, 4, 2, block_size=3),
        draw("whole blocks", (2,), 5, 8, 3, 4, block_size=2),
        draw("whole blocks", (2, 3), 4, 5, 7, 6, block_size=1),
        draw("last block", (), 4, 7, 3, 2, block_size=3),
        draw("last block", (2,), 3, 8, 5, 4, block_size=5),
        draw("last block", (2, 3), 4, 7, 6, 5, block_size=2),
        draw("large scores", (2,), 3, 6, 4, 5, block_size=2, of_queries=1),
        draw("large scores", (2,), 4, 6, 3, 5, block_size=2, of_queries=1, of_keys=[0, 1] * 3),
        draw("small scores", (2,), 3, 6, 5, 4, block_size=3, of_queries=-1),
        draw("queries apart", (2,), 5, 6, 4, 3, block_size=2, of_queries=[1, -1, 1, 1, -1]),
        draw(
            CARRIED, (2,), 3, 8, 4, 5, block_size=2, of_queries=1, of_keys=np.repeat([0, 1, -1, 1], 2)
        ),
        draw("model", (2,), 4, 7, 3, 5, block_size=2),
    ]
    cost = draw("cost", (2,), 3, 200, 8, 10, block_size=COST_BLOCK)
    cost.inputs["lengths"] = LENGTHS
    drawn.append(cost)
    for leading_dimensions in range(3 * thorough):  # lengths are drawn, never how many there are
        lengths = rng.permutation(np.arange(2, 9))[: 3 + leading_dimensions]
        d, d_v, n_q, *leading = (int(n) for n in lengths)
        b, blocks = int(rng.integers(2, 5)), int(rng.integers(2, 5))
        drawn.append(draw("whole blocks", leading, n_q, b * blocks, d, d_v, block_size=b))
        drawn.append(draw("last block", leading, n_q, b * blocks + 1, d, d_v, block_size=b))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    leading: Sequence[int],
    n_q: int,
    n_k: int,
    d: int,
    d_v: int,
    *,
    block_size: int,
    of_queries: Any = None,
    of_keys: Any = 1,
) -> Case:
    """Return q, k, v; with the last entry of each query and key the scores are lifted to a level.

    of_queries, of_keys: how often LEVEL is added to all scores of a query, and to those of a key.
    """
    q, k, v = (
        normal(rng, *leading, n_q, d),
        normal(rng, *leading, n_k, d),
        normal(rng, *leading, n_k, d_v),
    )
    if of_queries is not None:
        root = np.sqrt(LEVEL * np.sqrt(d))
        q[..., -1], k[..., -1] = root * np.asarray(of_queries), root * np.asarray(of_keys)
    return Case(stage, {"q": q, "k": k, "v": v, "block_size": block_size})


# --- the formula -----------------------------------------------------------------------------------


def in_blocks(k: np.ndarray, v: np.ndarray, size: int) -> list[Block]:
    """Return keys and values in blocks of that size, the last one with what is left."""
    starts = range(0, k.shape[-2], size)
    return [(k[..., i : i + size, :], v[..., i : i + size, :]) for i in starts]


def shrinkage(earlier: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return by what earlier sums shrink where the largest score so far has grown."""
    return np.exp(earlier - now)


def online_softmax(
    blocks: Sequence[Block],
    *,
    maximum: Callable = np.maximum,
    of_sum: Callable = shrinkage,
    of_output: Callable = shrinkage,
    of_new: Callable = lambda earlier, now: 1.0,
    divide: Callable = lambda summed, total: summed / total,
) -> np.ndarray:
    """Return the mean of the values, weighted by the softmax of all scores, a block at a time.

    The settings: the largest score so far; by what the sum of the weights, the sum of weighted values
    and the contribution of a new block are multiplied; the division in the end.
    Source: Milakov and Gimelshein 2018, arXiv 1805.02867, algorithm 3.
    """
    (scores, values), *others = blocks
    largest = scores.max(axis=-1, keepdims=True)  # (…, n_q, 1)
    weights = np.exp(scores - largest)
    total, summed = weights.sum(axis=-1, keepdims=True), weights @ values
    for scores, values in others:
        highest = maximum(largest, scores.max(axis=-1, keepdims=True))
        weights = np.exp(scores - highest) * of_new(largest, highest)
        total = total * of_sum(largest, highest) + weights.sum(axis=-1, keepdims=True)
        summed = summed * of_output(largest, highest) + weights @ values  # (…, n_q, d_v)
        largest = highest
    return divide(summed, total)


def root_of_width(q: np.ndarray, block: np.ndarray, k: np.ndarray) -> float:
    """Return √d."""
    return float(np.sqrt(q.shape[-1]))


def formula(
    case: Case,
    seen: Observation,
    *,
    cut: Callable[..., Sequence[Block]] = in_blocks,
    divisor: Callable = root_of_width,
    combine: Callable[..., np.ndarray] = online_softmax,
    afterwards: Callable = lambda output, q: output,
) -> Arrays:
    """Return the output; the settings: the blocks, the scale, how blocks are put together, the end."""
    if case.stage == "cost":
        return {}
    q, k, v = (case[name].astype(np.float64) for name in "qkv")
    blocks = cut(k, v, case["block_size"])
    if not blocks:
        raise ValueError("no block")
    scored = [(q @ transposed(keys) / divisor(q, keys, k), values) for keys, values in blocks]
    return {"output": afterwards(combine(scored), q)}


# --- the mistakes ----------------------------------------------------------------------------------


def _full_blocks(k: np.ndarray, v: np.ndarray, size: int) -> list[Block]:
    return [block for block in in_blocks(k, v, size) if block[0].shape[-2] == size]


def _padded(k: np.ndarray, v: np.ndarray, size: int) -> list[Block]:
    missing = [(0, 0)] * (k.ndim - 2) + [(0, -k.shape[-2] % size), (0, 0)]
    return in_blocks(np.pad(k, missing), np.pad(v, missing), size)


def _first(k: np.ndarray, v: np.ndarray, size: int) -> list[Block]:
    return in_blocks(k, v, size)[:1]


def _last(k: np.ndarray, v: np.ndarray, size: int) -> list[Block]:
    return in_blocks(k, v, size)[-1:]


def _keys_as_values(k: np.ndarray, v: np.ndarray, size: int) -> list[Block]:
    return in_blocks(k, k, size)


def _nothing(earlier: np.ndarray, now: np.ndarray) -> float:
    return 1.0


def _overwritten(earlier: np.ndarray, now: np.ndarray) -> float:
    return 0.0


def _growth(earlier: np.ndarray, now: np.ndarray) -> np.ndarray:
    return np.exp(now - earlier)


def _each_alone(blocks: Sequence[Block]) -> np.ndarray:
    """Return the output of each block by itself, (blocks, …, n_q, d_v)."""
    return np.stack([softmax(scores) @ values for scores, values in blocks])


def _divided_in_every_step(blocks: Sequence[Block]) -> np.ndarray:
    """Return what comes where the mean so far is taken for the sum so far."""
    largest, total, output = np.array(-np.inf), 0.0, 0.0
    for scores, values in blocks:
        highest = np.maximum(largest, scores.max(axis=-1, keepdims=True))
        weights, shrunk = np.exp(scores - highest), shrinkage(largest, highest)
        total = total * shrunk + weights.sum(axis=-1, keepdims=True)
        output = (output * shrunk + weights @ values) / total
        largest = highest
    return np.asarray(output)


def _one(*_: Any) -> float:
    return 1.0


def _online(**settings: Any) -> Callable[..., np.ndarray]:
    return partial(online_softmax, **settings)


MISTAKES = [
    Mistake(
        "no scaling",
        "Your output equals softmax(QKᵀ)V: the scores are not divided by √d.",
        divisor=_one,
    ),
    Mistake(
        "divided by d",
        "Your scores are divided by d, by its square root twice over.",
        divisor=lambda q, block, k: q.shape[-1],
    ),
    Mistake(
        "multiplied by √d",
        "Your scores are multiplied by √d where they should be divided.",
        divisor=lambda q, block, k: q.shape[-1] ** -0.5,
    ),
    Mistake(
        "divided by the root of the number of keys",
        "Your scores are divided by the root of a number of keys. What counts is d, how many entries a "
        "query has: the last axis.",
        {"divisor": lambda q, block, k: np.sqrt(k.shape[-2])},
        {"divisor": lambda q, block, k: np.sqrt(block.shape[-2])},
    ),
    Mistake(
        "scaled after softmax",
        "You divide by √d in the end. The scores are what is scaled: the softmax must see them after "
        "the division.",
        divisor=_one,
        afterwards=lambda output, q: output / np.sqrt(q.shape[-1]),
    ),
    Mistake(
        "sum not rescaled",
        "Where a later block has a larger score, the sum of the weights so far keeps weights that were "
        "made with the earlier maximum. The weighted values you correct; what about the sum?",
        combine=_online(of_sum=_nothing),
    ),
    Mistake(
        "output not rescaled",
        "Where a later block has a larger score, the weighted values so far keep weights that were "
        "made with the earlier maximum. The sum of the weights you correct; what about the values?",
        combine=_online(of_output=_nothing),
    ),
    Mistake(
        "nothing rescaled",
        "Your blocks have different maxima taken off, and their sums are added as if it were one. By "
        "which factor do weights change if another maximum is taken off?",
        {"combine": _online(of_sum=_nothing, of_output=_nothing)},
        {
            "combine": _online(
                of_sum=_nothing, of_output=_nothing, maximum=lambda largest, of_block: of_block
            )
        },
        entails=("gradient cut off",),  # in blocks of one key all weights are then 1
    ),
    Mistake(
        "rescaled the wrong way round",
        "Your factor is exp(new maximum − earlier maximum). With a larger maximum taken off, should "
        "weights grow or shrink?",
        combine=_online(of_sum=_growth, of_output=_growth),
    ),
    Mistake(
        "new block rescaled as well",
        "You multiply the new block by the factor as well. Its weights have the new maximum taken off "
        "already: which of the two parts has not?",
        combine=_online(of_new=shrinkage),
    ),
    Mistake(
        "sum overwritten",
        "You divide by the sum of the last block's weights. Do the sums of the earlier blocks go on "
        "counting?",
        combine=_online(of_sum=_overwritten),
    ),
    Mistake(
        "output overwritten",
        "Your output holds the last block's values alone, divided by the sum over all keys.",
        combine=_online(of_output=_overwritten),
    ),
    Mistake(
        "softmax in each block",
        "Each of your blocks has weights that sum to 1 by themselves, so a block of unlike keys counts "
        "as much as one of alike. All keys of a query compete: when can one divide?",
        {"combine": lambda blocks: _each_alone(blocks).sum(axis=0)},
        {"combine": lambda blocks: _each_alone(blocks).mean(axis=0)},
        entails=("gradient cut off",),  # one key alone has the weight 1; rounding may leave a rest
    ),
    Mistake(
        "divided in every step",
        "You divide by the sum in every step, and the next step goes on with a mean where it needs a "
        "sum. When is the sum complete?",
        combine=_divided_in_every_step,
    ),
    Mistake(
        "not divided by the sum",
        "Your output is the sum of the weighted values. It has to be a mean: by what is it divided?",
        combine=_online(divide=lambda summed, total: summed),
    ),
    Mistake(
        "last block dropped",
        "The last block is left out where it is not full.",
        cut=_full_blocks,
    ),
    Mistake(
        "padding counted",
        "The zeros that fill your last block take part: a key of zeros has the score 0, and exp(0) is "
        "a weight of 1. Which score has no weight?",
        cut=_padded,
    ),
    Mistake(
        "one block alone",
        "Your output is that of one block of keys. All of them take part: is the result returned, or "
        "begun anew, inside the loop?",
        {"cut": _first},
        {"cut": _last},
        entails=("gradient cut off",),  # one key alone has the weight 1, whatever its score
    ),
    Mistake(
        "keys used as values",
        "Your output averages the keys. The keys decide the weights; the values are what is averaged.",
        entails=("gradient cut off",),
        cut=_keys_as_values,
    ),
]


def _cost(case: Case, seen: Observation) -> Wrong | None:
    """The peak memory grows with the tokens, and no query's scores are together."""
    few, many = seen["peak_bytes"]
    shape = tuple(int(n) for n in seen["largest_shape"])
    largest = f"With {int(LENGTHS[-1])} tokens the largest array has shape {shape}."
    if many >= 3 * max(few, 1):
        return Wrong(
            "quadratic memory",
            f"Twice the tokens need {many / max(few, 1):.1f} times the memory. {largest} Nothing may "
            "be kept for each pair of tokens: what can a block leave behind that is enough for the "
            "rest?",
        )
    if np.prod(shape) > 2 * COST_BLOCK * LENGTHS[-1]:
        return Wrong(
            "block size ignored",
            f"In blocks of {COST_BLOCK} keys, {COST_BLOCK} scores for each query are enough at a time. "
            f"{largest} Does block_size say how many keys your blocks hold?",
        )
    if seen["whole_rows"]:
        return Wrong(
            "all keys at once",
            "Your code holds the scores of a query with all keys at once. Taking the queries a block "
            "at a time saves memory as well, but here the keys come in blocks: a query meets only "
            "block_size of them at a time.",
        )
    return None


CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values(
            "one block",
            "with all keys in one block: softmax(QKᵀ/√d)V",
            1.5,
            about=("divisor", "afterwards"),
        ),
        Values(
            "whole blocks",
            "several blocks give the same output as one",
            3.5,
            about=("combine",),
        ),
        Values("last block", "a last block that is not full counts as well", 1.5, about=("cut",)),
        Values(ANY_SIZE, "large and very negative scores give neither infinity nor 0/0"),
        Values(CARRIED, "the largest score so far is carried from block to block"),
        Values("model", "works in Keras models, where the batch size is not known yet", 0.5),
        Claim("cost", "the keys come in blocks: memory grows with the tokens", 6.0, _cost),
        Claim("whole blocks", "a gradient reaches queries, keys and values", 0.5, lets_gradients_pass),
    ],
    mistakes=MISTAKES,
    signs=[
        RANDOM,
        Sign(
            "nothing finite",
            "Your output is not a number, whatever the scores. Which factor belongs to the sums before "
            "the first block, and what are −inf − (−inf) and 0 · inf?",
            lambda case, seen: (
                case.stage not in (*ANY_SIZE, CARRIED) and not np.all(np.isfinite(seen["output"]))
            ),
            anywhere=True,
        ),
    ],
    kinds=[
        Only(
            "maximum not subtracted",
            "Your formula is right, but float32 holds neither exp(100) nor exp(−110). Which number can "
            "be taken off all scores of a query without changing its softmax?",
            lambda case: case.stage in (*ANY_SIZE, CARRIED),
        ),
        Only(
            "maximum not carried",
            "A block with small scores after one with large ones makes your factor infinite. Over "
            "which blocks does the largest score so far have to be taken?",
            lambda case: case.stage == CARRIED,
        ),
        Only(
            "maximum starts at 0",
            "Where all scores of a query are very negative, all your weights become 0, and 0/0 is nan. "
            "What is the largest score before there is any?",
            lambda case: case.stage in ("small scores", "queries apart"),
        ),
        Only(
            "one maximum for all queries",
            "You take one maximum off the scores of all queries: the weights of a query with small "
            "scores all become 0, and 0/0 is nan. Each query has a largest score of its own.",
            lambda case: case.stage == "queries apart",
        ),
    ],
    depth=lambda case: 40 if case.stage in (*ANY_SIZE, CARRIED) else 3,
)

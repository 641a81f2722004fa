"""The mistakes people make with attention variants, each as what it computes (NumPy only)."""

from collections.abc import Callable
from functools import partial

import numpy as np

from utilities.checks.attention_variants import formulas
from utilities.checks.attention_variants.formulas import Array, Attend, normalised, products
from utilities.checks.core import oracles
from utilities.checks.judging import Mistake, Oracle, Values
from utilities.checks.kernel.case import Case, Observation

# --- dot-product attention -------------------------------------------------------------------

Score = Callable[[Array, Array], Array]


def dot_product_oracle(
    standard: Score = formulas.SCORES["standard"],
    linear: Score = formulas.SCORES["linear"],
    cosine: Score = formulas.SCORES["cosine"],
    normalise: Callable[[Array], Array] = oracles.softmax,
) -> Oracle:
    """Return the oracle whose scores of each normalization may be wrong."""
    scores = {"standard": standard, "linear": linear, "cosine": cosine}

    def oracle(case: Case, _: Observation) -> Values:
        if case["normalization"] not in scores:
            return {}
        q, k, v = (case[name].astype(np.float64) for name in "qkv")
        score = scores[case["normalization"]]
        output, weights = formulas.dot_product_attention(q, k, v, score, normalise)
        return {"attention_weights": weights, "output": output}

    return oracle


def _over(divisor: Callable[[Array, Array], float], normalise: Callable = lambda x: x) -> Score:
    """Return the scores of (normalised) queries and keys over a number."""
    return lambda q, k: products(normalise(q), normalise(k)) / divisor(q, k)


def _one_for_all(name: str) -> Oracle:
    score = formulas.SCORES[name]
    return dot_product_oracle(standard=score, linear=score, cosine=score)


def _swapped_output(case: Case, seen: Observation) -> Values:
    right = dot_product_oracle()(case, seen)
    if not right:
        return {}
    return {"output": right["attention_weights"], "attention_weights": right["output"]}


_COSINE = 'With "cosine", queries and keys are both divided by their length, and by nothing else. '
DOT_PRODUCT_MISTAKES = [
    Mistake(
        "normalization ignored",
        "Your scores are divided by √d whatever `normalization` says. Which of the three is asked for?",
        _one_for_all("standard"),
    ),
    Mistake(
        "no scaling",
        'With "standard" and "linear" your scores are the bare products QKᵀ. By what is each divided?',
        dot_product_oracle(standard=products, linear=products),
    ),
    Mistake(
        "standard and linear swapped",
        'Your "standard" divides by d and your "linear" by √d: it is the other way round.',
        dot_product_oracle(standard=formulas.SCORES["linear"], linear=formulas.SCORES["standard"]),
    ),
    Mistake(
        "divided by √n_k",
        "Your scores are divided by the root of the number of keys. What counts is how many entries "
        "a query has: the last axis.",
        dot_product_oracle(standard=_over(lambda q, k: np.sqrt(k.shape[-2]))),
    ),
    Mistake(
        "divided by n_k",
        'With "linear" you divide by the number of keys. What counts is d, how many entries a query '
        "has: the last axis.",
        dot_product_oracle(linear=_over(lambda q, k: k.shape[-2])),
    ),
    Mistake(
        "divided by the number of keys",
        "You divide by the number of keys, or its root. What counts is d, how many entries a query "
        "has: the last axis.",
        dot_product_oracle(
            standard=_over(lambda q, k: np.sqrt(k.shape[-2])), linear=_over(lambda q, k: k.shape[-2])
        ),
    ),
    Mistake(
        "cosine divided by √d as well",
        _COSINE + "Yours are divided by √d as well: a cosine lies between −1 and 1 already.",
        dot_product_oracle(cosine=_over(lambda q, k: np.sqrt(q.shape[-1]), normalised)),
    ),
    Mistake(
        "only queries normalised",
        _COSINE + "You normalise the queries alone.",
        dot_product_oracle(cosine=lambda q, k: products(normalised(q), k)),
    ),
    Mistake(
        "only keys normalised",
        _COSINE + "You normalise the keys alone.",
        dot_product_oracle(cosine=lambda q, k: products(q, normalised(k))),
    ),
    Mistake(
        "normalised over the tokens",
        _COSINE + "You take the length over the tokens: each query and each key is a row of its own, "
        "and its entries lie along the last axis.",
        dot_product_oracle(cosine=lambda q, k: products(normalised(q, -2), normalised(k, -2))),
    ),
    Mistake(
        "one length for all",
        _COSINE + "You divide by one length, that of all entries together. Each query and each key "
        "has its own.",
        dot_product_oracle(cosine=lambda q, k: products(q / np.linalg.norm(q), k / np.linalg.norm(k))),
    ),
    Mistake(
        "sum of magnitudes for the length",
        _COSINE + "Your length is the sum of the entries' magnitudes. The length meant here is the "
        "root of the sum of squares.",
        dot_product_oracle(cosine=lambda q, k: products(_by_sum(q), _by_sum(k))),
    ),
    Mistake(
        "squared length",
        _COSINE + "You divide by the sum of squares: its root is missing.",
        dot_product_oracle(cosine=lambda q, k: products(_by_square(q), _by_square(k))),
    ),
    Mistake(
        "softmax over the queries",
        "Your softmax runs over the queries. Each query shares its attention among the keys: "
        "normalise over the last axis.",
        dot_product_oracle(normalise=partial(oracles.softmax, axis=-2)),
    ),
    Mistake(
        "no softmax",
        "Your weights are the bare scores: softmax is missing. Only the next exercise does without it.",
        dot_product_oracle(normalise=lambda scores: scores),
    ),
    Mistake(
        "cosine without softmax",
        'With "cosine", your weights are the bare cosines: softmax comes after all three.',
        lambda case, seen: dot_product_oracle(
            normalise=(lambda s: s) if case["normalization"] == "cosine" else oracles.softmax
        )(case, seen),
    ),
    Mistake(
        "output and weights swapped",
        "You return (weights, output); the order is (output, weights).",
        _swapped_output,
    ),
]


def _by_sum(x: Array) -> Array:
    return x / np.abs(x).sum(axis=-1, keepdims=True)


def _by_square(x: Array) -> Array:
    return x / np.square(x).sum(axis=-1, keepdims=True)


# --- layers of self-attention ----------------------------------------------------------------


def layer_oracle(
    attend: Attend,
    keys: str = "W_q",
    whole: Callable[[Array], Array] = lambda x: x,
    split: Callable[[Array, int], Array] = formulas.split,
    merge: Callable[[Array], Array] = formulas.merge,
    finish: Callable[[Array, Array], Array] | None = None,
) -> Oracle:
    """Return the oracle of a layer of self-attention that goes wrong in the given ways.

    keys: which projection they come from; whole: what happens to queries and keys before they are
    split into heads; finish: (output, merged heads) → output.
    """

    def oracle(case: Case, _: Observation) -> Values:
        weights = {name: case[name].astype(np.float64) for name in case.unsaid}
        x, h = case["x"].astype(np.float64), case["num_heads"]

        def project(name: str) -> Array:
            return x @ weights[name] + weights[f"{name}_bias"]  # (B, N, h·p)

        q, k, v = (split(y, h) for y in (whole(project("W_q")), whole(project(keys)), project("W_v")))
        merged = merge(attend(q, k, v))  # (B, N, h·p)
        output = merged @ weights["W_o"] + weights["W_o_bias"]  # (B, N, d)
        return {"output": output if finish is None else finish(output, merged)}

    return oracle


def _split_without_transposing(x: Array, num_heads: int) -> Array:
    B, N, width = x.shape
    return x.reshape(B, num_heads, N, width // num_heads)


def _merge_without_transposing(heads: Array) -> Array:
    B, h, N, p = heads.shape
    return heads.reshape(B, N, h * p)


def _heads_mistakes(attend: Attend, keys: str) -> list[Mistake]:
    """Return what goes wrong with heads, whatever happens inside them."""
    oracle = partial(layer_oracle, attend, keys)
    return [
        Mistake(
            "heads merged without transposing back",
            "Your heads are merged before they are transposed back, so the entries of different "
            "tokens mix. After attention the axes are (B, h, N, p): which two must change places "
            "before the reshape?",
            oracle(merge=_merge_without_transposing),
        ),
        Mistake(
            "heads split without transposing",
            "You reshape (B, N, h·p) straight to (B, h, N, p), which mixes tokens and heads. Split "
            "the last axis first, then transpose.",
            oracle(split=_split_without_transposing),
        ),
        Mistake(
            "heads split without transposing",
            "You reshape (B, N, h·p) straight to (B, h, N, p), and the same way back, which mixes "
            "tokens and heads. Split the last axis first, then transpose.",
            oracle(split=_split_without_transposing, merge=_merge_without_transposing),
        ),
        Mistake(
            "one head for all",
            "Your attention works on the whole width at once, as if there were one head. Each head "
            "has its own part of the columns.",
            oracle(
                split=lambda x, num_heads: formulas.split(x, 1),
            ),
        ),
        Mistake(
            "output projection missing",
            "You return the heads side by side: the last projection, W_o, is missing.",
            oracle(finish=lambda output, merged: merged),
        ),
    ]


def _softmax_attention(score: Score) -> Attend:
    return lambda q, k, v: formulas.dot_product_attention(q, k, v, score)[0]


def _cosine_with(score: Score, after: Callable[[Array], Array] = lambda scores: scores) -> Attend:
    return lambda q, k, v: after(score(q, k)) @ v


_cosine = formulas.SCORES["cosine"]
COSINE_MISTAKES = [
    *_heads_mistakes(formulas.cosine_attention, "W_q"),
    Mistake(
        "softmax not left out",
        "Your cosines go through a softmax. Here they are the weights themselves, negative ones too.",
        layer_oracle(_softmax_attention(_cosine)),
    ),
    Mistake(
        "not normalised",
        "Your scores are the bare products: queries and keys are not divided by their length.",
        layer_oracle(_cosine_with(products)),
    ),
    Mistake(
        "scaled, not normalised",
        "Your scores are products divided by √p, not cosines: each query and each key is divided by "
        "its own length.",
        layer_oracle(_cosine_with(formulas.SCORES["standard"])),
    ),
    Mistake(
        "standard attention",
        "Your layer is standard attention, softmax(QKᵀ/√p)V. Which two things are different here?",
        layer_oracle(_softmax_attention(formulas.SCORES["standard"])),
    ),
    Mistake(
        "only one side normalised",
        "You normalise the queries alone. A cosine needs both lengths to be 1.",
        layer_oracle(_cosine_with(lambda q, k: products(normalised(q), k))),
    ),
    Mistake(
        "only one side normalised",
        "You normalise the keys alone. A cosine needs both lengths to be 1.",
        layer_oracle(_cosine_with(lambda q, k: products(q, normalised(k)))),
    ),
    Mistake(
        "normalised before the heads",
        "You divide by the length of the whole projection, all heads together. The cosine is taken "
        "inside a head: split first.",
        layer_oracle(_cosine_with(products), whole=normalised),
    ),
    Mistake(
        "normalised over the tokens",
        "You take the length over the tokens. Each query is a row of its own, and its entries lie "
        "along the last axis.",
        layer_oracle(_cosine_with(lambda q, k: products(normalised(q, -2), normalised(k, -2)))),
    ),
    Mistake(
        "divided by √p as well",
        "Your cosines are divided by √p as well: they lie between −1 and 1 already.",
        layer_oracle(_cosine_with(lambda q, k: _cosine(q, k) / np.sqrt(q.shape[-1]))),
    ),
    Mistake(
        "divided by the number of tokens",
        "Your cosines are divided by the number of tokens: you average where the formula sums.",
        layer_oracle(_cosine_with(lambda q, k: _cosine(q, k) / k.shape[-2])),
    ),
    Mistake(
        "rows made to sum to 1",
        "Your cosines are divided by their sum. It may be near 0, since cosines can be negative; the "
        "formula leaves them as they are.",
        layer_oracle(_cosine_with(_cosine, lambda s: s / s.sum(axis=-1, keepdims=True))),
    ),
    Mistake(
        "negative cosines cut off",
        "Your negative cosines become 0. The formula keeps them: a token may be subtracted.",
        layer_oracle(_cosine_with(_cosine, lambda scores: np.maximum(scores, 0.0))),
    ),
    Mistake(
        "keys from W_v",
        "Your keys are the values. Queries and keys share one projection, W_q.",
        layer_oracle(formulas.cosine_attention, keys="W_v"),
    ),
    Mistake(
        "values normalised",
        "Your values are divided by their length as well. Only queries and keys are.",
        layer_oracle(lambda q, k, v: formulas.cosine_attention(q, k, normalised(v))),
    ),
]


def _linear_with(
    feature: Callable[[Array], Array] = formulas.elu_plus_one,
    of_keys: Callable[[Array], Array] | None = None,
    normaliser: Callable[[Array], Array] = lambda weights: weights.sum(axis=-1, keepdims=True),
    mask: bool = False,
) -> Attend:
    """Return linear attention in its quadratic form that goes wrong in the given ways."""

    def attend(q: Array, k: Array, v: Array) -> Array:
        weights = products(feature(q), (of_keys or feature)(k))  # (B, h, N, N)
        weights = np.tril(weights) if mask else weights
        return weights @ v / normaliser(weights)

    return attend


def _sums_or_one(weights: Array) -> Array:
    """Return each query's sum of weights (…, N, 1), 1 where it is 0."""
    sums = weights.sum(axis=-1, keepdims=True)
    return np.where(sums == 0, 1.0, sums)


def _softmax_features(q: Array, k: Array, v: Array) -> Array:
    return products(oracles.softmax(q), oracles.softmax(k, axis=-2)) @ v


def _elu(x: Array) -> Array:
    return formulas.elu_plus_one(x) - 1.0


def _narrowed(q: Array, k: Array, v: Array) -> Array:
    return formulas.linear_attention(q / np.sqrt(q.shape[-1]), k, v)


LINEAR_MISTAKES = [
    *_heads_mistakes(formulas.linear_attention, "W_k"),
    Mistake(
        "not divided by the sum of the weights",
        "Your output is φ(Q)(φ(K)ᵀV), a sum. It has to be a mean: divide by the sum of each query's "
        "weights, φ(q)·Σφ(k).",
        layer_oracle(_linear_with(normaliser=lambda w: np.ones_like(w[..., :1])), "W_k"),
    ),
    Mistake(
        "divided by the number of tokens",
        "You divide by the number of tokens. Each query has a sum of weights of its own, φ(q)·Σφ(k).",
        layer_oracle(_linear_with(normaliser=lambda w: w.shape[-1]), "W_k"),
    ),
    Mistake(
        "weights summed over the queries",
        "You divide by a sum over the queries. Each query divides by the sum over all keys.",
        layer_oracle(_linear_with(normaliser=lambda w: w.sum(axis=-2)[..., np.newaxis]), "W_k"),
    ),
    Mistake(
        "one sum for all queries",
        "You divide by one sum, that of all weights of all queries. Each query has its own.",
        layer_oracle(_linear_with(normaliser=lambda w: w.sum(axis=(-1, -2), keepdims=True)), "W_k"),
    ),
    Mistake(
        "elu without + 1",
        "Your φ is elu(x), which may be negative: weights of both signs, and a sum that may be 0. "
        "What does the formula add?",
        layer_oracle(_linear_with(_elu), "W_k"),
    ),
    Mistake(
        "ReLU for φ",
        "Your φ is ReLU. The formula has elu(x) + 1, which is never 0 and so keeps a gradient.",
        layer_oracle(_linear_with(lambda x: np.maximum(x, 0.0), normaliser=_sums_or_one), "W_k"),
    ),
    Mistake(
        "ReLU for φ",
        "Your φ is ReLU + 1. The formula has elu(x) + 1: below 0 it is exp(x), not constant.",
        layer_oracle(_linear_with(lambda x: np.maximum(x, 0.0) + 1.0), "W_k"),
    ),
    Mistake(
        "exponential for φ",
        "Your φ is exp(x). The formula has elu(x) + 1, which is exp(x) only below 0.",
        layer_oracle(_linear_with(np.exp), "W_k"),
    ),
    Mistake(
        "φ of the queries only",
        "Your φ is applied to the queries alone; it belongs on the keys as well.",
        layer_oracle(_linear_with(of_keys=lambda k: k), "W_k"),
    ),
    Mistake(
        "φ of the keys only",
        "Your φ is applied to the keys alone; it belongs on the queries as well.",
        layer_oracle(_linear_with(lambda q: q, of_keys=formulas.elu_plus_one), "W_k"),
    ),
    Mistake(
        "scaled by √p",
        "Your queries are divided by √p before φ. There is no softmax that could saturate, and the "
        "formula has no such factor.",
        layer_oracle(_narrowed, "W_k"),
    ),
    Mistake(
        "softmax of queries and keys",
        "Your features are softmax of the queries and of the keys: that is another linear attention "
        "(Shen et al.). Here φ(x) = elu(x) + 1 entry by entry.",
        layer_oracle(_softmax_features, "W_k"),
    ),
    Mistake(
        "causal",
        "Each of your tokens sees only those before it. An image has no order in time: every token "
        "sees all.",
        layer_oracle(_linear_with(mask=True), "W_k"),
    ),
    Mistake(
        "standard attention",
        "Your layer is standard attention, softmax(QKᵀ/√p)V.",
        layer_oracle(_softmax_attention(formulas.SCORES["standard"]), "W_k"),
    ),
    Mistake(
        "keys from W_q",
        "Your keys are made by W_q. In this layer they have a projection of their own.",
        layer_oracle(formulas.linear_attention, "W_q"),
    ),
    Mistake(
        "φ of the values",
        "Your φ is applied to the values as well. Only the weights have to be positive.",
        layer_oracle(lambda q, k, v: formulas.linear_attention(q, k, formulas.elu_plus_one(v)), "W_k"),
    ),
]

# --- the constraint --------------------------------------------------------------------------

DEFAULT_BETA = 0.01
Step = Callable[[Array, float], Array]


def matrix_oracle(step: Step = formulas.orthonormal_step, default: float = DEFAULT_BETA) -> Oracle:
    """Return the oracle that applies `step(w, beta)` to the matrix."""

    def oracle(case: Case, _: Observation) -> Values:
        beta = default if case["beta"] is None else float(case["beta"])
        return {"matrix": step(case["w"].astype(np.float64), beta)}

    return oracle


def _orthogonal_factor(w: Array, _: float) -> Array:
    left, _, right = np.linalg.svd(w, full_matrices=False)
    return left @ right


ORTHONORMAL_MISTAKES = [
    Mistake(
        "matrix unchanged",
        "Your constraint returns the matrix as it came.",
        matrix_oracle(lambda w, beta: w),
    ),
    Mistake(
        "1 + β forgotten",
        "Your result is w − β(wwᵀ)w, which shrinks every matrix. What stands before the first w?",
        matrix_oracle(lambda w, beta: w - beta * w @ w.T @ w),
    ),
    Mistake(
        "1 − β for 1 + β",
        "Your result is (1 − β)w + β(wwᵀ)w: the two signs are exchanged, so lengths move away from 1.",
        matrix_oracle(lambda w, beta: (1 - beta) * w + beta * w @ w.T @ w),
    ),
    Mistake(
        "terms added",
        "Your result is (1 + β)w + β(wwᵀ)w, which lets every matrix grow. One term is subtracted.",
        matrix_oracle(lambda w, beta: (1 + beta) * w + beta * w @ w.T @ w),
    ),
    Mistake(
        "β before the second term forgotten",
        "Your result is (1 + β)w − (wwᵀ)w: the second term has a factor too.",
        matrix_oracle(lambda w, beta: (1 + beta) * w - w @ w.T @ w),
    ),
    Mistake(
        "only wwᵀ subtracted",
        "Your result is (1 + β)w − βwwᵀ: wwᵀ is multiplied by w once more, so that the shape is w's.",
        matrix_oracle(lambda w, beta: (1 + beta) * w - beta * w @ w.T),
    ),
    Mistake(
        "multiplied entry by entry",
        "Your second term multiplies entry by entry (w · w · w). The formula has matrix products.",
        matrix_oracle(lambda w, beta: (1 + beta) * w - beta * w**3),
    ),
    Mistake(
        "not transposed",
        "Your second term is (ww)w: one factor has to be transposed.",
        matrix_oracle(lambda w, beta: (1 + beta) * w - beta * w @ w @ w),
    ),
    Mistake(
        "transposed on the wrong side",
        "Your second term is (wwᵀ)wᵀ or wᵀ(wwᵀ): the transposed one stands in the middle.",
        matrix_oracle(lambda w, beta: (1 + beta) * w - beta * w @ w.T @ w.T),
    ),
    Mistake(
        "β fixed",
        "Your constraint uses 0.01 whatever β it was made with. Keep the argument, and use it.",
        matrix_oracle(lambda w, beta: formulas.orthonormal_step(w, DEFAULT_BETA)),
    ),
    Mistake(
        "orthonormal at once",
        "Your constraint makes the matrix orthonormal at once. The formula takes one small step each "
        "time, so that training is not undone.",
        matrix_oracle(_orthogonal_factor),
    ),
    Mistake(
        "rows of length 1",
        "Your constraint gives each row length 1. That does not make rows orthogonal to each other.",
        matrix_oracle(lambda w, beta: normalised(w)),
    ),
    Mistake(
        "columns of length 1",
        "Your constraint gives each column length 1. That does not make columns orthogonal.",
        matrix_oracle(lambda w, beta: normalised(w, 0)),
    ),
    Mistake(
        "a penalty, not a matrix",
        "You return a number, how far the matrix is from orthonormal: that would be a regulariser. A "
        "constraint returns the new matrix.",
        matrix_oracle(lambda w, beta: beta * np.square(w @ w.T - np.eye(len(w))).sum()),
    ),
    Mistake(
        "β squared",
        "Your second term has β twice.",
        matrix_oracle(lambda w, beta: (1 + beta) * w - beta**2 * w @ w.T @ w),
    ),
    Mistake(
        "wrong default",
        "Made without an argument, your constraint does not use β = 0.01.",
        lambda case, seen: matrix_oracle()(case, seen) if case["beta"] is not None else {},
    ),
]

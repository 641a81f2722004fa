"""Attention variants: the formulas against known facts, and what the measurements count."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from tf_keras import layers

from tests.checks.catalogue import attention_variants as catalogue
from utilities.checks.core import oracles
from utilities.checks.kernel.case import Observation
from utilities.checks.lessons.attention_variants import linear_attention as LINEAR
from utilities.checks.lessons.attention_variants import orthonormal
from utilities.checks.lessons.vit_family import Sizes, parameter_count
from utilities.models.self_attention import SelfAttention
from utilities.models.sizes import KERAS_VIT
from utilities.training.cost import arrays_made, fit_exponent, measure_memory, measure_times

RNG = np.random.default_rng(0)
LENGTHS = (256, 512, 1024)


@pytest.mark.parametrize("attention, count", [(4 * 16_640 - 192, 21_759_012), (3 * 4160, 21_327_908)])
def test_parameter_count_of_the_published_models(attention, count):
    """Without the 7 numbers of the Normalization layer."""
    size = KERAS_VIT
    sizes = Sizes(6, 64, 8, tuple(size.mlp_units), tuple(size.head_units), 100)
    formula = parameter_count(sizes, (72, 72, 3), 8 * attention, 17, lambda n, d: n * d)
    assert formula == count


def test_linear_attention_is_a_mean_and_its_brackets_may_be_moved():
    case = next(case for case in LINEAR.CHECK.draw(0) if case.stage == "one head")
    x, W = (case["x"].astype(float), {name: case[name].astype(float) for name in case.unsaid})
    q, k, v = (x @ W[name] + W[f"{name}_bias"] for name in ("W_q", "W_k", "W_v"))
    q, k = LINEAR.elu_plus_one(q), LINEAR.elu_plus_one(k)
    numerator = q @ (np.swapaxes(k, -1, -2) @ v)
    denominator = q @ k.sum(axis=-2)[..., None]
    expected = numerator / denominator @ W["W_o"] + W["W_o_bias"]
    np.testing.assert_allclose(LINEAR.formula(case, Observation())["output"], expected)


def test_cosines_do_not_depend_on_lengths():
    q, k, v = RNG.normal(size=(3, 5, 7, 4))
    settings = {"lengths": oracles.unit_length, "divisor": lambda q, k, v: 1.0}
    attend = partial(oracles.scaled_dot_product_attention, **settings, normalise=lambda scores: scores)
    np.testing.assert_allclose(attend(3 * q, k / 2, v)[0], attend(q, k, v)[0])
    assert np.all(attend(0 * q, k, v)[0] == 0)


def test_constraint_acts_on_singular_values_alone():
    w, beta = RNG.normal(size=(4, 6)), 0.05
    s = np.linalg.svd(w, compute_uv=False)
    after = np.linalg.svd(orthonormal.step(w, orthonormal.cube(w), beta), compute_uv=False)
    np.testing.assert_allclose(np.sort(after), np.sort((1 + beta) * s - beta * s**3))


def test_self_attention_with_standard_scores_is_that_of_keras():
    x = tf.constant(RNG.normal(size=(2, 5, 6)), tf.float32)
    ours, keras = (
        SelfAttention(3, 4, catalogue.DotProductAttention("standard")),
        layers.MultiHeadAttention(3, 4),
    )
    ours(x), keras(x, x)
    for mine, theirs in zip(ours.weights, keras.weights, strict=True):
        values = tf.random.normal(theirs.shape, seed=1)
        mine.assign(tf.reshape(values, mine.shape))
        theirs.assign(values)
    np.testing.assert_allclose(ours(x), keras(x, x), atol=1e-5)


def test_memory_grows_with_the_square_for_pairs_and_linearly_without():
    contenders = {
        "standard": SelfAttention(2, 4, catalogue.DotProductAttention("standard")),
        "cosine": catalogue.CosineAttention(2, 4),
        "linear": catalogue.LinearAttention(2, 4),
    }
    memory = measure_memory(contenders, LENGTHS, width=8)
    exponents = {name: fit_exponent(LENGTHS, of_this) for name, of_this in memory.items()}
    assert exponents["standard"] == pytest.approx(2, abs=0.1)
    assert exponents["cosine"] == pytest.approx(2, abs=0.1)
    assert exponents["linear"] == pytest.approx(1, abs=0.05)
    assert measure_memory(contenders, LENGTHS, width=8)["linear"].tolist() == memory["linear"].tolist()


def test_arrays_made_sees_what_is_alive_at_the_same_time():
    x = tf.zeros((1, 10, 10))  # 400 bytes each

    def one_after_the_other(x):
        x = x + 1.0
        x = x + 1.0
        return x + 1.0

    def all_at_once(x):
        parts = [x + 1.0, x + 2.0, x + 3.0]
        return parts[0]

    few, many = arrays_made(one_after_the_other, x), arrays_made(all_at_once, x)
    assert few.peak_bytes < many.peak_bytes
    assert 2 * 400 <= few.peak_bytes < 3 * 400 <= many.peak_bytes < 4 * 400
    assert many.largest == (1, 10, 10)


def test_arrays_made_looks_into_compiled_functions_and_puts_everything_back():
    x = tf.zeros((1, 6, 2))

    @tf.function
    def pairs(x):
        return tf.reduce_sum(tf.matmul(x, x, transpose_b=True), axis=-1)

    assert arrays_made(pairs, x).largest == (1, 6, 6)
    assert not tf.config.functions_run_eagerly()
    with pytest.raises(ZeroDivisionError):
        arrays_made(lambda x: 1 / 0, x)
    assert not tf.config.functions_run_eagerly()


def test_fit_exponent_takes_the_last_points():
    N = np.array([10.0, 20, 40, 80, 160])
    assert fit_exponent(N, 3 * N**2) == pytest.approx(2)
    assert fit_exponent(N, np.where(N < 40, 5.0, N)) == pytest.approx(1)


def test_measure_times_returns_a_median_for_each_layer_and_length():
    seconds = measure_times({"double": lambda x: 2 * x}, (4, 8), width=3, repetitions=2)
    assert seconds["double"].shape == (2,) and np.all(seconds["double"] >= 0)

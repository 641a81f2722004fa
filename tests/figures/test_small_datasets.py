"""The figures of the lab on small data sets, and the numbers behind them."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from matplotlib.text import Text

from tests.figures.test_figures import IMAGE, RNG, contrast
from utilities.figures import small_datasets as plots
from utilities.models.locality import (
    attention_distances,
    self_attention_weights_of,
    temperatures_of,
    uniform_attention_distance,
)
from utilities.training.schedules import LearningRateLog

NAMES = ("plain", "shifted patches", "locality attention", "both")
DISTANCES = {name: RNG.uniform(5, 15, (3, 4)) for name in NAMES}
FIGURES = {
    "shifts": lambda: plots.plot_shifted_patches(IMAGE, 4, (1, 0)),
    "grey shifts": lambda: plots.plot_shifted_patches(IMAGE[..., :1], 2, (5, 3)),
    "fields": lambda: plots.plot_token_fields({"plain": np.eye(8), "shifted": np.ones((8, 8))}, 4),
    "learning rate": lambda: plots.plot_learning_rate(np.arange(90) / 90, np.arange(90) / 90, 30),
    "temperatures": lambda: plots.plot_temperatures({"both": RNG.uniform(6, 9, (3, 1))}, 8.0),
    "temperatures of heads": lambda: plots.plot_temperatures(
        {"one": RNG.uniform(6, 9, (3, 4)), "both": RNG.uniform(6, 9, (3, 1))}, 8.0
    ),
    "distances": lambda: plots.plot_attention_distances(DISTANCES, DISTANCES, 16.9),
}


@functools.cache
def drawn(name):
    return FIGURES[name]()


@pytest.mark.parametrize("name", FIGURES)
def test_text_is_legible_and_nothing_is_cut_off(name):
    fig = drawn(name)
    texts = [text for text in fig.findobj(Text) if text.get_text().strip()]
    assert min(text.get_size() for text in texts) >= 7
    for text in texts:
        assert contrast(text.get_color(), "white") >= 4.5, text
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height


@pytest.mark.parametrize("name", FIGURES)
def test_alternative_text_is_short_and_from_the_data(name):
    assert 10 < len(drawn(name).alt) < 450


def test_alternative_texts_say_what_is_shown():
    assert "row 2, column 1" in drawn("shifts").alt and "8 × 8 pixels" in drawn("shifts").alt
    assert "plain: 8 pixels. shifted: 64 pixels." in drawn("fields").alt
    assert "They agree" in drawn("learning rate").alt
    apart = plots.plot_learning_rate([0.0, 1.0, 0.5], [1.0, 1.0, 1.0], 2)
    assert "They do not agree" in apart.alt


def test_copies_are_moved_by_half_a_patch_inside_their_frame():
    axes = drawn("shifts").axes  # patches of 4: moved by 2
    corners = [(one.images[0].get_extent()[3], one.images[0].get_extent()[0]) for one in axes]
    moves = [(0, 0), (-2, -2), (-2, 2), (2, -2), (2, 2)]  # down, right
    assert corners == 2 * [(down - 0.5, right - 0.5) for down, right in moves]
    for one in axes[:5]:
        assert (one.get_xlim(), one.get_ylim()) == ((-0.5, 7.5), (11.5, -0.5))
    for one in axes[5:]:
        assert (one.get_xlim(), one.get_ylim()) == ((-0.5, 3.5), (7.5, 3.5))  # row 1, column 0


WRONG = {
    "expected a divisor": lambda: plots.plot_shifted_patches(IMAGE, 5, (0, 0)),
    "expected a row below 3 and a column below 2": lambda: plots.plot_shifted_patches(IMAGE, 4, (3, 0)),
    "fields is empty": lambda: plots.plot_token_fields({}, 4),
    r"expected that of stated, \(2,\)": lambda: plots.plot_learning_rate([1, 2], [1, 2, 3], 1),
    "temperatures is empty": lambda: plots.plot_temperatures({}, 1.0),
    r"expected \(L, 1\) or \(L, h\)": lambda: plots.plot_temperatures({"a": [1, 2]}, 1.0),
    "expected the same models": lambda: plots.plot_attention_distances({}, DISTANCES, 1.0),
    r"\(…, 9, 9\)": lambda: attention_distances(np.ones((1, 1, 1, 4, 4)), 3, 2),
    "no MultiHeadAttention layer": lambda: self_attention_weights_of(attention_model([]), np.ones(1)),
    "no MultiHeadAttentionLSA layer": lambda: temperatures_of(attention_model([KerasAttention])),
}


@pytest.mark.parametrize("message", WRONG)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=message):
        WRONG[message]()


KerasAttention = tf_keras.layers.MultiHeadAttention


class MultiHeadAttentionLSA(KerasAttention):
    """A stand-in with a temperature for each head, as large as there are heads."""

    def build(self, input_shape):
        self.tau = self.add_weight("tau", (self._num_heads,), initializer="ones")
        super().build(input_shape)


def attention_model(attentions):
    x = inputs = tf_keras.Input((9, 6))
    for attention in attentions:
        x = attention(2, 3)(x, x)
    return tf_keras.Model(inputs, tf_keras.layers.Dense(1)(x))


def test_even_attention_has_the_mean_distance_of_all_pairs():
    even = np.full((2, 5, 3, 9, 9), 1 / 9)
    distances = attention_distances(even, grid=3, patch_size=4)
    assert distances.shape == (2, 3)
    np.testing.assert_allclose(distances, uniform_attention_distance(3, 4))
    pairs = [np.hypot(i // 3 - j // 3, i % 3 - j % 3) for i in range(9) for j in range(9)]
    assert uniform_attention_distance(3, 4) == pytest.approx(4 * np.mean(pairs))


def test_attention_to_oneself_is_0_and_to_the_neighbour_one_patch_away():
    itself, neighbour = np.eye(4), np.eye(4)[[1, 0, 3, 2]]  # on a grid of 2 × 2
    weights = np.stack([itself, neighbour])[np.newaxis, np.newaxis]  # (1, 1, 2, 4, 4)
    np.testing.assert_allclose(attention_distances(weights, 2, 6), [[0.0, 6.0]])


@pytest.mark.parametrize("kinds", [[KerasAttention], [KerasAttention, MultiHeadAttentionLSA]])
def test_attention_weights_are_those_of_every_block_on_its_own_input(kinds):
    model, x = attention_model(kinds), tf.random.normal((5, 9, 6))
    weights = self_attention_weights_of(model, x)
    assert weights.shape == (len(kinds), 5, 2, 9, 9)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    for layer, seen in zip((la for la in model.layers if type(la) in kinds), weights, strict=True):
        x, expected = layer(x, x, return_attention_scores=True)
        np.testing.assert_allclose(seen, expected, rtol=1e-4, atol=1e-6)


def test_temperatures_are_found_block_by_block():
    model = attention_model([MultiHeadAttentionLSA, MultiHeadAttentionLSA])
    model.layers[2].tau.assign([2.0, 3.0])
    np.testing.assert_array_equal(temperatures_of(model), [[1.0, 1.0], [2.0, 3.0]])


def test_the_log_writes_down_the_rate_that_each_step_used():
    schedule = tf_keras.optimizers.schedules.PiecewiseConstantDecay([0, 1, 2], [1.0, 0.5, 0.25, 0.125])
    model, log = tf_keras.Sequential([tf_keras.layers.Dense(1)]), LearningRateLog()
    model.compile(tf_keras.optimizers.SGD(schedule), "mse")
    model.fit(np.ones((4, 2)), np.ones(4), batch_size=1, callbacks=[log], verbose=0)
    assert log.rates == [1.0, 0.5, 0.25, 0.125]

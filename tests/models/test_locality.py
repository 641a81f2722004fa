"""How far a Vision Transformer looks: distances, weights of every block, temperatures."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from utilities import (
    attention_distances,
    self_attention_weights_of,
    temperatures_of,
    uniform_attention_distance,
)

KerasAttention = tf_keras.layers.MultiHeadAttention


class MultiHeadAttentionLSA(KerasAttention):
    """A layer with a temperature for each head, as large as there are heads."""

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


WRONG = {
    r"\(…, 9, 9\)": lambda: attention_distances(np.ones((1, 1, 1, 4, 4)), 3, 2),
    "no MultiHeadAttention layer": lambda: self_attention_weights_of(attention_model([]), np.ones(1)),
    "no MultiHeadAttentionLSA layer": lambda: temperatures_of(attention_model([KerasAttention])),
}


@pytest.mark.parametrize("message", WRONG)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=message):
        WRONG[message]()

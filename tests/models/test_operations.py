"""Counting multiply-adds, and how heads start."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers

from bench.solution import reference
from utilities import SMALL_VIT, build_small_cnn, glorot_per_head, vit_arguments
from utilities.models.operations import multiply_adds

IMAGE = np.zeros((1, 32, 32, 3), np.float32)


def test_dense_layers_and_convolutions_count_entries_times_terms():
    images = layers.Input((32, 32, 3))
    flat = layers.Flatten()(layers.Conv2D(5, 3)(images))  # (B, 30·30·5)
    model = tf_keras.Model(images, layers.Dense(7)(flat))
    assert multiply_adds(model, IMAGE) == 30 * 30 * 5 * 27 + 30 * 30 * 5 * 7


def test_attention_counts_as_the_formula_of_question_3():
    n, d, h = 6, 4, 3
    tokens = layers.Input((n, d))
    attended = reference()["MultiHeadAttention"](h, d)(tokens, tokens, tokens)
    counted = multiply_adds(tf_keras.Model(tokens, attended), np.zeros((1, n, d), np.float32))
    assert counted == 4 * h * n * d**2 + 2 * h * n**2 * d


def test_the_wide_cnn_takes_as_many_multiply_adds_as_the_small_vit():
    vit = multiply_adds(reference()["create_vit_classifier"](**vit_arguments(SMALL_VIT)), IMAGE)
    wide = build_small_cnn((32, 32, 3), 10, filters=88)
    assert multiply_adds(wide, IMAGE) == pytest.approx(vit, rel=0.01)
    assert wide.count_params() == 601_930  # question 11


@pytest.mark.parametrize("heads", [1, 4, 12])
def test_scores_of_untrained_heads_have_variance_one(heads):
    tf_keras.utils.set_random_seed(0)
    W_q, W_k = (glorot_per_head((heads, 64, 64)) for _ in range(2))
    x = tf.random.normal((500, 64))
    q, k = (tf.einsum("nd,hdp->hnp", x, W) for W in (W_q, W_k))
    scores = tf.matmul(q, k, transpose_b=True) / 8.0  # (h, n, n)
    assert np.std(scores) == pytest.approx(1, abs=0.1)
    assert not np.allclose(W_q, W_k) and not np.allclose(W_q[0], W_q[-1]) or heads == 1

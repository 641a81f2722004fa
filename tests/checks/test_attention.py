"""The attention oracles against Keras, and multi-head attention judged apart from attention."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import utilities
from tests.checks.catalogue import attention
from utilities.checks.core import oracles

HEADS = utilities.test_multi_head_attention
BROKEN = [
    attention.attention_stub,
    attention.no_scaling,
    attention.softmax_over_queries,
    attention.weights_first,
    attention.mask_inverted,
    attention.in_numpy,
]


@pytest.mark.parametrize("index", range(len(HEADS.cases(5, thorough=True))))
def test_oracle_equals_keras_layer(index):
    case = HEADS.cases(5, thorough=True)[index]
    h, p = case["num_heads"], case["proj_dim"]
    layer = tf_keras.layers.MultiHeadAttention(h, p, use_bias=False, output_shape=p)
    q, k, v = (tf.constant(case[name]) for name in "qkv")
    call = {"attention_mask": case["mask"], "return_attention_scores": True}
    layer(q, v, k, **call)
    projections = (np.moveaxis(case[name], 0, 1) for name in ("W_q", "W_k", "W_v"))  # (d, h, p)
    layer.set_weights([*projections, case["W_o"].reshape(h, p, p)])
    expected, expected_weights = layer(q, v, k, **call)
    arrays = (case[name] for name in ("q", "k", "v", "W_q", "W_k", "W_v", "W_o", "mask"))
    output, weights = oracles.multi_head_attention(*arrays)
    np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_allclose(weights, expected_weights, atol=1e-6)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_heads_earn_their_points_with_broken_attention(broken, monkeypatch):
    monkeypatch.setattr(attention, "scaled_dot_product_attention", broken)
    report = HEADS.report(attention.WithEinsum)
    assert report.passed, str(report)
    assert "Fix your scaled_dot_product_attention first" in report.notes[0]
    assert attention.scaled_dot_product_attention is broken


def test_broken_heads_are_not_excused_by_broken_attention(monkeypatch):
    monkeypatch.setattr(attention, "scaled_dot_product_attention", attention.no_scaling)
    report = HEADS.report(attention.MergedBeforeTransposing)
    assert "heads merged before transposing back" in report.mistakes


def test_observing_twice_gives_the_same():
    """Nothing of an observation depends on how the layer's weights were initialised."""
    cases = HEADS.cases(3)
    first, second = (HEADS.observe(attention.WithEinsum, cases) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.values.keys() == other.values.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one.values)

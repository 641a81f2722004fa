"""The layers that the extension labs are given: what they compute, and how they start."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.course import SOLUTIONS, read, run_exercises
from utilities import ConvolutionalStem, PatchProjection, PatchTokens, SequencePooling
from utilities.checks.core.oracles import patches, unit_length

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def variants():
    cells = read(next(path for path in SOLUTIONS if path.stem == "attention_variants"))
    names = run_exercises(cells)
    sources = {cell.id: cell.source for cell in cells.cells}
    exec(sources["variants"].split("\npublished = ")[0], names)
    return names


def test_patches_are_projected_by_one_matrix():
    images = RNG.normal(size=(2, 6, 9, 3)).astype("float32")
    layer = PatchProjection(3, 5)
    kernel = layer(images) is not None and layer.projection.kernel
    np.testing.assert_allclose(layer(images), patches(images, 3) @ kernel.numpy(), atol=1e-5)
    tokens = PatchTokens(3, 5)
    expected = tokens(images) - tokens.positions(tf.range(6))
    np.testing.assert_allclose(expected, patches(images, 3) @ tokens.projection.kernel, atol=1e-5)


def test_normalised_patches_do_not_know_the_contrast():
    images = RNG.normal(size=(1, 4, 4, 3)).astype("float32")
    layer = PatchProjection(2, 5, normalise=True)
    np.testing.assert_allclose(layer(images), layer(10 * images + 3), atol=1e-3)


@pytest.mark.parametrize("patch_size, convolutions", [(4, 2), (6, 2), (8, 3)])
def test_a_stem_makes_as_many_tokens_as_there_are_patches(patch_size, convolutions):
    images = RNG.normal(size=(2, 2 * patch_size, 3 * patch_size, 3)).astype("float32")
    stem = ConvolutionalStem(patch_size, 16)
    assert stem(images).shape == (2, 6, 16) == PatchProjection(patch_size, 16)(images).shape
    kernels = [w.shape for w in stem.trainable_weights if "kernel" in w.name]
    widths = [3, *(16 // 2**i for i in reversed(range(convolutions)))]
    expected = [(3, 3, *pair) for pair in zip(widths, widths[1:], strict=False)]
    assert kernels == [*expected, (1, 1, 16, 16)]


def test_a_token_of_the_stem_sees_beyond_its_patch_and_not_the_whole_image():
    images = tf.zeros((1, 32, 32, 3))
    with tf.GradientTape() as tape:
        tape.watch(images)
        one_number = tf.reduce_sum(ConvolutionalStem(4, 16)(images + 1.0)[0, 8 * 4 + 4])
    seen = np.abs(tape.gradient(one_number, images)[0]).sum(axis=-1) > 0  # (H, W)
    rows = np.flatnonzero(seen.any(axis=1))
    assert (rows.min(), rows.max()) == (16, 22)  # 7 pixels: 3 + 2 · 2


def test_normalisation_of_the_stem_learns_in_training_alone():
    stem = ConvolutionalStem(4, 8)
    images = RNG.normal(size=(4, 8, 8, 3)).astype("float32")
    before = stem(images, training=False).numpy()
    stem(images, training=True)
    assert np.abs(stem(images, training=False) - before).max() > 0


def test_sequence_pooling_is_the_weighted_mean_of_the_tokens():
    tokens, layer = RNG.normal(size=(2, 5, 4)).astype("float32"), SequencePooling()
    pooled = layer(tokens)
    weights = np.exp(tokens @ layer.score.kernel + layer.score.bias)  # (B, N, 1)
    expected = (weights * tokens).sum(axis=1) / weights.sum(axis=1)
    np.testing.assert_allclose(pooled, expected, atol=1e-5)
    layer.score.kernel.assign(tf.zeros((4, 1)))
    np.testing.assert_allclose(layer(tokens), tokens.mean(axis=1), atol=1e-6)


def test_the_reports_layer_is_what_its_report_says(variants):
    """Queries from the tokens of length 1, keys those tokens themselves, neither softmax nor scale."""
    layer, x = variants["ReportAttention"](2), RNG.normal(size=(1, 5, 6)).astype("float32")
    output = layer(x)[0].numpy()  # (N, d)
    unit = unit_length(x[0].astype(float))
    q, v = (np.asarray(W(t)) for W, t in ((layer.W_q, unit.astype("float32")), (layer.W_v, x[0])))
    heads = [slice(0, 3), slice(3, 6)]
    summed = np.concatenate([(q[:, h] @ unit[:, h].T) @ v[:, h] for h in heads], axis=-1)
    kernel, bias = (weight.numpy() for weight in layer.W_o.weights)
    np.testing.assert_allclose(output, summed @ kernel + bias, atol=1e-5)
    assert isinstance(layer.W_q.kernel_constraint, variants["Orthonormal"])
    assert layer.W_v.kernel_constraint is None and layer.W_o.kernel_constraint is None


def test_one_initialiser_starts_a_layer_as_keras_starts_its_own(variants):
    """Four heads of 16: the variance is 2/1280 where a matrix of 64 to 64 gets 2/128."""
    x = tf.zeros((1, 3, 64))

    def variances(name):
        layer = variants["variants_of"](4, 16, 64)[name]()
        layer(x)
        kernels = [w for w in layer.trainable_weights if "kernel" in w.name]
        assert np.abs(np.ravel(kernels[0]) - np.ravel(kernels[1])).max() > 0  # not the same numbers
        return [float(np.var(kernel)) for kernel in kernels]

    assert variances("Keras' layer") == pytest.approx([2 / 1280] * 3 + [2 / 320], rel=0.1)
    assert variances("standard, Keras' start") == pytest.approx([2 / 1280] * 3 + [2 / 320], rel=0.1)
    assert variances("standard") == pytest.approx([2 / 128] * 4, rel=0.1)


def test_a_learned_temperature_starts_at_a_tenth(variants):
    q, k, v = (tf.constant(RNG.normal(size=(1, 2, 150, 8)), tf.float32) for _ in range(3))
    cosines = unit_length(q.numpy()) @ np.swapaxes(unit_length(k.numpy()), -1, -2)
    expected = tf_keras.activations.softmax(tf.constant(10 * cosines))
    np.testing.assert_allclose(variants["LearnedTemperature"]()(q, k, v)[1], expected, atol=1e-5)

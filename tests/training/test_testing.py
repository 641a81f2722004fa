"""What is counted as right, and the error of a difference on the same images."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from utilities import differences_from, format_difference, hits_of, paired_difference
from utilities.training.runs import Run, pack_hits

RNG = np.random.default_rng(5)


def test_hits_are_those_of_keras_metrics():
    images = RNG.normal(size=(300, 12)).astype(np.float32)
    labels = RNG.integers(0, 10, size=(300, 1))
    model = tf_keras.Sequential([tf_keras.layers.Dense(10)])
    hits, logits = hits_of(model, (images, labels)), model(images)
    for name, k in (("top-1", 1), ("top-5", 5)):
        right = tf_keras.metrics.sparse_top_k_categorical_accuracy(labels, logits, k=k)
        np.testing.assert_array_equal(hits[name], tf.reshape(right, [-1]).numpy() == 1)


def drawn(shared, num_seeds, num_images=2000, between_seeds=0.0):
    """Draw what two equally good models get right, which agree on a share of the images."""
    both = RNG.random((num_seeds, num_images)) < 0.4
    other = np.where(RNG.random(both.shape) < shared, both, RNG.random(both.shape) < 0.4)
    easier = RNG.normal(0, between_seeds, size=(num_seeds, 1))
    return both | (RNG.random(both.shape) < easier), other


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_the_error_is_what_the_difference_spreads_by(shared):
    found = [paired_difference(*drawn(shared, 1)) for _ in range(400)]
    differences, errors = np.array(found).T
    assert differences.std() == pytest.approx(errors.mean(), rel=0.15)


def test_models_that_err_on_the_same_images_are_told_apart_more_easily():
    apart, together = (paired_difference(*drawn(shared, 1))[1] for shared in (0.0, 0.9))
    assert together < apart / 2


def test_seeds_that_differ_add_to_the_error():
    alike, unlike = (paired_difference(*drawn(0.9, 8, between_seeds=s))[1] for s in (0.0, 0.2))
    assert unlike > 2 * alike


def test_a_difference_is_written_in_points():
    assert format_difference(-0.0123, 0.0049) == "-1.2 ± 0.5 points"


def kept(name, seed, hits):
    settings = {"test_samples": 8}
    packed = None if hits is None else pack_hits(np.array(hits, bool))
    return Run(
        "a lab", name, seed, "standard", settings, 1, 1, {}, 0.5, 1.0, "", "", "", 0.5, packed
    )  # fmt: skip


def test_kept_runs_are_compared_seed_by_seed_with_the_reference():
    ones, half = [1] * 8, [1, 0] * 4
    runs = {
        "plain": [kept("plain", 42, half), kept("plain", 43, ones)],
        "both seeds": [kept("both seeds", 42, ones), kept("both seeds", 43, ones)],
        "another seed besides": [kept("another seed besides", 43, half), kept("", 44, ones)],
        "no seed in common": [kept("no seed in common", 44, ones)],
        "old": [kept("old", 42, None)],
    }
    assert differences_from("plain", runs) == {
        "both seeds": paired_difference([ones, ones], [half, ones]),
        "another seed besides": paired_difference([half], [ones]),
    }
    assert differences_from("plain", {}) == differences_from("nothing", runs) == {}

"""Smaller training sets: the same share of every class, images and labels together."""

import numpy as np
import pytest

from utilities import stratified_subset


def test_a_stratified_subset_keeps_the_shares_and_the_pairs():
    labels = np.repeat([0, 1, 2], [40, 20, 5])[:, None]
    images = np.arange(65)
    part, of_part = stratified_subset(images, labels, 0.2, np.random.default_rng(0))
    assert np.bincount(np.ravel(of_part)).tolist() == [8, 4, 1]
    assert len(set(part)) == 13 and np.array_equal(labels[part], of_part)
    again, _ = stratified_subset(images, labels, 0.2, np.random.default_rng(0))
    other, _ = stratified_subset(images, labels, 0.2, np.random.default_rng(1))
    assert np.array_equal(part, again) and not np.array_equal(part, other)


def test_a_stratified_subset_leaves_no_class_out_and_can_be_everything():
    labels = np.repeat([0, 7], [90, 10])
    _, of_part = stratified_subset(labels, labels, 0.01, np.random.default_rng(0))
    assert sorted(of_part) == [0, 7]
    everything, _ = stratified_subset(np.arange(100), labels, 1.0, np.random.default_rng(0))
    assert np.array_equal(everything, np.arange(100))


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.5])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match="fraction"):
        stratified_subset(np.arange(4), np.arange(4), fraction, np.random.default_rng(0))


def test_images_without_labels_are_refused():
    with pytest.raises(ValueError, match="4 images and 3 labels"):
        stratified_subset(np.arange(4), np.arange(3), 0.5, np.random.default_rng(0))

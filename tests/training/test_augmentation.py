"""Two images of a batch mixed: labels in the shares of the pixels, and anew in each epoch."""

import numpy as np
import pytest
import tensorflow as tf

from utilities import cutmix, make_dataset, mixup
from utilities.training.augmentation import mixed, one_hot

B, H, W = 3, 8, 12
IMAGES = np.ones((B, H, W, 2), np.uint8) * np.array([10, 20, 40], np.uint8)[:, None, None, None]
LABELS = np.eye(B, dtype=np.float32)
NEIGHBOUR = [2, 0, 1]  # whose pixels come in


def share_of_own(images):
    """Return the mean share (B,) of an image's own, evenly coloured pixels, read off the mixture."""
    own, other = IMAGES[:, 0, 0, 0], IMAGES[NEIGHBOUR, 0, 0, 0]
    mean = images.numpy().mean(axis=(1, 2, 3))
    return (mean - other) / (own.astype(float) - other)


@pytest.mark.parametrize("mix", [mixup, cutmix])
@pytest.mark.parametrize(
    "draws", [(0.3, 0.5, 0.5), (0.75, 0.0, 0.9), (0.0, 0.5, 0.5), (0.999, 0.2, 0.2)]
)
def test_labels_have_the_shares_of_the_pixels(mix, draws):
    images, labels = mix(IMAGES, LABELS, tf.constant(draws))
    share = share_of_own(images)
    np.testing.assert_allclose(np.diag(labels), share, atol=1e-6)
    np.testing.assert_allclose(labels.numpy()[range(B), NEIGHBOUR], 1 - share, atol=1e-6)
    np.testing.assert_allclose(np.sum(labels, axis=-1), 1, atol=1e-6)


def test_mixup_blends_every_pixel_alike():
    images, labels = mixup(IMAGES, LABELS, tf.constant([0.25, 0.0, 0.0]))
    np.testing.assert_allclose(images[1], np.full((H, W, 2), 0.25 * 20 + 0.75 * 10))
    np.testing.assert_allclose(labels[1], [0.75, 0.25, 0])


def test_cutmix_pastes_one_box_and_cuts_off_what_lies_outside():
    """Half as high and wide as the image; in the corner a quarter of the box is left."""
    for draws, rows, columns in (
        ((0.75, 0.5, 0.5), slice(2, 6), slice(3, 9)),
        ((0.75, 0.0, 0.0), slice(0, 2), slice(0, 3)),
    ):
        images = cutmix(IMAGES, LABELS, tf.constant(draws))[0].numpy()
        expected = IMAGES.astype(float)
        expected[:, rows, columns] = IMAGES[NEIGHBOUR, rows, columns]
        np.testing.assert_array_equal(images, expected)


def test_each_batch_and_each_epoch_is_mixed_by_other_numbers_and_a_seed_repeats_them():
    def draws_of_two_epochs():
        tf.random.set_seed(1)
        batches = make_dataset((np.zeros((4, 2, 2, 1)), np.arange(4)), 2)
        taken = mixed(one_hot(batches, 4), lambda images, labels, draws: (draws, labels))
        assert not taken.options().autotune.enabled
        return [draws.numpy().tolist() for _ in range(2) for draws, _ in taken]

    first = draws_of_two_epochs()
    assert len(np.unique(first)) == 4 * 3
    assert draws_of_two_epochs() == first


@pytest.mark.parametrize("labels", [np.array([2, 0]), np.array([[2], [0]])])
def test_labels_become_rows_of_one_and_zeros(labels):
    ((_, rows),) = one_hot(make_dataset((np.zeros((2, 1)), labels), 2), 3)
    np.testing.assert_array_equal(rows, [[0, 0, 1], [1, 0, 0]])

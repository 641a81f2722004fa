"""What is taken away from an image to see whether a model needs it."""

import numpy as np

from utilities import without_patches


def test_the_first_patches_of_each_images_order_are_grey_and_no_others():
    pixels = np.random.default_rng(3).normal(size=(2, 3, 6, 6)).astype(np.float32) + 9
    order = np.array([[3, 0, 1, 2, *range(4, 9)], [8, 7, *range(7)]])  # of 3 × 3 patches
    left = without_patches(pixels, order, 2)
    assert left.dtype == np.float32
    for image, gone in enumerate(({0, 3}, {7, 8})):
        for patch in range(9):
            row, column = divmod(patch, 3)
            here = np.s_[image, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            np.testing.assert_array_equal(left[here], 0 if patch in gone else pixels[here])


def test_without_any_patch_gone_the_image_is_whole():
    pixels = np.random.default_rng(3).normal(size=(1, 3, 4, 4))
    np.testing.assert_array_equal(without_patches(pixels, np.arange(4)[None], 0), pixels)

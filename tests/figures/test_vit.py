"""Patches, and where the class token looks."""

import numpy as np
import pytest

from tests.figures.examples import IMAGE, softmax, to_patches
from utilities import (
    plot_class_token_attention,
    plot_deletion,
    plot_patches,
    plot_rollout,
)


def test_patches_stand_where_they_come_from():
    fig = plot_patches(IMAGE, to_patches(IMAGE, 4), 4)
    tiles = [image.get_array() for image in fig.axes[1].images]
    np.testing.assert_array_equal(np.vstack([np.hstack(tiles[i : i + 2]) for i in (0, 2, 4)]), IMAGE)
    assert [text.get_text() for text in fig.axes[1].texts] == list("123456")
    lefts = [image.get_extent()[0] for image in fig.axes[1].images]
    assert lefts[0] == lefts[2] < lefts[1] == lefts[3]


def test_class_token_attention_leaves_the_token_itself_out():
    weights = softmax(2, 7, 7)
    fig = plot_class_token_attention(IMAGE, weights, 4)
    _, mean, first, second = (axes for axes in fig.axes if axes.images)
    maps = weights[:, 0, 1:].reshape(2, 3, 2)
    np.testing.assert_allclose(mean.images[1].get_array(), maps.mean(axis=0))
    np.testing.assert_array_equal([a.images[1].get_array() for a in (first, second)], maps)
    assert first.images[1].get_extent() == [-0.5, 7.5, 11.5, -0.5]


def test_rollout_shows_the_row_of_the_class_token():
    rollout = np.full((5, 5), 0.2)
    rollout[0] = [0.1, 0.1, 0.1, 0.6, 0.1]  # the patch in row 2, column 1
    fig = plot_rollout(IMAGE, rollout)
    assert "row 2, column 1" in fig.alt
    tinted = fig.axes[1].images[0].get_array()
    light = tinted @ np.array([0.299, 0.587, 0.114]) - 0.4 * (IMAGE @ (0.299, 0.587, 0.114) / 255)
    assert light[-1, 0] > light[0, 0] + 0.3  # viridis is brightest at the largest value


@pytest.mark.parametrize("shape", [(5,), (4, 4), (5, 6), (2, 5, 5), (1, 1)])
def test_rollout_of_no_square_grid_is_told(shape):
    with pytest.raises(ValueError, match="expected \\(N\\+1, N\\+1\\), N being a square number"):
        plot_rollout(IMAGE, np.ones(shape))


def test_deletion_shows_each_order_and_says_the_middle():
    fig = plot_deletion([0, 0.4, 0.8], {"largest first": [1, 0.3, 0.1], "at random": [1, 0.6, 0.2]})
    lines = {line.get_label(): line.get_ydata().tolist() for line in fig.axes[0].lines}
    assert lines == {"largest first": [1, 0.3, 0.1], "at random": [1, 0.6, 0.2]}
    assert "With 40% of them gone: largest first 30%, at random 60%" in fig.alt


def test_an_order_with_too_few_values_is_told():
    with pytest.raises(ValueError, match="'at random' has 2 values; there are 3 shares"):
        plot_deletion([0, 0.4, 0.8], {"at random": [1, 0.6]})

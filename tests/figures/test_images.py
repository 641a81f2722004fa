"""Images of any range, predictions of either form, and the confusion matrix."""

import numpy as np
import pytest

from tests.figures.examples import CLASSES, IMAGE, RNG
from utilities import (
    plot_confusion,
    plot_images,
    plot_top_classes,
)


@pytest.mark.parametrize("scale", [1, 255])
def test_float_images_are_drawn_like_bytes(scale):
    fig = plot_images(IMAGE[None] / 255 * scale, [[1]], CLASSES)
    np.testing.assert_allclose(fig.axes[0].images[0].get_array(), IMAGE / 255, atol=1e-6)


def test_standardised_and_grey_images_are_drawn():
    fig = plot_images(RNG.standard_normal((2, 4, 5, 1)), [0, 1], CLASSES)
    drawn = fig.axes[0].images[0].get_array()
    assert drawn.shape == (4, 5)
    assert drawn.min() >= 0 and drawn.max() <= 1


def test_predictions_may_be_logits():
    logits = np.eye(4)[[1, 1, 2, 3]] * 5
    assert "3 of 4" in plot_images(IMAGE[None].repeat(4, 0), range(4), CLASSES, logits).alt


def test_confusion_counts_true_rows_by_predicted_columns():
    axes = plot_confusion([[0], [0], [3]], [1, 1, 3], CLASSES).axes[0]
    counts = axes.images[0].get_array()
    assert counts[0, 1] == 2 and counts[3, 3] == 1 and counts.sum() == 3


def test_bars_have_the_lengths_of_the_probabilities_and_the_best_on_top():
    fig = plot_top_classes(IMAGE, ["tabby, tabby cat", "lynx"], [[0.75], [0.125]])
    _, bars = fig.axes
    assert [bar.get_width() for bar in bars.patches] == [0.75, 0.125]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["tabby", "lynx"]
    assert bars.yaxis_inverted()
    assert "tabby 75.0%, lynx 12.5%" in fig.alt

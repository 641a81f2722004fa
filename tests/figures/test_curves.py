"""Learning curves."""

import numpy as np

from tests.figures.examples import HISTORY
from utilities import (
    plot_history,
)


def test_history_dashes_training_and_not_validation():
    class History:
        history = HISTORY

    fig = plot_history({"ViT": History(), "CNN": {"loss": np.array([1.0, 0.5])}})
    lines = {line.get_label(): line for line in fig.axes[0].lines}
    assert lines["ViT, training"].get_linestyle() == "--"
    assert lines["ViT, validation"].get_linestyle() == "-"
    np.testing.assert_array_equal(lines["ViT, validation"].get_ydata(), HISTORY["val_loss"])
    assert lines["ViT, training"].get_color() != lines["CNN, training"].get_color()
    assert lines["ViT, training"].get_marker() != lines["CNN, training"].get_marker()
    assert len(fig.axes[1].lines) == 2

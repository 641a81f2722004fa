"""Attention weights and the softmax of growing scores."""

import numpy as np
import pytest

from tests.figures.examples import softmax
from utilities import (
    plot_attention,
    plot_softmax_temperature,
)


def test_attention_has_a_panel_a_head_on_one_scale():
    weights = softmax(5, 6, 7)
    fig = plot_attention(weights)
    images = [axes.images[0] for axes in fig.axes if axes.images]
    np.testing.assert_array_equal([image.get_array() for image in images], weights)
    assert {image.get_clim() for image in images} == {(0.0, weights.max())}


def test_softmax_saturates_only_without_scaling():
    fig = plot_softmax_temperature((2, 512), num_keys=8)
    low, high, low_scaled, high_scaled = (
        float(axes.texts[0].get_text().split(": ")[1]) for axes in fig.axes
    )
    assert high > 0.9 > low
    assert high_scaled == pytest.approx(low_scaled, abs=0.1)

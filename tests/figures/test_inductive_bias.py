"""The figures of the lab on inductive bias: legible, described, and drawn as they should be."""

import functools

import numpy as np
import pytest
from matplotlib.text import Text

from tests.figures.test_figures import contrast
from utilities.figures import inductive_bias as plots

RNG = np.random.default_rng(0)
ATTEMPTS = {
    "healthy": {"losses": [5.0, 4.4], "spread": 0.5, "predicted_classes": 41},
    "dead": {"losses": [12.0, 4.605], "spread": 0.0, "predicted_classes": 1},
}
CURVES = {"ViT": ([200, 1000], [0.05, 0.125]), "ResNet": ([200, 1000], [0.07, 0.25])}


def bias_of(rows, columns, heads=3):
    """A bias that is the offset itself: 10 · rows down + columns to the right, times the head."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    offset = 10 * (row[None] - row[:, None]) + column[None] - column[:, None]
    return offset * np.arange(1, heads + 1)[:, None, None]


FIGURES = {
    "maps": lambda: plots.plot_position_maps(
        {"1-D": RNG.standard_normal((6, 4)), "2-D": RNG.standard_normal((6, 8))}, (2, 3)
    ),
    "bias": lambda: plots.plot_relative_bias(bias_of(2, 3), (2, 3)),
    "attempts": lambda: plots.plot_attempts(ATTEMPTS, 100),
    "samples": lambda: plots.plot_sample_efficiency(CURVES, 0.01),
}


@functools.cache
def drawn(name):
    return FIGURES[name]()


@pytest.mark.parametrize("name", FIGURES)
def test_every_text_is_legible_and_nothing_is_cut_off(name):
    fig = drawn(name)
    texts = [text for text in fig.findobj(Text) if text.get_text().strip()]
    assert all(contrast(text.get_color(), "white") >= 4.5 for text in texts)
    assert min(text.get_size() for text in texts) >= 7
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height


@pytest.mark.parametrize("name", FIGURES)
def test_alt_text_is_short_and_shown_without_pictures(name, capsys):
    fig = FIGURES[name]()
    captured = capsys.readouterr()
    assert 10 < len(fig.alt) < 600
    assert captured.out == fig.alt + "\n" and captured.err == ""


def test_alt_texts_are_made_from_the_data():
    assert "dead 4.61" in drawn("attempts").alt and "4.605" in drawn("attempts").alt
    assert "12.5% from 1,000" in drawn("samples").alt
    assert "from -36 to 36" in drawn("bias").alt


def test_a_bias_is_shown_by_offset_from_query_to_key():
    rows, columns = 3, 4
    maps = plots._by_offset(bias_of(rows, columns).astype(float), rows, columns)
    down, right = np.mgrid[1 - rows : rows, 1 - columns : columns]
    np.testing.assert_allclose(maps[0], 10 * down + right)
    np.testing.assert_allclose(maps[2], 3 * maps[0])


def test_similarities_of_all_models_share_their_colours():
    first, second = drawn("maps").axes[:2]
    assert first.images[0].get_clim() == second.images[0].get_clim()


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda: plots.plot_position_maps({}, (2, 3)), "is empty"),
        (lambda: plots.plot_position_maps({"1-D": np.ones((5, 4))}, (2, 3)), r"\(5, 4\).*2 × 3"),
        (lambda: plots.plot_relative_bias(np.ones((3, 5, 6)), (2, 3)), r"\(3, 5, 6\)"),
        (lambda: plots.plot_attempts({}, 100), "no losses"),
        (lambda: plots.plot_sample_efficiency({}, 0.01), "is empty"),
        (lambda: plots.plot_sample_efficiency({"ViT": ([1, 2], [0.5])}, 0.01), "ViT: 2 numbers"),
    ],
)
def test_bad_input_gets_one_clear_error(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()

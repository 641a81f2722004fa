"""The figures of the lab on attention variants: readable, and with words for what they show."""

import functools

import numpy as np
import pytest
from matplotlib.text import Text

from tests.figures.test_figures import contrast
from utilities.figures import attention_variants as plots

LENGTHS = (128, 256, 512, 1024)
NAMES = [
    "Keras' layer",
    "standard",
    "linear scaling",
    "cosine scaling",
    "cosine, no softmax",
    "linear attention",
    "cosine, brackets moved",
]


def cost():
    N = np.array(LENGTHS, float)
    powers = dict(zip(NAMES, (2, 2, 2, 2, 2, 1, 1), strict=True))
    seconds = {name: 1e-6 * N[: 5 - power] ** power for name, power in powers.items()}
    return plots.plot_cost(LENGTHS, seconds, {name: 4 * N**power for name, power in powers.items()})


FIGURES = {
    "sharpness": lambda: plots.plot_sharpness(
        (4, 8, 16), {"standard": (0.2, 0.2, 0.2), "linear": (0.1, 0.06, 0.03)}, 64
    ),
    "singular values": lambda: plots.plot_singular_values(np.linspace((0.2, 1.8), (1, 1), 20)),
    "cost": cost,
    "accuracies": lambda: plots.plot_accuracies({n: (0.15, 0.4) for n in NAMES}, 5000, 100),
}


@functools.cache
def drawn(name):
    return FIGURES[name]()


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off_and_every_text_can_be_read(name):
    fig = drawn(name)
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height
    texts = [text for text in fig.findobj(Text) if text.get_text().strip()]
    assert min(text.get_size() for text in texts) >= 7
    assert min(contrast(text.get_color(), "white") for text in texts) >= 4.5


@pytest.mark.parametrize("name", FIGURES)
def test_alt_text_is_short_and_is_shown_where_there_are_no_pictures(name, capsys):
    fig = FIGURES[name]()
    captured = capsys.readouterr()
    assert 10 < len(fig.alt) < 450
    assert captured.out == fig.alt + "\n" and captured.err == ""


def test_alt_texts_are_made_from_the_data():
    assert "linear from 0.10 to 0.03" in drawn("sharpness").alt
    assert "between 0.20 and 1.80" in drawn("singular values").alt
    assert "standard 2.0 and 2.0" in drawn("cost").alt
    assert "linear attention 1.0 and 1.0" in drawn("cost").alt
    assert "standard: 15.0 and 40.0 %" in drawn("accuracies").alt


def test_no_two_lines_look_the_same():
    for axes in drawn("cost").axes:
        looks = [(line.get_color(), line.get_marker(), line.get_linestyle()) for line in axes.lines]
        assert len(set(looks)) == len(NAMES)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"standard has shape \(2,\)"):
        plots.plot_sharpness((4, 8, 16), {"standard": (0.2, 0.2)}, 64)
    with pytest.raises(ValueError, match=r"standard has shape \(1,\); expected \(2,\)"):
        plots.plot_cost(LENGTHS, {"standard": [1.0]}, {"standard": [1.0]})
    with pytest.raises(ValueError, match="singular values"):
        plots.plot_singular_values([1.0, 2.0])
    with pytest.raises(ValueError, match="empty"):
        plots.plot_accuracies({}, 5000, 100)

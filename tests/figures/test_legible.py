"""Every figure of the kit: legible to all, and described in words."""

import inspect

import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Text

import utilities
from tests.figures import examples
from tests.figures.examples import FIGURES, drawn, regression
from utilities.figures.style import CYCLE, luminance

ON_CELLS = ("confusion", "offsets")  # figures whose texts stand on coloured cells


def contrast(one, other):
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_wcag():
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("colour", CYCLE)
def test_lines_reach_three_to_one_on_white(colour):
    assert contrast(colour, "white") >= 3


@pytest.mark.parametrize("name", FIGURES)
def test_every_text_reaches_wcag_aa(name):
    fig = drawn(name)
    cells = [text for axes in fig.axes for text in axes.texts if name in ON_CELLS]
    texts = [text for text in fig.findobj(Text) if text.get_text().strip() and text not in cells]
    assert texts
    assert fig.get_facecolor() == (1, 1, 1, 1)
    for text in texts:
        assert contrast(text.get_color(), "white") >= 4.5, text


def test_a_dark_matplotlib_style_changes_nothing():
    plain = drawn("attention, labelled")
    with plt.style.context("dark_background"):
        fig = FIGURES["attention, labelled"]()
    colours = [{text.get_color() for text in f.findobj(Text)} for f in (plain, fig)]
    assert colours[0] == colours[1]
    assert fig.get_facecolor() == plain.get_facecolor() == (1, 1, 1, 1)


@pytest.mark.parametrize("name", ON_CELLS)
def test_numbers_stand_out_from_their_cells(name):
    axes = drawn(name).axes[0]
    image = axes.images[0]
    counts = image.get_array()
    assert len(axes.texts) == counts.size
    for text, count in zip(axes.texts, counts.flat, strict=True):
        assert contrast(text.get_color(), image.cmap(image.norm(count))) >= 4.5


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off_and_fonts_are_readable(name):
    fig = drawn(name)
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert box.x0 >= 0 and box.x1 <= width
    assert box.y0 >= 0 and box.y1 <= height
    assert min(text.get_size() for text in fig.findobj(Text) if text.get_text().strip()) >= 7


@pytest.mark.parametrize("name", FIGURES)
def test_alt_text_is_short_and_is_shown_where_there_are_no_pictures(name, capsys):
    fig = FIGURES[name]()
    if name == "energy":  # drawn, and shown by those who compare
        utilities.show_figure(fig, fig.alt)
    captured = capsys.readouterr()
    assert 10 < len(fig.alt) < 600
    assert captured.out == fig.alt + "\n"
    assert captured.err == ""


IN_WORDS = {
    "images, predicted": ["1 of 4 are predicted correctly"],
    "patches": ["6 patches"],
    "confusion": ["bird taken for automobile (1 time)"],
    "history": ["validation accuracy 0.375"],
    "attention, labelled": ["2 queries × 3 keys"],
    "regression": ["20 noisy observations", "σ = 0.5"],
    "sharpness": ["linear from 0.10 to 0.03"],
    "singular values": ["between 0.20 and 1.80"],
    "cost": ["standard 2.0 and 2.0", "linear attention 1.0 and 1.0"],
    "accuracies": ["standard: 15.0 and 40.0 %"],
    "shifts": ["row 2, column 1", "8 × 8 pixels"],
    "fields": ["plain: 8 pixels. shifted: 64 pixels."],
    "learning rate": ["They agree"],
    "attempts": ["dead 4.61", "4.605"],
    "samples": ["12.5% ± 0.7% from 1,000"],
    "bias": ["from -36 to 36"],
    "energy": ["accuracy 50.0 %"],
}


@pytest.mark.parametrize("name", IN_WORDS)
def test_alt_texts_are_made_from_the_data(name):
    assert [words for words in IN_WORDS[name] if words not in drawn(name).alt] == []


def test_alt_texts_follow_the_data():
    assert "σ = 0.3" in regression(0.3).alt
    assert "They do not agree" in utilities.plot_learning_rate([0.0, 1.0, 0.5], [1.0, 1.0, 1.0], 2).alt


def test_every_figure_of_the_vocabulary_has_an_example():
    source = inspect.getsource(examples)
    drawing = [name for name in utilities.__all__ if name.startswith(("plot_", "compare_energy"))]
    assert len(drawing) > 20 and [name for name in drawing if f"{name}" not in source] == []

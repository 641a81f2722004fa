"""The figures: what they draw, what their alternative text says, and that all can read them."""

import functools
import io
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from utilities import (
    plot_attention,
    plot_class_token_attention,
    plot_confusion,
    plot_history,
    plot_images,
    plot_patches,
    plot_position_similarity,
    plot_regression,
    plot_rollout,
    plot_softmax_temperature,
    plot_top_classes,
    regression_slider,
    show_figure,
    summary_slider,
)
from utilities.figures.showing import LabFigure, png_of
from utilities.figures.style import CYCLE, HEAT, luminance

NAMES = ["airplane", "automobile", "bird", "cat"]
RNG = np.random.default_rng(0)
X_TRAIN = np.sort(RNG.uniform(0, 5, 20))
X_QUERY = np.linspace(0, 5, 30)
IMAGE = RNG.integers(0, 256, (12, 8, 3), dtype=np.uint8)  # height and width differ
HISTORY = {
    "loss": [2.0, 1.5, 1.25],
    "val_loss": [2.1, 1.8, 1.75],
    "accuracy": [0.2, 0.4, 0.5],
    "val_accuracy": [0.1, 0.3, 0.375],
}


def softmax(*shape):
    scores = np.exp(2 * RNG.standard_normal(shape))
    return scores / scores.sum(axis=-1, keepdims=True)


def gaussian(distance, sigma=1.0):
    return np.exp(-(distance**2) / (2 * sigma**2))


def nadaraya_watson(q, k, v, kernel, sigma=1.0):
    similarity = kernel(np.linalg.norm(q[:, None] - k[None], axis=-1), sigma)  # (n_q, n_k)
    weights = similarity / similarity.sum(axis=-1, keepdims=True)
    return weights @ v, weights


def to_patches(image, size):
    height, width = image.shape[:2]
    return np.stack(
        [
            image[top : top + size, left : left + size].reshape(-1)
            for top in range(0, height, size)
            for left in range(0, width, size)
        ]
    )


def regression(sigma=0.5):
    prediction, weights = nadaraya_watson(
        X_QUERY[:, None], X_TRAIN[:, None], np.sin(X_TRAIN)[:, None], gaussian, sigma
    )
    return plot_regression(
        X_TRAIN, np.sin(X_TRAIN), X_QUERY, prediction, np.sin(X_QUERY), weights, sigma
    )


FIGURES = {
    "regression": regression,
    "attention": lambda: plot_attention(softmax(5, 6, 7)),
    "attention, labelled": lambda: plot_attention(softmax(2, 3), "ab", "xyz", title="Words"),
    "softmax": plot_softmax_temperature,
    "images": lambda: plot_images(IMAGE[None], [2], NAMES),
    "images, predicted": lambda: plot_images(IMAGE[None].repeat(4, 0), range(4), NAMES, [0] * 4),
    "patches": lambda: plot_patches(IMAGE, to_patches(IMAGE, 4), 4),
    "history": lambda: plot_history({"ViT": HISTORY, "CNN": HISTORY}),
    "class token": lambda: plot_class_token_attention(IMAGE, softmax(4, 7, 7), 4),
    "positions": lambda: plot_position_similarity(RNG.standard_normal((7, 5)), (3, 2)),
    "top classes": lambda: plot_top_classes(IMAGE, ["tabby, cat", "lynx"], [0.9, 0.05]),
    "roll-out": lambda: plot_rollout(IMAGE, softmax(5, 5)),
    "confusion": lambda: plot_confusion(range(4), [0, 1, 1, 3], NAMES),
}


@functools.cache
def drawn(name):
    return FIGURES[name]()


def contrast(one, other):
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


# ------------------------------------------------------------------- legible to all


def test_contrast_is_that_of_wcag():
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("colour", CYCLE)
def test_lines_reach_three_to_one_on_white(colour):
    assert contrast(colour, "white") >= 3


@pytest.mark.parametrize("name", FIGURES)
def test_every_text_reaches_wcag_aa(name):
    fig = drawn(name)
    cells = [text for axes in fig.axes for text in axes.texts if name == "confusion"]
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


def test_counts_in_a_confusion_matrix_stand_out_from_their_cells():
    axes = plot_confusion([0] * 9 + [1] * 5 + [2] * 3, [0] * 9 + [1] * 5 + [2] * 3, NAMES).axes[0]
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


# ----------------------------------------------------------------- alternative text


@pytest.mark.parametrize("name", FIGURES)
def test_alt_text_is_short_and_is_shown_where_there_are_no_pictures(name, capsys):
    fig = FIGURES[name]()
    captured = capsys.readouterr()
    assert 10 < len(fig.alt) < 450
    assert captured.out == fig.alt + "\n"
    assert captured.err == ""


def test_alt_texts_are_made_from_the_data():
    assert "20 noisy observations" in regression().alt
    assert "σ = 0.3" in regression(0.3).alt
    assert "1 of 4 are predicted correctly" in drawn("images, predicted").alt
    assert "6 patches" in drawn("patches").alt
    assert "bird taken for automobile (1 time)" in drawn("confusion").alt
    assert "validation accuracy 0.375" in drawn("history").alt
    assert "2 queries × 3 keys" in drawn("attention, labelled").alt


def test_alt_text_is_escaped_and_required():
    fig = LabFigure()
    show_figure(fig, 'a "quoted" <b>')
    assert 'alt="a &quot;quoted&quot; &lt;b&gt;"' in fig._bundle[0]["text/html"]
    with pytest.raises(ValueError, match="alternative text"):
        show_figure(LabFigure(), " ")


def test_a_pyplot_figure_is_closed():
    fig = plt.figure()
    show_figure(fig, "an empty figure")
    assert not plt.fignum_exists(fig.number)


# ---------------------------------------------------------------- drawn as it should


def test_the_style_stays_inside():
    before = dict(matplotlib.rcParams)
    regression()
    assert dict(matplotlib.rcParams) == before


def test_regression_sorts_queries_and_keys():
    order = RNG.permutation(len(X_TRAIN))
    weights = softmax(len(X_QUERY), len(X_TRAIN))
    y = np.sin(X_QUERY)
    straight, shuffled = (
        plot_regression(X_TRAIN[i], X_TRAIN[i], X_QUERY, y, y, weights[:, i], 0.5)
        for i in (np.arange(len(X_TRAIN)), order)
    )
    drawn = [fig.axes[1].images[0].get_array() for fig in (straight, shuffled)]
    np.testing.assert_array_equal(*drawn)
    np.testing.assert_array_equal(drawn[0], weights)


def test_regression_tells_of_predictions_that_are_not_numbers():
    with np.errstate(all="ignore"):
        fig = regression(sigma=1e-4)
    assert "predictions are not numbers" in fig.alt


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


@pytest.mark.parametrize("scale", [1, 255])
def test_float_images_are_drawn_like_bytes(scale):
    fig = plot_images(IMAGE[None] / 255 * scale, [[1]], NAMES)
    np.testing.assert_allclose(fig.axes[0].images[0].get_array(), IMAGE / 255, atol=1e-6)


def test_standardised_and_grey_images_are_drawn():
    fig = plot_images(RNG.standard_normal((2, 4, 5, 1)), [0, 1], NAMES)
    drawn = fig.axes[0].images[0].get_array()
    assert drawn.shape == (4, 5)
    assert drawn.min() >= 0 and drawn.max() <= 1


def test_predictions_may_be_logits():
    logits = np.eye(4)[[1, 1, 2, 3]] * 5
    assert "3 of 4" in plot_images(IMAGE[None].repeat(4, 0), range(4), NAMES, logits).alt


def test_patches_stand_where_they_come_from():
    fig = plot_patches(IMAGE, to_patches(IMAGE, 4), 4)
    tiles = [image.get_array() for image in fig.axes[1].images]
    np.testing.assert_array_equal(np.vstack([np.hstack(tiles[i : i + 2]) for i in (0, 2, 4)]), IMAGE)
    assert [text.get_text() for text in fig.axes[1].texts] == list("123456")
    lefts = [image.get_extent()[0] for image in fig.axes[1].images]
    assert lefts[0] == lefts[2] < lefts[1] == lefts[3]


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


def test_class_token_attention_leaves_the_token_itself_out():
    weights = softmax(2, 7, 7)
    fig = plot_class_token_attention(IMAGE, weights, 4)
    _, mean, first, second = (axes for axes in fig.axes if axes.images)
    maps = weights[:, 0, 1:].reshape(2, 3, 2)
    np.testing.assert_allclose(mean.images[1].get_array(), maps.mean(axis=0))
    np.testing.assert_array_equal([a.images[1].get_array() for a in (first, second)], maps)
    assert first.images[1].get_extent() == [-0.5, 7.5, 11.5, -0.5]


def test_position_similarity_leaves_the_class_token_out():
    embeddings = RNG.standard_normal((7, 5))
    other = embeddings.copy()
    other[0] = 100
    one, two = (
        plot_position_similarity(e, (3, 2)).axes[0].images[0].get_array().filled(0)
        for e in (embeddings, other)
    )
    np.testing.assert_array_equal(one, two)
    units = embeddings[1:] / np.linalg.norm(embeddings[1:], axis=1, keepdims=True)
    cosines = (units @ units[3]).reshape(3, 2)  # patch 3 is at row 1, column 1 of 3 × 2
    np.testing.assert_allclose(one[4:7, 3:5], cosines)


def test_confusion_counts_true_rows_by_predicted_columns():
    axes = plot_confusion([[0], [0], [3]], [1, 1, 3], NAMES).axes[0]
    counts = axes.images[0].get_array()
    assert counts[0, 1] == 2 and counts[3, 3] == 1 and counts.sum() == 3


# ------------------------------------------------------------------------ bad input


ONES = np.ones
WRONG_SHAPES = {
    r"y_train has shape \(1,\); expected \(2,\)": lambda: plot_regression(
        [1, 2], [1], [1], [1], [1], [[1, 1]], 1
    ),
    r"expected \(queries, keys\) = \(1, 2\)": lambda: plot_regression(
        [1, 2], [1, 2], [1], [1], [1], [[1]], 1
    ),
    r"expected \(n_q, n_k\) or \(h, n_q, n_k\)": lambda: plot_attention(ONES(3)),
    "key_labels has 2 .* expected 3": lambda: plot_attention(ONES((2, 3)), key_labels="ab"),
    r"expected \(n, H, W, C\)": lambda: plot_images(IMAGE, [1], NAMES),
    "C being 1 or 3": lambda: plot_images(ONES((1, 4, 4, 2)), [1], NAMES),
    "expected indices from 0 to 3": lambda: plot_images(IMAGE[None], [4], NAMES),
    "expected a divisor": lambda: plot_patches(IMAGE, to_patches(IMAGE, 4), 5),
    r"expected \(N, patch_size²·C\) = \(6, 48\)": lambda: plot_patches(IMAGE, to_patches(IMAGE, 2), 4),
    "expected {name of the run: History}": lambda: plot_history({}),
    "'ViT' holds no loss": lambda: plot_history({"ViT": {}}),
    r"= \(h, 7, 7\)": lambda: plot_class_token_attention(IMAGE, ONES((2, 6, 6)), 4),
    "N = 3 × 2 = 6, hence 7 rows": lambda: plot_position_similarity(ONES((6, 4)), (3, 2)),
    r"predictions has shape \(1,\); expected \(2,\)": lambda: plot_confusion([0, 1], [0], NAMES),
}


@pytest.mark.parametrize("message", WRONG_SHAPES)
def test_a_wrong_shape_is_named_with_the_right_one(message):
    with pytest.raises(ValueError, match=message):
        WRONG_SHAPES[message]()


# --------------------------------------------------------------------------- slider


def slider(function=nadaraya_watson, kernel=gaussian, **options):
    regression_slider(function, kernel, X_TRAIN, np.sin(X_TRAIN), X_QUERY, np.sin(X_QUERY), **options)


def raises(error):
    def function(*arguments):
        raise error

    return function


def in_place(q, k, v, kernel, sigma):
    result = nadaraya_watson(q, k, v, kernel, sigma)
    q *= 0
    return result


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (nadaraya_watson, "prediction with σ = 0.5"),
        (in_place, "prediction with σ = 0.5"),
        (raises(NotImplementedError()), "complete both exercises"),
        (raises(KeyError("sigma\nmissing.")), "stopped with KeyError ('sigma\\nmissing.')."),
        (raises(ValueError("bad\nnews.")), "stopped with ValueError (bad news)."),
        (lambda *a: None, "returned None (is the return statement missing?)"),
        (lambda *a: (1, 2, 3), "returned 3 values"),
        (lambda *a: (np.ones(30), np.ones((20, 30))), "expected (queries, keys) = (30, 20)"),
        (lambda *a: (np.ones((30, 2)), np.ones((30, 20))), "prediction has shape (30, 2)"),
    ],
)
def test_the_slider_tells_in_one_sentence_what_went_wrong(function, sentence, capsys):
    slider(function)
    captured = capsys.readouterr()
    assert sentence in captured.out
    assert captured.out.count("\n") == 1
    assert captured.err == ""


def test_the_slider_needs_a_sigma_in_its_range():
    with pytest.raises(ValueError, match="expected 0 < 0.05 ≤ sigma ≤ 5.0"):
        slider(sigma=9)


# --------------------------------------------------------------------------- import


def test_import_brings_neither_tensorflow_nor_pyplot():
    code = (
        "import sys; from utilities import plot_attention, plot_images, plot_patches, plot_history, "
        "plot_regression, regression_slider, show_figure; "
        "assert not {'tensorflow', 'tf_keras', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# ------------------------------------------------------------------- pre-trained models


def test_bars_have_the_lengths_of_the_probabilities_and_the_best_on_top():
    fig = plot_top_classes(IMAGE, ["tabby, tabby cat", "lynx"], [[0.75], [0.125]])
    _, bars = fig.axes
    assert [bar.get_width() for bar in bars.patches] == [0.75, 0.125]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["tabby", "lynx"]
    assert bars.yaxis_inverted()
    assert "tabby 75.0%, lynx 12.5%" in fig.alt


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


def test_a_packed_heat_map_keeps_both_ends_of_its_colours():
    x, y = np.linspace(0, 5, 100)[:, None], X_TRAIN[:, None]
    prediction, weights = nadaraya_watson(x, y, y, gaussian, 0.8)
    fig = plot_regression(y, y, x, prediction, x, weights, 0.8)
    with Image.open(io.BytesIO(png_of(fig))) as packed:
        pixels = np.asarray(packed.convert("RGB")).reshape(-1, 3).astype(int)  # (pixels, 3)
    for end in (0.0, 1.0):
        colour = np.multiply(matplotlib.colormaps[HEAT](end)[:3], 255)
        assert np.abs(pixels - colour).max(axis=-1).min() < 12


def test_large_photographs_are_shown_small():
    photograph = RNG.integers(0, 256, (400, 600, 3), dtype=np.uint8)
    assert len(png_of(plot_rollout(photograph, softmax(5, 5)))) < 400_000


def test_summary_outside_a_notebook_is_printed(capsys):
    summary_slider(lambda length: f"{length} words", value=7)
    assert capsys.readouterr().out == "At most 7 tokens: “7 words”\n"


def test_summary_that_fails_is_told_in_a_sentence(capsys):
    summary_slider(lambda length: 1 / 0)
    assert "There is no summary: ZeroDivisionError (division by zero)." in capsys.readouterr().out


@pytest.mark.parametrize("value, lengths", [(0, (0, 5)), (9, (1, 5)), (1, (2, 5))])
def test_summary_slider_refuses_a_value_outside_its_ends(value, lengths):
    with pytest.raises(ValueError, match="expected 0 <"):
        summary_slider(str, value, lengths)

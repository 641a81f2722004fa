"""Images with their classes, right or wrong; a confusion matrix; the most probable classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from utilities.figures.drawing import (
    check_image,
    check_vector,
    counted,
    new_figure,
    panel_grid,
    show_pixels,
    thumbnail,
)
from utilities.figures.showing import show_figure
from utilities.figures.style import BLUE, HEAT, RIGHT, WRONG, styled, text_colour


@styled
def plot_images(
    images: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    predictions: ArrayLike | None = None,
) -> Figure:
    """Show images with their classes and, where given, whether the predicted class is right.

    Args:
        images: (n, H, W, C), C being 1 or 3.
        labels: (n,) or (n, 1), indices into `class_names`.
        class_names: the classes' names.
        predictions: (n,) or (n, 1), predicted indices; or (n, num_classes), logits.

    Raises:
        ValueError: a shape or an index does not fit.
    """
    pixels = check_image("images", images, 4, expected="(n, H, W, C)")
    n = len(pixels)
    truth = _classes("labels", labels, n, class_names)
    guess = None if predictions is None else _predicted(predictions, n, class_names)

    rows, columns = panel_grid(n, most=8 if guess is None else 6)
    width, height = (1.2, 1.45) if guess is None else (1.5, 1.95)
    fig, panels = new_figure(width * columns, height * rows + 0.1, rows, columns)
    for index, axes in enumerate(panels.flat):
        if index >= n:
            axes.set_axis_off()
            continue
        title, style = class_names[truth[index]], {}
        if guess is not None:
            right = guess[index] == truth[index]
            title = f"✓ {title}" if right else f"✗ {class_names[guess[index]]}\n(is {title})"
            style = {"color": RIGHT if right else WRONG}
        show_pixels(axes, pixels[index], title, fontsize=9.5, **style)

    names = [class_names[label] for label in truth]
    alt = f"{counted(n, 'image')}: {', '.join(names[:12])}{', …' if n > 12 else ''}."
    if guess is not None:
        alt += f" {int(np.sum(guess == truth))} of {n} are predicted correctly."
    show_figure(fig, alt)
    return fig


@styled
def plot_confusion(y_true: ArrayLike, y_pred: ArrayLike, class_names: Sequence[str]) -> Figure:
    """Show how often each class is taken for each.

    Args:
        y_true: (n,) or (n, 1), indices into `class_names`.
        y_pred: (n,) or (n, 1), predicted indices; or (n, num_classes), logits.
        class_names: the classes' names.

    Raises:
        ValueError: a shape or an index does not fit.
    """
    from sklearn.metrics import ConfusionMatrixDisplay  # imports pyplot

    truth = _classes("y_true", y_true, None, class_names)
    guess = _predicted(y_pred, len(truth), class_names)
    size = 2.2 + 0.52 * len(class_names)
    fig, ((axes,),) = new_figure(size + 0.6, size)
    shown = ConfusionMatrixDisplay.from_predictions(
        truth, guess, labels=range(len(class_names)), display_labels=class_names,
        cmap=HEAT, ax=axes, colorbar=False, xticks_rotation="vertical",
    )  # fmt: skip
    for text, count in zip(shown.text_.flat, shown.confusion_matrix.flat, strict=True):
        text.set_color(text_colour(shown.im_.cmap(shown.im_.norm(count))))
    fig.colorbar(shown.im_, ax=axes, label="images", shrink=0.8)
    axes.set(xlabel="predicted class", ylabel="true class")
    accuracy = np.mean(truth == guess)
    axes.set_title(f"Confusion matrix, accuracy {accuracy:.1%}")

    wrong = shown.confusion_matrix * (1 - np.eye(len(class_names), dtype=int))
    worst, taken_for = np.unravel_index(wrong.argmax(), wrong.shape)
    alt = (
        f"Confusion matrix of {len(truth)} images in {len(class_names)} classes, accuracy "
        f"{accuracy:.1%}."
    )
    if wrong.any():
        alt += (
            f" The most frequent mistake: {class_names[worst]} taken for "
            f"{class_names[taken_for]} ({counted(wrong.max(), 'time')})."
        )
    show_figure(fig, alt)
    return fig


@styled
def plot_top_classes(image: ArrayLike, names: Sequence[str], probabilities: ArrayLike) -> Figure:
    """Show an image and, beside it, what a classifier takes it for: bars of probability.

    Args:
        image: (H, W, C), C being 1 or 3.
        names: the classes, most probable first; of several names of a class the first is shown.
        probabilities: theirs, (k,), in [0, 1].

    Raises:
        ValueError: a shape does not fit.
    """
    pixels = thumbnail(check_image("image", image, 3, expected="(H, W, C)"), side=160)
    shares = check_vector("probabilities", probabilities, len(names)).astype(np.float64)
    short = [name.split(",")[0] for name in names]

    fig, ((picture, bars),) = new_figure(8.4, 0.42 * len(short) + 1.0, columns=2)
    show_pixels(picture, pixels)
    places = np.arange(len(short))
    bars.barh(places, shares, color=BLUE, height=0.7)
    for place, share in zip(places, shares, strict=True):
        bars.annotate(
            f"{share:.1%}", (share, place), xytext=(4, 0), textcoords="offset points", va="center"
        )
    bars.set_yticks(places, short)
    bars.invert_yaxis()
    bars.set(xlim=(0, 1.18), xticks=[0, 0.5, 1], xlabel="probability")

    listed = ", ".join(f"{name} {share:.1%}" for name, share in zip(short, shares, strict=True))
    show_figure(fig, f"A photograph and what it is taken for: {listed}.")
    return fig


def _classes(name: str, value: ArrayLike, n: int | None, class_names: Sequence[str]) -> np.ndarray:
    indices = check_vector(name, value, n).astype(int)
    if indices.min() < 0 or indices.max() >= len(class_names):
        raise ValueError(
            f"{name} holds {indices.min()} to {indices.max()}; "
            f"expected indices from 0 to {len(class_names) - 1}."
        )
    return indices


def _predicted(predictions: ArrayLike, n: int, class_names: Sequence[str]) -> np.ndarray:
    scores = np.asarray(predictions)
    if scores.shape == (n, len(class_names)):
        return scores.argmax(axis=-1)
    return _classes("predictions", scores, n, class_names)

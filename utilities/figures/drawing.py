"""What several figures are drawn with: checked arrays, panels, pixels, heat maps, numbers as text."""

from __future__ import annotations

import math
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike
from PIL import Image

from utilities.figures.showing import LabFigure
from utilities.figures.style import HEAT, NO_VALUE


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, **grid: Any
) -> tuple[LabFigure, np.ndarray]:
    """Return a figure of our own and its axes, always (rows, columns)."""
    fig = LabFigure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots(rows, columns, squeeze=False, **grid)


def check_array(name: str, value: ArrayLike, expected: str, *ndims: int) -> np.ndarray:
    """Return `value` as an array. Raises ValueError, naming the shape expected."""
    array = np.asarray(value)
    if array.ndim not in ndims or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; expected {expected}.")
    return array


def check_vector(name: str, value: ArrayLike, length: int | None = None) -> np.ndarray:
    """Return `value` of shape (n,) or (n, 1) as a vector (n,). Raises ValueError."""
    array = np.asarray(value)
    expected = "n" if length is None else str(length)
    column = array.ndim == 2 and array.shape[1] == 1
    if not (array.ndim == 1 or column) or len(array) == 0 or length not in (None, len(array)):
        raise ValueError(f"{name} has shape {array.shape}; expected ({expected},) or ({expected}, 1).")
    return array.reshape(-1)


def as_pixels(image: np.ndarray) -> np.ndarray:
    """Return pixels as Matplotlib draws them: 0-255 and 0-1 unchanged, others stretched to 0-1."""
    if image.dtype == np.uint8:
        return image[..., 0] if image.shape[-1] == 1 else image
    pixels = image.astype(np.float64)
    low, high = np.nanmin(pixels), np.nanmax(pixels)
    if low < 0 or high > 255:  # standardised images
        pixels = (pixels - low) / (high - low)
    elif high > 1:
        pixels = pixels / 255
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def check_image(name: str, value: ArrayLike, *ndims: int, expected: str) -> np.ndarray:
    """Return images with one or three channels, ready to draw. Raises ValueError."""
    array = check_array(name, value, expected, *ndims)
    if array.shape[-1] not in (1, 3):
        raise ValueError(f"{name} has shape {array.shape}; expected {expected}, C being 1 or 3.")
    return as_pixels(array)


def show_pixels(axes: Axes, pixels: np.ndarray, title: str | None = None, **text: Any) -> None:
    """Draw one picture without axes."""
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255 if pixels.dtype == np.uint8 else 1)
    axes.set_axis_off()
    if title is not None:
        axes.set_title(title, **text)


def thumbnail(pixels: np.ndarray, side: int = 240) -> np.ndarray:
    """Return a photograph at the size at which it is shown, lest the notebook grow by megabytes."""
    if max(pixels.shape[:2]) <= side or pixels.dtype != np.uint8:
        return pixels
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side))
    return np.asarray(picture)


def heat_map(axes: Axes, values: np.ndarray, **limits: Any) -> AxesImage:
    """Draw a matrix; NaN is grey."""
    colours = matplotlib.colormaps[HEAT].with_extremes(bad=NO_VALUE)
    for spine in axes.spines.values():
        spine.set_visible(True)
    return axes.imshow(values, cmap=colours, interpolation="nearest", **limits)


def panel_grid(count: int, most: int) -> tuple[int, int]:
    """Return rows and columns for `count` panels, as even as they go, at most `most` in a row."""
    rows = math.ceil(count / most)
    return rows, math.ceil(count / rows)


def patch_grid(height: int, width: int, patch_size: int) -> tuple[int, int]:
    """Return rows and columns of patches in an image. Raises ValueError where they do not fit."""
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(
            f"patch_size is {patch_size}; expected a divisor of the image's height {height} "
            f"and width {width}."
        )
    return height // patch_size, width // patch_size


def rounded(value: float) -> str:
    return f"{value:.3g}"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

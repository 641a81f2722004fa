"""Patches of an image, and where a Vision Transformer looks: class token, rollout, deletion test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib
import matplotlib.cm
import matplotlib.colors
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from utilities.figures.drawing import (
    as_pixels,
    check_array,
    check_image,
    counted,
    new_figure,
    panel_grid,
    patch_grid,
    rounded,
    show_pixels,
    thumbnail,
)
from utilities.figures.showing import show_figure
from utilities.figures.style import CYCLE, HEAT, MARKERS, styled


@styled
def plot_patches(image: ArrayLike, patches: ArrayLike, patch_size: int) -> Figure:
    """Show an image and beside it its patches, row by row, numbered from 1.

    Args:
        image: (H, W, C), C being 1 or 3.
        patches: (N, patch_size²·C), one flattened patch a row.
        patch_size: side of a patch in pixels.

    Raises:
        ValueError: a shape does not fit.
    """
    raw = check_array("image", image, "(H, W, C)", 3)
    pixels = check_image("image", raw, 3, expected="(H, W, C)")
    height, width, channels = raw.shape
    rows, columns = patch_grid(height, width, patch_size)
    flat = np.asarray(patches)
    expected = (rows * columns, patch_size**2 * channels)
    if flat.shape != expected:
        raise ValueError(f"patches has shape {flat.shape}; expected (N, patch_size²·C) = {expected}.")
    tiles = as_pixels(flat.reshape(-1, patch_size, patch_size, channels))  # (N, P, P[, C])

    side = min(max(3.4, 0.6 * rows), 6.5)  # inches
    font_size = 10 if rows <= 4 else 8.5 if rows <= 8 else 7
    label_inches = (font_size + 2) / 72
    label_height = label_inches / (side / rows - label_inches)  # in patches
    gap = 0.08  # in patches
    fig, ((original, grid),) = new_figure(
        3.2 + side * columns / rows, side + 0.5, columns=2, width_ratios=(2.9, side)
    )
    show_pixels(original, pixels, f"image, {height} × {width}")
    top = 255 if tiles.dtype == np.uint8 else 1
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        left, above = column * (1 + gap), row * (1 + label_height)
        grid.imshow(tile, cmap="gray", vmin=0, vmax=top, extent=(left, left + 1, above + 1, above))
        grid.text(
            left + 0.5, above - 0.1 * label_height, index + 1,
            ha="center", va="bottom", fontsize=font_size,
        )  # fmt: skip
    grid.set_axis_off()
    grid.set_xlim(-gap, columns * (1 + gap))
    grid.set_ylim(rows * (1 + label_height) - label_height, -label_height)
    grid.set_aspect("equal")
    grid.set_title(f"{rows} × {columns} = {rows * columns} patches of {patch_size} × {patch_size}")

    alt = (
        f"An image of {height} × {width} pixels and beside it its {rows * columns} patches of "
        f"{patch_size} × {patch_size} pixels in {rows} rows and {columns} columns, "
        "numbered row by row."
    )
    show_figure(fig, alt)
    return fig


@styled
def plot_class_token_attention(
    image: ArrayLike, attention_weights: ArrayLike, patch_size: int
) -> Figure:
    """Show where the class token looks: its attention to the patches, laid over the image.

    Args:
        image: (H, W, C), C being 1 or 3.
        attention_weights: (h, N+1, N+1) of one layer, the class token first.
        patch_size: side of a patch in pixels.

    Raises:
        ValueError: a shape does not fit.
    """
    pixels = check_image("image", image, 3, expected="(H, W, C)")
    height, width = pixels.shape[:2]
    rows, columns = patch_grid(height, width, patch_size)
    tokens = rows * columns + 1
    weights = np.asarray(attention_weights, dtype=np.float64)
    if weights.ndim != 3 or weights.shape[1:] != (tokens, tokens):
        raise ValueError(
            f"attention_weights has shape {weights.shape}; "
            f"expected (h, N+1, N+1) = (h, {tokens}, {tokens})."
        )
    maps = weights[:, 0, 1:].reshape(-1, rows, columns)  # (h, rows, columns)
    h = len(maps)
    shown = maps if h == 1 else np.concatenate([maps.mean(axis=0, keepdims=True), maps])
    titles = ["class token"] if h == 1 else ["mean"] + [f"head {i + 1}" for i in range(h)]

    grid_rows, grid_columns = panel_grid(len(shown) + 1, most=5)
    side = 2.6 if grid_rows == 1 and grid_columns <= 3 else 1.75
    fig, panels = new_figure(
        side * grid_columns + 1.0, (side + 0.25) * grid_rows + 0.4, grid_rows, grid_columns
    )
    for axes in panels.flat:
        axes.set_axis_off()
    original, *others = panels.flat
    show_pixels(original, pixels, "image")
    grey = _in_grey(pixels)
    for axes, values, title in zip(others, shown, titles, strict=False):
        show_pixels(axes, grey, title)
        axes.imshow(
            values, cmap=HEAT, alpha=0.7, vmin=0, vmax=shown.max(), interpolation="bilinear",
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        )  # fmt: skip
    opaque = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, shown.max()), HEAT)
    fig.colorbar(opaque, ax=panels, label="attention to a patch", shrink=0.85)
    fig.suptitle("Where the class token looks")

    peak_row, peak_column = np.unravel_index(maps.mean(axis=0).argmax(), (rows, columns))
    alt = (
        f"An image and, over it, the class token's attention to its {rows} × {columns} patches, "
        f"for {counted(h, 'head')}{' and their mean' if h > 1 else ''}. "
        f"On average it looks most at the patch in row {peak_row + 1}, column {peak_column + 1} "
        f"(weight {rounded(maps.mean(axis=0).max())}; even attention would be "
        f"{rounded(1 / tokens)})."
    )
    show_figure(fig, alt)
    return fig


@styled
def plot_rollout(
    image: ArrayLike,
    rollout: ArrayLike,
    title: str = "Attention rollout",
    by: str = "attention rollout",
) -> Figure:
    """Show from which parts of an image the class token has gathered, by attention rollout.

    Args:
        image: (H, W, C), C being 1 or 3; the patches are taken to cover all of it evenly.
        rollout: (N+1, N+1) of a square grid of N patches, the class token first.
        title: of the figure.
        by: what says so, for the alternative text.

    Raises:
        ValueError: a shape does not fit.
    """
    pixels = thumbnail(check_image("image", image, 3, expected="(H, W, C)"))
    weights = np.asarray(rollout, dtype=np.float64)
    side = math.isqrt(max(len(weights) - 1, 0)) if weights.ndim == 2 else 0
    if side == 0 or weights.shape != (side**2 + 1, side**2 + 1):
        raise ValueError(
            f"rollout has shape {weights.shape}; expected (N+1, N+1), N being a square number."
        )
    gathered = weights[0, 1:].reshape(side, side)
    height, width = pixels.shape[:2]

    fig, ((original, overlay),) = new_figure(9.2, 3.6, columns=2)
    show_pixels(original, pixels, "photograph")
    show_pixels(overlay, _tinted(pixels, gathered / gathered.max()), "class token")
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), HEAT)
    fig.colorbar(scale, ax=overlay, label="relative to the largest", shrink=0.85)
    fig.suptitle(title)

    row, column = np.unravel_index(gathered.argmax(), gathered.shape)
    alt = (
        f"A photograph, and over it in colours from which of its {side} × {side} patches the class "
        f"token has gathered by {by}. The strongest is in row {row + 1}, column "
        f"{column + 1} ({rounded(gathered.max() / gathered.mean())} times the mean)."
    )
    show_figure(fig, alt)
    return fig


@styled
def plot_deletion(shares: Sequence[float], kept: Mapping[str, Sequence[float]]) -> Figure:
    """Show how often a model keeps its answer as patches go, in several orders of going.

    Args:
        shares: of the patches that are gone, between 0 and 1.
        kept: name of an order → for each of the shares, the share of images whose answer stays.

    Raises:
        ValueError: an order has another number of values than there are shares.
    """
    for name, values in kept.items():
        if len(values) != len(shares):
            raise ValueError(f"{name!r} has {len(values)} values; there are {len(shares)} shares.")
    fig, ((axes,),) = new_figure(7.2, 4.2)
    for (name, values), colour, marker in zip(kept.items(), CYCLE, MARKERS, strict=False):
        axes.plot(shares, values, color=colour, marker=marker, label=name)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, decimals=0))
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("patches deleted")
    axes.set_ylabel("images with the same answer")
    axes.legend(title="deleted")
    axes.set_title("Deletion test")

    middle = len(shares) // 2
    said = ", ".join(f"{name} {values[middle]:.0%}" for name, values in kept.items())
    alt = (
        f"Line plot: the share of images whose answer stays, as patches are deleted. "
        f"With {shares[middle]:.0%} of them gone: {said}."
    )
    show_figure(fig, alt)
    return fig


def _tinted(pixels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return a picture in grey under colours for values in [0, 1] on a grid; (H, W, 3) in [0, 1].

    Mixed here and not by Matplotlib, which would do it at the resolution of the figure.
    """
    height, width = pixels.shape[:2]
    grey = _in_grey(pixels)
    grid = Image.fromarray(values.astype(np.float32))
    smooth = np.asarray(grid.resize((width, height), Image.Resampling.BILINEAR))
    return 0.6 * matplotlib.colormaps[HEAT](smooth)[..., :3] + 0.4 * grey[..., np.newaxis]


def _in_grey(pixels: np.ndarray) -> np.ndarray:
    """Return the brightness of a picture (H, W) or (H, W, 3), between 0 and 1; weights of Rec. 601."""
    grey = pixels if pixels.ndim == 2 else pixels @ (0.299, 0.587, 0.114)
    return grey / 255 if pixels.dtype == np.uint8 else grey

"""The lab on small data sets: shifted patches, temperatures, learning rates, distances."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from utilities.figures.drawing import (
    check_array,
    check_image,
    counted,
    heat_map,
    new_figure,
    panel_grid,
    patch_grid,
    rounded,
    show_pixels,
)
from utilities.figures.showing import show_figure
from utilities.figures.style import BLUE, CYCLE, MARKERS, MUTED, VERMILLION, styled

COPIES = {  # title: half patches down and right
    "image": (0, 0),
    "shifted left and up": (-1, -1),
    "right and up": (-1, 1),
    "left and down": (1, -1),
    "right and down": (1, 1),
}


@styled
def plot_shifted_patches(image: ArrayLike, patch_size: int, patch: tuple[int, int]) -> Figure:
    """Show an image, its four shifted copies, and one patch through all five.

    Args:
        image: pixels (H, W, C), C being 1 or 3.
        patch_size: side of a patch; the copies are shifted by half of it.
        patch: row and column of the patch.

    Raises:
        ValueError: a shape does not fit, or there is no such patch.
    """
    pixels = check_image("image", image, 3, expected="(H, W, C)")
    height, width = pixels.shape[:2]
    rows, columns = patch_grid(height, width, patch_size)
    row, column = patch
    if not (0 <= row < rows and 0 <= column < columns):
        raise ValueError(f"patch is {patch}; expected a row below {rows} and a column below {columns}.")
    top, left, half = row * patch_size, column * patch_size, patch_size // 2

    fig, (above, below) = new_figure(10.4, 4.5, rows=2, columns=5)
    for axes, zoomed, (title, (down, right)) in zip(above, below, COPIES.items(), strict=True):
        for panel in (axes, zoomed):
            _show_moved(panel, pixels, half * down, half * right)
        axes.set_title(title, fontsize=10)
        _outline(axes, top, left, patch_size, VERMILLION)
        zoomed.set_xlim(left - 0.5, left + patch_size - 0.5)
        zoomed.set_ylim(top + patch_size - 0.5, top - 0.5)
    _outline(above[0], top - half, left - half, patch_size + 2 * half, BLUE, "--")
    below[0].set_title("the patch in each of them", fontsize=10, loc="left")
    alt = (
        f"An image of {height} × {width} pixels and four copies of it, shifted by "
        f"{counted(half, 'pixel')} along the diagonals, black where nothing comes in. The patch in row "
        f"{row + 1}, column {column + 1} is outlined in each of the five, and enlarged below: together "
        f"they cover the {patch_size + 2 * half} × {patch_size + 2 * half} pixels around the patch."
    )
    show_figure(fig, alt)
    return fig


def _show_moved(axes: Axes, pixels: np.ndarray, down: int, right: int) -> None:
    """Draw a picture moved inside its frame, black where nothing comes in."""
    height, width = pixels.shape[:2]
    frame = Rectangle((-0.5, -0.5), width, height, facecolor="black", edgecolor="none", zorder=-1)
    axes.add_patch(frame)
    show_pixels(axes, pixels)
    axes.images[-1].set_extent((right - 0.5, width + right - 0.5, height + down - 0.5, down - 0.5))
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _outline(axes: Axes, top: int, left: int, side: int, colour: str, style: str = "-") -> None:
    """Draw a square around pixels, white below the colour so that it shows on any image."""
    for edge, width, dashes in (("white", 3.5, "-"), (colour, 1.8, style)):
        square = Rectangle((left - 0.5, top - 0.5), side, side)
        square.set(fill=False, edgecolor=edge, linewidth=width, linestyle=dashes)
        axes.add_patch(square)


@styled
def plot_token_fields(fields: Mapping[str, ArrayLike], patch_size: int) -> Figure:
    """Show which pixels one token depends on, a panel for each way of making tokens.

    Args:
        fields: name → size of the token's gradient with respect to each pixel (H, W).
        patch_size: side of a patch.

    Raises:
        ValueError: there is none, or one is no matrix.
    """
    if not fields:
        raise ValueError("fields is empty; expected {name: (H, W)}.")
    maps = {name: check_array(name, field, "(H, W)", 2) for name, field in fields.items()}
    fig, (panels,) = new_figure(4.2 * len(maps), 3.9, columns=len(maps))
    sentences = []
    for axes, (name, field) in zip(panels, maps.items(), strict=True):
        height, width = field.shape
        patch_grid(height, width, patch_size)
        colours = heat_map(axes, np.where(field > 0, field, np.nan), vmin=0)
        axes.set_xticks(np.arange(0, width, patch_size) - 0.5, range(0, width, patch_size))
        axes.set_yticks(np.arange(0, height, patch_size) - 0.5, range(0, height, patch_size))
        axes.tick_params(labelsize=8)
        axes.grid(True, color="white", linewidth=0.8)
        axes.set(title=name, xlabel="pixel", ylabel="pixel")
        fig.colorbar(colours, ax=axes, label="size of the gradient", shrink=0.85)
        sentences.append(f"{name}: {counted(int((field > 0).sum()), 'pixel')}.")
    alt = f"Heat maps of the pixels that one token depends on. {' '.join(sentences)}"
    show_figure(fig, alt)
    return fig


@styled
def plot_learning_rate(stated: ArrayLike, used: ArrayLike, steps_per_epoch: int) -> Figure:
    """Show the learning rate that a schedule states and the one that each step really used.

    Args:
        stated: the schedule's value at each step (n,).
        used: the optimiser's learning rate at each step (n,).
        steps_per_epoch: for the axis.

    Raises:
        ValueError: the lengths differ.
    """
    stated, used = (check_array(n, v, "(steps,)", 1) for n, v in (("stated", stated), ("used", used)))
    if stated.shape != used.shape:
        raise ValueError(f"used has shape {used.shape}; expected that of stated, {stated.shape}.")
    epochs = np.arange(len(stated)) / steps_per_epoch
    every = max(1, len(stated) // 40)
    fig, ((axes,),) = new_figure(6.8, 3.7)
    axes.plot(epochs, stated, color=BLUE, linewidth=2.2, label="stated by the schedule")
    axes.plot(
        epochs[::every], used[::every], "o", color=VERMILLION, markersize=5, markerfacecolor="white",
        label=f"used by the optimiser (one step in {every})",
    )  # fmt: skip
    axes.set(xlabel="epoch", ylabel="learning rate", title="Learning rate: stated and used")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    axes.set_ylim(0, None)
    axes.grid(True)
    axes.legend(frameon=False)
    apart = np.abs(stated - used).max()
    verdict = "They agree" if apart <= 1e-5 * max(stated.max(), 1e-12) else "They do not agree"
    alt = (
        f"Line plot of the learning rate over {counted(len(stated), 'step')}: the schedule runs from "
        f"{rounded(stated[0])} over {rounded(stated.max())} to {rounded(stated[-1])}, the optimiser "
        f"from {rounded(used[0])} over {rounded(used.max())} to {rounded(used[-1])}. {verdict}."
    )
    show_figure(fig, alt)
    return fig


@styled
def plot_temperatures(temperatures: Mapping[str, ArrayLike], initial: float) -> Figure:
    """Show the learned temperature of each block, beside the value it started from.

    Args:
        temperatures: name of the model → (L, 1) or, with one for each head, (L, h).
        initial: √key_dim.

    Raises:
        ValueError: there is no model, or a shape does not fit.
    """
    if not temperatures:
        raise ValueError("temperatures is empty; expected {name of the model: (L, 1)}.")
    fig, ((axes,),) = new_figure(6.8, 3.7)
    sentences = []
    for i, (name, values) in enumerate(temperatures.items()):
        learned = check_array(name, values, "(L, 1) or (L, h)", 2)
        blocks = np.arange(1, len(learned) + 1)
        style = {"marker": MARKERS[i], "color": CYCLE[i], "markersize": 7}
        axes.plot(blocks, learned.mean(axis=1), linewidth=1.5, label=name, **style)
        if learned.shape[1] > 1:
            heads = np.broadcast_to(blocks[:, None], learned.shape)
            axes.plot(heads.ravel(), learned.ravel(), linestyle="", alpha=0.4, **style)
        per_block = ", ".join(rounded(value) for value in learned.mean(axis=1))
        sentences.append(f"{name}, block by block: {per_block}.")
    start = f"start: √key_dim = {rounded(initial)}"
    axes.axhline(initial, color=MUTED, linestyle="--", linewidth=1.5, label=start)
    axes.set(xlabel="block", ylabel="temperature τ", title="Learned temperatures")
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(x=0.08, y=0.15)
    axes.grid(True)
    axes.legend(frameon=False)
    alt = f"Learned temperatures, started at {rounded(initial)}. {' '.join(sentences)}"
    show_figure(fig, alt)
    return fig


@styled
def plot_attention_distances(
    before: Mapping[str, ArrayLike], after: Mapping[str, ArrayLike], uniform: float
) -> Figure:
    """Show how far each head looks, block by block, before and after training.

    Args:
        before, after: name of the model → mean attention distances (L, h) in pixels.
        uniform: the distance of attention that is spread evenly.

    Raises:
        ValueError: the models or the shapes differ.
    """
    if not after or list(before) != list(after):
        raise ValueError(f"before has {list(before)}, after {list(after)}; expected the same models.")
    rows, columns = panel_grid(len(after), 3)
    fig, grid = new_figure(3.7 * columns, 0.6 + 3.2 * rows, rows, columns, sharey=True)
    panels, sentences = list(grid.flat), []
    for axes in panels[len(after) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, after, strict=False):
        early, late = (check_array(name, values[name], "(L, h)", 2) for values in (before, after))
        if early.shape != late.shape:
            raise ValueError(f"{name}: {early.shape} before, {late.shape} after; expected the same.")
        blocks = np.broadcast_to(np.arange(1, len(late) + 1)[:, None], late.shape)  # (L, h)
        axes.plot(
            (blocks - 0.12).ravel(), early.ravel(), "o", color=MUTED, markerfacecolor="white",
            markersize=6, label="before training",
        )  # fmt: skip
        axes.plot((blocks + 0.12).ravel(), late.ravel(), "s", color=BLUE, label="after training")
        axes.axhline(uniform, color=VERMILLION, linestyle="--", linewidth=1.5, label="even attention")
        axes.set(xlabel="block", title=name)
        axes.set_xticks(range(1, len(late) + 1))
        axes.margins(x=0.15, y=0.1)
        axes.grid(True)
        sentences.append(
            f"{name}: {rounded(early.mean())} before, {rounded(late.mean())} after training "
            f"(heads {rounded(late.min())} to {rounded(late.max())})."
        )
    fig.supylabel("mean attention distance in pixels", fontsize=10.5)
    handles, names = panels[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    sentences.append(f"Even attention: {rounded(uniform)}.")
    alt = f"Mean attention distance of each head, in pixels. {' '.join(sentences)}"
    show_figure(fig, alt)
    return fig

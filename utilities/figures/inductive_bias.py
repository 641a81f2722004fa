"""The lab on inductive bias: position maps, relative bias, attempts, sample efficiency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from utilities.figures.drawing import check_array, heat_map, new_figure, panel_grid, rounded
from utilities.figures.positions import are_neighbours, cosine_similarity, show_mosaic
from utilities.figures.showing import show_figure
from utilities.figures.style import CYCLE, MARKERS, MUTED, styled, text_colour


@styled
def plot_position_maps(embeddings: Mapping[str, ArrayLike], grid: tuple[int, int]) -> Figure:
    """Show which positions models hold for alike, side by side, one mosaic a model.

    Each small map compares one patch with all of them, as `plot_position_similarity` does for one
    model. The colours of all mosaics span the same range, that of the similarities of different
    patches; a patch is alike to itself by 1.

    Args:
        embeddings: name → position embeddings (N, d).
        grid: rows and columns of patches.

    Raises:
        ValueError: there is none, or a shape does not fit.
    """
    rows, columns = grid
    if not embeddings:
        raise ValueError("embeddings is empty; expected {name: position embeddings (N, d)}.")
    similarities = {name: _similarity(name, values, grid) for name, values in embeddings.items()}
    others = ~np.eye(rows * columns, dtype=bool)
    low = min(similarity[others].min() for similarity in similarities.values())
    high = max(similarity[others].max() for similarity in similarities.values())

    fig, (panels,) = new_figure(
        4.1 * len(similarities) + 0.8, 4.2 * rows / columns + 0.3, columns=len(similarities)
    )
    fig.set_layout_engine("constrained", wspace=0.08)  # wider than between the small maps of one model
    for axes, (name, similarity) in zip(panels, similarities.items(), strict=True):
        colours = show_mosaic(axes, similarity, grid, low, high)
        axes.set_axis_off()
        axes.set_title(name)
    fig.colorbar(colours, ax=list(panels), label="cosine similarity", extend="max", shrink=0.85)

    near = are_neighbours(rows, columns)
    values = "; ".join(
        f"{name}: neighbours {rounded(similarity[near].mean())}, all pairs "
        f"{rounded(similarity[others].mean())}"
        for name, similarity in similarities.items()
    )
    grids = f"{rows} × {columns} small heat maps"
    show_figure(
        fig, f"{grids} for each model: each position compared with all. Mean similarity, {values}."
    )
    return fig


def _similarity(name: str, values: ArrayLike, grid: tuple[int, int]) -> np.ndarray:
    """Return the cosine similarity (N, N) of position embeddings (N, d)."""
    array = check_array(name, values, "(N, d)", 2)
    if len(array) != grid[0] * grid[1]:
        raise ValueError(
            f"{name} has shape {array.shape}; expected (N, d) with N = {grid[0]} × {grid[1]}."
        )
    return cosine_similarity(array)


@styled
def plot_relative_bias(bias: ArrayLike, grid: tuple[int, int]) -> Figure:
    """Show what each head adds to its scores, by the offset from the query to the key.

    Args:
        bias: (h, N, N), queries first, as a bias adds it to scores of 0. Where pairs with the same
            offset differ, their mean is shown.
        grid: rows and columns of patches.

    Raises:
        ValueError: the shape does not fit.
    """
    rows, columns = grid
    values = check_array("bias", bias, "(h, N, N)", 3).astype(np.float64)
    if values.shape[1:] != (rows * columns,) * 2:
        raise ValueError(
            f"bias has shape {values.shape}; expected (h, N, N) with N = {rows} × {columns}."
        )
    maps = _by_offset(values, rows, columns)  # (h, 2·rows − 1, 2·columns − 1)
    limit = max(float(np.abs(maps).max()), 1e-12)
    down, across = panel_grid(len(maps), 4)
    fig, panels = new_figure(2.5 * across + 0.8, 2.5 * down * rows / columns + 0.5, down, across)
    for axes in panels.flat:
        axes.set_axis_off()
    for head, (axes, values) in enumerate(zip(panels.flat, maps, strict=False), start=1):
        axes.set_axis_on()
        colours = heat_map(axes, values, vmin=-limit, vmax=limit, extent=_extent(rows, columns))
        axes.plot(0, 0, "o", markersize=6, markerfacecolor="none", markeredgecolor="white")
        axes.set_title(f"head {head}")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
    for axes in panels[-1]:
        axes.set_xlabel("columns to the key")
    for axes in panels[:, 0]:
        axes.set_ylabel("rows to the key")
    fig.colorbar(colours, ax=list(panels.flat), label="added to the score", shrink=0.85)
    centre = maps[:, rows - 1, columns - 1].mean()
    show_figure(
        fig,
        f"{len(maps)} heat maps, one a head: the bias for each offset from query to key, from "
        f"{rounded(maps.min())} to {rounded(maps.max())}; mean over the heads at offset 0: "
        f"{rounded(centre)}, over all offsets: {rounded(maps.mean())}.",
    )
    return fig


def _by_offset(bias: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the mean bias of all pairs with the same offset, key minus query."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    down = row[None] - row[:, None] + rows - 1  # (N, N)
    right = column[None] - column[:, None] + columns - 1
    sums = np.zeros((len(bias), 2 * rows - 1, 2 * columns - 1))
    counts = np.zeros(sums.shape[1:])
    for total, head in zip(sums, bias, strict=True):  # (2·rows − 1, 2·columns − 1), (N, N)
        np.add.at(total, (down, right), head)
    np.add.at(counts, (down, right), 1)
    return sums / counts


def _extent(rows: int, columns: int) -> tuple[float, float, float, float]:
    """Return the edges of a map of offsets: left, right, bottom, top, rows counted downwards."""
    return 0.5 - columns, columns - 0.5, rows - 0.5, 0.5 - rows


@styled
def plot_grid_offsets(rows: int, columns: int) -> Figure:
    """Show the offset between each two patches of a grid: query minus key, rows and columns.

    Args:
        rows, columns: of the grid of patches; each offset has a colour of its own.
    """
    row, column = np.divmod(np.arange(rows * columns), columns)
    down, right = row[:, None] - row, column[:, None] - column  # (N, N)
    kinds = (down + rows - 1) * (2 * columns - 1) + right + columns - 1
    side = 0.9 * rows * columns
    fig, ((axes,),) = new_figure(side + 0.8, side)
    shown = heat_map(axes, kinds)
    for (i, j), kind in np.ndenumerate(kinds):
        colour = text_colour(tuple(shown.to_rgba(kind)))
        axes.text(
            j,
            i,
            f"{_signed(down[i, j])}, {_signed(right[i, j])}",
            ha="center",
            va="center",
            color=colour,
        )
    axes.set(
        xlabel="patch of the key", ylabel="patch of the query",
        title=f"Offsets Δr, Δc in a grid of {rows} × {columns}",
    )  # fmt: skip
    number = len(np.unique(kinds))
    show_figure(
        fig,
        f"A table of {rows * columns} × {rows * columns} pairs of patches with the offset of each, "
        f"query minus key. {number} different offsets occur.",
    )
    return fig


def _signed(number: int) -> str:
    return f"{number:+d}".replace("-", "−") if number else "0"


@styled
def plot_attempts(attempts: Mapping[str, Mapping[str, Any]], num_classes: int) -> Figure:
    """Show the training loss of several attempts, one panel each, and what became of the models.

    Args:
        attempts: name → `losses`, one a step, `spread` of the logits and number of
            `predicted_classes` at the end.
        num_classes: guessing gives a loss of ln(num_classes), which is drawn.

    Raises:
        ValueError: there is none, or one has no losses.
    """
    if not attempts or not all(len(attempt["losses"]) for attempt in attempts.values()):
        raise ValueError("attempts holds no losses; expected {name: {'losses': …, 'spread': …}}.")
    chance = float(np.log(num_classes))
    down, across = panel_grid(len(attempts), 4)
    fig, panels = new_figure(2.7 * across, 2.3 * down, down, across, sharex=True, sharey=True)
    for place in range(
        len(attempts), panels.size
    ):  # the panel above such a gap is the last of its column
        panels.flat[place].set_axis_off()
        panels.flat[place - across].tick_params(labelbottom=True)
    for axes, (name, attempt) in zip(panels.flat, attempts.items(), strict=False):
        losses = np.asarray(attempt["losses"], float)
        low, high = chance - 1.2, chance + 2.8
        axes.plot(np.arange(1, len(losses) + 1), losses, color=CYCLE[0])
        axes.axhline(chance, color=MUTED, linestyle="--")
        axes.set_title(name, fontsize=9.5)
        axes.set_ylim(low, high)
        beyond = np.flatnonzero(losses > high)
        if 2 * len(beyond) > len(losses):  # its panel would be empty
            axes.plot(beyond + 1, np.full(len(beyond), high), color=CYCLE[1], linewidth=4)
            axes.text(
                0.97, 0.06, f"off the scale,\nup to {losses.max():.0f}", fontsize=8.5,
                transform=axes.transAxes, ha="right",
            )  # fmt: skip
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4, integer=True))
        spread, classes = attempt["spread"], attempt["predicted_classes"]
        axes.text(
            0.97, 0.95,
            f"loss {losses[-1]:.2f}\nspread {spread:.2g}\npredicts {classes} of {num_classes}",
            transform=axes.transAxes, ha="right", va="top", fontsize=8.5,
        )  # fmt: skip
        axes.grid(True)
    fig.supxlabel("step", fontsize=9.5)
    fig.supylabel("training loss (dashed: guessing)", fontsize=9.5)
    ends = "; ".join(f"{name} {a['losses'][-1]:.2f}" for name, a in attempts.items())
    show_figure(
        fig, f"Loss against step, {len(attempts)} panels; guessing gives {chance:.3f}. Last: {ends}."
    )
    return fig


@styled
def plot_sample_efficiency(
    curves: Mapping[str, tuple[Sequence[int], Sequence[float]]], chance: float, num_test_images: int
) -> Figure:
    """Show the accuracy of several models against the number of training images.

    Args:
        curves: name → numbers of images and accuracies, of the same length.
        chance: the accuracy of guessing, which is drawn.
        num_test_images: the bars reach two standard errors to both sides.

    Raises:
        ValueError: there is none, or the lengths differ.
    """
    if not curves:
        raise ValueError("curves is empty; expected {name: (numbers of images, accuracies)}.")
    fig, ((axes,),) = new_figure(6.4, 4.2)
    said = []
    for index, (name, (images, accuracies)) in enumerate(curves.items()):
        if len(images) != len(accuracies) or len(images) == 0:
            raise ValueError(f"{name}: {len(images)} numbers of images, {len(accuracies)} accuracies.")
        shares = np.asarray(accuracies, float)
        reach = 2 * np.sqrt(shares * (1 - shares) / num_test_images)
        axes.errorbar(
            images, shares, yerr=reach, color=CYCLE[index], marker=MARKERS[index], capsize=3,
            label=name,
        )  # fmt: skip
        points = zip(shares, reach, images, strict=True)
        said.append(f"{name}: " + ", ".join(f"{a:.1%} ± {r:.1%} from {n:,}" for a, r, n in points))
    axes.axhline(chance, color=MUTED, linestyle="--", label="guessing")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
    every = sorted({int(n) for images, _ in curves.values() for n in images})
    axes.set_xticks(every, [f"{n:,}" for n in every])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.set(xlabel="training images", ylabel="test accuracy", title="Sample efficiency")
    axes.grid(True)
    axes.legend(frameon=False)
    show_figure(
        fig,
        f"Test accuracy on {num_test_images:,} images against the number of training images, ± two "
        f"standard errors. {'. '.join(said)}.",
    )
    return fig

"""Attention weights as heat maps, and why scores are divided by √d."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.special import softmax

from utilities.figures.drawing import check_array, heat_map, new_figure, panel_grid, rounded
from utilities.figures.showing import show_figure
from utilities.figures.style import BLUE, VERMILLION, styled


@styled
def plot_attention(
    attention_weights: ArrayLike,
    query_labels: Sequence[str] | None = None,
    key_labels: Sequence[str] | None = None,
    title: str = "Attention weights",
) -> Figure:
    """Show attention weights as heat maps, one for each head, on one colour scale.

    Args:
        attention_weights: (n_q, n_k) or (h, n_q, n_k).
        query_labels: n_q names for the rows.
        key_labels: n_k names for the columns.

    Raises:
        ValueError: a shape or a number of labels does not fit.
    """
    weights = check_array(
        "attention_weights", attention_weights, "(n_q, n_k) or (h, n_q, n_k)", 2, 3
    ).astype(np.float64)
    heads = weights[None] if weights.ndim == 2 else weights
    h, n_q, n_k = heads.shape
    for name, labels, count in (("query", query_labels, n_q), ("key", key_labels, n_k)):
        if labels is not None and len(labels) != count:
            raise ValueError(f"{name}_labels has {len(labels)} entries; expected {count}.")

    rows, columns = panel_grid(h, most=4)
    side = 4.4 if h == 1 else 3.0 if columns <= 3 else 2.4
    fig, panels = new_figure(
        columns * side + 1.2, rows * side * 0.95 + 0.5, rows, columns, sharex=True, sharey=True
    )
    limits = {"vmin": 0.0, "vmax": np.nanmax(heads)}
    for index, axes in enumerate(panels.flat):
        if index >= h:
            axes.set_axis_off()
            continue
        colours = heat_map(axes, heads[index], aspect="auto", **limits)
        if h > 1:
            axes.set_title(f"head {index + 1}")
        if query_labels is not None:
            axes.set_yticks(range(n_q), query_labels)
        if key_labels is not None:
            long = max(map(len, map(str, key_labels))) * n_k > side * 8
            axes.set_xticks(range(n_k), key_labels, rotation=90 if long else 0)
    for axes in panels[:, 0]:
        axes.set_ylabel("query")
    for column in range(columns):
        last = (h - 1 - column) // columns
        panels[last, column].set_xlabel("key")
        panels[last, column].tick_params(labelbottom=True)
    fig.colorbar(colours, ax=panels, label="weight", shrink=0.9 if rows == 1 else 0.6)
    fig.suptitle(title)

    of_heads = "" if h == 1 else f", one for each of {h} heads"
    alt = (
        f"{title}: heat map of {n_q} queries × {n_k} keys{of_heads}. "
        f"The weights reach from {rounded(np.nanmin(heads))} to {rounded(np.nanmax(heads))}."
    )
    show_figure(fig, alt)
    return fig


@styled
def plot_softmax_temperature(
    dimensions: Sequence[int] = (2, 16, 128, 512), num_keys: int = 10, seed: int = 42
) -> Figure:
    """Show why scores are divided by √d: as d grows, softmax(q·k) saturates, softmax(q·k/√d) not.

    q and k have independent standard normal entries, so that q·k has variance d
    (Vaswani et al. 2017, section 3.2.1). Bars are one query's weights, sorted; the number is the
    largest weight, averaged over 1,000 queries.

    Args:
        dimensions: the widths d to compare.
        num_keys: how many keys a query attends to.
        seed: of the random vectors.
    """
    rng = np.random.default_rng(seed)
    fig, panels = new_figure(
        2.35 * len(dimensions) + 0.5, 4.8, 2, len(dimensions), sharex=True, sharey=True
    )
    means = np.empty((2, len(dimensions)))
    for column, d in enumerate(dimensions):
        q = rng.standard_normal((1000, 1, d))
        k = rng.standard_normal((1000, num_keys, d))
        scores = np.sum(q * k, axis=-1)  # (1000, num_keys)
        for row, scale in enumerate((1.0, math.sqrt(d))):
            weights = np.sort(softmax(scores / scale, axis=-1), axis=-1)[:, ::-1]
            means[row, column] = weights[:, 0].mean()
            axes = panels[row, column]
            axes.bar(np.arange(1, num_keys + 1), weights[0], color=(VERMILLION, BLUE)[row])
            axes.text(
                0.96, 0.93, f"largest weight,\nmean: {means[row, column]:.2f}",
                transform=axes.transAxes, ha="right", va="top",
            )  # fmt: skip
            axes.set_ylim(0, 1)
            axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
        panels[0, column].set_title(f"d = {d}")
        panels[1, column].set_xlabel("key, sorted by weight")
    panels[0, 0].set_ylabel("softmax(q·k)")
    panels[1, 0].set_ylabel("softmax(q·k / √d)")

    plain, scaled = (", ".join(f"{mean:.2f}" for mean in row) for row in means)
    alt = (
        f"Bar charts of one query's attention to {num_keys} random keys for d = "
        f"{', '.join(map(str, dimensions))}. Mean largest weight without scaling: {plain}; "
        f"with division by √d: {scaled}."
    )
    show_figure(fig, alt)
    return fig

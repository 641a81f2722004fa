"""The lab on attention variants: sharpness, singular values, cost, accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from utilities.figures.drawing import check_array, new_figure
from utilities.figures.showing import show_figure
from utilities.figures.style import BLUE, CYCLE, MARKERS, MUTED, VERMILLION, styled
from utilities.training.cost import fit_exponent


@styled
def plot_sharpness(widths: Sequence[int], largest: Mapping[str, ArrayLike], num_keys: int) -> Figure:
    """Show how much weight a query gives to its best key, for queries of growing width.

    Args:
        widths: numbers of entries of a query, (n,).
        largest: name → mean of the largest attention weight at each width, (n,).
        num_keys: number of keys; 1/num_keys is the least that the largest weight can be.

    Raises:
        ValueError: a line has not one number for each width.
    """
    fig, ((axes,),) = new_figure(6.4, 4.0)
    for index, (name, values) in enumerate(largest.items()):
        _line(axes, name, widths, _one_for_each(name, values, widths), index)
    axes.axhline(1 / num_keys, color=MUTED, linestyle=":", label="all keys alike")
    axes.set_xscale("log", base=2)
    _plain_ticks(axes, widths)
    axes.set(
        xlabel="d, entries of a query", ylabel="largest attention weight", ylim=(0, None),
        title="How sharply a query attends",
    )  # fmt: skip
    axes.grid(True)
    axes.legend()
    ends = "; ".join(
        f"{name} from {np.asarray(v)[0]:.2f} to {np.asarray(v)[-1]:.2f}" for name, v in largest.items()
    )
    alt = (
        f"Largest attention weight against the width d from {widths[0]} to {widths[-1]}, for random "
        f"queries and {num_keys} keys: {ends}. With all keys alike it is {1 / num_keys:.3f}."
    )
    show_figure(fig, alt)
    return fig


@styled
def plot_approximation(scales: Sequence[float], elsewhere: Mapping[str, ArrayLike]) -> Figure:
    """Show how much of softmax attention lies on other keys in attention that is to stand in for it.

    Args:
        scales: standard deviations of the entries of queries and keys, (n,).
        elsewhere: name → share of the weight that lies elsewhere, between 0 and 1, (n,).

    Raises:
        ValueError: a line has not one number for each scale.
    """
    fig, ((axes,),) = new_figure(6.4, 3.8)
    for index, (name, values) in enumerate(elsewhere.items()):
        _line(axes, name, scales, _one_for_each(name, values, scales), index)
    axes.set(
        xlabel="standard deviation of the entries of q and k", ylabel="share of the weight elsewhere",
        ylim=(0, 1), title="How far from softmax attention",
    )  # fmt: skip
    axes.grid(True)
    axes.legend()
    ends = "; ".join(
        f"{name} from {np.asarray(v)[0]:.2f} to {np.asarray(v)[-1]:.2f}"
        for name, v in elsewhere.items()
    )
    alt = (
        "Share of the attention weight that lies on other keys than softmax puts it on, against the "
        f"standard deviation of queries and keys from {scales[0]:g} to {scales[-1]:g}: {ends}."
    )
    show_figure(fig, alt)
    return fig


@styled
def plot_singular_values(values: ArrayLike) -> Figure:
    """Show the singular values of a matrix over the applications of a constraint.

    Args:
        values: (n + 1, k), the k singular values before the first step and after each of n.

    Raises:
        ValueError: `values` is not of that form.
    """
    values = check_array("values", values, "(steps + 1, number of singular values)", 2)
    steps = np.arange(len(values))
    fig, ((axes,),) = new_figure(6.4, 3.6)
    axes.plot(steps, values, color=BLUE, linewidth=1.2)
    axes.axhline(1.0, color=VERMILLION, linestyle="--", label="orthonormal: all are 1")
    axes.set(
        xlabel="applications of the constraint", ylabel="singular value", ylim=(0, None),
        title="Singular values of one matrix",
    )  # fmt: skip
    axes.grid(True)
    axes.legend()
    first, last = values[0], values[-1]
    alt = (
        f"{values.shape[1]} singular values over {len(values) - 1} applications of the constraint: "
        f"from between {first.min():.2f} and {first.max():.2f} to between {last.min():.2f} and "
        f"{last.max():.2f}."
    )
    show_figure(fig, alt)
    return fig


@styled
def plot_cost(
    lengths: Sequence[int],
    seconds: Mapping[str, ArrayLike],
    peak_bytes: Mapping[str, ArrayLike],
    clock: str = "processor time",
) -> Figure:
    """Show time and memory against the number of tokens, both axes logarithmic.

    The legend gives each line's exponent, its slope over the last three lengths.

    Args:
        lengths: numbers of tokens, (n,).
        seconds: name → time of one call at each length; a line may end before the others.
        peak_bytes: name → memory alive at the same time at each length, likewise.
        clock: which time was taken.

    Raises:
        ValueError: a line has more numbers than there are lengths, or fewer than two.
    """
    fig, (panels,) = new_figure(10.4, 5.6, columns=2)
    panels_of = (
        ("Time", f"milliseconds of {clock}", seconds, 1e3),
        ("Memory", "megabytes at the peak", peak_bytes, 1e-6),
    )
    exponents: dict[str, list[str]] = {name: [] for name in seconds}
    for axes, (title, label, lines, unit) in zip(panels, panels_of, strict=True):
        for index, (name, values) in enumerate(lines.items()):
            measured = lengths[: max(2, np.size(values))]
            values = _one_for_each(name, values, measured)
            exponent = fit_exponent(measured, values.tolist())
            exponents[name].append(f"{exponent:.1f}")
            _line(axes, f"{name}: $N^{{{exponent:.2f}}}$", measured, unit * values, index)
        axes.set(xscale="log", yscale="log", xlabel="N, number of tokens", ylabel=label, title=title)
        _plain_ticks(axes, lengths)
        axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
        axes.grid(True)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)
    listed = "; ".join(f"{name} {' and '.join(pair)}" for name, pair in exponents.items())
    alt = (
        f"Cost of one call for {lengths[0]} to {lengths[-1]} tokens, logarithmic. Exponents of time "
        f"and of memory: {listed}."
    )
    show_figure(fig, alt)
    return fig


@styled
def plot_accuracies(
    accuracies: Mapping[str, tuple[float, float]], num_images: int, num_classes: int
) -> Figure:
    """Show top-1 and top-5 accuracy of several models, with what chance in the images allows.

    Args:
        accuracies: name → (top-1, top-5), shares between 0 and 1.
        num_images: test images; the bars reach two standard errors to both sides.
        num_classes: number of classes, for the line of guessing.

    Raises:
        ValueError: there is no model.
    """
    if not accuracies:
        raise ValueError("accuracies is empty; expected {name: (top-1, top-5)}.")
    names = list(accuracies)
    places = np.arange(len(names))[::-1]
    fig, (panels,) = new_figure(10.0, 1.6 + 0.36 * len(names), columns=2, sharey=True)
    for axes, rank, colour, marker in zip(panels, (1, 5), (BLUE, VERMILLION), "os", strict=True):
        shares = np.array([accuracies[name][rank == 5] for name in names])
        errors = np.sqrt(shares * (1 - shares) / num_images)
        axes.errorbar(
            100 * shares, places, xerr=200 * errors, fmt=marker, color=colour, capsize=3, markersize=6
        )
        axes.axvline(100 * rank / num_classes, color=MUTED, linestyle=":", label="guessing")
        axes.set(xlabel="% of the test images", title=f"Top-{rank} accuracy", xlim=(0, None))
        axes.set_yticks(places, names)
        axes.grid(True, axis="x")
    fig.legend(*axes.get_legend_handles_labels(), loc="outside lower center", frameon=False)
    listed = "; ".join(f"{n}: {100 * a:.1f} and {100 * b:.1f} %" for n, (a, b) in accuracies.items())
    alt = f"Top-1 and top-5 accuracy on {num_images} test images. {listed}."
    show_figure(fig, alt)
    return fig


def _line(axes: Axes, name: str, x: ArrayLike, y: ArrayLike, index: int) -> None:
    """Draw a line; colour, marker and dashes together tell it from any other."""
    axes.plot(
        x, y, color=CYCLE[index % len(CYCLE)], marker=MARKERS[(2 * index) % len(MARKERS)],
        linestyle="-" if index < len(CYCLE) else "--", markersize=5, label=name,
    )  # fmt: skip


def _one_for_each(name: str, values: ArrayLike, x: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.shape != (len(x),):
        raise ValueError(f"{name} has shape {array.shape}; expected ({len(x)},).")
    return array


def _plain_ticks(axes: Axes, values: Sequence[int]) -> None:
    """Label the horizontal axis with these numbers, as they are."""
    axes.xaxis.set_major_locator(matplotlib.ticker.FixedLocator(list(values)))
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())

"""Kernel regression: the fit beside its attention map."""

from __future__ import annotations

from typing import Any

import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from utilities.figures.drawing import check_vector, heat_map, new_figure, rounded
from utilities.figures.showing import LabFigure, show_figure
from utilities.figures.style import BLUE, GREEN, VERMILLION, styled


@styled
def plot_regression(
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_query: ArrayLike,
    prediction: ArrayLike,
    truth: ArrayLike,
    attention_weights: ArrayLike,
    sigma: float,
    title: str | None = None,
) -> Figure:
    """Show a Nadaraya-Watson fit beside its attention map.

    Args:
        x_train, y_train: observations (n_k,) or (n_k, 1).
        x_query, prediction, truth: the fit and the true curve (n_q,) or (n_q, 1).
        attention_weights: (n_q, n_k).
        sigma: the kernel's bandwidth, for the labels.

    Raises:
        ValueError: a shape does not fit.
    """
    fig, alt = regression_figure(
        x_train, y_train, x_query, prediction, truth, attention_weights, sigma, title
    )
    show_figure(fig, alt)
    return fig


def regression_figure(
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_query: ArrayLike,
    prediction: ArrayLike,
    truth: ArrayLike,
    attention_weights: ArrayLike,
    sigma: float,
    title: str | None = None,
) -> tuple[LabFigure, str]:
    x_train = check_vector("x_train", x_train)
    y_train = check_vector("y_train", y_train, len(x_train))
    x_query = check_vector("x_query", x_query)
    prediction = check_vector("prediction", prediction, len(x_query))
    truth = check_vector("truth", truth, len(x_query))
    weights = np.asarray(attention_weights)
    if weights.shape != (len(x_query), len(x_train)):
        raise ValueError(
            f"attention_weights has shape {weights.shape}; "
            f"expected (queries, keys) = ({len(x_query)}, {len(x_train)})."
        )
    keys, queries = np.argsort(x_train, kind="stable"), np.argsort(x_query, kind="stable")

    fig, ((fit, attention),) = new_figure(9.6, 4.0, columns=2, width_ratios=(1.25, 1))
    fit.plot(x_query[queries], truth[queries], color=GREEN, linestyle="--", label="true curve")
    fit.plot(x_query[queries], prediction[queries], color=BLUE, linewidth=2.4, label="prediction")
    fit.plot(x_train, y_train, "o", color=VERMILLION, markersize=4, alpha=0.75, label="observations")
    fit.set(xlabel="x", ylabel="y", title=f"Fit with σ = {rounded(sigma)}")
    fit.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False)
    fit.grid(True)

    colours = heat_map(attention, weights[np.ix_(queries, keys)], aspect="auto", vmin=0)
    attention.set(xlabel="key: training point x", ylabel="query: x", title="Attention weights")
    _value_ticks(attention.xaxis, x_train[keys])
    _value_ticks(attention.yaxis, x_query[queries])
    fig.colorbar(colours, ax=attention, label="weight")
    if title:
        fig.suptitle(title)
    return fig, _regression_alt(len(x_train), prediction, truth, weights, sigma)


def _value_ticks(axis: Any, values: np.ndarray) -> None:
    """Label the rows or columns of a matrix with round values, where these lie among `values`."""
    ticks = matplotlib.ticker.MaxNLocator(5).tick_values(values[0], values[-1])
    ticks = ticks[(ticks >= values[0]) & (ticks <= values[-1])]
    axis.set_ticks(np.interp(ticks, values, np.arange(len(values))), [f"{t:g}" for t in ticks])


def _regression_alt(
    n_keys: int, prediction: np.ndarray, truth: np.ndarray, weights: np.ndarray, sigma: float
) -> str:
    alt = (
        f"Line plot: {n_keys} noisy observations, the true curve and the Nadaraya-Watson "
        f"prediction with σ = {rounded(sigma)}"
    )
    lost = int((~np.isfinite(prediction)).sum())
    if lost:
        return (
            f"{alt}; {lost} of {len(prediction)} predictions are not numbers, "
            "because there all the weights are zero or not numbers."
        )
    error = rounded(np.mean((prediction - truth) ** 2))
    # 1 / Σw² is the number of equal weights that would be as concentrated (Kish 1965)
    shared = np.mean(1 / np.maximum(np.sum(np.square(weights), axis=-1), np.finfo(float).tiny))
    return (
        f"{alt}, mean squared distance to the true curve {error}. Beside it, the attention map of "
        f"{weights.shape[0]} queries × {weights.shape[1]} keys: a query averages over about "
        f"{rounded(shared)} keys, the largest weight is {rounded(np.max(weights))}."
    )

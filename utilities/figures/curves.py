"""Learning curves of one or more runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utilities.figures.drawing import counted, new_figure, rounded
from utilities.figures.showing import LabFigure, show_figure
from utilities.figures.style import CYCLE, MARKERS, styled


@styled
def plot_history(histories: Mapping[str, Any], training: bool = True) -> Figure:
    """Show loss and accuracy of one or more runs: training dashed, validation solid.

    Args:
        histories: name of the run → Keras' `History` or its dict
            (`loss`, `accuracy`, `val_loss`, `val_accuracy`, one number an epoch).
        training: draw the training curves too; many runs are easier to tell apart without them.

    Raises:
        ValueError: there is no run, or one holds no loss.
    """
    fig, alt = history_figure(histories, training)
    show_figure(fig, alt)
    return fig


def history_figure(histories: Mapping[str, Any], training: bool = True) -> tuple[LabFigure, str]:
    if not isinstance(histories, Mapping) or not histories:
        raise ValueError("histories is no mapping of runs; expected {name of the run: History}.")
    runs = {
        name: {metric: list(values) for metric, values in getattr(run, "history", run).items()}
        for name, run in histories.items()
    }
    for name, run in runs.items():
        if not run.get("loss"):
            raise ValueError(f"The run {name!r} holds no loss; expected History or its dict.")
    metrics = [metric for metric in ("loss", "accuracy") if any(metric in r for r in runs.values())]

    fig, (panels,) = new_figure(4.8 * len(metrics), 4.0, columns=len(metrics))
    epochs = max(len(run["loss"]) for run in runs.values())
    for axes, metric in zip(panels, metrics, strict=True):
        for index, (name, run) in enumerate(runs.items()):
            _plot_run(axes, name, run, metric, index, training)
        axes.set(xlabel="epoch", ylabel=metric, title=metric.capitalize())
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.set_xlim(1 - 0.04 * epochs, epochs + 0.04 * epochs)
        axes.grid(True)
    handles, names = panels[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    return fig, _history_alt(runs)


def _plot_run(
    axes: Axes, name: str, run: Mapping[str, Any], metric: str, index: int, training: bool
) -> None:
    """Draw one run's two curves; colour and marker tell the run, dashes tell training."""
    turn = index // len(CYCLE)  # from the sixth run on, a colour comes back with another marker
    colour, marker = CYCLE[index % len(CYCLE)], MARKERS[(index + turn) % len(MARKERS)]
    for key, kind, dashes in ((metric, "training", "--"), (f"val_{metric}", "validation", "-")):
        values = run.get(key)
        if values and (training or kind == "validation"):
            axes.plot(
                range(1, len(values) + 1), values, dashes, color=colour, marker=marker,
                markersize=4.5, markevery=max(1, len(values) // 12), label=f"{name}, {kind}",
                markerfacecolor="white" if kind == "training" else colour,
            )  # fmt: skip


def _history_alt(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """Say where each run ends; of many runs, with what validation accuracy."""
    sentences, few = [], len(runs) <= 3
    for name, run in runs.items():
        ends = ", ".join(
            f"{key.replace('val_', 'validation ')} {rounded(run[key][-1])}"
            for key in (("loss", "val_loss", "accuracy") if few else ()) + ("val_accuracy",)
            if run.get(key)
        )
        epochs = len(run["loss"])
        sentences.append(f"{name} after {counted(epochs, 'epoch')}: {ends}.")
    return f"Learning curves. {' '.join(sentences)}"

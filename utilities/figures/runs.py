"""The trainings that the kit keeps: in a table, side by side, and how far from one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure

from utilities.figures.drawing import counted, new_figure
from utilities.figures.showing import display_bundle, sentence, show_figure
from utilities.figures.style import BLUE, MUTED, VERMILLION, styled
from utilities.training.runs import Run, mean_and_spread
from utilities.training.testing import format_difference

Difference = tuple[float, float]  # of two accuracies, and its standard error

NO_RUNS = "Of this profile and these images the kit keeps no runs; the standard one's are in data/runs."


def show_runs(runs: Mapping[str, Sequence[Run]]) -> None:
    """Show what the kept runs reached and took; name → one run for each seed."""
    if runs:
        display(runs_table(runs))
    else:
        display_bundle(sentence(NO_RUNS))


def runs_table(runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Return one row a training: seeds, epochs, test accuracy, processor minutes, machines.

    Seeds may have run on machines of different speed: the minutes are the least and the most.
    """
    rows = {}
    for name, seeds in runs.items():
        accuracy, spread = mean_and_spread([100 * run.test_accuracy for run in seeds])
        least, most = (f"{of(run.processor_minutes for run in seeds):.1f}" for of in (min, max))
        rows[name] = {
            "seeds": len(seeds),
            "epochs": len(seeds[0].history["loss"]),
            "multiply-adds an image": f"{seeds[0].multiply_adds / 1e6:.1f} million",
            "test accuracy": f"{accuracy:.1f}%" + (f" ± {spread:.1f}" if len(seeds) > 1 else ""),
            "processor minutes": least if least == most else f"{least} to {most}",
            "machine": " / ".join(dict.fromkeys(run.machine for run in seeds)),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


@styled
def plot_ablation(
    runs: Mapping[str, Sequence[Run]], names: Sequence[str], own: Mapping[str, float] | None = None
) -> Figure:
    """Show the test accuracy of several settings: each seed, their mean, and runs of one's own.

    Args:
        runs: the kept ones, name → one run for each seed; a name without runs stays empty.
        names: of the settings, the one that all are compared with first.
        own: name → test accuracy in [0, 1] of a run made just now.

    Raises:
        ValueError: a run of one's own has a name that is not among `names`.
    """
    own = own or {}
    if unknown := set(own) - set(names):
        raise ValueError(f"own has {sorted(unknown)}; expected names among {list(names)}.")
    fig, ((axes,),) = new_figure(8.2, 0.5 * len(names) + 1.3)
    sentences = []
    for row, name in enumerate(names):
        points = [100 * run.test_accuracy for run in runs.get(name, ())]
        if points:
            mean, spread = mean_and_spread(points)
            axes.plot(
                points, [row] * len(points), "o", color=BLUE, markersize=5, label="kept run, one seed"
            )
            axes.plot(
                [mean, mean],
                [row - 0.28, row + 0.28],
                color=BLUE,
                linewidth=2.5,
                label="mean of the seeds",
            )
            sentences.append(
                f"{name}: {mean:.1f} % over {counted(len(points), 'seed')}, spread {spread:.1f}."
            )
            if row == 0:
                axes.axvline(mean, color=MUTED, linewidth=1, linestyle=":")
        if name in own:
            axes.plot(100 * own[name], row, "D", color=VERMILLION, markersize=7, label="your run")
            sentences.append(f"Your run, {name}: {100 * own[name]:.1f} %.")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set(xlabel="test accuracy (%)", title="One change at a time, at equal computation")
    axes.grid(True, axis="x")
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    if unique:
        fig.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=3, frameon=False)
    show_figure(fig, f"Dot plot of test accuracies. {' '.join(sentences) or 'There are no runs yet.'}")
    return fig


@styled
def plot_differences(
    groups: Mapping[str, Sequence[str]],
    kept: Mapping[str, Difference],
    own: Mapping[str, Difference],
    reference: str,
) -> Figure:
    """Show how far the accuracies of several models are from one of them, with what chance allows.

    Args:
        groups: title → names of the models, in the order in which they are drawn; those without a run
            are left out.
        kept, own: name → difference of the test accuracies, in shares, and its standard error: of the
            kit's runs and of one's own. The bars reach two standard errors to both sides.
        reference: what they are compared with, for the axis.

    Raises:
        ValueError: a run has a name that is in no group.
    """
    if unknown := {*kept, *own} - {name for names in groups.values() for name in names}:
        raise ValueError(f"There are runs of {sorted(unknown)}; expected names in {dict(groups)}.")
    rows: list[tuple[str, bool]] = []  # what stands on the left, and whether it is a title
    for title, names in groups.items():
        there = [(name, False) for name in names if name in kept or name in own]
        rows += [(title, True), *there] if there else []
    fig, ((axes,),) = new_figure(8.2, 0.36 * len(rows) + 1.7)
    axes.axvline(0, color=MUTED, linewidth=1, linestyle=":")
    series = (("the kit's runs", kept, BLUE, "o", -0.13), ("your runs", own, VERMILLION, "D", 0.13))
    sentences = []
    for label, runs, colour, marker, down in series:
        places = [row + down for row, (name, _) in enumerate(rows) if name in runs]
        drawn = [runs[name] for name, _ in rows if name in runs]
        if drawn:
            means, errors = 100 * np.transpose(drawn)  # (rows,) each
            axes.errorbar(
                means, places, xerr=2 * errors, fmt=marker, color=colour, capsize=3, markersize=6,
                label=f"{label}, ± 2 standard errors",
            )  # fmt: skip
        sentences += [
            f"{label}, {name}: {format_difference(*runs[name])}." for name, _ in rows if name in runs
        ]
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    for text, (_, is_title) in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_fontweight("bold" if is_title else "normal")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set(
        xlabel=f"top-1 accuracy less that of {reference} (percentage points)",
        title=f"How far from {reference}?",
    )
    axes.grid(True, axis="x")
    if sentences:
        fig.legend(loc="outside lower center", ncols=2, frameon=False)
    listed = " ".join(sentences) or "There are no runs yet."
    show_figure(fig, f"Differences of test accuracies from {reference}, in percentage points. {listed}")
    return fig

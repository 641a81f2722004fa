"""Runs side by side: bars of energy with their uncertainty, and what they amount to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utilities.energy.equivalents import energy_equivalents
from utilities.energy.report import EnergyReport
from utilities.energy.units import (
    energy_unit,
    format_carbon,
    format_energy,
    format_interval,
    format_seconds,
)
from utilities.figures.drawing import new_figure
from utilities.figures.style import BLUE, MUTED, ORANGE, styled

MEASURED_LOOK: dict[str, Any] = {"color": BLUE}
ESTIMATED_LOOK: dict[str, Any] = {"color": ORANGE, "hatch": "//", "edgecolor": "white", "linewidth": 0}


@styled
def compare_energy(
    reports: Sequence[EnergyReport], accuracies: Sequence[float] | None = None
) -> Figure:
    """Draw the energy of runs side by side, what it amounts to, and what each point costs.

    A bar is the energy of a run, measured (solid blue) and estimated (hatched orange) parts one
    after the other. The line across its end goes from the least to the most energy that fits the
    components' uncertainty: for NVML ±5 %, NVIDIA's own statement; for a processor without a
    readable sensor from its idle power, 21 % of its nominal power, to all of it, while the bar
    takes carbontracker's half. The sources stand at the head of `utilities.energy.components`.
    Sensors that state no error have no line. The bounds of the components are added up, so that
    they hold even when all err the same way; two runs on the same machine err together, and their
    ratio is known better than either.

    Args:
        reports: what `EnergyMeter.report` or `EnergyReport.load` gives.
        accuracies: test accuracies in [0, 1], one per report; they add a second panel, the
            energy per correct percentage point (energy divided by 100 times the accuracy).

    Returns:
        A figure that has not been shown yet; `describe_energy` gives its alternative text.
    """
    _check(reports, accuracies)
    panels = 1 if accuracies is None else 2
    figure, grid = new_figure(8, panels * (1.2 + 0.75 * len(reports)) + 0.6, rows=panels)
    axes = grid[:, 0]
    _draw_bars(axes[0], reports, np.ones(len(reports)), "Energy")
    _annotate(axes[0], reports)
    if accuracies is not None:
        points = 100 * np.asarray(accuracies, dtype=float)
        _draw_bars(axes[1], reports, points, "Energy per correct percentage point")
        _annotate_points(axes[1], reports, points)
    axes[0].legend(
        *_legend(axes[0]),
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=3,
        frameon=False,
        fontsize="small",
    )
    sources = [e.source for e in energy_equivalents(0.0, 0.0)]
    figure.supxlabel("\n".join(sources), fontsize="x-small", color=MUTED, x=0.01, ha="left")
    figure.alt = describe_energy(reports, accuracies)
    return figure


def describe_energy(reports: Sequence[EnergyReport], accuracies: Sequence[float] | None = None) -> str:
    """Return the alternative text of the figure that `compare_energy` draws of the same runs."""
    _check(reports, accuracies)
    sentences = [f"Bar chart of the energy of {len(reports)} run(s)."]
    for index, report in enumerate(reports):
        if report.kwh is None:
            sentences.append(f"{report.label}: no component was readable, energy unknown.")
            continue
        sentence = (
            f"{report.label}: {format_energy(report.kwh)} {report.basis}"
            f"{format_interval(report.kwh_interval)}, {format_carbon(report.g_co2eq)},"
            f" {format_seconds(report.seconds)}"
        )
        if accuracies is not None:
            sentence += f", accuracy {100 * accuracies[index]:.1f} %"
            per_point = report.kwh_per_point(accuracies[index])
            if per_point is not None:
                sentence += f", {format_energy(per_point)} per correct percentage point"
        sentences.append(sentence + ".")
    return " ".join(sentences)


def _check(reports: Sequence[EnergyReport], accuracies: Sequence[float] | None) -> None:
    if not reports:
        raise ValueError("there is no report to compare")
    if accuracies is None:
        return
    if len(accuracies) != len(reports):
        raise ValueError(f"{len(reports)} report(s) but {len(accuracies)} accuracies")
    if not all(0 <= accuracy <= 1 for accuracy in accuracies):
        raise ValueError(f"accuracies are fractions between 0 and 1, not {list(accuracies)}")


def _draw_bars(axes: Axes, reports: Sequence[EnergyReport], divisors: np.ndarray, title: str) -> None:
    """Draw one bar per report, its energy divided by `divisors`; none where that is unknown."""
    known = [
        (row, report.energy, divisor)
        for row, (report, divisor) in enumerate(zip(reports, divisors, strict=True))
        if report.energy and divisor > 0
    ]
    tops = [energy.high / divisor for _, energy, divisor in known]
    scale, unit = energy_unit(max(tops, default=1.0))
    for row, energy, divisor in known:
        factor = scale / divisor
        measured, total = energy.measured * factor, energy.total * factor
        low, high = energy.low * factor, energy.high * factor
        axes.barh(row, measured, height=0.45, label="measured", **MEASURED_LOOK)
        axes.barh(
            row, total - measured, left=measured, height=0.45, label="estimated", **ESTIMATED_LOOK
        )
        if high > low:
            axes.errorbar(
                total,
                row,
                xerr=[[total - low], [high - total]],
                fmt="none",
                ecolor="black",
                capsize=4,
                label="uncertainty",
            )
    for row in set(range(len(reports))) - {row for row, *_ in known}:
        axes.text(0, row, " unknown", va="center", color=MUTED)
    axes.set_yticks(range(len(reports)), [report.label for report in reports])
    axes.set_ylim(len(reports) - 0.4, -0.6)  # the first report on top
    axes.set_xlim(0, scale * max(tops, default=1.0) * 1.05 or 1.0)
    axes.set_xlabel(unit)
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _annotate(axes: Axes, reports: Sequence[EnergyReport]) -> None:
    """Write under each bar its figures and what they amount to."""
    for row, report in enumerate(reports):
        if report.kwh is None or report.g_co2eq is None:
            continue
        equivalents = energy_equivalents(report.kwh, report.g_co2eq)
        text = " · ".join(
            [
                format_energy(report.kwh),
                format_carbon(report.g_co2eq),
                *(f"≈ {equivalent.text}" for equivalent in equivalents),
            ]
        )
        _write_below(axes, row, text)


def _annotate_points(axes: Axes, reports: Sequence[EnergyReport], points: np.ndarray) -> None:
    for row, (report, point) in enumerate(zip(reports, points, strict=True)):
        if report.kwh is not None and point > 0:
            _write_below(axes, row, f"{format_energy(report.kwh / point)} at {point:.1f} % correct")


def _write_below(axes: Axes, row: int, text: str) -> None:
    axes.annotate(
        text,
        (0, row + 0.25),
        xytext=(3, -1),
        textcoords="offset points",
        va="top",
        fontsize="small",
        color=MUTED,
    )


def _legend(axes: Axes) -> tuple[list, list[str]]:
    """Return one entry for each kind of mark that is to be seen."""
    entries: dict[str, Any] = {}
    for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
        patches = getattr(handle, "patches", None)
        if patches is None or any(patch.get_width() > 0 for patch in patches):
            entries.setdefault(label, handle)
    marks: tuple[str, ...] = ("measured", "estimated", "uncertainty")
    labels = [label for label in marks if label in entries]
    return [entries[label] for label in labels], labels

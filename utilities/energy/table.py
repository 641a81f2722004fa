"""The energy reports of several runs in one table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from utilities.energy.report import Energy, EnergyReport, Span
from utilities.energy.units import UNKNOWN, energy_unit, format_carbon, format_seconds

NOTHING = "–"
CAPTION = "measured: read from a sensor · estimated: from the nominal power, or simulated"


def energy_table(reports: list[EnergyReport], epochs: bool = False) -> Table:
    """Return a table of reports, measured and estimated energy in columns of their own."""
    scale, unit = energy_unit(max((report.kwh or 0.0 for report in reports), default=0.0))
    table = Table(title="Energy of the runs", caption=CAPTION)
    table.add_column("run")
    energies = [f"{name} ({unit})" for name in ("measured", "estimated", "total", "bounds")]
    for name in ("epochs", "time", *energies, "carbon"):
        table.add_column(name, justify="right")
    table.add_column("read from")
    table.add_column("carbon intensity")
    for report in reports:
        table.add_row(*_report_row(report, scale))
        if epochs:
            for row in _span_rows(report, scale):
                table.add_row(*row)
    if len(reports) > 1:
        table.add_section()
        table.add_row(*_sum_row(reports, scale))
    return table


def _report_row(report: EnergyReport, scale: float) -> list[str]:
    sensors = [
        f"{component.name}: {component.sensor} ({component.basis})" for component in report.components
    ]
    return [
        _plain(report.label + (" (interrupted)" if report.interrupted else "")),
        str(len(report.epochs)),
        format_seconds(report.seconds),
        *_energy_cells(report.energy, scale),
        format_carbon(report.g_co2eq),
        "\n".join(sensors) or "no component readable",
        _plain(f"{report.intensity:.0f} g/kWh, {report.intensity_source}"),
    ]


def _span_rows(report: EnergyReport, scale: float) -> Iterator[list[str]]:
    nothing = Span(0.0, dict.fromkeys((component.name for component in report.components), 0.0))
    spans = [(f"  epoch {number}", span) for number, span in enumerate(report.epochs, start=1)]
    if report.outside_epochs.seconds:
        spans.append(("  outside the epochs", report.outside_epochs))
    for name, span in spans:
        part = dataclasses.replace(report, epochs=(span,), outside_epochs=nothing)
        yield [
            name,
            "",
            format_seconds(span.seconds),
            *_energy_cells(part.energy, scale),
            format_carbon(part.g_co2eq),
        ]


def _sum_row(reports: list[EnergyReport], scale: float) -> list[str]:
    """Return the sum of the class; runs without a reading are left out and counted."""
    known = [report for report in reports if report.energy]
    left_out = len(reports) - len(known)
    energies = [report.energy for report in reports if report.energy]
    carbon = [report.g_co2eq for report in reports if report.g_co2eq is not None]
    return [
        f"all {len(known)} known runs" + (f" ({left_out} unknown)" if left_out else ""),
        str(sum(len(report.epochs) for report in known)),
        format_seconds(sum(report.seconds for report in known)),
        *_energy_cells(_sum_of(energies), scale),
        format_carbon(sum(carbon)),
    ]


def _sum_of(energies: list[Energy]) -> Energy:
    """Return the sum of each figure."""
    names = [field.name for field in dataclasses.fields(Energy)]
    return Energy(*(sum(getattr(energy, name) for energy in energies) for name in names))


def _energy_cells(energy: Energy | None, scale: float) -> list[str]:
    """Return measured, estimated, total and bounds, in the table's unit."""
    if energy is None:
        return [NOTHING, NOTHING, UNKNOWN, NOTHING]
    return [
        f"{energy.measured * scale:.3g}" if energy.measured else NOTHING,
        f"{energy.estimated * scale:.3g}" if energy.estimated else NOTHING,
        f"{energy.total * scale:.3g}",
        f"{energy.low * scale:.3g} to {energy.high * scale:.3g}"
        if energy.low < energy.high
        else NOTHING,
    ]


def notes_by_run(reports: list[EnergyReport]) -> dict[str, list[str]]:
    """Return each note once, with the runs that carry it."""
    notes: dict[str, list[str]] = {}
    for report in reports:
        for note in report.notes:
            notes.setdefault(note, []).append(report.label)
    return notes


def _plain(text: str) -> str:
    """Return a user's text so that its brackets are no markup."""
    return escape(text)

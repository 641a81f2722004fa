"""What a run has cost: one record, saved as JSON so that a class can pool its runs."""

from __future__ import annotations

import dataclasses
import html
import json
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from utilities.energy.units import format_carbon, format_energy, format_interval

FORMAT = "attention-lab-kit energy report 1"
MEASURED, ESTIMATED = "measured", "estimated"
PARTLY_MEASURED, UNREADABLE = "partly measured", "unreadable"


@dataclass(frozen=True)
class ComponentRecord:
    """One component whose power was known.

    `sensor` says how: NVML, RAPL, powermetrics, nominal power or simulated. `low` and `high` are
    factors: the true energy is taken to lie between `low` and `high` times the figure.
    """

    name: str
    devices: tuple[str, ...]
    sensor: str
    basis: str
    low: float
    high: float


@dataclass(frozen=True)
class Span:
    """A stretch of time and the energy (kWh) that each component used in it."""

    seconds: float
    kwh: dict[str, float]


@dataclass(frozen=True)
class Energy:
    """The energy (kWh) of a run: the total, its two parts, and the least and most it may be."""

    total: float
    measured: float
    estimated: float
    low: float
    high: float


@dataclass(frozen=True)
class EnergyReport:
    """Energy and carbon of one run: per epoch, outside the epochs, and in total.

    Energies are in kWh and include the factor `pue` for the building around the computer (1: the
    device alone). `intensity` is in g CO2-eq per kWh; `intensity_source` says where it comes from.
    Where no component was readable, energies are None: unknown, not zero.
    """

    label: str
    components: tuple[ComponentRecord, ...]
    epochs: tuple[Span, ...]
    outside_epochs: Span
    intensity: float
    intensity_source: str
    pue: float
    interrupted: bool
    notes: tuple[str, ...]
    started: str
    software: str

    @property
    def spans(self) -> tuple[Span, ...]:
        return (*self.epochs, self.outside_epochs)

    @property
    def seconds(self) -> float:
        return sum(span.seconds for span in self.spans)

    @property
    def energy(self) -> Energy | None:
        """Every figure of the energy, or None where no component was readable."""
        if not self.components:
            return None
        return Energy(
            total=self._sum(lambda component: 1.0),
            measured=self._sum(lambda component: float(component.basis == MEASURED)),
            estimated=self._sum(lambda component: float(component.basis == ESTIMATED)),
            low=self._sum(lambda component: component.low),
            high=self._sum(lambda component: component.high),
        )

    @property
    def kwh(self) -> float | None:
        return self.energy.total if self.energy else None

    def kwh_per_point(self, accuracy: float) -> float | None:
        """Return the energy per correct percentage point, accuracy in [0, 1]; None without either."""
        if self.kwh is None or accuracy == 0:
            return None
        return self.kwh / (100 * accuracy)

    @property
    def g_co2eq(self) -> float | None:
        return self.carbon(self.kwh)

    @property
    def measured_kwh(self) -> float | None:
        return self.energy.measured if self.energy else None

    @property
    def estimated_kwh(self) -> float | None:
        return self.energy.estimated if self.energy else None

    @property
    def kwh_interval(self) -> tuple[float, float] | None:
        """The least and the most energy (kWh) that fit the components' uncertainty."""
        return (self.energy.low, self.energy.high) if self.energy else None

    @property
    def basis(self) -> str:
        """Whether the total is measured, estimated, partly measured or unreadable."""
        bases = {component.basis for component in self.components}
        if len(bases) == 2:
            return PARTLY_MEASURED
        return bases.pop() if bases else UNREADABLE

    def span_kwh(self, span: Span) -> float | None:
        return sum(span.kwh.values()) if self.components else None

    def carbon(self, kwh: float | None) -> float | None:
        """Return the g CO2-eq of an energy in kWh."""
        return None if kwh is None else kwh * self.intensity

    def _sum(self, weight: Callable[[ComponentRecord], float]) -> float:
        return sum(
            weight(component) * span.kwh[component.name]
            for component in self.components
            for span in self.spans
        )

    def save(self, path: str | os.PathLike) -> Path:
        """Write the report as JSON. A file of that name is replaced whole or left as it was."""
        path = Path(path)
        text = json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=2) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(scratch, path)
        except BaseException:
            os.unlink(scratch)
            raise
        return path

    @classmethod
    def load(cls, path: str | os.PathLike) -> EnergyReport:
        """Read a saved report. ValueError, naming the file, where it does not hold one."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise ValueError(f"{path}: not JSON ({error})") from error
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise ValueError(f"{path}: not an energy report that EnergyReport.save has written")
        try:
            return _from_json(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path}: a damaged energy report ({error!r})") from error

    def __str__(self) -> str:
        lines = [
            f"{self.label}: {format_energy(self.kwh)} {self.basis}"
            f"{format_interval(self.kwh_interval)}, {format_carbon(self.g_co2eq)},"
            f" {self.seconds:.1f} s" + (" (interrupted)" if self.interrupted else "")
        ]
        lines += [
            f"  epoch {number}: {format_energy(self.span_kwh(span))},"
            f" {format_carbon(self.carbon(self.span_kwh(span)))}, {span.seconds:.1f} s"
            for number, span in enumerate(self.epochs, start=1)
        ]
        lines += [
            f"  {component.name} ({component.basis}, {component.sensor}):"
            f" {', '.join(component.devices)}"
            for component in self.components
        ]
        lines += [f"  carbon intensity: {self.intensity:.0f} g/kWh, {self.intensity_source}"]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _from_json(content: dict) -> EnergyReport:
    """Rebuild a report and refuse values that could not have come from a run."""
    components = tuple(
        ComponentRecord(**{**item, "devices": tuple(item["devices"])}) for item in content["components"]
    )
    report = EnergyReport(
        **{
            **content,
            "components": components,
            "epochs": tuple(Span(**item) for item in content["epochs"]),
            "outside_epochs": Span(**content["outside_epochs"]),
            "notes": tuple(content["notes"]),
        }
    )
    if not isinstance(report.label, str):
        raise ValueError("the label is not text")
    for component in components:
        if component.basis not in (MEASURED, ESTIMATED):
            raise ValueError("a component is neither measured nor estimated")
        if not 0 <= component.low <= 1 <= component.high < math.inf:
            raise ValueError("bounds that do not enclose the figure")
    names = {component.name for component in components}
    for span in report.spans:
        if set(span.kwh) != names:
            raise ValueError("an epoch lists other components than the report")
        if not all(0 <= value < math.inf for value in (span.seconds, *span.kwh.values())):
            raise ValueError("a time or an energy that is negative or not finite")
    if not 0 <= report.intensity < math.inf:
        raise ValueError("a carbon intensity that is negative or not finite")
    return report

"""carbontracker's own tracker, put together so that it stays quiet, offline and harmless.

`CarbonTracker.__init__` looks the machine's location up over the network, prints, and may end the
process. Its parts can do without: here they are given what they would ask for.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from threading import Event, Thread
from typing import Any

from carbontracker import constants
from carbontracker.components.component import Component, component_names
from carbontracker.emissions.intensity.fetcher import IntensityFetch
from carbontracker.emissions.intensity.intensity import IntensityService
from carbontracker.emissions.intensity.location import Location
from carbontracker.tracker import CarbonIntensityThread, CarbonTracker, CarbonTrackerThread

from utilities.energy.components import QuietLogger, find_components
from utilities.energy.report import MEASURED, EnergyReport, Span

VERSION = importlib.metadata.version("carbontracker")
KEYED_PROVIDERS = ("electricitymaps",)
START_TIMEOUT = 5.0  # seconds; the components are initialised already, so the thread starts at once


@dataclass(frozen=True)
class Settings:
    """How energy is metered and what carbon it stands for; `EnergyMeter` says what each means.

    Raises:
        ValueError: for settings that cannot be used, saying what to write instead.
    """

    label: str
    intensity: float | None = None
    location: str | None = None
    api_keys: dict[str, str] | None = None
    pue: float = 1.0
    components: str = "all"
    simulate: dict[str, float] | None = None
    update_interval: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.label, str):
            raise ValueError(f"the label is a text, not {self.label!r}")
        if not (_is_number(self.update_interval) and self.update_interval > 0):
            raise ValueError(f"update_interval is in seconds, above 0, not {self.update_interval!r}")
        self._check_carbon()
        self._check_components()

    def _check_carbon(self) -> None:
        if self.intensity is not None and not (_is_number(self.intensity) and self.intensity >= 0):
            raise ValueError(
                f"intensity is a number of g CO2-eq per kWh and not negative, not {self.intensity!r}"
            )
        if not (_is_number(self.pue) and self.pue >= 1):
            raise ValueError(
                f"pue is the building's factor on the device's energy, 1 or more, not {self.pue!r}"
            )
        if not _maps(self.api_keys, str):
            raise ValueError("api_keys is a dict such as {'electricitymaps': 'the key'}")
        if unknown := set(self.api_keys or {}) - set(KEYED_PROVIDERS):
            raise ValueError(
                f"no carbon intensity provider takes a key under {sorted(unknown)}; "
                f"known: {', '.join(KEYED_PROVIDERS)}"
            )
        if self.api_keys and self.location is None and self.intensity is None:
            raise ValueError("an API key needs a location, such as location='DE'")
        if self.location is not None and not _is_packaged(self.location):
            raise ValueError(
                f"no average carbon intensity is packaged for {self.location!r}: give a "
                "two-letter country code such as 'DE', or the intensity itself"
            )

    def _check_components(self) -> None:
        names = str(self.components).replace(" ", "").split(",")
        if self.components != "all" and not (
            set(names) <= set(component_names()) and len(names) == len(set(names))
        ):
            raise ValueError(
                f"components are 'all', 'cpu', 'gpu' or 'cpu,gpu', not {self.components!r}"
            )
        if not _maps(self.simulate, object):
            raise ValueError(f"simulate is a dict such as {{'gpu': 700}}, not {self.simulate!r}")
        for name, watts in (self.simulate or {}).items():
            if name not in component_names() or not (_is_number(watts) and watts >= 0):
                raise ValueError(f"simulate gives watts for 'cpu' or 'gpu', not {name!r}: {watts!r}")


def _is_number(value: object) -> bool:
    """Return whether it is a finite number, and no text that looks like one."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _maps(value: object, kind: type) -> bool:
    """Return whether it is None, or a mapping whose values are all of a kind."""
    return value is None or (
        isinstance(value, Mapping) and all(isinstance(item, kind) for item in value.values())
    )


def _is_packaged(location: object) -> bool:
    """Return whether carbontracker has a yearly average of the location."""
    if not isinstance(location, str):
        return False
    service = OfflineIntensity(QuietLogger(), None, None, location)
    return service.default_carbon_intensity.is_localized


def make_tracker(epochs: int, label: str = "training", **settings: Any) -> QuietTracker:
    """Return a real `CarbonTracker` that prints nothing, needs no network and never ends the process.

    It is what a `CarbonTrackerCallback(tracker)` is given: `epoch_start()` and `epoch_end()` once
    an epoch, `stop()` at the end. Afterwards `tracker.report` is the run's `EnergyReport`.

    Args:
        epochs: how many epochs will be tracked; after them the tracker stops by itself.
        label: the name of the run.
        settings: as in `EnergyMeter`.
    """
    return QuietTracker(epochs, Settings(label, **settings))


class QuietTracker(CarbonTracker):
    """`CarbonTracker` on quiet, offline parts."""

    def __init__(self, epochs: int, settings: Settings):
        # carbontracker would look for its components and the location on its own here: its
        # constructor is not called, only what its other methods read is set.
        if not (_is_number(epochs) and epochs >= 1 and epochs == int(epochs)):
            raise ValueError(f"epochs must be a whole number, at least 1, not {epochs!r}")
        self.epochs = self.monitor_epochs = epochs
        self.epochs_before_pred = 0  # no prediction: nothing is multiplied by an expected number
        self.epoch_counter = 0
        self.decimal_precision = 12
        self.interpretable = self.stop_and_confirm = self.deleted = False
        self.ignore_errors = True
        self.api_keys = settings.api_keys
        self.label = settings.label
        self.pue = settings.pue
        self.interrupted = False
        self.epoch_open = False
        self.started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.logger = QuietLogger()
        found, self.notes = find_components(settings.components, settings.simulate)
        self.records = [component.handler.record(component.name) for component in found]
        stated = settings.intensity is not None
        fetcher = self._get_fetcher() if settings.api_keys and not stated else None
        service = OfflineIntensity(self.logger, fetcher, settings.intensity, settings.location)
        self.intensity_stopper = Event()
        self.intensity_updater = IntensityThread(service, self.intensity_stopper)
        self.tracker = Monitor(found, self.logger, settings.update_interval)

    @cached_property
    def report(self) -> EnergyReport:
        """What was tracked. Asking for it stops the tracker."""
        self.stop()
        return self.report_of(marked=[True] * len(self.monitor.epoch_times))

    def epoch_start(self) -> None:
        """Begin an epoch; one that was left open by an interrupt is closed first."""
        if self.epoch_open:
            self.interrupted = True
            self.epoch_end()
        self.epoch_open = not self.deleted
        super().epoch_start()

    def epoch_end(self) -> None:
        """End the epoch; without one, nothing: carbontracker would count the last one's time."""
        if self.epoch_open:
            self.epoch_open = False
            super().epoch_end()

    def stop(self) -> None:
        """Stop. An open epoch, which carbontracker would leave out, counts as far as it came."""
        if self.epoch_open:
            self.interrupted = True
            self.epoch_end()
        super().stop()

    def _output_actual(self) -> None:
        """Do nothing: carbontracker would print here what `report` says."""

    def _delete(self) -> None:
        # carbontracker drops its parts, and with them the readings: keep them for the report
        self.monitor, intensity = self.tracker, self.intensity_updater
        super()._delete()
        self.intensity, self.intensity_source = intensity.result()

    def report_of(self, marked: Sequence[bool]) -> EnergyReport:
        """Return the report of a stopped tracker, whose stretch i is an epoch where `marked[i]`."""
        spans, filled = self.monitor.spans(self.pue)
        silent = self.monitor.silent()
        records = [record for record in self.records if record.name not in silent]
        return EnergyReport(
            label=self.label,
            components=tuple(records),
            epochs=tuple(span for span, mark in zip(spans, marked, strict=True) if mark),
            outside_epochs=_sum_spans(
                [span for span, mark in zip(spans, marked, strict=True) if not mark],
                [record.name for record in records],
            ),
            intensity=self.intensity,
            intensity_source=self.intensity_source,
            pue=self.pue,
            interrupted=self.interrupted,
            notes=(*self.notes, *self._reading_notes(filled)),
            started=self.started,
            software=f"carbontracker {VERSION}",
        )

    def _reading_notes(self, filled: dict[str, int]) -> list[str]:
        measured = {record.name for record in self.records if record.basis == MEASURED}
        notes = [
            f"{name}: {count} stretch(es) were too short for a reading of their own and took "
            "a neighbour's power"
            for name, count in filled.items()
            if count and name in measured
        ]
        notes += [
            f"{component.name}: {component.handler.failures} reading(s) failed and were left out"
            for component in self.monitor.components
            if component.handler.failures
        ]
        notes += [
            f"{name}: no reading came, its energy is unknown" for name in sorted(self.monitor.silent())
        ]
        return notes


class Monitor(CarbonTrackerThread):
    """carbontracker's thread that reads the components.

    On an error it ends itself, where carbontracker's default is to end the process; the epochs'
    times are kept all the same.
    """

    def __init__(self, components: list[Component], logger: QuietLogger, update_interval: float):
        self.ready = Event()
        super().__init__(
            components,
            logger,
            ignore_errors=True,
            delete=self.ready.set,  # called on an error, such as no component at all
            update_interval=update_interval,
        )
        self.ready.wait(START_TIMEOUT)  # so that even a very short first epoch gets its reading

    def begin(self) -> None:
        super().begin()
        self.ready.set()

    def _components_shutdown_once(self) -> None:
        """Read the components that no epoch was long enough for, before they are released."""
        for component in self.components:
            if self.epoch_counter and not any(component.power_usages):
                component.collect_power_usage(self.epoch_counter)
        super()._components_shutdown_once()

    def silent(self) -> set[str]:
        """Return the components that never gave a reading: their energy is unknown, not zero."""
        return {
            component.name
            for component in self.components
            if self.epoch_times and not any(component.power_usages)
        }

    def spans(self, pue: float) -> tuple[list[Span], dict[str, int]]:
        """Return time and energy of every tracked stretch, and how many had no reading, by component.

        carbontracker gives a stretch without a reading the *energy* of the one before, or none at
        all; here it gets the *power* of the one before (the first: of the one after).
        """
        energies, filled, silent = {}, {}, self.silent()
        for component in self.components:
            if component.name in silent:
                continue
            powers = component.power_usages + [[]] * len(self.epoch_times)
            powers = powers[: len(self.epoch_times)]
            filled[component.name] = sum(not power for power in powers)
            component.power_usages = _fill(powers)
            energies[component.name] = component.energy_usage(self.epoch_times)
        return [
            Span(
                seconds=float(seconds),
                kwh={name: float(energy[index]) * pue for name, energy in energies.items()},
            )
            for index, seconds in enumerate(self.epoch_times)
        ], filled


class OfflineIntensity(IntensityService):
    """carbontracker's carbon intensity of a stated location, not looked up."""

    def __init__(
        self, logger: QuietLogger, fetcher: Any, intensity: float | None, location: str | None
    ):
        self.given, self.location = intensity, location.upper() if location else None
        super().__init__(logger, fetcher)

    def _fetch_geo_location(self) -> Location | None:
        return Location(True, self.location, self.location) if self.location else None

    def _get_default_carbon_intensity(self) -> IntensityFetch:
        if self.given is None:
            return super()._get_default_carbon_intensity()
        return IntensityFetch(float(self.given), self.address, self.country, False, True)

    def default_source(self) -> str:
        if self.given is not None:
            return "given by the user"
        if self.location is None:
            year = constants.WORLD_AVG_CARBON_INTENSITY_YEAR
            return f"world average of {year} (packaged with carbontracker)"
        return f"yearly average of {self.location} (packaged with carbontracker)"


class IntensityThread(CarbonIntensityThread):
    """carbontracker's thread that asks for the live intensity; idle where no key is given."""

    def __init__(self, service: OfflineIntensity, stop_event: Event, update_interval: float = 900):
        # CarbonIntensityThread.__init__ would make a service that looks its location up
        Thread.__init__(self, name="CarbonIntensityThread", daemon=True)
        self.logger = service.logger
        self.update_interval = update_interval
        self.stop_event = stop_event
        self.carbon_intensities_fetches: list[IntensityFetch] = []
        self.carbon_intensity_service = service
        if service.intensity_fetcher is not None:
            self.start()

    def result(self) -> tuple[float, str]:
        """Return the mean of the live values in g/kWh, or what takes their place, and its source."""
        service = self.carbon_intensity_service
        live = [f.carbon_intensity for f in self.carbon_intensities_fetches if f.is_fetched]
        if live:
            provider = service.intensity_fetcher.id
            return sum(live) / len(live), f"live from {provider} for {service.location}"
        source = service.default_source()
        if service.intensity_fetcher is not None:
            source += f"; {service.intensity_fetcher.id} gave no answer"
        return service.default_carbon_intensity.carbon_intensity, source


def _fill(powers: list[list[float]]) -> list[list[float]]:
    """Give each stretch without a reading those of the one before; the first, of the one after."""
    last = next((power for power in powers if power), [])
    filled = []
    for power in powers:
        last = power or last
        filled.append(last)
    return filled


def _sum_spans(spans: Sequence[Span], names: Sequence[str]) -> Span:
    return Span(
        seconds=sum(span.seconds for span in spans),
        kwh={name: sum(span.kwh[name] for span in spans) for name in names},
    )

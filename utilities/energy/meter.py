"""The energy meter: around a block of code, around a training run, or both."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from utilities.energy.report import EnergyReport
from utilities.energy.tracker import QuietTracker, Settings

if TYPE_CHECKING:
    from utilities.energy.keras_callback import EnergyCallback


class EnergyMeter:
    """Meter the energy and carbon of a block of code, over carbontracker.

        with EnergyMeter("ViT", location="DE") as meter:
            model.fit(..., callbacks=[meter.callback()])
        print(meter.report)
        meter.report.save("vit.json")

    With the callback each epoch is metered by itself and `report.outside_epochs` holds the rest of
    the block. Without it the whole block is one epoch. The callback alone, without `with`, meters
    the epochs of one `fit`.

    The meter prints nothing, never ends the process, and never waits for the network.

    Args:
        label: the name of the run, as it will stand in tables and figures.
        intensity: carbon intensity of the electricity in g CO2-eq per kWh.
        location: two-letter country code, whose packaged yearly average is taken where no
            intensity is given. Without either, the world average.
        api_keys: `{"electricitymaps": key}` asks for the live intensity of `location`, in the
            background; where no answer has come at the end, the packaged average is taken.
        pue: power usage effectiveness, the factor of the building around the computer: 1 for the
            device alone (carbontracker prints its figures with a data centre's 1.58).
        components: "all", "cpu", "gpu" or "cpu,gpu".
        simulate: watts by component, such as `{"gpu": 700}`, in place of the machine's own.
        update_interval: seconds between two readings.

    Raises:
        ValueError: for settings that cannot be used. Metering itself raises nothing.
    """

    def __init__(
        self,
        label: str,
        intensity: float | None = None,
        location: str | None = None,
        api_keys: dict[str, str] | None = None,
        pue: float = 1.0,
        components: str = "all",
        simulate: dict[str, float] | None = None,
        update_interval: float = 1.0,
    ):
        self.label = label
        self._settings = Settings(
            label, intensity, location, api_keys, pue, components, simulate, update_interval
        )
        self._tracker: QuietTracker | None = None
        self._marked: list[bool] = []  # which of the tracker's stretches are epochs
        self._report: EnergyReport | None = None

    def __enter__(self) -> EnergyMeter:
        self.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop(interrupted=error_type is not None)

    @property
    def running(self) -> bool:
        return self._running_tracker is not None

    @property
    def _running_tracker(self) -> QuietTracker | None:
        return self._tracker if self._report is None else None

    @property
    def report(self) -> EnergyReport:
        """What was metered. Asking for it while the meter runs ends the metering."""
        if self._tracker is None:
            raise RuntimeError(f"the meter {self.label!r} has not been started")
        if self._report is None:
            # only an interrupted training leaves a meter running in the middle of an epoch
            return self._end(self._tracker, interrupted=bool(self._marked) and self._marked[-1])
        return self._report

    def callback(self) -> EnergyCallback:
        """Return a `tf_keras` callback that marks the epochs, and starts the meter if need be."""
        # TensorFlow takes seconds to import, and a meter around other code has no need of it.
        from utilities.energy.keras_callback import EnergyCallback

        return EnergyCallback(self)

    def start(self) -> None:
        """Begin to meter; a meter serves one run."""
        if self._tracker is not None:
            raise RuntimeError(f"the meter {self.label!r} has had its run: make a new one")
        # how many stretches there will be is not known, so that none is the last one
        self._tracker = QuietTracker(sys.maxsize, self._settings)
        self._begin(epoch=False)

    def stop(self) -> None:
        """End the metering; harmless to repeat."""
        self._stop(interrupted=False)

    def epoch_start(self) -> None:
        """Mark the beginning of an epoch, for loops that are not Keras'."""
        self._begin(epoch=True)

    def epoch_end(self) -> None:
        """Mark the end of an epoch."""
        self._begin(epoch=False)

    def _begin(self, epoch: bool) -> None:
        if tracker := self._running_tracker:
            tracker.epoch_end()
            tracker.epoch_start()
            self._marked.append(epoch)

    def _stop(self, interrupted: bool) -> None:
        if tracker := self._running_tracker:
            self._end(tracker, interrupted)

    def _end(self, tracker: QuietTracker, interrupted: bool) -> EnergyReport:
        tracker.epoch_end()
        tracker.stop()
        tracker.interrupted = interrupted
        whole_block = not any(self._marked)
        self._report = tracker.report_of([mark or whole_block for mark in self._marked])
        return self._report

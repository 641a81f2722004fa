"""The energy meter's callback. Apart, because importing TensorFlow takes seconds."""

from __future__ import annotations

from typing import Protocol

import tf_keras


class Meter(Protocol):
    """What the callback asks of a meter."""

    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def epoch_start(self) -> None: ...
    def epoch_end(self) -> None: ...


class EnergyCallback(tf_keras.callbacks.Callback):
    """Mark the epochs of a training run on `meter`; an epoch includes its validation."""

    def __init__(self, meter: Meter):
        super().__init__()
        self.meter = meter
        self._started_meter = False

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._started_meter = not self.meter.running
        if self._started_meter:
            self.meter.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.meter.epoch_start()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.meter.epoch_end()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self._started_meter:
            self.meter.stop()

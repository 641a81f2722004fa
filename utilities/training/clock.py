"""How long something took: the processor's seconds, or the wall clock's where a GPU computes."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import tensorflow as tf


def has_gpu() -> bool:
    """Return whether TensorFlow computes on a GPU."""
    return bool(tf.config.list_logical_devices("GPU"))


def clock_name() -> str:
    """Return which time a `Stopwatch` takes here, for tables and figures."""
    return "wall time" if has_gpu() else "processor time"


class Stopwatch:
    """Take the time of what stands under `with`; afterwards `seconds` holds it.

    Without a GPU these are the processor's seconds, all cores together, in which other programs do
    not count. On a GPU they would be the host's alone, which only hands out work: there it is the
    wall clock's time, and the GPU is waited for at both ends.
    """

    seconds: float = 0.0

    def __enter__(self) -> Self:
        self._began = self._now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = self._now() - self._began

    @staticmethod
    def _now() -> float:
        if not has_gpu():
            return time.process_time()
        tf.test.experimental.sync_devices()
        return time.perf_counter()

"""Which time a stopwatch takes."""

import time

import pytest
import tensorflow as tf

from utilities import Stopwatch, clock_name
from utilities.training import clock


def work(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_without_a_gpu_other_programs_and_waiting_do_not_count(monkeypatch):
    monkeypatch.setattr(clock, "has_gpu", lambda: False)
    with Stopwatch() as watch:
        work(0.05)
        time.sleep(0.2)
    assert 0.04 < watch.seconds < 0.2
    assert clock_name() == "processor time"


def test_on_a_gpu_the_wall_clock_counts_and_the_gpu_is_waited_for(monkeypatch):
    waited = []
    monkeypatch.setattr(clock, "has_gpu", lambda: True)
    monkeypatch.setattr(tf.test.experimental, "sync_devices", lambda: waited.append(True))
    with Stopwatch() as watch:
        time.sleep(0.2)
    assert watch.seconds == pytest.approx(0.2, abs=0.15)
    assert len(waited) == 2
    assert clock_name() == "wall time"

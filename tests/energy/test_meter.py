"""The meter: exact sums, and never a burden on the training that it meters."""

import subprocess
import sys
import threading
import time

import carbontracker.components.component as component_module
import numpy as np
import pytest
from carbontracker import constants, exceptions
from carbontracker.components.cpu.generic import GenericCPU
from carbontracker.components.cpu.sim_cpu import SimulatedCPUHandler
from carbontracker.loggerutil import Logger
from carbontracker.tracker import CarbonTracker, CarbonTrackerThread

from utilities.energy import EnergyMeter, make_tracker

HUNDRED_WATTS = {"cpu": 100.0}


def meter_of(**settings):
    return EnergyMeter("run", update_interval=0.001, **{"simulate": HUNDRED_WATTS, **settings})


def test_hundred_watts_for_36_seconds_are_one_watt_hour(clock):
    with meter_of(intensity=500.0) as meter:
        clock.advance(36.0)
    report = meter.report
    assert report.kwh == pytest.approx(0.001, rel=1e-12)
    assert report.g_co2eq == pytest.approx(0.5, rel=1e-12)
    assert report.seconds == pytest.approx(36.0)
    assert len(report.epochs) == 1  # a block without marked epochs is one


def test_each_epoch_has_its_own_sum_and_the_rest_is_kept_apart(clock):
    with meter_of() as meter:
        clock.advance(18.0)
        for seconds in (36.0, 72.0, 0.36):
            meter.epoch_start()
            clock.advance(seconds)
            meter.epoch_end()
            clock.advance(9.0)
    report = meter.report
    assert [span.seconds for span in report.epochs] == pytest.approx([36.0, 72.0, 0.36])
    assert [span.kwh["cpu"] for span in report.epochs] == pytest.approx([1e-3, 2e-3, 1e-5])
    assert report.outside_epochs.kwh["cpu"] == pytest.approx(45 * 100 / 3.6e6)
    assert report.kwh == pytest.approx((18 + 36 + 72 + 0.36 + 27) * 100 / 3.6e6)


def test_components_are_added(clock):
    with meter_of(simulate={"cpu": 100.0, "gpu": 300.0}) as meter:
        clock.advance(36.0)
    assert meter.report.epochs[0].kwh == pytest.approx({"gpu": 0.003, "cpu": 0.001})
    assert meter.report.kwh == pytest.approx(0.004)


def test_pue_multiplies_once(clock):
    with meter_of(pue=1.5) as meter:
        clock.advance(36.0)
    assert meter.report.kwh == pytest.approx(0.0015)


@pytest.mark.parametrize(
    "settings, intensity, source",
    [
        ({"intensity": 42.0}, 42.0, "given by the user"),
        ({"intensity": 42.0, "location": "DE"}, 42.0, "given by the user"),
        ({"location": "dk"}, 143.30, "yearly average of DK"),
        ({}, constants.WORLD_AVG_CARBON_INTENSITY, "world average of 2024"),
    ],
)
def test_intensity_needs_no_network(clock, refused_connections, settings, intensity, source):
    with meter_of(**settings) as meter:
        clock.advance(36.0)
    assert meter.report.intensity == pytest.approx(intensity, abs=0.01)
    assert source in meter.report.intensity_source
    assert refused_connections == []


@pytest.mark.parametrize(
    "settings, hint",
    [
        ({"intensity": -1.0}, "not negative"),
        ({"intensity": float("nan")}, "not negative"),
        ({"location": "Atlantis"}, "two-letter country code"),
        ({"api_keys": {"electricitymap": "k"}, "location": "DE"}, "known: electricitymaps"),
        ({"api_keys": {"electricitymaps": "k"}}, "needs a location"),
        ({"pue": 0.5}, "1 or more"),
        ({"components": "tpu"}, "'all', 'cpu', 'gpu'"),
        ({"simulate": {"tpu": 1.0}}, "watts for 'cpu' or 'gpu'"),
        ({"simulate": {"cpu": -1.0}}, "watts for 'cpu' or 'gpu'"),
        ({"simulate": {"cpu": float("inf")}}, "watts for 'cpu' or 'gpu'"),
        ({"simulate": {"gpu": "700"}}, "watts for 'cpu' or 'gpu'"),
        ({"simulate": 700}, "simulate is a dict"),
        ({"intensity": "420"}, "not negative, not '420'"),
        ({"intensity": True}, "not negative"),
        ({"location": 49}, "two-letter country code"),
        ({"api_keys": "key", "location": "DE"}, "api_keys is a dict"),
        ({"api_keys": {"electricitymaps": 7}, "location": "DE"}, "api_keys is a dict"),
        ({"pue": "1.5"}, "1 or more"),
        ({"components": None}, "'all', 'cpu', 'gpu'"),
        ({"components": "cpu,cpu"}, "'all', 'cpu', 'gpu'"),
        ({"update_interval": 0}, "above 0"),
        ({"update_interval": -1}, "above 0"),
        ({"update_interval": "1"}, "above 0"),
    ],
)
def test_unusable_settings_are_refused_before_anything_starts(settings, hint):
    threads = threading.active_count()
    with pytest.raises(ValueError, match=hint):
        EnergyMeter("run", **settings)
    with pytest.raises(ValueError, match=hint):
        make_tracker(1, **settings)
    assert threading.active_count() == threads


def test_a_label_is_a_text():
    with pytest.raises(ValueError, match="the label is a text, not 3"):
        EnergyMeter(3)


def test_numbers_of_numpy_are_numbers(clock):
    with meter_of(intensity=np.float32(42), simulate={"cpu": np.int64(100)}) as meter:
        clock.advance(36.0)
    assert meter.report.intensity == 42.0 and meter.report.kwh == pytest.approx(0.001)


def test_nominal_power_is_an_estimate_with_bounds(clock):
    with EnergyMeter("run", update_interval=0.001) as meter:
        clock.advance(60.0)
    report, (cpu,) = meter.report, meter.report.components
    assert (cpu.sensor, cpu.basis, report.basis) == ("nominal power", "estimated", "estimated")
    assert report.kwh == pytest.approx(0.001)  # half of 120 W for a minute
    assert report.estimated_kwh == report.kwh and report.measured_kwh == 0
    low, high = report.kwh_interval
    assert low == pytest.approx(0.74 / 3.5 * 0.002, rel=1e-2)  # idle
    assert high == pytest.approx(0.002)  # the whole nominal power


def test_unknown_processor_has_wider_bounds(clock, monkeypatch):
    monkeypatch.setattr(GenericCPU, "get_cpu_brand", lambda self: "")
    with EnergyMeter("run") as meter:
        clock.advance(60.0)
    (cpu,) = meter.report.components
    assert cpu.devices == ("Unknown CPU",)
    assert cpu.low < 0.42 and cpu.high > 2


def test_nothing_readable_is_unknown_and_not_zero(clock, capfd):
    with EnergyMeter("run", components="gpu") as meter:
        clock.advance(36.0)
        assert meter._tracker.tracker.ready.is_set()  # nobody waits for readings that never come
    report = meter.report
    assert report.kwh is report.g_co2eq is report.kwh_interval is None
    assert (report.basis, report.components, report.seconds) == ("unreadable", (), 36.0)
    assert "unknown" in str(report)
    assert capfd.readouterr() == ("", "")


def test_quiet(clock, capfd):
    with EnergyMeter("run", location="DE") as meter:
        clock.advance(36.0)
    with meter_of() as simulated:
        clock.advance(36.0)
    assert meter.report.kwh and simulated.report.kwh
    assert capfd.readouterr() == ("", "")


def test_carbontracker_alone_would_end_the_process(exits, capfd):
    """The trap is real: this is what the meter keeps from happening."""
    thread = CarbonTrackerThread([], Logger(), ignore_errors=False, delete=lambda: None)
    thread.join()
    assert exits == [70]
    exits.clear()


class FailsAt:
    """A processor whose handler fails in the named method."""

    def __init__(self, method):
        self.method = method

    def __call__(self, pids, devices_by_pid):
        handler = GenericCPU(pids, devices_by_pid)

        def fail(*arguments):
            raise RuntimeError("broken sensor")

        setattr(handler, self.method, fail)
        return handler


@pytest.mark.parametrize("method", ["available", "init", "power_usage", "devices"])
def test_broken_sensor_leaves_the_training_alone(clock, monkeypatch, capfd, method):
    monkeypatch.setitem(component_module.COMPONENTS[1], "handlers", [FailsAt(method)])
    with EnergyMeter("run", update_interval=0.001) as meter:
        clock.advance(36.0)
    assert meter.report.seconds == 36.0
    assert capfd.readouterr() == ("", "")


def test_sensor_that_breaks_later_keeps_what_it_read(clock, monkeypatch):
    readings, failed = [], threading.Event()

    def read_three_times_then_fail(handler):
        readings.append(100.0)
        if len(readings) > 3:
            failed.set()
            raise exceptions.GPUPowerUsageRetrievalError
        return [100.0]

    monkeypatch.setattr(SimulatedCPUHandler, "power_usage", read_three_times_then_fail)
    meter = meter_of()
    meter.start()
    meter.epoch_start()
    clock.advance(36.0)
    assert failed.wait(10)
    meter.epoch_end()
    meter.epoch_start()  # carbontracker would write down 0 W for it
    clock.advance(36.0)
    meter.epoch_end()
    meter.stop()
    assert [span.kwh["cpu"] for span in meter.report.epochs] == pytest.approx([1e-3, 1e-3])
    assert any("failed and were left out" in note for note in meter.report.notes)


def test_sensor_that_never_reads_is_unknown(clock, monkeypatch):
    meter = EnergyMeter("run")
    monkeypatch.setattr("utilities.energy.components.Reader.readable", lambda reader: True)
    monkeypatch.setattr(GenericCPU, "power_usage", lambda handler: [float("nan")])
    with meter:
        clock.advance(36.0)
    assert meter.report.kwh is None
    assert "cpu: no reading came, its energy is unknown" in meter.report.notes


def test_interrupt_passes_through_and_the_report_keeps_what_was_used(clock):
    meter = meter_of()
    with pytest.raises(KeyboardInterrupt), meter:
        meter.epoch_start()
        clock.advance(36.0)
        meter.epoch_end()
        meter.epoch_start()
        clock.advance(18.0)
        raise KeyboardInterrupt
    report = meter.report
    assert report.interrupted
    assert [span.kwh["cpu"] for span in report.epochs] == pytest.approx([1e-3, 5e-4])
    assert "interrupted" in str(report)


def test_no_thread_is_left(clock):
    before = set(threading.enumerate())
    with meter_of() as meter:
        clock.advance(1.0)
    assert meter.report and set(threading.enumerate()) <= before


def test_a_meter_serves_one_run(clock):
    meter = meter_of()
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = meter.report
    with meter:
        clock.advance(1.0)
    meter.stop()
    with pytest.raises(RuntimeError, match="make a new one"):
        meter.start()


def test_real_clock_and_real_component():
    """With the real clock, the metered time is the time that passed."""
    start = time.time()
    with EnergyMeter("run", simulate=HUNDRED_WATTS) as meter:
        time.sleep(0.05)
    assert 0.05 <= meter.report.seconds <= time.time() - start
    assert meter.report.kwh == pytest.approx(meter.report.seconds * 100 / 3.6e6)


class TestTracker:
    """The tracker that a student's callback is given."""

    def test_is_carbontracker(self):
        tracker = make_tracker(1, simulate=HUNDRED_WATTS)
        tracker.stop()
        assert isinstance(tracker, CarbonTracker)

    def test_epochs_are_tracked_not_multiplied(self, clock, capfd):
        tracker = make_tracker(30, "student", simulate=HUNDRED_WATTS, intensity=100.0)
        for _ in range(2):
            tracker.epoch_start()
            clock.advance(36.0)
            tracker.epoch_end()
            clock.advance(1000.0)  # between epochs nothing is tracked
        tracker.stop()
        tracker.stop()
        report = tracker.report
        assert report.label == "student" and not report.interrupted
        assert report.kwh == pytest.approx(0.002) and report.seconds == 72.0
        assert report.g_co2eq == pytest.approx(0.2)
        assert report is tracker.report
        assert capfd.readouterr() == ("", "")

    def test_stops_by_itself_after_its_epochs(self, clock):
        tracker = make_tracker(1, simulate=HUNDRED_WATTS)
        for _ in range(2):
            tracker.epoch_start()
            clock.advance(36.0)
            tracker.epoch_end()
        tracker.stop()
        assert tracker.report.kwh == pytest.approx(0.001)

    def test_open_epoch_counts_when_interrupted(self, clock):
        tracker = make_tracker(3, simulate=HUNDRED_WATTS)
        tracker.epoch_start()
        clock.advance(36.0)
        tracker.stop()
        assert tracker.report.interrupted and tracker.report.kwh == pytest.approx(0.001)

    def test_end_without_start_adds_nothing(self, clock):
        tracker = make_tracker(3, simulate=HUNDRED_WATTS)
        tracker.epoch_start()
        clock.advance(36.0)
        tracker.epoch_end()
        tracker.epoch_end()
        assert len(tracker.report.epochs) == 1

    def test_stopped_before_any_epoch(self):
        report = make_tracker(3, simulate=HUNDRED_WATTS).report
        assert report.epochs == () and report.kwh == 0 and report.seconds == 0

    @pytest.mark.parametrize("epochs", [0, "3", 2.5])
    def test_epochs_must_be_a_positive_number(self, epochs):
        with pytest.raises(ValueError, match="at least 1"):
            make_tracker(epochs)


def test_import_brings_no_tensorflow():
    code = (
        "import sys, utilities.energy as e; e.EnergyMeter('x'); e.make_tracker;"
        "import utilities.commands.energy; print('tensorflow' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == ("False", "")

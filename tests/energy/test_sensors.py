"""Sensors that this machine may lack: NVML, RAPL and powermetrics, each from given readings."""

import platform
import threading
from types import SimpleNamespace

import pynvml
import pytest
from carbontracker.components.component import Component
from carbontracker.components.cpu import intel

from utilities.energy import EnergyMeter

REAL_NVML_INIT = pynvml.nvmlInit


class RecordedNvml:
    """Plays power readings (mW, one list per GPU) through pynvml's functions, then fails."""

    def __init__(self, monkeypatch, recordings):
        self.recordings = recordings
        self.next = [0] * len(recordings)
        self.played = threading.Event()
        for name, function in {
            "nvmlInit": lambda: None,
            "nvmlShutdown": lambda: None,
            "nvmlDeviceGetCount": lambda: len(recordings),
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetName": lambda index: f"GPU {index}",
            "nvmlDeviceGetPowerUsage": self.power,
        }.items():
            monkeypatch.setattr(pynvml, name, function)

    def power(self, index):
        position = self.next[index]
        if position == len(self.recordings[index]):
            self.played.set()
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)
        self.next[index] += 1
        return self.recordings[index][position]


def test_recorded_gpus_are_added_up(monkeypatch, clock, capfd):
    # the first value of each goes to the meter's own try whether the sensor reads
    nvml = RecordedNvml(monkeypatch, [[70_000, 150_000, 250_000, 350_000], [70_000] + 3 * [50_000]])
    with EnergyMeter("run", components="gpu", update_interval=0.001) as meter:
        assert nvml.played.wait(10)
        clock.advance(36.0)
    report, (gpu,) = meter.report, meter.report.components
    assert report.kwh * 1000 == pytest.approx(2.5 + 0.5)  # means of 250 W and 50 W for 36 s
    assert (gpu.sensor, gpu.basis, gpu.devices) == ("NVML", "measured", ("GPU 0", "GPU 1"))
    assert report.basis == "measured" and report.measured_kwh == report.kwh
    assert report.kwh_interval == pytest.approx((0.95 * report.kwh, 1.05 * report.kwh))
    assert capfd.readouterr() == ("", "")


def test_gpu_measured_beside_a_processor_estimated(monkeypatch, clock):
    nvml = RecordedNvml(monkeypatch, [[300_000] * 5])
    with EnergyMeter("run", update_interval=0.001) as meter:
        assert nvml.played.wait(10)
        clock.advance(36.0)
    report = meter.report
    assert report.basis == "partly measured"
    assert report.measured_kwh == pytest.approx(0.003)
    assert report.estimated_kwh == pytest.approx(0.0006)  # half of 120 W


def test_gpu_without_power_reading_is_left_out_and_noted(monkeypatch, clock):
    RecordedNvml(monkeypatch, [[]])
    with EnergyMeter("run") as meter:
        clock.advance(36.0)
    assert [component.name for component in meter.report.components] == ["cpu"]
    assert "gpu: present, but its power cannot be read" in meter.report.notes


def test_a_silent_card_is_named_and_does_not_silence_the_other(monkeypatch, clock):
    nvml = RecordedNvml(monkeypatch, [[], [70_000] + 4 * [50_000]])
    with EnergyMeter("run", components="gpu", update_interval=0.001) as meter:
        assert nvml.played.wait(10)
        clock.advance(36.0)
    assert meter.report.kwh == pytest.approx(0.0005)
    assert meter.report.components[0].devices == ("GPU 1",)
    assert any("GPU 0 gives no reading and is left out" in note for note in meter.report.notes)


@pytest.mark.parametrize(
    "error, said",
    [(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, True), (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, False)],
)
def test_an_nvml_that_cannot_start_is_told_where_there_is_one(monkeypatch, clock, error, said):
    def refuse():
        raise pynvml.NVMLError(error)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    with EnergyMeter("run", simulate={"cpu": 100.0}) as meter:
        clock.advance(36.0)
    notes = [note for note in meter.report.notes if note.startswith("gpu: ")]
    assert len(notes) == said and ("it cannot start" in "".join(notes)) == said


def test_carbontracker_alone_averages_over_devices():
    """The trap is real: two devices of 100 W for 36 s are 2 Wh, and carbontracker says 1."""
    component = Component.__new__(Component)
    component.power_usages, component.cur_epoch = [], -1
    component._handler = SimpleNamespace(power_usage=lambda: [100.0, 100.0])
    component.collect_power_usage(1)
    assert component.energy_usage([36.0]) == pytest.approx([0.001])


def test_real_nvml(monkeypatch):
    """Where an NVIDIA GPU is at hand, its own reading."""
    try:
        REAL_NVML_INIT()
    except pynvml.NVMLError:
        pytest.skip("no NVIDIA driver on this machine")
    monkeypatch.setattr(pynvml, "nvmlInit", REAL_NVML_INIT)
    with EnergyMeter("run", components="gpu") as meter:
        pass
    assert meter.report.basis == "measured" and meter.report.kwh > 0


@pytest.fixture
def rapl(monkeypatch, tmp_path):
    """Two packages whose counters advance by 50 J and 25 J a second, the second that passes."""
    for number in (0, 1):
        package = tmp_path / "powercap" / f"intel-rapl:{number}"
        package.mkdir(parents=True)
        (package / "name").write_text(f"package-{number}\n")
        (package / "energy_uj").write_text("0")

    def sleep(seconds):
        for number, watts in enumerate((50, 25)):
            file = tmp_path / "powercap" / f"intel-rapl:{number}" / "energy_uj"
            file.write_text(str(int(file.read_text()) + int(watts * seconds * 1e6)))

    monkeypatch.setattr(intel, "time", SimpleNamespace(sleep=sleep))


def test_rapl_is_measured_and_its_packages_are_added_up(rapl, clock):
    with EnergyMeter("run", update_interval=0.001) as meter:
        clock.advance(36.0)
    (cpu,) = meter.report.components
    assert (cpu.sensor, cpu.basis) == ("RAPL", "measured")
    assert meter.report.kwh == pytest.approx(0.00075)
    assert meter.report.kwh_interval == (meter.report.kwh, meter.report.kwh)


def test_rapl_says_whose_energy_it_counts(rapl, clock):
    with EnergyMeter("run", update_interval=0.001) as meter:
        clock.advance(36.0)
    assert any("what others run on it is in the figure" in note for note in meter.report.notes)


def test_a_counter_that_wraps_is_a_failed_reading_and_not_0_watts(rapl, clock, monkeypatch, tmp_path):
    """With 1 of 5 readings across the wrap, carbontracker's mean is 4/5 of the true power."""
    count, read_enough = intel.time.sleep, threading.Event()
    seconds = []

    def sleep(second):
        count(second)
        seconds.append(second)
        if len(seconds) % 5 == 0:
            for file in tmp_path.glob("powercap/*/energy_uj"):
                file.write_text("7")
        if len(seconds) == 5:
            read_enough.set()

    monkeypatch.setattr(intel, "time", SimpleNamespace(sleep=sleep))
    with EnergyMeter("run", update_interval=0.001) as meter:
        assert read_enough.wait(10)
        clock.advance(36.0)
    assert meter.report.kwh == pytest.approx(0.00075)  # 75 W
    assert any("failed and were left out" in note for note in meter.report.notes)


def test_rapl_without_permission_falls_back_on_the_estimate(rapl, clock, monkeypatch, capfd):
    def refuse(self, path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(intel.IntelCPU, "_read_energy", refuse)  # carbontracker would say 0 W
    with EnergyMeter("run", update_interval=0.001) as meter:
        clock.advance(60.0)
    (cpu,) = meter.report.components
    assert (cpu.sensor, cpu.basis) == ("nominal power", "estimated")
    assert meter.report.kwh == pytest.approx(0.001)
    assert any(note.startswith("cpu: no sensor is readable") for note in meter.report.notes)
    assert capfd.readouterr() == ("", "")


def test_powermetrics_never_asks_for_a_password(clock, monkeypatch):
    """sudo is asked only with -n; where it refuses, the estimate stands in."""
    commands = []

    def refuse(command, **keywords):
        commands.append(command)
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr("subprocess.run", refuse)
    monkeypatch.setattr("subprocess.check_output", lambda *a, **k: pytest.fail("a bare sudo"))
    with EnergyMeter("run") as meter:
        clock.advance(60.0)
    assert [component.sensor for component in meter.report.components] == ["nominal power"]
    assert commands and all(command[:2] == ["sudo", "-n"] for command in commands)


def test_powermetrics_is_measured(clock, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr("subprocess.run", lambda *a, **k: SimpleNamespace(returncode=0))
    output = "CPU Power: 6000 mW\nGPU Power: 3000 mW\nANE Power: 1000 mW\n"
    monkeypatch.setattr("subprocess.check_output", lambda *a, **k: output)
    with EnergyMeter("run", update_interval=0.001) as meter:
        clock.advance(36.0)
    report = meter.report
    assert report.basis == "measured" and report.kwh == pytest.approx(0.0001)
    assert {component.sensor for component in report.components} == {"powermetrics"}

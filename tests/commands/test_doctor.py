"""`lab doctor`: each probe says what is there and what is not, and nothing stops the others."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from tests.course import ROOT
from utilities.commands import doctor
from utilities.commands.probes import jupyter, machine, material, software
from utilities.commands.probes.finding import (
    INSTRUCTOR,
    MISSING,
    OPTIONAL,
    READY,
    STUDENT,
    Finding,
    Line,
    Probe,
)
from utilities.commands.probes.software import LOCKED_PYTHON
from utilities.datasets.files import content_digest
from utilities.datasets.sets import ImageSet
from utilities.energy.report import ESTIMATED, MEASURED, ComponentRecord
from utilities.grading import sandbox
from utilities.models.hub import REVISIONS


def state(finding: Finding) -> str:
    """Return the state; what is not ready has to say what to do."""
    assert finding.found and "\n" not in finding.found
    assert finding.todo or finding.state == READY
    return finding.state


def test_python():
    assert state(software.python((3, 11, 9))) == READY
    assert state(software.python((3, 13, 1))) == READY
    assert state(software.python((3, 10, 1))) == state(software.python((3, 14, 0))) == MISSING


@pytest.mark.parametrize(
    "pins, expected",
    [
        (f"numpy=={np.__version__}\npywin32==1 ; sys_platform == 'win32'", READY),
        ("numpy==1.0", OPTIONAL),
        ("no-such-library==1", READY),  # newer libraries need others than are pinned
    ],
)
def test_pins(tmp_path, pins, expected):
    lock = tmp_path / "requirements.lock"
    lock.write_text(pins)
    assert state(software.libraries(lock, LOCKED_PYTHON)) == expected


def test_what_a_library_needs_in_turn_is_missed(monkeypatch):
    tree = {
        software.DISTRIBUTION: ["numpy[fast]", "pywin32 ; sys_platform == 'win32'"],
        "numpy": ["no-such-library ; extra == 'fast'", "another ; extra == 'slow'"],
    }
    monkeypatch.setattr(software, "requires", tree.get)
    finding = software.libraries()
    assert state(finding) == MISSING and finding.found == "1 not installed: no-such-library"


def test_grader_libraries(monkeypatch):
    assert state(software.grader_libraries()) == READY
    lines = ["numpy", "no-such-library ; extra == 'grader'", "another ; extra == 'test'"]
    monkeypatch.setattr(software, "requires", lambda name: lines)
    finding = software.grader_libraries()
    assert state(finding) == MISSING and finding.found == "1 not installed: no-such-library"


def test_without_pins_for_it_an_environment_is_held_to_what_the_package_needs(tmp_path):
    for lock, found in (
        (tmp_path / "none", LOCKED_PYTHON),
        (ROOT / "requirements-student.lock", (3, 13)),
    ):
        finding = software.libraries(lock, found)
        assert state(finding) == READY and "in the versions that the kit needs" in finding.found


@pytest.mark.parametrize(
    "code, said",
    [
        ("import os; os.kill(os.getpid(), 4)", "signal 4"),
        ("raise ImportError('DLL load failed')", "DLL load failed"),
        ("import os; os._exit(3)", "status 3"),
    ],
)
def test_a_tensorflow_that_cannot_start_costs_its_line_only(code, said):
    tensorflow = software.TensorFlow([sys.executable, "-c", code])
    finding = tensorflow.library()
    assert state(finding) == MISSING and said in finding.found
    assert state(tensorflow.gpu()) == OPTIONAL


def test_gpu():
    tensorflow = software.TensorFlow()
    tensorflow.facts = {"gpus": ["NVIDIA H200"]}
    assert tensorflow.gpu() == Finding(READY, "NVIDIA H200")
    tensorflow.facts = {"gpus": []}
    assert "tensorflow[and-cuda]" in tensorflow.gpu(has_driver=True).todo
    assert state(tensorflow.gpu(has_driver=False)) == OPTIONAL


@pytest.mark.parametrize(
    "total, available, expected",
    [(16, 9, READY), (16, 1, OPTIONAL), (3, 2.5, OPTIONAL), (1, 0.5, MISSING)],
)
def test_memory(total, available, expected):
    assert state(machine.memory(total, available)) == expected


@pytest.mark.parametrize("free, expected", [(50, READY), (1, OPTIONAL), (0.1, MISSING)])
def test_disk(tmp_path, free, expected):
    assert state(machine.disk(tmp_path, free)) == expected


def test_a_missing_broken_or_foreign_kernel_is_told(tmp_path):
    assert state(jupyter.kernel([str(tmp_path)], "no-such-kernel")) == MISSING
    folder = tmp_path / "python3"
    folder.mkdir()
    spec = {"display_name": "Python 3", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps({**spec, "argv": [sys.executable, "-c", "exit(3)"]}))
    broken = jupyter.kernel([str(tmp_path)])
    assert state(broken) == MISSING and "does not run" in broken.found
    assert str(folder / "kernel.json") in broken.found
    foreign = f"import sys; sys.prefix = {str(tmp_path)!r}; import runpy; "
    foreign += "runpy.run_module('ipykernel_launcher', run_name='__main__')"
    argv = [sys.executable, "-c", foreign, "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({**spec, "argv": argv}))
    path = [str(tmp_path), str(Path(sys.prefix, "share", "jupyter", "kernels"))]
    other = jupyter.kernel(path)
    assert state(other) == MISSING and f"{folder / 'kernel.json'} runs in {tmp_path}" in other.found
    assert other.todo.startswith(f"move {folder} away")
    folder.rename(tmp_path / "moved away")
    assert state(jupyter.kernel(path)) == READY, "the remedy works"


@pytest.mark.parametrize(
    "setting, said",
    [
        ({}, "tf.keras is tf_keras"),
        ({"TF_USE_LEGACY_KERAS": "1", "KERAS_BACKEND": "tensorflow"}, "tf.keras is tf_keras"),
        ({"TF_USE_LEGACY_KERAS": "0"}, "would be Keras 3"),
        ({"KERAS_BACKEND": "jax"}, "KERAS_BACKEND=jax"),
    ],
)
def test_a_setting_that_asks_for_another_keras_is_told(setting, said):
    finding = software.keras(setting)
    assert said in finding.found
    assert state(finding) == (READY if said.startswith("tf.") else MISSING)


def test_lab_extensions(tmp_path):
    finding = jupyter.lab_extensions([str(tmp_path)])
    assert state(finding) == MISSING and "@jupyter/nbgrader" in finding.found


def test_server_extensions(tmp_path):
    for names in (jupyter.STUDENTS_SERVER, jupyter.INSTRUCTORS_SERVER):
        finding = jupyter.server_extensions(names, [str(tmp_path)])
        assert state(finding) == MISSING and names[0] in finding.todo


def test_alembic(tmp_path):
    assert state(software.alembic()) == READY
    assert state(software.alembic(str(tmp_path))) == MISSING


def test_course_name(tmp_path):
    assert state(software.course_name([str(tmp_path)])) == READY
    shared = tmp_path / "nbgrader_config.py"
    shared.write_text("c = get_config()\nc.CourseDirectory.course_id = 'another'\n")
    finding = software.course_name([str(tmp_path)])
    assert state(finding) == MISSING and "'another'" in finding.found


def test_bubblewrap(monkeypatch):
    assert state(software.bubblewrap()) == READY
    monkeypatch.setattr(sandbox, "NEEDED", ("bwrap", "no-such-command"))
    finding = software.bubblewrap()
    assert state(finding) == MISSING and "no-such-command" in finding.todo


def test_browser(tmp_path, monkeypatch):
    for name, code in (("chromium", "echo Chromium 99"), ("broken", "echo no display >&2; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{code}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert state(software.browser(["chromium"])) == READY
    assert state(software.browser(["broken"])) == MISSING
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    assert state(software.browser(["no-such-browser"])) == MISSING


def test_shipped_data(tmp_path, monkeypatch):
    assert state(material.shipped_data()) == READY
    folder = tmp_path / "cifar10"
    folder.mkdir()
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  train.webp\n")
    (folder / "train.webp").write_text("damaged")
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    finding = material.shipped_data()
    assert state(finding) == MISSING and "git checkout" in finding.todo


def test_full_set(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    arrays = {"x_train": np.zeros((2, 32, 32, 3), "uint8")}
    small = ImageSet("small", "Small", content_digest(arrays))
    assert state(material.full_set(small, "nobody needs it")) == OPTIONAL
    np.savez(tmp_path / "small.npz", **arrays)
    assert state(material.full_set(small, "nobody needs it")) == READY
    np.savez(tmp_path / "small.npz", x_train=arrays["x_train"] + 1)
    assert material.full_set(small, "nobody needs it").found == "damaged"
    for probe in (material.full_cifar10, material.full_cifar100):
        assert probe().found == "not on this machine"


def test_shipped_models(tmp_path):
    assert state(material.shipped_models()) == READY
    assert state(material.shipped_models(tmp_path)) == MISSING
    folder = tmp_path / "vit"
    folder.mkdir()
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1")
    finding = material.shipped_models(tmp_path)
    assert state(finding) == MISSING and "damaged" in finding.found


def test_hub_models(tmp_path):
    assert state(material.hub_models(tmp_path)) == OPTIONAL
    for name, revision in REVISIONS.items():
        stored = tmp_path / f"models--{name.replace('/', '--')}" / "snapshots" / revision
        stored.mkdir(parents=True)
        (stored / "model.safetensors").write_text("")
    assert state(material.hub_models(tmp_path)) == READY


def test_energy_sensors():
    measured = ComponentRecord("gpu", ("H200",), "NVML", MEASURED, 0.95, 1.05)
    estimated = ComponentRecord("cpu", ("EPYC",), "nominal power", ESTIMATED, 0.4, 2.0)
    assert state(machine.sensors([measured])) == READY
    assert state(machine.sensors([measured, estimated])) == OPTIONAL
    assert state(machine.sensors([], ["cpu: not readable"])) == OPTIONAL
    assert state(machine.energy_sensors()) in (READY, OPTIONAL)


def test_a_probe_that_trips_is_a_line():
    def trip() -> Finding:
        raise RuntimeError("many\nlines")

    line = doctor.examine(Probe("part", STUDENT, trip))
    assert (line.state, line.found) == (MISSING, "could not be checked: RuntimeError: many lines")
    assert line.todo


def test_what_only_the_instructor_lacks_keeps_nobody_from_work():
    fine = Line("Python", STUDENT, READY, "3.11", "")
    lacking = Line("bubblewrap", INSTRUCTOR, MISSING, "none", "install it")
    assert doctor.missing([fine, lacking], STUDENT) == []
    assert "a student can work here" in doctor.verdict([fine, lacking])
    assert "only for the instructor or a maintainer: bubblewrap" in doctor.verdict([fine, lacking])
    assert "Not ready" in doctor.verdict([Line("Python", STUDENT, MISSING, "2.7", "newer"), lacking])


def test_the_students_kit_is_asked_for_nothing_of_the_instructors(tmp_path):
    assert doctor.probes_for(ROOT) == list(doctor.PROBES)
    assert {probe.needed_by for probe in doctor.probes_for(tmp_path)} == {STUDENT}


def test_the_command_says_all_of_it_as_json():
    done = subprocess.run(
        [sys.executable, "-m", "utilities.commands.lab", "doctor", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    shown = json.loads(done.stdout)
    assert shown["ready"] == (done.returncode == 0)
    lines = {line["name"]: line for line in shown["lines"]}
    assert list(lines) == [probe.name for probe in doctor.PROBES]
    for name in ("Python", "TensorFlow", "kernel", "lab extensions", "server extensions", "formgrader"):
        assert lines[name]["state"] == READY, lines[name]
    assert lines["TensorFlow"]["found"].startswith(version("tensorflow"))


def run_doctor_where(tmp_path, library: str) -> subprocess.CompletedProcess:
    """Run a few probes where a library raises as it is imported."""
    (tmp_path / library).mkdir()
    (tmp_path / library / "__init__.py").write_text("raise ImportError('not for this processor')")
    return subprocess.run(
        [sys.executable, "-c",
         "from utilities.commands import doctor, lab; "
         "wanted = ('Python', 'TensorFlow', 'GPU', 'shipped data'); "
         "doctor.PROBES = [probe for probe in doctor.PROBES if probe.name in wanted]; "
         "raise SystemExit(lab.main(['doctor']))"],
        cwd=ROOT, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "COLUMNS": "120",
             "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip


@pytest.mark.parametrize("library", ["tensorflow", "numpy"])
def test_a_broken_environment_gives_a_table_and_status_1(tmp_path, library):
    done = run_doctor_where(tmp_path, library)
    assert done.returncode == 1 and done.stderr == ""
    assert "not for this processor" in done.stdout and "without TensorFlow" in done.stdout

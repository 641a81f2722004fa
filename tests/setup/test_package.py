"""The wheel: installed in an empty environment, it brings notebooks, data and models of its own."""

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.course import RELEASED, ROOT, read
from utilities.commands import start

PIP = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", *PIP, "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel, which sees this one's libraries, and not this repository."""
    folder = tmp_path_factory.mktemp("environment")
    command = [sys.executable, "-m", "pip", "--python", str(without_the_kit(folder)), "install"]
    subprocess.run([*command, *PIP, str(wheel)], check=True, capture_output=True)
    return folder


def without_the_kit(folder: Path) -> Path:
    """Make an environment that sees this one's libraries, but not the kit; return its Python."""
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "libraries.pth").write_text(libraries)  # a .pth file inside of it is not read
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def run(environment, tmp_path_factory) -> Callable[..., subprocess.CompletedProcess]:
    """Run a command of the environment in a folder outside the repository, without a network."""
    place = tmp_path_factory.mktemp("student")

    def call(command: str, *arguments: str, inside: str = ".") -> subprocess.CompletedProcess:
        return subprocess.run(
            [environment / "bin" / command, *arguments],
            cwd=place / inside,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(ROOT / "tests" / "no_network"),
                "XDG_CACHE_HOME": str(place / "cache"),
                "HOME": str(place),
            },
            capture_output=True,
            text=True,
        )

    return call


def test_the_wheel_holds_all_that_is_shipped_and_no_solution(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    for path in [*RELEASED, *ROOT.glob("data/*/*.npz"), *ROOT.glob("data/models/*/*")]:
        assert f"utilities/share/{path.relative_to(ROOT).as_posix()}" in files
    for name in ("solutions/", "tests/", "data/downloads", "bench/", "checkpoints", "__pycache__"):
        assert not [file for file in files if name in file], name


LOOK = """
import numpy as np, utilities
print(utilities.__file__)
print(len(utilities.load_cifar10()[0][0]))
utilities.test_gaussian(lambda distance, sigma=1.0: np.exp(-(distance**2) / (2 * sigma**2)))
from utilities.datasets.places import download_folder; print(download_folder())
from utilities.commands.probes import machine, material, software
for look in (material.shipped_data, material.shipped_models, machine.disk, software.libraries):
    print(look())
"""


def test_a_folder_is_written_and_data_and_checks_work_from_there(run, environment):
    done = run("attention-lab", "start", "work", "--only-folder")
    assert done.returncode == 0 and done.stdout.startswith(f"{len(RELEASED)} notebooks"), done.stderr
    done = run("python", "-c", LOOK, inside="work/vision_transformer")
    assert done.returncode == 0, done.stderr
    code, images, *said, libraries = done.stdout.splitlines()
    assert code.startswith(str(environment)) and images == "10000"
    assert "gaussian: all 5 findings hold" in done.stdout
    assert "cache/attention-lab/data" in done.stdout, "nothing is written into the environment"
    assert done.stdout.count("Finding(state='ready'") >= 3 and "in the versions" in libraries, said


def test_lab_is_the_same_command(run):
    assert run("lab", "--help").stdout == run("attention-lab", "--help").stdout != ""
    assert "start" in run("lab", "--help").stdout


def test_a_students_work_is_never_written_over(tmp_path):
    first = start.write_folder(tmp_path)
    assert sorted(path.name for path in first) == sorted(path.name for path in RELEASED)
    first[0].write_text("my work")
    first[1].unlink()
    assert start.write_folder(tmp_path) == [first[1]]
    assert first[0].read_text() == "my work"


def test_in_a_clone_nothing_is_copied():
    options = start.argparse.ArgumentParser()
    start.add_arguments(options)
    assert options.parse_args([]).folder == ROOT / "lab"
    assert start.write_folder(ROOT / "lab") == []


def test_the_setting_of_jupyterlab_is_that_of_the_folder(tmp_path, monkeypatch):
    """JupyterLab is started in the folder, with a browser or without."""
    from jupyterlab.labapp import LabApp

    calls = []
    monkeypatch.setattr(LabApp, "launch_instance", lambda argv: calls.append((os.getcwd(), argv)))
    monkeypatch.chdir(tmp_path)
    options = start.argparse.ArgumentParser()
    start.add_arguments(options)
    assert start.run(options.parse_args(["mine", "--no-browser"])) == 0
    assert calls == [(str(tmp_path / "mine"), ["--no-browser"])]


def test_the_first_cell_of_a_notebook_installs_it(wheel, tmp_path):
    """In an environment without the kit, whose libraries are there, as on Colab."""
    python = without_the_kit(tmp_path / "colab")
    cell = next(cell for cell in read(RELEASED[0]).cells if cell.cell_type == "code")
    code = cell.source.replace('WHEEL = ""', f'WHEEL = "{wheel.as_uri()}"').replace(
        'PROFILE = "default"', 'PROFILE = "quick"'
    )
    code += "\nfrom utilities import load_profile\nprint(load_profile().name)\n"
    done = subprocess.run(
        [python, "-c", code],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "The kit is installed.\nquick\n", done.stderr

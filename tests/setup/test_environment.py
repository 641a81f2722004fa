"""The environment: one set of pins, for pip, conda and Binder alike."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
import yaml
from packaging.requirements import Requirement

from tests.course import ROOT

LOCK = [
    Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines() if line.strip()
]
PINS = {pin.name.lower(): pin for pin in LOCK}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_lock_pins_every_package_exactly():
    assert [str(pin) for pin in LOCK if not re.fullmatch(r"==[^*]+", str(pin.specifier))] == []


@pytest.mark.parametrize("extra", ["", "test"])
def test_lock_satisfies_the_project(extra):
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    for requirement in map(Requirement, wanted):
        pin = PINS[requirement.name.lower()]
        assert requirement.specifier.contains(str(pin.specifier).removeprefix("==")), requirement


def test_what_is_installed_is_what_is_pinned():
    for pin in LOCK:
        if pin.marker is None or pin.marker.evaluate():
            assert pin.specifier.contains(version(pin.name)), pin


def test_conda_and_binder_take_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, own = environment["dependencies"]
    assert Requirement(python.replace("=", "==")).specifier.contains("3.11")
    assert PROJECT["requires-python"] == ">=3.11,<3.12"
    assert (pip, own) == ("pip", {"pip": ["-r requirements.lock", "-e ."]})


def test_pip_takes_what_conda_hands_it(tmp_path):
    """conda writes the lines under `pip:` into one requirements file and has pip install that."""
    for name in ("requirements.lock", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "utilities").mkdir()
    lines = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    (tmp_path / "condaenv.txt").write_text("\n".join(lines))
    options = ["--dry-run", "--no-index", "--no-build-isolation", "-r", "condaenv.txt"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_no_file_names_a_package_registry_or_a_path_of_a_machine():
    hosts = ["pypi" + ".org", "python" + "hosted", "registry.npm" + "js", "deb.debian" + ".org"]
    words = [*hosts, "/work/" + "main", "/home/" + "runner"]
    files = subprocess.run(
        ["git", "grep", "-lIF", *(part for word in words for part in ("-e", word))],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert files.stdout == ""


def test_a_second_make_installs_nothing():
    plan = subprocess.run(
        ["make", "--dry-run", "test", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install" not in plan.stdout
    assert "-m pytest" in plan.stdout


def test_ci_runs_make_test():
    assert "exec make test" in (ROOT / ".ci" / "run").read_text()


def test_a_machine_without_a_browser_is_told_what_to_do(tmp_path):
    done = subprocess.run(
        [shutil.which("make"), "system"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},  # no command is found
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "The tests need" in done.stderr and "chromium" in done.stderr
    assert "CHROMIUM=/path/to/it make test" in done.stderr


def test_another_python_is_told_what_to_do(tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        ["make", f"VENV={tmp_path}/venv", f"PYTHON={old}", "test"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "Python 3.11 is needed" in done.stderr and not (tmp_path / "venv").exists()

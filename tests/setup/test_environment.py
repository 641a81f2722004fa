"""The environment: one set of pins, for pip, conda and Binder alike."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import requires, version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.course import ROOT
from utilities.commands.probes.software import LOCKED_PYTHON, NEWEST_PYTHON, OLDEST_PYTHON


def pins_of(lock: str) -> list[Requirement]:
    return [Requirement(line) for line in (ROOT / lock).read_text().splitlines() if line.strip()]


LOCK, STUDENTS = pins_of("requirements.lock"), pins_of("requirements-student.lock")
PINS = {pin.name.lower(): pin for pin in LOCK}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_lock_pins_every_package_exactly():
    assert [str(pin) for pin in LOCK if not re.fullmatch(r"==[^*]+", str(pin.specifier))] == []


@pytest.mark.parametrize("extra", ["", "grader", "test"])
def test_lock_satisfies_the_project(extra):
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    for requirement in map(Requirement, wanted):
        if requirement.name == PROJECT["name"]:
            continue
        pin = PINS[requirement.name.lower()]
        assert requirement.specifier.contains(str(pin.specifier).removeprefix("==")), requirement


def test_the_doctor_takes_the_versions_of_python_that_the_project_takes():
    range_of_python = SpecifierSet(PROJECT["requires-python"])
    minors = [minor for minor in range(8, 20) if range_of_python.contains(f"3.{minor}.5")]
    assert (3, minors[0]) == OLDEST_PYTHON and (3, minors[-1]) == NEWEST_PYTHON


def test_the_range_of_tensorflow_is_that_of_its_keras():
    bounds = {r.name: str(r.specifier) for r in map(Requirement, PROJECT["dependencies"])}
    assert bounds["tensorflow"] == bounds["tf-keras"]


def test_make_test_range_tests_the_newest_of_everything_where_that_python_can_be_had():
    plan = make_plan("test-range", f"NEWEST={sys.executable}")
    assert "-m pytest" in plan and '-e ".[test]"' in plan and ".venv-newest" in plan
    assert "not tested" in make_plan("test-range", "NEWEST=no-such-python")


def make_plan(*arguments: str) -> str:
    """Return what make would do."""
    plan = subprocess.run(
        ["make", "--dry-run", *arguments, f"PYTHON={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return plan.stdout


def test_students_have_the_same_pins():
    assert {str(pin) for pin in STUDENTS} <= {str(pin) for pin in LOCK}


def closure(requirements: list[str]) -> set[str]:
    """Return the names of all that the requirements need here, as the installed packages say it."""
    found, todo = set(), [(Requirement(line), "") for line in requirements]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for extra in {"", *requirement.extras}:
            if (key := (canonicalize_name(requirement.name), extra)) not in found:
                found.add(key)
                todo += [(Requirement(line), extra) for line in requires(requirement.name) or []]
    return {name for name, _ in found}


LOCKED = pytest.mark.skipif(
    sys.version_info[:2] != LOCKED_PYTHON, reason="the pins are for another Python"
)


@LOCKED
@pytest.mark.parametrize(
    ("pins", "extras"), [(STUDENTS, []), (LOCK, ["grader", "test"])], ids=["student", "all"]
)
def test_the_locks_hold_what_is_needed_and_nothing_else(pins, extras):
    """A dependency that was added or dropped shows, without a network; `make lock` fixes it."""
    wanted = [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    here = {canonicalize_name(pin.name) for pin in pins if pin.marker is None or pin.marker.evaluate()}
    assert closure(PROJECT["dependencies"] + wanted) - {PROJECT["name"]} == here


@pytest.mark.parametrize("name", ["pytest", "mypy", "playwright", "ruff", "dask", "psycopg2-binary"])
def test_a_student_installs_nothing_of_tests_or_grading(name):
    assert name in PINS and name not in {pin.name for pin in STUDENTS}


@LOCKED
def test_what_is_installed_is_what_is_pinned():
    for pin in LOCK:
        if pin.marker is None or pin.marker.evaluate():
            assert pin.specifier.contains(version(pin.name)), pin


def test_conda_and_binder_take_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, own = environment["dependencies"]
    assert Requirement(python.replace("=", "==")).specifier.contains("3.11")
    assert LOCKED_PYTHON == (3, 11)
    assert (pip, own) == ("pip", {"pip": ["-r requirements-student.lock", "-e ."]})


def test_pip_takes_what_conda_hands_it(tmp_path):
    """conda writes the lines under `pip:` into one requirements file and has pip install that."""
    for name in ("requirements-student.lock", "pyproject.toml", "README.md"):
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
    plan = make_plan("test")
    assert "pip install" not in plan
    assert "-m pytest" in plan


def test_ci_runs_make_test():
    assert "exec make test" in (ROOT / ".ci" / "run").read_text()


def test_where_there_is_uv_it_makes_the_environment(tmp_path):
    new = f"VENV={tmp_path}/venv"
    with_uv, without = make_plan("lab", new, "UV=uv"), make_plan("lab", new, "UV=")
    assert f"uv venv --quiet --seed --python {sys.executable} {tmp_path}/venv" in with_uv
    assert (
        f"uv pip install --quiet --python {tmp_path}/venv/bin/python -r requirements-student" in with_uv
    )
    assert f"{sys.executable} -m venv {tmp_path}/venv" in without
    assert "-m pip install --quiet" in without and "uv pip" not in without


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
        ["make", "UV=", f"VENV={tmp_path}/venv", f"PYTHON={old}", "test"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "Python 3.11 is needed" in done.stderr and not (tmp_path / "venv").exists()

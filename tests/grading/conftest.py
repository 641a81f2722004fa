"""A stand-in course, graded as a class in the real sandbox."""

import logging
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests.course import ROOT
from tests.grading import course as stand_in
from tests.grading.scenarios import Scenario
from utilities.grading import sandbox
from utilities.grading.sandbox import SandboxUnavailable

WORKERS = 4  # most of a scenario is waiting


@pytest.fixture(scope="session", autouse=True)
def _quiet():
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(autouse=True)
def _known_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy's about nbgrader
        yield


@pytest.fixture(scope="session")
def sandboxed():
    """Fail, and say how to fix it, where no sandbox can be made: a skipped test shows nothing."""
    try:
        sandbox.check_available()
    except SandboxUnavailable as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def blank_course(tmp_path_factory):
    """A stand-in course without submissions, made once; to be read only."""
    return stand_in.write_course(tmp_path_factory.mktemp("course") / "blank")


@pytest.fixture(scope="module")
def course(blank_course, tmp_path_factory):
    """A fresh copy of the stand-in course."""
    return stand_in.copy_course(blank_course, tmp_path_factory.mktemp("course") / "copy")


@pytest.fixture(scope="module")
def grade_class(sandboxed, course) -> Callable[[dict[str, Scenario]], Callable]:
    """Return a function that hands in and grades scenarios and returns what came of each."""

    def grade(scenarios: dict[str, Scenario]) -> Callable[[str], tuple]:
        students = {name: f"s{number:03}" for number, name in enumerate(scenarios)}
        for name, scenario in scenarios.items():
            notebook = stand_in.solved(course)
            if scenario.change is not None:
                scenario.change(notebook)
            folder = stand_in.hand_in(course, students[name], notebook)
            if scenario.spoil is not None:
                scenario.spoil(folder)
        rows = stand_in.grade(course, list(students.values()), WORKERS)
        return lambda name: (rows[students[name]], *graded(course, students[name]))

    return grade


def graded(course, student: str) -> tuple[dict[str, float], nbformat.NotebookNode]:
    """Return the points in the gradebook and the graded notebook of a student."""
    path = course / "autograded" / student / stand_in.ASSIGNMENT / f"{stand_in.NOTEBOOK}.ipynb"
    return stand_in.scores(course, student), nbformat.read(path, 4) if path.exists() else None


@pytest.fixture
def kit(tmp_path) -> Path:
    """A copy of what an exercise is written into."""
    kit = tmp_path / "kit"
    leave_out = shutil.ignore_patterns("__pycache__", "downloads")
    for folder in ("utilities", "solutions", "data"):
        shutil.copytree(ROOT / folder, kit / folder, ignore=leave_out)
    for file in ("CONTRIBUTING.md", "nbgrader_config.py"):
        shutil.copy(ROOT / file, kit)
    return kit

"""Stock `nbgrader autograde` on the solution and on the untouched release, with no network."""

import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from tests.course import RELEASED, ROOT, SOLUTIONS, graded, read

ASSIGNMENTS = sorted({path.parent.name for path in SOLUTIONS})
TIME_LIMIT = 300  # seconds a cell, as nbgrader_config.py sets it


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course in a scratch folder, with two submissions graded by nbgrader's own command."""
    course = tmp_path_factory.mktemp("course")
    shutil.copy(ROOT / "nbgrader_config.py", course)
    shutil.copytree(ROOT / "solutions", course / "solutions")
    for student, notebooks in (("solution", SOLUTIONS), ("untouched", RELEASED)):
        for path in notebooks:
            folder = course / "submitted" / student / path.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder)
    for assignment in ASSIGNMENTS:
        nbgrader("generate_assignment", assignment, cwd=course)
        nbgrader("autograde", assignment, cwd=course)
    return course


def nbgrader(*arguments: str, cwd: Path) -> None:
    # ipykernel leaves native stderr alone where it sees pytest, and would hide what students see
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def scores(course: Path, student: str, assignment: str) -> dict[str, tuple[float, float]]:
    """Return the automatic score and the points of each graded cell."""
    with Gradebook(f"sqlite:///{course}/gradebook.db", "attention-lab-kit") as gradebook:
        submission = gradebook.find_submission(assignment, student)
        return {
            grade.name: (grade.auto_score, grade.max_score)
            for notebook in submission.notebooks
            for grade in notebook.grades
            if grade.cell.cell_type == "code"
        }


def autograded(course: Path, student: str) -> list:
    folder = course / "autograded" / student
    return [read(path) for path in sorted(folder.glob("*/*.ipynb"))]


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_solution_earns_every_automatic_point(course, assignment):
    earned = scores(course, "solution", assignment)
    assert earned and {name: got for name, (got, points) in earned.items() if got != points} == {}


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_untouched_release_earns_nothing(course, assignment):
    earned = scores(course, "untouched", assignment)
    assert earned and {name: got for name, (got, _) in earned.items() if got != 0} == {}


def test_no_cell_of_the_solution_fails_or_writes_to_stderr(course):
    for notebook in autograded(course, "solution"):
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                assert output.output_type != "error", f"{cell.id}: {output.get('evalue')}"
                assert output.get("name") != "stderr", f"{cell.id}: {output.get('text')}"


def test_a_graded_cell_of_the_release_fails_without_stderr(course):
    for notebook in autograded(course, "untouched"):
        for cell in graded(notebook):
            assert all(output.get("name") != "stderr" for output in cell.outputs), cell.id


def test_no_cell_comes_near_its_time_limit(course):
    for notebook in autograded(course, "solution"):
        for cell in notebook.cells:
            if times := cell.metadata.get("execution"):
                begun = datetime.fromisoformat(times["iopub.execute_input"])
                ended = datetime.fromisoformat(times["shell.execute_reply"])
                assert (ended - begun).total_seconds() < TIME_LIMIT / 3, cell.id


def test_every_figure_has_alternative_text(course):
    for notebook in autograded(course, "solution"):
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                assert "image/png" not in data, f"{cell.id}: a figure without alternative text"
                html = data.get("text/html", "")
                assert html.count("<img ") == html.count('alt="'), cell.id

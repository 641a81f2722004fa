"""Stock `nbgrader autograde` on the solution and on the untouched release, with no network.

Cells that only train or show are not run in grading; whole, an assignment is run in its turn.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbgrader.api import Gradebook
from traitlets.config import PyFileConfigLoader

from tests.course import RELEASED, ROOT, SOLUTIONS, read
from tests.notebooks.witness import WITNESSED, Run, read_runs, slow
from utilities.grading.handed_in import is_tagged

ASSIGNMENTS = sorted({path.parent.name for path in SOLUTIONS})
TIME_LIMIT = PyFileConfigLoader("nbgrader_config.py", str(ROOT)).load_config().Execute.timeout

pytestmark = pytest.mark.timeout(2400)  # the first test waits for all notebooks to be graded


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course in a scratch folder, with two submissions graded by nbgrader's own command."""
    course = write_course(tmp_path_factory.mktemp("course"))
    hand_in(course, "solution", SOLUTIONS)
    hand_in(course, "untouched", RELEASED)
    for assignment in ASSIGNMENTS:
        nbgrader("generate_assignment", assignment, cwd=course)
        nbgrader("autograde", assignment, cwd=course)
    return course


@pytest.fixture
def whole(request, tmp_path) -> Path:
    """A course in which one assignment's solution is run from first to last cell."""
    course = write_course(tmp_path, "c.CourseExecute.rerun_all = True\n")
    hand_in(course, "solution", notebooks_of(request.param))
    nbgrader("generate_assignment", request.param, cwd=course)
    nbgrader("autograde", request.param, cwd=course)
    return course


def write_course(course: Path, settings: str = "") -> Path:
    config = (ROOT / "nbgrader_config.py").read_text() + settings
    (course / "nbgrader_config.py").write_text(config + WITNESSED.format(root=str(ROOT)))
    shutil.copytree(ROOT / "solutions", course / "solutions")
    return course


def hand_in(course: Path, student: str, notebooks: list[Path]) -> None:
    for path in notebooks:
        folder = course / "submitted" / student / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)


def notebooks_of(assignment: str) -> list[Path]:
    return [path for path in SOLUTIONS if path.parent.name == assignment]


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


@pytest.fixture(scope="module")
def runs(course) -> list[Run]:
    """What the grader ran in the kernels, and what came out before it was cleaned."""
    return read_runs(course)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_solution_earns_every_automatic_point(course, assignment):
    earned = scores(course, "solution", assignment)
    assert earned and {name: got for name, (got, points) in earned.items() if got != points} == {}


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_untouched_release_earns_nothing(course, assignment):
    earned = scores(course, "untouched", assignment)
    assert earned and {name: got for name, (got, _) in earned.items() if got != 0} == {}


def code_of(notebooks: list[Path]) -> list:
    """Return the code cells that a kernel runs: all but the graded ones."""
    cells = [cell for path in notebooks for cell in read(path).cells if cell.cell_type == "code"]
    return [cell for cell in cells if not cell.metadata.get("nbgrader", {}).get("grade")]


@pytest.mark.parametrize("student, notebooks", [("solution", SOLUTIONS), ("untouched", RELEASED)])
def test_every_answer_and_every_check_was_witnessed_and_no_training(runs, student, notebooks):
    ran = [run.source for run in runs if run.student == student]
    marked = [cell for cell in code_of(notebooks) if "nbgrader" in cell.metadata]
    tagged = [cell.source for cell in marked if is_tagged(cell)]
    others = [cell.source for cell in marked if not is_tagged(cell)]
    assert others and [source for source in others if source not in ran] == []
    assert tagged and [source for source in tagged if source in ran] == []
    assert len(ran) > len(others)  # the checks' questions come on top


@pytest.mark.parametrize("student", ["solution", "untouched"])
def test_nothing_is_written_to_stderr(runs, student):
    """nbgrader outside this kit would score a graded cell 0 for it."""
    written = {run.source: run.stderr for run in runs if run.student == student and run.stderr}
    assert written == {}


def test_no_cell_of_the_solution_fails(runs):
    assert failed(runs) == {}


def test_no_cell_comes_near_its_time_limit(runs):
    """In processor time, so that a busy machine makes no cell slow."""
    assert slow(runs, TIME_LIMIT / 3) == []


def test_a_slow_cell_would_be_seen():
    fast, late = (Run("solution", "x = 1", seconds, "", []) for seconds in (99.0, 101.0))
    assert slow([fast, late], 100.0) == [late]


@pytest.mark.parametrize(
    "whole",
    [pytest.param(name, marks=pytest.mark.in_turns(len(ASSIGNMENTS))) for name in ASSIGNMENTS],
    indirect=True,
)
def test_a_solution_runs_whole_and_every_figure_has_alternative_text(whole, request):
    runs = read_runs(whole)
    notebooks = notebooks_of(request.node.callspec.params["whole"])
    ran = [run.source for run in runs]
    assert [cell.id for cell in code_of(notebooks) if cell.source not in ran] == []
    assert failed(runs) == {} and [run.stderr for run in runs if run.stderr] == []
    assert slow(runs, TIME_LIMIT / 3) == []
    shown = [
        output.get("data", {})
        for path in sorted(whole.glob("autograded/*/*/*.ipynb"))
        for cell in read(path).cells
        for output in cell.get("outputs", [])
    ]
    assert not any("image/png" in data for data in shown), "a figure without alternative text"
    pages = [BeautifulSoup(data.get("text/html", ""), "html.parser") for data in shown]
    images = [image for page in pages for image in page.find_all("img")]
    assert len(images) > 5 * len(notebooks) and all(image.get("alt") for image in images)


def failed(runs: list[Run]) -> dict[str, list[str]]:
    return {run.source: run.errors for run in runs if run.student == "solution" and run.errors}

"""`lab check`: courses that are broken, each fault named; and nothing lost on the way."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.course import ROOT
from tests.grading import course as stand_in
from tests.grading.test_command import lab_command as lab
from utilities.grading.check import check_assignment
from utilities.grading.course import read_config
from utilities.grading.names import names_of
from utilities.grading.new import make_course
from utilities.grading.points import write_points
from utilities.grading.state import shared_course_ids

Change = Callable[[nbformat.NotebookNode], None]
TABLE = """| section | you write | automatic points |
|---|---|---|
| 1 Kernels | `gaussian`, `nadaraya_watson` | 2 + 4 |

One written question, 3 points, stands at the end."""


@pytest.fixture
def course(blank_course, tmp_path):
    course = stand_in.copy_course(blank_course, tmp_path / "course")
    change_source(course, lambda nb: nb.cells.insert(1, new_markdown_cell(TABLE, id="table")))
    assert stand_in.write_gradebook(course)
    return course


def change_source(course: Path, change: Change) -> None:
    path = course / "solutions/kernels/kernels.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


def faults(course: Path) -> list:
    return check_assignment(read_config(course), "kernels")


def generate(course: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", "generate_assignment", "kernels", "--force"],
        cwd=course, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def worth(name: str, points: float) -> Change:
    return lambda nb: stand_in.cell_named(nb, name).metadata.nbgrader.update(points=points)


def written(name: str, source: str) -> Change:
    return lambda nb: stand_in.cell_named(nb, name).update(source=source)


def replaced(name: str, old: str, new: str) -> Change:
    def change(nb: nbformat.NotebookNode) -> None:
        cell = stand_in.cell_named(nb, name)
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return change


def without(*names: str) -> Change:
    def change(nb: nbformat.NotebookNode) -> None:
        for name in names:
            nb.cells.remove(stand_in.cell_named(nb, name))

    return change


def moved_up(name: str) -> Change:
    def change(nb: nbformat.NotebookNode) -> None:
        cell = stand_in.cell_named(nb, name)
        nb.cells.remove(cell)
        nb.cells.insert(3, cell)

    return change


def added(cell: nbformat.NotebookNode, **marks) -> Change:
    def change(nb: nbformat.NotebookNode) -> None:
        if marks:
            stand_in._marked(cell, **marks)
        nb.cells.append(cell)

    return change


SHOWN = "You could write\n\n    return np.exp(-np.square(distance) / (2 * sigma**2))"
BROKEN: dict[str, tuple[Change, str, str]] = {
    "points of a check": (
        worth("check_gaussian", 4), "cell check_gaussian", "worth 4 points and its call says 2"),
    "points in the table": (
        worth("check_nadaraya_watson", 5), "kernels.ipynb, cell 2", "says 2 + 4 points"),
    "points in a heading": (
        worth("question_01", 5), "cell question_01", "worth 5 points and its heading says 3"),
    "sum of the questions": (
        worth("question_01", 5), "cell 2 (", "there are 'One written question, 5 points'"),
    "a scheme that does not add up": (
        worth("question_01", 5), "cell question_01", "marking scheme adds up to 3"),
    "no scheme": (
        written("question_01", "### BEGIN SOLUTION\nYes.\n### END SOLUTION"), "cell question_01",
        "no marking scheme"),
    "no model answer": (
        replaced("question_01", "By its kernel.", ""), "cell question_01", "no model answer"),
    "no points": (worth("check_gaussian", 0), "cell check_gaussian", "worth nothing"),
    "a plain assert": (
        written("check_gaussian", "assert gaussian(0) == 1"), "cell check_gaussian",
        "calls no check"),
    "work in a graded cell": (
        written("check_gaussian", "x = np.ones(3)\ntest_gaussian(gaussian, points=2)"),
        "cell check_gaussian", "cannot run it"),
    "points for nothing": (
        replaced("check_gaussian", "min(points)", "print('done')"), "cell check_gaussian",
        "gives points although no finding"),
    "a dropped exercise": (
        without("gaussian"), "cell check_gaussian", "needs gaussian, which no cell defines"),
    "a check above its exercise": (
        moved_up("check_gaussian"), "cell check_gaussian", "defined only further down"),
    "a table behind": (
        without("gaussian", "check_gaussian"), "cell 2", "lists gaussian, which no exercise"),
    "an import that is not there": (
        replaced("imports", "import test_gaussian,", "import test_gauss,"), "cell imports",
        "utilities has no test_gauss"),
    "a package that is not there": (
        replaced("imports", "import numpy as np", "import numpy as np\nimport no_such_package"),
        "cell imports", "no_such_package is not installed"),
    "no Python": (replaced("gaussian", "sigma=1.0):", "sigma=1.0)"), "cell gaussian", "no Python"),
    "a marker misspelt": (
        replaced("gaussian", "### BEGIN SOLUTION", "### Begin Solution"), "cell gaussian",
        "does not know 'Begin Solution'"),
    "an end that is missing": (
        replaced("gaussian", "    ### END SOLUTION", ""), "cell gaussian", "do not stand in pairs"),
    "hidden tests in an open cell": (
        added(new_code_cell("### BEGIN HIDDEN TESTS\n1\n### END HIDDEN TESTS", id="open")),
        "cell 10 (", "has not nbgrader's mark grade"),
    "a solution in a hint": (
        added(new_markdown_cell(SHOWN, id="hint")), "cell 10 (You could write",
        "shows the secret part of cell gaussian"),
    "two cells of one id": (
        added(new_code_cell("1", id="copy"), grade_id="gaussian", locked=True), "cell gaussian",
        "stands in 2 cells"),
    "a source that is newer": (
        replaced("imports", "as np", "as np  # arrays"), "lab/kernels/kernels.ipynb",
        "its source is newer"),
    "a gradebook that is behind": (
        worth("check_gaussian", 4), "kernels.ipynb, cell check_gaussian",
        "4 points here, 2 in the gradebook"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "defines", "now", "later"),
    [
        ("import numpy as np\nimport a.b", {"np", "a"}, set(), set()),
        ("from lib import *\ny = x", {"*", "y"}, {"x"}, set()),
        ("def f(x):\n    return x + y", {"f"}, set(), {"y"}),
        ("f = lambda x: x + y", {"f"}, set(), {"y"}),
        ("class A(B):\n    z = y\n    def g(self): return w", {"A"}, {"B", "y"}, {"w"}),
        ("k = [q + s for q in qs]", {"k"}, {"qs", "s"}, set()),
        ("def f():\n    global n\n    n = m", {"f", "n"}, set(), {"m"}),
        ("y = x\ndef f(): return x", {"y", "f"}, {"x"}, set()),
        ("print(len(In), get_ipython())", set(), set(), set()),
    ],
)
def test_the_names_of_a_cell_are_those_that_python_finds(source, defines, now, later):
    names = names_of(source)
    assert (names.defines, names.now, names.later) == (defines, now, later)


def test_the_kits_names_and_modules_are_told_from_others():
    names = names_of("import a.b\nfrom c.d import e\nfrom utilities import f, g\nfrom .own import h")
    assert names.modules == {"a.b", "c.d", "utilities"} and names.vocabulary == {"f", "g"}


def test_a_course_in_order_has_no_fault(course):
    assert faults(course) == []


@pytest.mark.parametrize("name", BROKEN)
def test_names_the_fault_of_a_broken_course(course, name):
    change, place, what = BROKEN[name]
    change_source(course, change)
    found = [f for f in faults(course) if place in f.place and what in f.what]
    assert len(found) == 1, "\n".join(map(str, faults(course)))
    assert found[0].remedy


def test_says_what_fails_with_a_dropped_exercise(course):
    change_source(course, added(new_code_cell("h = gaussian(1.0)", id="a"), grade_id="a", locked=True))
    change_source(course, added(new_code_cell("print(h)", id="b"), grade_id="b", locked=True))
    change_source(course, without("gaussian", "check_gaussian"))
    (fault,) = [f for f in faults(course) if "needs gaussian" in f.what]
    assert "with it fail cell b" in fault.what


def test_tells_a_shared_configuration_of_another_name(course, tmp_path):
    shared = tmp_path / "nbgrader_config.py"
    shared.write_text("c = get_config()\nc.CourseDirectory.course_id = 'vision'\n")
    (fault,) = shared_course_ids(read_config(course), [str(tmp_path)])
    assert "'vision'" in fault.what and "'attention-lab-kit'" in fault.what
    shared.write_text("c = get_config()\nc.CourseDirectory.course_id = 'attention-lab-kit'\n")
    assert list(shared_course_ids(read_config(course), [str(tmp_path)])) == []


def test_the_command_prints_a_line_a_fault_and_says_so_in_its_status(course):
    assert lab(course, "check").returncode == 0
    change_source(course, worth("check_gaussian", 4))
    done = lab(course, "check", "kernels")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == len(faults(course)) > 1
    assert lab(course, "check", "no_such").returncode == 2


def test_fix_writes_the_points_everywhere(course):
    for name, points in (("check_gaussian", 4), ("check_nadaraya_watson", 1), ("question_01", 3)):
        change_source(course, worth(name, points))
    done = lab(course, "check", "--fix")
    assert {fault.place for fault in faults(course)} == {
        "kernels.ipynb, cell check_gaussian", "kernels.ipynb, cell check_nadaraya_watson",
        "lab/kernels/kernels.ipynb", "the gradebook",
    }, done.stdout  # fmt: skip
    assert generate(course).returncode == 0
    assert faults(course) == []
    released = (course / "lab/kernels/kernels.ipynb").read_text()
    assert "points=4" in released and "points=1)" in released and "| 4 + 1 |" in released


def test_run_grades_the_model_solution(sandboxed, course):
    assert lab(course, "check", "--run").returncode == 0
    change_source(course, replaced("gaussian", "2 * sigma**2", "sigma**2"))
    done = lab(course, "check", "--run")
    assert done.returncode == 1
    assert "the model solution earns" in done.stdout and "fraction bar" in done.stdout


def test_generate_says_it_too_and_keeps_the_release(course):
    release = course / "lab/kernels/kernels.ipynb"
    before = release.read_bytes()
    change_source(course, written("check_gaussian", "assert gaussian(0) == 1"))
    done = generate(course)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "cell check_gaussian: it calls no check" in done.stderr
    assert "Nothing was changed" in done.stderr
    assert release.read_bytes() == before


def test_cells_added_after_grading_lose_nothing_and_the_way_out_is_told(sandboxed, course):
    stand_in.hand_in(course, "right", stand_in.solved(course))
    assert lab(course, "grade", "kernels").returncode == 0
    release = course / "lab/kernels/kernels.ipynb"
    before = release.read_bytes()
    new = new_code_cell("print(1)", id="new")
    change_source(course, added(new, grade_id="new", locked=True))
    done = generate(course)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    (told,) = [line for line in done.stderr.splitlines() if "Marks of 1 submission" in line]
    assert release.read_bytes() == before and stand_in.scores(course, "right") == stand_in.POINTS
    graded = lab(course, "grade", "kernels")
    assert "added: new" in re.sub(r"\s+", " ", graded.stdout)
    way_out = re.search(r"nbgrader (db assignment remove kernels --force)", told)[1].split()
    subprocess.run([sys.executable, "-m", "nbgrader", *way_out], cwd=course, check=True,
                   capture_output=True)  # fmt: skip
    assert generate(course).returncode == 0
    assert lab(course, "grade", "kernels").returncode == 0
    assert faults(course) == []


def test_a_variant_of_a_lesson_is_in_order_once_told_things_are_done(tmp_path):
    """Exercise 11 dropped with all that needs it, other points, a question more."""
    course = make_course(tmp_path / "variant", chosen=["vision_transformer"])
    config = read_config(course)
    path = course / "solutions/vision_transformer/vision_transformer.ipynb"
    notebook = nbformat.read(path, as_version=4)
    without("carbon_tracker_callback", "check_carbon_tracker_callback")(notebook)
    worth("check_gaussian", 6)(notebook)
    question = new_markdown_cell(
        "### BEGIN SOLUTION\nBy a sum.\n\n- **2 points** – the sum.\n### END SOLUTION", id="more"
    )
    notebook.cells.append(new_markdown_cell("### Question 15 · How? (2 points)", id="more-text"))
    added(question, grade_id="question_15", grade=True, solution=True, points=2)(notebook)
    nbformat.write(notebook, path)
    told = "\n".join(map(str, check_assignment(config, "vision_transformer")))
    assert "cell cnn: it needs CarbonTrackerCallback, which no cell defines; with it fail cell" in told
    assert "question_11_vit_against_cnn" in told and "question_14_carbon_footprint" in told
    assert "its table lists CarbonTrackerCallback, which no exercise asks for" in told

    fed = (
        "cnn",
        "wide_cnn",
        "comparison",
        "question_11_vit_against_cnn",
        "question_14_carbon_footprint",
    )
    without(*fed)(notebook)
    title = notebook.cells[0]
    rows = [row for row in title.source.split("\n") if "CarbonTrackerCallback" not in row]
    title.source = "\n".join(rows)
    nbformat.write(notebook, path)
    assert write_points(path)
    assert check_assignment(config, "vision_transformer") == []
    assert "thirteen written questions, worth 36 points" in path.read_text()


def test_the_kits_own_course_is_in_order():
    config = read_config(ROOT)
    for assignment in ("attention_variants", "inductive_bias", "small_datasets", "vision_transformer"):
        assert check_assignment(config, assignment) == []

"""A stand-in course: the first two steps of the core and one question, NumPy alone, so fast."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config, PyFileConfigLoader

from utilities.grading.engine import Grader, Row

ROOT = Path(__file__).parents[2]
ASSIGNMENT = NOTEBOOK = "kernels"
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
POINTS = {"check_gaussian": 2.0, "check_nadaraya_watson": 4.0}

IMPORTS = """import numpy as np

from utilities import test_gaussian, test_nadaraya_watson"""

GAUSSIAN = """def gaussian(distance, sigma=1.0):
    ### BEGIN SOLUTION
    return np.exp(-np.square(distance) / (2 * sigma**2))
    ### END SOLUTION"""

NADARAYA_WATSON = """def nadaraya_watson(q, k, v, kernel, sigma=1.0):
    ### BEGIN SOLUTION
    distance = np.sqrt(np.square(q[:, None] - k[None]).sum(-1))  # (n_q, n_k)
    weights = kernel(distance, sigma)
    weights = weights / weights.sum(-1, keepdims=True)
    return weights @ v, weights
    ### END SOLUTION"""

QUESTION = """### Question 1 · What makes two points alike? (3 points)"""

ANSWER = """### BEGIN SOLUTION
By its kernel.

- **2 points** – names the kernel.
- **1 point** – says of what.
### END SOLUTION"""

CHECK = """points = [test_{name}({name}, points={points})]
### BEGIN HIDDEN TESTS
points += [test_{name}({name}, seed=seed, points={points}, thorough=True) for seed in (1009, 7919)]
### END HIDDEN TESTS
min(points)"""


def source_notebook() -> NotebookNode:
    """Return the instructor's notebook of the stand-in course."""
    cells = [
        new_markdown_cell("# Kernels", id="title"),
        _marked(new_code_cell(IMPORTS, id="imports"), "imports", locked=True),
        _marked(new_code_cell(GAUSSIAN, id="gaussian"), "gaussian", solution=True),
        _check("gaussian", 2),
        _marked(
            new_code_cell(NADARAYA_WATSON, id="nadaraya-watson"), "nadaraya_watson", solution=True
        ),
        _check("nadaraya_watson", 4),
        new_markdown_cell(QUESTION, id="question-01"),
        _marked(
            new_markdown_cell(ANSWER, id="answer-01"),
            "question_01", solution=True, grade=True, points=3,
        ),
    ]  # fmt: skip
    return new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def notebook_of(cells: list[tuple[str, str, dict]]) -> NotebookNode:
    """Return a notebook of code cells, each a grade id, a source, and nbgrader's marks."""
    coded = [
        (new_code_cell(source, id=name.replace("_", "-")), name, marks) for name, source, marks in cells
    ]
    marked = [_marked(cell, name, **marks) for cell, name, marks in coded]
    return new_notebook(cells=marked, metadata={"kernelspec": KERNEL})


def write_course(root: Path, notebooks: dict[str, NotebookNode] | None = None) -> Path:
    """Write a course folder with its configuration, generate the release, return the folder."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    for name, notebook in (notebooks or {ASSIGNMENT: source_notebook()}).items():
        folder = root / "solutions" / name
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{name}.ipynb")
        result = NbGraderAPI(config=config(root)).generate_assignment(name, create=True)
        assert result["success"], result["log"]
    return root


def config(root: Path) -> Config:
    loaded = PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()
    loaded.CourseDirectory.root = str(root)
    return loaded


def solved(course: Path, assignment: str = ASSIGNMENT) -> NotebookNode:
    """Return a right submission: the released notebook with the instructor's solutions in it."""
    released = nbformat.read(course / "lab" / assignment / f"{assignment}.ipynb", as_version=4)
    source = nbformat.read(course / "solutions" / assignment / f"{assignment}.ipynb", as_version=4)
    solutions = {c.id: c.source for c in source.cells if is_answer(c)}
    for cell in released.cells:
        if cell.id in solutions:
            cell.source = "\n".join(
                line for line in solutions[cell.id].split("\n") if "SOLUTION" not in line
            )
    return released


def is_answer(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def cell_named(notebook: NotebookNode, name: str) -> NotebookNode:
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


def hand_in(course: Path, student: str, notebook: NotebookNode, assignment: str = ASSIGNMENT) -> Path:
    """Write a submission and return its folder."""
    folder = course / "submitted" / student / assignment
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{assignment}.ipynb")
    return folder


def _check(name: str, points: int) -> NotebookNode:
    cell = new_code_cell(CHECK.format(name=name, points=points), id=f"check-{name.replace('_', '-')}")
    return _marked(cell, f"check_{name}", locked=True, grade=True, points=points)


def _marked(cell: NotebookNode, grade_id: str, **marks) -> NotebookNode:
    defaults = {"grade": False, "solution": False, "locked": False, "task": False}
    cell.metadata["nbgrader"] = {**defaults, **marks, "grade_id": grade_id, "schema_version": 3}
    return cell


def copy_course(blank: Path, target: Path) -> Path:
    """Return a copy of a course, with a gradebook of its own."""
    shutil.copytree(blank, target)
    return target


def grade(
    course: Path, students: list[str], workers: int, assignment: str = ASSIGNMENT, **limits
) -> dict[str, Row]:
    """Grade students of a stand-in course with short limits and return their rows."""
    short = config(course)
    short.CourseExecute.update(
        {
            "timeout": 10,
            "notebook_timeout": 600.0,
            "grace": 2.0,
            "memory": 1 << 30,
            "home": 64 << 20,
            "processes": 200,
            **limits,
        }
    )
    grader = Grader(short, assignment)
    with ThreadPoolExecutor(workers) as pool:
        return {row.student: row for row in grader.grade(students, pool, workers)}


def scores(course: Path, student: str) -> dict[str, float]:
    """Return the points of the first stand-in course's checks as the gradebook holds them."""
    with Gradebook(f"sqlite:///{course}/gradebook.db", "attention-lab-kit") as gradebook:
        grades = gradebook.find_submission_notebook(NOTEBOOK, ASSIGNMENT, student).grades
        return {grade.name: grade.auto_score for grade in grades if grade.name in POINTS}


def write_gradebook(course: Path) -> bool:
    """Generate the stand-in assignment again, into a fresh gradebook if there is none."""
    api = NbGraderAPI(config=config(course))
    return api.generate_assignment(ASSIGNMENT, create=True, force=True)["success"]

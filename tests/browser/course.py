"""A small course, cut out of the real core notebook, and what students write into it."""

import base64
import io
import shutil
from pathlib import Path

import nbformat
from matplotlib import pyplot as plt
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output
from nbgrader.apps import NbGraderAPI

from tests.course import ROOT, read
from tests.notebooks.questions import Answer
from tests.notebooks.questions.vision_transformer import QUESTIONS
from utilities.figures.diagrams import plot_retrieval
from utilities.grading.course import read_config
from utilities.grading.demo import STUDENTS
from utilities.grading.execute import CourseExecute

ASSIGNMENT = "attention"
MARKED = "kernels"  # the assignment whose answers are marked by hand
MARKED_ANSWERS: tuple[Answer, ...] = QUESTIONS[
    1
].answers  # in turn, as the students of the demo hand them in
COURSE_ID = "attention-lab-kit"
CORE = ROOT / "solutions" / "vision_transformer" / "vision_transformer.ipynb"
LAST_CELL = "check-scaled-dot-product-attention"
SCALED = " / tf.cast(d_k**0.5, q.dtype)"


def write_course(folder: Path) -> Path:
    """Write an instructor's course folder: the core up to scaled dot-product attention."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    _write_assignment(folder, ASSIGNMENT, LAST_CELL)
    return folder


def hand_in_the_class(folder: Path) -> None:
    """Add the core up to its first question, as the demo's eighteen have handed it in; not marked yet.

    Nothing is run: code and figures are what they handed in.
    """
    _write_assignment(folder, MARKED, "answer-01")
    config = read_config(folder)
    config.Autograde.autograde_preprocessors.remove(CourseExecute)
    nbgrader = NbGraderAPI(config=config)
    done = [nbgrader.generate_assignment(MARKED, create=True)]
    notebook, picture = read(folder / "lab" / MARKED / f"{MARKED}.ipynb"), _picture()
    for number, student in enumerate(STUDENTS):
        for cell in notebook.cells:
            if cell.id == "answer-01":
                cell.source = MARKED_ANSWERS[number % len(MARKED_ANSWERS)].text
            if cell.id == "retrieval":
                cell.outputs = [new_output("display_data", {"image/png": picture})]
        submission = folder / "submitted" / student / MARKED
        submission.mkdir(parents=True)
        nbformat.write(notebook, submission / f"{MARKED}.ipynb")
        done.append(nbgrader.autograde(MARKED, student, create=True))
    assert all(result["success"] for result in done), done


def _write_assignment(folder: Path, name: str, last_cell: str) -> None:
    source = folder / "solutions" / name
    source.mkdir(parents=True)
    notebook = read(CORE)
    ids = [cell.id for cell in notebook.cells]
    notebook.cells = notebook.cells[: ids.index(last_cell) + 1]
    nbformat.write(notebook, source / f"{name}.ipynb")


def _picture() -> str:
    """Return the figure of a cell as a notebook keeps it."""
    figure, png = plot_retrieval(), io.BytesIO()
    figure.savefig(png)
    plt.close(figure)
    return base64.b64encode(png.getvalue()).decode()


def write_exchange(folder: Path) -> Path:
    """Make an exchange directory, and return the folder of the settings that name it.

    Everybody on the machine reads them, as /etc/jupyter on a real one: docs/installation.md.
    """
    exchange, settings = folder / "exchange", folder / "settings"
    exchange.mkdir()
    exchange.chmod(0o777)
    settings.mkdir()
    (settings / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.Exchange.root = {str(exchange)!r}\n"
        f"c.CourseDirectory.course_id = {COURSE_ID!r}\n"
        "c.CourseDirectory.include = ['*.ipynb', 'timestamp.txt', 'submission_secret.txt']\n"
        "c.CourseDirectory.max_dir_size = 10_000_000\n"
        "c.Execute.timeout = 300\n"
    )
    return settings


def answers() -> dict[str, str]:
    """Return the right code of each exercise of the core by the id of its cell."""
    return {cell.id: _without_markers(cell.source) for cell in read(CORE).cells if _is_code(cell)}


def solved() -> NotebookNode:
    """Return the released core notebook with the right code in every exercise."""
    notebook = read(ROOT / "lab" / "vision_transformer" / "vision_transformer.ipynb")
    right = answers()
    for cell in notebook.cells:
        cell.source = right.get(cell.id, cell.source)
    return notebook


def _is_code(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(cell.metadata.get("nbgrader", {}).get("solution"))


def _without_markers(source: str) -> str:
    return "\n".join(line for line in source.split("\n") if "SOLUTION" not in line)

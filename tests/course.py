"""The course's notebooks, as the tests read them."""

import importlib.util
import linecache
import tempfile
from pathlib import Path

import nbformat

from utilities.grading.lesson import HIDDEN_REGION, SOLUTION_REGION

ROOT = Path(__file__).parents[1]
SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))
RELEASED = sorted((ROOT / "lab").glob("*/*.ipynb"))

__all__ = [
    "HIDDEN_REGION", "RELEASED", "ROOT", "SOLUTIONS", "SOLUTION_REGION",
    "exercises", "graded", "questions", "read", "run_exercises",
]  # fmt: skip


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def graded(notebook) -> list:
    """Return the cells that are graded automatically."""
    return [c for c in notebook.cells if c.cell_type == "code" and _nbgrader(c).get("grade")]


def questions(notebook) -> list:
    """Return the cells that are graded by hand."""
    return [c for c in notebook.cells if c.cell_type == "markdown" and _nbgrader(c).get("grade")]


def exercises(notebook) -> list:
    """Return the cells that a student writes code in."""
    return [c for c in notebook.cells if c.cell_type == "code" and _nbgrader(c).get("solution")]


def run_exercises(notebook) -> dict:
    """Run the import cell and the exercise cells as a module, and return its names.

    A real file, since AutoGraph looks the source of functions up.
    """
    imports = next(cell for cell in notebook.cells if cell.id == "imports")
    source = "\n\n\n".join(cell.source for cell in [imports, *exercises(notebook)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notebook.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location("notebook", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    # The file is gone; an entry without a time stamp is never looked up again.
    linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))
    return vars(module)


def _nbgrader(cell) -> dict:
    return cell.metadata.get("nbgrader", {})

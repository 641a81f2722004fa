"""A small course, cut out of the real core notebook, and what students write into it."""

import shutil
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from tests.course import ROOT, read

ASSIGNMENT = "attention"
COURSE_ID = "attention-lab-kit"
CORE = ROOT / "solutions" / "vision_transformer" / "vision_transformer.ipynb"
LAST_CELL = "check-scaled-dot-product-attention"
SCALED = " / tf.cast(d_k**0.5, q.dtype)"


def write_course(folder: Path) -> Path:
    """Write an instructor's course folder: the core up to scaled dot-product attention."""
    source = folder / "solutions" / ASSIGNMENT
    source.mkdir(parents=True)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    notebook = read(CORE)
    ids = [cell.id for cell in notebook.cells]
    notebook.cells = notebook.cells[: ids.index(LAST_CELL) + 1]
    nbformat.write(notebook, source / f"{ASSIGNMENT}.ipynb")
    return folder


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

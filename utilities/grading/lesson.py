"""An instructor's notebook as nbgrader marks it: exercises, graded cells, questions, regions."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import nbformat
from nbformat.notebooknode import NotebookNode

SOLUTION_REGION = re.compile(r"BEGIN SOLUTION[^\n]*\n(.*?)[^\n]*END SOLUTION", re.DOTALL)
HIDDEN_REGION = re.compile(r"BEGIN HIDDEN TESTS[^\n]*\n(.*?)[^\n]*END HIDDEN TESTS", re.DOTALL)
SCHEME_REGION = re.compile(r"BEGIN MARK SCHEME[^\n]*\n(.*?)[^\n]*END MARK SCHEME", re.DOTALL)
LONGEST_LABEL = 30
SECTION = re.compile(r"^##? ", re.MULTILINE)


@dataclass(frozen=True)
class Lesson:
    """One source notebook."""

    file: str
    cells: list[NotebookNode]

    def those(self, wanted: Callable[[NotebookNode], bool]) -> list[NotebookNode]:
        """Return the cells of a kind, such as `lesson.those(is_exercise)`."""
        return [cell for cell in self.cells if wanted(cell)]

    def before(self, cell: NotebookNode) -> NotebookNode | None:
        """Return the cell above another."""
        place = self.place(cell)
        return self.cells[place - 1] if place else None

    def place(self, cell: NotebookNode) -> int:
        """Return the index of a cell: that very one, since copies compare equal."""
        return next(i for i, other in enumerate(self.cells) if other is cell)

    def label(self, cell: NotebookNode) -> str:
        """Return where a cell stands: its grade id, else its number from 1 and its first words."""
        if name := marks(cell).get("grade_id"):
            return f"cell {name}"
        words = shorten(cell.source.lstrip("# |"), LONGEST_LABEL, placeholder="…")
        return f"cell {self.place(cell) + 1} ({words})"


def read_lesson(path: Path) -> Lesson:
    """Return a source notebook. Raises ValueError for a file that is no notebook."""
    try:
        return Lesson(path.name, nbformat.read(path, as_version=4).cells)
    except Exception as error:  # nbformat has no one error for what is no notebook
        raise ValueError(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error


def marks(cell: NotebookNode) -> dict:
    """Return what nbgrader has marked a cell with."""
    found = cell.metadata.get("nbgrader", {})
    return found if isinstance(found, dict) else {}


def is_exercise(cell: NotebookNode) -> bool:
    """Return whether a student writes code in a cell."""
    return cell.cell_type == "code" and bool(marks(cell).get("solution"))


def is_question(cell: NotebookNode) -> bool:
    """Return whether a cell holds an answer in words, with points."""
    return cell.cell_type == "markdown" and bool(marks(cell).get("grade"))


def is_graded(cell: NotebookNode) -> bool:
    """Return whether a cell is graded by a check: code of the instructor's, with points."""
    graded = cell.cell_type == "code" and bool(marks(cell).get("grade"))
    return graded and not marks(cell).get("solution")


def has_points(cell: NotebookNode) -> bool:
    """Return whether a cell is worth points, by a check or by hand."""
    return bool(marks(cell).get("grade") or marks(cell).get("task"))


def points_of(cell: NotebookNode) -> float:
    """Return the points of a cell; 0 where none stand in it."""
    points = marks(cell).get("points", 0)
    return float(points) if isinstance(points, (int, float)) else 0.0


def secret_regions(cell: NotebookNode) -> list[str]:
    """Return what a release must not hold of a cell: solution, hidden tests, marking scheme."""
    regions = (SOLUTION_REGION, HIDDEN_REGION, SCHEME_REGION)
    found = [text for region in regions for text in region.findall(cell.source)]
    whole = marks(cell).get("solution") and not SOLUTION_REGION.search(cell.source)
    return [*found, cell.source] if whole else found


def public_text(cell: NotebookNode) -> str:
    """Return what a release shows of a cell."""
    if marks(cell).get("solution") and not SOLUTION_REGION.search(cell.source):
        return ""
    text = cell.source
    for region in (SOLUTION_REGION, HIDDEN_REGION, SCHEME_REGION):
        text = region.sub("", text)
    return text


def secret_lines(lesson: Lesson, shortest: int = 15) -> list[str]:
    """Return the secret lines that stand nowhere in the open text of the same notebook."""
    regions = [region for cell in lesson.cells for region in secret_regions(cell)]
    lines = [line.strip() for region in regions for line in region.splitlines()]
    everything = "\n".join(map(public_text, lesson.cells))
    return [line for line in lines if len(line) > shortest and line not in everything]


def section_of(lesson: Lesson, cell: NotebookNode) -> list[NotebookNode]:
    """Return the cells of the section that a cell stands in."""
    section: list[NotebookNode] = []
    for other in lesson.cells:
        if other.cell_type == "markdown" and SECTION.search(other.source):
            if any(c is cell for c in section):
                return section
            section = []
        section.append(other)
    return section

"""Model answer and marking scheme of a written question, read from the instructor's notebook."""

import re
from dataclasses import dataclass
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from utilities.grading.lesson import marks, read_lesson, secret_regions

HEADING = re.compile(r"^\W*(?:Model answer|Marking scheme)\b[^\n]*$", re.MULTILINE | re.IGNORECASE)
MARK = re.compile(
    r"^\s*[-*] \*\*(\d+(?:\.\d+)?) points?\*\*(?: *[–—:-])? *(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE
)
END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


@dataclass(frozen=True)
class Mark:
    """One line of a marking scheme: what it is given for, in Markdown, and how much it is worth."""

    points: float
    text: str

    @property
    def sentence(self) -> str:
        """Return what may stand in a comment to the student: the first sentence, without the rest."""
        return " ".join(END_OF_SENTENCE.split(self.text)[0].split())


@dataclass(frozen=True)
class Scheme:
    """What a marker needs to know of a question, in Markdown."""

    answer: str
    marks: tuple[Mark, ...]
    notes: str

    @property
    def points(self) -> float:
        """Return what all marks are worth together."""
        return sum(mark.points for mark in self.marks)


def scheme_of(cell: NotebookNode) -> Scheme:
    """Return the scheme in an instructor's cell: lines such as `- **1 point** – …` are its marks."""
    secret = "\n".join(secret_regions(cell))
    found = list(MARK.finditer(secret))
    begin, end = (found[0].start(), found[-1].end()) if found else (len(secret), len(secret))
    answer, notes = (HEADING.sub("", text).strip() for text in (secret[:begin], secret[end:]))
    return Scheme(answer, tuple(Mark(float(m[1]), m[2].strip()) for m in found), notes)


def schemes_of(notebook: Path) -> dict[str, tuple[Scheme, NotebookNode]]:
    """Return the scheme and the cell of each written question by its grade id.

    Raises ValueError for a file that is no notebook.
    """
    cells = read_lesson(notebook).those(_is_question)
    return {marks(cell)["grade_id"]: (scheme_of(cell), cell) for cell in cells}


def _is_question(cell: NotebookNode) -> bool:
    graded = marks(cell).get("grade") or marks(cell).get("task")
    return cell.cell_type == "markdown" and bool(graded)

"""Keep what a person has marked, where a submission is graded again and the answer is the same."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry

from utilities.grading.sanitize import written

Place = tuple[str, str]  # notebook, cell


@dataclass
class Marks:
    """The grades that a person gave, and the answers that they are for."""

    given: dict[Place, tuple[bool, float | None]] = field(
        default_factory=dict
    )  # open?, automatic points
    answers: dict[Place, str] = field(default_factory=dict)

    @classmethod
    def read(cls, gradebook: Gradebook, assignment: str, student: str, graded: Path) -> "Marks":
        """Return what stands in the gradebook, and in the folder of the last grading."""
        marks = cls()
        try:
            submission = gradebook.find_submission(assignment, student)
        except MissingEntry:
            return marks
        for notebook in submission.notebooks:
            for grade in notebook.grades:
                if grade.manual_score is not None or grade.extra_credit:
                    place = notebook.name, grade.name
                    marks.given[place] = bool(grade.needs_manual_grade), grade.auto_score
        if marks.given:
            marks.answers = _answers(graded)
        return marks

    def restore(self, gradebook: Gradebook, assignment: str, student: str, graded: Path) -> None:
        """Leave grades as they were, where neither answer nor automatic points have changed."""
        if not self.given:
            return
        now = _answers(graded)
        for (notebook, cell), (was_open, points) in self.given.items():
            answer = now.get((notebook, cell))
            grade = gradebook.find_grade(cell, notebook, assignment, student)
            same = answer is not None and answer == self.answers.get((notebook, cell))
            if same and grade.auto_score == points:
                grade.needs_manual_grade = was_open
        gradebook.db.commit()


def _answers(folder: Path) -> dict[Place, str]:
    """Return what each graded cell of a graded submission rests on."""
    answers = {}
    for path in sorted(folder.glob("*.ipynb")):
        try:
            nb = nbformat.read(path, as_version=4)
        except (OSError, ValueError):  # nobody's answer: to be looked at again
            continue
        code = json.dumps([cell.source for cell in nb.cells if cell.cell_type == "code"])
        for cell in nb.cells:
            if utils.is_grade(cell) or utils.is_task(cell):
                own = utils.is_solution(cell) or utils.is_task(cell)
                answers[path.stem, cell.metadata.nbgrader["grade_id"]] = _text(cell) if own else code
    return answers


def _text(cell: NotebookNode) -> str:
    return json.dumps([written(cell), cell.get("attachments", {})], sort_keys=True)

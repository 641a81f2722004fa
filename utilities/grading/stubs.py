"""What stands where a student is to write: for a question, with its number."""

import re
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import ClearSolutions

from utilities.grading.lesson import marks

PLACE = "{question}"  # in the stub's text
NUMBER = re.compile(r"question_0*(\d+)")


class NumberedStubs(ClearSolutions):
    """nbgrader's own, with a question's number, since Validate names an unanswered one by its text."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, cell_index: int
    ) -> tuple[NotebookNode, Any]:
        """Replace the solution of a cell, or in a part of it, and name the question there."""
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if cell.cell_type == "markdown":
            named = self.text_stub.replace(PLACE, _question(cell))
            cell.source = cell.source.replace(self.text_stub, named)
        return cell, resources


def _question(cell: NotebookNode) -> str:
    """Return "Question 7", after the cell's grade id, or "Question" where that has no number."""
    number = NUMBER.match(marks(cell).get("grade_id", ""))
    return f"Question {number[1]}" if number else "Question"

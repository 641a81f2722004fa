"""What stands where a student is to write: for a question, with its number."""

import re
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import ClearSolutions

NUMBER = re.compile(r"question_0*(\d+)")


class NumberedStubs(ClearSolutions):
    """nbgrader's own, with a question's number, since Validate names an unanswered one by its text."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, cell_index: int
    ) -> tuple[NotebookNode, Any]:
        """Replace the solution of a cell; `{question}` in the text becomes its name."""
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if cell.cell_type == "markdown" and cell.source == self.text_stub:
            cell.source = self.text_stub.format(question=_question(cell))
        return cell, resources


def _question(cell: NotebookNode) -> str:
    """Return "Question 7", after the cell's grade id, or "Question" where that has no number."""
    number = NUMBER.match(cell.metadata.nbgrader.grade_id)
    return f"Question {number[1]}" if number else "Question"

"""What a student gets back: reports, their own code and the comments, and nothing hidden."""

from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import List

from utilities.grading.markup import WRITTEN
from utilities.grading.outputs import hide_paths
from utilities.grading.sanitize import without_hidden


class CourseFeedback(NbGraderPreprocessor):
    """Cut the hidden tests out of a graded notebook, and paths of this machine from the remarks.

    Graded cells show the reports alone: their numbers are in the cell's heading. What students wrote
    is made harmless where it is rendered, by `markup.markdown2html`.
    """

    # nbconvert sets this for all its parts, and nbgrader's base class does not know it as a setting
    display_data_priority: List = List(config=True)

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple:
        """Return the cell as the student may see it."""
        if utils.is_grade(cell) and not utils.is_solution(cell):
            cell.source = without_hidden(cell.source)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if not _is_score(cell, o)]
        elif WRITTEN not in cell.metadata:
            cell.source = hide_paths(cell.source)
        return cell, resources


def _is_score(cell: NotebookNode, output: NotebookNode) -> bool:
    judged = utils.is_grade(cell) and not utils.is_solution(cell)
    return judged and output.output_type == "execute_result"

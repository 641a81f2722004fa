"""What a student gets back: reports, their own code and the comments, and nothing hidden."""

from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from traitlets import List

from utilities.grading.markup import WRITTEN
from utilities.grading.outputs import hide_paths
from utilities.grading.sanitize import without_hidden

NOT_MARKED = "This answer is not marked yet: its points are still to come."


class CourseGrades(GetGrades):
    """nbgrader's points and comments; an answer that nobody has marked yet says so."""

    def _get_score(self, cell: NotebookNode, resources: Any) -> None:
        super()._get_score(cell, resources)
        names = (self.notebook_id, self.assignment_id, self.student_id)
        grade = self.gradebook.find_grade(cell.metadata.nbgrader["grade_id"], *names)
        if grade.needs_manual_grade and not cell.metadata.nbgrader.get("comment"):
            self.log.warning("%s: %s is not marked yet", self.student_id, grade.name)
            cell.metadata.nbgrader["comment"] = NOT_MARKED


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

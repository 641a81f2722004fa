"""What a student gets back: reports, their own code and the comments, and nothing hidden."""

import glob
import os
from typing import Any

from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbformat.notebooknode import NotebookNode
from nbgrader import utils
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from traitlets import List
from traitlets.config import Config

from utilities.grading import apart
from utilities.grading.markup import WRITTEN
from utilities.grading.outputs import hide_paths
from utilities.grading.sanitize import without_hidden

NOT_MARKED = "This answer is not marked yet: its points are still to come."
RENDERING = apart.Bounds(seconds=120, cpu_seconds=60, memory=2 << 30)


class FeedbackExporter(HTMLExporter):
    """nbconvert's, with each page made in a process of its own, held to limits.

    Marks and comments are read here, where the gradebook is. nbgrader makes the exporter after it has
    looked for the students' folders, and takes each name for a pattern: those that it passed over, such
    as `a[b]`, are put back.
    """

    def __init__(self, config: Any = None, **options: Any):
        super().__init__(config=config, **options)
        if isinstance(self.parent, GenerateFeedback):
            _put_back(self.parent)

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **options: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the page. Raises apart.Ended where it takes more than it may."""
        marked, found = super(TemplateExporter, self).from_notebook_node(nb, resources, **options)
        plain = {name: value for name, value in found.items() if not callable(value)}
        own = {name: self.config[name] for name in self.section_names() if name in self.config}
        return apart.run(_page, own, marked, plain, bounds=RENDERING), found


def _page(config: dict[str, Any], nb: NotebookNode, resources: dict[str, Any]) -> str:
    return str(HTMLExporter(config=Config(config)).from_notebook_node(nb, resources)[0])


def _put_back(converter: GenerateFeedback) -> None:
    """Add the folders whose names are patterns that do not match themselves."""
    course = converter.coursedir
    if course.student_id == course.notebook_id == "*":
        place = course.format_path(course.autograded_directory, "*", course.assignment_id)
        below = os.path.relpath(place, course.root)
        for folder in glob.glob(os.path.join(glob.escape(course.root), below)):
            notebooks = glob.glob(os.path.join(glob.escape(folder), "*.ipynb"))
            if notebooks:
                converter.assignments.setdefault(folder, notebooks)


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

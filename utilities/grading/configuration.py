"""What every course of the kit is configured to do; a course's nbgrader_config.py calls it."""

import os
import sys
from pathlib import Path

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import CheckCellMetadata, ClearSolutions, Execute
from traitlets.config import Config

from utilities.grading.engine import DONE
from utilities.grading.execute import CourseExecute
from utilities.grading.feedback import CourseFeedback, CourseGrades, FeedbackExporter
from utilities.grading.files import FROM_EXCHANGE
from utilities.grading.guard import CheckedExporter
from utilities.grading.markup import FILTERS
from utilities.grading.sanitize import RepairCells
from utilities.grading.stubs import NumberedStubs


def configure(c: Config, course_id: str) -> None:
    """Configure a course: solutions/ is the source, lab/ the release, both without student folders.

    Every stock command works in its folder: generate_assignment, autograde, formgrader,
    generate_feedback, export.
    """
    # A fresh gradebook is made by the command `alembic`, which nbgrader looks for on PATH.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    c.CourseDirectory.course_id = course_id
    c.CourseDirectory.source_directory = "solutions"
    c.CourseDirectory.release_directory = "lab"

    # A release leaks through what nobody thought of, so only notebooks are copied; and what feedback
    # on a submission needs to find its way back through the exchange.
    c.CourseDirectory.include = ["*.ipynb", *FROM_EXCHANGE]
    # What is said among graders does not travel with the feedback.
    c.CourseDirectory.ignore = [*CourseDirectory.class_traits()["ignore"].default(), DONE]

    c.ClearSolutions.code_stub = {
        "python": 'raise NotImplementedError("Write this step here, in place of this line.")'
    }
    c.ClearSolutions.text_stub = "*{question}: write your answer here, in place of this line.*"
    c.GenerateAssignment.preprocessors = [
        NumberedStubs if preprocessor is ClearSolutions else preprocessor
        for preprocessor in GenerateAssignment.class_traits()["preprocessors"].default()
    ]

    # `lab check` looks at an assignment before anything of it is replaced.
    c.GenerateAssignment.exporter_class = CheckedExporter

    # Submissions are repaired from the gradebook, run in a sandbox, and judged outside it.
    c.Execute.timeout = 300
    c.Autograde.sanitize_preprocessors = [RepairCells, CheckCellMetadata]
    c.Autograde.autograde_preprocessors = [
        CourseExecute if preprocessor is Execute else preprocessor
        for preprocessor in Autograde.class_traits()["autograde_preprocessors"].default()
    ]

    # What is shown, in formgrader and in feedback: nothing in it runs, and nothing is fetched.
    c.HTMLExporter.filters = FILTERS
    c.GenerateFeedback.exporter_class = FeedbackExporter

    # Students see reports, their own code and the comments: no hidden test.
    c.GenerateFeedback.preprocessors = [CourseGrades, CourseFeedback, CSSHTMLHeaderPreprocessor]

"""Look at an assignment before nbgrader touches release or gradebook."""

from typing import Any

from nbconvert.exporters import NotebookExporter
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException

from utilities.grading.check import source_faults
from utilities.grading.course import CourseError, course_directory
from utilities.grading.fresh import generated
from utilities.grading.state import Changes


class CheckedExporter(NotebookExporter):
    """nbgrader's exporter, made only for an assignment that can be generated.

    nbgrader makes it before it removes the old release, so that what is refused here has lost
    nothing.
    """

    def __init__(self, config: Any = None, **options: Any):
        super().__init__(config=config, **options)
        if isinstance(self.parent, GenerateAssignment):
            self._look(self.parent)

    def _look(self, converter: GenerateAssignment) -> None:
        course, assignment = converter.coursedir, converter.coursedir.assignment_id
        config = converter.config.copy()
        config.CourseDirectory.root = course.root
        try:
            with generated(config, assignment) as (fresh, release):
                faults = source_faults(config, assignment, fresh, release)
                stuck = Changes(course_directory(config, assignment), assignment, fresh).stuck
        except CourseError as error:
            raise _refusal(converter, str(error)) from None
        for fault in faults:
            (converter.log.error if fault.grave else converter.log.warning)("%s", fault)
        if stuck:
            raise _refusal(converter, stuck)
        if any(fault.grave for fault in faults):
            raise _refusal(
                converter, f"{assignment} is not generated until what is said above is fixed"
            )


def _refusal(converter: GenerateAssignment, reason: str) -> NbGraderException:
    converter.log.error("Nothing was changed. %s", reason.rstrip("."))
    return NbGraderException(reason)

"""Grades in the form that a learning platform takes back: plugins of `nbgrader export`."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry, Student
from nbgrader.plugins import ExportPlugin
from traitlets import Dict

PARTICIPANT = re.compile(r"participant-(\d+)")  # as `lab collect` calls who is anonymous


class PlatformExport(ExportPlugin):
    """What both have in common: the students' points after penalties, and none where nothing is in."""

    default = ""

    def export(self, gradebook: Gradebook) -> None:
        """Write the file; `--assignment` and `--student` choose, as for nbgrader's own."""
        with Path(self.to or self.default).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(self.rows(gradebook))

    def rows(self, gradebook: Gradebook) -> Iterator[list]:
        """Yield the lines of the file."""
        raise NotImplementedError

    def chosen(self, gradebook: Gradebook) -> list:
        """Return the assignments to be exported."""
        wanted = [str(name) for name in self.assignment]
        return [each for each in gradebook.assignments if not wanted or each.name in wanted]

    def of_all(self, gradebook: Gradebook) -> Iterator[tuple[Student, list[str]]]:
        """Yield each student and the points in each assignment."""
        wanted = [str(name) for name in self.student]
        for student in gradebook.students:
            if not wanted or student.id in wanted:
                points = [_points(gradebook, each.name, student.id) for each in self.chosen(gradebook)]
                yield student, points


class MoodleExport(PlatformExport):
    """For Moodle's import of grades, or, where marking was anonymous, its offline grading worksheet."""

    default = "moodle.csv"

    def rows(self, gradebook: Gradebook) -> Iterator[list]:
        """Yield one line for each student, with whatever Moodle may know them by."""
        names = [each.name for each in self.chosen(gradebook)]
        grades = ["Grade"] if len(names) == 1 else [f"Grade {name}" for name in names]
        yield ["Identifier", "Full name", "Email address", "ID number", *grades]
        for student, points in self.of_all(gradebook):
            anonymous = PARTICIPANT.fullmatch(student.id)
            identifier = f"Participant {anonymous[1]}" if anonymous else ""
            full = " ".join(filter(None, (student.first_name, student.last_name)))
            yield [identifier, full, student.email or "", "" if anonymous else student.id, *points]


class CanvasExport(PlatformExport):
    """For the import of Canvas' gradebook."""

    default = "canvas.csv"
    columns = Dict(
        help="What Canvas calls each assignment, with its number: {'kernels': 'Kernels (4711)'}."
    ).tag(config=True)

    def rows(self, gradebook: Gradebook) -> Iterator[list]:
        """Yield heading, points possible, and one line for each student."""
        chosen = self.chosen(gradebook)
        heads = [self.columns.get(each.name, each.name) for each in chosen]
        yield ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *heads]
        yield ["    Points Possible", "", "", "", "", *(f"{each.max_score:g}" for each in chosen)]
        for student, points in self.of_all(gradebook):
            name = ", ".join(filter(None, (student.last_name, student.first_name))) or student.id
            login = (student.email or "").split("@")[0]
            yield [name, student.lms_user_id or "", student.id, login, "", *points]


def _points(gradebook: Gradebook, assignment: str, student: str) -> str:
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        return ""
    return f"{max(0.0, submission.score - (submission.late_submission_penalty or 0.0)):g}"

"""What a class has and has not understood, in numbers: from the gradebook and the kept findings."""

import ast
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

import nbformat
import numpy as np
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory

from utilities.checks.kernel.case import NOT_ATTEMPTED, NOT_JUDGED, RAISED
from utilities.grading.course import CourseError
from utilities.grading.engine import DONE, OPTIONAL, Row
from utilities.grading.findings import Found
from utilities.grading.slices import parse
from utilities.grading.state import graded_folders

EXAMPLES = 3  # of each mistake
FEWEST = 5  # students below whom a correlation says nothing
LONGEST_EXAMPLE = 40  # lines
NO_NAME = "no known mistake"
UNNAMED = (NOT_ATTEMPTED, NOT_JUDGED, RAISED)  # what a check says in place of a mistake


@dataclass
class Item:
    """One exercise or question: the share of its points that each student has, by student."""

    name: str
    points: float
    by_hand: bool
    shares: dict[str, float] = field(default_factory=dict)
    waiting: int = 0  # answers that nobody has marked yet
    discrimination: float | None = None  # correlation with the rest of the points

    @property
    def solved(self) -> int:
        """Return how many have all points."""
        return sum(share >= 1 for share in self.shares.values())

    @property
    def partly(self) -> int:
        """Return how many have some of the points."""
        return sum(0 < share < 1 for share in self.shares.values())

    @property
    def without(self) -> int:
        """Return how many have none."""
        return len(self.shares) - self.solved - self.partly

    @property
    def difficulty(self) -> float | None:
        """Return the mean share of the points: 1 is easy."""
        return mean(self.shares.values()) if self.shares else None

    @property
    def distribution(self) -> list[tuple[float, int]]:
        """Return how many have how many points, from the fewest."""
        return sorted(Counter(round(s * self.points, 2) for s in self.shares.values()).items())


@dataclass
class Mistake:
    """One kind of mistake in one exercise: what it is called, who made it, what it cost in all."""

    exercise: str
    name: str
    message: str
    students: list[str] = field(default_factory=list)
    points_lost: float = 0.0
    examples: list[str] = field(default_factory=list)

    @property
    def known(self) -> bool:
        """Return whether a check knew it by name."""
        return bool(self.message)


@dataclass
class ClassReport:
    """An assignment as a class has solved it; mistakes and lost findings, the dearest first."""

    assignment: str
    students: int
    items: list[Item]
    mistakes: list[Mistake]
    lost: list[tuple[str, str, int, float]]  # exercise, finding, students, points
    totals: list[float]
    max_score: float
    seconds: list[float]

    @property
    def exercises(self) -> list[Item]:
        """Return what checks grade."""
        return [item for item in self.items if not item.by_hand]

    @property
    def questions(self) -> list[Item]:
        """Return what a person grades."""
        return [item for item in self.items if item.by_hand]

    @property
    def median_seconds(self) -> float:
        """Return how long the grader took for one submission."""
        return median(self.seconds) if self.seconds else 0.0


def report_on(directory: CourseDirectory, assignment: str) -> ClassReport:
    """Return the report on a graded assignment. Raises CourseError where nobody is graded."""
    rows = {row.student: (row, folder) for row, folder in _rows(directory, assignment)}
    if not rows:
        raise CourseError(f"Nobody is graded yet. Run: lab grade {assignment}")
    with Gradebook(directory.db_url, directory.course_id) as gradebook:
        try:
            items, totals, max_score = _items(
                gradebook, assignment, {s: r for s, (r, _) in rows.items()}
            )
        except MissingEntry:
            raise CourseError(f"The gradebook knows no assignment {assignment}.") from None
    discriminate(items)
    mistakes, lost = _mistakes(rows)
    seconds = [row.seconds for row, _ in rows.values()]
    return ClassReport(assignment, len(totals), items, mistakes, lost, totals, max_score, seconds)


def _rows(directory: CourseDirectory, assignment: str) -> Iterable[tuple[Row, Path]]:
    for folder in graded_folders(directory, assignment):
        path = folder / DONE
        if path.is_file():
            yield Row(**json.loads(path.read_text())["row"]), folder


def _items(
    gradebook: Gradebook, assignment: str, rows: dict[str, Row]
) -> tuple[list[Item], list[float], float]:
    """Return what each graded student has of each cell, and the totals."""
    items: dict[tuple[str, str], Item] = {}
    totals = []
    entry = gradebook.find_assignment(assignment)
    for notebook in entry.notebooks:
        for cell in notebook.grade_cells:
            by_hand = cell.cell_type == "markdown"
            items[notebook.name, cell.name] = Item(cell.name, float(cell.max_score), by_hand)
    for submission in gradebook.assignment_submissions(assignment):
        row = rows.get(submission.student_id)
        if row is None:
            continue
        totals.append(float(submission.score))
        for notebook in submission.notebooks:
            if OPTIONAL.format(notebook.name) in row.remarks:
                continue
            for grade in notebook.grades:
                item = items.get((notebook.name, grade.name))
                if item is None or not item.points:
                    continue
                if grade.needs_manual_grade:
                    item.waiting += 1
                else:
                    item.shares[submission.student_id] = float(grade.score) / item.points
    return list(items.values()), totals, float(entry.max_score)


def discriminate(items: list[Item]) -> None:
    """Correlate each item with the points of the others, over those who have both."""
    for item in items:
        others = [other for other in items if other is not item]
        rest = {
            student: sum(other.points * other.shares.get(student, 0.0) for other in others)
            for student in item.shares
        }
        ours, theirs = (np.array([values[s] for s in rest]) for values in (item.shares, rest))
        if len(rest) >= FEWEST and ours.std() > 0 and theirs.std() > 0:
            item.discrimination = float(np.corrcoef(ours, theirs)[0, 1])


def _mistakes(
    rows: dict[str, tuple[Row, Path]],
) -> tuple[list[Mistake], list[tuple[str, str, int, float]]]:
    """Return the mistakes and the findings that do not hold, each by the points it cost in all."""
    mistakes: dict[tuple[str, str], Mistake] = {}
    lost: dict[tuple[str, str], list[float]] = {}
    for student, (row, folder) in rows.items():
        for found in row.findings:
            step = found["cell"].removeprefix("check_")
            told: dict[str, float] = {}
            messages: dict[str, str] = {}
            for finding, cost in _costs(found):
                lost.setdefault((step, finding["name"]), []).append(cost)
                known = [name for name in (finding["mistake"], finding["also"]) if name]
                names = known or [finding["kind"] if finding["kind"] in UNNAMED else NO_NAME]
                for name in names:
                    told[name] = told.get(name, 0.0) + cost / len(names)
                    messages.setdefault(name, finding["message"] if known else "")
            for name, cost in told.items():
                key = step, name
                mistake = mistakes.setdefault(key, Mistake(*key, messages[name]))
                mistake.students.append(student)
                mistake.points_lost += cost
                if mistake.known and len(mistake.examples) < EXAMPLES:
                    mistake.examples += _example(folder, found)
    dearest = sorted(mistakes.values(), key=lambda m: (not m.known, -m.points_lost, m.name))
    findings = [(*key, len(costs), sum(costs)) for key, costs in lost.items()]
    return dearest, sorted(findings, key=lambda finding: -finding[3])


def _costs(found: Found) -> list[tuple[dict, float]]:
    """Return the findings that do not hold and their parts of the points that the cell has lost."""
    failed = [finding for finding in found["findings"] if not finding["held"]]
    shares = sum(finding["share"] for finding in failed)
    gone = found["points"] - found["score"]
    return [(finding, gone * finding["share"] / shares) for finding in failed] if shares else []


def _example(folder: Path, found: Found) -> list[str]:
    """Return the student's code of a step, without comments; nothing where it cannot be read."""
    nb = nbformat.read(folder / f"{found['notebook']}.ipynb", 4)
    step = found["cell"].removeprefix("check_")
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == step:
            try:
                lines = ast.unparse(parse(cell.source)).splitlines()
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return []
            more = ["…"] if len(lines) > LONGEST_EXAMPLE else []
            return ["\n".join(lines[:LONGEST_EXAMPLE] + more)]
    return []

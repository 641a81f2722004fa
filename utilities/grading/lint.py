"""What is wrong with a notebook of the instructor's, before a student meets it: rule by rule.

Each rule reads one notebook, runs nothing of it, and says where, what, and what to do.
"""

import importlib.util
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nbformat.notebooknode import NotebookNode
from rapidfuzz import fuzz

import utilities
from utilities.grading.handed_in import TAG, asked_for, has_tag, is_tagged
from utilities.grading.judge import checks_called, rehearse
from utilities.grading.lesson import (
    Lesson,
    has_points,
    is_exercise,
    is_graded,
    is_question,
    marks,
    points_of,
    public_text,
    secret_regions,
    section_of,
)
from utilities.grading.names import Need, fails_with, names_of, needs_of, python_of
from utilities.grading.scheme import scheme_of

HEADING = re.compile(r"^#+ .*\((\d+(?:\.\d+)?) points?\)", re.MULTILINE)
WRITTEN_SUM = re.compile(r"\b([A-Za-z]+|\d+) written questions?, (worth )?(\d+(?:\.\d+)?) points?")
WORDS = [
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
]
MARKER = re.compile(
    r"\b(BEGIN|END)[ _-]*(SOLUTIONS?|HIDDEN[ _-]*TESTS?|MARK[ _-]*SCHEME)\b", re.IGNORECASE
)
MARKERS = {
    f"{edge} {region}"
    for edge in ("BEGIN", "END")
    for region in ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
}
KIND_OF_REGION = {"SOLUTION": "solution", "HIDDEN TESTS": "grade", "MARK SCHEME": "task"}
TABLE_ROW = re.compile(r"^\|(.+)\|\s*$", re.MULTILINE)
IN_BACKTICKS = re.compile(r"`([^`]+)`")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
WHOLE_SOLUTION = 0.8  # of its lines in the open text: then somebody copied it there
SHORTEST_LINE = 15  # characters; shorter lines stand anywhere
BY_HAND = "or mark the cell as a manually graded answer, and give its points by hand"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where, what, what to do.

    grave: nothing is generated with it, since a grade would be missing or a secret be shown.
    """

    place: str
    what: str
    remedy: str
    grave: bool = False

    def __str__(self) -> str:
        return f"{self.place}: {self.what}. {self.remedy}."


Rule = Callable[[Lesson], Iterator[Fault]]


def faults_of(lesson: Lesson) -> list[Fault]:
    """Return what is wrong with a notebook, in the order of the rules."""
    return [fault for rule in RULES for fault in rule(lesson)]


def marks_are_whole(lesson: Lesson) -> Iterator[Fault]:
    """Grade ids are there and unique; what is graded has points above 0."""
    ids = Counter(marks(cell).get("grade_id") for cell in lesson.cells if marks(cell))
    for cell in lesson.cells:
        name = marks(cell).get("grade_id")
        place = _at(lesson, cell)
        if marks(cell) and not name:
            yield Fault(place, "it has no grade id", "Give it one in the Create Assignment panel", True)
        elif name and ids[name] > 1:
            what = f"the grade id {name} stands in {ids[name]} cells"
            yield Fault(place, what, "Give each cell an id of its own", grave=True)
        if has_points(cell) and points_of(cell) <= 0:
            what = "it is graded and worth nothing"
            yield Fault(place, what, "Give it points in the Create Assignment panel")


def regions_are_closed(lesson: Lesson) -> Iterator[Fault]:
    """BEGIN and END of a region are spelt as nbgrader reads them, in pairs, in a cell of their kind."""
    for cell in lesson.cells:
        place, found = _at(lesson, cell), [match[0] for match in MARKER.finditer(cell.source)]
        for marker in dict.fromkeys(found):
            if marker not in MARKERS:
                right = _right_spelling(marker)
                what = f"nbgrader does not know {marker!r}: what follows it would be released"
                yield Fault(place, what, f"Write {right}", grave=True)
        for region in ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME"):
            edges = [marker.split()[0] for marker in found if marker.endswith(f" {region}")]
            if edges != ["BEGIN", "END"] * (len(edges) // 2) or len(edges) % 2:
                what = f"BEGIN {region} and END {region} do not stand in pairs"
                yield Fault(place, what, "Write the one that is missing", grave=True)
            elif edges and not marks(cell).get(KIND_OF_REGION[region]):
                what = (
                    f"it holds a region {region} and has not nbgrader's mark {KIND_OF_REGION[region]}"
                )
                yield Fault(place, what, "Mark it so in the Create Assignment panel", grave=True)


def code_can_be_read(lesson: Lesson) -> Iterator[Fault]:
    """Each code cell is Python, and imports what is there."""
    for cell in lesson.those(lambda cell: cell.cell_type == "code"):
        try:
            names = names_of(python_of(cell))
        except SyntaxError as error:
            what = f"it is no Python: {error.msg}, line {error.lineno}"
            yield Fault(_at(lesson, cell), what, "Fix it", grave=True)
            continue
        unknown = sorted(names.vocabulary - set(utilities.__all__))
        if unknown:
            what = f"utilities has no {_list(unknown)}, so that none of its imports succeed"
            remedy = "Take it out, or offer it in utilities/__init__.py"
            yield Fault(_at(lesson, cell), what, remedy, grave=True)
        for module in sorted({name.split(".")[0] for name in names.modules}):
            if importlib.util.find_spec(module) is None:
                what = f"the package {module} is not installed here"
                yield Fault(
                    _at(lesson, cell), what, "Install it for students and grader, or do without"
                )


def graded_cells_can_be_judged(lesson: Lesson) -> Iterator[Fault]:
    """A graded cell calls a check, earns all points when all holds, and none when nothing does."""
    for cell in lesson.those(is_graded):
        place = _at(lesson, cell)
        try:
            called = checks_called(cell.source)
        except SyntaxError:
            continue  # told already
        if not called:
            what = "it calls no check (test_… of utilities): nothing outside the kernel can grade it"
            remedy = f"Call a check (lab new --check makes one of your own), {BY_HAND}"
            yield Fault(place, what, remedy, grave=True)
            continue
        try:
            best, worst = rehearse(cell.source, holds=True), rehearse(cell.source, holds=False)
        except Exception as error:
            what = f"the grader cannot run it ({type(error).__name__}: {error})"
            remedy = f"Leave only calls of checks and sums of their points in it, {BY_HAND}"
            yield Fault(place, what, remedy, grave=True)
            continue
        if worst.number != 0.0:
            what = "it gives points although no finding of its check holds"
            remedy = "Let its last line be the points earned, such as min(points)"
            yield Fault(place, what, remedy, grave=True)
        elif best.number is not None and not _same(best.number, points_of(cell)):
            what = f"it is worth {points_of(cell):g} points and its call says {best.number:g}"
            yield Fault(place, f"{what}, which is what students see", WRITE_POINTS)


WRITE_POINTS = "Let `lab check --fix` write the points of the cell everywhere"


def headings_say_the_points(lesson: Lesson) -> Iterator[Fault]:
    """The heading above an exercise or a question says what its cell is worth."""
    for cell, said in headings(lesson):
        if not _same(said, points_of(cell)):
            what = f"it is worth {points_of(cell):g} points and its heading says {said:g}"
            yield Fault(_at(lesson, cell), what, WRITE_POINTS)


def questions_have_answer_and_scheme(lesson: Lesson) -> Iterator[Fault]:
    """Each written question has a model answer and a marking scheme that adds up."""
    for cell in lesson.those(lambda cell: cell.cell_type == "markdown" and has_points(cell)):
        place, scheme = _at(lesson, cell), scheme_of(cell)
        if marks(cell).get("solution") and not scheme.answer:
            remedy = "Write one between BEGIN SOLUTION and END SOLUTION: it stands in solutions/ alone"
            yield Fault(place, "it has no model answer", remedy)
        if not scheme.marks:
            remedy = "Write lines such as `- **1 point** – …` below the model answer"
            yield Fault(place, "it has no marking scheme", remedy)
        elif not _same(scheme.points, points_of(cell)):
            worth = f"it is worth {points_of(cell):g} points"
            what = f"{worth}, its marking scheme adds up to {scheme.points:g}"
            yield Fault(place, what, "Change one of the two")


def tables_say_the_points(lesson: Lesson) -> Iterator[Fault]:
    """The notebook's own table and its sum of the written questions say what the cells are worth."""
    worth = points_by_definition(lesson)
    for cell in lesson.those(lambda cell: cell.cell_type == "markdown" and not marks(cell)):
        for names, said in table_entries(cell.source):
            there = [worth.get(name) for name in names]
            gone = [name for name, points in zip(names, there, strict=True) if points is None]
            if gone:
                what = f"its table lists {_list(gone)}, which no exercise asks for"
                yield Fault(_at(lesson, cell), what, "Take it out of the table")
            elif [float(points or 0) for points in there] != said:
                what = f"its table says {_sum(said)} points for {_list(names)}, the cells {_sum(there)}"
                yield Fault(_at(lesson, cell), what, WRITE_POINTS)
        right = with_written_sum(cell.source, lesson)
        pairs = zip(WRITTEN_SUM.finditer(cell.source), WRITTEN_SUM.finditer(right), strict=True)
        for written, better in pairs:
            if written[0] != better[0]:
                what = f"it says {written[0]!r}, there are {better[0]!r}"
                yield Fault(_at(lesson, cell), what, WRITE_POINTS)


def with_written_sum(text: str, lesson: Lesson) -> str:
    """Return a text that says how many written questions there are, and what they are worth."""
    questions = lesson.those(is_question)
    number, points = len(questions), sum(map(points_of, questions))

    def written(said: re.Match) -> str:
        count = WORDS[number] if number < len(WORDS) and not said[1].isdigit() else str(number)
        count = count.capitalize() if said[1][0].isupper() else count
        noun = " written question, " if number == 1 else " written questions, "
        return f"{count}{noun}{said[2] or ''}{points:g} point{'s' * (points != 1)}"

    return WRITTEN_SUM.sub(written, text)


def names_are_given(lesson: Lesson) -> Iterator[Fault]:
    """Every name that a cell needs is defined by a cell above it."""
    table = needs_of(lesson)
    for cell, needs in table:
        for name in (need for need in needs if need.giver is None or need.too_late):
            what = f"it needs {name.name}, which {_where_instead(lesson, name)}"
            felled = fails_with(table, cell)
            if felled:
                what += f"; with it fail {_list([lesson.label(other) for other in felled])}"
            if below := _questions_below(lesson, cell):
                what += f"; in its section stand {_list([marks(q)['grade_id'] for q in below])}"
            remedy = "Define it in a cell above, or drop the cells that need it and what they feed"
            yield Fault(_at(lesson, cell), what, remedy)


def tagged_cells_only_train_or_show(lesson: Lesson) -> Iterator[Fault]:
    """What is not run again is locked code without points, and gives no name that what is run needs."""
    for cell in lesson.those(lambda cell: has_tag(cell) and not is_tagged(cell)):
        what = f"it has the tag {TAG}, which is for locked code cells without points"
        yield Fault(_at(lesson, cell), what, "Take the tag out")
    for cell, name, giver in asked_for(lesson.cells):
        what = f"it has the tag {TAG}, and {lesson.label(cell)} needs {name} of it"
        yield Fault(_at(lesson, giver), what, "Take the tag out: it is run in grading all the same")


def release_gives_nothing_away(lesson: Lesson) -> Iterator[Fault]:
    """No open cell holds what another one keeps secret."""
    shown = [(cell, public_text(cell)) for cell in lesson.cells]
    for cell in lesson.cells:
        for region in secret_regions(cell):
            lines = {line.strip() for line in region.splitlines() if len(line.strip()) > SHORTEST_LINE}
            for other, text in shown:
                there = sum(line in text for line in lines)
                if lines and there >= WHOLE_SOLUTION * len(lines):
                    what = f"it shows the secret part of {lesson.label(cell)}"
                    yield Fault(_at(lesson, other), what, "Take it out", grave=True)


def _at(lesson: Lesson, cell: NotebookNode) -> str:
    return f"{lesson.file}, {lesson.label(cell)}"


def _right_spelling(marker: str) -> str:
    letters = re.sub("[^A-Z]", "", marker.upper())
    return max(MARKERS, key=lambda right: fuzz.ratio(right.replace(" ", ""), letters))


def headings(lesson: Lesson) -> Iterator[tuple[NotebookNode, float]]:
    """Yield the cells with points whose heading states some, and what it states.

    An exercise's points stand in the graded cell below it.
    """
    for cell, heading in headed(lesson):
        if (said := HEADING.search(heading.source)) is not None:
            yield cell, float(said[1])


def headed(lesson: Lesson) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    """Yield each cell with points and the text that stands above it or above its exercise."""
    for cell in lesson.those(has_points):
        above = lesson.before(cell)
        while above is not None and is_exercise(above) and not has_points(above):
            above = lesson.before(above)
        if above is not None and above.cell_type == "markdown" and not has_points(above):
            yield cell, above
        elif HEADING.search(public_text(cell)):
            yield cell, cell


def points_by_definition(lesson: Lesson) -> dict[str, float]:
    """Return what each exercise is worth, by the names of the functions and classes it defines."""
    worth = {}
    for exercise in lesson.those(is_exercise):
        place = lesson.place(exercise)
        below = next((cell for cell in lesson.cells[place:] if has_points(cell)), None)
        try:
            names = names_of(python_of(exercise)).defines
        except SyntaxError:
            names = set()
        for name in names:
            worth[name] = points_of(below) if below is not None else 0.0
    return worth


def table_entries(text: str) -> Iterator[tuple[list[str], list[float]]]:
    """Yield from each row of a table with points the names in backticks and the numbers beside them."""
    rows = [[part.strip() for part in row.split("|")] for row in TABLE_ROW.findall(text)]
    column = next((row.index(part) for row in rows for part in row if "points" in part.lower()), None)
    if column is None:
        return
    for row in rows:
        names = IN_BACKTICKS.findall(" ".join(row[:column]))
        numbers = [float(number) for number in NUMBER.findall(row[column] if column < len(row) else "")]
        if names and numbers:
            yield names, numbers


def _where_instead(lesson: Lesson, need: Need) -> str:
    if need.giver is None:
        return "no cell defines"
    return f"is defined only further down, in {lesson.label(need.giver)}"


def _questions_below(lesson: Lesson, cell: NotebookNode) -> list[NotebookNode]:
    section = section_of(lesson, cell)
    place = next(i for i, other in enumerate(section) if other is cell)
    return [other for other in section[place:] if is_question(other)]


def _same(one: float, other: float) -> bool:
    return abs(one - other) < 1e-6


def _sum(numbers: list) -> str:
    return " + ".join(f"{number:g}" for number in numbers)


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


RULES: list[Rule] = [
    marks_are_whole, regions_are_closed, code_can_be_read, graded_cells_can_be_judged,
    headings_say_the_points, questions_have_answer_and_scheme, tables_say_the_points,
    names_are_given, tagged_cells_only_train_or_show, release_gives_nothing_away,
]  # fmt: skip

"""`lab check --fix`: write the points of the cells, which count, into all that repeats them."""

import re
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from utilities.grading.judge import POINTS_OFFERED, rehearse
from utilities.grading.lesson import Lesson, is_graded, marks, points_of
from utilities.grading.lint import (
    HEADING,
    IN_BACKTICKS,
    NUMBER,
    headed,
    points_by_definition,
    table_entries,
    with_written_sum,
)


def write_points(path: Path) -> list[str]:
    """Write a notebook's points wherever they are repeated; return what was changed."""
    notebook = nbformat.read(path, as_version=4)
    lesson = Lesson(path.name, notebook.cells)
    before = [cell.source for cell in lesson.cells]
    for cell in lesson.those(is_graded):
        _write_call(cell)
    for cell, heading in headed(lesson):
        heading.source = _with_heading(heading.source, points_of(cell))
    for cell in lesson.those(lambda cell: cell.cell_type == "markdown" and not marks(cell)):
        with_table = _with_table(cell.source, points_by_definition(lesson))
        cell.source = with_written_sum(with_table, lesson)
    changed = [cell for cell, old in zip(lesson.cells, before, strict=True) if cell.source != old]
    if changed:
        nbformat.write(notebook, path)
    return [f"{path.name}, {lesson.label(cell)}: points written" for cell in changed]


def _write_call(cell: NotebookNode) -> None:
    """Let all calls of a graded cell offer the cell's points, where that is what they come to then."""
    source = POINTS_OFFERED.sub(f"points={points_of(cell):g}", cell.source)
    try:
        if rehearse(source, holds=True).number == points_of(cell):
            cell.source = source
    except Exception:  # `lab check` says what is wrong with it
        return


def _with_heading(text: str, points: float) -> str:
    return HEADING.sub(
        lambda m: re.sub(r"\([\d.]+ points?\)", f"({points:g} point{'s' * (points != 1)})", m[0]),
        text,
        count=1,
    )


def _with_table(text: str, worth: dict[str, float]) -> str:
    """Return a text whose table says what the exercises in it are worth."""
    entries = [names for names, _ in table_entries(text)]

    def written(row: str) -> str:
        names = [name for name in IN_BACKTICKS.findall(row) if name in worth]
        if names not in entries or not row.startswith("|"):
            return row
        *start, last, end = row.rsplit("|", 2)
        numbers = iter([f"{worth[name]:g}" for name in names])
        return "|".join([*start, NUMBER.sub(lambda _: next(numbers, "?"), last), end])

    return "\n".join(map(written, text.split("\n")))

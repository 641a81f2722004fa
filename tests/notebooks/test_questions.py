"""Every written question can be answered from what stands before it or is named in it."""

import importlib
import re

import pytest

from tests.course import ROOT, SOLUTIONS, questions, read
from utilities.grading.scheme import scheme_of

NUMBER = re.compile(r"\d+")
PART = re.compile(r"^\d\. ", re.MULTILINE)
NOTEBOOKS = {path.stem: read(path) for path in SOLUTIONS}
ANSWERS = {
    (name, int(NUMBER.search(cell.id)[0])): cell
    for name, notebook in NOTEBOOKS.items()
    for cell in questions(notebook)
}
KNOWN = {
    (path.stem, number): question
    for path in sorted((ROOT / "tests/notebooks/questions").glob("[a-z]*.py"))
    for number, question in importlib.import_module(
        f"tests.notebooks.questions.{path.stem}"
    ).QUESTIONS.items()
}
every = pytest.mark.parametrize(("name", "number"), KNOWN)


def before(name, number) -> list:
    """Return the cells above an answer; the last one asks."""
    cells = NOTEBOOKS[name].cells
    return cells[: cells.index(ANSWERS[name, number])]


def parts(name, number) -> int:
    return max(1, len(PART.findall(before(name, number)[-1].source)))


def test_every_question_has_its_line():
    assert sorted(KNOWN) == sorted(ANSWERS)


@every
def test_each_part_is_answered_above_or_by_a_paper_that_is_named(name, number):
    cells, known = before(name, number), KNOWN[name, number]
    above, text = {cell.id for cell in cells}, "".join(cell.source for cell in cells)
    elsewhere = {cell.id for cell in NOTEBOOKS[name].cells} - above
    assert len(known.sources) == parts(name, number)
    for source in sum(known.sources, ()):
        assert source not in elsewhere, f"{source} comes after the question"
        assert source in above or source in text, f"{source}: neither a cell nor a paper named so far"


@every
def test_two_answers_earn_everything_and_one_a_part(name, number):
    worth = ANSWERS[name, number].metadata.nbgrader.points
    *right, half = KNOWN[name, number].answers
    assert [answer.points for answer in right] == [worth, worth]
    assert 0 < half.points < worth and half.points % 0.5 == 0 and half.missing


@every
def test_the_scheme_gives_the_points_of_the_question_and_each_row_is_asked_for(name, number):
    answer, count = ANSWERS[name, number], parts(name, number)
    scheme = scheme_of(answer)  # as formgrader shows it
    assert scheme.points == answer.metadata.nbgrader.points
    assert scheme.answer and all(mark.sentence for mark in scheme.marks)
    asked = KNOWN[name, number].scheme or tuple(range(1, count + 1))
    assert len(asked) == len(scheme.marks)
    assert set(asked) == set(
        range(1, count + 1)
    )  # nothing is given for what no part asks, or asked idly

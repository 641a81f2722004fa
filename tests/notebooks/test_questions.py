"""Every written question of the core can be answered from what stands before it or is named in it."""

import re

import pytest

from tests.course import ROOT, questions, read
from tests.notebooks.questions import QUESTIONS

NOTEBOOK = read(ROOT / "solutions" / "vision_transformer" / "vision_transformer.ipynb")
PLACES = {cell.id: place for place, cell in enumerate(NOTEBOOK.cells)}
ANSWERS = {int(cell.id.split("-")[1]): cell for cell in questions(NOTEBOOK)}
numbers = pytest.mark.parametrize("number", QUESTIONS)


def question(number: int):
    """Return the cell that asks."""
    return NOTEBOOK.cells[PLACES[ANSWERS[number].id] - 1]


def test_every_question_has_its_line():
    assert list(QUESTIONS) == sorted(ANSWERS)


@numbers
def test_each_part_is_answered_above_or_by_a_paper_that_is_named(number):
    asked = question(number)
    parts = re.findall(r"^\d\. ", asked.source, re.MULTILINE)
    assert len(QUESTIONS[number].sources) == max(len(parts), 1)
    for sources in QUESTIONS[number].sources:
        for source in sources:
            if source in PLACES:
                assert PLACES[source] <= PLACES[asked.id], source
            else:
                told = "".join(c.source for c in NOTEBOOK.cells[: PLACES[asked.id] + 1])
                assert source in told, f"{source} is neither a cell nor a paper named so far"


@numbers
def test_two_answers_earn_everything_and_one_a_part(number):
    worth = ANSWERS[number].metadata.nbgrader.points
    *right, half = QUESTIONS[number].answers
    assert [answer.points for answer in right] == [worth, worth]
    assert 0 < half.points < worth and half.missing


@numbers
def test_the_scheme_gives_as_many_points_as_the_question_is_worth(number):
    rows = re.findall(r"^- \*\*(\d) points?\*\*", ANSWERS[number].source, re.MULTILINE)
    assert sum(map(int, rows)) == ANSWERS[number].metadata.nbgrader.points

"""Each fault costs the points it touches and no others; the student can read why."""

import html
import re

import nbformat
import pytest

from tests.grading import course as stand_in
from tests.grading.course import ASSIGNMENT, NOTEBOOK, POINTS
from tests.grading.scenarios import SCENARIOS
from utilities.grading.markup import WRITTEN

pytestmark = pytest.mark.timeout(2700)  # a whole class is graded in the first test's name


@pytest.fixture(scope="module")
def graded(grade_class, request):
    """Grade the chosen scenarios as one class."""
    chosen = [item.callspec.params["name"] for item in request.session.items
              if item.module is request.module and hasattr(item, "callspec")]  # fmt: skip
    return grade_class({name: SCENARIOS[name] for name in chosen})


@pytest.mark.parametrize("name", SCENARIOS)
def test_fault_costs_only_what_it_touches(graded, name):
    scenario = SCENARIOS[name]
    row, scores, notebook = graded(name)
    assert scenario.asks in "".join(row.trouble)
    assert row.needs_a_person == bool(scenario.asks), row.trouble
    expected = {check: 0.0 if check in scenario.lost else POINTS[check] for check in POINTS}
    assert scores == expected, (row, _text(notebook)[-2000:])
    assert scenario.says in _text(notebook) + "".join(row.remarks)
    on_more_than_cells = [remark for remark in row.remarks if not remark.startswith("In cell ")]
    unforeseen = [r for r in on_more_than_cells if not scenario.perhaps or scenario.perhaps not in r]
    is_remark = scenario.says and any(scenario.says in remark for remark in row.remarks)
    assert is_remark or unforeseen == []


@pytest.mark.parametrize("name", [name for name in SCENARIOS if "an answer" in name])
def test_a_written_answer_and_its_pictures_are_kept_byte_for_byte(graded, blank_course, name):
    submitted = stand_in.solved(blank_course)
    SCENARIOS[name].change(submitted)
    mine = [cell for cell in submitted.cells if cell.cell_type == "markdown"][2:]
    cells = [cell for cell in graded(name)[2].cells if cell.cell_type == "markdown"]
    kept = {cell.metadata.get(WRITTEN, cell.source): cell.get("attachments", {}) for cell in cells}
    for cell in mine:
        pictures = {k: v for k, v in cell.get("attachments", {}).items() if not k.endswith("svg")}
        assert kept[cell.source] == pictures


def test_table_is_as_long_as_promised():
    assert len(SCENARIOS) >= 60
    assert (ASSIGNMENT, NOTEBOOK) == ("kernels", "kernels")


def _text(notebook) -> str:
    """Return all that the student can read in the graded notebook."""
    text = nbformat.writes(notebook)
    return html.unescape(re.sub(r"\\n|\\u001b\[[0-9;]*m", " ", text))

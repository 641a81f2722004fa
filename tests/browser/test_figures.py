"""The whole core notebook, solved and executed in JupyterLab: its figures, tables and messages."""

import re

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser import course
from tests.browser.legible import MIN_CONTRAST, contrasts

LIMIT = 600_000  # milliseconds: a training of three models on a busy machine
QUICK = 'PROFILE = "quick"'  # chosen in the first code cell, as the notebook says
FIGURES = 15  # at least so many; a lesson may show more


@pytest.fixture(scope="module")
def executed(student_lab):
    """The solved notebook after Run All Cells."""
    solved = course.solved()
    first = next(cell for cell in solved.cells if cell.cell_type == "code")
    first.source = first.source.replace('PROFILE = "default"', QUICK)
    path = "vision_transformer/solved.ipynb"
    nbformat.write(solved, student_lab.server.folder / path)
    notebook = student_lab.open(path)
    student_lab.menu("Run", "Run All Cells")
    last = [cell.id for cell in solved.cells if cell.cell_type == "code"][-1]
    prompt = notebook.cell(last).locator(".jp-InputPrompt")
    expect(prompt).to_have_text(re.compile(r"^\[\d+\]:$"), timeout=LIMIT)
    return notebook


def test_nothing_fails_and_nothing_is_written_to_stderr(executed):
    expect(executed.output("imports")).to_contain_text("Profile: quick")
    for kind in ("error", "stderr"):
        shown = executed.page.locator(f"[data-mime-type='application/vnd.jupyter.{kind}']")
        assert shown.all_inner_texts() == []


def test_every_figure_has_alternative_text(executed):
    page = executed.page
    alternatives = page.locator(".jp-OutputArea-output img").evaluate_all(
        "images => images.map(image => image.alt)"
    )
    assert len(alternatives) >= FIGURES
    assert [alt for alt in alternatives if len(alt.split()) < 5] == []
    assert page.locator(".jp-OutputArea-output").locator("canvas, .jp-RenderedImage").count() == 0


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_what_is_shown_is_legible(executed, student_lab, theme):
    with student_lab.theme(theme):
        shown = executed.page.locator(".jp-OutputArea-output")
        found = [pair for output in shown.all() for pair in contrasts(output)]
    assert len(found) > 100
    assert [(text, ratio) for text, ratio in found if ratio < MIN_CONTRAST] == []

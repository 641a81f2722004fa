"""Schemes as formgrader gets them: read from the instructor's notebook, and shown to nobody else."""

from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from utilities.grading import formgrader
from utilities.grading.formgrader.exporter import MarkingExporter
from utilities.grading.scheme import Mark, scheme_of

ANSWER = """<!-- BEGIN SOLUTION -->
**Model answer**

Because of $a < b$.

- **This** is no mark.

**Marking scheme** (4 points)

- **1 point** – one reason. Accepted: a <b>second</b> one.
- **2.5 points** – two lines,
  e.g. this one. And no more.
* **0.5 points** what is left

No points for: guessing.
<!-- END SOLUTION -->"""
HOSTILE = "I <script>alert(1)</script> <img src=x onerror=alert(2)> know."
PAGE = {"assignment_id": "one", "notebook_id": "page", "submission_id": "s", "base_url": "", "index": 0}


def question(source: str):
    marks = {
        "grade": True,
        "solution": True,
        "grade_id": "question_1",
        "points": 4,
        "schema_version": 3,
    }
    return new_markdown_cell(source, id="q", metadata={"nbgrader": {**marks, "locked": False}})


@pytest.fixture
def course(tmp_path):
    """A course's folder with one question in its source."""
    source = tmp_path / "solutions" / "one"
    source.mkdir(parents=True)
    nbformat.write(new_notebook(cells=[question(ANSWER)]), source / "page.ipynb")
    return tmp_path


@pytest.fixture
def page(course):
    """What formgrader shows of a submission to that question."""
    directory = CourseDirectory(config=Config(CourseDirectory={"source_directory": "solutions"}))
    directory.root = str(course)
    exporter = MarkingExporter.within(SimpleNamespace(config=Config(), coursedir=directory))
    submission = new_notebook(cells=[question(HOSTILE)])
    return lambda: exporter.from_notebook_node(submission, {**PAGE, "total": 1})[0]


def test_a_scheme_is_read_as_it_is_written():
    scheme = scheme_of(question(ANSWER))
    assert scheme.answer == "Because of $a < b$.\n\n- **This** is no mark."
    assert scheme.notes == "No points for: guessing."
    assert scheme.points == 4
    assert scheme.marks == (
        Mark(1.0, "one reason. Accepted: a <b>second</b> one."),
        Mark(2.5, "two lines,\n  e.g. this one. And no more."),
        Mark(0.5, "what is left"),
    )
    assert [mark.sentence for mark in scheme.marks] == [
        "one reason.",
        "two lines, e.g. this one.",
        "what is left",
    ]


def test_without_marks_all_is_the_answer():
    scheme = scheme_of(question("### BEGIN SOLUTION\nSo it is.\n### END SOLUTION"))
    assert (scheme.answer, scheme.marks, scheme.notes) == ("So it is.", (), "")


def test_a_scheme_may_stand_in_several_regions():
    region = "### BEGIN SOLUTION\n{}\n### END SOLUTION"
    scheme = scheme_of(question(f"{region.format('So.')}\n\n{region.format('- **1 point** – why.')}"))
    assert (scheme.answer, scheme.marks, scheme.notes) == ("So.", (Mark(1.0, "why."),), "")


def test_a_page_shows_marks_and_answer_and_runs_nothing_of_a_stranger(page):
    shown = page()
    assert shown.count('class="marking-whole"') == 3 and "Because of $a &lt; b$." in shown
    assert 'data-points="2.5" data-sentence="two lines, e.g. this one."' in shown
    assert "<script>alert" not in shown and "onerror" not in shown and "know." in shown
    assert "cdnjs" not in shown


def test_without_a_source_the_page_is_nbgraders(page, course):
    (course / "solutions" / "one" / "page.ipynb").write_text("no notebook")
    assert 'class="marking-whole"' not in page()
    (course / "solutions" / "one" / "page.ipynb").unlink()
    shown = page()
    assert 'class="marking-whole"' not in shown and "Student's answer" in shown


def test_where_no_formgrader_is_nothing_is_put_in_its_place():
    settings: dict = {}
    (point,) = formgrader._jupyter_server_extension_points()
    server = SimpleNamespace(web_app=SimpleNamespace(settings=settings))
    formgrader._load_jupyter_server_extension(server)
    assert settings == {} and point == {"module": formgrader.__name__}

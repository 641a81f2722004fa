"""The whole round: release, fetch, work, validate, submit, collect, grade, give and read feedback.

Each step is a fixture that leans on the one before it; the tests look at what came of it.
"""

import os
import re
import subprocess
import sys

import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Page, expect

from tests.browser import course
from tests.browser.conftest import in_page
from tests.browser.formgrader import Formgrader
from tests.browser.jupyter import CELL_LIMIT
from tests.browser.pictures import GET
from tests.course import read

FIGURES = ("retrieval", "softmax-temperature")
EXERCISE, QUESTION = "scaled-dot-product-attention", "question_01_nadaraya_watson"
NOTEBOOK = f"{course.ASSIGNMENT}/{course.ASSIGNMENT}.ipynb"
ANSWER = "It needs no training. But σ has to be chosen, and all the data have to be kept."
COMMENT = "Two of three: say what learned projections would change."


@pytest.fixture(scope="module")
def formgrader(browser, instructor_server):
    """The instructor's formgrader, in JupyterLab."""
    for lab in in_page(browser, instructor_server):
        lab.start()
        lab.menu("Nbgrader", "Formgrader")
        yield Formgrader(lab.page)


@pytest.fixture(scope="module")
def released(formgrader):
    """The assignment, generated and released."""
    formgrader.manage(course.ASSIGNMENT, "assign", "Successfully created the student version")
    formgrader.manage(course.ASSIGNMENT, "release", "Successfully released")


@pytest.fixture(scope="module")
def fetched(released, student_lab):
    """The assignment in the student's folder, fetched from their list of assignments."""
    student_lab.start()
    lists = assignment_lists(student_lab)
    lists["released"].get_by_role("button", name="Fetch").click()
    expect(lists["fetched"]).to_contain_text(course.ASSIGNMENT)


@pytest.fixture(scope="module")
def wrong_notebook(fetched, student_lab):
    """The fetched notebook with one mistake, and the figures that the student has looked at."""
    notebook = student_lab.open(NOTEBOOK)
    for id in ("imports", *FIGURES):
        notebook.run(id)
    right = course.answers()
    for id in ("gaussian", "nadaraya-watson"):
        notebook.write(id, right[id])
    notebook.write(EXERCISE, right[EXERCISE].replace(course.SCALED, ""))
    notebook.write("answer-01", ANSWER)
    return notebook


@pytest.fixture(scope="module")
def validated(wrong_notebook, pictures):
    """What Validate says of the wrong notebook, and of the corrected one."""
    page = wrong_notebook.page
    wrong = validate(page, lambda: pictures.keep(page, "validate.png"))
    wrong_notebook.write(EXERCISE, course.answers()[EXERCISE])
    return wrong, validate(page)


@pytest.fixture(scope="module")
def submitted(validated, student_lab):
    """The student's list of submissions."""
    lists = assignment_lists(student_lab)
    lists["fetched"].get_by_role("button", name="Submit").click()
    expect(lists["submitted"]).to_contain_text(course.ASSIGNMENT)
    return lists["submitted"]


@pytest.fixture(scope="module")
def graded(submitted, formgrader, instructor_server):
    """The submission, collected with the formgrader and graded with `lab grade`; its table."""
    formgrader.manage(course.ASSIGNMENT, "collect", "Successfully collected")
    done = subprocess.run(
        [sys.executable, "-m", "utilities.commands.lab", "grade", course.ASSIGNMENT],
        cwd=instructor_server.folder,
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def graded_by_hand(graded, formgrader, pictures):
    """The submission with two points and a comment for the written answer."""
    formgrader.open_submission(course.ASSIGNMENT, course.ASSIGNMENT)
    formgrader.grade(QUESTION, "2", COMMENT)
    pictures.keep(formgrader.page, "formgrader.png")


@pytest.fixture(scope="module")
def feedback(graded_by_hand, formgrader, submitted, student_lab):
    """The feedback page: generated and released by the instructor, fetched by the student."""
    formgrader.back_to_assignments()
    formgrader.manage(course.ASSIGNMENT, "generate-feedback", "Successfully generated feedback")
    formgrader.manage(course.ASSIGNMENT, "release-feedback", "Successfully released feedback")
    submitted.get_by_role("button", name="Fetch Feedback").click()
    submitted.get_by_text("(view feedback)").click()
    page = student_lab.page
    page.locator(".jp-DirListing-item", has_text=f"{course.ASSIGNMENT}.html").dblclick()
    return page.frame_locator(".jp-HTMLViewer iframe").locator("body")


def assignment_lists(lab) -> dict:
    """Open the student's lists of assignments."""
    lab.menu("Nbgrader", "Assignment List")
    return {
        kind: lab.page.locator(f"#{kind}_assignments_list")
        for kind in ("released", "fetched", "submitted")
    }


def validate(page: Page, look=lambda: None) -> str:
    """Click Validate, and return what the dialogue says."""
    page.get_by_role("button", name="Validate", exact=True).click()
    dialogue = page.locator(".jp-Dialog")
    expect(dialogue).to_contain_text("Validation Results", timeout=CELL_LIMIT)
    said = " ".join(dialogue.inner_text().split())  # long lines are broken, anywhere
    look()
    dialogue.get_by_role("button", name="Ok", exact=True).click()
    return said


def test_the_released_notebook_reaches_the_student(fetched, student_lab):
    text = (student_lab.server.folder / NOTEBOOK).read_text()
    assert "raise NotImplementedError" in text
    assert "SOLUTION" not in text and "HIDDEN" not in text and "Marking scheme" not in text


def test_validate_names_the_mistake(validated):
    wrong, _ = validated
    assert "The following cell failed" in wrong
    assert "the scores are not divided by √d_k" in wrong
    assert "test_gaussian" not in wrong


def test_validate_passes_the_corrected_notebook(validated):
    _, corrected = validated
    assert "Success! Your notebook passes all the tests." in corrected


def test_the_submission_is_graded_in_the_sandbox(graded, instructor_server):
    assert re.search(r"graded .* 12 / 15 .* 1 ", graded), graded
    (page,) = (instructor_server.folder / "autograded").glob(f"*/{NOTEBOOK}")
    notebook = read(page)
    assert notebook.metadata.attention_lab.unsafe is False
    errors = [o for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert errors == []


def test_the_marking_scheme_is_in_the_instructors_notebook(instructor_server):
    source = (instructor_server.folder / "solutions" / NOTEBOOK).read_text()
    assert "**Marking scheme** (3 points)" in source


def test_points_given_by_hand_are_in_the_gradebook(graded_by_hand, instructor_server):
    database = f"sqlite:///{instructor_server.folder}/gradebook.db"
    with Gradebook(database, course.COURSE_ID) as gradebook:
        (submission,) = gradebook.assignment_submissions(course.ASSIGNMENT)
        assert (submission.score, submission.max_score) == (14, 15)
        assert not submission.needs_manual_grade


def test_the_student_reads_the_feedback(feedback, student_lab, pictures):
    expect(feedback).to_contain_text("Score: 14.0 / 15.0")
    expect(feedback).to_contain_text(COMMENT)
    expect(feedback).to_contain_text(re.compile(r"scaled_dot_product_attention: all \d+ findings hold"))
    expect(feedback).not_to_contain_text("HIDDEN TESTS")
    pictures.panel(student_lab.page, GET, feedback.locator(".nbgrader_cell", has_text=COMMENT))


def test_figures_in_the_feedback_fit_and_have_alternative_text(feedback):
    expect(feedback).to_contain_text("As handed in, not checked.")
    figures = feedback.locator(".output_area img")
    expect(figures).to_have_count(len(FIGURES))
    for figure in figures.all():
        assert figure.get_attribute("alt")
        width = figure.evaluate("image => image.parentElement.clientWidth")
        assert 0 < figure.bounding_box()["width"] <= width

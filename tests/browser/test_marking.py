"""A written question of the demo's eighteen, marked through in formgrader by keyboard and mouse."""

import re
from urllib.parse import urlsplit

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from playwright.sync_api import expect

from tests.browser import course
from tests.browser.conftest import TIMEOUT
from tests.browser.legible import contrasts
from tests.notebooks.questions import Answer
from utilities.grading.course import read_config
from utilities.grading.demo import STUDENTS

QUESTION = "question_01_nadaraya_watson"
SIZE = {"width": 1500, "height": 900}
SENTENCES = "- 1 of 1: one benefit with its reason.\n- 0.5 of 1: two drawbacks, each with its cause"
TYPED = "Say how."
SECRET = ("Model answer", "Marking scheme", "There is nothing to train", "No points for")


class MarkingPage:
    """A submission in formgrader, at its written question."""

    def __init__(self, page):
        self.page = page
        self.question = page.locator(".marking-question.current")
        self.sum = self.question.locator(".marking-sum")
        self.requests: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))

    def answer(self) -> Answer:
        """Return which of the answers the student has handed in."""
        shown = self.question.locator(".marking-student .panel-body").inner_text()
        return next(a for a in course.MARKED_ANSWERS if a.text[:60] in shown)

    def type_marks(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def click_marks(self, *numbers: int) -> None:
        for number in numbers:
            self.question.locator(".marking-whole").nth(number - 1).click()

    def leave(self, key: str) -> None:
        """Go to another student, and wait until their question takes the keyboard."""
        before = self.page.url
        self.page.keyboard.press(key)
        self.page.wait_for_url(lambda url: urlsplit(url).path != urlsplit(before).path)
        if "/submissions/" in self.page.url:
            expect(self.question.locator(".marking")).to_be_focused()


@pytest.fixture(scope="module")
def handed_in(instructor_server):
    """The course's folder with the answers of eighteen, which nobody has marked."""
    course.hand_in_the_class(instructor_server.folder)
    return instructor_server.folder


@pytest.fixture(scope="module")
def first(browser, instructor_server, handed_in):
    """The first student's answer to the question, gone to by key from the top of the page."""
    context = browser.new_context(viewport=SIZE)
    context.set_default_timeout(TIMEOUT)
    page = context.new_page()
    marking = MarkingPage(page)
    listed = f"/formgrader/gradebook/{course.MARKED}/{course.MARKED}"
    page.goto(instructor_server.address(f"login?next={listed}"))
    page.get_by_role("link", name=re.compile("Submission #1( |$)")).first.click()
    expect(page.locator(".marking-legend")).to_be_visible()
    page.keyboard.press("n")
    expect(marking.question).to_be_visible()
    yield marking
    context.close()


@pytest.fixture(scope="module")
def looked_at(first, pictures):
    """What the marker sees of one answer, before anything is given."""
    expect(first.question.locator(".marking-answer .MathJax").first).to_be_visible()
    seen = {
        "sum": first.sum.inner_text(),
        "figures": first.question.locator(".marking-figures img").count(),
        "contrasts": contrasts(first.question.locator(".marking")),
        "elsewhere": [
            url for url in first.requests if urlsplit(url).hostname not in ("127.0.0.1", None)
        ],
    }
    first.type_marks("s", "1", "Shift+Digit2")
    expect(first.question.locator(".comment")).to_have_value(re.compile(re.escape(SENTENCES)))
    pictures.keep(first.page, "marking.png")
    first.type_marks("0", "s")
    return seen


@pytest.fixture(scope="module")
def marked(looked_at, first):
    """All eighteen, marked: by key, by mouse, or with halves and sentences, as the answer has it."""
    right, also_right, _ = course.MARKED_ANSWERS
    for _ in STUDENTS:
        answer = first.answer()
        if answer is right:
            first.type_marks("a")
        elif answer is also_right:
            first.click_marks(1, 2, 3)
        else:
            first.type_marks("c")
            first.page.keyboard.type(TYPED)
            expect(first.question.locator(".comment")).to_have_value(TYPED)
            first.type_marks("Escape", "s", "1", "Shift+Digit2", "s")
        expect(first.sum).to_have_text(f"{answer.points:g} of 3 points")
        first.leave("Enter")
    return first


@pytest.fixture(scope="module")
def gradebook(marked, handed_in):
    with Gradebook(f"sqlite:///{handed_in}/gradebook.db", course.COURSE_ID) as gradebook:
        yield gradebook


def test_scheme_figures_and_formulas_stand_beside_the_answer_without_a_network(looked_at):
    assert looked_at["sum"] == "not marked yet"
    assert looked_at["figures"] == 1 and looked_at["elsewhere"] == []
    assert min(contrast for _, contrast in looked_at["contrasts"]) >= 4.5


def test_eighteen_answers_are_marked_in_nbgraders_gradebook(gradebook):
    for number, student in enumerate(STUDENTS):
        names = (QUESTION, course.MARKED, course.MARKED, student)
        answer = course.MARKED_ANSWERS[number % len(course.MARKED_ANSWERS)]
        grade, comment = gradebook.find_grade(*names), gradebook.find_comment(*names)
        assert (grade.manual_score, grade.needs_manual_grade) == (answer.points, False), student
        if answer.missing:
            assert comment.manual_comment.startswith(f"{TYPED}\n{SENTENCES}"), student
        else:
            assert not comment.manual_comment, student


def test_feedback_tells_nothing_of_scheme_and_answer_but_the_sentences_given(gradebook, handed_in):
    student = list(STUDENTS)[2]
    assert course.MARKED_ANSWERS[2].missing
    done = NbGraderAPI(config=read_config(handed_in)).generate_feedback(course.MARKED, student)
    assert done["success"], done
    page = (handed_in / "feedback" / student / course.MARKED / f"{course.MARKED}.html").read_text()
    assert "one benefit with its reason." in page and TYPED in page
    assert not [words for words in SECRET if words in page]


def test_marks_are_shown_again_and_taken_back(marked):
    page = marked.page  # at the last student of formgrader's own order: this test is the last one, too
    expect(page).to_have_url(
        re.compile(f"gradebook/{course.MARKED}/{course.MARKED}$")
    )  # after the last
    page.go_back()
    page.reload()  # a browser goes back to what it had fetched then
    expect(marked.question.locator(".marking")).to_be_focused()
    answer, pressed = marked.answer(), marked.question.locator("[aria-pressed=true]")
    expect(pressed).to_have_count(2 if answer.missing else 3)
    marked.type_marks("0")
    expect(pressed).to_have_count(0)
    expect(marked.sum).to_have_text("0 of 3 points")
    marked.question.locator(".score").fill("2.5")
    marked.question.locator(".score").press("Escape")
    expect(marked.sum).to_have_text("2.5 of 3 points, typed: the next mark starts anew")

"""The class at a glance: what the checks found is kept, counted, and shown without names."""

import csv
import json
from html.parser import HTMLParser

import pytest
from nbgrader.api import Gradebook

from tests.grading import course as stand_in
from utilities.commands import lab
from utilities.grading.course import CourseError, course_directory
from utilities.grading.report import page_of, write
from utilities.grading.statistics import ClassReport, Item, Mistake, discriminate, report_on

SIGMA = """def gaussian(distance, sigma=1.0):
    # by zcyd
    return np.exp(-np.square(distance) / (2 * sigma))"""
STUDENTS = {"zada": None, "zbob": None, "zcyd": SIGMA, "zdan": SIGMA, "zeve": "gaussian = None"}


@pytest.fixture(scope="module")
def course(sandboxed, blank_course, tmp_path_factory):
    """Five students: two right, two with the same mistake, one without a first step."""
    course = stand_in.copy_course(blank_course, tmp_path_factory.mktemp("report") / "course")
    for student, gaussian in STUDENTS.items():
        notebook = stand_in.solved(course)
        if gaussian:
            stand_in.cell_named(notebook, "gaussian").source = gaussian
        stand_in.hand_in(course, student, notebook)
    stand_in.grade(course, list(STUDENTS), 2)
    with Gradebook(f"sqlite:///{course}/gradebook.db", "attention-lab-kit") as gradebook:
        for student, points in {"zada": 3, "zbob": 2, "zcyd": 2}.items():
            grade = gradebook.find_grade("question_01", "kernels", "kernels", student)
            grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()
    return course


@pytest.fixture(scope="module")
def report(course):
    return report_on(course_directory(stand_in.config(course), "kernels"), "kernels")


def test_findings_are_kept_with_the_grade(course):
    done = json.loads((course / "autograded" / "zcyd" / "kernels" / "lab-grade.json").read_text())
    first, second = done["row"]["findings"]
    assert (first["cell"], first["points"], first["exercise"]) == ("check_gaussian", 2.0, "gaussian")
    assert 0 < first["score"] < 2
    told = [finding for finding in first["findings"] if not finding["held"]]
    assert told and {"name", "message", "mistake", "share"} <= set(told[0]) and "detail" not in told[0]
    assert second["score"] == 4.0 and all(finding["held"] for finding in second["findings"])


def test_the_class_is_counted(report):
    gaussian, regression, question = report.items
    assert (gaussian.solved, gaussian.partly, gaussian.without) == (2, 2, 1)
    assert gaussian.difficulty == pytest.approx(sum(gaussian.shares.values()) / 5)
    assert regression.solved >= 4 and not regression.by_hand
    assert question.by_hand and question.waiting == 2 and question.distribution == [(2.0, 2), (3.0, 1)]
    assert question.discrimination is None and -1 <= gaussian.discrimination <= 1
    assert report.students == 5 and report.max_score == 9


def test_the_mistake_that_cost_most_comes_first(report):
    first = report.mistakes[0]
    assert first.exercise == "gaussian" and first.name != "no known mistake"
    assert first.students == ["zcyd", "zdan"] and first.message
    assert first.points_lost == pytest.approx(
        sum(2 * (1 - report.items[0].shares[s]) for s in ("zcyd", "zdan"))
    )
    assert len(first.examples) == 2 and "by zcyd" not in first.examples[0]
    lost = sum(cost for exercise, _, _, cost in report.lost if exercise == "gaussian")
    assert lost == pytest.approx(sum(2 * (1 - share) for share in report.items[0].shares.values()))


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_is_whole_and_fetches_and_runs_nothing(report):
    text = page_of(report)
    tags = Page(text).tags
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in tags}
    assert not [
        a for _, attributes in tags for a in attributes if a in ("src", "href") or a[:2] == "on"
    ]
    assert "url(" not in text and "prefers-color-scheme: dark" in text
    assert tags[0] == ("html", {"lang": "en"}) and sum(tag == "h1" for tag, _ in tags) == 1
    assert all("scope" in attributes for tag, attributes in tags if tag == "th")
    assert not [student for student in STUDENTS if student in text]


def test_what_students_write_is_text_on_the_page(report):
    mistake = report.mistakes[0]
    kept, mistake.examples = mistake.examples, ["<script>alert(1)</script>"]
    assert "&lt;script&gt;" in page_of(report) and "<script>" not in page_of(report)
    mistake.examples = kept


def test_discrimination_is_the_correlation_with_the_rest():
    shares = {"a": 1.0, "b": 1.0, "c": 0.5, "d": 0.0, "e": 0.0}
    items = [
        Item("one", 2, False, dict(shares)),
        Item("two", 4, False, dict(shares)),
        Item("all", 1, False),
    ]
    items[2].shares = dict.fromkeys(shares, 1.0)
    discriminate(items)
    assert items[0].discrimination == pytest.approx(1) and items[2].discrimination is None


def test_the_command_writes_page_and_tables_for_the_owner_alone(course, capsys):
    assert lab.main(["report", "kernels", "--course", str(course)]) == 0
    assert "kernels.html" in capsys.readouterr().out
    items = list(csv.DictReader((course / "reports" / "kernels-items.csv").open()))
    assert [(row["name"], row["all"]) for row in items][0] == ("check_gaussian", "2")
    assert (course / "reports" / "kernels.html").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("formula", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1"])
def test_in_a_table_numbers_are_numbers_and_nothing_is_a_formula(tmp_path, formula):
    item = Item("check_gaussian", 2, False, {"zada": 0.5}, discrimination=-0.25)
    told = Mistake("gaussian", formula, "message", ["zada"], 1.0)
    report = ClassReport("kernels", 1, [item], [told], [], [8.0], 9.0, [1.0])
    _, *tables = write(report, tmp_path)
    items, mistakes = (list(csv.reader(path.open(newline=""))) for path in tables)
    assert items[1] == ["check_gaussian", "by a check", "2", "0", "1", "0", "0", "0.5", "-0.25"]
    assert mistakes[1] == ["gaussian", f"'{formula}", "1", "1.0", "message"]


def test_without_grades_there_is_no_report(blank_course):
    with pytest.raises(CourseError, match="Nobody is graded"):
        report_on(course_directory(stand_in.config(blank_course), "kernels"), "kernels")
    assert lab.main(["report", "nothing", "--course", str(blank_course)]) == 2

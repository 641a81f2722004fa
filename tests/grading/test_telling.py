"""What `lab grade` says below its table, and what it spares itself."""

import json
import re
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook
from rich.console import Console

from tests.grading import course as stand_in
from tests.grading.scenarios import inside
from tests.grading.test_check import change_source, generate, worth
from tests.grading.test_command import hand_in_three, lab_grade
from utilities.grading import table
from utilities.grading.engine import FAILED, GRADED, Row
from utilities.grading.judge import judge_cell, rehearse, score_again

CHECK = stand_in.CHECK.format(name="gaussian", points=2)


@pytest.fixture
def course(blank_course, tmp_path):
    return stand_in.copy_course(blank_course, tmp_path / "course")


def said_by(done) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return re.sub(r"\s+", " ", done.stdout)


def run_of(course, student: str) -> dict:
    """Return what the last run wrote down of a student."""
    return json.loads((course / f"autograded/{student}/kernels/lab-grade.json").read_text())["row"]


@pytest.mark.parametrize("points", [1, 2, 4, 7])
@pytest.mark.parametrize("held, share", [(1.0, 1.0), (0.0, 0.0), (0.5, 0.5)])
def test_a_check_earns_its_share_of_the_cells_points(points, held, share):
    assert rehearse(CHECK, holds=True).number == 2
    assert score_again(CHECK, points, [held]) == points * share


def test_without_an_answer_of_the_kernel_nothing_is_earned():
    from utilities.grading.judge import Answer

    assert judge_cell(CHECK, 4, lambda _: Answer(lost="gone")).score == 0.0


def test_points_alone_changed_are_counted_without_running(sandboxed, course):
    hand_in_three(course)
    assert lab_grade(course).returncode == 0
    before = stand_in.scores(course, "wrong")["check_gaussian"]
    change_source(course, worth("check_gaussian", 4))
    told = said_by(lab_grade(course))
    assert "4 points here, 2 in the gradebook" in told and "Nothing changed" in told
    assert generate(course).returncode == 0
    told = said_by(lab_grade(course))
    assert "3 points changed" in told and "without running anything" in told
    assert "right 6 → 8" in told
    assert run_of(course, "right")["status"] == "points"
    assert stand_in.scores(course, "right") == {**stand_in.POINTS, "check_gaussian": 4.0}
    assert stand_in.scores(course, "wrong")["check_gaussian"] >= before
    assert stand_in.scores(course, "broken") == dict.fromkeys(stand_in.POINTS, 0.0)
    assert "Nothing changed" in said_by(lab_grade(course))
    again = lab_grade(course, "--force", "--student", "wrong")  # a run comes to the same
    assert "1 by --force" in said_by(again)
    assert "Other points" not in said_by(again)


def test_says_what_changed_and_who_is_missing(sandboxed, course):
    wrong = stand_in.solved(course)
    inside("return np.exp(-np.square(distance) / sigma**2)")(wrong)
    stand_in.hand_in(course, "ada", wrong)
    stand_in.hand_in(course, "Müller", stand_in.solved(course))
    with Gradebook(f"sqlite:///{course}/gradebook.db", "attention-lab-kit") as gradebook:
        gradebook.add_student("zoe")
    told = said_by(lab_grade(course))
    assert "In the roster, and nothing handed in: zoe." in told
    assert "2 answers wait to be marked by hand" in told
    shutil.rmtree(course / "submitted/ada")
    stand_in.hand_in(course, "ada", stand_in.solved(course))
    stand_in.hand_in(course, "mueller", stand_in.solved(course))
    told = said_by(lab_grade(course))
    assert "1 handed in again; 1 for the first time; 1 kept" in told
    assert re.search(r"Other points: ada \S+ → 6\.", told)
    assert "Müller, mueller are taken for 2 students" in told


def test_every_remark_stands_whole_below_the_table_and_once(sandboxed, course):
    config = course / "nbgrader_config.py"
    config.write_text(
        config.read_text() + "\nc.CourseExecute.timeout = 3\nc.CourseExecute.grace = 2.0\n"
        "c.LateSubmissionPlugin.penalty_method = 'zero'\n"
    )
    late = stand_in.hand_in(course, "late", stand_in.solved(course))
    (late / "timestamp.txt").write_text("2026-03-04 12:00:00 UTC")
    with Gradebook(f"sqlite:///{course}/gradebook.db", "attention-lab-kit") as gradebook:
        gradebook.update_or_create_assignment("kernels", duedate="2026-03-01 12:00:00")
    broken = stand_in.solved(course)
    stand_in.cell_named(broken, "nadaraya_watson").source = "def nadaraya_watson(q, k:\n    pass"
    stand_in.hand_in(course, "no-python", broken)
    endless = stand_in.solved(course)
    inside("while True: pass")(endless)
    endless.cells.append(new_code_cell("gaussian(1.0)"))
    stand_in.hand_in(course, "endless", endless)
    told = said_by(lab_grade(course))
    assert "late: Handed in 3.0 days late; it cost 6 points." in told
    assert (
        run_of(course, "late")["penalty"] == 6.0 and stand_in.scores(course, "late") == stand_in.POINTS
    )
    assert "no-python: cell nadaraya_watson: SyntaxError:" in told
    assert "(line 1)" in told
    assert re.search(r"endless: cells check_gaussian, .*: This cell was stopped: it ran longer", told)
    assert told.count("it ran longer than its time") == 1


def test_a_missing_notebook_costs_its_own_points_unless_it_is_optional(sandboxed, course):
    second = stand_in.source_notebook()
    nbformat.write(second, course / "solutions/kernels/further.ipynb")
    assert stand_in.write_gradebook(course)
    stand_in.hand_in(course, "half", stand_in.solved(course))
    told = said_by(lab_grade(course))
    assert "half: further.ipynb is missing: 0 of 9 points; the rest was graded." in told
    assert "6 / 18" in told
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.CourseExecute.optional_notebooks = ['further']\n")
    told = said_by(lab_grade(course, "--force"))
    assert "further.ipynb was not handed in; it is optional." in told
    assert "6 / 9" in told and "6 / 9" in said_by(lab_grade(course))


def test_a_gradebook_that_is_gone_is_told_before_a_new_one_is_made(sandboxed, course):
    stand_in.hand_in(course, "right", stand_in.solved(course))
    assert lab_grade(course).returncode == 0
    (course / "gradebook.db").unlink()
    done = lab_grade(course)
    assert done.returncode == 2
    assert "1 submissions are graded. Put its backup back" in re.sub(r"\s+", " ", done.stdout)


def test_expects_hours_for_a_large_class():
    assert table.duration(7000) == "117 minutes"
    assert "about 3.2 hours, 2 at a time" in table.expected(117 * 97, 2)


def test_the_table_tells_who_is_not_graded():
    rows = [Row("ada", GRADED, 5, 6), Row("bob", FAILED, trouble=["The worker is gone."])]
    console = Console(record=True, width=100)
    table.show(console, "kernels", rows, unsafe=False)
    table.tell_the_rest(console, rows, [f"absent{number}" for number in range(table.SHOWN)])
    table.tell_the_rest(console, rows, [f"gone{number}" for number in range(table.SHOWN + 2)])
    told = re.sub(r"\s+", " ", console.export_text())
    assert "absent11. " in told and "gone11 and 2 more." in told
    assert "│ not graded │ 0 / 0 │ │ 0.0 │ 1 │" in told
    assert "bob: The worker is gone." in told
    assert "Not graded, for the reason above: bob." in told

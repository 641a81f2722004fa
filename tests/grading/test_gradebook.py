"""The gradebook is waited for, backed up and private; marks stay; two runs at once harm nobody."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from tests.grading import course as stand_in
from tests.grading.scenarios import inside
from tests.grading.test_command import LAB, lab_grade
from tests.grading.test_markup import PNG
from utilities.commands import lab
from utilities.grading import apart, engine, gradebook
from utilities.grading.engine import Grader

URL = "sqlite:///{}/gradebook.db"


@pytest.fixture
def course(blank_course, tmp_path):
    return stand_in.copy_course(blank_course, tmp_path / "course")


@pytest.fixture(autouse=True)
def _others_go_on(monkeypatch):
    """Stop no session of this process: it is the tests' own, too."""
    monkeypatch.setattr(apart, "stop_all", lambda: None)


def lock(course: Path, seconds: float) -> threading.Thread:
    """Keep the gradebook to ourselves for a while, as a copy or another program does."""
    held = threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(course / "gradebook.db")) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            held.set()
            time.sleep(seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    return thread


def test_a_locked_gradebook_is_waited_for(sandboxed, course):
    stand_in.hand_in(course, "right", stand_in.solved(course))
    holder = lock(course, 12)
    done = lab_grade(course)
    holder.join()
    assert done.returncode == 0, done.stdout + done.stderr
    assert stand_in.scores(course, "right") == stand_in.POINTS


def test_a_gradebook_that_stays_locked_ends_the_run_with_its_reason(course, monkeypatch, capsys):
    monkeypatch.setattr(gradebook, "PATIENCE", 0.5)
    monkeypatch.chdir(course)
    stand_in.hand_in(course, "right", stand_in.solved(course))
    holder = lock(course, 6)
    status = lab.main(["grade", "kernels"])
    holder.join()
    assert status == 2
    assert "stayed locked" in " ".join(capsys.readouterr().out.split())


def test_it_ends_also_where_the_lock_comes_while_it_grades(sandboxed, course, monkeypatch, capsys):
    monkeypatch.setattr(gradebook, "PATIENCE", 0.5)
    monkeypatch.chdir(course)
    for student in ("one", "two"):
        stand_in.hand_in(course, student, stand_in.solved(course))
    holders = []
    score = engine.Grader.score

    def locked_at_the_second(self, *arguments):
        if holders:
            return pytest.fail("nothing is scored once the gradebook is gone")
        holders.append(lock(course, 8))
        return score(self, *arguments)

    monkeypatch.setattr(engine.Grader, "score", locked_at_the_second)
    status = lab.main(["grade", "kernels", "--workers", "1"])
    holders[0].join()
    assert status == 2
    assert "stayed locked" in " ".join(capsys.readouterr().out.split())


def test_a_full_disk_is_called_a_full_disk(sandboxed, course, monkeypatch, capsys):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    stand_in.hand_in(course, "right", stand_in.solved(course))
    monkeypatch.setattr(engine.nbformat, "write", full)
    monkeypatch.chdir(course)
    assert lab.main(["grade", "kernels"]) == 2
    assert "The disk is full" in " ".join(capsys.readouterr().out.split())


def test_it_is_backed_up_before_a_run_and_its_owners_alone(sandboxed, course):
    (course / "gradebook.db").chmod(0o644)
    before = _students(course / "gradebook.db")
    stand_in.hand_in(course, "right", stand_in.solved(course))
    assert lab_grade(course).returncode == 0
    (backup,) = (course / gradebook.BACKUPS).iterdir()
    assert _students(backup) == before and _students(course / "gradebook.db") == [*before, "right"]
    for file in (backup, course / "gradebook.db"):
        assert file.stat().st_mode & 0o777 == 0o600
    assert lab_grade(course).returncode == 0 and lab_grade(course).returncode == 0
    assert len(list((course / gradebook.BACKUPS).iterdir())) == 2, "unchanged, so not copied again"


def test_no_more_than_a_few_backups_are_kept(tmp_path):
    path = tmp_path / "gradebook.db"
    for number in range(gradebook.MOST_BACKUPS + 3):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"CREATE TABLE t{number} (x)")
        last = gradebook.back_up(f"sqlite:///{path}")
    kept = sorted((tmp_path / gradebook.BACKUPS).iterdir())
    assert len(kept) == gradebook.MOST_BACKUPS and kept[-1] == last


def test_two_runs_at_once_lose_and_double_nobody(sandboxed, course):
    students = [f"s{number}" for number in range(4)]
    for student in students:
        stand_in.hand_in(course, student, stand_in.solved(course))
    runs = [
        subprocess.Popen([*LAB, "--json", f"{n}.json"], cwd=course, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "150"})
        for n in range(2)
    ]  # fmt: skip
    for run in runs:
        out, err = run.communicate(timeout=300)
        assert run.returncode == 0, out + err
    for number in range(2):
        rows = json.loads((course / f"{number}.json").read_text())["rows"]
        assert [(row["student"], row["score"]) for row in rows] == [(s, 6.0) for s in students]
    assert _students(course / "gradebook.db") == students
    with Gradebook(URL.format(course), "attention-lab-kit") as book:
        assert len(book.assignment_submissions("kernels")) == len(students)
    assert not list(course.glob("autograded/*/.lab-*"))


def test_what_a_killed_run_has_left_is_swept(sandboxed, course):
    stand_in.hand_in(course, "right", stand_in.solved(course))
    left = course / "autograded" / "right" / ".lab-killed" / "graded"
    left.mkdir(parents=True)
    (left / "kernels.ipynb").touch(0o400)
    assert lab_grade(course).returncode == 0
    assert not left.parent.exists()


def mark(course: Path, student: str, **points: float) -> None:
    """Mark cells by hand, as formgrader does."""
    with Gradebook(URL.format(course), "attention-lab-kit") as book:
        for cell, score in points.items():
            grade = book.find_grade(cell, "kernels", "kernels", student)
            grade.manual_score, grade.needs_manual_grade = score, False
            book.find_comment("question_01", "kernels", "kernels", student).manual_comment = "Good."
        book.db.commit()


def open_marks(course: Path, student: str) -> dict[str, tuple[float | None, bool]]:
    with Gradebook(URL.format(course), "attention-lab-kit") as book:
        grades = book.find_submission_notebook("kernels", "kernels", student).grades
        return {g.name: (g.manual_score, bool(g.needs_manual_grade)) for g in grades}


@pytest.mark.parametrize("changed", ["nothing", "words", "code"])
def test_marks_stay_with_unchanged_answers(sandboxed, course, changed):
    notebook = stand_in.solved(course)
    stand_in.cell_named(notebook, "question_01").source = "By i<b and j>i, see [x](javascript:y)."
    folder = stand_in.hand_in(course, "bea", notebook)
    grader = stand_in.config(course)
    assert stand_in.grade(course, ["bea"], 1)["bea"].to_grade_by_hand == 1
    mark(course, "bea", question_01=2.5, check_gaussian=1.5)
    if changed == "words":
        stand_in.cell_named(notebook, "question_01").source += " And more."
    if changed == "code":
        stand_in.cell_named(notebook, "gaussian").source += "\nx = 1"
    nbformat.write(notebook, folder / "kernels.ipynb")
    with stand_in.ThreadPoolExecutor(1) as pool:
        (row,) = Grader(grader, "kernels").grade(["bea"], pool, 1, force=True)
    marks = open_marks(course, "bea")
    assert marks["question_01"] == (2.5, changed == "words")
    assert marks["check_gaussian"] == (1.5, changed == "code")
    assert row.to_grade_by_hand == (changed != "nothing")
    assert stand_in.scores(course, "bea") == stand_in.POINTS
    assert row.score == 2.5 + 1.5 + 4.0


def test_everyone_who_has_a_folder_has_a_row(sandboxed, course):
    (course / "submitted/bea").mkdir(parents=True)
    nbformat.write(stand_in.solved(course), course / "submitted/bea/kernels.ipynb")
    (course / "submitted/other/another").mkdir(parents=True)
    (course / "submitted/empty/kernels").mkdir(parents=True)
    (course / "submitted/pdf").mkdir(parents=True)
    (course / "submitted/pdf/answers.pdf").write_bytes(b"%PDF-1.7")
    (course / "submitted/capital/Kernels").mkdir(parents=True)
    nbformat.write(stand_in.solved(course), course / "submitted/capital/Kernels/kernels.ipynb")
    done = lab_grade(course, "--json", "table.json")
    assert done.returncode == 1  # answers.pdf
    rows = {row["student"]: row for row in json.loads((course / "table.json").read_text())["rows"]}
    told = {name: (r["status"], r["score"], r["needs_a_person"]) for name, r in rows.items()}
    assert told == {
        "bea": ("graded", 6.0, False), "other": ("not handed in", 0.0, False),
        "empty": ("nothing to grade", 0.0, False), "pdf": ("not handed in", 0.0, True),
        "capital": ("graded", 6.0, False),
    }  # fmt: skip
    assert "answers.pdf" in rows["pdf"]["trouble"][0]
    assert "There is no folder kernels" in rows["bea"]["remarks"][0]


NAMES = [
    "Doe (2)",
    "a+b@uni.edu",
    "c++",
    "a$b",
    "a[b]",
    "^x",
    "100%",
    "Müller, Jürgen",
    "O'Brien",
    "{x}",
]


@pytest.mark.parametrize("folder", ["lab (copy)", "uni+kurs", "a[b] 100% ^"])
def test_folders_may_be_called_as_they_like(sandboxed, blank_course, tmp_path, folder):
    course = stand_in.copy_course(blank_course, tmp_path / folder)
    names = NAMES if folder == "lab (copy)" else NAMES[:2]
    for name in names:
        stand_in.hand_in(course, name, stand_in.solved(course))
    done = lab_grade(course, "--json", "table.json")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((course / "table.json").read_text())["rows"]
    assert {row["student"]: row["score"] for row in rows} == dict.fromkeys(names, 6.0)


def test_names_that_no_gradebook_can_hold_have_a_row_too(sandboxed, course):
    for name in (b"M\xfcller", b"two\nlines", b"\x1b]0;OWNED\x07\x1b[2J"):
        os.makedirs(os.fsencode(course) + b"/submitted/" + name + b"/kernels")
    stand_in.hand_in(course, "a\u202eb", stand_in.solved(course))
    done = lab_grade(course, "--json", "table.json")
    assert done.returncode == 1, done.stderr
    table = json.loads((course / "table.json").read_text())
    assert sorted(row["score"] for row in table["rows"]) == [0.0, 0.0, 0.0, 6.0]
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout)
    assert "a\\u202eb" in done.stdout and "Please rename it" in " ".join(done.stdout.split())


def test_one_broken_notebook_never_stops_the_pages_of_others(sandboxed, course):
    for student in ("ann", "a[b]", "bob", "long", "zoe"):
        notebook = stand_in.solved(course)
        inside("return 0")(notebook)
        answer = stand_in.cell_named(notebook, "question_01")
        answer.source = "![a](attachment:lost.png) i<b, j>i ![b](attachment:b.png)"
        answer.attachments = {"b.png": {"image/png": PNG}}
        stand_in.hand_in(course, student, notebook)
    assert lab_grade(course).returncode == 0
    broken, long = (course / f"autograded/{name}/kernels/kernels.ipynb" for name in ("bob", "long"))
    graded = nbformat.read(long, 4)
    graded.cells += [nbformat.v4.new_markdown_cell("*a* $x$ " * 1000) for _ in range(4000)]
    for path, text in ((broken, "{"), (long, nbformat.writes(graded))):
        path.chmod(0o600)
        path.write_text(text)
    settings = course / "nbgrader_config.py"
    short = "from utilities.grading import feedback as f\nf.RENDERING = f.apart.Bounds(60, 6, 2 << 30)"
    settings.write_text(f"{settings.read_text()}\n{short}\n")
    feedback = [sys.executable, "-m", "nbgrader", "generate_feedback", "kernels"]
    done = subprocess.run(feedback, cwd=course, capture_output=True, text=True, timeout=300)
    assert "display_data_priority" not in done.stderr
    for student in ("bob", "long"):
        assert f"error processing assignment 'kernels' for student '{student}'" in done.stderr
    for student in ("ann", "a[b]", "zoe"):
        page = (course / "feedback" / student / "kernels" / "kernels.html").read_text()
        assert "[a: not shown] i&lt;b, j&gt;i" in page and f"data:image/png;base64,{PNG}" in page
    assert not list((course / "feedback").glob("long/*/*.html"))


def test_a_submission_that_ends_its_own_reading_has_a_row_and_asks(sandboxed, course, monkeypatch):
    monkeypatch.setattr(engine, "READING", apart.Bounds(0.0, 10.0, 1 << 30))
    stand_in.hand_in(course, "slow", stand_in.solved(course))
    row = stand_in.grade(course, ["slow"], 1)["slow"]
    assert row.status == engine.NOTHING and row.needs_a_person and row.max_score == 9.0
    assert "could not be read: it ran longer than all its time" in row.trouble[0]


def _students(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(row[0] for row in connection.execute("SELECT id FROM student"))

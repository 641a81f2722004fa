"""`lab new`: a course, a roster, an exercise of one's own."""

import os
import subprocess
import sys

import nbformat
import pytest
from nbgrader.api import Gradebook

from tests.grading import course as stand_in
from utilities.grading.check import check_assignment
from utilities.grading.course import CourseError, assignments_of, course_directory, read_config
from utilities.grading.new import enrol, make_course, read_roster
from utilities.grading.new_check import write_check


def test_makes_a_course_with_the_wanted_assignments(tmp_path):
    course = make_course(tmp_path / "vision", "ml-2027", ["small_datasets"], tmp_path / "exchange")
    config = read_config(course)
    assert assignments_of(course_directory(config)) == ["small_datasets"]
    assert course_directory(config).course_id == "ml-2027"
    assert config.Exchange.root == str(tmp_path / "exchange")
    assert check_assignment(config, "small_datasets") == []
    assert (
        assignments_of(course_directory(read_config(make_course(tmp_path / "empty", chosen=[])))) == []
    )


@pytest.mark.parametrize(
    ("name", "chosen", "reason"),
    [
        ("a+b", None, "cannot be a course's name"),
        ("fine", ["no_such"], "The kit has no no_such. It has: attention_variants"),
    ],
)
def test_refuses_with_a_reason_and_leaves_nothing(tmp_path, name, chosen, reason):
    with pytest.raises(CourseError, match=reason.replace("+", r"\+")):
        make_course(tmp_path / "course", name, chosen)
    assert not (tmp_path / "course").exists()


def test_does_not_touch_a_folder_that_is_in_use(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CourseError, match="not empty"):
        make_course(tmp_path, "course")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "text",
    ["id,first_name\nada,Ada\nbob,Bob\n", "\ufeffid;first_name;group\r\nada;Ada;1\r\nbob;Bob;2\r\n"],
)
def test_reads_a_roster_as_spreadsheets_write_it(tmp_path, text):
    path = tmp_path / "students.csv"
    path.write_bytes(text.encode())
    students = read_roster(path)
    assert students == [{"id": "ada", "first_name": "Ada"}, {"id": "bob", "first_name": "Bob"}]
    course = make_course(tmp_path / "course", chosen=[])
    enrol(course, students)
    enrol(course, students)
    with Gradebook(f"sqlite:///{course}/gradebook.db", "course") as gradebook:
        assert {s.id: s.first_name for s in gradebook.students} == {"ada": "Ada", "bob": "Bob"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [("name\nAda\n", "a column called id"), ("id\nada\nada\n", "twice"), ("", "a column called id")],
)
def test_says_what_is_wrong_with_a_roster(tmp_path, text, reason):
    path = tmp_path / "students.csv"
    path.write_text(text)
    with pytest.raises(CourseError, match=reason):
        read_roster(path)


def test_writes_an_exercise_that_works_as_it_is(sandboxed, kit, tmp_path):
    course = make_course(tmp_path / "course", chosen=[])
    path = course / "solutions" / "extra" / "extra.ipynb"
    path.parent.mkdir()
    imports = stand_in.notebook_of([("imports", "import numpy as np", {"locked": True})])
    nbformat.write(imports, path)
    told = write_check(kit, "sharper_softmax", path)
    for written in ("lessons/own/sharper_softmax.py", "kernel/own/sharper_softmax.py"):
        assert written in told
        assert "softmax_temperature" not in (kit / "utilities/checks" / written).read_text()
    done = subprocess.run(
        [sys.executable, "-m", "utilities.commands.lab", "check", "--run", "--course", str(course)],
        cwd=kit, env={**os.environ, "PYTHONPATH": str(kit)}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "In order: extra" in done.stdout
    with pytest.raises(CourseError, match="already"):
        write_check(kit, "sharper_softmax")


@pytest.mark.parametrize("name", ["Sharper", "a-b", "class", "gaussian"])
def test_refuses_a_name_that_is_none_or_is_taken(kit, name):
    with pytest.raises(CourseError):
        write_check(kit, name)
    assert not (kit / "utilities/checks/lessons/own").exists()

"""In from the learning platform and out again: bulk downloads as the platforms pack them."""

import csv
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from tests.grading import course as stand_in
from utilities.commands import lab
from utilities.grading.collect import collect
from utilities.grading.course import CourseError, course_directory
from utilities.grading.exports import CanvasExport, MoodleExport

ROSTER = {
    "ada": ("Ada", "Lovelace", "ada@uni.example"),
    "bob": ("Bob", "Kahn", "b.kahn@uni.example"),
    "jose": ("José María", "Núñez", "jose@uni.example"),
    "kim1": ("Min", "Kim", "kim1@uni.example"),
    "kim2": ("Min", "Kim", "kim2@uni.example"),
}
OLD, NEW, SIDE = b"older", b"newer", b"side"
MOODLE = {
    "Ada Lovelace_1001_assignsubmission_file_/kernels.ipynb": NEW,
    "Ada Lovelace_1001_assignsubmission_file_/data/side.csv": SIDE,
    "José María Núñez_1002_assignsubmission_file_/Kernels (1).ipynb": NEW,
    "Min Kim_1003_assignsubmission_file_/kernels.ipynb": NEW,
    "Nobody Known_1004_assignsubmission_file_/kernels.ipynb": NEW,
}
MOODLE_FLAT = {
    "Ada Lovelace_1001_assignsubmission_file_kernels.ipynb": NEW,
    "Ada Lovelace_1001_assignsubmission_file_side.csv": SIDE,
    "Bob Kahn_1002_assignsubmission_file_kernels.ipynb": NEW,
}
CANVAS = {
    "lovelaceada_LATE_77_900_kernels.ipynb": OLD,
    "lovelaceada_LATE_77_901_kernels-1.ipynb": NEW,
    "kahnbob_78_910_kernels-2.ipynb": NEW,
    "kahnbob_78_911_side.csv": SIDE,
    "nunezjosemaria_79_912_kernels.ipynb": NEW,
}
BRIGHTSPACE = {
    "12-34 - Ada Lovelace - Nov 28, 2026 1159 PM/kernels.ipynb": OLD,
    "12-34 - Ada Lovelace - Nov 29, 2026 105 AM/kernels.ipynb": NEW,
    "13-34 - Bob Kahn - 29 November, 2026 1054 AM/kernels.ipynb": NEW,
    "index.html": b"<html>",
}
FOLDERS = {
    "download/ada/kernels/kernels.ipynb": NEW,
    "download/b.kahn@uni.example/kernels.ipynb": NEW,
    "download/b.kahn@uni.example/__MACOSX/._kernels.ipynb": b"x",
    "download/stranger/kernels.ipynb": NEW,
    "download/loose.ipynb": NEW,
}


@pytest.fixture
def course(blank_course, tmp_path) -> Path:
    """A course with a roster; two students are called the same."""
    course = stand_in.copy_course(blank_course, tmp_path / "course")
    with gradebook(course) as book:
        for student, (first, last, email) in ROSTER.items():
            book.update_or_create_student(student, first_name=first, last_name=last, email=email)
    return course


def gradebook(course: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{course}/gradebook.db", "attention-lab-kit")


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def collected(course: Path, files: dict[str, bytes]):
    download = zipped(course / "download.zip", files)
    return collect(course_directory(stand_in.config(course), "kernels"), download)


def handed_in(course: Path) -> dict[str, dict[str, bytes]]:
    """Return what lies in `submitted/`, by student and file, but for times."""
    return {
        folder.name: {
            str(path.relative_to(folder / "kernels")): path.read_bytes()
            for path in sorted((folder / "kernels").rglob("*"))
            if path.is_file() and path.name != "timestamp.txt"
        }
        for folder in sorted((course / "submitted").iterdir())
    }


@pytest.mark.parametrize(
    "files, there, nobody",
    [
        (
            MOODLE,
            {"ada": {"kernels.ipynb": NEW, "data/side.csv": SIDE}, "jose": {"Kernels (1).ipynb": NEW}},
            ["Min Kim: may be kim1 or kim2", "Nobody Known: nobody in the roster is called so"],
        ),
        (
            MOODLE_FLAT,
            {"ada": {"kernels.ipynb": NEW, "side.csv": SIDE}, "bob": {"kernels.ipynb": NEW}},
            [],
        ),
        (
            CANVAS,
            {
                "ada": {"kernels.ipynb": NEW},
                "bob": {"kernels.ipynb": NEW, "side.csv": SIDE},
                "jose": {"kernels.ipynb": NEW},
            },
            [],
        ),
        (BRIGHTSPACE, {"ada": {"kernels.ipynb": NEW}, "bob": {"kernels.ipynb": NEW}}, []),
        (
            FOLDERS,
            {"ada": {"kernels.ipynb": NEW}, "bob": {"kernels.ipynb": NEW}},
            [
                "loose.ipynb: its name says of nobody whose it is",
                "stranger: nobody in the roster is called so",
            ],
        ),
    ],
    ids=["Moodle", "Moodle without folders", "Canvas", "Brightspace", "folders"],
)
def test_a_bulk_download_is_put_where_it_belongs(course, files, there, nobody):
    done = collected(course, files)
    assert handed_in(course) == there
    assert sorted(done.unmatched) == nobody and done.new == sorted(there)
    again = collected(course, files)
    assert again.same == sorted(there) and not again.new


def test_the_newest_attempt_is_taken_and_its_time_kept(course, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    done = collected(course, BRIGHTSPACE)
    assert done.remarks == ["ada: the newest of 2 attempts was taken."]
    times = {
        student: (course / "submitted" / student / "kernels" / "timestamp.txt").read_text()
        for student in ("ada", "bob")
    }
    assert times["ada"].endswith(":05:00 UTC") and times["bob"].endswith(":54:00 UTC")


def test_a_later_download_takes_the_place_of_an_earlier_one(course):
    later = {name: b"newest" for name in MOODLE_FLAT if "Ada" in name and "ipynb" in name}
    collected(course, MOODLE_FLAT)
    assert collected(course, later).new == ["ada"]
    assert handed_in(course)["ada"] == {"kernels.ipynb": b"newest"}
    assert handed_in(course)["bob"] == {"kernels.ipynb": NEW}


def test_nothing_in_a_zip_file_leads_elsewhere(course):
    outside = {"ada/../../../escaped.ipynb": NEW, "/etc/escaped": NEW, "c:/escaped": NEW}
    done = collected(course, {"ada/kernels.ipynb": NEW, "bob/kernels.ipynb": NEW, **outside})
    assert len(done.remarks) == 3 and set(handed_in(course)) == {"ada", "bob"}
    assert not list(course.parent.rglob("escaped*"))


def test_what_is_no_download_is_refused(course, capsys):
    (course / "no.zip").write_bytes(b"no zip")
    with pytest.raises(CourseError, match="cannot be read as a zip file"):
        collect(course_directory(stand_in.config(course), "kernels"), course / "no.zip")
    assert lab.main(["collect", "other", str(course / "no.zip"), "--course", str(course)]) == 2
    assert "no assignment other" in capsys.readouterr().out


def test_an_export_is_of_whom_and_of_what_was_chosen(course):
    both, one = course / "both.csv", course / "one.csv"
    with gradebook(course) as book:
        book.add_assignment("attention")
        MoodleExport(to=str(both), student=["bob"]).export(book)
        CanvasExport(to=str(one), assignment=["attention"], student=["jose"]).export(book)
    heads, bob = csv.reader(both.open())
    assert sorted(heads[4:]) == ["Grade attention", "Grade kernels"]
    assert bob == ["", "Bob Kahn", "b.kahn@uni.example", "bob", "", ""]
    heads, possible, jose = csv.reader(one.open())
    assert (heads[5:], possible[5:]) == (["attention"], ["0"])
    assert jose == ["Núñez, José María", "", "jose", "jose", "", ""]


def test_anonymous_marking_late_work_and_upload_files(sandboxed, course, capsys):
    """In by Moodle and Canvas, graded with a penalty for late work, and out to both."""
    right = nbformat.writes(stand_in.solved(course)).encode()
    download = zipped(
        course / "download.zip", {"Participant_1001_assignsubmission_file_/kernels.ipynb": right}
    )
    assert lab.main(["collect", "kernels", str(download), "--course", str(course)]) == 0
    assert collected(course, {"lovelaceada_77_900_kernels.ipynb": right}).new == ["ada"]
    (course / "submitted" / "ada" / "kernels" / "timestamp.txt").write_text("2026-11-29 12:00:00 UTC")
    with gradebook(course) as book:
        book.update_or_create_assignment("kernels", duedate="2026-11-29 11:00:00 UTC")
    (course / "nbgrader_config.py").write_text(
        (course / "nbgrader_config.py").read_text()
        + '\nc.LateSubmissionPlugin.penalty_method = "zero"\n'
    )
    rows = stand_in.grade(course, ["ada", "participant-1001"], 2)
    assert rows["ada"].penalty == 6 and rows["participant-1001"].penalty == 0
    with gradebook(course) as book:
        CanvasExport(
            to=str(course / "canvas.csv"), columns={"kernels": "Kernels (4711)"}, assignment=["kernels"]
        ).export(book)
        MoodleExport(to=str(course / "moodle.csv")).export(book)
    canvas = list(csv.reader((course / "canvas.csv").open()))
    assert canvas[0][-1] == "Kernels (4711)" and canvas[1][-1] == "9"
    assert ["Lovelace, Ada", "77", "ada", "ada", "", "0"] in canvas
    assert ["Kahn, Bob", "", "bob", "b.kahn", "", ""] in canvas
    moodle = list(csv.reader((course / "moodle.csv").open()))
    assert moodle[0] == ["Identifier", "Full name", "Email address", "ID number", "Grade"]
    assert ["Participant 1001", "", "", "", "6"] in moodle
    assert ["", "Ada Lovelace", "ada@uni.example", "ada", "0"] in moodle

"""`lab new`: a course of one's own, or the files of an exercise of one's own."""

import argparse
import csv
import re
import shutil
from pathlib import Path

from nbgrader.api import Gradebook
from rich.console import Console
from rich.markup import escape

from utilities.grading.course import (
    CONFIG_FILE,
    CourseError,
    assignments_of,
    course_directory,
    read_config,
    source_folder,
)

KIT = Path(__file__).resolve().parents[2]
ENCODINGS = ("utf-8-sig", "cp1252")
COLUMNS = ("first_name", "last_name", "email", "lms_user_id")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
CONFIG = '''"""The course for nbgrader; what the kit's courses have in common stands in `configure`."""

from utilities.grading.configuration import configure

c = get_config()  # noqa: F821

configure(c, course_id={name!r})
'''
EXCHANGE = "\nc.Exchange.root = {root!r}  # students' Jupyter needs the same, and the same course_id\n"
DONE, REFUSED = 0, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `lab new`."""
    parser.add_argument("course", type=Path, nargs="?", help="the folder to make a course in")
    parser.add_argument("--name", help="its course_id (default: the folder's name)")
    parser.add_argument(
        "--assignments", nargs="*", metavar="NAME",
        help="those of the kit to begin with (default: all; none: an empty course)",
    )  # fmt: skip
    parser.add_argument(
        "--roster", type=Path, metavar="CSV", help=f"students: a column id, and {', '.join(COLUMNS)}"
    )
    parser.add_argument("--exchange", type=Path, metavar="FOLDER", help="nbgrader's exchange")
    parser.add_argument(
        "--check", metavar="EXERCISE", help="write the files of an exercise into the kit, to be filled"
    )
    parser.add_argument(
        "--into", type=Path, metavar="NOTEBOOK", help="with --check: append its cells to this notebook"
    )


def run(options: argparse.Namespace) -> int:
    """Make what is asked for and return the exit status."""
    console = Console()
    try:
        if options.check:
            from utilities.grading.new_check import write_check

            said = write_check(KIT, options.check, options.into)
        elif options.course is not None:
            said = _course(options)
        else:
            raise CourseError("Say what: lab new COURSE, or lab new --check EXERCISE.")
    except CourseError as error:
        console.print(f"[bold red]Nothing was made.[/] {escape(str(error))}")
        return REFUSED
    console.print(escape(said), highlight=False, soft_wrap=True)
    return DONE


def _course(options: argparse.Namespace) -> str:
    students = read_roster(options.roster) if options.roster else []
    course = make_course(options.course, options.name, options.assignments, options.exchange)
    if students:
        enrol(course, students)
    names = assignments_of(course_directory(read_config(course)))
    return (
        f"{course} holds {', '.join(names) or 'no assignment yet'}; {len(students)} students.\n"
        f"Next: cd {course} && lab check, then nbgrader generate_assignment ASSIGNMENT"
    )


def make_course(
    folder: Path, name: str | None = None, chosen: list[str] | None = None, exchange: Path | None = None
) -> Path:
    """Make a course's folder, with the kit's assignments that are wanted; return it.

    Raises CourseError, and leaves nothing behind, where it cannot be made.
    """
    folder = folder.resolve()
    name = name or folder.name
    if not NAME.fullmatch(name):
        raise CourseError(f"{name!r} cannot be a course's name: letters, digits, dots, - and _ alone.")
    if folder.exists() and any(folder.iterdir()):
        raise CourseError(f"{folder} is there already, and not empty.")
    kit = course_directory(read_config(KIT))
    known = assignments_of(kit)
    unknown = sorted(set(chosen or []) - set(known))
    if unknown:
        raise CourseError(f"The kit has no {', '.join(unknown)}. It has: {', '.join(known)}.")
    for assignment in known if chosen is None else chosen:
        target = folder / "solutions" / assignment
        target.mkdir(parents=True)
        for notebook in sorted(source_folder(kit, assignment).glob("*.ipynb")):
            shutil.copyfile(notebook, target / notebook.name)
    (folder / "solutions").mkdir(parents=True, exist_ok=True)
    settings = CONFIG.format(name=name)
    settings += EXCHANGE.format(root=str(exchange.resolve())) if exchange else ""
    (folder / CONFIG_FILE).write_text(settings)
    return folder


def read_roster(path: Path) -> list[dict[str, str]]:
    """Return the students of a CSV, as spreadsheets and learning platforms write one.

    Raises CourseError where it cannot be read, has no ids, or has one twice.
    """
    text = _text(path)
    try:
        dialect = csv.Sniffer().sniff(text.splitlines()[0] if text else "", ",;\t")
    except csv.Error:  # one column
        dialect = csv.excel
    rows = list(csv.DictReader(text.splitlines(), dialect=dialect))
    if not rows or "id" not in rows[0]:
        raise CourseError(f"{path} needs a first line with a column called id, and students below it.")
    ids = [(row["id"] or "").strip() for row in rows]
    if wrong := [name for name in ids if not name or "/" in name or ids.count(name) > 1]:
        raise CourseError(f"{path} has ids that are empty, twice there, or hold a /: {wrong[0]!r}.")
    return [
        {"id": name, **{key: value for key in COLUMNS if (value := (row.get(key) or "").strip())}}
        for name, row in zip(ids, rows, strict=True)
    ]


def enrol(course: Path, students: list[dict[str, str]]) -> None:
    """Write students into the course's gradebook."""
    directory = course_directory(read_config(course))
    with Gradebook(directory.db_url, directory.course_id) as gradebook:
        for student in students:
            details = {key: value for key, value in student.items() if key != "id"}
            gradebook.update_or_create_student(student["id"], **details)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from error
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise CourseError(f"{path} is no text in UTF-8.")

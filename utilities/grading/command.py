"""`lab grade`: grade an assignment in the sandbox, in parallel."""

import argparse
import contextlib
import json
import logging
import signal
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from traitlets.config import Config

from utilities.grading import sandbox
from utilities.grading.markup import printable

LONGEST_REMARK = 80
ROOM_FOR_REMARKS = 110  # columns; the table without them takes up to 80
NUMBERS = ("points", "by hand", "seconds")
ALL_GRADED, NEEDS_A_PERSON, REFUSED, INTERRUPTED = 0, 1, 2, 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `lab grade`."""
    parser.epilog = (
        "Exit status: 0 all is graded; 1 a person is needed (the table says where); 2 it could "
        "not be done, with the reason; 130 interrupted: the same command goes on where it stopped."
    )
    parser.add_argument("assignment", help="the assignment's name, such as vision_transformer")
    parser.add_argument("--workers", type=_positive, help="submissions at a time (default: cores)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler, tcp://host:8786")
    parser.add_argument("--student", metavar="ID", help="this student only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON, too")
    parser.add_argument("--force", action="store_true", help="grade again what is graded already")
    parser.add_argument("--course", type=Path, default=Path(), help="the course's folder (default: .)")
    parser.add_argument("--db-url", metavar="URL", help="another gradebook than the course's own")
    parser.add_argument(
        "--unsafe",
        action="store_true",
        help="without a sandbox: students' code can read and change all that you can",
    )


def run(options: argparse.Namespace) -> int:
    """Grade and return the exit status."""
    console = Console()
    with _quiet():
        from utilities.grading.engine import CourseError
        from utilities.grading.gradebook import GradebookUnavailable

        try:
            return _grade(options, console)
        except (CourseError, GradebookUnavailable, sandbox.SandboxUnavailable) as error:
            console.print(f"[bold red]Not graded.[/] {escape(str(error))}")
            return REFUSED


def _grade(options: argparse.Namespace, console: Console) -> int:
    from utilities.grading import engine
    from utilities.grading.apart import stop_all

    config = _configuration(options)
    if not options.unsafe and options.cluster is None:
        sandbox.check_available()
    grader = engine.Grader(config, options.assignment, options.unsafe)
    students = grader.students(options.student)
    if grader.unsafe:
        console.print("[bold white on red] UNSAFE [/] students' code runs without a sandbox.")
    workers = options.workers or engine.default_workers()
    executor, in_flight, close = engine.executor_for(workers, options.cluster)
    rows: list = []
    interrupted = False
    refused = ""
    try:
        with _progress() as progress:
            task = progress.add_task(options.assignment, total=len(students))
            for row in grader.grade(students, executor, in_flight, options.force):
                rows.append(row)
                progress.advance(task)
    except KeyboardInterrupt:
        interrupted = True
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        console.print("Interrupted: ending what runs. The same command goes on from here.")
        stop_all()
    except engine.GradebookUnavailable as error:
        refused = str(error)
        stop_all()
    finally:
        close()
    rows.sort(key=lambda row: row.student)
    _show(console, options.assignment, rows, grader.unsafe)
    if options.json is not None:
        _write_json(options, rows, interrupted)
    for row in rows:
        for trouble in row.trouble:
            console.print(f"[bold red]{_name(row)}[/]: {escape(trouble)}")
    if refused:
        console.print(f"[bold red]Ended.[/] {escape(refused)}")
        return REFUSED
    if interrupted:
        return INTERRUPTED
    return NEEDS_A_PERSON if any(row.needs_a_person for row in rows) else ALL_GRADED


def _configuration(options: argparse.Namespace) -> Config:
    """Return the course's configuration. Raises CourseError where there is none."""
    from traitlets.config import PyFileConfigLoader

    from utilities.grading.engine import CourseError

    course = options.course.resolve()
    if not (course / "nbgrader_config.py").is_file():
        raise CourseError(f"No nbgrader_config.py in {course}: call this in the course's folder.")
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    config.CourseDirectory.root = str(course)
    if options.db_url:
        config.CourseDirectory.db_url = options.db_url
    return config


def _show(console: Console, assignment: str, rows: list, unsafe: bool) -> None:
    """Print a table of the class; remarks stand in it, or below it where the screen is narrow."""
    beside = console.width >= ROOM_FOR_REMARKS
    console.print(_table(assignment, rows, unsafe, beside))
    for row in rows:
        if not beside and _remark(row):
            console.print(f"[yellow]{_name(row)}[/]: {_remark(row)}", highlight=False)


def _table(assignment: str, rows: list, unsafe: bool, with_remarks: bool) -> Table:
    title = f"{assignment}: {len(rows)} submissions" + (" — UNSAFE, no sandbox" if unsafe else "")
    table = Table(title=title, title_style="bold red" if unsafe else "bold")
    for name in ("student", "status", "points", "by hand", "seconds"):
        is_number = name in NUMBERS
        table.add_column(name, justify="right" if is_number else "left", no_wrap=is_number)
    if with_remarks:
        table.add_column("remarks")
    for row in rows:
        colour = "red" if row.needs_a_person else "yellow" if row.remarks else "green"
        table.add_row(
            _name(row), f"[{colour}]{row.status}[/]", f"{row.score:g} / {row.max_score:g}",
            f"{row.to_grade_by_hand or ''}", f"{row.seconds:.1f}",
            *([_remark(row)] if with_remarks else []),
        )  # fmt: skip
    return table


def _name(row: Any) -> str:
    return escape(printable(row.student))


def _remark(row: Any) -> str:
    """Return the first remark, shortened, and how many there are; all stand in the feedback."""
    remarks = row.trouble or row.remarks
    if not remarks:
        return ""
    said = escape(shorten(remarks[0], LONGEST_REMARK, placeholder="…"))
    return f"({len(remarks)}) {said}" if len(remarks) > 1 else said


def _write_json(options: argparse.Namespace, rows: list, interrupted: bool) -> None:
    content = {
        "assignment": options.assignment,
        "interrupted": interrupted,
        "rows": [{**asdict(row), "needs_a_person": row.needs_a_person} for row in rows],
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    options.json.write_text(text, "utf-8", "backslashreplace")  # a folder's name may be no text


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(), console=console, disable=not console.is_terminal,
    )  # fmt: skip


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep nbgrader's log and SQLAlchemy's warnings about it out of the table."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number

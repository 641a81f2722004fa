"""`lab grade`: grade an assignment in the sandbox, in parallel."""

import argparse
import contextlib
import json
import logging
import signal
import time
import warnings
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from traitlets.config import Config

from utilities.grading import sandbox

ENOUGH_TO_EXPECT = 3  # submissions after which the time of the others is told
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
    parser.add_argument(
        "--rerun", choices=["all"], help="run also the cells that only train or show (they keep "
        "what was handed in otherwise)",
    )  # fmt: skip
    parser.add_argument(
        "--new-seeds", action="store_true",
        help="draw the hidden tests anew from now on, which grades everybody again",
    )  # fmt: skip
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
        from utilities.grading.course import CourseError
        from utilities.grading.gradebook import GradebookUnavailable

        try:
            return _grade(options, console)
        except (CourseError, GradebookUnavailable, sandbox.SandboxUnavailable) as error:
            console.print(f"[bold red]Not graded.[/] {escape(str(error))}")
            return REFUSED


def _grade(options: argparse.Namespace, console: Console) -> int:
    from utilities.grading import engine, table
    from utilities.grading.apart import stop_all
    from utilities.grading.course import course_directory, read_config
    from utilities.grading.secret import renew_secret

    config = read_config(options.course, options.db_url)
    if not options.unsafe and options.cluster is None:
        sandbox.check_available()
    _look_at_the_course(console, config, options.assignment)
    if options.new_seeds:
        directory = course_directory(config)
        renew_secret(Path(directory.root), directory.groupshared)
    grader = engine.Grader(config, options.assignment, options.unsafe, options.rerun == "all")
    students = grader.students(options.student)
    everybody = grader.students()
    table.tell_alike(console, everybody)
    if grader.unsafe:
        console.print("[bold white on red] UNSAFE [/] students' code runs without a sandbox.")
    workers = options.workers or engine.default_workers()
    executor, in_flight, close = engine.executor_for(workers, options.cluster)
    rows: list = []
    interrupted = False
    refused = ""
    began = time.monotonic()
    try:
        with _progress() as progress:
            task = progress.add_task(options.assignment, total=len(students))
            for row in grader.grade(students, executor, in_flight, options.force):
                rows.append(row)
                progress.advance(task)
                run = sum(row.status != engine.KEPT for row in rows)
                if run == ENOUGH_TO_EXPECT and row.status != engine.KEPT and len(rows) < len(students):
                    each = (time.monotonic() - began) / run
                    console.print(table.expected(each * (len(students) - len(rows)), workers))
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
    table.show(console, options.assignment, rows, grader.unsafe)
    table.tell_the_rest(console, rows, [] if options.student else grader.absent(everybody))
    if options.json is not None:
        _write_json(options, rows, interrupted)
    if refused:
        console.print(f"[bold red]Ended.[/] {escape(refused)}")
        return REFUSED
    if interrupted:
        return INTERRUPTED
    return NEEDS_A_PERSON if any(row.needs_a_person for row in rows) else ALL_GRADED


def _look_at_the_course(console: Console, config: Config, assignment: str) -> None:
    """Say what `lab check` says; a machine that only grades has no source to be looked at."""
    from utilities.grading.check import check_assignment, tell
    from utilities.grading.course import CourseError, course_directory
    from utilities.grading.gradebook import in_words, patient

    with contextlib.suppress(CourseError), in_words():
        config = deepcopy(config)
        config.CourseDirectory.db_url = patient(course_directory(config).db_url)
        tell(console, check_assignment(config, assignment))


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

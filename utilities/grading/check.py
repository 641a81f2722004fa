"""`lab check`: tell what is wrong with an assignment before a student meets it."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from traitlets.config import Config

from utilities.grading.course import (
    CourseError,
    assignments_of,
    course_directory,
    read_config,
    source_folder,
)
from utilities.grading.fresh import Fresh, generated, lessons
from utilities.grading.lesson import Lesson, marks
from utilities.grading.lint import Fault, faults_of
from utilities.grading.names import needs_of
from utilities.grading.state import secrets_in, shared_course_ids, stale

IN_ORDER, AT_FAULT, REFUSED = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `lab check`."""
    parser.epilog = "Exit status: 0 all is in order; 1 something is not; 2 nothing could be looked at."
    parser.add_argument("assignment", nargs="*", help="assignments (default: all of the course)")
    parser.add_argument(
        "--run", action="store_true",
        help="grade the model solution in the sandbox: it must earn all points, the release none",
    )  # fmt: skip
    parser.add_argument(
        "--fix", action="store_true", help="write the points of the cells into calls, headings, tables"
    )
    parser.add_argument("--needs", action="store_true", help="table which cell needs which others")
    parser.add_argument("--course", type=Path, default=Path(), help="the course's folder (default: .)")


def run(options: argparse.Namespace) -> int:
    """Check and return the exit status."""
    console = Console()
    try:
        config = read_config(options.course)
        chosen = options.assignment or assignments_of(course_directory(config))
        faults = [fault for name in chosen for fault in _check_one(console, config, name, options)]
    except CourseError as error:
        console.print(f"[bold red]Not checked.[/] {escape(str(error))}")
        return REFUSED
    faults += shared_course_ids(config)
    tell(console, faults)
    if not faults:
        console.print(f"[green]In order:[/] {', '.join(chosen)}.")
    return AT_FAULT if faults else IN_ORDER


def check_assignment(config: Config, assignment: str) -> list[Fault]:
    """Return what is wrong with the source of an assignment, and how it differs from what is out.

    Raises CourseError for an assignment that has no source.
    """
    with generated(config, assignment) as (fresh, release):
        faults = source_faults(config, assignment, fresh, release)
        return faults if fresh.problem else [*faults, *stale(config, assignment, fresh, release)]


def source_faults(config: Config, assignment: str, fresh: Fresh, release: Path) -> list[Fault]:
    """Return what is wrong with the source of an assignment."""
    faults = []
    for lesson in lessons(config, assignment):
        faults += [*faults_of(lesson), *secrets_in(release, lesson)]
    if fresh.problem and not any(fault.grave for fault in faults):
        faults.append(
            Fault(assignment, f"nbgrader cannot generate it: {fresh.problem}", "Fix it", True)
        )
    return list(dict.fromkeys(faults))


def tell(console: Console, faults: list[Fault]) -> None:
    """Print faults, one a line, the grave ones first."""
    for fault in sorted(faults, key=lambda fault: not fault.grave):
        colour = "red" if fault.grave else "yellow"
        place, said = escape(fault.place), escape(f"{fault.what}. {fault.remedy}.")
        console.print(f"[{colour}]{place}[/]: {said}", highlight=False, soft_wrap=True)


def _check_one(
    console: Console, config: Config, assignment: str, options: argparse.Namespace
) -> list[Fault]:
    if options.fix:
        from utilities.grading.points import write_points

        for path in sorted(source_folder(course_directory(config), assignment).glob("*.ipynb")):
            for said in write_points(path):
                console.print(said, highlight=False)
    faults = check_assignment(config, assignment)
    if options.needs:
        for lesson in lessons(config, assignment):
            console.print(_needs(lesson))
    if options.run:
        from utilities.grading.trial import try_assignment

        faults += try_assignment(config, assignment)
    return faults


def _needs(lesson: Lesson) -> Table:
    """Table which cell needs which others, and what for."""
    table = Table(title=lesson.file, title_style="bold")
    for name in ("cell", "needs"):
        table.add_column(name)
    for cell, needs in needs_of(lesson):
        givers: dict[str, list[str]] = {}
        for need in needs:
            giver = "nobody" if need.giver is None else lesson.label(need.giver).removeprefix("cell ")
            if giver != "imports":
                givers.setdefault(giver, []).append(need.name)
        said = "; ".join(f"{giver} ({', '.join(names)})" for giver, names in givers.items())
        table.add_row(escape(str(marks(cell).get("grade_id", cell.get("id", "")))), escape(said))
    return table

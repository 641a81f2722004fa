"""Row a: a small class of the whole core assignment, graded by `lab grade` and by stock nbgrader."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.measuring import Cost, Row, Settings, interleave, row
from tests.grading.measure import STOCK_CONFIG
from utilities.grading import demo, sandbox

REPETITIONS = 3
STUDENTS = (  # right ones and typical wrong ones, in turns
    "ada-all-right", "eli-no-scaling", "ben-no-answers", "hana-no-residual",
    "cem-sigma-not-squared", "ivo-ran-out-of-time",
)  # fmt: skip
ONE, TWO, STOCK = "lab grade --workers 1", "lab grade --workers 2", "nbgrader autograde"
FIRST = "lab grade, one submission"
MakeCourse = Callable[[Path, list[str]], Path]


def measure(settings: Settings, make_course: MakeCourse = demo.make_course) -> list[Row]:
    """Grade a class in each way, each time from the beginning, and a batch of one."""
    sandbox.check_available()
    students = STUDENTS[: settings.submissions]
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as name, quiet():
        course = make_course(Path(name) / "course", list(students))
        costs = interleave(
            {
                FIRST: lambda: grade_with_kit(course, students[:1], 1),
                STOCK: lambda: grade_with_stock(course),
                ONE: lambda: grade_with_kit(course, students, 1),
                TWO: lambda: grade_with_kit(course, students, 2),
            },
            settings.repetitions or REPETITIONS,
            f"grading {len(students)} submissions",
        )
    each = {name: _each(both, 1 if name == FIRST else len(students)) for name, both in costs.items()}
    what = f"one of {len(students)} submissions, the whole core"
    note = f"Row a's class: {', '.join(students)} of `make grade-demo`; it trains in the quick profile."
    return [
        row("a", what, "s", each, ONE, STOCK, note),
        row("a", what, "s", each, TWO, STOCK, note),
        row("a", "a batch of one, from the command to its end", "s", each, FIRST, None, note),
    ]


def grade_with_kit(blank: Path, students: Sequence[str], workers: int) -> Cost:
    """Return the seconds that `lab grade` takes; every submission must be graded."""
    with _copy(blank, students) as course:
        cost = cost_of(
            [sys.executable, "-m", "utilities.commands.lab", "grade", demo.ASSIGNMENT,
             "--workers", str(workers), "--json", "table.json"],
            course,
        )  # fmt: skip
        table = json.loads((course / "table.json").read_text())["rows"]
    if [(row["student"], row["status"]) for row in table] != [(s, "graded") for s in sorted(students)]:
        raise RuntimeError(f"lab grade left somebody out: {table}")
    # what a submission took ran in processes that are no children the command has waited for
    return cost._replace(cpu=cost.cpu + sum(row["cpu_seconds"] for row in table))


def grade_with_stock(blank: Path) -> Cost:
    """Return the seconds that stock nbgrader takes, none of the kit's parts put in."""
    with _copy(blank) as course:
        config = STOCK_CONFIG + "c.Execute.timeout = 300\n"
        (course / "nbgrader_config.py").write_text(config)
        return cost_of([sys.executable, "-m", "nbgrader", "autograde", demo.ASSIGNMENT], course)


def cost_of(command: list[str], course: Path) -> Cost:
    """Run a command and return the seconds that it and what it waited for took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=course, capture_output=True, text=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:])} failed: {(done.stderr or done.stdout)[-600:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, wall)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep nbgrader's remarks about a fresh course off the screen."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def _copy(blank: Path, students: Sequence[str] | None = None) -> Iterator[Path]:
    """Give a copy of a course, with the submissions of the chosen students alone."""
    course = blank.with_name("graded")
    shutil.copytree(blank, course)
    for folder in (course / "submitted").iterdir() if students is not None else []:
        if folder.name not in students:
            shutil.rmtree(folder)
    try:
        yield course
    finally:
        shutil.rmtree(course)


def _each(costs: Sequence[Cost], number: int) -> list[Cost]:
    return [Cost(cpu / number, wall / number) for cpu, wall in costs]

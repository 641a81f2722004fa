"""Row a: the same submissions graded by `lab grade --workers 2` and by stock nbgrader."""

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
from pathlib import Path

import nbformat

from bench.measuring import Cost, Row, Settings, interleave, row
from bench.solution import CORE
from tests.grading import course as stand_in
from tests.grading.measure import STOCK_CONFIG
from utilities.grading import sandbox

REPETITIONS = 3
LAST_CELL = "check_multi_head_attention"
OURS, STOCK = "lab grade --workers 2", "nbgrader autograde"


def measure(settings: Settings, last_cell: str = LAST_CELL) -> list[Row]:
    """Grade a class both ways, each time from the beginning."""
    sandbox.check_available()
    number = settings.submissions
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as name, _quiet():
        course = write_class(Path(name) / "course", number, last_cell)
        costs = interleave(
            {OURS: lambda: grade_with_kit(course), STOCK: lambda: grade_with_stock(course)},
            settings.repetitions or REPETITIONS,
            f"grading {number} submissions",
        )
    costs = {
        name: [Cost(cpu / number, wall / number) for cpu, wall in both] for name, both in costs.items()
    }
    what = f"one of {number} submissions, the core up to {last_cell}"
    return [row("a", what, "s", costs, OURS, STOCK)]


def write_class(course: Path, number: int, last_cell: str) -> Path:
    """Write a course with the core up to a cell, and right submissions to it."""
    source = nbformat.read(CORE, 4)
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in source.cells]
    source.cells = source.cells[: names.index(last_cell) + 1]
    stand_in.write_course(course, {CORE.stem: source})
    for index in range(number):
        submission = stand_in.solved(course, CORE.stem)
        stand_in.hand_in(course, f"student{index:02}", submission, CORE.stem)
    return course


def grade_with_kit(blank: Path) -> Cost:
    """Return the seconds that `lab grade` takes; all submissions must earn the same, above 0."""
    with _copy(blank) as course:
        cost = _cost_of(
            [sys.executable, "-m", "utilities.commands.lab", "grade", CORE.stem, "--workers", "2",
             "--json", "table.json"],
            course,
        )  # fmt: skip
        table = json.loads((course / "table.json").read_text())["rows"]
    points = {row["score"] for row in table}
    if len(points) != 1 or points == {0.0}:
        raise RuntimeError(f"lab grade gave {sorted(points)} points to equal submissions")
    # the sandboxed kernels are no children that the command has waited for
    return cost._replace(cpu=cost.cpu + sum(row["cpu_seconds"] for row in table))


def grade_with_stock(blank: Path) -> Cost:
    """Return the seconds that stock nbgrader takes, none of the kit's parts put in."""
    with _copy(blank) as course:
        config = STOCK_CONFIG + "c.Execute.timeout = 300\n"
        (course / "nbgrader_config.py").write_text(config)
        return _cost_of([sys.executable, "-m", "nbgrader", "autograde", CORE.stem], course)


@contextlib.contextmanager
def _copy(blank: Path):
    course = blank.with_name("graded")
    shutil.copytree(blank, course)
    try:
        yield course
    finally:
        shutil.rmtree(course)


def _cost_of(command: list[str], course: Path) -> Cost:
    """Run a command and return the seconds that it and what it waited for took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=course, capture_output=True, text=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:])} failed: {done.stderr.strip()[-600:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, wall)


@contextlib.contextmanager
def _quiet():
    """Keep nbgrader's remarks about a fresh course off the screen."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)

"""Row g: where the time of one submission goes in `lab grade`, from the command to the gradebook."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.grading import STUDENTS, MakeCourse, cost_of, quiet
from bench.measuring import Cost, Costs, Row, Settings, row
from utilities.grading import apart, demo, engine, execute, judge
from utilities.grading.course import read_config
from utilities.grading.session import Session

REPETITIONS = 1
COMMAND = "the command by itself: imports, a look at the course"
READ, SCORE = "read and repaired", "scores, gradebook, graded notebook"
START, END = "sandbox and kernel started", "kernel ended"
IMPORTS, CELLS = "the cell of imports", "the answers and other cells"
CHECK, JUDGED = "check of {}, in the kernel", "judged, outside the kernel"
REST, WHOLE = "the rest", "whole submission"


def measure(settings: Settings, make_course: MakeCourse = demo.make_course) -> list[Row]:
    """Take each submission's parts by themselves; a row is one part's share of a submission."""
    costs: Costs = defaultdict(list)
    students = list(STUDENTS[: settings.submissions])
    for _ in range(settings.repetitions or REPETITIONS):
        with tempfile.TemporaryDirectory(prefix="lab-bench-") as name, quiet():
            course = make_course(Path(name) / "course", students)
            for student in students:
                for part, cost in parts_of(course, student).items():
                    costs[part].append(cost)
            costs[COMMAND].append(command_alone(course))
    what = "one submission's part, the whole core"
    note = (
        "Each part's ratio is its share of the whole, taken in one process, one submission after the "
        "other. The command by itself comes on top, once a batch: it grades a class that is graded "
        "already."
    )
    names = [COMMAND, *(name for name in costs if name not in (COMMAND, WHOLE))]
    return [row("g", what, "s", costs, name, WHOLE, note) for name in names]


def command_alone(course: Path) -> Cost:
    """Return the seconds of `lab grade` where nothing is left to grade."""
    command = [sys.executable, "-m", "utilities.commands.lab", "grade", demo.ASSIGNMENT]
    return cost_of(command, course)


def parts_of(course: Path, student: str) -> dict[str, Cost]:
    """Grade one submission and return the seconds of each part, with the whole as the last."""
    grader = engine.Grader(read_config(course), demo.ASSIGNMENT)
    watch = _Stopwatch()
    with _watched(watch), ThreadPoolExecutor(1) as pool, watch.part(REST):
        rows = list(grader.grade([student], pool, 1))
    if [row.status for row in rows] != ["graded"]:
        raise RuntimeError(f"{student} was not graded: {rows}")
    whole = [sum(cost[i] for cost in watch.costs.values()) for i in (0, 1)]
    return {**watch.costs, WHOLE: Cost(*whole)}


class _Stopwatch:
    """Charges every second to the innermost part that is under way.

    One part is under way at a time, in whatever thread: each waits for those inside it.
    """

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}
        self.under_way: list[str] = []
        self.session: Session | None = None
        self.exercise = ""
        self.last = self._now()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Charge to this part what happens inside it and in no part of its own."""
        self._charge()
        self.under_way.append(name)
        try:
            yield
        finally:
            self._charge()
            self.under_way.pop()

    def _charge(self) -> None:
        now = self._now()
        if self.under_way:
            before = self.costs.get(self.under_way[-1], Cost(0.0, 0.0))
            spent = Cost(*(b + n - last for b, n, last in zip(before, now, self.last, strict=True)))
            self.costs[self.under_way[-1]] = spent
        self.last = now

    def _now(self) -> Cost:
        """Return the seconds so far: of this process, of the kernel, and by the clock."""
        cpu = time.process_time()
        if self.session is not None:
            cpu += self.session.cpu_used()
        return Cost(cpu, time.perf_counter())


@contextlib.contextmanager
def _watched(watch: _Stopwatch) -> Iterator[None]:
    """Have the engine work in this process, with each of its parts under the stopwatch."""

    def here(function: Callable[..., Any], *arguments: Any, bounds: apart.Bounds) -> Any:
        return function(*arguments)

    def of_run(session: Session, source: str, seconds: float, noted: bool = True) -> str:
        if not noted:
            return CHECK.format(watch.exercise)
        return IMPORTS if "import tensorflow" in source else CELLS

    def of_start(session: Session) -> str:
        watch.session = session
        return START

    def of_judging(source: str, *rest: Any) -> str:
        watch.exercise = judge.checks_called(source)[0].name
        return JUDGED

    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.object(apart, "run", here))
        for owner, name, part in (
            (engine.Grader, "prepare", lambda *_: READ),
            (engine.Grader, "score", lambda *_: SCORE),
            (Session, "start", of_start),
            (Session, "run", of_run),
            (Session, "end", lambda *_: END),
            (execute, "judge_cell", of_judging),
        ):
            timed = _timed(watch, getattr(owner, name), part)
            stack.enter_context(patch.object(owner, name, timed))
        yield


def _timed(watch: _Stopwatch, function: Callable[..., Any], part: Callable[..., str]) -> Any:
    """Return a function under the stopwatch; `part` names the part by its arguments."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*arguments: Any, **options: Any) -> Any:
            with watch.part(part(*arguments, **options)):
                return await function(*arguments, **options)

        return later

    @functools.wraps(function)
    def now(*arguments: Any, **options: Any) -> Any:
        with watch.part(part(*arguments, **options)):
            return function(*arguments, **options)

    return now

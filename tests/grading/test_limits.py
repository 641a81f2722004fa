"""How long a cell may run, when others ran out of their time; what one check may leave used."""

import asyncio
import math
import time

import pytest
from nbformat.v4 import new_notebook

from utilities.grading.execute import CourseExecute, _Run, bounds
from utilities.grading.sandbox import Limits
from utilities.grading.session import OVERDUE, Outcome


class Waits:
    """A session that runs nothing, and notes how long it was asked to wait for each source."""

    def __init__(self, used: float = 0.0, starts: int = 1) -> None:
        self.seconds: list[float] = []
        self.used, self.starts = used, starts

    def share_used(self) -> float:
        return self.used

    async def run(self, source: str, seconds: float, noted: bool) -> Outcome:
        self.seconds.append(seconds)
        return Outcome(stopped=OVERDUE if source == "endless" else "")


def waits(sources: list[str], tmp_path, notebook_seconds: float = math.inf) -> list[float]:
    run = _Run(new_notebook(), tmp_path, Limits(cell_seconds=100.0), unsafe=False)
    run.session, run.deadline = Waits(), time.monotonic() + notebook_seconds

    async def run_all() -> None:
        for source in sources:
            await run._run(source)

    asyncio.run(run_all())
    return run.session.seconds


def test_time_is_halved_for_each_cell_that_ran_out_of_it_down_to_a_fifth(tmp_path):
    assert waits(["endless"] * 5, tmp_path) == [100.0, 50.0, 25.0, 20.0, 20.0]


def test_time_stays_whole_while_cells_end_by_themselves(tmp_path):
    assert waits(["quick", "quick", "endless", "quick", "quick"], tmp_path) == [100.0] * 3 + [50.0] * 2


def test_a_training_cell_of_ten_minutes_has_them_where_the_course_says_so(tmp_path):
    execution = CourseExecute(timeout=900)
    assert execution.limits.cell_seconds == 900 and execution.limits.notebook_seconds == 3600
    assert bounds(execution.limits, 1).seconds > 3600 and bounds(execution.limits, 1).cpu_seconds > 3600
    assert CourseExecute().limits.cell_seconds == 300


def test_no_cell_waits_for_longer_than_the_notebook_has(tmp_path):
    assert waits(["quick"], tmp_path, 7.0) == [pytest.approx(7.0, abs=1.0)]
    assert waits(["quick"], tmp_path, -7.0) == [1.0]


@pytest.mark.parametrize(
    "before, after, starts, renewed",
    [(0.1, 0.9, 1, True), (0.1, 0.4, 1, False), (0.6, 0.8, 1, False), (0.1, 0.9, 8, False)],
    ids=["little room", "room enough", "used before", "the last kernel is kept"],
)
def test_a_kernel_is_renewed_where_a_check_has_left_little_room(
    before, after, starts, renewed, tmp_path
):
    run = _Run(new_notebook(), tmp_path, Limits(restarts=8), unsafe=False)
    run.session = Waits(after, starts)
    assert run._would_starve(before) == renewed

"""What every row of the table has in common: costs taken in turns, and the ratio of their medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tqdm import tqdm


class Cost(NamedTuple):
    """What one repetition took, in processor time and by the clock on the wall, in one unit."""

    cpu: float
    wall: float


Costs = dict[str, list[Cost]]


@dataclass(frozen=True)
class Settings:
    """What the command line chooses: None takes the row's own number.

    repetitions: of each candidate. epochs: of the standard profile in row e.
    submissions: graded in rows a and g. train: False takes the points of row e's last run.
    """

    repetitions: int | None = None
    epochs: int | None = None
    submissions: int = 4
    train: bool = True


@dataclass(frozen=True)
class Row:
    """One line of the table: ours and, where there is one, what it is held against.

    group: the letter by which rows are chosen. what: what was measured. unit: of all figures.
    ours, against: the names of the two. samples, reference: processor time, or in row e the
    accuracy. wall, wall_reference: time by the clock on the wall. note: what a reader has to know.
    """

    group: str
    what: str
    unit: str
    ours: str
    samples: list[float]
    against: str | None = None
    reference: list[float] = field(default_factory=list)
    note: str = ""
    wall: list[float] = field(default_factory=list)
    wall_reference: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """The median of ours over the median of the reference."""
        return _ratio(self.samples, self.reference)

    @property
    def wall_ratio(self) -> float | None:
        """The same by the clock on the wall."""
        return _ratio(self.wall, self.wall_reference)

    @property
    def quartiles(self) -> tuple[float, float] | None:
        """The quartiles of the ratios of neighbours; None below three repetitions."""
        ratios = [ours / theirs for ours, theirs in zip(self.samples, self.reference, strict=False)]
        if len(ratios) < 3:
            return None
        lower, _, upper = statistics.quantiles(ratios, n=4, method="inclusive")
        return lower, upper


def row(
    group: str, what: str, unit: str, costs: Costs, ours: str, against: str | None, note: str = ""
) -> Row:
    """Return the row of one candidate, held against another of `costs`."""
    theirs = costs[against] if against else []
    return Row(
        group, what, unit, ours, [cost.cpu for cost in costs[ours]],
        against, [cost.cpu for cost in theirs], note,
        [cost.wall for cost in costs[ours]], [cost.wall for cost in theirs],
    )  # fmt: skip


def interleave(candidates: dict[str, Callable[[], Cost]], repetitions: int, title: str) -> Costs:
    """Return costs of each candidate, taken in turns (A B A B …), so that noise meets all alike."""
    costs: Costs = {name: [] for name in candidates}
    with tqdm(total=repetitions * len(candidates), desc=title, leave=False, disable=None) as bar:
        for _ in range(repetitions):
            for name, run in candidates.items():
                costs[name].append(run())
                bar.update()
    return costs


def timed(function: Callable[[], object], steps: int = 1) -> Callable[[], Cost]:
    """Return a function that calls `function` once and returns milliseconds per step of this process.

    steps: how many steps one call takes.
    """

    def run() -> Cost:
        cpu, wall = time.process_time(), time.perf_counter()
        function()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return Cost(cpu * 1e3 / steps, wall * 1e3 / steps)

    return run


def _ratio(ours: list[float], theirs: list[float]) -> float | None:
    return statistics.median(ours) / statistics.median(theirs) if ours and theirs else None

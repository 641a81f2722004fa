"""The public face of a check: draw the cases, observe, judge, show the report.

It stands on the kernel's side, where notebooks import it; what judges is imported when it is used.
"""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from utilities.checks.kernel.case import Case, Observation

if TYPE_CHECKING:
    from utilities.checks.core.check import Check
    from utilities.checks.core.report import Report

HELP = """Check your `{name}` and show what holds, what does not, and why.

test_{name}(implementation, seed=42, points=None, thorough=False)

seed draws the numbers that go in; thorough adds more and harder cases. Without points a check
that does not hold raises `CheckFailed`; with points=6 nothing is raised and the points earned, up
to 6 in halves, are returned.
"""
LESSONS, KERNEL = "utilities.checks.lessons", "utilities.checks.kernel"
SANDBOX = "LAB_SANDBOX"  # set in the grader's sandbox, where nothing is judged


class Observer(Protocol):
    """Where the implementation runs: in this process, or in the grader's sandbox."""

    def observe(self, cases: Sequence[Case], trusted: Sequence[str] = ()) -> list[Observation]:
        """Return what the implementation does, with trusted steps in place of the named ones."""

    def in_use(self, names: Sequence[str]) -> list[str]:
        """Return those of the earlier steps that the implementation can reach."""


@dataclass(frozen=True)
class Exercise:
    """One step a student writes, and how it is checked.

    name: the function or class the student writes, in snake case.
    lesson: the folder of its files: `lessons/<lesson>/<name>.py` holds the `CHECK` and is trusted,
        `kernel/<lesson>/<name>.py` holds `observe` and runs beside the student's code.
    builds_on: earlier steps that a solution may call by their global name; where a check fails
        with the student's own, it is tried again with reference implementations in their place.
    hands_over: names in `oracles` that the check hands to the implementation, such as a kernel.
    """

    name: str
    lesson: str
    builds_on: tuple[str, ...] = ()
    hands_over: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", HELP.format(name=self.name))  # for `help` and Jupyter's ?

    def __call__(
        self,
        implementation: Any,
        seed: int = 42,
        points: float | None = None,
        thorough: bool = False,
    ) -> float | None:
        """Check an implementation and show what was found.

        seed: draws the numbers that go in. thorough: more and harder cases.
        Without `points` a check that does not hold raises `CheckFailed`; with `points` nothing
        is raised and the points earned are returned, in halves; but nbgrader's Validate, which
        shows nothing but errors, gets the report as one. In the grader's sandbox nothing is
        judged: the grader does that itself, outside.
        """
        if os.environ.get(SANDBOX):
            return None if points is None else 0.0
        from utilities.checks.core.report import CheckFailed, show, validating

        report = self.report(implementation, seed, thorough)
        show(report)
        if not report.passed and (points is None or validating()):
            raise CheckFailed(report)
        return None if points is None else report.earned(points)

    @property
    def check(self) -> "Check":
        """Return what the exercise looks at, as data; trusted, NumPy only."""
        return importlib.import_module(f"{LESSONS}.{self.lesson}.{self.name}").CHECK

    @property
    def kernel_side(self) -> str:
        """Return the name of the module whose `observe` runs beside the student's code."""
        return f"{KERNEL}.{self.lesson}.{self.name}"

    def report(self, implementation: Any, seed: int = 42, thorough: bool = False) -> "Report":
        """Return the report of one check: with the student's own earlier steps, then trusted ones."""
        return self.report_on(Here(self, implementation), seed, thorough)

    def report_on(self, observer: Observer, seed: int = 42, thorough: bool = False) -> "Report":
        """Return the report on an implementation that an observer runs."""
        cases = self.cases(seed, thorough)
        report = self.judge(cases, observer.observe(cases))
        if report.passed or not self.builds_on:
            return report
        return self._without_blame(observer, cases, report)

    def cases(self, seed: int = 42, thorough: bool = False) -> list[Case]:
        """Return the cases that a seed stands for: the same on both sides of the check."""
        return self.check.draw(seed, thorough)

    def observe(self, implementation: Any, cases: Sequence[Case]) -> list[Observation]:
        """Return what the implementation does in each case; runs untrusted code."""
        from utilities.checks.kernel.observing import observe_cases  # the kernel side only

        return observe_cases(self.kernel_side, implementation, cases)

    def judge(self, cases: Sequence[Case], observations: Sequence[Observation]) -> "Report":
        """Return the report on observations; trusted, NumPy only."""
        from utilities.checks.core.judging import Judgement

        report = Judgement(self.check, cases, observations).report(self.name)
        if reset := dict.fromkeys(name for seen in observations for name in seen.reset):
            report.notes.append(_settings_reset(list(reset)))
        return report

    def _without_blame(self, observer: Observer, cases: Sequence[Case], own: "Report") -> "Report":
        """Return the better of the own report and the one with trusted earlier steps in place."""

        def with_trusted(names: Sequence[str]) -> "Report":
            return self.judge(cases, observer.observe(cases, names))

        earlier = observer.in_use(self.builds_on)
        if not earlier:
            return own
        trusted = with_trusted(earlier)
        if trusted.fraction <= own.fraction:
            return own
        culprits = list(earlier)
        for name in reversed(earlier):  # a later step is not to blame for what an earlier one does
            others = [culprit for culprit in culprits if culprit != name]
            if others and with_trusted(others).fraction >= trusted.fraction:
                culprits = others
        missing = [name for name in self.builds_on if _is_told_missing(own, name)]
        note = _run_first(missing) if missing else _fix_first(self.name, culprits, trusted.passed)
        trusted.notes.append(note)
        return trusted


@dataclass(frozen=True)
class Here:
    """Observe in this very process, as a notebook does."""

    exercise: Exercise
    implementation: Any

    def observe(self, cases: Sequence[Case], trusted: Sequence[str] = ()) -> list[Observation]:
        if not trusted:
            return self.exercise.observe(self.implementation, cases)
        from utilities.checks.core import references  # TensorFlow
        from utilities.checks.kernel.replacing import standing_in

        steps = {name: getattr(references, name) for name in trusted}
        with standing_in(self.implementation, steps):
            return self.exercise.observe(self.implementation, cases)

    def in_use(self, names: Sequence[str]) -> list[str]:
        from utilities.checks.kernel.replacing import in_use

        return in_use(self.implementation, names)


def _settings_reset(names: Sequence[str]) -> str:
    return (
        f"Your notebook changes a global setting ({', '.join(names)}). For this check it was put back "
        "to its usual value: set it only where you need it, and put it back afterwards."
    )


def _is_told_missing(report: "Report", name: str) -> bool:
    """Return whether a report tells that an earlier step is not there at all."""
    return any(f"name '{name}' is not defined" in finding.message for finding in report.findings)


def _run_first(missing: Sequence[str]) -> str:
    verb, cells = ("is", "its cell") if len(missing) == 1 else ("are", "their cells")
    return (
        f"{' and '.join(missing)} {verb} not defined: run {cells}, then this one again. After a "
        "restart of the notebook nothing is there until its cell has run."
    )


def _fix_first(name: str, culprits: Sequence[str], passed: bool) -> str:
    steps = " and ".join(culprits)
    verdict = "is right" if passed else "does better"
    return (
        f"Your {name} {verdict} with a correct {steps} in place of yours, so it was judged that way. "
        f"Fix your {steps} first: go back to {'its check' if len(culprits) == 1 else 'their checks'}."
    )

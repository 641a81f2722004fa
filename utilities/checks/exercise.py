"""The public face of a check: draw the cases, observe, judge, show the report."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.case import Case, Observation
from utilities.checks.report import CheckFailed, Report, show


@dataclass(frozen=True)
class Exercise:
    """One step a student writes, and how it is checked.

    name: the function or class the student writes, in snake case.
    lesson: the package that holds its `cases`, `observe` and `judge`.
    builds_on: earlier steps that a solution may call by their global name; where a check fails
        with the student's own, it is tried again with trusted ones in their place.
    """

    name: str
    lesson: str
    builds_on: tuple[str, ...] = ()

    def __call__(
        self, implementation: Any, seed: int = 42, points: float | None = None, thorough: bool = False
    ) -> float | None:
        """Check an implementation and show what was found.

        seed: draws the numbers that go in. thorough: more and harder cases.
        Without `points` a check that does not hold raises `CheckFailed`; with `points` nothing
        is raised and the points earned are returned, in halves.
        """
        report = self.report(implementation, seed, thorough)
        show(report)
        if points is not None:
            return report.earned(points)
        if not report.passed:
            raise CheckFailed(report)
        return None

    def report(self, implementation: Any, seed: int = 42, thorough: bool = False) -> Report:
        """Return the report of one check: with the student's own earlier steps, then trusted ones."""
        cases = self.cases(seed, thorough)
        report = self.judge(cases, self.observe(implementation, cases))
        if report.passed or not self.builds_on:
            return report
        return self._without_blame(implementation, cases, report)

    def cases(self, seed: int = 42, thorough: bool = False) -> list[Case]:
        """Return the cases that a seed stands for: the same on both sides of the check."""
        return self._part("cases")(np.random.default_rng(seed), thorough)

    def observe(self, implementation: Any, cases: Sequence[Case]) -> list[Observation]:
        """Return what the implementation does in each case; runs untrusted code."""
        from utilities.checks.observing import observe_case  # TensorFlow: the kernel side only

        return [observe_case(self._part("observe"), implementation, case) for case in cases]

    def judge(self, cases: Sequence[Case], observations: Sequence[Observation]) -> Report:
        """Return the report on observations; trusted, NumPy only."""
        return Report(self.name, self._part("judge")(cases, observations))

    def _part(self, role: str):
        return getattr(importlib.import_module(f"{self.lesson}.{role}"), self.name)

    def _without_blame(self, implementation: Any, cases: Sequence[Case], own: Report) -> Report:
        """Return the better of the own report and the one with trusted earlier steps in place."""
        from utilities.checks.stand_ins import in_use, standing_in

        def with_trusted(names: Sequence[str]) -> Report:
            with standing_in(implementation, names):
                return self.judge(cases, self.observe(implementation, cases))

        earlier = in_use(implementation, self.builds_on)
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
        trusted.notes.append(_mend_first(self.name, culprits, trusted.passed))
        return trusted


def _mend_first(name: str, culprits: Sequence[str], passed: bool) -> str:
    steps = " and ".join(culprits)
    verdict = "is right" if passed else "does better"
    return (
        f"Your {name} {verdict} with a correct {steps} in place of yours, so it was judged that way. "
        f"Mend your {steps} first: go back to {'its check' if len(culprits) == 1 else 'their checks'}."
    )

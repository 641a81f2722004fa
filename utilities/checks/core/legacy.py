"""A check in the form before `Check`, until its lesson has moved."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utilities.checks.core.report import Report
from utilities.checks.kernel.case import Case, Observation


@dataclass(frozen=True)
class Legacy:
    """The cases and the judge of one exercise in its old lesson package."""

    lesson: str
    name: str

    def draw(self, seed: int, thorough: bool) -> list[Case]:
        """Return the cases of a seed."""
        cases = importlib.import_module(f"utilities.checks.{self.lesson}.cases")
        return getattr(cases, self.name)(np.random.default_rng(seed), thorough)

    def judge(self, name: str, cases: Sequence[Case], observations: Sequence[Observation]) -> Report:
        """Return the report on observations."""
        judge = importlib.import_module(f"utilities.checks.{self.lesson}.judge")
        return Report(name, getattr(judge, self.name)(cases, observations))

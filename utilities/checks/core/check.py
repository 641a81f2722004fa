"""A check as data: what is looked at, by which formula, and the mistakes that people make.

The formula's keyword-only arguments are its settings, and their defaults the right choices. A
mistake turns one setting, or a few that go together; everything else follows: mistakes are told by
name, pairs of them by both names, and where they explain the values, each other finding is judged
against the formula with the mistake in it, so that a slip costs the finding that is about it and no
other (examiners call it error carried forward).
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from utilities.checks.kernel.case import Case, Observation

Settings = Mapping[str, Any]
Arrays = Mapping[str, np.ndarray]
Lazily = Mapping[str, np.ndarray | Callable[[], np.ndarray]]  # a value, or what computes it
Formula = Callable[..., Arrays | Lazily]  # (case, observation, *, settings) → expected, by name


class Mistake:
    """A mistake that people make: settings of the formula turned the wrong way, and its message.

    Mistake("no scaling", "The scores are not divided by √d_k.", scaling=unscaled)

    name: a few words, stable, used by the catalogue of wrong implementations and told by reports.
    message: what the student reads: what the output equals, and the line of thought to revisit.
    ways: where one mistake can be made in several ways, the settings of each.
    carries: whether what is right apart from the mistake still earns points; not where next to
        nothing is computed, such as an input that is passed on.
    entails: names of claims' mistakes that follow from this one and cost nothing beside it.
    unseen: why the cases need not show this mistake, such as one that can only be made elsewhere.
    """

    def __init__(
        self,
        name: str,
        message: str,
        *ways: Settings,
        carries: bool = True,
        entails: tuple[str, ...] = (),
        unseen: str = "",
        **turned: Any,
    ) -> None:
        self.name, self.message, self.carries = name, message, carries
        self.entails, self.unseen = entails, unseen
        self.ways: tuple[Settings, ...] = (*ways, *([turned] if turned else []))

    def __repr__(self) -> str:
        return f"Mistake({self.name!r})"


@dataclass(frozen=True)
class Choice:
    """Another way that is accepted on purpose; the report says so, and no point is lost."""

    remark: str
    settings: Settings


@dataclass(frozen=True)
class Sign:
    """A mistake that is seen directly in what was observed, such as a result that never repeats.

    It is told where no formula explains the values and every case that differs shows it; one is
    enough where `anywhere`, as for a result that repeats by chance in a small case.
    """

    name: str
    message: str
    seen: Callable[[Case, Observation], bool]
    anywhere: bool = False


@dataclass(frozen=True)
class Only:
    """A mistake of one kind of case alone, such as one floating type.

    It is told where all cases of that kind fail and all others were tried and are right.
    """

    name: str
    message: str
    where: Callable[[Case], bool]


@dataclass(frozen=True)
class Looked:
    """What one line of a report looks at: the cases of its stages, and its share of the points."""

    stage: str | tuple[str, ...]
    text: str
    share: float = 1.0

    @property
    def stages(self) -> tuple[str, ...]:
        return (self.stage,) if isinstance(self.stage, str) else self.stage


@dataclass(frozen=True)
class Values(Looked):
    """Numbers that the formula gives.

    of: the names of the values looked at; all that the formula gives, where it is empty.
    about: the settings that this line is about: a mistake in one of them costs this line, and
        otherwise the first in which it shows.
    claim: only the kernel can know them, such as a count of weights: they earn points beside
        other values alone.
    """

    of: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    claim: bool = False


@dataclass(frozen=True)
class Wrong:
    """Why a claim does not hold: the name of the mistake, empty if unknown, and the message."""

    mistake: str
    message: str


@dataclass(frozen=True)
class Claim(Looked):
    """Something that only the kernel can know, such as which weights are trained.

    It can be made up, so it earns points only beside values that equal the formula, right or with
    known mistakes, in all cases of the stages `beside` (the line with the largest share, if empty).
    wrong: what is wrong in one case, or None. early: told even before the values are right, since
    it may be their cause, such as a layer that is missing.
    """

    wrong: Callable[[Case, Observation], Wrong | None] = lambda case, seen: None
    beside: tuple[str, ...] = ()
    early: bool = False


@dataclass(frozen=True)
class Remark:
    """Something worth saying that costs nothing, told where any case shows it."""

    text: str
    seen: Callable[[Case, Observation], bool]


@dataclass(frozen=True)
class Check:
    """What an exercise looks at, as data. Everything that judges it follows from it.

    cases: (random generator, thorough) → cases; simple ones first.
    formula: see `Formula`; findings: in reading order; depth: how many dependent operations lead to
    an output, also as a function of the case: tolerances grow with it. passes_to: functions whose
    settings the formula passes on with **.
    Raises ValueError where the parts do not fit each other.
    """

    cases: Callable[[np.random.Generator, bool], list[Case]]
    formula: Formula
    findings: Sequence[Values | Claim]
    mistakes: Sequence[Mistake] = ()
    choices: Sequence[Choice] = ()
    signs: Sequence[Sign] = ()
    kinds: Sequence[Only] = ()
    remarks: Sequence[Remark] = ()
    depth: float | Callable[[Case], float] = 1
    passes_to: Sequence[Callable] = ()

    def __post_init__(self) -> None:
        for problem in self._faults():
            raise ValueError(problem)

    def draw(self, seed: int, thorough: bool = False) -> list[Case]:
        """Return the cases that a seed stands for."""
        return self.cases(np.random.default_rng(seed), thorough)

    def expected(self, case: Case, seen: Observation, **settings: Any) -> Arrays:
        """Return all that the formula gives in a case, with these settings turned."""
        given = self.formula(case, seen, **settings).items()
        return {name: np.asarray(value() if callable(value) else value) for name, value in given}

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Return the formula's settings with their right values."""
        return {
            p.name: p.default
            for function in (*self.passes_to, self.formula)
            for p in inspect.signature(function).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        }

    @property
    def main(self) -> Values | None:
        """Return the line about values with the largest share, or None where there is none."""
        lines = [line for line in self.findings if isinstance(line, Values) and not line.claim]
        return max(lines, key=lambda line: line.share, default=None)

    def depth_of(self, case: Case) -> float:
        return self.depth(case) if callable(self.depth) else self.depth

    def _faults(self) -> Iterable[str]:
        stages = {case.stage for case in self.draw(0)}
        looked_at = {stage for line in self.findings for stage in line.stages}
        if not self.findings:
            yield "a check without a finding"
        for stage in sorted(looked_at - stages):
            yield f"no case has the stage {stage!r}: it would be free points"
        for stage in sorted(stages - looked_at):
            yield f"no finding looks at the stage {stage!r}"
        if self.main is None:
            yield "no finding about values: claims alone would earn points"
        for line in self.findings:
            if line.share <= 0:
                yield f"the share of {line.text!r} is not positive"
            unknown = sorted(set(getattr(line, "beside", ())) - stages)
            if unknown:
                yield f"{line.text!r} stands beside the stage {unknown[0]!r}, which no case has"
        yield from _repeated("finding", [line.text for line in self.findings])
        named: list[Mistake | Sign | Only] = [*self.mistakes, *self.signs, *self.kinds]
        yield from _repeated("mistake", [mistake.name for mistake in named])
        for mistake in self.mistakes:
            if not mistake.ways:
                yield f"the mistake {mistake.name!r} turns no setting"
        turned = [(m.name, way) for m in self.mistakes for way in m.ways]
        turned += [(choice.remark, choice.settings) for choice in self.choices]
        for name, way in turned:
            for setting in sorted(set(way) - set(self.settings)):
                yield f"{name!r} turns {setting!r}, which the formula does not have"


def _repeated(what: str, names: Sequence[str]) -> Iterable[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two times the {what} {name!r}"

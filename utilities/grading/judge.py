"""Judge a graded cell outside the student's kernel.

A graded cell's source is the instructor's: the gradebook's own copy is put back before anything
runs. It is run here, in the grader, where `test_…` asks the kernel for observations and judges
them, and where a student's name such as `gaussian` stands for itself. So the seeds, the points
and the hidden tests never enter the kernel, and no number that the kernel prints is read.

For each call the kernel is sent one request and must answer it exactly once. No answer, two of
them, or one of another form scores 0 for that call, with the reason written in the report: a
right submission has no way to cause any of these.
"""

import ast
import base64
import builtins
import inspect
import json
import marshal
import math
import re
import secrets
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import utilities
from utilities.checks.core.report import CheckFailed, Finding, Report
from utilities.checks.kernel import wire
from utilities.checks.kernel.case import RAISED, Case, Observation, Problem
from utilities.checks.kernel.exercise import Exercise
from utilities.checks.kernel.observer import REFERENCES
from utilities.grading.secret import hidden_seed
from utilities.grading.slices import parse, slice_source

CORE = Path(inspect.getfile(Report)).parent
ORACLES = "utilities.checks.core.oracles"
CARRIED_OUT = "the check could be carried out"
POINTS_OFFERED = re.compile(r"\bpoints=\d+(?:\.\d+)?")
DECIMALS = 6  # of points: shares of them are taken by division


class ObservationLost(Exception):
    """No observation came home; the message is for the student."""


class NotJudgeable(ValueError):
    """A graded cell calls no check of the kit: the course's trouble, not the student's."""


@dataclass(frozen=True)
class Answer:
    """What the kernel sent back for one request: zero or more messages, or why there is none."""

    messages: list[Any] = field(default_factory=list)
    lost: str = ""


Ask = Callable[[str], Answer]


@dataclass
class Rehearsal:
    """What a graded cell comes to when all of its checks hold, or none: its value and its calls.

    calls: for each check call the exercise's name and the points that it offers.
    """

    value: Any
    calls: list[tuple[str, float | None]]

    @property
    def number(self) -> float | None:
        """Return the value where it is a number, as nbgrader takes one for a score."""
        return _number(self.value)


@dataclass
class Verdict:
    """The score of one graded cell, the reports it rests on, and what a person should look at."""

    score: float
    reports: list[Report]
    trouble: list[str]


def judge_cell(
    source: str, points: float, ask: Ask, held: set[str] | None = None, secret: bytes = b""
) -> Verdict:
    """Run a graded cell of the instructor's in the grader and return what it comes to.

    The points stand in the cell's metadata alone: what the calls offer is taken for shares of them.

    ask: runs a source in the student's kernel and returns what it answered.
    held: the steps whose own checks hold so far; this cell's are added.
    secret: the course's, from which the seeds of hidden tests follow.
    Raises NotJudgeable where the cell calls no check.
    """
    held = set() if held is None else held
    referee = _Referee(ask, held, points_per_point_offered(source, points), secret)
    score = _score(source, points, referee)
    if not referee.reports:
        raise NotJudgeable(
            "This graded cell calls no check of the kit (test_… from utilities), so that nothing "
            "outside the kernel can judge it."
        )
    failed = {_step(report.exercise) for report in referee.reports if not report.passed}
    held |= {_step(report.exercise) for report in referee.reports} - failed
    return Verdict(score, referee.reports, referee.trouble)


def score_again(source: str, points: float, fractions: Sequence[float]) -> float:
    """Return what a cell comes to with other points, from what its checks found before.

    fractions: what part of each check's findings held, in the order of the calls; the last stands
    for all further ones, as for a notebook that could not be read.
    """
    return _score(source, points, _Recalling(fractions, points_per_point_offered(source, points)))


def points_per_point_offered(source: str, points: float) -> float:
    """Return how many points of a cell a point stands for that its calls offer: 1 where they agree."""
    try:
        offered = rehearse(source, holds=True).number
    except Exception:  # what cannot be run is told where it is run in earnest
        return 1.0
    return points / offered if offered and offered > 0 else 1.0


def rehearse(source: str, holds: bool) -> Rehearsal:
    """Run a graded cell without a kernel, as if all findings of its checks held, or none did.

    Raises what the cell raises; a check without points that fails gives the value 0.
    """
    referee = _Rehearsing(holds)
    try:
        value = _evaluate(source, referee)
    except CheckFailed:
        value = 0.0
    return Rehearsal(value, referee.calls)


def checks_called(source: str) -> list[Exercise]:
    """Return the checks that a cell names."""
    return [e for name in _names(source) if (e := _exercise(name)) is not None]


@dataclass
class _Reference:
    """A name of the student's, that only the kernel can look up."""

    dotted: str

    def __getattr__(self, name: str) -> "_Reference":
        if name.startswith("__"):
            raise AttributeError(name)
        return _Reference(f"{self.dotted}.{name}")


class _Referee:
    """Carries out the check calls of one cell and keeps their reports."""

    def __init__(self, ask: Ask, held: set[str], scale: float = 1.0, secret: bytes = b""):
        self.ask, self.held, self.scale, self.secret = ask, held, scale, secret
        self.reports: list[Report] = []
        self.trouble: list[str] = []
        self.lost = ""

    def check(
        self,
        exercise: Exercise,
        implementation: _Reference,
        seed: int = 42,
        points: float | None = None,
        thorough: bool = False,
    ) -> float | None:
        """Do what `Exercise.__call__` does, with the implementation at a distance."""
        report = self._report(exercise, implementation, seed, thorough)
        self.reports.append(report)
        if points is not None:
            return report.earned(round(points * self.scale, DECIMALS))
        if not report.passed:
            raise CheckFailed(report)
        return None

    def _report(
        self, exercise: Exercise, implementation: _Reference, seed: int, thorough: bool
    ) -> Report:
        if self.lost:  # once is enough: a kernel that dies in one call dies in the next, too
            return _not_carried_out(exercise, self.lost)
        try:
            observer = _AtADistance(exercise, implementation.dotted, self.ask, self.held)
            drawn = hidden_seed(self.secret, exercise.name, seed, thorough)
            return exercise.report_on(observer, drawn, thorough)
        except ObservationLost as error:
            self.lost = str(error)
            return _not_carried_out(exercise, self.lost)
        except Exception as error:  # a forged answer, or a fault of a judge: a person decides
            self.trouble.append(f"{exercise.name}: {type(error).__name__}: {error}")
            reason = "What your kernel sent is not what this check observes. A person will look at it."
            return _not_carried_out(exercise, reason)


class _Rehearsing(_Referee):
    """Takes every finding to hold, or none, asks no kernel, and notes what is offered."""

    def __init__(self, holds: bool):
        super().__init__(lambda _: Answer(), set())
        self.holds = holds
        self.calls: list[tuple[str, float | None]] = []

    def check(
        self,
        exercise: Exercise,
        implementation: _Reference,
        seed: int = 42,
        points: float | None = None,
        thorough: bool = False,
    ) -> float | None:
        self.calls.append((exercise.name, points))
        return super().check(exercise, implementation, seed, points, thorough)

    def _report(
        self, exercise: Exercise, implementation: _Reference, seed: int, thorough: bool
    ) -> Report:
        return Report(exercise.name, [Finding(CARRIED_OUT, self.holds)])


class _Recalling(_Referee):
    """Takes the findings of an earlier run, so that nothing has to be run again."""

    def __init__(self, fractions: Sequence[float], scale: float):
        super().__init__(lambda _: Answer(), set(), scale)
        self.fractions = list(fractions)

    def _report(
        self, exercise: Exercise, implementation: _Reference, seed: int, thorough: bool
    ) -> Report:
        held = self.fractions.pop(0) if len(self.fractions) > 1 else self.fractions[0]
        findings = [Finding(CARRIED_OUT, True, share=held), Finding(CARRIED_OUT, False, share=1 - held)]
        return Report(exercise.name, [finding for finding in findings if finding.share])


class _AtADistance:
    """Observes an implementation in the student's kernel."""

    def __init__(self, exercise: Exercise, implementation: str, ask: Ask, held: set[str]):
        self.exercise, self.implementation, self.ask = exercise, implementation, ask
        self.held = held
        self.used: list[str] = []

    def observe(self, cases: Sequence[Case], trusted: Sequence[str] = ()) -> list[Observation]:
        """Return what the kernel says it observed; a second look that is lost counts as wrong."""
        try:
            return self._request(cases, trusted)
        except ObservationLost as error:
            if not trusted:
                raise
            return [Observation(problem=Problem(RAISED, str(error))) for _ in cases]

    def in_use(self, names: Sequence[str]) -> list[str]:
        """Return the steps in use, as the kernel says, that can be to blame: their checks did not hold.

        So no submission can have a step handed over that it has right, or that it does not pay for.
        """
        return [name for name in names if name in self.used and _step(name) not in self.held]

    def _request(self, cases: Sequence[Case], trusted: Sequence[str]) -> list[Observation]:
        number = secrets.token_hex(8)
        request = {
            "id": number,
            "kernel_side": self.exercise.kernel_side,
            "implementation": self.implementation,
            "builds_on": self.exercise.builds_on,
            "trusted": list(trusted),
            "modules": _modules(self.exercise, trusted),
            "cases": wire.dump_cases(cases),
        }
        answer = self.ask(_source(request))
        if answer.lost:
            raise ObservationLost(answer.lost)
        reply = _the_one(answer.messages, number)
        used = reply.get("in_use")
        self.used = [name for name in self.exercise.builds_on if name in (used or [])]
        try:
            return wire.load_observations(reply.get("observations"), len(cases))
        except wire.WireError as error:
            raise ObservationLost(f"What your kernel sent cannot be read: {error}.") from None


def _step(name: str) -> str:
    """Return what an exercise and the function or class that solves it are both called."""
    return name.replace("_", "").lower()


def _the_one(messages: Sequence[Any], number: str) -> dict:
    """Return the one answer to a request. Raises ObservationLost for none, or for several."""
    if not messages:
        raise ObservationLost("Your kernel sent no observations for this check.")
    (first, *others) = messages
    if others or not isinstance(first, dict) or first.get("request") != number:
        raise ObservationLost(
            "Your kernel sent observations that the grader did not ask for, so none of them counts."
        )
    return first


def _source(request: dict) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(request).encode())).decode()
    return f"import utilities.checks.kernel.observer as _observer\n_observer.answer({packed!r})"


def _modules(exercise: Exercise, trusted: Sequence[str]) -> dict[str, str]:
    """Return the code that a request needs and that stands nowhere in the sandbox.

    Stand-ins and kernels come with a check only after the checks of the steps they stand for,
    since graded cells run in the source's order, and are never observed again; and only those
    that the check asks for.
    """
    modules = {}
    if exercise.hands_over:
        modules[ORACLES] = _compiled("oracles", exercise.hands_over)
    if trusted:
        modules[REFERENCES] = _compiled("references", trusted)
    return modules


def _compiled(module: str, names: Sequence[str]) -> str:
    """Return the named definitions of a trusted module as bytecode: a reader learns no source of it.

    Names of files and docstrings are left out; the kernel's Python is the grader's own.
    """
    source = slice_source((CORE / f"{module}.py").read_text(), names)
    code = compile(source, f"<{module}>", "exec", optimize=2)
    return base64.b64encode(marshal.dumps(code)).decode()


def _not_carried_out(exercise: Exercise, reason: str) -> Report:
    return Report(exercise.name, [Finding(CARRIED_OUT, False, reason)])


def _evaluate(source: str, referee: _Referee) -> Any:
    """Run a cell and return the value of its last expression."""
    tree = parse(source)
    last = tree.body[-1] if tree.body else None
    last = last if isinstance(last, ast.Expr) else None
    if last is not None:
        tree.body.pop()
    scope: dict[str, Any] = {name: _stand_for(name, referee) for name in _names(source)}
    exec(compile(tree, "<graded cell>", "exec"), scope)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), "<graded cell>", "eval"), scope)


def _score(source: str, points: float, referee: _Referee) -> float:
    try:
        value = _evaluate(source, referee)
    except CheckFailed:
        value = 0.0
    number = _number(value)
    score = points if number is None else number  # as nbgrader: all that raises nothing is right
    return 0.0 if math.isnan(score) else min(max(round(score, DECIMALS), 0.0), float(points))


def _stand_for(name: str, referee: _Referee) -> Any:
    exercise = _exercise(name)
    return _Reference(name) if exercise is None else partial(referee.check, exercise)


def _exercise(name: str) -> Exercise | None:
    found = getattr(utilities, name, None) if name in utilities.__all__ else None
    return found if isinstance(found, Exercise) else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else None


def _names(source: str) -> list[str]:
    """Return the names that a source reads and that are no builtins."""
    read = (n for n in ast.walk(parse(source)) if isinstance(n, ast.Name))
    names = dict.fromkeys(n.id for n in read if isinstance(n.ctx, ast.Load))
    return [name for name in names if not hasattr(builtins, name)]

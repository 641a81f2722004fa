"""Judge observations against a check: what explains them, what it costs, and how it is told.

The trusted side of a check: NumPy only, and nothing of the student's runs here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from utilities.checks.core.check import (
    Check,
    Choice,
    Claim,
    Mistake,
    Settings,
    Values,
    Wrong,
)
from utilities.checks.core.report import Finding, Report
from utilities.checks.core.tolerance import agrees, coarsest_dtype, tolerance
from utilities.checks.kernel.case import (
    NOT_FINITE,
    NOT_JUDGED,
    RAISED,
    WRONG_SHAPE,
    WRONG_VALUE,
    Case,
    Observation,
    Problem,
)

UNDEFINED = (ValueError, IndexError, KeyError, np.exceptions.AxisError)
ERROR_ABOVE = "the error above"
Way = tuple[Mistake, Settings]


@dataclass(frozen=True)
class Explanation:
    """A formula that fits what was observed: the mistakes in it, and the choice made."""

    ways: tuple[Way, ...] = ()
    choice: Choice | None = None

    @property
    def base(self) -> dict[str, Any]:
        """Return the settings of the choice alone: what is right here."""
        return dict(self.choice.settings) if self.choice else {}

    @property
    def turned(self) -> dict[str, Any]:
        """Return all settings that differ from the standard ones."""
        turned = self.base
        for _, settings in self.ways:
            turned |= settings
        return turned

    @property
    def carries(self) -> bool:
        """Return whether what is right apart from the mistakes earns points."""
        return bool(self.ways) and all(mistake.carries for mistake, _ in self.ways)


class Expected(Mapping[str, np.ndarray]):
    """What a formula gives, each value computed when it is looked at.

    A formula may give functions in place of arrays, cheap values first: where a wrong formula
    differs in the first, the others are never computed.
    """

    def __init__(self, arrays: Mapping[str, Any]):
        self._given = dict(arrays)
        self._computed: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._computed:
            given = self._given[name]
            with np.errstate(all="ignore"):
                self._computed[name] = np.asarray(given() if callable(given) else given)
        return self._computed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def __contains__(self, name: object) -> bool:
        return name in self._given

    @property
    def computed(self) -> list[np.ndarray]:
        """Return the values that are known by now: all that are no functions, and those looked at."""
        known = [name for name, given in self._given.items() if not callable(given)]
        return [self[name] for name in {*known, *self._computed}]

    @property
    def is_defined(self) -> bool:
        """Return whether every value can be computed for the case's shapes."""
        try:
            return all(self[name] is not None for name in self)
        except UNDEFINED:
            return False

    @property
    def is_finite(self) -> bool:
        """Return whether no infinity and no nan is among the values known by now."""
        return all(np.all(np.isfinite(value)) for value in self.computed if value.dtype.kind == "f")


class Judgement:
    """One implementation's observations, judged once."""

    def __init__(self, check: Check, cases: Sequence[Case], observations: Sequence[Observation]):
        self.check = check
        self.pairs = list(zip(cases, observations, strict=True))
        self._limits = {id(c): (c.longest_axis, check.depth_of(c), coarsest_dtype(c)) for c in cases}
        self._expected: dict[tuple, Expected | None] = {}
        self._unseen: set[tuple] = set()  # keys of those for which the formula needs what never came
        self._told: dict[tuple[str, str], str] = {}  # problem → the line that tells it
        self._unexplained = ""  # the line that shows a difference nobody can name

    def report(self, name: str) -> Report:
        """Return the report: one finding for each line, and remarks."""
        findings = [self._finding(line) for line in self.check.findings]
        return Report(name, findings, remarks=self._remarks())

    # --- what fits -------------------------------------------------------------------------------

    @cached_property
    def explanation(self) -> Explanation | None:
        """Return the simplest formula that fits every value observed, or None.

        Values that are not finite are left out where no formula fits them: they are told by themselves.
        """
        evidence = [i for line in self._lines for i in self._complete(line)]
        evidence = sorted(set(evidence), key=lambda i: (self._fits(i, {}), self.pairs[i][0].size))
        finite = [i for i in evidence if self._is_finite(i)]
        for considered in [evidence] if finite == evidence else [evidence, finite]:
            for candidate in self._candidates(considered) if considered else ():
                if self._explains(candidate, considered):
                    return candidate
        return None

    def _explains(self, candidate: Explanation, considered: Sequence[int]) -> bool:
        """Return whether a formula fits all cases, those apart for which it gives no numbers."""
        turned = candidate.turned
        return (
            all(self._fits(i, turned) or self._undecided(i, candidate) for i in considered)
            and any(not self._undecided(i, candidate) for i in considered)
            and not self._hangs_on_one(candidate, considered)
        )

    def _hangs_on_one(self, candidate: Explanation, considered: Sequence[int]) -> bool:
        """Return whether one case alone speaks for mistakes, and several stop that they leave whole."""
        if not candidate.ways or sum(not self._fits(i, {}) for i in considered) > 1:
            return False
        observed = {i for line in self._lines for i in self._indices(line.stages)}
        stopped = (i for i in observed if not self.pairs[i][1].is_complete)
        return sum(not self._follows(i, candidate.turned) for i in stopped) > 1

    def _undecided(self, i: int, candidate: Explanation) -> bool:
        """Return whether a wrong formula gives infinity or nan, where libraries differ."""
        expected = self._expect(i, candidate.turned) if candidate.ways else None
        return expected is not None and not expected.is_finite

    def _candidates(self, considered: Sequence[int]) -> Iterator[Explanation]:
        """Yield the right formula, then those with one mistake, then with two that matter in a case."""
        ways = [(mistake, way) for mistake in self.check.mistakes for way in mistake.ways]
        choices = (None, *self.check.choices)
        for several in ([()], [(way,) for way in ways]):
            for choice in choices:
                yield from (Explanation(some, choice) for some in several)
        if self._anywhere:
            return  # numbers that change from call to call are no pair's: the search would be in vain
        for choice in choices:
            yield from (Explanation(two, choice) for two in self._pairs(ways, choice, considered))

    @property
    def _anywhere(self) -> bool:
        """Return whether a sign is seen that one case is enough for, such as chance at work."""
        signs = [sign for sign in self.check.signs if sign.anywhere]
        complete = [pair for pair in self.pairs if pair[1].is_complete]
        return any(_is_seen(sign.seen, *pair) for sign in signs for pair in complete)

    def _pairs(
        self, ways: list[Way], choice: Choice | None, considered: Sequence[int]
    ) -> Iterator[tuple[Way, Way]]:
        """Yield two mistakes together; one that changes nothing in a case leaves it to the other.

        A mistake that would show in a case that is right is in no pair: two seldom cancel out.
        """
        first, base = considered[0], Explanation((), choice).base
        right = [i for i in considered if self._fits(i, {})]
        ways = [way for way in ways if all(self._fits(i, {**base, **way[1]}) for i in right)]
        settings = [{**base, **way} for _, way in ways]
        shows = [self._changes(first, base, turned) for turned in settings]
        fits = [self._fits(first, turned) for turned in settings]
        for i, j in combinations(range(len(ways)), 2):
            (one, way), (other, another) = ways[i], ways[j]
            if one is other or set(way) & set(another):
                continue
            if (shows[i] or fits[j]) and (shows[j] or fits[i]):
                yield ways[i], ways[j]

    def _changes(self, i: int, base: Settings, turned: Settings) -> bool:
        """Return whether settings change what is expected in a case."""
        right, wrong = self._expect(i, base), self._expect(i, turned)
        return right is None or wrong is None or self._differ(i, right, wrong, tuple(right))

    @property
    def _ways(self) -> tuple[Way, ...]:
        return self.explanation.ways if self.explanation else ()

    @property
    def _names(self) -> str:
        return ", ".join(mistake.name for mistake, _ in self._ways)

    @property
    def _lines(self) -> list[Values]:
        return [line for line in self.check.findings if isinstance(line, Values)]

    def _indices(self, stages: Iterable[str]) -> list[int]:
        stages = set(stages)
        return [i for i, (case, _) in enumerate(self.pairs) if case.stage in stages]

    def _stops(self, i: int) -> bool:
        """Return whether a case stopped by an error that no mistake found accounts for."""
        problem = self.pairs[i][1].problem
        if problem is None or self.pairs[i][1].is_complete:
            return False
        turned = self.explanation.turned if self._ways and self.explanation else {}
        return not (turned and problem.kind == RAISED and self._follows(i, turned))

    def _follows(self, i: int, turned: Settings) -> bool:
        """Return whether an error follows from a formula: it gives nothing for the case, or no numbers.

        Where it needs what was never observed, nothing is known.
        """
        expected = self._expect(i, turned)
        undefined = expected is None or not (expected.is_defined and expected.is_finite)
        return undefined and _key(i, turned) not in self._unseen

    def _complete(self, line: Values | Claim) -> list[int]:
        """Return the cases of a line in which nothing stopped the observation."""
        return [i for i in self._indices(line.stages) if self.pairs[i][1].is_complete]

    def _expect(self, i: int, turned: Settings) -> "Expected | None":
        """Return what the formula gives in a case; None where it is not defined for its shapes."""
        key = _key(i, turned)
        if key not in self._expected:
            try:
                with np.errstate(all="ignore"):
                    self._expected[key] = Expected(self.check.formula(*self.pairs[i], **turned))
            except UNDEFINED as error:
                self._expected[key] = None
                if isinstance(error, KeyError):
                    self._unseen.add(key)
        return self._expected[key]

    def _fits(self, i: int, turned: Settings, names: Sequence[str] = ()) -> bool:
        """Return whether the values observed in a case are those of the formula, none too many."""
        expected, right = self._expect(i, turned), self._expect(i, {})
        if expected is None:
            return False
        observed = self.pairs[i][1].values
        unexpected = set(right or {}) & set(observed) - set(expected)
        compared = set(names or {*expected, *unexpected})
        try:
            return not unexpected & compared and all(
                self._agrees(i, name, expected[name]) for name in expected if name in compared
            )
        except UNDEFINED:
            return False

    def _agrees(self, i: int, name: str, value: np.ndarray) -> bool:
        case, observation = self.pairs[i]
        return name in observation.values and self._near(case, observation[name], value)

    def _near(self, case: Case, observed: np.ndarray, expected: np.ndarray) -> bool:
        return agrees(observed, expected, *self._limits[id(case)])

    def _is_finite(self, i: int) -> bool:
        arrays = (v for v in self.pairs[i][1].values.values() if v.dtype.kind == "f")
        return all(np.all(np.isfinite(array)) for array in arrays)

    def _right(self, line: Values, i: int) -> bool:
        """Return whether a case of a line is right, with any of the accepted choices."""
        if self.explanation:
            return self._fits(i, self.explanation.base, line.of)
        choices = ({}, *(choice.settings for choice in self.check.choices))
        return any(self._fits(i, settings, line.of) for settings in choices)

    def _explained(self, line: Values, i: int) -> bool:
        """Return whether a case is as the formula, right or with the mistakes found, has it."""
        if self._right(line, i):
            return True
        explanation = self.explanation
        return explanation is not None and (
            self._fits(i, explanation.turned, line.of) or self._undecided(i, explanation)
        )

    @cached_property
    def _failing(self) -> dict[str, list[int]]:
        """Return, by line, the complete cases that are not right."""
        wrong = {
            line.text: [
                i for i in self._indices(line.stages) if not self._stops(i) and not self._right(line, i)
            ]
            for line in self._lines
        }
        return {text: indices for text, indices in wrong.items() if indices}

    # --- what it costs ---------------------------------------------------------------------------

    @cached_property
    def _charged(self) -> dict[str, list[Mistake]]:
        """Return, by line, the mistakes that cost it: each costs one line, and two cost two."""
        charged: dict[str, list[Mistake]] = {}
        for mistake, way in self._ways:
            shown = [line for line in self._lines if self._shows(line, way)]
            free = [line for line in shown if line.text not in charged] or shown
            about = [line for line in free if set(line.about) & set(way)]
            for line in (about or free)[:1]:
                charged.setdefault(line.text, []).append(mistake)
        return charged

    def _shows(self, line: Values, way: Settings) -> bool:
        """Return whether a mistake changes what a line looks at, in a case that is not right."""
        assert self.explanation is not None
        base = self.explanation.base
        for i in self._failing.get(line.text, ()):
            right, wrong = self._expect(i, base), self._expect(i, {**base, **way})
            if right is None or wrong is None:
                return True
            if self._differ(i, right, wrong, line.of or tuple(right)):
                return True
        return False

    def _differ(self, i: int, right: Expected, wrong: Expected, names: Sequence[str]) -> bool:
        """Return whether two formulas differ in some of these values, or one is not defined."""
        try:
            looked_at = (name for name in right if name in names)
            case = self.pairs[i][0]
            return not all(n in wrong and self._near(case, wrong[n], right[n]) for n in looked_at)
        except UNDEFINED:
            return True

    # --- how it is told --------------------------------------------------------------------------

    def _finding(self, line: Values | Claim) -> Finding:
        stopped = [i for i in self._indices(line.stages) if self._stops(i)]
        if stopped:
            return self._told_problem(line, min(stopped, key=lambda i: self.pairs[i][0].size))
        for i in self._complete(line):
            problem = self.pairs[i][1].problem  # an input was changed: told once, then left alone
            if problem and self._told.setdefault((problem.kind, ""), line.text) == line.text:
                return self._failed_by(line, i, problem)
        return self._told_values(line) if isinstance(line, Values) else self._told_claim(line)

    def _told_problem(self, line: Values | Claim, i: int) -> Finding:
        """Return the finding of a line that could not be observed whole: an error is told once."""
        problem = self.pairs[i][1].problem
        assert problem is not None
        known = [self._told[one] for one in _signatures(problem) if one in self._told]
        first = known[0] if known else line.text
        self._told |= dict.fromkeys(_signatures(problem), first)
        if first == line.text:
            return self._failed_by(line, i, problem)
        complete = self._complete(line)
        if isinstance(line, Values) and complete and all(self._explained(line, j) for j in complete):
            return self._held(line, ERROR_ABOVE)
        return self._not_judged(line, first)

    def _failed_by(self, line: Values | Claim, i: int, problem: Problem) -> Finding:
        message = problem.message
        if problem.kind == RAISED:
            message += f"\nThis was for {self.pairs[i][0].describe()}."
        only = self._only
        if only is not None and only.where(self.pairs[i][0]):
            return self._failed(
                line, f"{only.message}\n{message}", only.name, problem.kind, problem.detail
            )
        return self._failed(line, message, problem.mistake, problem.kind, problem.detail)

    def _told_values(self, line: Values) -> Finding:
        failing = self._failing.get(line.text, [])
        if not failing:
            return self._vouched(line)
        seen = [i for i in failing if self.pairs[i][1].is_complete]
        undecided = self.explanation and all(self._undecided(i, self.explanation) for i in failing)
        if not (self._complete(line) or undecided or line.text in self._charged):
            return self._not_judged(line, next(iter(self._charged)))
        smallest = min(seen or failing, key=lambda i: self.pairs[i][0].size)
        if all(self._explained(line, i) for i in seen):
            return self._told_mistakes(line, smallest)
        return self._told_unexplained(line, smallest)

    def _vouched(self, line: Values) -> Finding:
        """Return the finding of a line that holds: a claim counts only beside other values."""
        if line.claim and not self._counts(()):
            return self._not_judged(line)
        return self._held(line)

    def _told_mistakes(self, line: Values, i: int) -> Finding:
        assert self.explanation is not None
        mistakes = self._charged.get(line.text, [])
        if not mistakes and self.explanation.carries:
            if line.claim and not self._counts(()):
                return self._not_judged(line)
            return self._held(line, self._names)
        if not mistakes:
            return self._not_judged(line, next(iter(self._charged)))
        kind, difference = self._difference(line, i)
        detail = f"Smallest failing case: {self.pairs[i][0].describe()}.\n{difference}"
        message = "\n".join(mistake.message for mistake in mistakes)
        finding = self._failed(line, message, mistakes[0].name, kind, detail)
        return replace(finding, also=mistakes[1].name) if len(mistakes) > 1 else finding

    def _told_unexplained(self, line: Values, i: int) -> Finding:
        """Return the finding of a difference that no formula explains: shown once, then as above."""
        kind, difference = self._difference(line, i)
        case = self.pairs[i][0]
        named = self._sign or (self._only if self._only and self._only.where(case) else None)
        message = named.message if named else difference
        detail = f"Smallest failing case: {case.describe()}."
        detail += f"\n{difference}" if named else (f"\n{case.to_paste()}" if case.to_paste() else "")
        if not named and self._unexplained:
            message, detail = self._unexplained, ""
        elif not named:
            self._unexplained = message
        return self._failed(line, message, named.name if named else "", kind, detail)

    @cached_property
    def _sign(self) -> Any:
        """Return what is seen directly in every case that no formula explains."""
        wrong = {
            i
            for line in self._lines
            for i in self._failing.get(line.text, ())
            if not self._explained(line, i)
        }
        for sign in self.check.signs:
            seen = [_is_seen(sign.seen, *self.pairs[i]) for i in wrong]
            if any(seen) and (sign.anywhere or all(seen)):
                return sign
        return None

    @cached_property
    def _only(self) -> Any:
        """Return the kind of case that fails as a whole while all others were tried and hold."""
        holds: dict[int, bool] = {}
        for line in self._lines:
            for i in self._indices(line.stages):
                stopped = not self.pairs[i][1].is_complete
                holds[i] = holds.get(i, True) and not stopped and self._right(line, i)
        for kind in self.check.kinds:
            inside = [held for i, held in holds.items() if kind.where(self.pairs[i][0])]
            outside = [held for i, held in holds.items() if not kind.where(self.pairs[i][0])]
            if inside and outside and not any(inside) and all(outside):
                return kind
        return None

    def _told_claim(self, line: Claim) -> Finding:
        wrongs = [_what_is_wrong(line, *self.pairs[i]) for i in self._complete(line)]
        entailed = {name for mistake, _ in self._ways for name in mistake.entails}
        found = [wrong for wrong in wrongs if wrong is not None and wrong.mistake not in entailed]
        counts = self._counts(line.beside)
        if not counts and not (found and line.early):
            return self._not_judged(line)
        if not found:
            return self._held(line, self._names if any(wrongs) else "")
        named = found[0].mistake if len({wrong.mistake for wrong in found}) == 1 else ""
        return self._failed(line, found[0].message, named, WRONG_VALUE)

    def _counts(self, beside: Sequence[str]) -> bool:
        """Return whether claims count: somebody computed the values of those stages."""
        main = self.check.main
        assert main is not None
        stages = tuple(beside) or main.stages
        carries = all(mistake.carries for mistake, _ in self._ways)
        lines = [line for line in self._lines if not line.claim and set(line.stages) & set(stages)]
        indices = self._indices(stages)
        return (
            carries
            and bool(indices and lines)
            and all(self.pairs[i][1].is_complete for i in indices)
            and all(self._explained(line, i) for line in lines for i in self._complete(line))
        )

    def _held(self, line: Values | Claim, apart: str = "") -> Finding:
        return Finding(line.text, True, share=line.share, apart=apart)

    def _failed(
        self, line: Values | Claim, message: str, mistake: str, kind: str, detail: str = ""
    ) -> Finding:
        return Finding(line.text, False, message, mistake, kind, detail, line.share)

    def _not_judged(self, line: Values | Claim, first: str = "") -> Finding:
        """Return the finding of a line that waits for another one to hold."""
        main = self.check.main
        beside = set(line.beside) if isinstance(line, Claim) else set()
        named = [other.text for other in self._lines if beside & set(other.stages) and not other.claim]
        first = first or (named[0] if named else main.text if main else "")
        return Finding(line.text, False, first, kind=NOT_JUDGED, share=line.share)

    def _remarks(self) -> list[str]:
        choice = self.explanation.choice if self.explanation else None
        said = [choice.remark] if choice and choice.remark else []
        complete = [pair for pair in self.pairs if pair[1].is_complete]
        seen = [r for r in self.check.remarks if any(_is_seen(r.seen, *pair) for pair in complete)]
        return said + [remark.text for remark in seen]

    def _difference(self, line: Values, i: int) -> tuple[str, str]:
        """Return the kind and the sentence for the first value of a case that is not as expected."""
        case, observation = self.pairs[i]
        if observation.problem is not None and not observation.values:
            return observation.problem.kind, observation.problem.message
        base = self.explanation.base if self.explanation else {}
        expected: Mapping[str, Any] = self._expect(i, base) or {}
        for name in [name for name in expected if name in (line.of or expected)]:
            label = name.replace("_", " ")
            try:
                value = expected[name]
            except UNDEFINED:
                return WRONG_VALUE, f"The {label} is not one of those that can come about."
            if not self._agrees(i, name, value):
                if name not in observation.values:
                    return WRONG_VALUE, f"The {label} is missing."
                return _how_it_differs(label, observation[name], value, case, self.check.depth_of(case))
        return WRONG_VALUE, "The values are not as expected."


def _how_it_differs(
    label: str, observed: np.ndarray, expected: np.ndarray, case: Case, depth: float
) -> tuple[str, str]:
    if observed.dtype.kind == expected.dtype.kind == "U":
        return WRONG_VALUE, f"Your {label}: {_in_words(observed)}.\nExpected: {_in_words(expected)}."
    if observed.shape != expected.shape:
        return WRONG_SHAPE, (
            f"Your {label} has shape {_shape(observed)}; {_shape(expected)} is expected "
            f"for {case.describe()}."
        )
    if observed.dtype.kind not in "fiub":
        return WRONG_VALUE, f"Your {label} is {observed.tolist()}; {expected.tolist()} is expected."
    if not np.all(np.isfinite(observed)):
        where = _index(~np.isfinite(observed))
        return NOT_FINITE, (
            f"{_place(label, where)} is {observed[where]}: look for a division by zero, a root "
            "of a negative number, or infinity times zero."
        )
    limit = tolerance(expected, coarsest_dtype(case), case.longest_axis, depth)
    where = _index(np.abs(observed.astype(np.float64) - expected) > limit)
    return (
        WRONG_VALUE,
        f"{_place(label, where)} is {observed[where]:.6g}; {expected[where]:.6g} is expected.",
    )


def _what_is_wrong(line: Claim, case: Case, observation: Observation) -> Wrong | None:
    """Return what a claim finds wrong in a case; what it looks at may not be there, or be made up."""
    try:
        return line.wrong(case, observation)
    except UNDEFINED:
        return Wrong("", "This could not be seen in what came from your code.")


def _key(i: int, turned: Settings) -> tuple:
    """Return what stands for a case and settings of the formula."""
    return (i, *sorted((name, id(value)) for name, value in turned.items()))


def _is_seen(seen: Any, case: Case, observation: Observation) -> bool:
    try:
        return bool(seen(case, observation))
    except UNDEFINED:
        return False


def _signatures(problem: Problem) -> list[tuple[str, str]]:
    """Return what tells one error: the line of the student's code it comes from, and its words."""
    place = "\n".join(problem.detail.splitlines()[-2:])
    words = re.sub(r"\d+", "#", problem.message)
    return [(problem.kind, text) for text in (place, words) if text]


def _in_words(words: np.ndarray) -> str:
    return ", ".join(words.ravel().tolist()) or "none"


def _place(label: str, where: tuple[int, ...]) -> str:
    return f"In the {label}, entry {list(where)}" if where else f"The {label}"


def _index(wrong: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _shape(value: np.ndarray) -> str:
    return "(" + ", ".join(str(length) for length in value.shape) + ")"

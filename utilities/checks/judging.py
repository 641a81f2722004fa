"""Judge observations against oracles: tolerances, named mistakes, the smallest failing case.

The trusted side of a check: NumPy only, and nothing of the student's runs here.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from utilities.checks.core.report import Finding
from utilities.checks.kernel.case import NOT_FINITE, WRONG_SHAPE, WRONG_VALUE, Case, Observation

ROUNDING = 8.0  # roundings of one unit each that an output may have gathered per √term
UNSEEN = (
    "This counts once the values of this step are right, or wrong in a way that this check can "
    "name: until then they do not show what your code does."
)
Values = Mapping[str, np.ndarray]
Oracle = Callable[[Case, Observation], Values]
Pairs = Sequence[tuple[Case, Observation]]


@dataclass(frozen=True)
class Mistake:
    """A mistake that people make, as the oracle of what it computes.

    name: a few words, stable, used by the catalogue of wrong implementations.
    message: what the student reads: what the output equals, and the line of thought to revisit.
    oracle: as the right one, but wrong in just this way; may return some of the values only.
    """

    name: str
    message: str
    oracle: Oracle


@dataclass(frozen=True)
class Stage:
    """One finding about all the cases of a stage, with its share of the points."""

    name: str
    finding: str
    share: float = 1.0


def judge_stages(
    cases: Sequence[Case],
    observations: Sequence[Observation],
    stages: Sequence[Stage],
    oracle: Oracle,
    mistakes: Sequence[Mistake] = (),
    depth: int = 1,
) -> list[Finding]:
    """Return one finding a stage: do all its cases agree with the oracle, and if not, why.

    depth: how many dependent operations lead to an output; tolerances grow with it.
    """
    seen = list(zip(cases, observations, strict=True))
    complete = [pair for pair in seen if pair[1].problem is None]
    whole = functools.cache(lambda: recognise(mistakes, complete, depth))
    findings = []
    for stage in stages:
        pairs = of_stage(stage.name, seen)
        findings.append(_judge_stage(stage, pairs, whole, oracle, mistakes, depth))
    return findings


def of_stage(name: str, pairs: Pairs) -> Pairs:
    """Return the pairs of case and observation that belong to a stage."""
    return [pair for pair in pairs if pair[0].stage == name]


def fact(
    name: str,
    held: bool,
    message: str,
    mistake: str = "",
    kind: str = WRONG_VALUE,
    share: float = 1.0,
) -> Finding:
    """Return a finding about something that holds or does not, without an oracle."""
    if held:
        return Finding(name, True, share=share)
    return Finding(name, False, message, mistake, kind, share=share)


def beside_values(
    findings: Sequence[Finding],
    pairs: Pairs,
    oracle: Oracle,
    mistakes: Sequence[Mistake],
    depth: int = 1,
) -> list[Finding]:
    """Return findings about facts, held only where somebody computed the values of these pairs.

    What the student's process says of itself, such as which weights are trained, can be made up.
    So it counts only beside values that equal one formula, the right one or that of a known
    mistake, in all of the pairs.
    """
    formulas = [oracle, *(mistake.oracle for mistake in mistakes)]
    if not any(finding.held for finding in findings):
        return list(findings)
    if pairs and any(all(_agreeing(f, pair, depth) for pair in pairs) for f in formulas):
        return list(findings)
    return [replace(f, held=False, message=UNSEEN) if f.held else f for f in findings]


def told_random(
    findings: Sequence[Finding], observations: Sequence[Observation], message: str
) -> list[Finding]:
    """Return the findings with wrong values explained where two equal calls differ."""
    if all(bool(observation.values.get("repeats", True)) for observation in observations):
        return list(findings)
    return explained(findings, "random", message)


def explained(findings: Sequence[Finding], mistake: str, message: str) -> list[Finding]:
    """Return the findings with a mistake given to all wrong values that have no name yet."""
    return [
        replace(finding, mistake=mistake, message=message)
        if finding.kind == WRONG_VALUE and not finding.mistake
        else finding
        for finding in findings
    ]


def problem_finding(name: str, observation: Observation, share: float = 1.0) -> Finding | None:
    """Return the finding for what stopped an observation, or None where nothing did."""
    problem = observation.problem
    if problem is None:
        return None
    return Finding(name, False, problem.message, kind=problem.kind, detail=problem.detail, share=share)


def when(condition: Callable[[Case, Observation], bool]) -> Oracle:
    """Return the oracle of a mistake that is seen directly: it fits wherever the condition holds."""

    def oracle(case: Case, observation: Observation) -> Values:
        if not condition(case, observation):
            raise ValueError("this mistake was not made")
        return {}

    return oracle


def tolerance(expected: np.ndarray, dtype: np.dtype, terms: int, depth: int = 1) -> float:
    """Return the largest difference that rounding alone can explain.

    Rounding errors of a sum of n terms grow like √n times the unit of the dtype times the size
    of the numbers (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 2.8).
    Nothing is held to more than float32, since intermediate factors such as √d may be float32.
    """
    unit = max(np.finfo(np.float32).eps, np.finfo(dtype).eps if np.dtype(dtype).kind == "f" else 0)
    scale = max(float(np.abs(expected).max(initial=0.0)), 1e-2)
    return ROUNDING * depth * float(unit) * float(np.sqrt(max(terms, 1))) * scale


def agrees(
    observed: np.ndarray,
    expected: np.ndarray,
    terms: int,
    depth: int = 1,
    dtype: np.dtype | None = None,
) -> bool:
    """Return whether two arrays have one shape and differ by no more than rounding."""
    if observed.shape != expected.shape or not np.all(np.isfinite(observed)):
        return False
    limit = tolerance(expected, dtype or observed.dtype, terms, depth)
    return bool(np.all(np.abs(observed.astype(np.float64) - expected) <= limit))


def _judge_stage(
    stage: Stage,
    pairs: Pairs,
    whole: Callable[[], Mistake | None],
    oracle: Oracle,
    mistakes: Sequence[Mistake],
    depth: int,
) -> Finding:
    for _, observation in pairs:
        stopped = problem_finding(stage.finding, observation, stage.share)
        if stopped:
            return stopped
    wrong = [pair for pair in pairs if not _fits(oracle, pair, depth)]
    if not wrong:
        return Finding(stage.finding, True, share=stage.share)
    mistake = whole() or recognise(mistakes, pairs, depth)
    case, observation = min(wrong, key=lambda pair: sum(np.size(v) for v in pair[0].inputs.values()))
    kind, difference = _first_difference(oracle(case, observation), observation, case, depth)
    message = mistake.message if mistake else difference
    detail = f"Smallest failing case: {case.describe()}." + (f"\n{difference}" if mistake else "")
    return Finding(
        stage.finding, False, message, mistake.name if mistake else "", kind, detail, stage.share
    )


def _fits(oracle: Oracle, pair: tuple[Case, Observation], depth: int) -> bool:
    """Return whether every value the oracle gives agrees with what was observed."""
    return _agreeing(oracle, pair, depth) is not None


def _agreeing(oracle: Oracle, pair: tuple[Case, Observation], depth: int) -> list[str] | None:
    """Return the names of the values that an oracle gives, or None where one does not agree."""
    case, observation = pair
    try:
        with np.errstate(all="ignore"):
            expected = oracle(case, observation)
    except (ValueError, IndexError, KeyError, np.exceptions.AxisError):
        return None  # a wrong oracle need not be defined for every shape
    terms, dtype = case.longest_axis, _coarsest_dtype(case)
    agree = all(
        name in observation.values and agrees(observation[name], np.asarray(value), terms, depth, dtype)
        for name, value in expected.items()
    )
    return list(expected) if agree else None


def recognise(mistakes: Sequence[Mistake], pairs: Pairs, depth: int = 1) -> Mistake | None:
    """Return the first mistake that explains all of these cases, or None."""
    for mistake in mistakes:
        if all(_fits(mistake.oracle, pair, depth) for pair in pairs):
            return mistake
    return None


def _coarsest_dtype(case: Case) -> np.dtype:
    """Return the floating type with the fewest digits of what went in.

    What came out has no say: whoever sends float16 would choose how exact the answer must be.
    """
    arrays = (value for value in case.inputs.values() if isinstance(value, np.ndarray))
    floating = [array.dtype for array in arrays if array.dtype.kind == "f"]
    return max(floating, key=lambda dtype: np.finfo(dtype).eps, default=np.dtype(np.float32))


def _first_difference(
    expected: Values, observation: Observation, case: Case, depth: int
) -> tuple[str, str]:
    """Return the kind and the sentence for the first value that is not as expected."""
    for name, value in expected.items():
        value, label = np.asarray(value), name.replace("_", " ")
        observed = observation[name]
        if observed.shape != value.shape:
            return WRONG_SHAPE, (
                f"Your {label} has shape {_shape(observed)}; {_shape(value)} is expected "
                f"for {case.describe()}."
            )
        if not np.all(np.isfinite(observed)):
            where = _index(~np.isfinite(observed))
            return NOT_FINITE, (
                f"{_place(label, where)} is {observed[where]}: look for a division by zero, a root "
                "of a negative number, or infinity times zero."
            )
        dtype = _coarsest_dtype(case)
        if not agrees(observed, value, case.longest_axis, depth, dtype):
            limit = tolerance(value, dtype, case.longest_axis, depth)
            where = _index(np.abs(observed - value) > limit)
            return WRONG_VALUE, (
                f"{_place(label, where)} is {observed[where]:.6g}; {value[where]:.6g} is expected."
            )
    raise AssertionError("called for values that agree")


def _place(label: str, where: tuple[int, ...]) -> str:
    return f"In the {label}, entry {list(where)}" if where else f"The {label}"


def _index(wrong: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _shape(value: np.ndarray) -> str:
    return "(" + ", ".join(str(length) for length in value.shape) + ")"

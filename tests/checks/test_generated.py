"""What follows from each exercise's `Check`; a new exercise joins by itself.

A right implementation from the catalogue is observed once; its values are then replaced by those of
the formula with a mistake in it, by junk, or by values a little off.
"""

from functools import cache
from itertools import combinations

import joblib
import numpy as np
import pytest

import utilities
from tests.checks.catalogue import entries
from utilities.checks.core.check import Check, Values
from utilities.checks.core.judging import Judgement
from utilities.checks.core.tolerance import coarsest_dtype, tolerance
from utilities.checks.kernel.case import RAISED, Observation, Problem

NAMES = sorted(name.removeprefix("test_") for name in utilities.__all__ if name.startswith("test_"))
MOST_FOR_JUNK = 0.1  # of the points
ONE_SLIP = (0.4, 0.85)
TOLD = 0.4  # of the pairs at least; the others look, in these cases, like a simpler formula
PAIRS = 25  # of an exercise's pairs of mistakes, evenly spread over all of them
SETTLES = 3  # rounds after which a formula that builds on observed pieces has settled
ROOM = 20  # correct and wrong values stay this factor away from the tolerance

every_exercise = pytest.mark.parametrize("name", NAMES)
pytestmark = every_exercise


def check_of(name) -> Check:
    return getattr(utilities, f"test_{name}").check


@cache
def seen(name, seed=42):
    """Return the cases and what a right implementation shows in them."""
    exercise = getattr(utilities, f"test_{name}")
    entry = next(e for e in entries() if e.exercise == name and e.is_correct)
    cases = exercise.cases(seed)
    return cases, exercise.observe(entry.implementation, cases)


def with_settings(name, turned):
    """Return the right observations with the formula's values, those settings turned."""
    check, (cases, observations) = check_of(name), seen(name)
    return [_turned(check, *pair, turned) for pair in zip(cases, observations, strict=True)]


def _turned(check, case, observation, turned):
    for _ in range(SETTLES):
        observation = _turned_once(check, case, observation, turned)
        if observation.problem:
            break
    return observation


def _turned_once(check, case, observation, turned):
    try:
        with np.errstate(all="ignore"):
            right = check.expected(case, observation)
            wrong = check.expected(case, observation, **turned)
    except (ValueError, IndexError, KeyError, np.exceptions.AxisError):
        return Observation(problem=Problem(RAISED, "shapes do not fit"))
    values = {n: v for n, v in observation.values.items() if n not in right or n in wrong}
    for n, value in wrong.items():
        kind = observation.values[n].dtype if n in observation.values else None
        value = np.asarray(value)
        fits = kind is not None and (kind.kind == "f" or np.array_equal(value, value.astype(kind)))
        values[n] = value.astype(kind) if fits else value
    return Observation({**values, "repeats": np.array(True)})


def judged(name, observations):
    return Judgement(check_of(name), seen(name)[0], observations).report(name)


def test_the_right_values_hold(name):
    report = judged(name, seen(name)[1])
    assert report.passed, str(report)


def test_each_mistake_is_told_by_its_own_name_and_costs_what_it_is_worth(name):
    for mistake in check_of(name).mistakes:
        for way in mistake.ways:
            if mistake.unseen:
                continue  # the check says itself where, and why
            report = judged(name, with_settings(name, way))
            assert report.mistakes == [mistake.name], f"{mistake.name}: {way}\n{report}"
            if mistake.carries and all(o.problem is None for o in with_settings(name, way)):
                assert ONE_SLIP[0] <= report.fraction <= ONE_SLIP[1], f"{mistake.name}\n{report}"


def test_two_mistakes_are_told_by_both_names_and_cost_more(name):
    check = check_of(name)
    pairs = [
        (one, other, {**one.ways[0], **other.ways[0]})
        for one, other in combinations([m for m in check.mistakes if not m.unseen], 2)
        if not set(one.ways[0]) & set(other.ways[0])
    ]
    told = 0
    chosen = pairs[:: max(1, len(pairs) // PAIRS)]
    for one, other, turned in chosen:
        observations = with_settings(name, turned)
        judgement = Judgement(check, seen(name)[0], observations)
        report = judgement.report(name)
        assert not report.passed, f"{one} and {other}"
        if set(report.mistakes) == {one.name, other.name}:
            told += 1
        else:  # then a simpler formula, or another pair, gives the very same values, or nothing does
            same = judgement.explanation
            assert same is None or len(same.ways) <= 2, f"{one} and {other}\n{report}"
    assert not chosen or told >= TOLD * len(chosen), f"{told} of {len(chosen)} pairs"


def _junk(kind, values, inputs, rng):
    """Return the values with every array of numbers replaced, the claims as good as they were."""
    replaced = {}
    for name, value in values.items():
        numbers = value.dtype.kind == "f" or (value.dtype.kind in "iuU" and value.size > 1)
        replaced[name] = _junk_like(kind, value, inputs, rng) if numbers else value
    return replaced


def _junk_like(kind, value, inputs, rng):
    if value.dtype.kind == "U":  # a sequence of words: another order, or one word again and again
        return rng.permutation(value) if kind == "shuffled" else np.full_like(value, value[0])
    if kind == "zeros":
        return np.zeros_like(value)
    if kind == "noise":
        return rng.standard_normal(value.shape).astype(value.dtype)
    if kind == "shuffled":
        return rng.permutation(value.ravel()).reshape(value.shape) if value.size > 1 else value + 1
    floats = [i for i in map(np.asarray, inputs.values()) if i.dtype.kind == "f" and i.ndim]
    source = floats[0] if floats else np.arange(7.0)
    return np.resize(source, value.shape).astype(value.dtype)  # what went in comes out


@pytest.mark.parametrize("kind", ["zeros", "noise", "shuffled", "inputs"])
def test_junk_with_the_best_claims_earns_next_to_nothing(name, kind):
    cases, observations = seen(name)
    rng = np.random.default_rng(0)
    forged = [
        Observation(_junk(kind, observation.values, case.inputs, rng))
        for case, observation in zip(cases, observations, strict=True)
    ]
    with np.errstate(all="ignore"):
        report = judged(name, forged)
    assert report.fraction <= MOST_FOR_JUNK, str(report)


def test_right_values_stay_well_inside_the_tolerance_and_wrong_ones_outside(name):
    check, (cases, observations) = check_of(name), seen(name)
    inside, outside = 0.0, np.inf
    for case, observation in zip(cases, observations, strict=True):
        right = check.expected(case, observation)
        for value_name, value in right.items():
            value = np.asarray(value)
            if value.dtype.kind != "f" or value_name not in observation.values:
                continue
            limit = tolerance(value, coarsest_dtype(case), case.longest_axis, check.depth_of(case))
            difference = np.abs(observation[value_name].astype(float) - value)
            inside = max(inside, float(difference.max(initial=0.0)) / limit)
    assert inside <= 0.5, f"right work comes as near as {inside:.2f} tolerances"
    for mistake in check.mistakes:
        for way in mistake.ways:
            distance = _distance(check, cases, observations, way)
            outside = min(outside, distance) if not mistake.unseen else outside
    assert outside >= ROOM, f"a mistake comes as near as {outside:.1f} tolerances"


def _distance(check, cases, observations, way):
    """Return how far a mistake takes the values from the right ones, in tolerances, at its clearest."""
    largest = 0.0
    for case, observation in zip(cases, observations, strict=True):
        right = check.expected(case, observation)
        try:
            with np.errstate(all="ignore"):
                wrong = check.expected(case, observation, **way)
        except (ValueError, IndexError, KeyError, np.exceptions.AxisError):
            return np.inf
        for value_name, value in right.items():
            value = np.asarray(value)
            other = np.asarray(wrong.get(value_name, np.nan))
            if value.dtype.kind != "f" or other.shape != value.shape:
                if not np.array_equal(value, other):
                    return np.inf
                continue
            if not np.all(np.isfinite(other)):
                return np.inf
            limit = tolerance(value, coarsest_dtype(case), case.longest_axis, check.depth_of(case))
            largest = max(largest, float(np.abs(other - value).max(initial=0.0)) / limit)
    return largest


def test_every_stage_has_a_case_and_every_finding_a_stage(name):
    check = check_of(name)  # `Check` refuses to be made otherwise; thorough cases add no stage
    stages = {stage for line in check.findings for stage in line.stages}
    assert {case.stage for case in check.draw(7, thorough=True)} == stages
    assert any(isinstance(line, Values) for line in check.findings)


def test_a_thorough_check_has_all_the_cases_of_a_plain_one(name):
    plain, thorough = (check_of(name).draw(7, thorough=thorough) for thorough in (False, True))
    kept = {joblib.hash((case.stage, case.inputs)) for case in thorough}
    assert {joblib.hash((case.stage, case.inputs)) for case in plain} <= kept

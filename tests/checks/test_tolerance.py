"""The margin on both sides: how near correct work comes to a tolerance, and wrong work."""

import numpy as np
import pytest

import utilities
from tests.checks.catalogue import entries
from utilities.checks.core import oracles
from utilities.checks.core.check import Values
from utilities.checks.core.tolerance import agrees, coarsest_dtype, tolerance
from utilities.checks.kernel.case import WRONG_VALUE, Case

SEEDS = range(20)
NAME = "scaled_dot_product_attention"


def worst_ratio(implementation, seed, stages) -> float | None:
    """Return the largest difference from the formula, in tolerances; None if nothing came back."""
    exercise = getattr(utilities, f"test_{NAME}")
    cases = [case for case in exercise.cases(seed) if case.stage in stages]
    ratios = []
    for case, seen in zip(cases, exercise.observe(implementation, cases), strict=True):
        if seen.problem:
            continue
        q, k, v = (case[name].astype(np.float64) for name in "qkv")
        answer = oracles.scaled_dot_product_attention(q, k, v, case["mask"])
        for name, expected in zip(("output", "attention_weights"), answer, strict=True):
            observed = seen.values.get(name, np.array(np.nan))
            if observed.shape != expected.shape or not np.all(np.isfinite(observed)):
                return np.inf
            dtype = coarsest_dtype(case)
            limit = tolerance(expected, dtype, case.longest_axis)
            ratios.append(float(np.max(np.abs(observed - expected)) / limit))
    return max(ratios, default=None)


@pytest.mark.parametrize("stages", [["float16"], ["no mask", "mask"], ["float64"]], ids=str)
def test_correct_work_stays_well_below(stages, capsys):
    ratios = [
        worst_ratio(entry.implementation, seed, stages)
        for entry in entries()
        if entry.exercise == NAME and entry.is_correct
        for seed in SEEDS
    ]
    worst = max(ratio for ratio in ratios if ratio is not None)
    with capsys.disabled():
        print(f"\n{stages}: the worst of {len(ratios)} correct runs is at {worst:.2f} tolerances")
    assert worst < 0.5


def test_wrong_work_stays_well_above(capsys):
    stages = {case.stage for case in getattr(utilities, f"test_{NAME}").cases()}
    ratios = {
        str(entry): min(
            ratio
            for seed in SEEDS[:8]
            if (ratio := worst_ratio(entry.implementation, seed, stages)) is not None
        )
        for entry in entries()
        if entry.exercise == NAME and not entry.is_correct and wrong_in_value(entry)
    }
    closest = min(ratios, key=ratios.get)
    with capsys.disabled():
        print(f"\nof {len(ratios)} wrong ones, {closest} is nearest: {ratios[closest]:.0f} tolerances")
    assert ratios[closest] > 10


def wrong_in_value(entry) -> bool:
    """Return whether an entry is wrong in its numbers, not in type, in shape or by an error."""
    exercise = getattr(utilities, f"test_{NAME}")
    values = {line.text for line in exercise.check.findings if isinstance(line, Values)}
    report = exercise.report(entry.implementation)
    return any(finding.kind == WRONG_VALUE and finding.name in values for finding in report.findings)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_grows_with_the_dtype_the_terms_and_the_depth(dtype):
    values = np.ones(3)
    assert tolerance(values, dtype, 4) == 2 * tolerance(values, dtype, 1)
    assert tolerance(values, dtype, 4, depth=3) == pytest.approx(3 * tolerance(values, dtype, 4))
    assert tolerance(2 * values, dtype, 4) == 2 * tolerance(values, dtype, 4)
    assert tolerance(values, np.float16, 1) / tolerance(values, np.float32, 1) == 2**13


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("observed", "expected", "same"),
    [
        ("relu", "relu", True),
        ("relu", "gelu", False),
        ("1.0", 1.0, False),
        (np.float32([1, 2]), [1.0, 2.0], True),
        (np.float32([1, 2]), [1.0, 2.1], False),
        (np.float32([[1, 1]]), [1.0, 1.0], False),
        (np.uint8([1, 0]), [1.0, 0.0], True),
        (np.array([True, False]), [1.0, 0.0], True),
        (np.complex64([1, 2]), [1.0, 2.0], False),
        (np.float32([INF, NAN, 1]), [INF, NAN, 1.0], True),
        (np.float32([INF, 1]), [-INF, 1.0], False),
        (np.float32([2, NAN]), [NAN, NAN], False),
        (np.float32([NAN, 2]), [NAN, 1.0], False),
        (np.float32([NAN, 1]), [1.0, 1.0], False),
    ],
    ids=str,
)
def test_arrays_agree_in_shape_kind_and_every_entry(observed, expected, same):
    assert agrees(np.array(observed), np.array(expected), terms=1) == same


def test_what_agrees_follows_terms_depth_and_the_type_that_went_in():
    observed, expected = np.float32([1 + 1.5e-6]), np.ones(1)
    assert not agrees(observed, expected, terms=1)
    assert agrees(observed, expected, terms=1000)
    assert agrees(observed, expected, terms=1, depth=20)
    assert agrees(observed, expected, terms=1, dtype=np.dtype(np.float16))


def test_the_coarsest_type_is_that_of_an_input_and_float32_without_any():
    inputs = {"q": np.ones(2, np.float64), "k": np.ones(2, np.float16), "v": np.ones(2, np.float32)}
    assert coarsest_dtype(Case("any", inputs)) == np.float16
    assert coarsest_dtype(Case("any", {"labels": np.arange(3), "rate": 0.1})) == np.float32

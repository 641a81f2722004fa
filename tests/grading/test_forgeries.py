"""No made-up observation earns a point: an answer counts where the step was computed."""

import pytest

import utilities
from tests.grading.forgeries import (
    FORGERIES,
    attention_left_out,
    blocks_left_out,
    normalised_away,
    zeros,
)
from utilities.checks.core import oracles
from utilities.checks.kernel.case import Observation

POINTS = 10.0
SEEDS = ((42, False), (1009, True))
HEAD_COMPUTED = {normalised_away, attention_left_out, blocks_left_out}  # right, without blocks


@pytest.mark.parametrize("exercise, forge", FORGERIES, ids=lambda part: getattr(part, "__name__", part))
def test_earns_nothing(exercise, forge):
    check = getattr(utilities, f"test_{exercise}")
    for seed, thorough in SEEDS:
        cases = check.cases(seed, thorough)
        report = check.judge(cases, [Observation(forge(exercise, case)) for case in cases])
        assert report.earned(POINTS) == (0.5 if forge in HEAD_COMPUTED else 0.0), str(report)


def test_claims_are_as_good_as_they_can_be():
    """With right values beside them the claims hold, so that a forgery fails by its values alone."""
    check = utilities.test_multi_head_attention
    cases = check.cases(42)
    claims = [_right(case) for case in cases]
    assert check.judge(cases, [Observation(claim) for claim in claims]).passed


def _right(case) -> dict:
    arrays = (case[name].astype(float) for name in ("q", "k", "v", "W_q", "W_k", "W_v", "W_o"))
    output, weights = oracles.multi_head_attention(*arrays, case["mask"])
    return {**zeros("multi_head_attention", case), "output": output, "attention_weights": weights}

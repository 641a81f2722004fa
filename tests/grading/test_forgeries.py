"""No made-up observation earns a point: what is forged whole, and what a right formula can forge.

Junk beside the best claims stands in `tests/checks/test_generated.py`, for every exercise.
"""

import pytest

import utilities
from utilities.checks.core.check import Claim, Values

NAMES = sorted(name.removeprefix("test_") for name in utilities.__all__ if name.startswith("test_"))
MOST_BY_CLAIMS = 0.75  # of the points, for somebody who has written the right formula in NumPy


def claimed(line) -> bool:
    return isinstance(line, Claim) or (isinstance(line, Values) and line.claim)


@pytest.mark.parametrize("name", NAMES)
def test_claims_never_outweigh_what_is_computed(name, record_property):
    lines = getattr(utilities, f"test_{name}").check.findings
    share = sum(line.share for line in lines if claimed(line)) / sum(line.share for line in lines)
    record_property("claims", round(share, 2))
    assert share <= MOST_BY_CLAIMS, f"{name}: {share:.0%} of the points rest on claims"


@pytest.mark.parametrize("name", NAMES)
def test_no_claim_counts_without_values_beside_it(name):
    check = getattr(utilities, f"test_{name}").check
    stages = {stage for line in check.findings if not claimed(line) for stage in line.stages}
    for line in check.findings:
        if claimed(line):
            assert set(getattr(line, "beside", ())) <= stages, line.text
    assert check.main is not None

"""Every correct implementation passes, every wrong one fails and is told why."""

import pytest

import utilities
from tests.checks.catalogue import entries

SEEDS = [(42, False), (7, False), (271, True)]


def report_of(entry, seed, thorough):
    exercise = getattr(utilities, f"test_{entry.exercise}")
    return exercise.report(entry.implementation, seed, thorough)


@pytest.mark.parametrize("seed, thorough", SEEDS)
@pytest.mark.parametrize("entry", [e for e in entries() if e.is_correct], ids=str)
def test_correct_implementation_passes(entry, seed, thorough):
    report = report_of(entry, seed, thorough)
    assert report.passed, str(report)


@pytest.mark.parametrize("seed, thorough", SEEDS)
@pytest.mark.parametrize("entry", [e for e in entries() if not e.is_correct], ids=str)
def test_wrong_implementation_fails_and_is_told_why(entry, seed, thorough):
    report = report_of(entry, seed, thorough)
    assert not report.passed, f"accepted: {entry}"
    if entry.told is None:
        assert any(finding.detail or finding.message for finding in report.findings)
    else:
        said = report.mistakes + [finding.kind for finding in report.findings]
        assert entry.told in said, f"said {said}\n{report}"

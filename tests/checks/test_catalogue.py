"""Every correct implementation passes, every wrong one fails and is told why."""

import re

import pytest

import utilities
from tests.checks.catalogue import entries
from tests.checks.table import table
from tests.course import ROOT

SEEDS = [(42, False), (7, False), (271, True)]
SEEDS_FOR_WRONG = [(42, False), (271, True)]  # each wrong one is seen twice with stand-ins anyway
JARGON = re.compile(r"\b(oracle|observation|stage|judge|mutant|stand-in|fixture)s?\b", re.IGNORECASE)


def report_of(entry, seed, thorough):
    exercise = getattr(utilities, f"test_{entry.exercise}")
    return exercise.report(entry.implementation, seed, thorough)


@pytest.mark.parametrize("seed, thorough", SEEDS)
@pytest.mark.parametrize("entry", [e for e in entries() if e.is_correct], ids=str)
def test_correct_implementation_passes(entry, seed, thorough):
    report = report_of(entry, seed, thorough)
    assert report.passed, str(report)


@pytest.mark.parametrize("seed, thorough", SEEDS_FOR_WRONG)
@pytest.mark.parametrize("entry", [e for e in entries() if not e.is_correct], ids=str)
def test_wrong_implementation_fails_and_is_told_why(entry, seed, thorough):
    report = report_of(entry, seed, thorough)
    assert not report.passed, f"accepted: {entry}"
    if entry.told is None:
        assert any(finding.detail or finding.message for finding in report.findings)
    else:
        said = report.mistakes + [finding.kind for finding in report.findings]
        assert entry.told in said, f"said {said}\n{report}"
    assert_in_plain_words(report)


def assert_in_plain_words(report):
    """Neither the kit's own words nor its files stand in what a student reads."""
    for finding in report.findings:
        assert not JARGON.search(f"{finding.name} {finding.message}"), str(report)
        assert "utilities/" not in f"{finding.message} {finding.detail}", str(report)


def test_every_exercise_has_enough_of_both():
    everything = entries()
    for name in {entry.exercise for entry in everything}:
        of_this = [entry for entry in everything if entry.exercise == name]
        assert sum(entry.is_correct for entry in of_this) >= 5, name
        assert sum(not entry.is_correct for entry in of_this) >= 12, name
    wrong = [entry for entry in everything if not entry.is_correct]
    assert len(wrong) >= 150 and len(everything) - len(wrong) >= 60
    assert sum(entry.told is not None for entry in wrong) >= 0.95 * len(wrong)


def test_names_in_the_catalogue_are_unique():
    names = [str(entry) for entry in entries()]
    assert len(set(names)) == len(names)


def test_readme_shows_the_table_as_it_is():
    assert table(entries()) in (ROOT / "README.md").read_text(), table(entries())

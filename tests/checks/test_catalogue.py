"""Every correct implementation passes, every wrong one fails, is told why, and earns its record.

The record, `points.json`, holds what each entry earns and is told with one seed. Here each is run with
one of ten, another one each day, so a check whose verdict hangs on the seed shows.
"""

import re

import pytest

from tests.checks.catalogue import entries
from tests.checks.record import POINTS, recorded, report_of, seed_of
from tests.checks.table import KINDS, confusion, table
from tests.course import ROOT

LEAST, MOST, MOST_FOR_NOTHING = 4.0, 8.5, 1.0  # of 10 points, for one slip, and for nothing right
JARGON = re.compile(r"\b(oracle|observation|stage|judge|mutant|stand-in|fixture)s?\b", re.IGNORECASE)


@pytest.mark.parametrize("entry", [e for e in entries() if e.is_correct], ids=str)
def test_correct_implementation_passes(entry):
    report = report_of(entry, seed_of(entry)[0], thorough=True)
    assert report.passed, str(report)


@pytest.mark.parametrize("entry", [e for e in entries() if not e.is_correct], ids=str)
def test_wrong_implementation_fails_and_is_told_why(entry):
    report, record = report_of(entry, *seed_of(entry)), recorded()[str(entry)]
    assert not report.passed, f"accepted: {entry}"
    if entry.told is None:
        assert any(finding.detail or finding.message for finding in report.findings)
    else:
        said = report.mistakes + [finding.kind for finding in report.findings]
        assert entry.told in said, f"said {said}\n{report}"
    assert report.earned(POINTS) == record["points"], f"{record}\n{report}"
    assert report.mistakes == record["told"], f"{record}\n{report}"
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


def test_names_in_the_catalogue_are_unique():
    names = [str(entry) for entry in entries()]
    assert len(set(names)) == len(names)


def test_one_slip_costs_what_it_is_worth_and_nothing_right_earns_nothing():
    record = recorded()
    for entry in entries():
        points = record[str(entry)]["points"]
        if not entry.is_correct and entry.slips == 0:
            assert points <= MOST_FOR_NOTHING, str(entry)
        elif not entry.is_correct and not entry.because:
            assert points <= MOST and (entry.slips > 1 or points >= LEAST), f"{entry}: {points}"


def test_nobody_is_told_a_name_that_is_not_its_own():
    assert confusion(entries(), recorded()) == []


def test_names_are_told_where_there_is_one():
    wrong = [entry for entry in entries() if not entry.is_correct and entry.slips]
    named = [entry for entry in wrong if entry.told is not None and entry.told not in KINDS]
    assert len(named) >= 0.85 * len(wrong)


def test_readme_shows_the_table_as_it_is():
    assert table(entries(), recorded()) in (ROOT / "README.md").read_text()

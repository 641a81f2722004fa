"""No mutant of a model solution is accepted, but those that are equivalent, with their reason.

All mutants take `python -m tests.checks.mutants` about twenty minutes; each day's run of the tests
looks at one part of them, so that every mutant has its turn.
"""

from datetime import date

import pytest

from tests.checks.mutants import equivalent, in_part, is_accepted, mutants, solutions

PARTS = 25


def chosen():
    today = date.today().toordinal() % PARTS
    return [
        mutant
        for name in sorted(solutions())
        for mutant in mutants(name)
        if in_part(mutant, today, PARTS)
    ]


@pytest.mark.parametrize("mutant", chosen(), ids=str)
def test_is_refused_or_known_as_equivalent(mutant):
    known = equivalent().get(mutant.exercise, {})
    assert (mutant.change in known) or not is_accepted(mutant), mutant.change


def test_equivalents_are_mutants_and_have_a_reason():
    for exercise, known in equivalent().items():
        made = {mutant.change for mutant in mutants(exercise)}
        assert set(known) <= made, exercise
        assert all(len(reason) > 15 for reason in known.values()), exercise

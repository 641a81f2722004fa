"""No mutant of a model solution is accepted, but those that are equivalent, with their reason.

There are more than a thousand, so each day's tests look at one part (`pytest --whole` at all, and
`python -m tests.checks.mutants` prints the table).
"""

import pytest

from tests.checks.mutants import equivalent, is_accepted, mutants, solutions


@pytest.mark.in_turns(25)
@pytest.mark.parametrize(
    "mutant", [mutant for name in sorted(solutions()) for mutant in mutants(name)], ids=str
)
def test_is_refused_or_known_as_equivalent(mutant):
    known = equivalent().get(mutant.exercise, {})
    assert mutant.change in known or not is_accepted(mutant), mutant.change


def test_equivalents_are_mutants_and_have_a_reason():
    for exercise, known in equivalent().items():
        made = {mutant.change for mutant in mutants(exercise)}
        assert set(known) <= made, exercise
        assert all(len(reason) > 15 for reason in known.values()), exercise

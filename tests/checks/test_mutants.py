"""No mutant of a model solution is accepted, but those that are equivalent, with their reason.

None is told a mistake by name that nobody has read beside its change.

There are more than a thousand, so each day's tests look at one part (`pytest --whole` at all, and
`python -m tests.checks.mutants` prints the table).
"""

import pytest

from tests.checks.mutants import equivalent, mutants, report_on, solutions, told


@pytest.mark.in_turns(25)
@pytest.mark.parametrize(
    "mutant", [mutant for name in sorted(solutions()) for mutant in mutants(name)], ids=str
)
def test_is_refused_or_known_as_equivalent_and_told_what_was_read(mutant):
    report, of_this = report_on(mutant), told().get(mutant.exercise, {})
    assert mutant.change in equivalent().get(mutant.exercise, {}) or not report.passed, mutant.change
    assert report.mistakes == of_this.get(mutant.change, []), f"{mutant.change}\n{report}"


def test_equivalents_are_mutants_and_have_a_reason():
    for exercise, known in equivalent().items():
        made = {mutant.change for mutant in mutants(exercise)}
        assert set(known) <= made, exercise
        assert all(len(reason) > 15 for reason in known.values()), exercise


def test_those_told_by_name_are_mutants_and_no_equivalents():
    for exercise, names in told().items():
        made = {mutant.change for mutant in mutants(exercise)}
        assert set(names) <= made - set(equivalent().get(exercise, {})), exercise
        assert all(names.values()), exercise

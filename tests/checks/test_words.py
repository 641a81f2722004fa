"""Every word of a task has an observer, or is known as a gap."""

import pytest

from tests.checks.mutants import solutions
from tests.checks.words import (
    ASKS_NOTHING,
    GAP,
    check_of,
    has_gap,
    names_of,
    observers,
    rows,
    sentences,
    summary,
    words,
)

GAPS = 0  # words with a gap: may fall, not grow

exercises = pytest.mark.parametrize("exercise", sorted(solutions()))


@exercises
def test_every_word_has_a_line_and_every_line_is_a_word_that_is_still_there(exercise):
    said, lines = set(words(exercise)), set(observers()[exercise])
    assert said - lines == set(), "say in words.json who looks at them"
    assert lines - said == set(), "nobody says so any more"


@exercises
def test_who_looks_is_in_the_check_or_there_is_a_reason(exercise):
    known = names_of(check_of(exercise))
    for word, seen in observers()[exercise].items():
        reasons = [who for who in seen if who.startswith((ASKS_NOTHING, GAP))]
        assert seen and set(seen) - set(reasons) <= known, word
        assert all(who.removeprefix(ASKS_NOTHING).removeprefix(GAP) for who in reasons), word


def test_gaps_do_not_grow():
    gaps = [f"{exercise}: {word}" for exercise, word, seen in rows() if has_gap(seen)]
    print(summary(), *gaps, sep="\n")
    assert len(gaps) == GAPS, "close the gap, or lower the number"


def test_a_text_is_cut_into_what_it_asks_for():
    assert sentences("Do this. $H$ may be 1; `x` is\nkept.\n\n1. **Fit** it.\n2. Test") == [
        "Do this.", "$H$ may be 1;", "`x` is kept.", "**Fit** it.", "Test",
    ]  # fmt: skip

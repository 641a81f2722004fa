"""What a report says, word for word, by a check so small that its reports can be read at a glance.

The exercise: double every number of x. Its check knows two mistakes, one sign, one kind of case.
"""

from dataclasses import replace

import numpy as np
import pytest

from utilities.checks.core.check import Check, Choice, Claim, Mistake, Only, Remark, Sign, Values, Wrong
from utilities.checks.core.judging import Judgement
from utilities.checks.kernel.case import INPUT_CHANGED, RAISED, Case, Observation, Problem


def cases(rng, thorough):
    return [
        Case("row", {"x": np.array([1.0, -2.0, 4.0])}),
        Case("row", {"x": np.array([3.0, 0.5])}),
        Case("table", {"x": np.arange(40.0).reshape(20, 2) + 1}),
        Case("whole", {"x": np.array([5, 6, 7, 8])}),
    ]


def formula(case, seen, *, factor=2.0, added=0.0, tilted=0.0):
    return {"output": factor * case["x"] + added + tilted}


def repeats(case, seen):
    return None if seen["repeats"] else Wrong("changes", "A second call gives another result.")


CHECK = Check(
    cases,
    formula,
    findings=[
        Values("row", "rows are doubled"),
        Values("table", "tables are doubled", 2.0, about=("factor",)),
        Values("whole", "whole numbers are doubled"),
        Claim("row", "a second call gives the same", 1.0, repeats),
    ],
    mistakes=[
        Mistake("not doubled", "Your numbers come out as they went in.", factor=1.0),
        Mistake("one added", "You add 1.", added=1.0),
    ],
    choices=[Choice("You add a trifle; that is accepted.", {"tilted": 0.01})],
    signs=[Sign("all zero", "You return zeros.", lambda case, seen: not seen["output"].any())],
    kinds=[
        Only(
            "whole numbers refused",
            "It works for all but whole numbers.",
            lambda case: case["x"].dtype.kind == "i",
        )
    ],
    remarks=[Remark("You return a list.", lambda case, seen: bool(seen["listed"]))],
)


def seen(output, repeats=True, listed=False, problem=None):
    values = {"output": output, "repeats": np.array(repeats), "listed": np.array(listed)}
    return Observation({k: v for k, v in values.items() if v is not None}, problem)


def crash(case):
    raise_it = Problem(RAISED, "Your code stopped with TypeError: no.", "cell 1, line 2", "")
    return Observation(problem=raise_it)


def report(see):
    drawn = CHECK.draw(0)
    return str(Judgement(CHECK, drawn, [see(case) for case in drawn]).report("double"))


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


RIGHT = """
    double: all 4 findings hold
    ✓ rows are doubled
    ✓ tables are doubled
    ✓ whole numbers are doubled
    ✓ a second call gives the same
"""


@pytest.mark.parametrize(
    "see, said",
    [
        (lambda case: seen(2 * case["x"]), RIGHT),
        (lambda case: seen(2 * case["x"], listed=True), RIGHT + "· You return a list."),
        (lambda case: seen(2 * case["x"] + 0.01), RIGHT + "· You add a trifle; that is accepted."),
        (
            lambda case: seen(1.0 * case["x"]),
            """
            double: 3 of 4 findings hold
            ✓ rows are doubled (apart from: not doubled)
            ✗ tables are doubled
            Your numbers come out as they went in.
            Smallest failing case: x (20, 2).
            In the output, entry [0, 0] is 1; 2 is expected.
            ✓ whole numbers are doubled (apart from: not doubled)
            ✓ a second call gives the same
            """,
        ),
        (
            lambda case: seen(case["x"] + 1.0),
            """
            double: 2 of 4 findings hold
            ✗ rows are doubled
            You add 1.
            Smallest failing case: x (2).
            In the output, entry [0] is 4; 6 is expected.
            ✗ tables are doubled
            Your numbers come out as they went in.
            Smallest failing case: x (20, 2).
            In the output, entry [0, 1] is 3; 4 is expected.
            ✓ whole numbers are doubled (apart from: not doubled, one added)
            ✓ a second call gives the same
            """,
        ),
        (
            lambda case: seen(3.0 * case["x"]),
            """
            double: 0 of 4 findings hold
            ✗ rows are doubled
            In the output, entry [0] is 9; 6 is expected.
            Smallest failing case: x (2).
            x = np.array([3. , 0.5], 'float64')
            ✗ tables are doubled: the same as above
            ✗ whole numbers are doubled: the same as above
            – not judged yet: first get “tables are doubled” right. Then: a second call gives the same.
            """,
        ),
        (
            lambda case: seen(0.0 * case["x"]),
            """
            double: 0 of 4 findings hold
            ✗ rows are doubled
            You return zeros.
            Smallest failing case: x (2).
            In the output, entry [0] is 0; 6 is expected.
            """,
        ),
        (
            lambda case: seen(2.0 * case["x"][:1]),
            """
            double: 0 of 4 findings hold
            ✗ rows are doubled
            Your output has shape (1); (2) is expected for x (2).
            """,
        ),
        (
            lambda case: seen(np.full(case["x"].shape, np.nan)),
            """
            double: 0 of 4 findings hold
            ✗ rows are doubled
            In the output, entry [0] is nan: look for a division by zero, a root of a negative
            number, or infinity times zero.
            """,
        ),
        (
            lambda case: seen(None),
            """
            double: 0 of 4 findings hold
            ✗ rows are doubled
            The output is missing.
            """,
        ),
        (
            lambda case: crash(case) if case["x"].dtype.kind == "i" else seen(2 * case["x"]),
            """
            double: 3 of 4 findings hold
            ✓ rows are doubled
            ✓ tables are doubled
            ✗ whole numbers are doubled
            It works for all but whole numbers.
            Your code stopped with TypeError: no.
            This was for x [5, 6, 7, 8].
            cell 1, line 2
            ✓ a second call gives the same
            """,
        ),
        (
            crash,
            """
            double: 0 of 4 findings hold
            ✗ rows are doubled
            Your code stopped with TypeError: no.
            This was for x (2).
            cell 1, line 2
            – not judged yet: first get “rows are doubled” right. Then: tables are doubled; whole
            numbers are doubled; a second call gives the same.
            """,
        ),
        (  # one case alone would speak for "not doubled"
            lambda case: seen(case["x"]) if case["x"].dtype.kind == "i" else crash(case),
            """
            double: 0 of 4 findings hold
            ✗ rows are doubled
            Your code stopped with TypeError: no.
            This was for x (2).
            cell 1, line 2
            ✗ whole numbers are doubled
            In the output, entry [0] is 5; 10 is expected.
            """,
        ),
        (
            lambda case: seen(2 * case["x"], repeats=False),
            """
            double: 3 of 4 findings hold
            ✓ rows are doubled
            ✓ tables are doubled
            ✓ whole numbers are doubled
            ✗ a second call gives the same
            A second call gives another result.
            """,
        ),
        (
            lambda case: seen(2 * case["x"], problem=Problem(INPUT_CHANGED, "Your code changes x.")),
            """
            double: 3 of 4 findings hold
            ✗ rows are doubled
            Your code changes x.
            ✓ tables are doubled
            """,
        ),
    ],
    ids=[
        *(
            "right",
            "remark",
            "choice",
            "one-mistake",
            "two-mistakes",
            "nameless",
            "zeros",
            "shape",
            "nan",
        ),
        *("missing", "one-kind", "crash", "all-but-one-crash", "claim", "input-changed"),
    ],
)
def test_says(see, said):
    given, expected = " ".join(lines(report(see))), " ".join(lines(said))
    assert given.startswith(expected), report(see)


@pytest.mark.parametrize(
    "changed, fault",
    [
        ({"findings": []}, "no case|without a finding"),
        ({"findings": [*CHECK.findings, Values("rows", "misspelt")]}, "no case has the stage 'rows'"),
        ({"findings": CHECK.findings[1:3]}, "no finding looks at the stage 'row'"),
        (
            {"findings": [*CHECK.findings, Values("row", "free", 0.0)]},
            "share of 'free' is not positive",
        ),
        (
            {"findings": [*CHECK.findings, CHECK.findings[0]]},
            "two times the finding 'rows are doubled'",
        ),
        (
            {"findings": [replace(line, claim=True) for line in CHECK.findings[:3]]},
            "no finding about values",
        ),
        (
            {"findings": [*CHECK.findings, Claim("row", "alone", 1.0, repeats, ("rows",))]},
            "'alone' stands beside the stage 'rows'",
        ),
        ({"mistakes": [*CHECK.mistakes, CHECK.mistakes[0]]}, "two times the mistake 'not doubled'"),
        ({"signs": [replace(CHECK.signs[0], name="one added")]}, "two times the mistake 'one added'"),
        ({"mistakes": [Mistake("idle", "Nothing.")]}, "'idle' turns no setting"),
        ({"mistakes": [Mistake("lost", "Gone.", power=2)]}, "'lost' turns 'power'"),
        ({"choices": [Choice("Odd.", {"power": 2})]}, "'Odd.' turns 'power'"),
    ],
)
def test_a_check_that_would_give_points_away_cannot_be_made(changed, fault):
    with pytest.raises(ValueError, match=fault):
        replace(CHECK, **changed)

"""The grader's proof in numbers: what the catalogue holds, exercise by exercise."""

from collections.abc import Iterable

from tests.checks.catalogue import Entry

HEADER = "| exercise | correct, accepted | wrong, rejected | told why |\n|---|---|---|---|"


def table(entries: Iterable[Entry]) -> str:
    """Return a Markdown table; with every test of the catalogue green, it is what was shown."""
    entries = list(entries)
    names = sorted({entry.exercise for entry in entries})
    rows = [_row(f"`{name}`", [e for e in entries if e.exercise == name]) for name in names]
    return "\n".join([HEADER, *rows, _row("**all**", entries)])


def _row(name: str, entries: list[Entry]) -> str:
    correct = sum(entry.is_correct for entry in entries)
    wrong = len(entries) - correct
    told = sum(entry.told is not None for entry in entries)
    return f"| {name} | {correct} of {correct} | {wrong} of {wrong} | {told} of {wrong} |"

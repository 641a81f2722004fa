"""The grader's proof in numbers: what the catalogue holds, exercise by exercise, and what it earns."""

from collections.abc import Iterable, Mapping
from statistics import median

from tests.checks.catalogue import Entry
from utilities.checks.kernel import case

BEGIN, END = "<!-- catalogue: python -m tests.checks.record -->\n", "<!-- end of catalogue -->"
HEADER = (
    "| exercise | right, accepted | wrong, refused | told by name | told by kind "
    "| one slip earns | two slips earn |\n|---|---|---|---|---|---|---|"
)
KINDS = {value for name, value in vars(case).items() if name.isupper() and isinstance(value, str)}


def table(entries: Iterable[Entry], record: Mapping[str, dict]) -> str:
    """Return a Markdown table; points are lowest, median and highest of 10."""
    entries = list(entries)
    names = sorted({entry.exercise for entry in entries})
    rows = [_row(f"`{name}`", [e for e in entries if e.exercise == name], record) for name in names]
    return "\n".join([HEADER, *rows, _row("**all**", entries, record)])


def confusion(entries: Iterable[Entry], record: Mapping[str, dict]) -> list[str]:
    """Return what is off the diagonal: entries that are told a name other than their own."""
    off = []
    for entry in entries:
        told = record[str(entry)]["told"]
        own = {entry.told, *entry.also}
        off += [f"{entry}: {name!r}" for name in told if name not in own]
    return off


def _row(name: str, entries: list[Entry], record: Mapping[str, dict]) -> str:
    correct = sum(entry.is_correct for entry in entries)
    wrong = [entry for entry in entries if not entry.is_correct]
    named = sum(entry.told is not None and entry.told not in KINDS for entry in wrong)
    kinds = sum(entry.told in KINDS for entry in wrong)
    slips = (_points([e for e in wrong if e.slips == n], record) for n in (1, 2))
    return (
        f"| {name} | {correct} of {correct} | {len(wrong)} of {len(wrong)} | {named} | {kinds} "
        f"| {' | '.join(slips)} |"
    )


def _points(entries: list[Entry], record: Mapping[str, dict]) -> str:
    points = [record[str(entry)]["points"] for entry in entries if str(entry) in record]
    return f"{min(points):g} · {median(points):g} · {max(points):g}" if points else "–"

"""Measure every entry of the catalogue: its points and what it is told, and write them down.

    python -m tests.checks.record [EXERCISE ...]

writes `points.json` beside this file and the table into `README.md`. The tests hold each entry to its
record on other seeds, so a check that changes what it gives or says shows in the difference.
"""

import argparse
import contextlib
import io
import json
import sys
from pathlib import Path
from zlib import crc32

import utilities
from tests.checks.catalogue import Entry, entries
from tests.checks.table import BEGIN, END, table
from tests.course import ROOT
from utilities.checks.core.report import Report
from utilities.checks.kernel.exercise import Here

RECORD = Path(__file__).with_name("points.json")
POINTS = 10.0
SEED = 42
SEEDS = (42, 0, 1, 7, 123, 271, 1234, 31337, 99991, 20261128)


def seed_of(entry: Entry) -> tuple[int, bool]:
    """Return the seed an entry is run with in the tests, spread over SEEDS, and whether thorough."""
    number = crc32(str(entry).encode())
    return SEEDS[number % len(SEEDS)], bool(number // len(SEEDS) % 2)


def report_of(entry: Entry, seed: int = SEED, thorough: bool = False) -> Report:
    """Return the report on an entry.

    A wrong one is judged with trusted earlier steps in place, as a check does the second time: once
    is enough where the catalogue's own steps are right.
    """
    exercise = getattr(utilities, f"test_{entry.exercise}")
    if entry.is_correct:
        return exercise.report(entry.implementation, seed, thorough)
    cases = exercise.cases(seed, thorough)
    observations = Here(exercise, entry.implementation).observe(cases, exercise.builds_on)
    return exercise.judge(cases, observations)


def measured(entry: Entry, seed: int = SEED, thorough: bool = False) -> dict:
    """Return the points of 10 that an entry earns, and the names it is told."""
    with contextlib.redirect_stderr(io.StringIO()):
        report = report_of(entry, seed, thorough)
    return {"points": report.earned(POINTS), "told": report.mistakes}


def recorded() -> dict[str, dict]:
    """Return what was measured last, by entry."""
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def write_table(text: str, rows: str) -> str:
    """Return a text with the table between its marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}{rows}\n{rest[rest.index(END) :]}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("exercises", nargs="*", default=[], help="exercises, or single entries")
    chosen = parser.parse_args(arguments).exercises
    known = {str(entry) for entry in entries()}
    new = {}
    for entry in entries():
        if not chosen or {entry.exercise, str(entry)} & set(chosen):
            new[str(entry)] = measured(entry)
            print(f"{new[str(entry)]['points']:4} {entry} {new[str(entry)]['told']}", flush=True)
    record = {name: value for name, value in {**recorded(), **new}.items() if name in known}
    RECORD.write_text(json.dumps(dict(sorted(record.items())), indent=0, ensure_ascii=False) + "\n")
    readme = ROOT / "README.md"
    readme.write_text(write_table(readme.read_text(), table(entries(), record)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Measure every entry of the catalogue: its points and what it is told, and write them down.

    python -m tests.checks.record [EXERCISE ...]

writes `points.json` beside this file and the table into `README.md`. The tests hold each entry to its
record on another seed each day, so a check that changes what it gives or says shows in the difference.

    python -m tests.checks.record --every-seed [EXERCISE ...] [--part I/N]

runs each entry with all ten seeds at once, two hours of one core, and lists those that hang on it.
"""

import argparse
import contextlib
import io
import json
import sys
from datetime import date
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


def seed_of(entry: Entry, day: int | None = None) -> tuple[int, bool]:
    """Return the seed an entry is run with in the tests of a day, and whether thorough.

    After ten days each entry has had each of SEEDS.
    """
    number = crc32(str(entry).encode()) + (date.today().toordinal() if day is None else day)
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


def on_every_seed(chosen: list[Entry]) -> int:
    """Run entries with every seed, in turns thorough; return how many differ from their record."""
    differing, record = 0, recorded()
    for number, entry in enumerate(chosen, start=1):
        known = record[str(entry)]
        for turn, seed in enumerate(SEEDS):
            found = measured(entry, seed, thorough=bool(turn % 2))
            if found != known:
                differing += 1
                print(f"{entry}, seed {seed}: {found}, not {known}", flush=True)
        if number % 20 == 0 or number == len(chosen):
            print(f"{number}/{len(chosen)} entries, {differing} verdicts differ", flush=True)
    return differing


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("exercises", nargs="*", default=[], help="exercises, or single entries")
    parser.add_argument("--every-seed", action="store_true", help="compare all ten seeds")
    parser.add_argument("--part", default="0/1", help="I/N: one part of all, such as 1/2")
    options = parser.parse_args(arguments)
    part, parts = map(int, options.part.split("/"))
    names = set(options.exercises)
    known = {str(entry) for entry in entries()}
    chosen = [e for e in entries() if not names or {e.exercise, str(e)} & names][part::parts]
    if options.every_seed:
        return min(on_every_seed(chosen), 1)
    new = {}
    for entry in chosen:
        new[str(entry)] = measured(entry)
        print(f"{new[str(entry)]['points']:4} {entry} {new[str(entry)]['told']}", flush=True)
    record = {name: value for name, value in {**recorded(), **new}.items() if name in known}
    RECORD.write_text(json.dumps(dict(sorted(record.items())), indent=0, ensure_ascii=False) + "\n")
    readme = ROOT / "README.md"
    readme.write_text(write_table(readme.read_text(), table(entries(), record)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

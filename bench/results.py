"""Results are kept by row in results.json; the table on the screen and RESULTS.md are made from it."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.table import Table

from bench.measuring import Row
from tests.course import ROOT

STORE = ROOT / "bench" / "results.json"
DOCUMENT = ROOT / "bench" / "RESULTS.md"
PACKAGES = ("tensorflow", "tf-keras", "numpy", "nbgrader")
COLUMNS = ("row", "measured", "ours", "against", "ratio", "quartiles", "by the wall", "n")


@dataclass(frozen=True)
class Group:
    """The rows under one letter, and when and where they were taken."""

    title: str
    date: str
    machine: str
    versions: str
    load: str
    rows: list[Row]


def describe_run(load_before: float) -> dict[str, str]:
    """Return date, machine, versions and load average, in words."""
    memory = psutil.virtual_memory().total / 2**30
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {memory:.0f} GiB memory, no GPU used",
        "versions": ", ".join(
            [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)]
        ),
        "load": f"{load_before:.1f} before, {os.getloadavg()[0]:.1f} after",
    }


def load(path: Path = STORE) -> dict[str, Group]:
    """Return what was measured last, by letter."""
    if not path.exists():
        return {}
    stored = json.loads(path.read_text())
    return {
        letter: Group(**{**group, "rows": [Row(**row) for row in group["rows"]]})
        for letter, group in sorted(stored.items())
    }


def save(letter: str, group: Group, store: Path = STORE, document: Path = DOCUMENT) -> None:
    """Put one letter's rows in the place of its last ones, and write the document anew."""
    groups = dict(sorted({**load(store), letter: group}.items()))
    text = json.dumps({name: asdict(group) for name, group in groups.items()}, indent=1)
    _write(store, text + "\n")
    _write(document, markdown(groups))


def markdown(groups: dict[str, Group]) -> str:
    """Return RESULTS.md."""
    lines = [
        "# Benchmarks",
        "",
        'Written by `make bench`; `make bench ROWS="a c"` takes some rows anew. A ratio is one of',
        "medians: ours over what it is held against, so below 1 ours takes less. It is one of",
        "processor time, since the machine is shared; the time by the clock on the wall stands in",
        "brackets, and its ratio in a column of its own. Both sides were measured in turns",
        "(A B A B …) in one run; the quartiles are those of the ratios of neighbours, n is the number",
        "of repetitions of each.",
        "",
    ]
    for letter, group in groups.items():
        lines += [f"## {letter} · {group.title}", ""]
        lines += [f"{group.date}; {group.machine}; {group.versions}; load average {group.load}.", ""]
        lines += ["| " + " | ".join(COLUMNS[1:]) + " |", "|---" * (len(COLUMNS) - 1) + "|"]
        lines += ["| " + " | ".join(cells(row)[1:]) + " |" for row in group.rows]
        lines += [""] + [f"{note}\n" for note in notes(group.rows)]
    return "\n".join(lines).rstrip() + "\n"


def screen(groups: dict[str, Group]) -> Table:
    """Return the same table for the terminal."""
    table = Table(title="Benchmarks: ours over what it is held against", title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in COLUMNS[4:] else "left")
    for group in groups.values():
        for row in group.rows:
            table.add_row(*cells(row))
        table.add_section()
    return table


def cells(row: Row) -> list[str]:
    """Return a row of the table."""
    return [
        row.group,
        row.what,
        f"{row.ours}: {_figure(row.samples, row.wall, row.unit)}",
        f"{row.against}: {_figure(row.reference, row.wall_reference, row.unit)}"
        if row.against
        else "–",
        _number(row.ratio),
        " to ".join(_number(quartile) for quartile in row.quartiles) if row.quartiles else "–",
        _number(row.wall_ratio),
        str(len(row.samples)),
    ]


def notes(rows: list[Row]) -> list[str]:
    """Return each note once."""
    return list(dict.fromkeys(row.note for row in rows if row.note))


def _figure(samples: list[float], wall: list[float], unit: str) -> str:
    """Return the medians with their unit."""
    main = _three_digits(statistics.median(samples))
    if not wall:
        return f"{main} {unit}"
    return f"{main} CPU {unit} ({_three_digits(statistics.median(wall))} {unit})"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _write(path: Path, text: str) -> None:
    """Write in one step, so that an interrupted run leaves the file whole."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    temporary.replace(path)

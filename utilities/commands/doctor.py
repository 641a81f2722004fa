"""`lab doctor`: whether this machine is ready, in one screen, and what to do where it is not.

Each line is found out by a probe of its own. What a probe trips over becomes its line, so that
nothing hides the others.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utilities.commands.probes.finding import (
    INSTRUCTOR,
    MAINTAINER,
    MISSING,
    OPTIONAL,
    READY,
    REINSTALL,
    STUDENT,
    Finding,
    Line,
    Probe,
)
from utilities.commands.probes.jupyter import (
    INSTRUCTORS_SERVER,
    STUDENTS_SERVER,
    kernel,
    lab_extensions,
    server_extensions,
)
from utilities.commands.probes.machine import disk, energy_sensors, memory
from utilities.commands.probes.material import (
    full_cifar10,
    full_cifar100,
    hub_models,
    shipped_data,
    shipped_models,
)
from utilities.commands.probes.software import (
    TensorFlow,
    alembic,
    browser,
    bubblewrap,
    course_name,
    grader_libraries,
    keras,
    libraries,
    native_messages,
    python,
)
from utilities.kit import KIT

if TYPE_CHECKING:
    from rich.table import Table

WHO = {STUDENT: "every student", INSTRUCTOR: "the instructor", MAINTAINER: "a maintainer"}
SIGNS = {READY: "[green]✔ ready[/]", OPTIONAL: "[yellow]○ optional[/]", MISSING: "[red]✘ missing[/]"}
_tensorflow = TensorFlow()
PROBES = (
    Probe("Python", STUDENT, python),
    Probe("libraries", STUDENT, libraries),
    Probe("TensorFlow", STUDENT, _tensorflow.library),
    Probe("GPU", STUDENT, _tensorflow.gpu),
    Probe("Keras", STUDENT, keras),
    Probe("memory", STUDENT, memory),
    Probe("disk", STUDENT, disk),
    Probe("kernel", STUDENT, kernel),
    Probe("lab extensions", STUDENT, lab_extensions),
    Probe("server extensions", STUDENT, lambda: server_extensions(STUDENTS_SERVER)),
    Probe("shipped data", STUDENT, shipped_data),
    Probe("full CIFAR-10", STUDENT, full_cifar10),
    Probe("full CIFAR-100", STUDENT, full_cifar100),
    Probe("shipped models", STUDENT, shipped_models),
    Probe("hub models", STUDENT, hub_models),
    Probe("energy sensors", STUDENT, energy_sensors),
    Probe("native messages", STUDENT, native_messages),
    Probe("grading libraries", INSTRUCTOR, grader_libraries),
    Probe("formgrader", INSTRUCTOR, lambda: server_extensions(INSTRUCTORS_SERVER)),
    Probe("course", INSTRUCTOR, course_name),
    Probe("alembic", INSTRUCTOR, alembic),
    Probe("bubblewrap", INSTRUCTOR, bubblewrap),
    Probe("Chromium", MAINTAINER, browser),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `lab doctor` understands."""
    parser.epilog = (
        "Exit status: 0 where a student can work here, also if something is missing that only the "
        "instructor or a maintainer needs; 1 otherwise. Nothing is changed or downloaded."
    )
    parser.add_argument("--json", action="store_true", help="print the lines as JSON, for programs")


def run(options: argparse.Namespace) -> int:
    """Look at everything, show it, and return the exit status."""
    from rich.console import Console

    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # old consoles lack the signs
    lines = examine_all(probes_for(KIT), Console(stderr=True))
    ready = not missing(lines, STUDENT)
    if options.json:
        print(json.dumps({"ready": ready, "lines": [asdict(line) for line in lines]}, indent=1))
    else:
        wide = sys.stdout.isatty() or "COLUMNS" in os.environ
        console = Console(width=None if wide else 140)
        console.print(table(lines))
        console.print(verdict(lines))
    return 0 if ready else 1


def probes_for(kit: Path) -> list[Probe]:
    """Return the probes that concern a kit: the students' has no grading in it, and no tests.

    An installed package is a student's, too: those who grade or test have a clone.
    """
    whole = (kit / "utilities" / "grading").is_dir()
    return [probe for probe in PROBES if whole or probe.needed_by == STUDENT]


def examine_all(probes: Sequence[Probe], console: Any) -> list[Line]:
    """Return a line for each probe, showing on the console which one is at work."""
    lines = []
    with console.status("") if console.is_terminal else nullcontext() as status:
        for number, probe in enumerate(probes, start=1):
            if status is not None:
                status.update(f"{number} of {len(probes)}: {probe.name} …")
            lines.append(examine(probe))
    return lines


def examine(probe: Probe) -> Line:
    """Return the probe's line; whatever it trips over is the line."""
    try:
        finding = probe.look()
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())[:200]
        todo = REINSTALL if probe.needed_by == STUDENT else "make grader"
        finding = Finding(MISSING, f"could not be checked: {type(error).__name__}: {said}", todo)
    return Line(probe.name, probe.needed_by, *finding)


def missing(lines: Iterable[Line], *needed_by: str) -> list[str]:
    """Return the names of the lines that these people miss."""
    return [line.name for line in lines if line.state == MISSING and line.needed_by in needed_by]


def table(lines: Sequence[Line]) -> Table:
    """Return the screen, in sections by who needs what."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    screen = Table(title="Is this machine ready?", title_justify="left", box=box.SIMPLE_HEAD)
    screen.add_column("needed by")
    screen.add_column("state", no_wrap=True)
    screen.add_column("found", overflow="fold")
    screen.add_column("what to do", overflow="fold")
    for who in sorted({line.needed_by for line in lines}, key=list(WHO).index):
        screen.add_row(f"[bold]{WHO[who]}[/]")
        for line in (line for line in lines if line.needed_by == who):
            name, found, todo = f"  {line.name}", escape(line.found), escape(line.todo)
            screen.add_row(name, SIGNS[line.state], found, todo)
    return screen


def verdict(lines: Sequence[Line]) -> str:
    """Return the answer in a sentence or two."""
    lacking = missing(lines, STUDENT)
    others = missing(lines, INSTRUCTOR, MAINTAINER)
    parts = [
        f"[bold red]Not ready:[/] a student cannot work here without {', '.join(lacking)}."
        if lacking
        else "[bold green]Ready:[/] a student can work here."
    ]
    if others:
        parts.append(f"Missing only for the instructor or a maintainer: {', '.join(others)}.")
    return " ".join(parts)

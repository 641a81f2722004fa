"""`lab energy FILE…`: the energy reports of a class in one table."""

from __future__ import annotations

import argparse
import os
import sys

from rich.console import Console

from utilities.energy.report import EnergyReport
from utilities.energy.table import energy_table, notes_by_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a report that EnergyReport.save has written"
    )
    parser.add_argument("--epochs", action="store_true", help="one row per epoch as well")


def run(options: argparse.Namespace) -> int:
    """Table the reports; where a file is bad, name it and table nothing."""
    try:
        reports = [EnergyReport.load(file) for file in options.files]
    except ValueError as error:
        print(f"lab energy: {error}", file=sys.stderr)
        return 2
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=160)  # in a file or a pipe there is room
    console.print(energy_table(reports, options.epochs))
    for note, labels in notes_by_run(reports).items():
        console.print(f"{note} ({', '.join(labels)})", markup=False, highlight=False)
    return 0

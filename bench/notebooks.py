"""Row f: every solution notebook from start to end in the quick profile, as nbclient runs it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from nbclient import NotebookClient
from tqdm import tqdm

from bench.kernels import CELL_LIMIT, environment
from bench.measuring import Cost, Row, Settings, row
from tests.course import SOLUTIONS, read

WHOLE, START = "whole notebook", "its start and imports"


def measure(settings: Settings, notebooks: Sequence[Path] = SOLUTIONS) -> list[Row]:
    """Run each; a row says how many times as long it took as the imports at its top."""
    rows = []
    for path in notebooks:
        costs = {WHOLE: [], START: []}
        for _ in range(settings.repetitions or 1):
            whole, start = run(path)
            costs[WHOLE].append(whole)
            costs[START].append(start)
        title = f"{path.parent.name}/{path.stem}, quick profile"
        rows.append(row("f", title, "s", costs, WHOLE, START))
    return rows


def run(path: Path) -> tuple[Cost, Cost]:
    """Return the seconds of a whole notebook, and those until its imports had been run."""
    notebook = read(path)
    after: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=CELL_LIMIT,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        )
        with tqdm(total=len(notebook.cells), desc=path.stem, leave=False, disable=None) as bar:
            began = time.perf_counter()

            def note(cell, **_) -> None:
                times = psutil.Process(client.km.provisioner.pid).cpu_times()
                after[cell.id] = Cost(times.user + times.system, time.perf_counter() - began)
                bar.update(notebook.cells.index(cell) + 1 - bar.n)

            client.on_cell_executed = note
            client.execute(env=environment(), stderr=subprocess.DEVNULL)
    return list(after.values())[-1], after["imports"]

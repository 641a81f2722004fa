"""The machine: memory, disk, sensors of energy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utilities.commands.probes.finding import MISSING, OPTIONAL, READY, Finding
from utilities.kit import INSTALLED, KIT

if TYPE_CHECKING:
    from utilities.energy.report import ComponentRecord

GIB, MB = 2**30, 1e6
MIN_MEMORY, RECOMMENDED_MEMORY = 2.0, 4.0  # GiB; a training of the standard profile takes about 1.5
MIN_DISK, RECOMMENDED_DISK = 0.5, 3.0  # GiB; full sets and hub models take about 1.5


def memory(total: float | None = None, available: float | None = None) -> Finding:
    """Measure memory in GiB, no more than the container may have."""
    if total is None or available is None:
        total, available = _memory()
    text = f"{available:.1f} of {total:.1f} GiB free"
    if total < MIN_MEMORY:
        return Finding(MISSING, text, f"at least {MIN_MEMORY:.0f} GiB; give the container more")
    if available < MIN_MEMORY:
        return Finding(OPTIONAL, text, "close other notebooks and programs before you train")
    if total < RECOMMENDED_MEMORY:
        return Finding(OPTIONAL, text, "enough for one notebook at a time")
    return Finding(READY, text)


def disk(folder: Path | None = None, free: float | None = None) -> Finding:
    """Measure the free space (GiB) of the folder to work in, and whether it can be written there.

    It is the kit's, or the one that one is in where the kit is an installed package.
    """
    folder = folder or (Path.cwd() if INSTALLED else KIT)
    free = shutil.disk_usage(folder).free / GIB if free is None else free
    text = f"{free:.1f} GiB free in {folder}"
    if not os.access(folder, os.W_OK):
        return Finding(MISSING, f"{folder} cannot be written", "copy the kit to a folder of your own")
    if free < MIN_DISK:
        return Finding(MISSING, text, f"make room: {MIN_DISK} GiB for notebooks and checkpoints")
    if free < RECOMMENDED_DISK:
        return Finding(OPTIONAL, text, "enough for the core; full data and models need about 2 GiB")
    return Finding(READY, text)


def energy_sensors() -> Finding:
    """Find out what the energy of a training is read from."""
    from utilities.energy.components import find_components

    components, notes = find_components("all")
    records = [component.handler.record(component.name) for component in components]
    for component in components:
        component.handler.shutdown()
    return sensors(records, notes)


def sensors(records: Sequence[ComponentRecord], notes: Sequence[str] = ()) -> Finding:
    """Judge the sensors that were found."""
    from utilities.energy.report import MEASURED

    text = "; ".join(f"{r.name} {r.basis} ({r.sensor})" for r in records) or "; ".join(notes) or "none"
    if records and all(record.basis == MEASURED for record in records):
        return Finding(READY, text)
    todo = "not needed; where the processor has RAPL: sudo chmod -R a+r /sys/class/powercap"
    return Finding(OPTIONAL, text, todo)


def _memory() -> tuple[float, float]:
    """Return total and available memory in GiB; a container's limit counts."""
    import psutil

    machine = psutil.virtual_memory()
    total, available = machine.total / GIB, machine.available / GIB
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text()) / GIB
        used = int((group / "memory.current").read_text()) / GIB
    except (OSError, ValueError):  # no such group, or "max": no limit
        return total, available
    return min(total, limit), min(available, limit - used)

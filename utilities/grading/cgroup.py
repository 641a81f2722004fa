"""A control group (version 2) around each sandbox, where the system lets this user make one.

It counts what no sum over processes does, such as files in memory and the buffers of sockets.
Interface: the kernel's Documentation/admin-guide/cgroup-v2.rst.
"""

import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

ROOT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
NEEDED = {"memory", "pids"}
PREFIX = "lab-grade-"


def place(root: Path = ROOT, own: Path = OWN) -> Path | None:
    """Return the group below which groups with limits can be made: our own one's parent, or none.

    Not our own: a group that holds processes cannot hand controllers down.
    """
    with contextlib.suppress(OSError, StopIteration):
        line = next(line for line in own.read_text().splitlines() if line.startswith("0::"))
        parent = (root / line.removeprefix("0::").lstrip("/")).parent
        if parent != root and root not in parent.parents:
            return None
        controllers = set((parent / "cgroup.subtree_control").read_text().split())
        if controllers >= NEEDED and os.access(parent / "cgroup.procs", os.W_OK):
            return parent
    return None


def make(parent: Path | None, memory: int, processes: int) -> Path | None:
    """Make a group with limits and return its folder, or None where that cannot be done."""
    if parent is None:
        return None
    folder = parent / f"{PREFIX}{secrets.token_hex(8)}"
    try:
        folder.mkdir()
        (folder / "memory.max").write_text(str(memory))
        (folder / "pids.max").write_text(str(processes))
    except OSError:
        remove(folder)
        return None
    with contextlib.suppress(OSError):  # no swap, or an older kernel
        (folder / "memory.swap.max").write_text("0")
    return folder


def inside(folder: Path | None, command: Sequence[str]) -> list[str]:
    """Return a command that enters the group, then becomes the given one."""
    if folder is None:
        return list(command)
    enter = '{ echo $$ > "$0"/cgroup.procs; } 2>/dev/null; exec "$@"'
    return ["/bin/sh", "-c", enter, str(folder), *command]


def remove(folder: Path | None) -> None:
    """End what is left in a group and remove it."""
    if folder is not None:
        with contextlib.suppress(OSError):
            (folder / "cgroup.kill").write_text("1")
        with contextlib.suppress(OSError):
            folder.rmdir()


def sweep(parent: Path | None) -> None:
    """Remove the groups of graders that were killed: only empty ones can be removed."""
    for folder in [] if parent is None else parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            folder.rmdir()

"""Jupyter kernels as a student has them, with their costs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator

from jupyter_client.manager import KernelManager

from bench.measuring import Cost
from tests.course import ROOT

CELL_LIMIT = 600  # seconds until a cell counts as stuck


def environment() -> dict[str, str]:
    """Return the environment of a kernel: this kit, the quick profile, no model hub."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "LAB_PROFILE": "quick",
        "HF_HUB_OFFLINE": "1",
    }


@contextlib.contextmanager
def fresh_kernel(folder: str) -> Iterator[Callable[[str], Cost]]:
    """Start a kernel in a folder; yield a function that runs code in it and returns its seconds."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=environment(), cwd=folder, stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()

    def run(code: str) -> Cost:
        before, began = cpu_seconds(), time.perf_counter()
        execute(code)
        wall = time.perf_counter() - began
        return Cost(cpu_seconds() - before, wall)

    def cpu_seconds() -> float:
        # asked inside: from outside it is known to a hundredth of a second only
        answer = execute("", {"cpu": "__import__('time').process_time()"})["user_expressions"]["cpu"]
        return float(answer["data"]["text/plain"])

    def execute(code: str, expressions: dict[str, str] | None = None) -> dict:
        reply = client.execute_interactive(
            code,
            user_expressions=expressions,
            output_hook=lambda message: None,
            timeout=CELL_LIMIT,
            store_history=False,
        )["content"]
        if reply["status"] != "ok":
            raise RuntimeError(f"a cell failed: {reply['ename']}: {reply['evalue'][:300]}")
        return reply

    try:
        client.wait_for_ready(timeout=CELL_LIMIT)
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

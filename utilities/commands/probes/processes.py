"""Programs that a probe starts, and what they said."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from utilities.kit import CODE

TIMEOUT = 180  # seconds for TensorFlow or a kernel to start, on a slow disk


def run_quietly(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    paths = [str(CODE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def last_line(text: str) -> str:
    return next((line for line in reversed(text.strip().splitlines()) if line), "")[:200]

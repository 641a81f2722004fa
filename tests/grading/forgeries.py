"""What a forger sends home in place of observations, with what stands in the sandbox: NumPy alone.

`record` writes, on the instructor's side, what a right implementation shows in each case, all its
numbers made zero: the claims about layers, weights and gradients are the best there are, and nothing is
computed. Beside the notebook, `observe_case` sends it back.
"""

from functools import cache
from pathlib import Path

import numpy as np

RECORD = "forgeries.npz"


def record(folder: Path, exercises, seeds) -> None:
    """Write the forgeries for some exercises, {exercise: right implementation}, into a folder."""
    arrays = {}
    for exercise, implementation in exercises.items():
        for seed, thorough in seeds:
            cases = exercise.cases(seed, thorough)
            for case, seen in zip(cases, exercise.observe(implementation, cases), strict=True):
                for name, value in seen.values.items():
                    key = _key(exercise.kernel_side, case, name)
                    arrays[key] = np.zeros_like(value) if value.dtype.kind == "f" else value
    np.savez(folder / RECORD, **{str(i): value for i, value in enumerate(arrays.values())},
             names=np.array(list(arrays)))  # fmt: skip


def observe_case(observe, implementation, case):
    """Do what the kernel's function of this name does, without running any implementation."""
    from utilities.checks.kernel.case import Observation

    start = _key(observe.__module__, case, "")
    known = _recorded()
    return Observation({key.removeprefix(start): known[key] for key in known if key.startswith(start)})


@cache
def _recorded() -> dict[str, np.ndarray]:
    stored = np.load(RECORD)
    return {str(name): stored[str(i)] for i, name in enumerate(stored["names"])}


def _key(module: str, case, name: str) -> str:
    return f"{module}|{case.stage}|{case.describe()}|{name}"

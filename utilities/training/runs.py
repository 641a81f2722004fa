"""The trainings that the kit's texts quote, as `make runs` has kept them in `data/runs`."""

from __future__ import annotations

import base64
import json
import os
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utilities.kit import KIT

RUNS = KIT / "data" / "runs"
IN_FILES = str.maketrans({"×": "x", "÷": "by", "'": "", ",": ""})  # what a file's name has instead


@dataclass(frozen=True)
class Run:
    """One training: what was trained, how, where, and what came out.

    settings: of the training, by name; history: one number an epoch, as in Keras' `History`;
    processor_minutes: of all cores together, compiling and testing included; packed_hits: a bit for
    each test image, as `pack_hits` writes them. Older runs have neither these nor a top-5 accuracy.
    """

    lab: str
    name: str
    seed: int
    profile: str
    settings: dict[str, Any]
    parameters: int
    multiply_adds: int
    history: dict[str, list[float]]
    test_accuracy: float
    processor_minutes: float
    machine: str
    software: str
    ended: str
    top_5_accuracy: float | None = None
    packed_hits: str | None = None

    @property
    def hits(self) -> np.ndarray | None:
        """Which test images were right, (test_samples,) of True and False, where the run kept it."""
        if self.packed_hits is None:
            return None
        bits = np.frombuffer(base64.b64decode(self.packed_hits), np.uint8)
        return np.unpackbits(bits, count=self.settings["test_samples"]).astype(bool)

    def save(self, folder: Path = RUNS) -> Path:
        """Write the run as JSON; the file appears whole or not at all."""
        path = path_of(self.lab, self.profile, self.name, self.seed, folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        scratch.write_text(
            json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        os.replace(scratch, path)
        return path


def pack_hits(hits: np.ndarray) -> str:
    """Return True and False (n,) as text, eight of them in a byte, in base64."""
    return base64.b64encode(np.packbits(hits).tobytes()).decode("ascii")


def path_of(lab: str, profile: str, name: str, seed: int, folder: Path = RUNS) -> Path:
    """Return the file of one run; a profile other than the standard one is part of its name."""
    plain = "-".join(name.translate(IN_FILES).split())
    stem = plain if profile == "standard" else f"{profile}-{plain}"
    return folder / lab / f"{stem}-seed{seed}.json"


def load_runs(
    lab: str = "vision_transformer", profile: str = "standard", folder: Path = RUNS
) -> dict[str, list[Run]]:
    """Return the kept runs of a lab in a profile: name → one run for each seed, by seed."""
    found: dict[str, list[Run]] = defaultdict(list)
    for path in sorted((folder / lab).glob("*.json")):
        run = Run(**json.loads(path.read_text(encoding="utf-8")))
        if run.profile == profile:
            found[run.name].append(run)
    return {name: sorted(runs, key=lambda run: run.seed) for name, runs in found.items()}


def mean_and_spread(values: list[float]) -> tuple[float, float]:
    """Return the mean and the sample standard deviation, which is 0 for a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

"""Run the trainings that the core lab's texts quote, and keep them: `make runs`.

The solution's own cells are executed, in the standard profile, with three seeds. Each run becomes a
file in data/runs as soon as it ends; what is there already is not run again, so the command can be
stopped and started at any time. It takes hours.
"""

# ruff: noqa: I001 (utilities first: it settles how TensorFlow starts)
from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from utilities.training.runs import Run, path_of

LAB = "vision_transformer"
SEEDS = (42, 43, 44)
CELLS = {  # run: its cell, and what the cell calls the model and the history
    "CNN": ("cnn", "cnn", "cnn_history"),
    "first ViT": ("first-training", "first_vit", "first_history"),
    "small ViT": ("training", "vit", "vit_history"),
    "wide CNN": ("wide-cnn", "wide_cnn", "wide_cnn_history"),
}
ABLATION = ("ablation", "changed_vit", "changed_history")


def main() -> None:
    """Run what is missing, seed by seed."""
    parser = argparse.ArgumentParser(prog="make runs", description=__doc__)
    parser.add_argument("--profile", default="standard", help="quick, standard or full")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--threads", type=int, default=0, help="of TensorFlow; 0: its own choice")
    options = parser.parse_args()
    os.environ["LAB_PROFILE"] = options.profile
    _set_threads(options.threads)
    os.chdir(tempfile.mkdtemp())  # for checkpoints
    names = _notebook()
    for seed in options.seeds:
        for name in [*CELLS, *names["changes"]]:
            path = path_of(LAB, options.profile, name, seed)
            if not path.exists():
                print(f"--- {name}, seed {seed}", flush=True)
                print(_train(names, name, seed).save(), flush=True)


def _set_threads(threads: int) -> None:
    import tensorflow as tf

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        # With a single one the pipeline of the data can wait for the model, and the model for it.
        tf.config.threading.set_inter_op_parallelism_threads(threads + 1)


def _notebook() -> dict[str, Any]:
    """Return the names that the solution's exercises and its data cells define."""
    from tests.course import ROOT, read, run_exercises

    notebook = read(ROOT / "solutions" / LAB / f"{LAB}.ipynb")
    names = run_exercises(notebook)
    names["sources"] = {cell.id: cell.source for cell in notebook.cells}
    for cell in ("load-data", "standardise", "place", "changes"):
        exec(names["sources"][cell], names)
    return names


def _train(names: dict[str, Any], name: str, seed: int) -> Run:
    """Execute the cell of one run and return what came out."""
    import tensorflow as tf
    import tf_keras

    from utilities.models.operations import multiply_adds
    from utilities.training.testing import accuracy_of

    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)
    cell, model_name, history_name = CELLS.get(name, ABLATION)
    if name not in CELLS:
        names["change"] = name
    began = time.process_time()
    exec(names["sources"][cell], names)
    minutes = (time.process_time() - began) / 60
    model, profile = names[model_name], names["profile"]
    return Run(
        lab=LAB,
        name=name,
        seed=seed,
        profile=profile.name,
        settings=dict(_settings(names, name)),
        parameters=model.count_params(),
        multiply_adds=multiply_adds(model, names["test_data"][0][:1]),
        history={
            key: [round(v, 5) for v in values] for key, values in names[history_name].history.items()
        },
        test_accuracy=round(accuracy_of(model, names["test_data"]), 5),
        processor_minutes=round(minutes, 2),
        machine=f"{_processor()}, {os.cpu_count()} cores",
        software=f"TensorFlow {tf.__version__}, Python {platform.python_version()}",
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _settings(names: dict[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    profile = names["profile"]
    for part in ("training", "validation", "test"):
        yield f"{part}_samples", getattr(profile, f"{part}_samples")
    if name in CELLS:
        yield from asdict(profile.first_training if name == "first ViT" else profile.training).items()
    else:
        yield from asdict(names["changes"][name]).items()


def _processor() -> str:
    """Return the processor's name, of Linux' list or as Python knows it."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.is_file() else []
    named = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


if __name__ == "__main__":
    main()

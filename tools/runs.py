"""Run the trainings that the labs' texts and figures quote, and keep them: `make runs`.

The solutions' own cells are executed, in the standard profile, with three seeds. Each run becomes a
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
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from utilities.training.runs import Run, pack_hits, path_of

CORE = "vision_transformer"
SEEDS = (42, 43, 44)
CELLS = {  # run of the core: its cell, and what the cell calls the model and the history
    "CNN": ("cnn", "cnn", "cnn_history"),
    "first ViT": ("first-training", "first_vit", "first_history"),
    "small ViT": ("training", "vit", "vit_history"),
    "wide CNN": ("wide-cnn", "wide_cnn", "wide_cnn_history"),
}
ABLATION = ("ablation", "changed_vit", "changed_history")
WHOLE = "\0"  # is in no cell

Names = dict[str, Any]  # what a notebook's cells have defined


@dataclass(frozen=True)
class Lab:
    """How the trainings of a lab are made from its solution's cells.

    cells: what is executed once, behind imports and exercises, each cell up to a text in it, such as
    the line that begins to train. The rest is asked of what the cells have defined: `runs` for the
    names of the trainings, `train` for the model and the history of one with a seed, `settings` for
    how it was trained, `test_data` for images and labels.
    """

    cells: dict[str, str]
    runs: Callable[[Names], Iterable[str]]
    train: Callable[[Names, str, int], tuple[Any, dict[str, list[float]]]]
    settings: Callable[[Names, str], dict[str, Any]]
    test_data: Callable[[Names], tuple[Any, Any]]


def main() -> None:
    """Run what is missing, lab by lab and seed by seed."""
    parser = argparse.ArgumentParser(prog="make runs", description=__doc__)
    parser.add_argument("--lab", choices=LABS, nargs="+", default=list(LABS), help="all by default")
    parser.add_argument("--runs", nargs="+", help="names of trainings; all by default")
    parser.add_argument("--profile", default="standard", help="quick, standard or full")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--threads", type=int, default=0, help="of TensorFlow; 0: its own choice")
    options = parser.parse_args()
    os.environ["LAB_PROFILE"] = options.profile
    _set_threads(options.threads)
    os.chdir(tempfile.mkdtemp())  # for checkpoints
    for lab in options.lab:
        names = notebook(lab)
        if lab != CORE and names["num_classes"] != 100:
            raise SystemExit("CIFAR-100 is not here: `lab data cifar100` brings it.")
        for seed in options.seeds:
            for name in options.runs or LABS[lab].runs(names):
                path = path_of(lab, options.profile, name, seed)
                if not path.exists():
                    print(f"--- {lab}: {name}, seed {seed}", flush=True)
                    print(train(lab, names, name, seed).save(), flush=True)


def _set_threads(threads: int) -> None:
    import tensorflow as tf

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        # With a single one the pipeline of the data can wait for the model, and the model for it.
        tf.config.threading.set_inter_op_parallelism_threads(threads + 1)


def notebook(lab: str) -> Names:
    """Return the names that the solution's exercises and its lab's cells define."""
    from tests.course import ROOT, read, run_exercises

    solution = read(ROOT / "solutions" / lab / f"{lab}.ipynb")
    names = run_exercises(solution)
    names["sources"] = {cell.id: cell.source for cell in solution.cells}
    for cell, until in LABS[lab].cells.items():
        exec(names["sources"][cell].split(until)[0], names)
    return names


def train(lab: str, names: Names, name: str, seed: int) -> Run:
    """Train one model as its lab does, test it, and return what came out."""
    import tf_keras

    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)
    began = time.process_time()
    model, history = LABS[lab].train(names, name, seed)
    return record(lab, names, name, seed, model, history, time.process_time() - began)


def record(
    lab: str, names: Names, name: str, seed: int, model: Any, history: dict, seconds: float
) -> Run:
    """Test a model that was trained for so many seconds of processor time; return what came out."""
    import tensorflow as tf

    from utilities.models.operations import multiply_adds
    from utilities.training.testing import hits_of

    test_data, profile = LABS[lab].test_data(names), names["profile"]
    hits = hits_of(model, test_data)
    samples = {
        f"{part}_samples": getattr(profile, f"{part}_samples") for part in ("training", "validation")
    }
    return Run(
        lab=lab,
        name=name,
        seed=seed,
        profile=profile.name,
        settings={
            **samples,
            "test_samples": len(test_data[0]),
            **LABS[lab].settings(names, name),
        },
        parameters=model.count_params(),
        multiply_adds=multiply_adds(model, test_data[0][:1]),
        history={key: [round(v, 5) for v in values] for key, values in history.items()},
        test_accuracy=round(float(hits["top-1"].mean()), 5),
        processor_minutes=round(seconds / 60, 2),
        machine=f"{_processor()}, {os.cpu_count()} cores",
        software=f"TensorFlow {tf.__version__}, Python {platform.python_version()}",
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        top_5_accuracy=round(float(hits["top-5"].mean()), 5),
        packed_hits=pack_hits(hits["top-1"]),
    )


def _processor() -> str:
    """Return the processor's name and widest vectors, of Linux' list, or as Python knows it.

    Two machines may give the same name and differ in the vectors, and so by a factor in time.
    """
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.is_file() else []
    said = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    flags = said.get("flags", "").split()
    vectors = [name for name, flag in (("AVX-512", "avx512f"), ("AVX2", "avx2")) if flag in flags]
    return ", ".join([said.get("model name", platform.processor()).strip(), *vectors[:1]])


def _train_core(names: Names, name: str, seed: int) -> tuple[Any, dict[str, list[float]]]:
    """Execute the cell of a run; the seed is set already."""
    cell, model, history = CELLS.get(name, ABLATION)
    if name not in CELLS:
        names["change"] = name
    exec(names["sources"][cell], names)
    return names[model], names[history].history


def _core_settings(names: Names, name: str) -> dict[str, Any]:
    profile = names["profile"]
    if name not in CELLS:
        return asdict(names["changes"][name])
    return asdict(profile.first_training if name == "first ViT" else profile.training)


def _trained_in(
    names: Names, function: str, *arguments: Any, **settings: Any
) -> tuple[Any, dict[str, list[float]]]:
    """Call a function of the notebook; return the model that it gave to `train`, and its history."""
    trained: list[tuple[Any, dict[str, list[float]]]] = []
    train = names["train"]

    def noted(model: Any, *args: Any, **kwargs: Any) -> Any:
        history = train(model, *args, **kwargs)
        trained.append((model, history.history))
        return history

    with patch.dict(names, train=noted):
        names[function](*arguments, **settings)
    return trained[-1]


def _train_small_datasets(names: Names, name: str, seed: int) -> tuple[Any, dict[str, list[float]]]:
    return _trained_in(names, "run_with", seed, name, **(names["VARIANTS"] | names["SWITCHES"])[name])


def _small_datasets_settings(names: Names, name: str) -> dict[str, Any]:
    """Return how a run is trained, and what it has that the plain one has not, functions by name."""
    own = dict((names["VARIANTS"] | names["SWITCHES"])[name])
    training = asdict(own.pop("training", names["profile"].training))
    return training | {key: getattr(value, "__name__", value) for key, value in own.items()}


LABS = {
    CORE: Lab(
        cells=dict.fromkeys(("load-data", "standardise", "place", "changes"), WHOLE),
        runs=lambda names: [*CELLS, *names["changes"]],
        train=_train_core,
        settings=_core_settings,
        test_data=lambda names: names["test_data"],
    ),
    "small_datasets": Lab(
        cells={
            "load-data": WHOLE,
            "token-fields": "\n\n\ndef token_field",
            "variants": WHOLE,
            "training": "\n\n\nrun(",
            "switches": "\nparameters = ",
        },
        runs=lambda names: names["VARIANTS"] | names["SWITCHES"],
        train=_train_small_datasets,
        settings=_small_datasets_settings,
        test_data=lambda names: names["test_data"],
    ),
    "attention_variants": Lab(
        cells={"data": WHOLE, "variants": "\npublished = ", "training": "\n\n\nruns = {}"},
        runs=lambda names: names["profile"].variants or names["variants"],
        train=lambda names, name, seed: _trained_in(names, "run", name, seed),
        settings=lambda names, name: asdict(names["profile"].training),
        test_data=lambda names: (names["x_test"], names["y_test"]),
    ),
}


if __name__ == "__main__":
    main()

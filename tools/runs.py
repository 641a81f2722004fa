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
# Runs that have a cell of their own: that cell, and what it calls the model and the history.
CELLS = {
    "CNN": ("cnn", "cnn", "cnn_history"),
    "first ViT": ("first-training", "first_vit", "first_history"),
    "small ViT": ("training", "vit", "vit_history"),
    "wide CNN": ("wide-cnn", "wide_cnn", "wide_cnn_history"),
}
ABLATION = ("ablation", "changed_vit", "changed_history")
TRANSFER = {
    "fine-tuning": ("fine-tuning", "fine_tuned", "fine_tuned_history"),
    "ViT from scratch": ("scratch", "scratch", "scratch_history"),
}
WHOLE = "\0"  # is in no cell

Names = dict[str, Any]  # what a notebook's cells have defined


@dataclass(frozen=True)
class Lab:
    """How the trainings of a lab are made from its solution's cells.

    cells: what is executed once, behind imports and exercises, each cell up to a text in it, such as
    the line that begins to train. The rest is asked of what the cells have defined: `runs` for the
    names of the trainings, `train` for the model and the history of one with a seed, `settings` for
    how it was trained, `test_data` for images and labels. cifar100: whether these are CIFAR-100's.
    """

    cells: dict[str, str]
    runs: Callable[[Names], Iterable[str]]
    train: Callable[[Names, str, int], tuple[Any, dict[str, list[float]]]]
    settings: Callable[[Names, str], dict[str, Any]]
    test_data: Callable[[Names], tuple[Any, Any]]
    cifar100: bool = True


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
        if LABS[lab].cifar100 and names["num_classes"] != 100:
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

    (path,) = ROOT.glob(f"solutions/*/{lab}.ipynb")
    solution = read(path)
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


def _train_cell(
    names: Names, cell: str, model: str, history: str
) -> tuple[Any, dict[str, list[float]]]:
    """Execute the cell of a run; the seed is set already."""
    exec(names["sources"][cell], names)
    return names[model], names[history].history


def _train_core(names: Names, name: str, seed: int) -> tuple[Any, dict[str, list[float]]]:
    if name not in CELLS:
        names["change"] = name
    return _train_cell(names, *CELLS.get(name, ABLATION))


def _core_settings(names: Names, name: str) -> dict[str, Any]:
    profile = names["profile"]
    if name not in CELLS:
        return asdict(names["changes"][name])
    return asdict(profile.first_training if name == "first ViT" else profile.training)


def _transfer_settings(names: Names, name: str) -> dict[str, Any]:
    images = {
        "training_samples": names["samples"],
        "validation_samples": len(names["validation_data"][0]),
    }
    return images | asdict(names["gentle"] if name == "fine-tuning" else names["profile"].training)


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


def _inductive_bias_runs(names: Names) -> list[str]:
    """Return the lab's runs, the teacher just before its student."""
    fractions = [f"{fraction:.0%}" for fraction in names["profile"].fractions]
    parts = [f"{model}, {part}" for part in fractions for model in ("ViT", "ResNet")]
    parts.remove("ViT, 100%")  # is the run with 2-D positions
    without = [
        f"{model}, {fractions[len(fractions) // 2 - 1]}, no augmentation" for model in ("ViT", "ResNet")
    ]
    positions = [f"positions: {kind}" for kind in ("none", "1-D", "2-D", "relative")]
    return ["ViT", "ResNet", "distilled ViT", *positions, *parts, *without]


def _train_inductive_bias(names: Names, name: str, seed: int) -> tuple[Any, dict[str, list[float]]]:
    """Train a run with the lab's functions, as the cells of its section 5 and 6 call them."""
    profile = names["profile"]
    data, num_images, training = (names["x_train"], names["y_train"]), None, profile.brief_training
    kind, *more = name.replace(": ", ", ").split(", ")
    if kind == "positions":
        model = names["build_vit"](more[0], names["augmentation"])
    elif more:
        model = names["BUILDERS"][kind](names["augmentation" if len(more) == 1 else "preprocessing"])
        num_images, data = names["part_of_training"](float(more[0].rstrip("%")) / 100)
    else:
        training = profile.training
        model = _main_model(names, name, seed)
    history = names["run"](name, model, data, training, num_images)
    names["trained_with"] = asdict(training) | {"images": num_images or len(data[0])}
    if name == "ResNet":
        names["teacher"] = seed, model.get_weights()
    return model, history.history


def _main_model(names: Names, name: str, seed: int) -> Any:
    """Return the untrained model of a main run; the student's teacher is trained, or still there."""
    if name == "ResNet":
        return names["build_resnet"](names["augmentation"])
    if name == "ViT":
        return names["build_vit"](names["profile"].positions, names["augmentation"])
    if names.get("teacher", (None,))[0] != seed:
        _train_inductive_bias(names, "ResNet", seed)
    return names["taught_vit"](names["teacher"][1], seed)


LABS = {
    CORE: Lab(
        cells=dict.fromkeys(("load-data", "standardise", "place", "changes"), WHOLE),
        runs=lambda names: [*CELLS, *names["changes"]],
        train=_train_core,
        settings=_core_settings,
        test_data=lambda names: names["test_data"],
        cifar100=False,
    ),
    "pretrained_models": Lab(
        cells={
            "data": WHOLE,
            "scratch": "\n\n\nscratch = ",
            "fine-tuning": "\nfine_tuned = ",
        },
        runs=lambda names: TRANSFER,
        train=lambda names, name, seed: _train_cell(names, *TRANSFER[name]),
        settings=_transfer_settings,
        test_data=lambda names: names["test_data"],
        cifar100=False,
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
    "inductive_bias": Lab(
        cells={
            "load-data": WHOLE,
            "augmentation": WHOLE,
            "patch-tokens": WHOLE,
            "maps-before": "\n\n\nsize, (rows",
            "build-vit": "\n\n\nfor positions",
            "counts": "\n\n\npublished = ",
            "run": WHOLE,
            "sample-efficiency": "\n\n\ncurves = ",  # the builders, and a part of the images
            "distillation": "\n\n\ndistilled_history = ",
        },
        runs=_inductive_bias_runs,
        train=_train_inductive_bias,
        settings=lambda names, name: names["trained_with"],
        test_data=lambda names: names["test_data"],
    ),
}


if __name__ == "__main__":
    main()

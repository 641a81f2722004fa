"""Run an extension lab's solution in any profile, from first to last cell, on a handful of images.

    python -m tests.notebooks.cut full inductive_bias

builds the models of the profile's sizes and makes a step or two with each: whether a profile crashes
shows without a GPU. With the published sizes that takes minutes of processor time and some gigabytes,
which is why no test does it; `test_profiles.py` builds the models alone.
"""

import dataclasses
import sys
import time
from typing import Any

import matplotlib

from tests.course import SOLUTIONS, read
from utilities.training.profiles import LABS, Training

SAMPLES = {"training_samples": 8, "validation_samples": 6, "test_samples": 6}
COST = {"lengths": (64, 128, 192), "long_lengths": (256,), "repetitions": 1}


def cut(profile: Any) -> Any:
    """Return a profile of the same sizes and settings that trains for a step or two."""
    fields = {field.name for field in dataclasses.fields(profile)}
    trainings = {
        name: dataclasses.replace(value, epochs=1, batch_size=4)
        for name, value in vars(profile).items()
        if isinstance(value, Training)
    }
    few = {"attempt_steps": 2, "seeds": (42,), "fractions": (0.5, 1.0), **SAMPLES, **COST, **trainings}
    return dataclasses.replace(profile, **{name: few[name] for name in few.keys() & fields})


def first_of_each(images: Any, labels: Any, fraction: float, rng: Any) -> tuple[Any, Any]:
    """Stand in for a stratified subset, which has one image of each class at least."""
    count = min(8, max(2, round(fraction * len(images))))
    return images[:count], labels[:count]


def run(stem: str, profile: str) -> None:
    """Run the cells, and print what each took."""
    LABS[stem]["standard"] = cut(LABS[stem][profile])  # what a notebook gets that asks for none
    names: dict[str, Any] = {"display": print}
    for cell in read(next(path for path in SOLUTIONS if path.stem == stem)).cells:
        if cell.cell_type != "code" or cell.id.startswith("check-"):
            continue
        began = time.process_time()
        exec(compile(cell.source, cell.id, "exec"), names)
        if "stratified_subset" in names:
            names["stratified_subset"] = first_of_each
        print(f"{cell.id}: {time.process_time() - began:.1f} s", flush=True)


if __name__ == "__main__":
    matplotlib.use("Agg")
    run(sys.argv[2], sys.argv[1])

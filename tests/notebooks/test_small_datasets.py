"""The solution of the lab on small data sets: sizes as published, every check passed."""

import re

import numpy as np
import pytest

from tests.course import SOLUTIONS, graded, questions, read, run_exercises
from utilities import KERAS_VIT, count_parameters, resize_and_augment

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def lab():
    return read(next(path for path in SOLUTIONS if path.stem == "small_datasets"))


@pytest.fixture(scope="module")
def names(lab):
    """What the exercise cells and the cells that build the models define, without any data."""
    names = run_exercises(lab)
    names |= {"training_data": (IMAGES, None), "num_classes": 100}
    sources = {cell.id: cell.source for cell in lab.cells}
    exec(sources["token-fields"].split("\n\n\ndef token_field")[0], names)
    exec(sources["variants"], names)
    return names


@pytest.mark.parametrize(
    "variant, parameters",
    [
        ("plain", 21_759_019),
        ("shifted patches", 21_759_019 + 2 * 540 + (540 - 108) * 64),
        ("locality attention", 21_759_019 + 8),
        ("both", 21_787_755),
    ],
)
def test_has_exactly_the_parameters_of_the_published_size(names, variant, parameters):
    shifted, locality = names["VARIANTS"][variant]
    settings = {"size": KERAS_VIT, "shifted": shifted, "locality": locality}
    augmentation = resize_and_augment(KERAS_VIT.image_size, IMAGES)
    counted = count_parameters(names["create_vit"], augmentation=augmentation, **settings)
    assert counted == parameters


def test_the_published_counts_stand_on_the_page(lab):
    text = "\n".join(cell.source for cell in lab.cells)
    assert "21,759,019" in text and "21.79 million" in text


@pytest.mark.parametrize("seed, thorough", [(42, False), (1009, True), (7919, True)])
def test_passes_every_check(lab, names, seed, thorough):
    for cell in graded(lab):
        call = re.search(r"test_(\w+)\((\w+), points", cell.source)
        report = names[f"test_{call[1]}"].report(names[call[2]], seed, thorough)
        assert report.passed, str(report)


def test_has_five_questions_and_fifty_points(lab):
    points = [cell.metadata.nbgrader.points for cell in graded(lab) + questions(lab)]
    assert sum(points) == 50 and len(questions(lab)) == 5

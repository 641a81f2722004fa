"""The models of the solutions have exactly the published numbers of parameters."""

import numpy as np
import pytest
import tf_keras

from tests.course import SOLUTIONS, read, run_exercises
from utilities import (
    FIRST_VIT,
    KERAS_VIT,
    LARGE_VIT,
    WIDE_VIT,
    count_parameters,
    load_profile,
    resize_and_augment,
    small_resnet,
    vit_arguments,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)


class Notebook:
    """A solution notebook, and what its exercise cells and the named further cells define."""

    def __init__(self, stem: str):
        cells = read(next(path for path in SOLUTIONS if path.stem == stem))
        self.names = run_exercises(cells)
        self.sources = {cell.id: cell.source for cell in cells.cells}

    def run(self, cell: str, until: str = "\0") -> None:
        """Run a cell up to a text in it, such as the line that begins to train."""
        exec(self.sources[cell].split(until)[0], self.names)


@pytest.fixture(scope="module")
def core():
    return Notebook("vision_transformer").names["create_vit_classifier"]


@pytest.fixture(scope="module")
def variants():
    lab = Notebook("attention_variants")
    lab.run("variants", until="\npublished = ")
    return lab.names


@pytest.fixture(scope="module")
def small():
    lab = Notebook("small_datasets")
    lab.names |= {"training_data": (IMAGES, None), "num_classes": 100}
    lab.run("token-fields", until="\n\n\ndef token_field")
    lab.run("variants")
    return lab


@pytest.fixture(scope="module")
def bias():
    lab = Notebook("inductive_bias")
    lab.names["num_classes"] = 100
    lab.names["grid_of"] = lambda size: (size.image_size // size.patch_size,) * 2
    for cell in ("patch-tokens", "build-vit"):
        lab.run(cell, until="\n\n\nfor ")
    return lab.names


@pytest.mark.parametrize("size, parameters", [(LARGE_VIT, 371_104_544), (FIRST_VIT, 17_207_306)])
def test_core(core, size, parameters):
    assert count_parameters(core, **vit_arguments(size)) == parameters


def test_counting_without_memory_agrees_with_counting(core):
    arguments = vit_arguments(FIRST_VIT)
    assert core(**arguments).count_params() == count_parameters(core, **arguments)


@pytest.mark.parametrize(
    "variant, parameters",
    [
        ("Keras' layer", 21_759_019),
        ("standard", 21_759_019),
        ("standard, Keras' start", 21_759_019),
        ("cosine, learned temperature", 21_759_019 + 8 * 4),
        ("cosine, no softmax", 21_327_915),
        ("the report's layer", 21_327_915),
        ("linear attention", 21_759_019),
    ],
)
def test_attention_variants(variants, variant, parameters):
    counted = count_parameters(
        variants["create_attention_vit"],
        input_shape=(32, 32, 3),
        num_classes=100,
        size=KERAS_VIT,
        make_attention=variants["variants_of"](4, 64, 64)[variant],
        data_augmentation=resize_and_augment(72, IMAGES),
    )
    assert counted == parameters


@pytest.mark.parametrize(
    "variant, parameters",
    [
        ("plain", 21_759_019),
        ("normalised patches", 21_759_019 + 2 * 108),
        ("shifted patches", 21_759_019 + 2 * 540 + (540 - 108) * 64),
        ("locality attention", 21_759_019 + 8),
        ("both", 21_787_755),
    ],
)
def test_small_datasets(small, variant, parameters):
    counted = count_parameters(
        small.names["create_vit"],
        augmentation=resize_and_augment(KERAS_VIT.image_size, IMAGES),
        size=KERAS_VIT,
        **small.names["VARIANTS"][variant],
    )
    assert counted == parameters


def test_the_published_counts_of_small_datasets_stand_on_the_page(small):
    text = "\n".join(small.sources.values())
    assert "21,759,019" in text and "21.79 million" in text


def test_inductive_bias(bias):
    vit = count_parameters(
        bias["build_vit"],
        positions="1-D",
        augmentation=resize_and_augment(72, IMAGES),
        size=WIDE_VIT,
        key_dim=128,
    )
    resnet = count_parameters(
        bias["create_resnet_classifier"],
        input_shape=(72, 72, 3),
        num_classes=100,
        make_backbone=tf_keras.applications.ResNet101V2,
    )
    assert (vit, resnet) == (45_923_307, 44_303_460)


def test_the_small_models_of_inductive_bias_are_of_equal_size(bias):
    profile = load_profile("standard", lab="inductive_bias")
    vit = count_parameters(
        bias["build_vit"],
        positions="2-D",
        augmentation=None,
        size=profile.size,
        key_dim=profile.key_dim,
    )
    resnet = count_parameters(
        bias["create_resnet_classifier"],
        input_shape=(32, 32, 3),
        num_classes=100,
        make_backbone=small_resnet,
        head_units=profile.resnet_head_units,
    )
    assert (vit, resnet) == (674_980, 695_652)

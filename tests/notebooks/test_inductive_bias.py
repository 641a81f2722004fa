"""The lab on inductive bias: its models have the published sizes, and its parts do what it says."""

import re

import numpy as np
import pytest
import tf_keras

from tests.course import SOLUTIONS, exercises, graded, questions, read, run_exercises
from utilities import (
    WIDE_VIT,
    count_parameters,
    load_profile,
    resize_and_augment,
    small_resnet,
    stratified_subset,
)

GIVEN = ("patch-tokens", "build-vit")


@pytest.fixture(scope="module")
def notebook():
    return read(next(path for path in SOLUTIONS if path.stem == "inductive_bias"))


@pytest.fixture(scope="module")
def names(notebook):
    """The solution's functions, and what the notebook gives beside them."""
    names = run_exercises(notebook)
    names["num_classes"] = 100
    names["grid_of"] = lambda size: (size.image_size // size.patch_size,) * 2
    for cell in notebook.cells:
        if cell.id in GIVEN:
            exec(cell.source.split("\n\n\nfor ")[0], names)
    return names


def test_has_fifty_points_of_which_thirty_are_automatic(notebook):
    automatic = [cell.metadata.nbgrader.points for cell in graded(notebook)]
    written = [cell.metadata.nbgrader.points for cell in questions(notebook)]
    assert (sum(automatic), sum(written)) == (30, 20)
    assert len(exercises(notebook)) == 4


def test_the_vit_has_exactly_the_published_parameters(names):
    images = np.zeros((4, 32, 32, 3), np.uint8)
    parameters = count_parameters(
        names["build_vit"],
        positions="1-D",
        augmentation=resize_and_augment(72, images),
        size=WIDE_VIT,
        key_dim=128,
        num_classes=100,
    )
    assert parameters == 45_923_307


def test_the_resnet_has_exactly_the_published_parameters(names):
    parameters = count_parameters(
        names["create_resnet_classifier"],
        input_shape=(72, 72, 3),
        num_classes=100,
        make_backbone=tf_keras.applications.ResNet101V2,
    )
    assert parameters == 44_303_460


def test_the_small_models_are_of_equal_size(names):
    profile = load_profile("standard", lab="inductive_bias")
    vit = count_parameters(
        names["build_vit"],
        positions="2-D",
        augmentation=None,
        size=profile.size,
        key_dim=profile.key_dim,
    )
    resnet = count_parameters(
        names["create_resnet_classifier"],
        input_shape=(32, 32, 3),
        num_classes=100,
        make_backbone=small_resnet,
        head_units=profile.resnet_head_units,
    )
    assert (vit, resnet) == (674_980, 695_652)


def test_the_small_resnet_is_called_like_keras_own():
    backbone = small_resnet(include_top=False, weights=None, input_shape=(32, 32, 3))
    assert backbone.output_shape == (None, 4, 4, 384)
    assert backbone.count_params() == 633_472
    with pytest.raises(ValueError, match="include_top=False, weights=None"):
        small_resnet(include_top=True)
    with pytest.raises(ValueError, match="include_top=False, weights=None"):
        small_resnet(weights="imagenet")


def test_a_stratified_subset_keeps_the_shares_and_the_pairs():
    labels = np.repeat([0, 1, 2], [40, 20, 5])[:, None]
    images = np.arange(65)
    part, of_part = stratified_subset(images, labels, 0.2, np.random.default_rng(0))
    assert np.bincount(np.ravel(of_part)).tolist() == [8, 4, 1]
    assert len(set(part)) == 13 and np.array_equal(labels[part], of_part)
    again, _ = stratified_subset(images, labels, 0.2, np.random.default_rng(0))
    other, _ = stratified_subset(images, labels, 0.2, np.random.default_rng(1))
    assert np.array_equal(part, again) and not np.array_equal(part, other)


def test_a_stratified_subset_leaves_no_class_out_and_can_be_everything():
    labels = np.repeat([0, 7], [90, 10])
    _, of_part = stratified_subset(labels, labels, 0.01, np.random.default_rng(0))
    assert sorted(of_part) == [0, 7]
    everything, _ = stratified_subset(np.arange(100), labels, 1.0, np.random.default_rng(0))
    assert np.array_equal(everything, np.arange(100))


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.5])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match="fraction"):
        stratified_subset(np.arange(4), np.arange(4), fraction, np.random.default_rng(0))


def test_images_without_labels_are_refused():
    with pytest.raises(ValueError, match="4 images and 3 labels"):
        stratified_subset(np.arange(4), np.arange(3), 0.5, np.random.default_rng(0))


@pytest.mark.parametrize("seed, thorough", [(42, False), (1009, True), (7919, True)])
def test_the_solution_passes_every_check(notebook, names, seed, thorough):
    for cell in graded(notebook):
        call = re.search(r"test_(\w+)\((\w+), points", cell.source)
        report = names[f"test_{call[1]}"].report(names[call[2]], seed, thorough)
        assert report.passed, str(report)

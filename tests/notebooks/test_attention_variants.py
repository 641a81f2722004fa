"""The solution of the lab on attention variants: every check, and the published sizes."""

import re

import numpy as np
import pytest

from tests.course import SOLUTIONS, exercises, graded, questions, read, run_exercises
from utilities import KERAS_VIT, count_parameters, load_profile, resize_and_augment


@pytest.fixture(scope="module")
def lab():
    return read(next(path for path in SOLUTIONS if path.stem == "attention_variants"))


@pytest.fixture(scope="module")
def names(lab):
    return run_exercises(lab)


def test_has_all_exercises_and_fifty_points(lab):
    assert [cell.metadata.nbgrader.grade_id for cell in exercises(lab)] == [
        "dot_product_attention",
        "cosine_attention",
        "linear_attention",
        "orthonormal",
        "attention_vit",
    ]
    automatic, written = (
        sum(cell.metadata.nbgrader.points for cell in cells) for cells in (graded(lab), questions(lab))
    )
    assert (automatic, written) == (30, 20)


@pytest.mark.parametrize("seed, thorough", [(42, False), (1009, True)])
def test_passes_every_check(lab, names, seed, thorough):
    for cell in graded(lab):
        call = re.search(r"test_(\w+)\((\w+), points", cell.source)
        report = names[f"test_{call[1]}"].report(names[call[2]], seed, thorough)
        assert report.passed, str(report)


@pytest.mark.parametrize(
    "variant, parameters",
    [
        ("Keras' layer", 21_759_019),
        ("standard", 21_759_019),
        ("cosine, no softmax", 21_327_915),
        ("linear attention", 21_759_019),
    ],
)
def test_has_exactly_the_published_parameters(lab, names, variant, parameters):
    cell = next(cell for cell in lab.cells if cell.id == "variants")
    exec(cell.source.split("\npublished = ")[0], names)
    count = count_parameters(
        names["create_attention_vit"],
        input_shape=(32, 32, 3),
        num_classes=100,
        size=KERAS_VIT,
        make_attention=names["variants_of"](4, 64, 64)[variant],
        data_augmentation=resize_and_augment(72, np.zeros((2, 32, 32, 3), np.uint8)),
    )
    assert count == parameters


@pytest.mark.parametrize("name", ["quick", "standard", "full"])
def test_profiles_fit_the_data_and_the_model(name):
    profile = load_profile(name, lab="attention_variants")
    size = profile.size
    assert size.mlp_units[-1] == size.embedding_proj_dim
    assert size.image_size % size.patch_size == size.embedding_proj_dim % size.num_heads == 0
    assert profile.training_samples + profile.validation_samples <= 50_000
    assert profile.test_samples <= 10_000
    assert len(profile.lengths) >= 3


def test_every_reshape_states_its_shape(lab):
    moves = re.compile(r"tf\.(reshape|transpose|einsum|tensordot|matmul|concat|repeat)\(")
    for cell in exercises(lab):
        for line in cell.source.splitlines():
            if moves.search(line):
                assert re.search(r"#.*\(.*\)$", line), f"{cell.id}: {line.strip()}"

"""Every row of the benchmark runs, at tiny sizes; nothing is said about speed."""

from dataclasses import replace

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from bench import accuracy, attention, first_report, grading, grading_profile, notebooks, training_step
from bench.keras_vit import build_keras_vit, copy_weights
from bench.measuring import Settings
from bench.solution import reference
from tests.course import SOLUTIONS
from tests.grading import course as stand_in
from utilities.grading import demo
from utilities.models.sizes import SMALL_VIT, vit_arguments
from utilities.training.profiles import load_profile

ONCE = Settings(repetitions=1, submissions=1)
TINY = replace(
    SMALL_VIT,
    patch_size=16,
    embedding_proj_dim=8,
    msa_proj_dim=8,
    num_heads=2,
    transformer_layers=1,
    mlp_classification_head_units=(8,),
)


def costs_are_real(rows):
    for row in rows:
        assert len(row.samples) == len(row.wall) == 1
        assert min(row.samples + row.wall + row.reference + row.wall_reference) > 0


def test_attention_row_holds_the_solution_against_keras_and_the_bare_products():
    rows = attention.measure(ONCE, [attention.Shape(2, 5, 8, 3)])
    costs_are_real(rows)
    assert [(row.ours, row.against) for row in rows] == 2 * [
        (attention.OURS, attention.KERAS),
        (attention.OURS, attention.BARE),
    ]


def test_both_attention_layers_compute_the_same():
    tokens = np.random.default_rng(3).normal(size=(2, 5, 8)).astype("float32")
    ours, keras = attention.both_layers(attention.Shape(2, 5, 8, 3), tokens)
    np.testing.assert_allclose(ours(tokens, tokens, tokens), keras(tokens, tokens), atol=1e-5)


def test_the_bare_products_are_all_of_a_layers_multiplications():
    b, n, d, h = shape = attention.Shape(2, 5, 8, 3)
    forward, training = attention.bare_products(shape)
    products = forward()
    assert [tuple(p.shape) for p in products] == [
        *3 * [(b * n, h * d)], (b, h, n, n), (b, h, n, d), (b * n, d),
    ]  # fmt: skip
    again, gradients = training()
    assert len(again) == len(gradients) == 6 and all(len(pair) == 2 for pair in gradients)


def test_the_model_of_keras_layers_computes_the_same():
    size = replace(TINY, transformer_layers=2)
    course = reference()["create_vit_classifier"](**vit_arguments(size))
    rng = np.random.default_rng(3)
    course.set_weights([w + rng.normal(scale=0.1, size=w.shape) for w in course.get_weights()])
    keras = build_keras_vit(size)
    copy_weights(course, keras)
    images = rng.normal(size=(3, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(course(images), keras(images), atol=1e-4)


def test_training_step_row():
    rows = training_step.measure(ONCE, TINY, batch_size=4)
    costs_are_real(rows)
    assert [row.against for row in rows] == [training_step.KERAS, *3 * [training_step.OURS]]


def test_first_report_row():
    rows = first_report.measure(ONCE)
    costs_are_real(rows)
    assert [row.ours for row in rows] == [
        first_report.COLD,
        first_report.AGAIN,
        first_report.HARDER,
    ]


def small_course(folder, students):
    """Write a course of two steps under the core's name, and right submissions to it."""
    stand_in.write_course(folder, {demo.ASSIGNMENT: stand_in.source_notebook()})
    for student in students:
        submission = stand_in.solved(folder, demo.ASSIGNMENT)
        stand_in.hand_in(folder, student, submission, demo.ASSIGNMENT)
    return folder


def test_grading_row():
    rows = grading.measure(ONCE, small_course)
    assert [(row.ours, row.against) for row in rows] == [
        (grading.ONE, grading.STOCK),
        (grading.TWO, grading.STOCK),
        (grading.FIRST, None),
    ]
    costs_are_real(rows[:2])


def test_parts_of_a_grading_make_up_the_whole():
    rows = {row.ours: row for row in grading_profile.measure(ONCE, small_course)}
    checks = {grading_profile.CHECK.format(name) for name in ("gaussian", "nadaraya_watson")}
    assert checks < set(rows)
    parts = [row for name, row in rows.items() if name != grading_profile.COMMAND]
    assert sum(row.samples[0] for row in parts) == pytest.approx(parts[0].reference[0])
    assert sum(row.wall[0] for row in parts) == pytest.approx(parts[0].wall_reference[0])


def test_notebook_row_takes_whatever_solutions_there_are(tmp_path):
    cells = [new_code_cell("import numpy as np", id="imports"), new_code_cell("np.ones(3)", id="ones")]
    path = tmp_path / "room" / "short.ipynb"
    path.parent.mkdir()
    nbformat.write(new_notebook(cells=cells), path)
    rows = notebooks.measure(ONCE, [path])
    costs_are_real(rows)
    assert rows[0].what.startswith("room/short") and rows[0].ratio >= 1
    assert notebooks.SOLUTIONS == SOLUTIONS


def test_accuracy_row_trains_both_writes_points_and_draws(tmp_path):
    profile = replace(load_profile("quick"), training_samples=64, test_samples=16)
    progress = tmp_path / "runs" / "accuracy.jsonl"
    points = accuracy.train_both(profile, 1, progress, sizes=(TINY, TINY))
    standard, *old = points
    assert standard.run == accuracy.STANDARD and {point.run for point in old} == {accuracy.OLD}
    assert old[-1].minutes >= standard.minutes > 0 and accuracy.read(progress) == points
    accuracy.draw(points, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_accuracy_is_compared_after_equal_processor_time():
    points = [
        *(accuracy.Point(accuracy.STANDARD, n, 2.0 * n, 0.1 * n) for n in range(1, 6)),
        *(accuracy.Point(accuracy.OLD, n, 1.0 * n, 0.2) for n in range(1, 13)),
    ]
    rows = accuracy.rows(points)
    assert [row.samples + row.reference for row in rows] == [
        [10.0, 20.0], [20.0, 20.0], [50.0, 20.0], [4.0, 1.0],
    ]  # fmt: skip
    assert "ended early" not in rows[0].note
    assert "ended early, after 3.0 CPU minutes" in accuracy.rows(points[:8])[0].note
    assert accuracy.rows(points[:5]) == [], "an interrupted run has nothing to compare with"

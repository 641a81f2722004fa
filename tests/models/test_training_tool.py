"""The script that trained the shipped ViT: its parts, and that it goes on where it stopped."""

import argparse
import json

import numpy as np
import pytest
import tf_keras

from tests.tools import load


@pytest.fixture(scope="module")
def tool():
    return load("train_embedded_vit")


def test_crops_are_shifted_and_mirrored_parts_of_their_image(tool):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(6)
    seen = 0
    for crops, chosen in tool.augmented_batches(images, labels, 2, rng):
        for crop, label in zip(crops, chosen, strict=True):
            padded = np.pad(images[label], ((4, 4), (4, 4), (0, 0)), mode="reflect")
            shifts = [
                tool.standardise(padded[top : top + 32, left : left + 32])
                for top in range(9)
                for left in range(9)
            ]
            assert any(np.array_equal(crop, s) or np.array_equal(crop, s[:, ::-1]) for s in shifts)
            seen += 1
    assert seen == 6


def test_rate_rises_and_falls(tool):
    rates = [tool.cosine_rate(2.0, progress, 0.1) for progress in np.linspace(0, 1, 101)]
    assert rates[0] == 0 and rates[10] == pytest.approx(2.0) and rates[-1] == pytest.approx(0)
    assert np.all(np.diff(rates[:11]) > 0) and np.all(np.diff(rates[11:]) < 0)


def test_factors_multiply_to_what_was_asked(tool):
    left, right = tool.factorise(np.random.default_rng(0), 12, noise=0.0, identity=-0.4, rank=12)
    np.testing.assert_allclose(left @ right.T, -0.4 * np.eye(12), atol=1e-12)


def test_positions_of_neighbours_are_most_alike(tool):
    positions = tool.sinusoidal_positions(8, 32)
    likeness = (positions @ positions.T).reshape(8, 8, 8, 8)  # row, column by row, column
    near, far = likeness[3, 3, 3, 4], likeness[3, 3, 7, 7]
    assert likeness[3, 3].argmax() == 3 * 8 + 3 and near > far


def test_training_goes_on_after_the_last_epoch(tool, tmp_path, capsys):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    data = (images, np.arange(8)), (images, np.arange(8))
    options = argparse.Namespace(checkpoints=tmp_path, seed=1, location=None)

    def train(epochs):
        model = tf_keras.Sequential([tf_keras.layers.Flatten(), tf_keras.layers.Dense(10)])
        model.build((None, 32, 32, 3))
        optimizer = tf_keras.optimizers.SGD(0.0, momentum=0.9)
        stage = tool.Stage(
            name="part",
            model=model,
            optimizer=optimizer,
            make_step=lambda: tool.make_teacher_step(model, optimizer),
            predict=model,
            epochs=epochs,
            batch_size=4,
            peak_rate=1e-3,
            warmup_epochs=0.5,
        )
        records = tool.train(stage, data, options)
        return records, model.get_weights()

    first, weights = train(1)
    again, same = train(1)
    assert again == first and all(np.array_equal(a, b) for a, b in zip(weights, same, strict=True))
    longer, _ = train(2)
    assert longer[:1] == json.loads(json.dumps(first)) and len(longer) == 2
    assert "going on after epoch 1" in capsys.readouterr().out

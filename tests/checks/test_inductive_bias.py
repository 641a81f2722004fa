"""The checks of the lab on inductive bias: what they must let pass, and what no seed may hide."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers

import utilities
from utilities.checks.kernel.case import Observation
from utilities.checks.lessons.inductive_bias import relative_position_bias as relative
from utilities.checks.lessons.inductive_bias import vital_signs

SEEDS = range(5)


def partition(labels):
    """Return for each pair (N, N) the first pair that has the same label: alike for alike sharing."""
    _, first, inverse = np.unique(labels.ravel(), return_index=True, return_inverse=True)
    return first[inverse.ravel()].reshape(labels.shape)


def test_pairs_with_the_same_offset_and_no_others_share():
    shared = partition(relative.SIGNED(3, 4))
    row, column = relative.places(3, 4)
    for i, j in np.ndindex(12, 12):
        for k, m in np.ndindex(12, 12):
            same = (row[i] - row[j], column[i] - column[j]) == (row[k] - row[m], column[k] - column[m])
            assert (shared[i, j] == shared[k, m]) == same


@pytest.mark.parametrize("seed", SEEDS)
def test_every_wrong_way_to_share_shows_in_some_case(seed):
    sizes = [(c["rows"], c["columns"]) for c in utilities.test_relative_position_bias.cases(seed)]
    ways = [(m.name, way["labels"]) for m in relative.MISTAKES for way in m.ways if "labels" in way]
    for name, labels in ways:
        right = (partition(relative.SIGNED(*size)) for size in sizes)
        wrong = (partition(labels(*size)) for size in sizes)
        assert any(not np.array_equal(r, w) for r, w in zip(right, wrong, strict=True)), name


def test_gradients_agree_with_tensorflow():
    case = next(case for case in utilities.test_vital_signs.cases(3) if case.stage == "live")
    labels = np.ravel(case["labels"])
    variables = [tf.Variable(case[name].astype(np.float64)) for name in case.unsaid]
    with tf.GradientTape() as tape:
        flat = case["images"].reshape(len(labels), -1).astype(np.float64)
        hidden = tf.nn.relu(flat @ variables[0] + variables[1])
        logits = hidden @ variables[2] + variables[3]
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    norm = tf.linalg.global_norm(tape.gradient(loss, variables))
    ours = vital_signs.formula(case, Observation())
    np.testing.assert_allclose(ours["loss"], loss, atol=1e-12)
    np.testing.assert_allclose(ours["gradient_norm"], norm, atol=1e-12)


def test_a_table_of_three_axes_is_not_refused():
    class ThreeAxes(layers.Layer):
        def __init__(self, num_heads, rows, columns):
            super().__init__()
            row, column = np.divmod(np.arange(rows * columns), columns)
            self.down = row[:, None] - row + rows - 1
            self.right = column[:, None] - column + columns - 1
            self.table = self.add_weight(
                "t", (num_heads, 2 * rows - 1, 2 * columns - 1), initializer="zeros"
            )

        def call(self, scores):
            by_place = tf.transpose(self.table, (1, 2, 0))
            bias = tf.gather_nd(by_place, np.stack([self.down, self.right], axis=-1))  # (N, N, h)
            return tf_keras.layers.Add()(
                [scores, tf.zeros_like(scores) + tf.transpose(bias, (2, 0, 1))]
            )

    assert utilities.test_relative_position_bias.report(ThreeAxes).passed


def test_a_model_may_be_looked_at_with_evaluate():
    def signs(model, images, labels):
        model.compile("sgd", tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        loss = model.evaluate(images, np.ravel(labels), verbose=0)
        with tf.GradientTape() as tape:
            logits = model(images)
            mean = model.compiled_loss(tf.constant(np.ravel(labels)), logits)
        gradients = tape.gradient(mean, model.trainable_variables)
        return loss, logits.numpy().std(axis=0).mean(), tf.linalg.global_norm(gradients)

    report = utilities.test_vital_signs.report(signs)
    assert report.passed, str(report)

"""No double jeopardy: a later step earns its points whatever an earlier step does.

Each earlier step is broken in turn, under the name by which the later one calls it. A later
exercise joins by one line in LATER.
"""

import sys

import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers

import utilities
from tests.checks.catalogue import entries

LATER = ["multi_head_attention", "transformer_block", "make_optimizer"]


def unwritten(*args, **kwargs):
    raise NotImplementedError


def attention_without_scaling(q, k, v, mask=None):
    scores = tf.matmul(q, k, transpose_b=True)
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, scores.dtype.min)
    weights = tf.nn.softmax(scores)
    return tf.matmul(weights, v), weights


class HeadsNotTransposedBack(layers.Layer):
    """Tokens and heads mix where the heads are merged."""

    def __init__(self, num_heads, proj_dim, return_attention_weights=False, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.proj_dim = num_heads, proj_dim
        self.return_attention_weights = return_attention_weights

    def build(self, shape):
        h, d, p = self.num_heads, shape[-1], self.proj_dim
        names = ("W_q", "W_k", "W_v")
        self.W_q, self.W_k, self.W_v = (self.add_weight(name, (h, d, p)) for name in names)
        self.W_o = self.add_weight("W_o", (h * p, p))

    def call(self, q, k, v, mask=None):
        q, k, v = (
            tf.einsum("bnd,hdp->bhnp", x, W) for x, W in ((q, self.W_q), (k, self.W_k), (v, self.W_v))
        )
        scores = tf.matmul(q, k, transpose_b=True) / self.proj_dim**0.5
        weights = tf.nn.softmax(scores)
        merged = tf.reshape(weights @ v, (-1, q.shape[2], self.num_heads * self.proj_dim))
        output = tf.tensordot(merged, self.W_o, 1)
        return (output, weights) if self.return_attention_weights else output


def linear_mlp(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dropout(dropout_rate)(layers.Dense(units)(x))
    return x


def mlp_without_dropout(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dense(units, "gelu")(x)
    return x


class RateWithoutEnd(tf_keras.optimizers.schedules.LearningRateSchedule):
    """Warms up and stays there."""

    def __init__(self, learning_rate_base, total_steps, warmup_learning_rate, warmup_steps):
        self.height, self.length = learning_rate_base, max(warmup_steps, 1)

    def __call__(self, step):
        return self.height * tf.minimum(tf.cast(step, tf.float32) / self.length, 1.0)


BROKEN = {
    "scaled_dot_product_attention": [unwritten, attention_without_scaling],
    "MultiHeadAttention": [unwritten, HeadsNotTransposedBack],
    "mlp": [unwritten, linear_mlp, mlp_without_dropout],
    "WarmUpCosine": [unwritten, RateWithoutEnd],
}


def exercise_of(later):
    return getattr(utilities, f"test_{later}")


def broken_steps():
    return [
        pytest.param(later, step, broken, id=f"{later}-{step}-{broken.__name__}")
        for later in LATER
        for step in exercise_of(later).builds_on
        for broken in BROKEN[step]
    ]


def right_one_that_needs(later, steps, monkeypatch):
    """Break the steps; return a right implementation of the later exercise that suffers from it."""
    exercise = exercise_of(later)
    cases = exercise.cases()
    for entry in entries():
        if entry.exercise != later or not entry.is_correct:
            continue
        module = sys.modules[entry.implementation.__module__]
        if not all(hasattr(module, name) for name in steps):
            continue
        with monkeypatch.context() as patch:
            for name, broken in steps.items():
                patch.setattr(module, name, broken)
            own = exercise.judge(cases, exercise.observe(entry.implementation, cases))
        if not own.passed:
            for name, broken in steps.items():
                monkeypatch.setattr(module, name, broken)
            return entry.implementation
    raise AssertionError(f"no right {later} in the catalogue calls {', '.join(steps)}")


@pytest.mark.parametrize("later, step, broken", broken_steps())
def test_later_step_earns_its_points_and_the_note_names_the_culprit(later, step, broken, monkeypatch):
    implementation = right_one_that_needs(later, {step: broken}, monkeypatch)
    report = exercise_of(later).report(implementation)
    assert report.passed, str(report)
    assert report.earned(6) == 6
    assert f"Fix your {step} first" in report.notes[0]


def test_every_broken_step_is_named_where_several_are(monkeypatch):
    steps = {
        "scaled_dot_product_attention": attention_without_scaling,
        "mlp": linear_mlp,
    }
    implementation = right_one_that_needs("transformer_block", steps, monkeypatch)
    report = exercise_of("transformer_block").report(implementation)
    assert report.passed, str(report)
    assert "Fix your scaled_dot_product_attention and mlp first" in report.notes[0]


def test_right_earlier_steps_bring_no_note():
    entry = next(e for e in entries() if e.exercise == "transformer_block" and e.is_correct)
    assert exercise_of("transformer_block").report(entry.implementation).notes == []


def test_a_wrong_later_step_is_not_excused_by_a_broken_earlier_one(monkeypatch):
    entry = next(e for e in entries() if e.name == "no_attention_residual")
    monkeypatch.setattr(sys.modules[entry.implementation.__module__], "mlp", linear_mlp)
    report = exercise_of("transformer_block").report(entry.implementation)
    assert not report.passed
    assert "attention residual missing" in report.mistakes

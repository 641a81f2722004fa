"""Whatever an implementation does, a report comes back, and it earns nothing."""

import contextlib
import sys
import warnings

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import utilities
from utilities.checks.core.judging import Judgement
from utilities.checks.kernel.attention import scaled_dot_product_attention as kernel_side
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.exercise import Exercise
from utilities.checks.kernel.observing import observe_case
from utilities.checks.kernel.probes import can_learn

EXERCISES = [
    exercise
    for exercise in (getattr(utilities, name) for name in utilities.__all__ if name.startswith("test_"))
    if isinstance(exercise, Exercise)
]


@pytest.mark.parametrize(
    "first, second, learns",
    [
        ([[-3.0], [2.5]], [[1.0]], True),  # an unlucky draw: the same numbers in another order do
        ([[0.0], [0.0]], [[1.0]], False),
        ([[-1.0], [-1.0]], [[1.0]], False),
    ],
)
def test_a_start_is_refused_for_its_kind_and_not_for_an_unlucky_draw(first, second, learns):
    weights = [tf.Variable(first), tf.Variable(second)]
    x = tf.constant([[2.0, 1.0]])
    reached = can_learn(lambda: tf.nn.relu(x @ weights[0]) @ weights[1], weights)
    assert reached.all() == learns
    assert np.array_equal(weights[0], first) and np.array_equal(weights[1], second)


class Hostile:
    """An object that raises whatever is asked of it."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name} for you")

    def __len__(self):
        raise RuntimeError("no length")

    def __array__(self, *_, **__):
        raise RuntimeError("no array")

    def __repr__(self):
        raise RuntimeError("no repr")


def recursion(*_, **__):
    return recursion()


def leave(*_, **__):
    sys.exit("bye")


def noisy(*_, **__):
    warnings.warn("careful", stacklevel=1)
    print("to stderr", file=sys.stderr)
    return 0


def out_of_memory(*_, **__):
    raise MemoryError


def breaks_printing(*_, **__):
    sys.stdout = None
    raise ValueError("stdout is gone")


def returning(make_result):
    """Return an implementation that takes anything and returns what `make_result` makes."""
    return lambda *_, **__: make_result()


RESULTS = {
    "none": lambda: None,
    "ellipsis": lambda: ...,
    "list": lambda: [[1.0, 2.0], [3.0]],
    "string": lambda: "softmax",
    "generator": lambda: (x for x in range(3)),
    "function": lambda: np.exp,
    "class": lambda: tf_keras.layers.Layer,
    "ragged": lambda: tf.ragged.constant([[1.0], [2.0, 3.0]]),
    "sparse": lambda: tf.sparse.from_dense([[0.0, 1.0]]),
    "symbolic": lambda: tf_keras.Input((3,)),
    "strings": lambda: tf.constant(["a", "b"]),
    "objects": lambda: np.array([object()]),
    "complex": lambda: tf.constant([1j]),
    "ten gigabytes": lambda: np.broadcast_to(np.float32(1), (50_000, 50_000)),
    "ten gigabytes twice": lambda: (np.broadcast_to(np.float32(1), (50_000, 50_000)),) * 2,
    "empty": lambda: np.zeros((0, 0)),
    "scalar": lambda: 1.0,
    "bfloat16": lambda: tf.ones((2, 2), tf.bfloat16),
    "nan pair": lambda: (tf.constant([np.nan]), tf.constant([np.nan])),
    "hostile": lambda: Hostile(),
    "hostile pair": lambda: (Hostile(), Hostile()),
    "itself nested": lambda: ((((),),),),
}
BEHAVIOURS = {
    **{name: returning(result) for name, result in RESULTS.items()},
    "recursion": recursion,
    "sys.exit": leave,
    "noisy": noisy,
    "out of memory": out_of_memory,
    "takes no arguments": lambda: 1,
    "not callable": 42,
    "none at all": None,
    "hostile object": Hostile(),
}


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_nothing_breaks_the_check_or_earns_points(exercise, behaviour, capfd):
    earned = exercise(BEHAVIOURS[behaviour], points=4)
    written = capfd.readouterr()
    assert earned == 0.0, written.out
    assert written.out.startswith(exercise.name) or exercise.name in written.out
    assert "to stderr" not in written.err and "careful" not in written.err


def test_stdout_is_put_back_after_an_implementation_took_it(capsys):
    with contextlib.redirect_stdout(sys.stdout):
        assert utilities.test_gaussian(breaks_printing, points=2) == 0.0
    assert "gaussian" in capsys.readouterr().out


def test_an_interrupt_is_the_students_and_passes():
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        utilities.test_gaussian(interrupted, points=2)


def attention(q, k, v, mask=None):
    scores = tf.matmul(q, k, transpose_b=True) / tf.cast(k.shape[-1] ** 0.5, q.dtype)
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, scores.dtype.min)
    weights = tf.nn.softmax(scores)
    return weights @ v, weights


@st.composite
def attention_cases(draw):
    """Draw any shape and dtype the interface allows, with or without a mask."""
    leading = draw(st.lists(st.integers(1, 3), max_size=3))
    n_q, n_k, d_k, d_v = (draw(st.integers(1, 9)) for _ in range(4))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = {
        name: rng.normal(size=(*leading, *shape)).astype(dtype)
        for name, shape in {"q": (n_q, d_k), "k": (n_k, d_k), "v": (n_k, d_v)}.items()
    }
    mask = rng.random((n_q, n_k)) < 0.6
    mask[:, 0] = True  # a query that may attend to nothing has no answer
    kind = draw(st.sampled_from([None, bool, np.int32, np.float32]))
    return Case("no mask", {**inputs, "mask": None if kind is None else mask.astype(kind)})


def findings_of(implementation, case):
    observation = observe_case(kernel_side.observe, implementation, case)
    check = utilities.test_scaled_dot_product_attention.check
    findings = Judgement(check, [case], [observation]).report("attention").findings
    return [finding for finding in findings if finding.name == check.findings[1].text]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(attention_cases())
def test_right_attention_is_accepted_in_every_shape_and_dtype(case):
    assert all(finding.held for finding in findings_of(attention, case))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(attention_cases(), st.floats(0.25, 4.0), st.integers(0, 10**6))
def test_one_wrong_entry_is_enough(case, amount, place):
    def slightly_wrong(q, k, v, mask=None):
        output, weights = attention(q, k, v, mask)
        flat = np.ravel(output).copy()
        flat[place % flat.size] += amount
        return tf.constant(flat.reshape(output.shape)), weights

    assert not all(finding.held for finding in findings_of(slightly_wrong, case))

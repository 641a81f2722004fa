"""What a student reads: seven different problems, plain words, their own traceback and no other."""

import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import utilities
from utilities.checks.core.report import CheckFailed
from utilities.checks.kernel.case import (
    INPUT_CHANGED,
    NOT_ATTEMPTED,
    NOT_FINITE,
    RAISED,
    WRONG_SHAPE,
    WRONG_TYPE,
    WRONG_VALUE,
)
from utilities.checks.kernel.observing import problem_of


def right(q, k, v, kernel, sigma=1.0):
    similarity = kernel(np.linalg.norm(q[:, None] - k[None], axis=-1), sigma)  # (n_q, n_k)
    weights = similarity / similarity.sum(axis=-1, keepdims=True)
    return weights @ v, weights


def unwritten(q, k, v, kernel, sigma=1.0):
    raise NotImplementedError


def forgot_to_return(q, k, v, kernel, sigma=1.0):
    right(q, k, v, kernel, sigma)


def divides_by_a_name_that_is_not_there(q, k, v, kernel, sigma=1.0):
    return right(q, k, v, kernel, sigma) / total  # noqa: F821


def returns_names(q, k, v, kernel, sigma=1.0):
    return "prediction", "weights"


def sums_over_queries(q, k, v, kernel, sigma=1.0):
    prediction, weights = right(q, k, v, kernel, sigma)
    return prediction.sum(axis=0), weights


def zero_by_zero(q, k, v, kernel, sigma=1.0):
    prediction, weights = right(q, k, v, kernel, sigma)
    return prediction * np.nan, weights


def scales_in_place(q, k, v, kernel, sigma=1.0):
    q /= 2
    return right(q, k, v, kernel, sigma)


def one_too_many(q, k, v, kernel, sigma=1.0):
    prediction, weights = right(q, k, v, kernel, sigma)
    return prediction + 1, weights


@pytest.mark.parametrize(
    "implementation, kind, words",
    [
        (unwritten, NOT_ATTEMPTED, "not written yet"),
        (forgot_to_return, NOT_ATTEMPTED, "forget to return"),
        (divides_by_a_name_that_is_not_there, RAISED, "NameError: name 'total' is not defined"),
        (returns_names, WRONG_TYPE, "is a str"),
        (sums_over_queries, WRONG_SHAPE, "is expected"),
        (zero_by_zero, NOT_FINITE, "nan"),
        (scales_in_place, INPUT_CHANGED, "changes its input q in place"),
        (one_too_many, WRONG_VALUE, "is expected"),
    ],
)
def test_each_problem_has_its_own_message(implementation, kind, words):
    report = utilities.test_nadaraya_watson.report(implementation)
    finding = next(finding for finding in report.findings if not finding.held)
    assert finding.kind == kind
    assert words in f"{finding.message} {finding.detail}"


def in_a_layer(call):
    return tf_keras.layers.Lambda(lambda x: call())


@pytest.mark.parametrize("wrap", [lambda call: lambda x: call(), in_a_layer], ids=["plain", "layer"])
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: tf.reshape(tf.zeros((2, 3)), (-1, 6 / 2)),
            "Value for attr 'Tshape' of float is not in the list of allowed values: int32, int64",
        ),
        (
            lambda: tf.nn.space_to_depth(tf.zeros((1, 4, 4, 1)), 1),
            "Value for attr 'block_size' of 1 must be at least minimum 2",
        ),
        (
            lambda: tf.matmul(tf.zeros((2, 3)), tf.zeros((2, 3))),
            "Matrix size-incompatible: In[0]: [2,3], In[1]: [2,3]",
        ),
        (
            lambda: tf.matmul(tf.zeros((2, 3), tf.uint8), tf.zeros((3, 2), tf.uint8)),
            "TensorFlow has no MatMul for uint8",
        ),
        (
            lambda: tf.zeros((2, 3), tf.float64) + tf.zeros((2, 3)),
            "cannot compute AddV2 as input #1(zero-based) was expected to be a double tensor but is a "
            "float tensor",
        ),
    ],
)
def test_an_error_of_tensorflow_is_cut_to_what_a_person_can_use(wrap, call, said):
    with pytest.raises(Exception) as caught:
        wrap(call)(tf.zeros((1, 1)))
    message = problem_of(caught.value).message
    assert message == f"Your code stopped with {caught.type.__name__}: {said}"


def test_all_problems_are_told_apart():
    implementations = [unwritten, divides_by_a_name_that_is_not_there, returns_names]
    implementations += [sums_over_queries, zero_by_zero, scales_in_place, one_too_many]
    reports = [utilities.test_nadaraya_watson.report(function) for function in implementations]
    firsts = [next(f for f in report.findings if not f.held) for report in reports]
    assert len({finding.kind for finding in firsts}) == 7
    assert len({finding.message for finding in firsts}) == 7


def test_the_student_sees_their_own_line_and_none_of_ours():
    report = utilities.test_nadaraya_watson.report(divides_by_a_name_that_is_not_there)
    text = str(report)
    assert "return right(q, k, v, kernel, sigma) / total" in text
    assert "utilities" not in text and "Traceback" not in text


def test_a_report_is_html_in_jupyter_and_text_elsewhere(capsys):
    with pytest.raises(CheckFailed) as caught:
        utilities.test_nadaraya_watson(one_too_many)
    assert "✗" in capsys.readouterr().out
    report = caught.value.report
    html = report._repr_html_()
    assert 'aria-label="does not hold"' in html and "<script" not in html
    assert caught.value._render_traceback_() == [f"{report.headline}: see above."]


def test_what_was_said_once_is_pointed_back_to_in_a_word():
    def without_two(distance, sigma=1.0):
        return np.exp(-np.square(distance) / sigma**2)

    report = utilities.test_gaussian.report(without_two)
    for shown in (str(report), report._repr_html_()):
        assert shown.count("apart from: factor 2 missing") == len(report.findings) - 2
    assert report._repr_html_().count("<pre") == 1


def test_a_difference_that_nobody_can_name_is_shown_once_and_can_be_pasted():
    def shifted(distance, sigma=1.0):
        return np.exp(-np.square(distance) / (2 * sigma**2)) + 0.1 * np.sin(distance)

    text = str(utilities.test_gaussian.report(shifted))
    assert text.count("distance = ") == 2 and text.count("the same as above") == 3
    scope = {"np": np}
    lines = [line.strip() for line in text.splitlines()]
    exec("\n".join(line for line in lines if re.match(r"(distance|sigma) = (np|[\d.]+$)", line)), scope)
    assert np.ndim(scope["distance"]) == 0 and scope["sigma"] == 1.0


def test_what_cannot_be_judged_yet_stands_last_and_without_a_cross():
    def stops(q, k, v, mask=None):
        raise ValueError("no")

    text = str(utilities.test_scaled_dot_product_attention.report(stops))
    lines = text.splitlines()
    assert sum("✗" in line for line in lines) == 1
    assert "not judged yet: first get" in lines[-1]


def test_nbgraders_validate_is_told_what_a_notebook_would_show(monkeypatch, capsys):
    monkeypatch.setenv("NBGRADER_VALIDATING", "1")
    with pytest.raises(CheckFailed) as caught:
        utilities.test_nadaraya_watson(one_too_many, points=4)
    shown = caught.value._render_traceback_()
    assert max(map(len, shown)) <= 80  # what nbgrader does not cut
    said = str(caught.value.report)
    assert "✗" in said and "".join("".join(shown).split()) == "".join(said.split())
    assert utilities.test_nadaraya_watson(right, points=4) == 4.0


def test_markup_in_a_students_words_is_shown_and_not_run():
    def raises_markup(distance, sigma=1.0):
        raise ValueError("<img src=x onerror=alert(1)>")

    html = utilities.test_gaussian.report(raises_markup)._repr_html_()
    assert "<img" not in html and "&lt;img" in html


@pytest.mark.parametrize("points", [1, 2, 6, 7.5])
def test_points_are_partial_and_never_full_for_wrong_work(points):
    def without_scaling(q, k, v, mask=None):
        scores = tf.matmul(q, k, transpose_b=True)
        if mask is not None:
            scores = tf.where(tf.cast(mask, tf.bool), scores, scores.dtype.min)
        weights = tf.nn.softmax(scores)
        return weights @ v, weights

    check = utilities.test_scaled_dot_product_attention
    assert 0 <= check(without_scaling, points=points) < points

"""Sliders outside a notebook: what they show, and what they say where there is nothing to show."""

import numpy as np
import pytest

from tests.figures.examples import X_QUERY, X_TRAIN, gaussian, nadaraya_watson
from utilities import (
    regression_slider,
    summary_slider,
)


def slider(function=nadaraya_watson, kernel=gaussian, **options):
    regression_slider(function, kernel, X_TRAIN, np.sin(X_TRAIN), X_QUERY, np.sin(X_QUERY), **options)


def raises(error):
    def function(*arguments):
        raise error

    return function


def in_place(q, k, v, kernel, sigma):
    result = nadaraya_watson(q, k, v, kernel, sigma)
    q *= 0
    return result


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (nadaraya_watson, "prediction with σ = 0.5"),
        (in_place, "prediction with σ = 0.5"),
        (raises(NotImplementedError()), "complete both exercises"),
        (raises(KeyError("sigma\nmissing.")), "stopped with KeyError ('sigma\\nmissing.')."),
        (raises(ValueError("bad\nnews.")), "stopped with ValueError (bad news)."),
        (lambda *a: None, "returned None (is the return statement missing?)"),
        (lambda *a: (1, 2, 3), "returned 3 values"),
        (lambda *a: (np.ones(30), np.ones((20, 30))), "expected (queries, keys) = (30, 20)"),
        (lambda *a: (np.ones((30, 2)), np.ones((30, 20))), "prediction has shape (30, 2)"),
    ],
)
def test_the_slider_tells_in_one_sentence_what_went_wrong(function, sentence, capsys):
    slider(function)
    captured = capsys.readouterr()
    assert sentence in captured.out
    assert captured.out.count("\n") == 1
    assert captured.err == ""


def test_the_slider_needs_a_sigma_in_its_range():
    with pytest.raises(ValueError, match="expected 0 < 0.05 ≤ sigma ≤ 5.0"):
        slider(sigma=9)


def test_summary_outside_a_notebook_is_printed(capsys):
    summary_slider(lambda length: f"{length} words", value=7)
    assert capsys.readouterr().out == "At most 7 tokens: “7 words”\n"


def test_summary_that_fails_is_told_in_a_sentence(capsys):
    summary_slider(lambda length: 1 / 0)
    assert "There is no summary: ZeroDivisionError (division by zero)." in capsys.readouterr().out


@pytest.mark.parametrize("value, lengths", [(0, (0, 5)), (9, (1, 5)), (1, (2, 5))])
def test_summary_slider_refuses_a_value_outside_its_ends(value, lengths):
    with pytest.raises(ValueError, match="expected 0 <"):
        summary_slider(str, value, lengths)

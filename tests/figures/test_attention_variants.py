"""The figures of the lab on attention variants."""

import pytest

from tests.figures.examples import LENGTHS, VARIANTS, drawn
from utilities import plot_accuracies, plot_cost, plot_sharpness, plot_singular_values


def test_no_two_lines_look_the_same():
    assert len(drawn("cost").axes) == 2
    for axes in drawn("cost").axes:
        looks = [(line.get_color(), line.get_marker(), line.get_linestyle()) for line in axes.lines]
        assert len(set(looks)) == len(VARIANTS)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"standard has shape \(2,\)"):
        plot_sharpness((4, 8, 16), {"standard": (0.2, 0.2)}, 64)
    with pytest.raises(ValueError, match=r"standard has shape \(1,\); expected \(2,\)"):
        plot_cost(LENGTHS, {"standard": [1.0]}, {"standard": [1.0]})
    with pytest.raises(ValueError, match="singular values"):
        plot_singular_values([1.0, 2.0])
    with pytest.raises(ValueError, match="empty"):
        plot_accuracies({}, 5000, 100)

"""The figures of the lab on small data sets."""

import pytest

from tests.figures.examples import DISTANCES, IMAGE, drawn
from utilities import (
    plot_attention_distances,
    plot_differences,
    plot_learning_rate,
    plot_shifted_patches,
    plot_temperatures,
    plot_token_fields,
)


def test_copies_are_moved_by_half_a_patch_inside_their_frame():
    axes = drawn("shifts").axes  # patches of 4: moved by 2
    corners = [(one.images[0].get_extent()[3], one.images[0].get_extent()[0]) for one in axes]
    moves = [(0, 0), (-2, -2), (-2, 2), (2, -2), (2, 2)]  # down, right
    assert corners == 2 * [(down - 0.5, right - 0.5) for down, right in moves]
    for one in axes[:5]:
        assert (one.get_xlim(), one.get_ylim()) == ((-0.5, 7.5), (11.5, -0.5))
    for one in axes[5:]:
        assert (one.get_xlim(), one.get_ylim()) == ((-0.5, 3.5), (7.5, 3.5))  # row 1, column 0


def test_what_has_no_run_is_left_out_and_groups_keep_their_order():
    (axes,) = drawn("differences").axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["this lab", "shifted", "both", "training", "Mixup"]
    kit, own = (bars.lines[0].get_xydata().tolist() for bars in axes.containers)
    assert [(round(x, 3), round(y)) for x, y in kit] == [(1.0, 1), (-2.0, 4)]
    assert [(round(x, 3), round(y)) for x, y in own] == [(-0.2, 1), (1.3, 2)]
    reach = axes.containers[0].lines[2][0].get_segments()[0][:, 0]
    assert reach == pytest.approx([0.2, 1.8])  # two standard errors of 0.4 points
    assert drawn("differences of no runs").axes[0].containers == []


WRONG = {
    r"runs of \['other'\]": lambda: plot_differences({"a": ["b"]}, {"other": (0, 0)}, {}, "plain"),
    "expected a divisor": lambda: plot_shifted_patches(IMAGE, 5, (0, 0)),
    "expected a row below 3 and a column below 2": lambda: plot_shifted_patches(IMAGE, 4, (3, 0)),
    "fields is empty": lambda: plot_token_fields({}, 4),
    r"expected that of stated, \(2,\)": lambda: plot_learning_rate([1, 2], [1, 2, 3], 1),
    "temperatures is empty": lambda: plot_temperatures({}, 1.0),
    r"expected \(L, 1\) or \(L, h\)": lambda: plot_temperatures({"a": [1, 2]}, 1.0),
    "expected the same models": lambda: plot_attention_distances({}, DISTANCES, 1.0),
}


@pytest.mark.parametrize("message", WRONG)
def test_bad_input_is_named(message):
    with pytest.raises(ValueError, match=message):
        WRONG[message]()

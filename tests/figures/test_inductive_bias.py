"""The figures of the lab on inductive bias."""

import numpy as np
import pytest

from tests.figures.examples import bias_of, drawn
from utilities.figures import inductive_bias as plots


def test_a_bias_is_shown_by_offset_from_query_to_key():
    rows, columns = 3, 4
    maps = plots._by_offset(bias_of(rows, columns).astype(float), rows, columns)
    down, right = np.mgrid[1 - rows : rows, 1 - columns : columns]
    np.testing.assert_allclose(maps[0], 10 * down + right)
    np.testing.assert_allclose(maps[2], 3 * maps[0])


def test_similarities_of_all_models_share_their_colours():
    first, second = drawn("maps").axes[:2]
    assert first.images[0].get_clim() == second.images[0].get_clim()


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda: plots.plot_position_maps({}, (2, 3)), "is empty"),
        (lambda: plots.plot_position_maps({"1-D": np.ones((5, 4))}, (2, 3)), r"\(5, 4\).*2 × 3"),
        (lambda: plots.plot_relative_bias(np.ones((3, 5, 6)), (2, 3)), r"\(3, 5, 6\)"),
        (lambda: plots.plot_attempts({}, 100), "no losses"),
        (lambda: plots.plot_sample_efficiency({}, 0.01, 100), "is empty"),
        (lambda: plots.plot_sample_efficiency({"ViT": ([1, 2], [0.5])}, 0.01, 100), "ViT: 2 numbers"),
    ],
)
def test_bad_input_gets_one_clear_error(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()

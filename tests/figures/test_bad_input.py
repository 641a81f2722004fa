"""Every figure names a wrong shape, and the right one."""

import numpy as np
import pytest

from tests.figures.examples import CLASSES, IMAGE, to_patches
from utilities import (
    plot_attention,
    plot_class_token_attention,
    plot_confusion,
    plot_history,
    plot_images,
    plot_patches,
    plot_position_similarity,
    plot_regression,
)

ONES = np.ones


WRONG_SHAPES = {
    r"y_train has shape \(1,\); expected \(2,\)": lambda: plot_regression(
        [1, 2], [1], [1], [1], [1], [[1, 1]], 1
    ),
    r"expected \(queries, keys\) = \(1, 2\)": lambda: plot_regression(
        [1, 2], [1, 2], [1], [1], [1], [[1]], 1
    ),
    r"expected \(n_q, n_k\) or \(h, n_q, n_k\)": lambda: plot_attention(ONES(3)),
    "key_labels has 2 .* expected 3": lambda: plot_attention(ONES((2, 3)), key_labels="ab"),
    r"expected \(n, H, W, C\)": lambda: plot_images(IMAGE, [1], CLASSES),
    "C being 1 or 3": lambda: plot_images(ONES((1, 4, 4, 2)), [1], CLASSES),
    "expected indices from 0 to 3": lambda: plot_images(IMAGE[None], [4], CLASSES),
    "expected a divisor": lambda: plot_patches(IMAGE, to_patches(IMAGE, 4), 5),
    r"expected \(N, patch_size²·C\) = \(6, 48\)": lambda: plot_patches(IMAGE, to_patches(IMAGE, 2), 4),
    "expected {name of the run: History}": lambda: plot_history({}),
    "'ViT' holds no loss": lambda: plot_history({"ViT": {}}),
    r"= \(h, 7, 7\)": lambda: plot_class_token_attention(IMAGE, ONES((2, 6, 6)), 4),
    "N = 3 × 2 = 6, hence 7 rows": lambda: plot_position_similarity(ONES((6, 4)), (3, 2)),
    r"predictions has shape \(1,\); expected \(2,\)": lambda: plot_confusion([0, 1], [0], CLASSES),
}


@pytest.mark.parametrize("message", WRONG_SHAPES)
def test_a_wrong_shape_is_named_with_the_right_one(message):
    with pytest.raises(ValueError, match=message):
        WRONG_SHAPES[message]()

"""Position embeddings compared with each other."""

import numpy as np

from tests.figures.examples import RNG
from utilities import (
    plot_position_similarity,
)


def test_position_similarity_leaves_the_class_token_out():
    embeddings = RNG.standard_normal((7, 5))
    other = embeddings.copy()
    other[0] = 100
    one, two = (
        plot_position_similarity(e, (3, 2)).axes[0].images[0].get_array().filled(0)
        for e in (embeddings, other)
    )
    np.testing.assert_array_equal(one, two)
    units = embeddings[1:] / np.linalg.norm(embeddings[1:], axis=1, keepdims=True)
    cosines = (units @ units[3]).reshape(3, 2)  # patch 3 is at row 1, column 1 of 3 × 2
    np.testing.assert_allclose(one[4:7, 3:5], cosines)

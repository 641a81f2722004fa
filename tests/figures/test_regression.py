"""The fit and its attention map."""

import numpy as np

from tests.figures.examples import RNG, X_QUERY, X_TRAIN, regression, softmax
from utilities import (
    plot_regression,
)


def test_regression_sorts_queries_and_keys():
    order = RNG.permutation(len(X_TRAIN))
    weights = softmax(len(X_QUERY), len(X_TRAIN))
    y = np.sin(X_QUERY)
    straight, shuffled = (
        plot_regression(X_TRAIN[i], X_TRAIN[i], X_QUERY, y, y, weights[:, i], 0.5)
        for i in (np.arange(len(X_TRAIN)), order)
    )
    drawn = [fig.axes[1].images[0].get_array() for fig in (straight, shuffled)]
    np.testing.assert_array_equal(*drawn)
    np.testing.assert_array_equal(drawn[0], weights)


def test_regression_tells_of_predictions_that_are_not_numbers():
    with np.errstate(all="ignore"):
        fig = regression(sigma=1e-4)
    assert "predictions are not numbers" in fig.alt

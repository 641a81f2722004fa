"""Implementations of the Gaussian kernel and of Nadaraya-Watson regression, right and wrong."""

import math

import numpy as np
import tensorflow as tf
from scipy.spatial.distance import cdist

from tests.checks.catalogue import correct, wrong
from utilities.checks.kernel.case import INPUT_CHANGED, NOT_ATTEMPTED

# The Gaussian kernel, right


@correct("gaussian")
def textbook(distance, sigma=1.0):
    return np.exp(-(distance**2) / (2 * sigma**2))


@correct("gaussian")
def of_the_standardised_distance(distance, sigma=1.0):
    z = np.divide(distance, sigma)
    return np.exp(-0.5 * z * z)


@correct("gaussian")
def entry_by_entry(distance, sigma=1.0):
    distance = np.asarray(distance)
    values = [math.exp(-(float(d) ** 2) / (2.0 * float(sigma) ** 2)) for d in distance.ravel()]
    return np.array(values).reshape(distance.shape)


@correct("gaussian")
def vectorised_scalar(distance, sigma=1.0):
    return np.vectorize(lambda d: math.exp(-d * d / (2 * sigma * sigma)))(distance)


@correct("gaussian")
def as_a_root(distance, sigma=1.0):
    return np.sqrt(np.exp(-np.square(np.asarray(distance, dtype=float) / sigma)))


@correct("gaussian")
def as_a_power_of_e(distance, sigma=1.0):
    return np.e ** (-np.power(np.abs(distance), 2.0) * (2.0 * sigma**2) ** -1.0)


@correct("gaussian")
def into_a_new_array(distance, sigma=1.0):
    result = np.empty(np.shape(distance), dtype=np.float32)
    result[...] = np.multiply(distance, distance)
    result /= -2 * sigma**2
    return np.exp(result, out=result)


@correct("gaussian")
def density_without_its_factor(distance, sigma=1.0):
    from scipy.stats import norm

    return norm.pdf(distance, scale=sigma) / norm.pdf(0.0, scale=sigma)


# The Gaussian kernel, wrong


@wrong("gaussian", told=NOT_ATTEMPTED, slips=0)
def gaussian_stub(distance, sigma=1.0):
    raise NotImplementedError


@wrong("gaussian", told=NOT_ATTEMPTED, slips=0)
def gaussian_without_return(distance, sigma=1.0):
    np.exp(-(distance**2) / (2 * sigma**2))


@wrong("gaussian", told="distance not squared")
def forgot_the_square(distance, sigma=1.0):
    return np.exp(-distance / (2 * sigma**2))


@wrong("gaussian", told="sigma not squared")
def forgot_the_square_of_sigma(distance, sigma=1.0):
    return np.exp(-(distance**2) / (2 * sigma))


@wrong("gaussian", told="factor 2 missing")
def forgot_the_two(distance, sigma=1.0):
    return np.exp(-(distance**2) / sigma**2)


@wrong("gaussian", told="2 squared with sigma")
def bracket_around_two_sigma(distance, sigma=1.0):
    return np.exp(-(distance**2) / (2 * sigma) ** 2)


@wrong("gaussian", told="sigma multiplies")
def denominator_without_brackets(distance, sigma=1.0):
    return np.exp(-(distance**2) / 2 * sigma**2)


@wrong("gaussian", told="minus missing")
def forgot_the_minus(distance, sigma=1.0):
    return np.exp(distance**2 / (2 * sigma**2))


@wrong("gaussian", told="minus missing")
def minus_inside_the_square(distance, sigma=1.0):
    return np.exp((-distance) ** 2 / (2 * sigma**2))


@wrong("gaussian", told="exp missing")
def exponent_only(distance, sigma=1.0):
    return -(distance**2) / (2 * sigma**2)


@wrong("gaussian", told="sigma ignored")
def always_width_one(distance, sigma=1.0):
    return np.exp(-0.5 * distance**2)


@wrong("gaussian", told="density normalised")
def probability_density(distance, sigma=1.0):
    return np.exp(-(distance**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))


@wrong("gaussian", told="density normalised")
def density_with_sigma_under_the_root(distance, sigma=1.0):
    return np.exp(-(distance**2) / (2 * sigma**2)) / np.sqrt(2 * np.pi * sigma)


@wrong("gaussian", told="density normalised")
def density_of_width_one(distance, sigma=1.0):
    return np.exp(-(distance**2) / (2 * sigma**2)) / np.sqrt(2 * np.pi)


@wrong("gaussian", told="normalised to sum 1")
def weights_at_once(distance, sigma=1.0):
    values = np.exp(-(distance**2) / (2 * sigma**2))
    return values / values.sum()


@wrong("gaussian", told="summed")
def summed_up(distance, sigma=1.0):
    return np.sum(np.exp(-(distance**2) / (2 * sigma**2)))


@wrong("gaussian", told="exponential kernel")
def laplace(distance, sigma=1.0):
    return np.exp(-np.abs(distance) / sigma)


@wrong("gaussian", told="one minus kernel")
def grows_with_distance(distance, sigma=1.0):
    return 1 - np.exp(-(distance**2) / (2 * sigma**2))


@wrong("gaussian", told="cut to whole numbers")
def written_into_the_type_of_the_distance(distance, sigma=1.0):
    distance = np.asarray(distance)
    result = np.zeros_like(distance)
    result[...] = np.exp(-(distance**2) / (2 * sigma**2))
    return result


@wrong("gaussian", told="cut to zero")
def cut_at_three_sigma(distance, sigma=1.0):
    values = np.exp(-np.square(distance) / (2 * sigma**2))
    return np.where(distance > 3 * sigma, 0.0, values)


@wrong("gaussian", told=None, because="no formula gives rounded numbers")
def rounded(distance, sigma=1.0):
    return np.round(np.exp(-np.square(distance) / (2 * sigma**2)), 3)


@wrong("gaussian", told=INPUT_CHANGED)
def squared_in_place(distance, sigma=1.0):
    distance **= 2
    return np.exp(-distance / (2 * sigma**2))


@wrong("gaussian", told="single numbers only")
def numbers_only(distance, sigma=1.0):
    return math.exp(-(distance**2) / (2 * sigma**2))


@wrong("gaussian", told="sigma has no default")
def without_default(distance, sigma):
    return np.exp(-(distance**2) / (2 * sigma**2))


@wrong("gaussian", told="not in NumPy")
def in_tensorflow(distance, sigma=1.0):
    return tf.exp(-np.square(distance) / (2 * sigma**2))


@wrong("gaussian", told="flattened", slips=2, also=("not in NumPy",))
def as_a_list(distance, sigma=1.0):
    return [math.exp(-(d**2) / (2 * sigma**2)) for d in np.ravel(distance)]


@wrong("gaussian", told="flattened")
def flattened(distance, sigma=1.0):
    return np.exp(-(np.ravel(distance) ** 2) / (2 * sigma**2))


# Nadaraya-Watson regression, right


@correct("nadaraya_watson")
def broadcasting(q, k, v, kernel, sigma=1.0):
    distance = np.linalg.norm(q[:, None] - k[None], axis=-1)  # (n_q, n_k)
    closeness = kernel(distance, sigma)
    weights = closeness / closeness.sum(axis=1, keepdims=True)
    return weights @ v, weights


@correct("nadaraya_watson")
def number_by_number(q, k, v, kernel, sigma=1.0):
    (n_q, d), (n_k, d_v) = q.shape, v.shape
    weights, prediction = np.zeros((n_q, n_k)), np.zeros((n_q, d_v))
    for i in range(n_q):
        for j in range(n_k):
            distance = math.sqrt(sum((q[i, a] - k[j, a]) ** 2 for a in range(d)))
            weights[i, j] = kernel(distance, sigma)
        weights[i] /= sum(weights[i])
        for j in range(n_k):
            prediction[i] += weights[i, j] * v[j]
    return prediction, weights


@correct("nadaraya_watson")
def query_by_query(q, k, v, kernel, sigma=1.0):
    predictions, rows = [], []
    for query in q:
        closeness = kernel(distance=np.sqrt(((k - query) ** 2).sum(-1)), sigma=sigma)
        predictions.append(np.average(v, axis=0, weights=closeness))
        rows.append(closeness / np.sum(closeness))
    return np.stack(predictions), np.array(rows)


@correct("nadaraya_watson")
def expanded_square(q, k, v, kernel, sigma=1.0):
    squares = (q**2).sum(1)[:, None] + (k**2).sum(1)[None] - 2 * q @ k.T  # (n_q, n_k)
    closeness = kernel(np.sqrt(np.maximum(squares, 0)), sigma=sigma)
    weights = (closeness.T / closeness.sum(1)).T
    return np.einsum("qk,kv->qv", weights, v), weights


@correct("nadaraya_watson")
def with_scipy(q, k, v, kernel, sigma=1.0):
    closeness = kernel(cdist(q, k), sigma)
    total = np.dot(closeness, np.ones((len(k), 1)))  # (n_q, 1)
    return (closeness @ v) / total, closeness / total


@correct("nadaraya_watson")
def with_vectorised_kernel(q, k, v, kernel, sigma=1.0):
    differences = np.expand_dims(q, 1) - np.expand_dims(k, 0)  # (n_q, n_k, d)
    distances = np.sqrt(np.einsum("qkd,qkd->qk", differences, differences))
    closeness = np.vectorize(kernel)(distances, sigma)
    weights = np.divide(closeness, np.sum(closeness, axis=-1)[:, np.newaxis])
    return (weights[..., None] * v[None]).sum(axis=1), weights


@correct("nadaraya_watson")
def in_float32(q, k, v, kernel, sigma=1.0):
    q, k, v = (np.asarray(x, dtype=np.float32) for x in (q, k, v))
    closeness = kernel(np.hypot.reduce(q[:, None] - k, axis=-1), sigma)
    weights = np.exp(np.log(closeness) - np.log(closeness.sum(-1, keepdims=True)))
    return [np.matmul(weights, v), weights]


# Nadaraya-Watson regression, wrong


def _closeness(q, k, kernel, sigma):
    return kernel(np.linalg.norm(q[:, None] - k[None], axis=-1), sigma)


def _weights(q, k, kernel, sigma):
    closeness = _closeness(q, k, kernel, sigma)
    return closeness / closeness.sum(axis=1, keepdims=True)


def _finished(closeness, v):
    weights = closeness / closeness.sum(axis=1, keepdims=True)
    return weights @ v, weights


@wrong("nadaraya_watson", told=NOT_ATTEMPTED, slips=0)
def regression_stub(q, k, v, kernel, sigma=1.0):
    raise NotImplementedError("write your solution here")


@wrong("nadaraya_watson", told=NOT_ATTEMPTED, slips=0)
def regression_with_dots(q, k, v, kernel, sigma=1.0):
    prediction, attention_weights = ..., ...
    return prediction, attention_weights


@wrong("nadaraya_watson", told="normalised over queries")
def normalised_over_queries(q, k, v, kernel, sigma=1.0):
    closeness = _closeness(q, k, kernel, sigma)
    weights = closeness / closeness.sum(axis=0)
    return weights @ v, weights


@wrong("nadaraya_watson", told="normalised over everything")
def normalised_over_everything(q, k, v, kernel, sigma=1.0):
    closeness = _closeness(q, k, kernel, sigma)
    weights = closeness / closeness.sum()
    return weights @ v, weights


@wrong("nadaraya_watson", told="not normalised")
def not_normalised(q, k, v, kernel, sigma=1.0):
    closeness = _closeness(q, k, kernel, sigma)
    return closeness @ v, closeness


@wrong("nadaraya_watson", told="weights returned before normalising")
def returns_the_kernel(q, k, v, kernel, sigma=1.0):
    closeness = _closeness(q, k, kernel, sigma)
    return closeness @ v / closeness.sum(axis=1, keepdims=True), closeness


@wrong("nadaraya_watson", told="sum in place of mean")
def predicts_with_the_kernel(q, k, v, kernel, sigma=1.0):
    return _closeness(q, k, kernel, sigma) @ v, _weights(q, k, kernel, sigma)


@wrong("nadaraya_watson", told="divided by the number of keys")
def mean_of_weighted_values(q, k, v, kernel, sigma=1.0):
    weights = _weights(q, k, kernel, sigma)
    return (weights[..., None] * v[None]).mean(axis=1), weights


@wrong("nadaraya_watson", told="divided by the number of keys")
def normalised_by_the_number_of_keys(q, k, v, kernel, sigma=1.0):
    weights = _closeness(q, k, kernel, sigma) / len(k)
    return weights @ v, weights


@wrong("nadaraya_watson", told="weights transposed")
def keys_first(q, k, v, kernel, sigma=1.0):
    closeness = _closeness(k, q, kernel, sigma)
    weights = closeness / closeness.sum(axis=0)
    return weights.T @ v, weights


@wrong("nadaraya_watson", told="results swapped")
def weights_first(q, k, v, kernel, sigma=1.0):
    weights = _weights(q, k, kernel, sigma)
    return weights, weights @ v


@wrong("nadaraya_watson", told="keys used as values")
def averages_the_keys(q, k, v, kernel, sigma=1.0):
    weights = _weights(q, k, kernel, sigma)
    return weights @ k, weights


@wrong("nadaraya_watson", told="softmax of the kernel")
def softmax_of_the_kernel(q, k, v, kernel, sigma=1.0):
    return _finished(np.exp(_closeness(q, k, kernel, sigma)), v)


@wrong("nadaraya_watson", told="nearest key only")
def nearest_neighbour(q, k, v, kernel, sigma=1.0):
    weights = _weights(q, k, kernel, sigma)
    return v[weights.argmax(axis=1)], weights


@wrong("nadaraya_watson", told="squared distance")
def root_forgotten(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(((q[:, None] - k[None]) ** 2).sum(-1), sigma), v)


@wrong("nadaraya_watson", told="signed differences")
def signed_differences(q, k, v, kernel, sigma=1.0):
    return _finished(kernel((q[:, None] - k[None]).sum(-1), sigma), v)


@wrong("nadaraya_watson", told="one dimension only")
def only_on_a_line(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(np.abs(q - k.T), sigma), v)


@wrong("nadaraya_watson", told="Manhattan distance")
def manhattan_distance(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(cdist(q, k, "cityblock"), sigma), v)


@wrong("nadaraya_watson", told="averaged over dimensions")
def root_mean_square(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(np.sqrt(((q[:, None] - k[None]) ** 2).mean(-1)), sigma), v)


@wrong("nadaraya_watson", told="averaged over dimensions")
def mean_difference(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(np.abs(q[:, None] - k[None]).mean(-1), sigma), v)


@wrong("nadaraya_watson", told="largest difference only")
def chessboard_distance(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(cdist(q, k, "chebyshev"), sigma), v)


@wrong("nadaraya_watson", told="first dimension only")
def first_dimension(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(np.abs(q[:, :1] - k[:, 0]), sigma), v)


@wrong("nadaraya_watson", told="kernel for each dimension")
def product_kernel(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(np.abs(q[:, None] - k[None]), sigma).prod(-1), v)


@wrong("nadaraya_watson", told="kernel for each dimension")
def mean_kernel(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(np.abs(q[:, None] - k[None]), sigma).mean(-1), v)


@wrong("nadaraya_watson", told="dot product for distance")
def dot_product(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(q @ k.T, sigma), v)


@wrong("nadaraya_watson", told="kernel ignored")
def own_gaussian(q, k, v, kernel, sigma=1.0):
    return _finished(textbook(cdist(q, k), sigma), v)


@wrong("nadaraya_watson", told="sigma ignored")
def sigma_forgotten(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(cdist(q, k)), v)


@wrong("nadaraya_watson", told="sigma applied twice")
def sigma_twice(q, k, v, kernel, sigma=1.0):
    return _finished(kernel(cdist(q, k) / sigma, sigma), v)


@wrong("nadaraya_watson", told="weights not returned")
def prediction_only(q, k, v, kernel, sigma=1.0):
    return _weights(q, k, kernel, sigma) @ v


@wrong("nadaraya_watson", told="not in NumPy")
def lists(q, k, v, kernel, sigma=1.0):
    prediction, weights = broadcasting(q, k, v, kernel, sigma)
    return prediction.tolist(), weights.tolist()


@wrong("nadaraya_watson", told="summed over the values")
def prediction_summed_over_values(q, k, v, kernel, sigma=1.0):
    weights = _weights(q, k, kernel, sigma)
    return (weights @ v).sum(axis=-1), weights


@wrong("nadaraya_watson", told=INPUT_CHANGED)
def centres_the_keys_in_place(q, k, v, kernel, sigma=1.0):
    mean = k.mean(axis=0)
    k -= mean
    return broadcasting(q - mean, k, v, kernel, sigma)

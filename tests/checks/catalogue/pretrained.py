"""Implementations of the steps with pre-trained models, right and wrong."""

import heapq
import math

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression, Ridge

from tests.checks.catalogue import correct, wrong
from utilities.checks.kernel.case import NOT_ATTEMPTED, RAISED, WRONG_TYPE

# Top classes, right


@correct("top_classes")
def with_top_k(logits, k=5):
    probabilities, classes = tf.math.top_k(tf.nn.softmax(logits), k)
    return classes, probabilities


@correct("top_classes")
def with_argsort(logits, k=5):
    probabilities = tf.nn.softmax(logits, axis=-1).numpy()
    classes = np.argsort(-probabilities, axis=-1)[:, :k]
    return classes, np.take_along_axis(probabilities, classes, axis=-1)


@correct("top_classes")
def softmax_in_numpy(logits, k=5):
    logits = np.asarray(logits, dtype=np.float64)
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
    classes = probabilities.argsort(axis=-1)[:, ::-1][:, :k]
    return classes, np.take_along_axis(probabilities, classes, axis=1)


@correct("top_classes")
def image_by_image(logits, k=5):
    classes, probabilities = [], []
    for row in np.asarray(logits):
        shares = tf.nn.softmax(row).numpy().tolist()
        best = sorted(range(len(shares)), key=shares.__getitem__, reverse=True)[:k]
        classes.append(best)
        probabilities.append([shares[index] for index in best])
    return classes, probabilities


@correct("top_classes")
def with_gather(logits, k=5):
    classes = tf.argsort(logits, axis=-1, direction="DESCENDING")[..., :k]
    return classes, tf.gather(tf.nn.softmax(logits), classes, batch_dims=1)


# Top classes, wrong


@wrong("top_classes", told=NOT_ATTEMPTED, slips=0)
def top_classes_not_written(logits, k=5):
    raise NotImplementedError


@wrong("top_classes", told="no softmax")
def of_logits(logits, k=5):
    values, classes = tf.math.top_k(logits, k)
    return classes, values


@wrong("top_classes", told="log-softmax")
def of_log_softmax(logits, k=5):
    values, classes = tf.math.top_k(tf.nn.log_softmax(logits), k)
    return classes, values


@wrong("top_classes", told="sigmoid")
def of_sigmoids(logits, k=5):
    classes = np.argsort(-logits.numpy(), axis=-1)[:, :k]
    return classes, np.take_along_axis(tf.sigmoid(logits).numpy(), classes, axis=-1)


@wrong("top_classes", told="softmax over the images")
def softmax_over_axis_0(logits, k=5):
    classes = np.argsort(-logits.numpy(), axis=-1)[:, :k]
    return classes, np.take_along_axis(tf.nn.softmax(logits, axis=0).numpy(), classes, axis=-1)


@wrong("top_classes", told="softmax over the images")
def chosen_after_softmax_over_axis_0(logits, k=5):
    values, classes = tf.math.top_k(tf.nn.softmax(logits, axis=0), k)
    return classes, values


@wrong("top_classes", told="softmax over the whole batch")
def softmax_of_everything(logits, k=5):
    exponentials = np.exp(logits.numpy() - logits.numpy().max())
    values, classes = tf.math.top_k(exponentials / exponentials.sum(), k)
    return classes, values


@wrong("top_classes", told="softmax over the top k")
def chosen_before_softmax(logits, k=5):
    values, classes = tf.math.top_k(logits, k)
    return classes, tf.nn.softmax(values)


@wrong("top_classes", told="worst of the best first")
def last_k_of_argsort(logits, k=5):
    probabilities = tf.nn.softmax(logits).numpy()
    classes = np.argsort(probabilities, axis=-1)[:, -k:]
    return classes, np.take_along_axis(probabilities, classes, axis=-1)


@wrong("top_classes", told="least probable classes")
def first_k_of_argsort(logits, k=5):
    probabilities = tf.nn.softmax(logits).numpy()
    classes = np.argsort(probabilities, axis=-1)[:, :k]
    return classes, np.take_along_axis(probabilities, classes, axis=-1)


@wrong("top_classes", told="classes and probabilities do not match")
def sorted_apart(logits, k=5):
    probabilities = tf.nn.softmax(logits).numpy()
    return np.argsort(probabilities)[:, -k:], -np.sort(-probabilities)[:, :k]


@wrong("top_classes", told="ranks for classes")
def argsort_twice(logits, k=5):
    probabilities = tf.nn.softmax(logits).numpy()
    return np.argsort(np.argsort(-probabilities))[:, :k], -np.sort(-probabilities)[:, :k]


@wrong("top_classes", told="k ignored")
def all_classes(logits, k=5):
    values, classes = tf.math.top_k(tf.nn.softmax(logits), logits.shape[-1])
    return classes, values


@wrong("top_classes", told="first image only")
def first_image_only(logits, k=5):
    values, classes = tf.math.top_k(tf.nn.softmax(logits[0]), k)
    return classes, values


@wrong("top_classes", told="overflow")
def naive_softmax(logits, k=5):
    exponentials = np.exp(logits.numpy())
    values, classes = tf.math.top_k(exponentials / exponentials.sum(-1, keepdims=True), k)
    return classes, values


@wrong("top_classes", told=WRONG_TYPE, slips=0)
def classes_alone(logits, k=5):
    return tf.math.top_k(logits, k).indices


@wrong("top_classes", told="one maximum for the batch")
def maximum_of_the_batch(logits, k=5):
    exponentials = np.exp(logits.numpy() - logits.numpy().max())
    probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
    classes = np.argsort(-logits.numpy(), axis=-1)[:, :k]
    return classes, np.take_along_axis(probabilities, classes, axis=-1)


@wrong("top_classes", told="not sorted")
def partitioned(logits, k=5):
    probabilities = tf.nn.softmax(logits).numpy()
    classes = np.argpartition(-probabilities, k - 1, axis=-1)[:, :k]
    return classes, np.take_along_axis(probabilities, classes, axis=-1)


@wrong("top_classes", told="not sorted")
def in_the_order_of_their_numbers(logits, k=5):
    probabilities = tf.nn.softmax(logits).numpy()
    classes = np.sort(np.argsort(-probabilities, axis=-1)[:, :k], axis=-1)
    return classes, np.take_along_axis(probabilities, classes, axis=-1)


@wrong("top_classes", told="images turned round")
def images_turned_round(logits, k=5):
    probabilities = tf.nn.softmax(logits).numpy()
    classes = np.argsort(probabilities)[::-1][:, :k]
    return classes, np.take_along_axis(probabilities, classes, axis=1)


@wrong("top_classes", told="results swapped")
def as_top_k_has_them(logits, k=5):
    return tuple(tf.math.top_k(tf.nn.softmax(logits), k))


@wrong("top_classes", told="k ignored")
def always_five(logits, k=5):
    values, classes = tf.math.top_k(tf.nn.softmax(logits), min(5, logits.shape[-1]))
    return classes, values


@wrong("top_classes", told="wrong default")
def three_by_default(logits, k=3):
    values, classes = tf.math.top_k(tf.nn.softmax(logits), k)
    return classes, values


@wrong("top_classes", told="axis dropped")
def squeezed(logits, k=5):
    values, classes = tf.math.top_k(tf.nn.softmax(logits), k)
    return tf.squeeze(classes), tf.squeeze(values)


@wrong("top_classes", told="exponentials not normalised")
def not_divided(logits, k=5):
    values, classes = tf.math.top_k(tf.exp(logits - tf.reduce_max(logits, -1, keepdims=True)), k)
    return classes, values


@wrong("top_classes", told="softmax twice")
def softmax_twice(logits, k=5):
    values, classes = tf.math.top_k(tf.nn.softmax(tf.nn.softmax(logits)), k)
    return classes, values


@wrong("top_classes", told="softmax over the top k", slips=2, also=("results swapped",))
def chosen_first_and_turned(logits, k=5):
    values, classes = tf.math.top_k(logits, k)
    return tf.nn.softmax(values), classes


@wrong("top_classes", told=RAISED)
def partitioned_beyond_the_end(logits, k=5):
    probabilities = tf.nn.softmax(logits).numpy()
    classes = np.argpartition(-probabilities, k, axis=-1)[:, :k]
    order = np.argsort(-np.take_along_axis(probabilities, classes, axis=-1), axis=-1)
    classes = np.take_along_axis(classes, order, axis=-1)
    return classes, np.take_along_axis(probabilities, classes, axis=-1)


@correct("top_classes")
def over_the_logarithm_of_the_sum(logits, k=5):
    logits = logits - tf.reduce_logsumexp(logits, axis=-1, keepdims=True)
    values, classes = tf.math.top_k(logits, k)
    return classes, tf.exp(values)


@correct("top_classes")
def partitioned_then_sorted(logits, k=5):
    probabilities = tf.nn.softmax(logits).numpy()
    classes = np.argpartition(-probabilities, k - 1, axis=-1)[:, :k]
    order = np.argsort(-np.take_along_axis(probabilities, classes, axis=-1), axis=-1)
    classes = np.take_along_axis(classes, order, axis=-1)
    return classes, np.take_along_axis(probabilities, classes, axis=-1)


@correct("top_classes")
def in_one_array(logits, k=5):
    return np.array(with_argsort(logits, k))


# Attention rollout, right


@correct("attention_rollout")
def rolled_in_a_loop(attentions):
    rollout = np.eye(attentions[0].shape[-1])
    for attention in attentions:
        mean = attention.numpy().mean(axis=1)
        rollout = (0.5 * mean + 0.5 * np.eye(mean.shape[-1])) @ rollout
    return rollout


@correct("attention_rollout")
def rolled_with_tensorflow(attentions):
    layers = tf.reduce_mean(tf.stack(attentions), axis=2)
    layers += tf.eye(layers.shape[-1])
    layers /= tf.reduce_sum(layers, axis=-1, keepdims=True)
    rollout = layers[0]
    for layer in tf.unstack(layers)[1:]:
        rollout = layer @ rollout
    return rollout


@correct("attention_rollout")
def normalised_head_by_head(attentions):
    layers = np.stack([a.numpy() for a in attentions]) + np.eye(attentions[0].shape[-1])
    layers = (layers / layers.sum(axis=-1, keepdims=True)).mean(axis=2)
    rollout = layers[-1]
    for layer in layers[-2::-1]:
        rollout = np.einsum("bij,bjk->bik", rollout, layer)
    return rollout


@correct("attention_rollout")
def image_by_image_with_multi_dot(attentions):
    images = []
    for image in range(attentions[0].shape[0]):
        steps = [a[image].numpy().mean(0) / 2 + np.eye(a.shape[-1]) / 2 for a in attentions]
        images.append(np.linalg.multi_dot(steps[::-1]) if len(steps) > 1 else steps[0])
    return np.array(images)


@correct("attention_rollout")
def rolled_recursively(attentions):
    *earlier, last = attentions
    step = (tf.reduce_mean(last, axis=1) + tf.eye(last.shape[-1])) / 2
    return step @ rolled_recursively(earlier) if earlier else step


# Attention rollout, wrong


def _roll(attentions, step, start=0):
    rollout = step(attentions[start].numpy())
    for attention in attentions[start + 1 :]:
        rollout = step(attention.numpy()) @ rollout
    return rollout


def _mixed(weights):
    return (weights + np.eye(weights.shape[-1])) / 2


@wrong("attention_rollout", told=NOT_ATTEMPTED, slips=0)
def rollout_returns_nothing(attentions):
    _roll(attentions, lambda a: _mixed(a.mean(axis=1)))


@wrong("attention_rollout", told="no residual")
def without_identity(attentions):
    return _roll(attentions, lambda a: a.mean(axis=1))


@wrong("attention_rollout", told="not normalised")
def without_normalising(attentions):
    return _roll(attentions, lambda a: a.mean(axis=1) + np.eye(a.shape[-1]))


@wrong("attention_rollout", told="order of layers")
def multiplied_from_the_right(attentions):
    return _roll(attentions[::-1], lambda a: _mixed(a.mean(axis=1)))


@wrong("attention_rollout", told="largest head")
def max_of_heads(attentions):
    def step(attention):
        mixed = attention.max(axis=1) + np.eye(attention.shape[-1])
        return mixed / mixed.sum(axis=-1, keepdims=True)

    return _roll(attentions, step)


@wrong("attention_rollout", told="largest head, rows not normalised")
def max_of_heads_halved(attentions):
    return _roll(attentions, lambda a: _mixed(a.max(axis=1)))


@wrong("attention_rollout", told="heads summed")
def sum_of_heads(attentions):
    def step(attention):
        mixed = attention.sum(axis=1) + np.eye(attention.shape[-1])
        return mixed / mixed.sum(axis=-1, keepdims=True)

    return _roll(attentions, step)


@wrong("attention_rollout", told="one head only")
def first_head(attentions):
    return _roll(attentions, lambda a: _mixed(a[:, 0]))


@wrong("attention_rollout", told="columns normalised")
def wrong_axis(attentions):
    def step(attention):
        mixed = attention.mean(axis=1) + np.eye(attention.shape[-1])
        return mixed / mixed.sum(axis=1, keepdims=True)

    return _roll(attentions, step)


@wrong("attention_rollout", told="transposed")
def transposed(attentions):
    return _roll(attentions, lambda a: _mixed(a.mean(axis=1))).transpose(0, 2, 1)


@wrong("attention_rollout", told="identity at the end")
def identity_once(attentions):
    return _mixed(_roll(attentions, lambda a: a.mean(axis=1)))


@wrong("attention_rollout", told="entry by entry")
def star_for_at(attentions):
    rollout = 1.0
    for attention in attentions:
        rollout = rollout * _mixed(attention.numpy().mean(axis=1))
    return rollout


@wrong("attention_rollout", told="last layer only")
def last_layer(attentions):
    return _mixed(attentions[-1].numpy().mean(axis=1))


@wrong("attention_rollout", told="first layer only")
def returned_inside_the_loop(attentions):
    for attention in attentions:
        return _mixed(attention.numpy().mean(axis=1))


@wrong("attention_rollout", told="first layer left out")
def starts_at_the_second(attentions):
    rollout = np.stack([np.eye(attentions[0].shape[-1])] * attentions[0].shape[0])
    for attention in attentions[1:]:
        rollout = _mixed(attention.numpy().mean(axis=1)) @ rollout
    return rollout


@wrong("attention_rollout", told="layers averaged")
def mean_of_layers(attentions):
    return np.mean([_mixed(a.numpy().mean(axis=1)) for a in attentions], axis=0)


@wrong("attention_rollout", told="heads kept")
def heads_kept(attentions):
    return _roll(attentions, _mixed)


@wrong("attention_rollout", told="class token only")
def class_token_only(attentions):
    return _roll(attentions, lambda a: _mixed(a.mean(axis=1)))[:, 0, 1:]


@wrong("attention_rollout", told="divided by the whole sum")
def divided_by_the_whole_sum(attentions):
    def step(attention):
        mixed = attention.mean(axis=1) + np.eye(attention.shape[-1])
        return mixed / mixed.sum(axis=(1, 2), keepdims=True)

    return _roll(attentions, step)


@wrong("attention_rollout", told="not normalised")
def half_of_one_term(attentions):
    return _roll(attentions, lambda a: 0.5 * a.mean(axis=1) + np.eye(a.shape[-1]))


@wrong("attention_rollout", told="ones for the identity")
def ones_for_the_identity(attentions):
    return _roll(attentions, lambda a: 0.5 * a.mean(axis=1) + 0.5)


@wrong("attention_rollout", told="images averaged")
def mean_over_axis_0(attentions):
    return _roll(attentions, lambda a: _mixed(a.mean(axis=0)))


@wrong("attention_rollout", told="identity subtracted")
def minus_the_identity(attentions):
    return _roll(attentions, lambda a: (a.mean(axis=1) - np.eye(a.shape[-1])) / 2)


@wrong("attention_rollout", told="wrong axis averaged")
def mean_without_an_axis(attentions):
    return _roll(attentions, lambda a: _mixed(np.full(a.shape[-2:], a.mean())))


@wrong("attention_rollout", told="first layer twice")
def starts_with_the_first_and_takes_it_again(attentions):
    rollout = _mixed(attentions[0].numpy().mean(axis=1))
    for attention in attentions:
        rollout = _mixed(attention.numpy().mean(axis=1)) @ rollout
    return rollout


@wrong("attention_rollout", told="last layer left out")
def ends_before_the_last(attentions):
    rollout = np.eye(attentions[0].shape[-1])[np.newaxis].repeat(len(attentions[0]), axis=0)
    for attention in attentions[:-1]:
        rollout = _mixed(attention.numpy().mean(axis=1)) @ rollout
    return rollout


@wrong("attention_rollout", told="first layer left out")
def starts_at_the_second_and_knows_one_layer_alone(attentions):
    rollout = _mixed(attentions[1].numpy().mean(axis=1))
    for attention in attentions[2:]:
        rollout = _mixed(attention.numpy().mean(axis=1)) @ rollout
    return rollout


@wrong(
    "attention_rollout", told="order of layers", slips=2, also=("largest head, rows not normalised",)
)
def wrong_order_of_the_largest_heads(attentions):
    return _roll(attentions[::-1], lambda a: _mixed(a.max(axis=1)))


@wrong("attention_rollout", told=None, because="every number has the wrong shares")
def a_tenth_for_the_residual(attentions):
    return _roll(attentions, lambda a: 0.9 * a.mean(axis=1) + 0.1 * np.eye(a.shape[-1]))


# Linear probe, right


@correct("fit_linear_probe")
def centred(features, labels, num_classes, penalty=1.0):
    targets = np.eye(num_classes)[np.ravel(labels)]
    mean = features.mean(axis=0)
    x, y = features - mean, targets - targets.mean(axis=0)
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return weights, targets.mean(axis=0) - mean @ weights


@correct("fit_linear_probe")
def column_of_ones(features, labels, num_classes, penalty=1.0):
    x = np.hstack([features, np.ones((len(features), 1))]).astype(np.float64)
    y = (np.reshape(labels, (-1, 1)) == np.arange(num_classes)).astype(np.float64)
    penalties = np.diag([penalty] * features.shape[1] + [0.0])
    solution = np.linalg.inv(x.T @ x + penalties) @ x.T @ y
    return solution[:-1], solution[-1]


@correct("fit_linear_probe")
def by_scikit_learn(features, labels, num_classes, penalty=1.0):
    targets = np.eye(num_classes)[np.asarray(labels).reshape(-1)]
    model = Ridge(alpha=penalty).fit(features, targets)
    return model.coef_.T, model.intercept_


@correct("fit_linear_probe")
def by_least_squares_on_more_rows(features, labels, num_classes, penalty=1.0):
    n, d = features.shape
    targets = tf.one_hot(np.ravel(labels), num_classes, dtype=tf.float64).numpy()
    x = np.block([[features, np.ones((n, 1))], [np.sqrt(penalty) * np.eye(d), np.zeros((d, 1))]])
    y = np.concatenate([targets, np.zeros((d, num_classes))])
    solution, *_ = np.linalg.lstsq(x, y, rcond=None)
    return solution[:d], solution[d]


@correct("fit_linear_probe")
def with_tensorflow(features, labels, num_classes, penalty=1.0):
    x = tf.cast(features, tf.float64)
    y = tf.one_hot(tf.cast(tf.reshape(labels, [-1]), tf.int32), num_classes, dtype=tf.float64)
    x_mean, y_mean = tf.reduce_mean(x, axis=0), tf.reduce_mean(y, axis=0)
    weights = tf.linalg.lstsq(x - x_mean, y - y_mean, l2_regularizer=penalty)
    return weights, y_mean - tf.linalg.matvec(weights, x_mean, transpose_a=True)


# Linear probe, wrong


def _one_hot(labels, num_classes):
    return np.eye(num_classes)[np.ravel(labels)]


def _ridge(x, y, penalty):
    mean = x.mean(axis=0)
    centred = x - mean
    gram = centred.T @ centred + penalty * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (y - y.mean(axis=0)))
    return weights, y.mean(axis=0) - mean @ weights


@wrong("fit_linear_probe", told=NOT_ATTEMPTED, slips=0)
def probe_not_written(features, labels, num_classes, penalty=1.0):
    raise NotImplementedError("Write your code here")


@wrong("fit_linear_probe", told="bias penalised")
def penalises_the_bias(features, labels, num_classes, penalty=1.0):
    x = np.hstack([features, np.ones((len(features), 1))])
    gram = x.T @ x + penalty * np.eye(x.shape[1])
    solution = np.linalg.solve(gram, x.T @ _one_hot(labels, num_classes))
    return solution[:-1], solution[-1]


@wrong("fit_linear_probe", told="no bias")
def without_bias(features, labels, num_classes, penalty=1.0):
    gram = features.T @ features + penalty * np.eye(features.shape[1])
    return np.linalg.solve(gram, features.T @ _one_hot(labels, num_classes)), np.zeros(num_classes)


@wrong("fit_linear_probe", told="bias fitted apart")
def bias_afterwards(features, labels, num_classes, penalty=1.0):
    targets = _one_hot(labels, num_classes)
    gram = features.T @ features + penalty * np.eye(features.shape[1])
    return np.linalg.solve(gram, features.T @ targets), targets.mean(axis=0)


@wrong("fit_linear_probe", told="bias without the features' mean")
def bias_is_the_mean_target(features, labels, num_classes, penalty=1.0):
    targets = _one_hot(labels, num_classes)
    return _ridge(features, targets, penalty)[0], targets.mean(axis=0)


@wrong("fit_linear_probe", told="bias forgotten")
def bias_zero(features, labels, num_classes, penalty=1.0):
    return _ridge(features, _one_hot(labels, num_classes), penalty)[0], np.zeros(num_classes)


@wrong("fit_linear_probe", told="no penalty")
def plain_least_squares(features, labels, num_classes, penalty=1.0):
    x = np.hstack([features, np.ones((len(features), 1))])
    solution, *_ = np.linalg.lstsq(x, _one_hot(labels, num_classes), rcond=None)
    return solution[:-1], solution[-1]


@wrong("fit_linear_probe", told="penalty times n")
def mean_squared_error(features, labels, num_classes, penalty=1.0):
    return _ridge(features, _one_hot(labels, num_classes), penalty * len(features))


@wrong("fit_linear_probe", told="penalty squared")
def penalty_squared(features, labels, num_classes, penalty=1.0):
    return _ridge(features, _one_hot(labels, num_classes), penalty**2)


@wrong("fit_linear_probe", told="penalty halved")
def factor_two(features, labels, num_classes, penalty=1.0):
    return _ridge(features, _one_hot(labels, num_classes), penalty / 2)


@wrong("fit_linear_probe", told="targets of −1 and 1")
def plus_minus_one(features, labels, num_classes, penalty=1.0):
    return _ridge(features, 2 * _one_hot(labels, num_classes) - 1, penalty)


@wrong("fit_linear_probe", told="features standardised")
def forgets_to_scale_back(features, labels, num_classes, penalty=1.0):
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    return _ridge(scaled, _one_hot(labels, num_classes), penalty)


@wrong("fit_linear_probe", told="numbers of the classes as targets")
def numbers_as_targets(features, labels, num_classes, penalty=1.0):
    return _ridge(features, np.reshape(labels, (-1, 1)).astype(float), penalty)


@wrong("fit_linear_probe", told="weights transposed")
def weights_transposed(features, labels, num_classes, penalty=1.0):
    weights, bias = _ridge(features, _one_hot(labels, num_classes), penalty)
    return weights.T, bias


@wrong("fit_linear_probe", told="classes that occur")
def classes_that_occur(features, labels, num_classes, penalty=1.0):
    _, labels = np.unique(labels, return_inverse=True)
    return _ridge(features, np.eye(labels.max() + 1)[np.ravel(labels)], penalty)


@wrong("fit_linear_probe", told="labels in a row only")
def labels_in_a_row_only(features, labels, num_classes, penalty=1.0):
    return _ridge(features, np.eye(num_classes)[labels], penalty)


@wrong("fit_linear_probe", told="wrong default")
def default_penalty_of_ten(features, labels, num_classes, penalty=10.0):
    return _ridge(features, _one_hot(labels, num_classes), penalty)


@wrong("fit_linear_probe", told="penalty ignored")
def penalty_of_one(features, labels, num_classes, penalty=1.0):
    return _ridge(features, _one_hot(labels, num_classes), 1.0)


def _penalty_everywhere(solve, features, labels, num_classes, penalty):
    """Fit with the penalty on every entry: singular with fewer samples than features."""
    targets, mean = _one_hot(labels, num_classes), features.mean(axis=0)
    x = (features - mean).astype(np.float64)
    weights = solve(x.T @ x + penalty, x.T @ targets)
    return weights, targets.mean(axis=0) - mean @ weights


@wrong("fit_linear_probe", told="penalty added to every entry")
def identity_forgotten(features, labels, num_classes, penalty=1.0):
    return _penalty_everywhere(
        lambda gram, right: np.linalg.pinv(gram) @ right, features, labels, num_classes, penalty
    )


@wrong("fit_linear_probe", told="penalty added to every entry")
def identity_forgotten_and_solved(features, labels, num_classes, penalty=1.0):
    # It stops or not, as rounding has it.
    return _penalty_everywhere(np.linalg.solve, features, labels, num_classes, penalty)


@wrong("fit_linear_probe", told="penalty added to every entry")
def identity_forgotten_and_refused(features, labels, num_classes, penalty=1.0):
    if len(features) < features.shape[1]:
        raise np.linalg.LinAlgError("Singular matrix")
    return _penalty_everywhere(np.linalg.solve, features, labels, num_classes, penalty)


@wrong("fit_linear_probe", told="penalty over n")
def mean_of_products(features, labels, num_classes, penalty=1.0):
    return _ridge(features, _one_hot(labels, num_classes), penalty / len(features))


@wrong("fit_linear_probe", told="sign of the bias")
def mean_features_added(features, labels, num_classes, penalty=1.0):
    targets = _one_hot(labels, num_classes)
    weights, _ = _ridge(features, targets, penalty)
    return weights, targets.mean(axis=0) + features.mean(axis=0) @ weights


@wrong("fit_linear_probe", told="bias without the targets' mean")
def mean_targets_forgotten(features, labels, num_classes, penalty=1.0):
    weights, _ = _ridge(features, _one_hot(labels, num_classes), penalty)
    return weights, -features.mean(axis=0) @ weights


@wrong("fit_linear_probe", told="bias fitted apart")
def features_not_centred(features, labels, num_classes, penalty=1.0):
    targets = _one_hot(labels, num_classes)
    gram = features.T @ features + penalty * np.eye(features.shape[1])
    weights = np.linalg.solve(gram, features.T @ (targets - targets.mean(axis=0)))
    return weights, targets.mean(axis=0) - features.mean(axis=0) @ weights


@wrong("fit_linear_probe", told="results swapped")
def bias_first(features, labels, num_classes, penalty=1.0):
    return _ridge(features, _one_hot(labels, num_classes), penalty)[::-1]


@wrong("fit_linear_probe", told="bias in a row of its own")
def bias_keeps_its_axis(features, labels, num_classes, penalty=1.0):
    weights, bias = _ridge(features, _one_hot(labels, num_classes), penalty)
    return weights, bias[np.newaxis]


@wrong("fit_linear_probe", told="no penalty", slips=2, also=("targets of −1 and 1",))
def least_squares_of_plus_minus_one(features, labels, num_classes, penalty=1.0):
    return _ridge(features, 2 * _one_hot(labels, num_classes) - 1, 1e-12)


@wrong("fit_linear_probe", told=None, because="another loss: every number differs")
def by_logistic_regression(features, labels, num_classes, penalty=1.0):
    model = LogisticRegression(C=1 / penalty, max_iter=500).fit(features, np.ravel(labels))
    return model.coef_.T, model.intercept_


@correct("fit_linear_probe")
def in_single_precision(features, labels, num_classes, penalty=1.0):
    x = np.hstack([features, np.ones((len(features), 1), np.float32)])
    y = np.eye(num_classes, dtype=np.float32)[np.ravel(labels)]
    penalties = np.diag([penalty] * features.shape[1] + [0.0]).astype(np.float32)
    solution = np.linalg.inv(x.T @ x + penalties) @ (x.T @ y)
    return solution[:-1], solution[-1]


# Beam search, right


@correct("beam_search")
def sorted_candidates(log_probabilities, num_beams, max_length, end_token):
    beams = [([], 0.0)]
    for _ in range(max_length):
        candidates = []
        for tokens, score in beams:
            if tokens and tokens[-1] == end_token:
                candidates.append((tokens, score))
                continue
            for token, step in enumerate(log_probabilities(tokens)):
                candidates.append((tokens + [token], score + step))
        beams = sorted(candidates, key=lambda beam: beam[1], reverse=True)[:num_beams]
    return beams[0]


@correct("beam_search")
def with_a_heap(log_probabilities, num_beams, max_length, end_token):
    beams = [(0.0, ())]
    while any(len(t) < max_length and (not t or t[-1] != end_token) for _, t in beams):
        found = []
        for score, tokens in beams:
            if tokens and tokens[-1] == end_token:
                found.append((score, tokens))
            else:
                steps = log_probabilities(list(tokens))
                found += [(score + float(s), (*tokens, t)) for t, s in enumerate(steps)]
        beams = heapq.nlargest(num_beams, found)
    score, tokens = beams[0]
    return list(tokens), score


@correct("beam_search")
def finished_aside(log_probabilities, num_beams, max_length, end_token):
    beams, finished = [([], 0.0)], []
    for _ in range(max_length):
        candidates = [
            (tokens + [token], score + step)
            for tokens, score in beams
            for token, step in enumerate(log_probabilities(tokens))
        ]
        candidates.sort(key=lambda beam: -beam[1])
        finished += [beam for beam in candidates[:num_beams] if beam[0][-1] == end_token]
        beams = [beam for beam in candidates if beam[0][-1] != end_token][:num_beams]
    return max(finished + beams, key=lambda beam: beam[1])


@correct("beam_search")
def with_arrays(log_probabilities, num_beams, max_length, end_token):
    sequences, scores = [np.zeros(0, dtype=int)], np.zeros(1)
    for _ in range(max_length):
        rows = []
        for sequence, score in zip(sequences, scores, strict=True):
            done = len(sequence) and sequence[-1] == end_token
            steps = np.asarray(log_probabilities(sequence)) if not done else None
            rows.append(np.array([score]) if done else score + steps)
        owners = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        token = np.concatenate([np.arange(len(row)) if len(row) > 1 else [-1] for row in rows])
        flat = np.concatenate(rows)
        best = np.argsort(-flat)[:num_beams]
        sequences = [
            np.append(sequences[owners[i]], token[i]).astype(int)
            if token[i] >= 0
            else sequences[owners[i]]
            for i in best
        ]
        scores = flat[best]
    return sequences[0], scores[0]


@correct("beam_search")
def stops_when_the_best_has_ended(log_probabilities, num_beams, max_length, end_token):
    beams = {(): 0.0}
    for _ in range(max_length):
        candidates = {}
        for tokens, score in beams.items():
            if tokens[-1:] == (end_token,):
                candidates[tokens] = score
            else:
                for token, step in enumerate(log_probabilities(list(tokens))):
                    candidates[(*tokens, token)] = score + float(step)
        beams = dict(sorted(candidates.items(), key=lambda item: -item[1])[:num_beams])
        best = next(iter(beams))
        if best[-1] == end_token:
            break
    return list(best), beams[best]


# Beam search, wrong


def _search(
    log_probabilities, num_beams, max_length, end_token, key=lambda tokens, score: score, ended=None
):
    ended = ended or (lambda tokens: bool(tokens) and tokens[-1] == end_token)
    beams = [([], 0.0)]
    for _ in range(max_length):
        found = []
        for tokens, score in beams:
            if ended(tokens):
                found.append((tokens, score))
                continue
            steps = log_probabilities(tokens)
            found += [(tokens + [token], score + float(step)) for token, step in enumerate(steps)]
        beams = sorted(found, key=lambda beam: -key(*beam))[:num_beams]
    return beams


@wrong("beam_search", told=NOT_ATTEMPTED, slips=0)
def search_not_written(log_probabilities, num_beams, max_length, end_token):
    raise NotImplementedError


@wrong("beam_search", told="greedy")
def greedy(log_probabilities, num_beams, max_length, end_token):
    tokens, score = [], 0.0
    while len(tokens) < max_length and (not tokens or tokens[-1] != end_token):
        steps = log_probabilities(tokens)
        tokens.append(int(np.argmax(steps)))
        score += float(np.max(steps))
    return tokens, score


@wrong("beam_search", told="one child a beam after the first step")
def beams_that_never_meet(log_probabilities, num_beams, max_length, end_token):
    first = log_probabilities([])
    found = []
    for start in np.argsort(-first)[:num_beams]:
        tokens, score = [int(start)], float(first[start])
        while len(tokens) < max_length and tokens[-1] != end_token:
            steps = log_probabilities(tokens)
            tokens.append(int(np.argmax(steps)))
            score += float(np.max(steps))
        found.append((tokens, score))
    return max(found, key=lambda beam: beam[1])


@wrong("beam_search", told="end token ignored")
def never_ends(log_probabilities, num_beams, max_length, end_token):
    return _search(log_probabilities, num_beams, max_length, end_token, ended=lambda tokens: False)[0]


@wrong("beam_search", told="end token cut off")
def without_end_token(log_probabilities, num_beams, max_length, end_token):
    tokens, score = _search(log_probabilities, num_beams, max_length, end_token)[0]
    return [token for token in tokens if token != end_token], score


@wrong("beam_search", told="first finished")
def first_to_finish(log_probabilities, num_beams, max_length, end_token):
    for length in range(1, max_length + 1):
        beams = _search(log_probabilities, num_beams, length, end_token)
        for tokens, score in beams:
            if tokens[-1] == end_token:
                return tokens, score
    return beams[0]


@wrong("beam_search", told="probabilities added")
def adds_probabilities(log_probabilities, num_beams, max_length, end_token):
    return _search(lambda t: np.exp(log_probabilities(t)), num_beams, max_length, end_token)[0]


@wrong("beam_search", told="ranked by mean")
def ranked_by_mean(log_probabilities, num_beams, max_length, end_token):
    return _search(
        log_probabilities,
        num_beams,
        max_length,
        end_token,
        lambda tokens, score: score / len(tokens),
    )[0]


@wrong("beam_search", told="mean returned")
def returns_the_mean(log_probabilities, num_beams, max_length, end_token):
    tokens, score = _search(log_probabilities, num_beams, max_length, end_token)[0]
    return tokens, score / len(tokens)


@wrong("beam_search", told="probability returned")
def returns_a_probability(log_probabilities, num_beams, max_length, end_token):
    tokens, score = _search(log_probabilities, num_beams, max_length, end_token)[0]
    return tokens, math.exp(score)


@wrong("beam_search", told="sign of the score")
def returns_a_cost(log_probabilities, num_beams, max_length, end_token):
    tokens, score = _search(log_probabilities, num_beams, max_length, end_token)[0]
    return tokens, -score


@wrong("beam_search", told="worst beam returned")
def last_beam(log_probabilities, num_beams, max_length, end_token):
    return _search(log_probabilities, num_beams, max_length, end_token)[-1]


@wrong("beam_search", told="one token short")
def one_token_short(log_probabilities, num_beams, max_length, end_token):
    return _search(log_probabilities, num_beams, max_length - 1, end_token)[0]


@wrong("beam_search", told="one token long")
def one_token_long(log_probabilities, num_beams, max_length, end_token):
    return _search(log_probabilities, num_beams, max_length + 1, end_token)[0]


@wrong("beam_search", told=WRONG_TYPE, slips=0)
def tokens_alone(log_probabilities, num_beams, max_length, end_token):
    return np.array(_search(log_probabilities, num_beams, max_length, end_token)[0][0])


@wrong("beam_search", told=RAISED, slips=0)
def for_ever(log_probabilities, num_beams, max_length, end_token):
    tokens = []
    while True:
        tokens = [int(np.argmax(log_probabilities(tokens)))]


@wrong("beam_search", told="finished preferred")
def finished_before_better(log_probabilities, num_beams, max_length, end_token):
    beams = _search(log_probabilities, num_beams, max_length, end_token)
    finished = [beam for beam in beams if beam[0][-1] == end_token]
    return (finished or beams)[0]


@wrong("beam_search", told="stopped at the first ending")
def stops_when_any_has_ended(log_probabilities, num_beams, max_length, end_token):
    for length in range(1, max_length + 1):
        beams = _search(log_probabilities, num_beams, length, end_token)
        if any(tokens[-1] == end_token for tokens, _ in beams):
            break
    return beams[0]


def _expanding(log_probabilities, num_beams, max_length, end_token, expand):
    """Search; `expand(candidates, beams, finished)` makes a beam of sorted candidates."""
    beams, finished = [([], 0.0)], []
    for _ in range(max_length):
        found = [
            (tokens + [token], score + float(step))
            for tokens, score in beams
            for token, step in enumerate(log_probabilities(tokens))
        ]
        beams = expand(sorted(found, key=lambda beam: -beam[1]), finished)
    return max(beams + finished, key=lambda beam: beam[1])


@wrong("beam_search", told="finished beams hold their place")
def the_beam_shrinks(log_probabilities, num_beams, max_length, end_token):
    def expand(found, finished):
        beams = []
        for beam in found:
            if len(beams) + len(finished) < num_beams:
                (finished if beam[0][-1] == end_token else beams).append(beam)
        return beams

    return _expanding(log_probabilities, num_beams, max_length, end_token, expand)


@wrong("beam_search", told="finished beams lost")
def drops_what_has_ended(log_probabilities, num_beams, max_length, end_token):
    def expand(found, finished):
        return [beam for beam in found if beam[0][-1] != end_token][:num_beams]

    return _expanding(log_probabilities, num_beams, max_length, end_token, expand)


@wrong("beam_search", told="two children a beam")
def two_children_a_beam(log_probabilities, num_beams, max_length, end_token):
    beams = [([], 0.0)]
    for _ in range(max_length):
        found = []
        for tokens, score in beams:
            if tokens and tokens[-1] == end_token:
                found.append((tokens, score))
                continue
            steps = log_probabilities(tokens)
            found += [(tokens + [int(t)], score + float(steps[t])) for t in np.argsort(-steps)[:2]]
        beams = sorted(found, key=lambda beam: -beam[1])[:num_beams]
    return beams[0]


@wrong("beam_search", told="last tokens asked about alone")
def asks_about_the_last_token(log_probabilities, num_beams, max_length, end_token):
    return _search(lambda t: log_probabilities(t[-1:]), num_beams, max_length, end_token)[0]


@wrong("beam_search", told="last tokens asked about alone")
def asks_about_the_last_two_tokens(log_probabilities, num_beams, max_length, end_token):
    return _search(lambda t: log_probabilities(t[-2:]), num_beams, max_length, end_token)[0]


@wrong("beam_search", told="logarithms multiplied")
def products_of_costs(log_probabilities, num_beams, max_length, end_token):
    beams = [([], 1.0)]
    for _ in range(max_length):
        found = []
        for tokens, cost in beams:
            if tokens and tokens[-1] == end_token:
                found.append((tokens, cost))
                continue
            steps = log_probabilities(tokens)
            found += [(tokens + [token], cost * -float(step)) for token, step in enumerate(steps)]
        beams = sorted(found, key=lambda beam: beam[1])[:num_beams]
    return beams[0]


@wrong("beam_search", told="length penalty")
def with_a_length_penalty(log_probabilities, num_beams, max_length, end_token):
    def key(tokens, score):
        return score / ((5 + len(tokens)) / 6) ** 0.6

    return _search(log_probabilities, num_beams, max_length, end_token, key)[0]


@wrong("beam_search", told="ranked by mean", slips=2, also=("mean returned",))
def mean_throughout(log_probabilities, num_beams, max_length, end_token):
    tokens, score = ranked_by_mean(log_probabilities, num_beams, max_length, end_token)
    return tokens, score / len(tokens)


@wrong("beam_search", told="one beam too many")
def one_beam_too_many(log_probabilities, num_beams, max_length, end_token):
    return _search(log_probabilities, num_beams + 1, max_length, end_token)[0]


@wrong("beam_search", told="one beam too few")
def one_beam_too_few(log_probabilities, num_beams, max_length, end_token):
    return _search(log_probabilities, max(num_beams - 1, 1), max_length, end_token)[0]


@wrong("beam_search", told="results swapped")
def score_first(log_probabilities, num_beams, max_length, end_token):
    return _search(log_probabilities, num_beams, max_length, end_token)[0][::-1]


@wrong("beam_search", told=RAISED)
def as_many_beams_as_it_asks(log_probabilities, num_beams, max_length, end_token):
    """np.argpartition stops where there are fewer candidates than beams."""
    beams = [([], 0.0)]
    for _ in range(max_length):
        found = []
        for tokens, score in beams:
            if tokens and tokens[-1] == end_token:
                found.append((tokens, score))
                continue
            steps = log_probabilities(tokens)
            found += [(tokens + [token], score + float(step)) for token, step in enumerate(steps)]
        scores = np.array([score for _, score in found])
        chosen = np.argpartition(-scores, min(num_beams, len(found) + num_beams) - 1)[:num_beams]
        beams = sorted((found[i] for i in chosen), key=lambda beam: -beam[1])
    return beams[0]


@wrong("beam_search", told="all sequences kept", because="most cases stop: it asks too often")
def keeps_every_sequence(log_probabilities, num_beams, max_length, end_token):
    return _search(log_probabilities, 10**9, max_length, end_token)[0]


@correct("beam_search")
def continues_what_has_ended(log_probabilities, num_beams, max_length, end_token):
    """A waste: what comes of a finished sequence ranks behind it, and never before a better one."""
    beams = [([], 0.0)]
    for _ in range(max_length):
        found = [beam for beam in beams if beam[0][-1:] == [end_token]]
        for tokens, score in beams:
            steps = log_probabilities(tokens)
            found += [(tokens + [token], score + float(step)) for token, step in enumerate(steps)]
        beams = sorted(found, key=lambda beam: -beam[1])[:num_beams]
    return beams[0]


@wrong("beam_search", told="wrong start")
def starts_at_one(log_probabilities, num_beams, max_length, end_token):
    tokens, score = _search(log_probabilities, num_beams, max_length, end_token)[0]
    return tokens, 1.0 + score


@correct("beam_search")
def stops_when_all_have_ended(log_probabilities, num_beams, max_length, end_token):
    for length in range(1, max_length + 1):
        beams = _search(log_probabilities, num_beams, length, end_token)
        if all(tokens[-1] == end_token for tokens, _ in beams):
            break
    return np.array(beams[0][0]), np.float64(beams[0][1])


@correct("beam_search")
def num_beams_children_are_enough(log_probabilities, num_beams, max_length, end_token):
    beams = [([], 0.0)]
    for _ in range(max_length):
        found = []
        for tokens, score in beams:
            if tokens and tokens[-1] == end_token:
                found.append((tokens, score))
                continue
            steps = log_probabilities(tokens)
            best = np.argsort(-steps)[:num_beams]
            found += [(tokens + [int(t)], score + float(steps[t])) for t in best]
        beams = sorted(found, key=lambda beam: -beam[1])[:num_beams]
    return beams[0]

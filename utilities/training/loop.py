"""Data sets that do not hang, training, and the accuracy that came out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.training.profiles import Training


def make_dataset(
    data: tuple[np.ndarray, np.ndarray], batch_size: int, shuffle: bool = False
) -> tf.data.Dataset:
    """Return batches of (images, labels) for `fit`, `evaluate` and `predict`.

    Images (n, …) and labels (n, …) of any further shape; a batch holds `batch_size` of each.
    Autotuning is off: `model.fit` can otherwise hang after its last step, when the tuning thread
    misses its wake-up. `shuffle` draws a new order in each epoch.
    """
    images, labels = data
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    if shuffle:
        dataset = dataset.shuffle(len(images), reshuffle_each_iteration=True)
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.batch(batch_size).prefetch(2).with_options(options)


def train(
    model: tf_keras.Model,
    training_data: tuple[np.ndarray, np.ndarray],
    validation_data: tuple[np.ndarray, np.ndarray],
    training: Training,
    learning_rate: float | tf_keras.optimizers.schedules.LearningRateSchedule | None = None,
    callbacks: Sequence[tf_keras.callbacks.Callback] = (),
    optimizer: tf_keras.optimizers.Optimizer | None = None,
) -> tf_keras.callbacks.History:
    """Train a classifier that returns logits, and return its history.

    AdamW on sparse cross-entropy; the history holds `accuracy` and `top_5_accuracy`, both also for
    the validation data under `val_…`. Data are pairs of images (n, H, W, C) and labels (n,) or
    (n, 1). Without a `learning_rate` the settings' own is used from the first to the last step; an
    `optimizer` takes the place of AdamW, learning rate and weight decay.
    """
    model.compile(
        optimizer=optimizer
        or tf_keras.optimizers.AdamW(
            training.learning_rate if learning_rate is None else learning_rate,
            weight_decay=training.weight_decay,
        ),
        loss=tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            "accuracy",
            tf_keras.metrics.SparseTopKCategoricalAccuracy(5, name="top_5_accuracy"),
        ],
    )
    return model.fit(
        make_dataset(training_data, training.batch_size, shuffle=True),
        validation_data=make_dataset(validation_data, 256),
        epochs=training.epochs,
        callbacks=list(callbacks),
        verbose=0,
    )


def accuracy_of(model: tf_keras.Model, data: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the share of images (n, H, W, C) whose largest logit is at the label (n, 1) or (n,)."""
    logits = model.predict(make_dataset(data, 500), verbose=0)  # (n, num_classes)
    return float(np.mean(np.argmax(logits, axis=-1) == np.ravel(data[1])))

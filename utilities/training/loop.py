"""Data sets that do not hang, and training."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.training.profiles import Training
from utilities.training.schedules import learning_rate_schedule


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
    callbacks: Sequence[tf_keras.callbacks.Callback] = (),
    optimizer: tf_keras.optimizers.Optimizer | None = None,
) -> tf_keras.callbacks.History:
    """Train a classifier that returns logits, and return its history.

    AdamW on sparse cross-entropy; the history holds `accuracy` and `top_5_accuracy`, both also for
    the validation data under `val_…`. Data are pairs of images (n, H, W, C) and labels (n,) or
    (n, 1). The settings say whether the learning rate follows a schedule, and whether the weights
    best on validation are restored at the end. An `optimizer` takes the place of AdamW, learning rate
    and weight decay.
    """
    model.compile(
        optimizer=optimizer
        or tf_keras.optimizers.AdamW(
            learning_rate_schedule(training, len(training_data[0])),
            weight_decay=training.weight_decay,
        ),
        loss=tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            "accuracy",
            tf_keras.metrics.SparseTopKCategoricalAccuracy(5, name="top_5_accuracy"),
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        best = Path(folder) / "best.weights.h5"
        keep = tf_keras.callbacks.ModelCheckpoint(
            best, monitor="val_accuracy", save_best_only=True, save_weights_only=True
        )
        history = model.fit(
            make_dataset(training_data, training.batch_size, shuffle=True),
            validation_data=make_dataset(validation_data, 256),
            epochs=training.epochs,
            callbacks=[*callbacks, *([keep] if training.restore_best else [])],
            verbose=0,
        )
        if training.restore_best:
            model.load_weights(best)
    return history

"""Data sets that do not hang, and training."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.training.augmentation import Mix, mixed, one_hot
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
    mix: Mix | None = None,
) -> tf_keras.callbacks.History:
    """Train a classifier that returns logits, and return its history.

    AdamW on sparse cross-entropy; the history holds `accuracy` and `top_5_accuracy`, both also for
    the validation data under `val_…`. Data are pairs of images (n, H, W, C) and labels (n,) or
    (n, 1). The settings say whether the learning rate follows a schedule, and whether the weights
    best on validation are restored at the end. An `optimizer` takes the place of AdamW, learning rate
    and weight decay. `mix`, such as `mixup`, mixes the images of each training batch and their labels;
    the training's own accuracy then counts how often the larger share is recognised.
    """
    training_batches = make_dataset(training_data, training.batch_size, shuffle=True)
    validation_batches = make_dataset(validation_data, 256)
    loss, top_5 = (
        tf_keras.losses.SparseCategoricalCrossentropy,
        tf_keras.metrics.SparseTopKCategoricalAccuracy,
    )
    if mix is not None:  # labels are shares of classes
        num_classes = model.output_shape[-1]
        training_batches = mixed(one_hot(training_batches, num_classes), mix)
        validation_batches = one_hot(validation_batches, num_classes)
        loss, top_5 = (
            tf_keras.losses.CategoricalCrossentropy,
            tf_keras.metrics.TopKCategoricalAccuracy,
        )
    model.compile(
        optimizer=optimizer
        or tf_keras.optimizers.AdamW(
            learning_rate_schedule(training, len(training_data[0])),
            weight_decay=training.weight_decay,
        ),
        loss=loss(from_logits=True),
        metrics=["accuracy", top_5(5, name="top_5_accuracy")],
    )
    with tempfile.TemporaryDirectory() as folder:
        best = Path(folder) / "best.weights.h5"
        keep = tf_keras.callbacks.ModelCheckpoint(
            best, monitor="val_accuracy", save_best_only=True, save_weights_only=True
        )
        history = model.fit(
            training_batches,
            validation_data=validation_batches,
            epochs=training.epochs,
            callbacks=[*callbacks, *([keep] if training.restore_best else [])],
            verbose=0,
        )
        if training.restore_best:
            model.load_weights(best)
    return history

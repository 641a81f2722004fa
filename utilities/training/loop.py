"""What the training cells share: data sets, augmentation, learning-rate schedule, model sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.python.ops.resource_variable_ops import UninitializedVariable  # has no public name
from tf_keras import layers

from utilities.training.profiles import Training, ViTSize

CIFAR10_SHAPE = (32, 32, 3)
CIFAR10_NUM_CLASSES = 10


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


def crop_and_flip(pixels: int = 4) -> tf_keras.Sequential:
    """Return augmentation for training: each image shifted by up to `pixels`, half of them mirrored.

    Images of 32×32 pixels, (B, 32, 32, C) in and out; what is shifted in is 0, the mean colour of
    standardised images. At inference the images pass unchanged.
    """
    share = pixels / CIFAR10_SHAPE[0]
    return tf_keras.Sequential(
        [
            layers.RandomTranslation(share, share, fill_mode="constant", interpolation="nearest"),
            layers.RandomFlip("horizontal"),
        ],
        name="crop_and_flip",
    )


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


class LearningRateLog(tf_keras.callbacks.Callback):
    """Writes down in `rates` the learning rate that the optimiser used in each step."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.rates.append(float(self.model.optimizer.learning_rate))


def learning_rate_schedule(
    training: Training, num_samples: int
) -> tf_keras.optimizers.schedules.LearningRateSchedule:
    """Return a schedule that rises linearly during the warm-up and then falls along a cosine to 0.

    Source: Loshchilov and Hutter, "SGDR", 2017, arXiv 1608.03983, for the cosine.
    """
    steps_per_epoch = -(-num_samples // training.batch_size)
    warmup_steps = round(training.warmup_epochs * steps_per_epoch)
    decay_steps = training.epochs * steps_per_epoch - warmup_steps
    if warmup_steps == 0:
        return tf_keras.optimizers.schedules.CosineDecay(training.learning_rate, decay_steps)
    return tf_keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps, warmup_target=training.learning_rate, warmup_steps=warmup_steps
    )


def vit_arguments(size: ViTSize) -> dict[str, Any]:
    """Return the arguments that `create_vit_classifier` needs for a CIFAR-10 model of this size."""
    arguments = dict(vars(size))
    arguments["mlp_classification_head_units"] = list(size.mlp_classification_head_units)
    return {"input_shape": CIFAR10_SHAPE, "num_classes": CIFAR10_NUM_CLASSES, **arguments}


def count_parameters(create_model: Callable[..., tf_keras.Model], **arguments: Any) -> int:
    """Return the number of parameters of a model, without memory for its weights.

    The weights get a shape and no values: 371 million of them would otherwise take 1.5 GB.
    """
    with tf.variable_creator_scope(_sketch_variable):
        return create_model(**arguments).count_params()


def _sketch_variable(next_creator: Callable[..., tf.Variable], **settings: Any) -> tf.Variable:
    """Make a variable without values where Keras states its shape, as it does for every weight."""
    if settings.get("shape") is None or settings.get("dtype") is None:
        return next_creator(**settings)
    stated = ("trainable", "name", "dtype", "shape")
    return UninitializedVariable(**{name: settings.get(name) for name in stated})

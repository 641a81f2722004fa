"""Learning rates over the steps of a training: set, written down, and taken in logarithm."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tf_keras

from utilities.training.profiles import Training

NAME = "learning_rate_schedule"  # of the kit's schedules, by which a check knows them


def learning_rate_schedule(
    training: Training, num_samples: int
) -> float | tf_keras.optimizers.schedules.LearningRateSchedule:
    """Return a schedule that rises linearly during the warm-up and then falls along a cosine to 0.

    Where the training is not scheduled, its learning rate, the same in each step.
    Source: Loshchilov and Hutter, "SGDR", 2017, arXiv 1608.03983, for the cosine.
    """
    if not training.scheduled:
        return training.learning_rate
    steps_per_epoch = -(-num_samples // training.batch_size)
    warmup_steps = round(training.warmup_epochs * steps_per_epoch)
    decay_steps = training.epochs * steps_per_epoch - warmup_steps
    if warmup_steps == 0:
        return tf_keras.optimizers.schedules.CosineDecay(training.learning_rate, decay_steps, name=NAME)
    return tf_keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps, name=NAME, warmup_target=training.learning_rate, warmup_steps=warmup_steps
    )


def step_in_logarithm(
    optimizer: tf_keras.optimizers.Optimizer, weights: Sequence[tf.Variable]
) -> tf_keras.optimizers.Optimizer:
    """Have an optimiser move some positive weights as if their logarithms were what it trains.

    What it would add to such a weight is added to its logarithm. Adam's steps are about as large as
    the learning rate, whatever they are added to: a weight of 8 moves 8 times as far like this, and
    none can become negative.
    """
    chosen = {weight.ref() for weight in weights}
    usual = optimizer.update_step

    def update_step(gradient: tf.Tensor, variable: tf.Variable) -> None:
        before = tf.identity(variable)
        usual(gradient, variable)
        if variable.ref() in chosen:
            variable.assign(before * tf.exp(variable - before))

    optimizer.update_step = update_step
    return optimizer


class LearningRateLog(tf_keras.callbacks.Callback):
    """Writes down in `rates` the learning rate that the optimiser used in each step."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.rates.append(float(self.model.optimizer.learning_rate))

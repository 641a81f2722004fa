"""Learning rates over the steps of a training: set, and written down."""

from __future__ import annotations

import tf_keras

from utilities.training.profiles import Training


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


class LearningRateLog(tf_keras.callbacks.Callback):
    """Writes down in `rates` the learning rate that the optimiser used in each step."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.rates.append(float(self.model.optimizer.learning_rate))

"""Training beside a teacher: student and teacher see the very same augmented images."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tf_keras

DistillationLoss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


class DistilledModel(tf_keras.Model):
    """A student that `train` trains on labels and on a teacher's logits for the same images.

    Args:
        student: from images (B, H, W, C) to logits (B, K); without random augmentation of its own.
        teacher: from the same images to logits (B, K); asked at inference, and left as it is.
        augmentation: a layer that changes images at random, once for both.
        loss: labels (B,) and logits (B, K) of student and teacher → (B,), whose mean is minimised.

    The history's `loss` is the one that the model is compiled with, not the one that is minimised: so
    the curves of runs with and without a teacher show the same thing.
    Source: Hinton et al. 2015, arXiv 1503.02531; Beyer et al. 2022, arXiv 2106.05237, on why both must
    see the same crop.
    """

    def __init__(
        self,
        student: tf_keras.Model,
        teacher: tf_keras.Model,
        augmentation: tf_keras.layers.Layer,
        loss: DistillationLoss,
    ) -> None:
        super().__init__()
        self.student = student
        # functions: Keras would train and save with the student whatever model is an attribute
        self._augmented = lambda images: augmentation(images, training=True)
        self._taught = lambda images: teacher(images, training=False)
        self._loss_with_teacher = loss

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return self.student(images, training=training)

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        images, labels = self._augmented(data[0]), tf.cast(tf.reshape(data[1], [-1]), tf.int32)
        teacher_logits = self._taught(images)  # (B, K)
        with tf.GradientTape() as tape:
            logits = self(images, training=True)  # (B, K)
            loss = tf.reduce_mean(self._loss_with_teacher(labels, logits, teacher_logits))
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self.compiled_loss(labels, logits)  # noted for the history
        return self.compute_metrics(images, labels, logits, None)

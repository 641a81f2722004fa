"""A student beside a teacher: who is trained, by what, and on which images."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.training.distillation import DistilledModel
from utilities.training.loop import train
from utilities.training.profiles import Training

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 4, 1), dtype=np.uint8)
LABELS = (np.arange(12, dtype=np.uint8) % 3)[:, None]  # of 3 classes, in a column as CIFAR has them
ONE_EPOCH = Training(1, 4, 1e-2, scheduled=False)


class Noted(layers.Layer):
    """Hands images on, plus a number drawn at random in training, and keeps what came last."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def call(self, images, training=None):
        images = tf.cast(images, tf.float32)
        if training:
            images += tf.random.uniform((), 1.0, 9.0)
        self.seen.append(images)
        return images


def classifier(*first):
    images = tf_keras.Input((4, 4, 1))
    x = images
    for layer in first:
        x = layer(x)
    return tf_keras.Model(images, layers.Dense(3)(layers.Flatten()(layers.Rescaling(1 / 255)(x))))


def squared(labels, student_logits, teacher_logits):
    return tf.reduce_sum((student_logits - teacher_logits) ** 2, axis=-1)


@pytest.fixture
def pair():
    tf_keras.utils.set_random_seed(3)
    return classifier(), classifier(layers.BatchNormalization(), layers.Dropout(0.5))


def test_train_moves_the_student_and_leaves_the_teacher_as_it_is(pair):
    student, teacher = pair
    before, taught = student.get_weights(), teacher.get_weights()
    model = DistilledModel(student, teacher, layers.RandomFlip(), squared)
    train(model, (IMAGES, LABELS), (IMAGES, LABELS), ONE_EPOCH)
    assert not any(map(np.array_equal, before, student.get_weights()))
    assert all(map(np.array_equal, taught, teacher.get_weights()))
    assert [v.name for v in model.weights] == [v.name for v in student.weights]
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), student.predict(IMAGES, verbose=0))


def test_the_student_comes_to_agree_with_its_teacher(pair):
    student, teacher = pair

    def apart():
        return float(tf.reduce_mean(squared(None, student(IMAGES), teacher(IMAGES))))

    before = apart()
    model = DistilledModel(student, teacher, layers.Identity(), squared)
    train(model, (IMAGES, LABELS), (IMAGES, LABELS), Training(30, 4, 3e-2, scheduled=False))
    assert apart() < 0.1 * before


def test_both_see_the_same_images_changed_once():
    augmentation, of_student, of_teacher = Noted(), Noted(), Noted()

    class Seeing(tf_keras.Model):
        def __init__(self, eyes):
            super().__init__()
            self.eyes, self.rest = eyes, classifier()

        def call(self, images, training=None):
            return self.rest(self.eyes(images, training=False))

    model = DistilledModel(Seeing(of_student), Seeing(of_teacher), augmentation, squared)
    model.compile(
        "sgd", tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True
    )
    model.train_on_batch(IMAGES, LABELS)
    changed, student, teacher = (noted.seen[-1] for noted in (augmentation, of_student, of_teacher))
    assert len(augmentation.seen) == 1 and np.all(changed > IMAGES.astype(np.float32))
    np.testing.assert_array_equal(student, changed)
    np.testing.assert_array_equal(teacher, changed)


def test_the_loss_gets_labels_in_a_row_and_the_history_shows_that_of_the_labels(pair):
    shapes = []

    def noting(labels, student_logits, teacher_logits):
        shapes.append((labels.dtype, labels.shape.rank, student_logits.shape, teacher_logits.shape))
        return 0.0 * squared(labels, student_logits, teacher_logits)

    student, teacher = pair
    model = DistilledModel(student, teacher, layers.Identity(), noting)
    history = train(model, (IMAGES, LABELS), (IMAGES, LABELS), ONE_EPOCH).history
    assert set(shapes) == {(tf.int32, 1, (None, 3), (None, 3))}
    np.testing.assert_allclose(history["loss"], history["val_loss"], rtol=1e-5)  # nothing was learned
    assert {"accuracy", "val_accuracy", "top_5_accuracy"} <= set(history)

"""What the settings of a training say is what it does."""

import numpy as np
import pytest
import tf_keras

from utilities import LearningRateLog, train
from utilities.training.profiles import Training

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(12, 3)).astype("float32"), RNG.integers(0, 6, 12)


def model_of_one_layer():
    tf_keras.utils.set_random_seed(0)
    return tf_keras.Sequential([tf_keras.layers.Dense(6)])


@pytest.mark.parametrize(
    "settings, expected",
    [
        (Training(2, 4, 0.5, scheduled=False), [0.5] * 6),
        (Training(2, 4, 0.5), 0.25 * (1 + np.cos(np.pi * np.arange(6) / 6))),
    ],
)
def test_the_rate_is_constant_or_follows_the_schedule(settings, expected):
    log = LearningRateLog()
    train(model_of_one_layer(), DATA, DATA, settings, callbacks=[log])
    np.testing.assert_allclose(log.rates, expected, atol=1e-6)


def test_the_best_weights_are_restored_where_the_settings_say_so():
    """Under a rate that ruins everything the first epoch is not the last one's equal."""
    accuracies = {}
    for restore in (False, True):
        model = model_of_one_layer()
        settings = Training(8, 4, 3.0, scheduled=False, restore_best=restore)
        history = train(model, DATA, DATA, settings)
        accuracies[restore] = model.evaluate(*DATA, verbose=0)[1]
    best, last = max(history.history["val_accuracy"]), history.history["val_accuracy"][-1]
    assert best > last, "the run must get worse for this test to see anything"
    assert accuracies == {False: pytest.approx(last), True: pytest.approx(best)}


def test_mixed_images_are_trained_on_soft_labels_and_validated_on_whole_ones():
    """With a mix that leaves everything as it is, the losses are those of training without one."""
    settings = Training(2, 12, 0.5, scheduled=False)
    plain = train(model_of_one_layer(), DATA, DATA, settings).history
    model = model_of_one_layer()
    model.build((None, 3))
    soft = train(
        model, DATA, DATA, settings, mix=lambda images, labels, draws: (images, labels)
    ).history
    assert soft.keys() == plain.keys()
    for name, values in plain.items():
        np.testing.assert_allclose(soft[name], values, atol=1e-5, err_msg=name)

"""The meter as a Keras callback, and the small CNN."""

import numpy as np
import pytest
import tf_keras

from utilities.energy import EnergyMeter
from utilities.models.small_cnn import build_small_cnn

SETTINGS = {"simulate": {"cpu": 100.0}, "update_interval": 0.001}


class Events(tf_keras.callbacks.Callback):
    """Lets 36 s pass in each epoch; interrupts in the epoch that is named."""

    def __init__(self, clock, interrupt_in=None):
        super().__init__()
        self.clock, self.interrupt_in = clock, interrupt_in

    def on_train_batch_end(self, batch, logs=None):
        self.clock.advance(36.0)
        if self.epoch == self.interrupt_in:
            raise KeyboardInterrupt

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch


def fit(callbacks, epochs=2):
    model = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(2,))])
    model.compile(loss="mse", run_eagerly=True)
    data = np.zeros((4, 2), "float32"), np.zeros((4, 1), "float32")
    model.fit(*data, batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks)


def epoch_wh(report):
    return [span.kwh["cpu"] * 1000 for span in report.epochs]


def test_callback_alone_meters_the_epochs(clock):
    meter = EnergyMeter("run", **SETTINGS)
    fit([meter.callback(), Events(clock)])
    assert not meter.running and not meter.report.interrupted
    assert epoch_wh(meter.report) == pytest.approx([1.0, 1.0])


def test_callback_inside_a_block_keeps_the_rest_apart(clock):
    with EnergyMeter("run", **SETTINGS) as meter:
        clock.advance(72.0)
        fit([meter.callback(), Events(clock)], epochs=3)
    assert epoch_wh(meter.report) == pytest.approx([1.0] * 3)
    assert meter.report.outside_epochs.kwh["cpu"] * 1000 == pytest.approx(2.0)


def test_interrupted_training_keeps_its_report(clock):
    """Keras calls no on_train_end then."""
    meter = EnergyMeter("run", **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        fit([meter.callback(), Events(clock, interrupt_in=1)])
    assert meter.report.interrupted
    assert epoch_wh(meter.report) == pytest.approx([1.0, 1.0])


def test_small_cnn_gives_logits_and_has_122570_parameters():
    model = build_small_cnn((32, 32, 3), 10)
    assert model.count_params() == 122_570
    images = np.random.default_rng(0).random((2, 32, 32, 3), dtype="float32")
    logits = model(images).numpy()
    assert logits.shape == (2, 10) and (logits < 0).any()
    assert model.layers[-1].activation is tf_keras.activations.linear


def test_small_cnn_at_other_sizes():
    assert build_small_cnn((18, 20, 1), 3).output_shape == (None, 3)
    rescaling = tf_keras.Sequential([tf_keras.layers.Rescaling(2)])
    augmented = build_small_cnn((32, 32, 3), 10, rescaling)
    assert augmented.count_params() == 122_570
    with pytest.raises(ValueError, match="18x18 at least"):
        build_small_cnn((17, 32, 3), 10)

"""What the training checks stand on: the real tracker's interface, and a place left as it was."""

import inspect
import logging
import os
from pathlib import Path

import pytest
import tensorflow as tf
import tf_keras
from carbontracker.tracker import CarbonTracker

import utilities
from tests.checks.catalogue import training as catalogue
from utilities.checks.kernel.training.carbon_tracker_callback import FakeTracker


def test_fake_tracker_has_the_real_ones_methods():
    methods = [name for name, _ in inspect.getmembers(FakeTracker, inspect.isfunction)]
    assert set(methods) - {"__init__"} == {"epoch_start", "epoch_end", "stop"}
    for name in set(methods) - {"__init__"}:
        real = inspect.signature(getattr(CarbonTracker, name))
        assert inspect.signature(getattr(FakeTracker, name)).parameters.keys() == (
            real.parameters.keys()
        )


def test_right_callback_drives_a_real_tracker():
    tracker = utilities.make_tracker(epochs=5, simulate={"cpu": 100.0})
    model = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse", run_eagerly=True)
    data = tf.ones((2, 2)), tf.ones((2, 1))
    model.fit(*data, epochs=3, callbacks=[catalogue.Textbook(tracker)], verbose=0)
    assert len(tracker.report.epochs) == 3


def test_check_leaves_everything_as_it_was(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    iterate = tf.data.Dataset.__iter__
    report = utilities.test_run_experiment.report(catalogue.with_checkpoint)
    assert report.passed, str(report)
    assert capfd.readouterr() == ("", "")
    assert Path.cwd() == tmp_path and os.listdir(tmp_path) == []
    assert tf.data.Dataset.__iter__ is iterate and not tf.config.functions_run_eagerly()


@pytest.mark.parametrize(
    "silence", [lambda: logging.disable(), lambda: tf.get_logger().setLevel("ERROR")]
)
def test_hears_what_keras_says_of_a_missing_quantity_also_where_logging_is_silenced(silence):
    level = tf.get_logger().level
    silence()
    try:
        report = utilities.test_run_experiment.report(catalogue.quantity_of_another_name)
    finally:
        logging.disable(logging.NOTSET)
        tf.get_logger().setLevel(level)
    assert report.mistakes == ["no such quantity"]

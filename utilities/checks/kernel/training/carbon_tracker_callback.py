"""Train a little with a callback that drives a tracker, and write down who is called when."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel.case import NOT_ATTEMPTED, WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, describe, from_keras_3
from utilities.checks.kernel.training.protocol import CALLS, MOMENTS
from utilities.checks.kernel.training.workshop import workshop

# What a run itself does, in words; between these moments stand the calls of the tracker.
HOOKS = [name for name in dir(tf_keras.callbacks.Callback) if name.startswith("on_")]


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return for each of the tracker's methods the run's moments and its calls, in their order.

    is_callback: is it one of Keras'; of_keras_3: is it one of Keras 3; unknown: a method that the
    tracker does not have, empty where none is called.
    """
    unknown, events = "", list[str]()
    try:
        callback = _tracked_run(implementation, case, events, lenient=False)
    except AttributeError as error:
        if not isinstance(error.obj, FakeTracker):
            raise
        unknown, events = str(error.name), []
        callback = _tracked_run(implementation, case, events, lenient=True)
    others = {name: {*MOMENTS.values(), name} for name in CALLS}
    return {
        **{name: np.array([e for e in events if e in others[name]], dtype=str) for name in CALLS},
        "is_callback": np.array(isinstance(callback, tf_keras.callbacks.Callback)),
        "of_keras_3": np.array(bool(from_keras_3(callback))),
        "unknown": np.array(unknown[:40]),
    }


class FakeTracker:
    """carbontracker's interface, which writes down when it is used."""

    def __init__(self, events: list[str], epochs: int):
        self._events = events
        self.epochs = epochs
        self.epoch_counter = 0

    def epoch_start(self) -> None:
        self.epoch_counter += 1
        self._events.append("epoch_start")

    def epoch_end(self) -> None:
        self._events.append("epoch_end")

    def stop(self) -> None:
        self._events.append("stop")


class LenientTracker(FakeTracker):
    """Takes methods that it does not have, so that the other calls are seen."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


class Stopper(tf_keras.callbacks.Callback):
    """Stops a run at the end of an epoch or, where a batch is given, after that batch."""

    def __init__(self, epoch: int, batch: int):
        super().__init__()
        self.epoch, self.batch = epoch, batch

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.current = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if (self.current, batch) == (self.epoch, self.batch):
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == self.epoch:
            self.model.stop_training = True


class _Idle(tf_keras.Sequential):
    """Goes through a run and learns nothing: when callbacks are called is all that is looked at."""

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"loss": tf.constant(0.0)}

    test_step = train_step


class _Adopted(tf_keras.callbacks.Callback):
    """An object with some of a callback's methods, where it is no callback of Keras."""

    def __init__(self, other: Any):
        super().__init__()
        for hook in HOOKS:
            if hasattr(other, hook):
                setattr(self, hook, getattr(other, hook))
        self.other = other

    def set_params(self, params: dict) -> None:
        super().set_params(params)
        self.other.params = params


def _tracked_run(implementation: Any, case: Case, events: list[str], lenient: bool) -> Any:
    """Train as the case says, and return the callback."""
    tracker = (LenientTracker if lenient else FakeTracker)(events, case["epochs"])
    callback = implementation(tracker)
    if not any(hasattr(callback, hook) for hook in HOOKS):
        raise _not_a_callback(callback)
    is_callback = isinstance(callback, tf_keras.callbacks.Callback)
    stopper = Stopper(case["stop_epoch"], case["stop_batch"])
    with workshop():
        model = _Idle([tf_keras.layers.Dense(1, input_shape=(2,))])
        model.compile("sgd", "mse")
        x, y = np.ones((case["batches"], 1, 2)), np.ones((case["batches"], 1, 1))
        data = tf.data.Dataset.from_tensor_slices((x, y))
        model.fit(
            data,
            epochs=case["epochs"],
            validation_data=data if case["validation"] else None,
            callbacks=[_diary(events), callback if is_callback else _Adopted(callback), stopper],
            verbose=0,
        )
    return callback


def _diary(events: list[str]) -> tf_keras.callbacks.Callback:
    """Return a callback that writes the run's own moments between the calls of the tracker."""
    callback = tf_keras.callbacks.Callback()
    for hook, words in MOMENTS.items():
        setattr(callback, f"on_{hook}", lambda *_, words=words: events.append(words))
    return callback


def _not_a_callback(value: Any) -> Stopped:
    if value is None:
        return Stopped(
            NOT_ATTEMPTED, "CarbonTrackerCallback(tracker) gives None: nothing is there yet."
        )
    return Stopped(
        WRONG_TYPE,
        f"CarbonTrackerCallback(tracker) gives {describe(value)}, not a Keras callback: "
        "derive your class from tf_keras.callbacks.Callback.",
    )

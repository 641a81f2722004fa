"""Let implementations train a tiny model, and write down what the model and the tracker see."""

import contextlib
import gc
import io
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel.case import NOT_ATTEMPTED, WRONG_TYPE, WRONG_VALUE, Case
from utilities.checks.kernel.observing import Stopped, describe
from utilities.checks.training.signs import IMAGE, RUN_SIGNS, SETS, TRACKER_SIGNS

ACCURACIES = ("accuracy", "acc", "sparse_categorical_accuracy")


@dataclass(frozen=True)
class Call:
    """One call of the model: in training or not, with which images, made with which weights."""

    training: bool
    images: np.ndarray
    kernel: np.ndarray


@tf_keras.utils.register_keras_serializable("checks")
class ObservedClassifier(tf_keras.layers.Layer):
    """Logits, linear in the flattened image; writes every eager call down in `calls`.

    Registered and free of anything that cannot be saved, so that models with it can be saved and
    loaded in any format.
    """

    calls: ClassVar[list[Call]] = []

    def __init__(self, classes: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.classes = classes

    def build(self, input_shape: tf.TensorShape) -> None:
        pixels = int(np.prod(input_shape[1:]))
        self.kernel = self.add_weight("kernel", (pixels, self.classes))

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if tf.executing_eagerly():
            self.calls.append(Call(bool(training), images.numpy(), self.kernel.numpy()))
        return tf.reshape(images, (-1, self.kernel.shape[0])) @ self.kernel

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}


class EpochEnds(tf_keras.callbacks.Callback):
    """Counts the epochs that it is told of."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.count += 1


def run_experiment(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return every call of the model, its weights in the end, and the history that came back.

    calls_training (c,): was the call one in training; calls_seen (c, n): how often it saw each
    sample, those of the training, validation and test data in turn; calls_kernel (c, p, C): the
    weights it was made with; kernel (p, C): the weights in the end; constants: the optimiser's;
    epoch_ends: how many the callback was told of; returned: what came back, empty where it is a
    history.
    """
    with _workshop() as folder:
        return _observed_run(implementation, case, folder)


def carbon_tracker_callback(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return what happened in a run, event by event: character codes of the signs in `cases`."""
    events: list[str] = []
    with _workshop():
        _tracked_run(implementation, case, events)
    return {"events": np.frombuffer("".join(events).encode(), np.uint8)}


def _tracked_run(implementation: Any, case: Case, events: list[str]) -> None:
    callback = implementation(FakeTracker(events, case["epochs"]))
    if not isinstance(callback, tf_keras.callbacks.Callback):
        raise _not_a_callback(callback)
    model = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    x, y = np.ones((case["batches"], 2)), np.ones((case["batches"], 1))
    stopper = Stopper(case["stop_epoch"], case["stop_batch"])
    model.fit(
        x,
        y,
        batch_size=1,
        epochs=case["epochs"],
        validation_data=(x, y) if case["validation"] else None,
        callbacks=[_diary(events), callback, stopper],
        verbose=0,
    )


def _observed_run(implementation: Any, case: Case, folder: Path) -> dict[str, np.ndarray]:
    model, epoch_ends = _classifier(case["kernel"]), EpochEnds()
    data = [(case[f"x_{name}"], case[f"y_{name}"]) for name in SETS[:2]]
    ObservedClassifier.calls.clear()
    result = implementation(model, *data, **_settings(case, epoch_ends, folder))
    calls = list(ObservedClassifier.calls)
    _refuse_untrained(calls, result, model, case)
    images = np.concatenate([case[f"x_{name}"] for name in SETS if f"x_{name}" in case.inputs])
    return {
        "calls_training": np.array([call.training for call in calls]),
        "calls_seen": np.array([_times_seen(images, call.images) for call in calls]),
        "calls_kernel": np.array([call.kernel for call in calls]),
        "kernel": _kernel_of(model),
        "constants": _constants(model),
        "epoch_ends": np.array(epoch_ends.count),
        **_history(result),
    }


class FakeTracker:
    """carbontracker's interface, which writes down when it is used."""

    def __init__(self, events: list[str], epochs: int):
        self._events = events
        self.epochs = epochs
        self.epoch_counter = 0

    def epoch_start(self) -> None:
        self.epoch_counter += 1
        self._events.append(TRACKER_SIGNS["epoch_start"])

    def epoch_end(self) -> None:
        self._events.append(TRACKER_SIGNS["epoch_end"])

    def stop(self) -> None:
        self._events.append(TRACKER_SIGNS["stop"])


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


def _diary(events: list[str]) -> tf_keras.callbacks.Callback:
    """Return a callback that writes the events of the run itself between those of the tracker."""
    callback = tf_keras.callbacks.Callback()
    for event, sign in RUN_SIGNS.items():
        setattr(callback, f"on_{event}", lambda *_, sign=sign: events.append(sign))
    return callback


def _not_a_callback(value: Any) -> Stopped:
    if value is None:
        return Stopped(
            NOT_ATTEMPTED,
            "CarbonTrackerCallback(tracker) gives None: nothing is there yet.",
        )
    return Stopped(
        WRONG_TYPE,
        f"CarbonTrackerCallback(tracker) gives {describe(value)}, not a Keras callback: "
        "derive your class from tf_keras.callbacks.Callback.",
    )


def _classifier(kernel: np.ndarray) -> tf_keras.Model:
    classes = kernel.shape[-1]
    images = tf_keras.Input(IMAGE)  # (B, 2, 3, 1)
    model = tf_keras.Model(images, ObservedClassifier(classes)(images))
    model.set_weights([kernel])
    return model


def _settings(case: Case, epoch_ends: EpochEnds, folder: Path) -> dict[str, Any]:
    """Return the arguments besides the data, without those that a case leaves to their default."""
    settings = {
        name: case[name]
        for name in ("batch_size", "learning_rate", "weight_decay", "run_testing")
        if case[name] is not None
    }
    if case["decay_rate"] is not None:
        settings["learning_rate"] = tf_keras.optimizers.schedules.ExponentialDecay(
            case["learning_rate"], decay_steps=1, decay_rate=case["decay_rate"]
        )
    if "x_test" in case.inputs:
        settings["test_data"] = (case["x_test"], case["y_test"])
    if case.stage != "defaults":
        settings["callbacks"] = [epoch_ends]
    # A name that suits every format: weights alone or a whole model, HDF5 or TensorFlow's own.
    return {**settings, "epochs": case["epochs"], "ckpt_path": str(folder / "best.h5")}


@contextlib.contextmanager
def _workshop() -> Iterator[Path]:
    """Work in a folder of one's own, eagerly, without a word; leave nothing behind.

    Eagerly: tracing takes most of the time of so short a run, and the layer sees its inputs.
    """
    logger, nowhere = tf.get_logger(), io.StringIO()
    level, eager = logger.level, tf.config.functions_run_eagerly()
    logger.setLevel("ERROR")
    tf.config.run_functions_eagerly(True)
    try:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            contextlib.chdir(folder),
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
            _without_autotuning(),
        ):
            yield Path(folder)
            if any(Path(folder).glob("**/*.index")):
                gc.collect()  # TensorFlow warns of what a checkpoint held beside the weights: now
    finally:
        tf.config.run_functions_eagerly(eager)
        logger.setLevel(level)


@contextlib.contextmanager
def _without_autotuning() -> Iterator[None]:
    """Turn tf.data's autotuning off, whose thread can miss its wake-up and hold a run up."""
    iterate = tf.data.Dataset.__iter__

    def iterate_untuned(dataset: tf.data.Dataset) -> Iterator[Any]:
        options = tf.data.Options()
        options.autotune.enabled = False
        return iterate(dataset.with_options(options))

    tf.data.Dataset.__iter__ = iterate_untuned
    try:
        yield
    finally:
        tf.data.Dataset.__iter__ = iterate


def _refuse_untrained(calls: list[Call], result: Any, model: tf_keras.Model, case: Case) -> None:
    """Stop where the model was never called in training mode: there is nothing to judge."""
    if any(call.training for call in calls):
        return
    if result is None and np.array_equal(_kernel_of(model), case["kernel"]):
        raise Stopped(NOT_ATTEMPTED, "Nothing is trained and None comes back: not written yet?")
    raise Stopped(
        WRONG_VALUE,
        "The model that you are given is never called in training mode. Train that very model, no "
        "copy, with model.fit (or call it with training=True: dropout works in no other way).",
    )


def _kernel_of(model: tf_keras.Model) -> np.ndarray:
    return model.get_weights()[0]


def _times_seen(images: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Return for each image (n, …) how often it stands in a batch (b, …), shape (n,)."""
    flat, flat_batch = (x.reshape(len(x), -1) for x in (images, batch))  # (n, p), (b, p)
    return (flat[:, None] == flat_batch[None]).all(-1).sum(-1).astype(np.int32)


def _constants(model: tf_keras.Model) -> np.ndarray:
    """Return beta_1, beta_2 and epsilon of the optimiser; Keras' own where it shows none."""
    optimizer = getattr(model, "optimizer", None)
    usual = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
    try:
        return np.array([float(getattr(optimizer, *default)) for default in usual.items()])
    except (TypeError, ValueError):
        return np.array(list(usual.values()))


def _history(result: Any) -> dict[str, np.ndarray]:
    """Return the curves of a history, a Keras `History` or a dictionary of lists."""
    curves = getattr(result, "history", result)
    if not isinstance(curves, Mapping):
        return {"returned": np.array(describe(result) if result is not None else "None")}
    names = {"loss": "loss", "val_loss": "val_loss", **_accuracy_names(curves)}
    found = {f"history_{name}": _curve(curves.get(key)) for name, key in names.items()}
    return {
        "returned": np.array(""),
        **{k: v for k, v in found.items() if v is not None},
    }


def _accuracy_names(curves: Mapping) -> dict[str, str]:
    """Return the keys of the accuracy, whatever the metric was named; top-k is another one."""
    keys = [str(key) for key in curves if not str(key).startswith("val_")]
    others = [key for key in keys if "acc" in key.lower() and "top" not in key.lower()]
    name = next((key for key in (*ACCURACIES, *others) if key in keys), "accuracy")
    return {"accuracy": name, "val_accuracy": f"val_{name}"}


def _curve(values: Any) -> np.ndarray | None:
    try:
        curve = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        return None
    return curve if curve.ndim == 1 else None

"""Let an implementation train a tiny model, and write down what the model sees."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel.case import NOT_ATTEMPTED, RAISED, WRONG_VALUE, Case
from utilities.checks.kernel.observing import Stopped, describe, problem_of
from utilities.checks.kernel.training.protocol import IMAGE, SETS
from utilities.checks.kernel.training.workshop import Workshop, workshop

ACCURACIES = ("accuracy", "acc", "sparse_categorical_accuracy")
CHECKPOINT = "best"  # the name of the file that a run is told to save to, without its ending
NUMBER = re.compile(r"\d+(?:\.\d+)?(?![\d.]*\s?[mµu]?s\b)")  # how long a step took is none
MOST_PRINTED, LONGEST_TEXT = 200, 250  # numbers, characters
Seen = dict[str, np.ndarray]


@dataclass(frozen=True)
class Call:
    """One call of the model: in training or not, with which images, made with which weights.

    printed: how many characters had been printed by then.
    """

    training: bool
    images: np.ndarray
    kernel: np.ndarray
    printed: int


@tf_keras.utils.register_keras_serializable("checks")
class ObservedClassifier(tf_keras.layers.Layer):
    """Logits, linear in the flattened image; writes every eager call down in `calls`.

    Registered and free of anything that cannot be saved, so that models with it can be saved and
    loaded in any format.
    """

    calls: ClassVar[list[Call]] = []
    place: ClassVar[Workshop | None] = None

    def __init__(self, classes: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.classes = classes

    def build(self, input_shape: tf.TensorShape) -> None:
        pixels = int(np.prod(input_shape[1:]))
        self.kernel = self.add_weight("kernel", (pixels, self.classes))

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if tf.executing_eagerly() and self.place is not None:
            printed = len(self.place.printed.getvalue())
            self.calls.append(Call(bool(training), images.numpy(), self.kernel.numpy(), printed))
        return tf.reshape(images, (-1, self.kernel.shape[0])) @ self.kernel

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}


class EpochEnds(tf_keras.callbacks.Callback):
    """Counts the epochs that it is told of, and keeps the training's history."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.history: tf_keras.callbacks.History | None = None

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.history = self.model.history  # an evaluation with callbacks puts another in its place

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.count += 1


def observe(implementation: Any, case: Case) -> Seen:
    """Return every call of the model, its weights in the end, and what came back.

    calls_training (c,): was the call one in training; calls_seen (c, n): how often it saw each
    sample, those of the training, validation and test data in turn; calls_kernel (c, p, C): the
    weights it was made with; kernel (p, C): the weights in the end; weight_changes (steps, p, C):
    the way of the weights from the start; in_order: were the training samples in the order of the
    data in all epochs; constants: the optimiser's; epoch_ends: how many the callback was told of;
    saved: were files written at the path that was given, saved_elsewhere: in other places;
    kernel_in_file (p, C): the weights that Keras reads from that path, empty if none; same_order: did
    the training samples come in one order in all epochs; printed:
    the numbers printed from the test on; returned: what came back, empty where it is a history;
    stopped, stopped_by: what stopped the run after its training, and the name of the mistake.
    """
    with workshop() as place:
        ObservedClassifier.place = place
        ObservedClassifier.calls.clear()
        try:
            return _observed_run(implementation, case, place)
        finally:
            ObservedClassifier.place = None


def _observed_run(implementation: Any, case: Case, place: Workshop) -> Seen:
    model, epoch_ends = _classifier(case["kernel"]), EpochEnds()
    data = [(case[f"x_{name}"], case[f"y_{name}"]) for name in SETS[:2]]
    result, stopped = None, {"stopped": np.array(""), "stopped_by": np.array("")}
    try:
        result = implementation(model, *data, **_settings(case, epoch_ends, place))
    except Exception as error:
        if not _trained_to_the_end(case):
            raise _named(error) from error
        stopped = _stopped_by(error, model, place)
        result = epoch_ends.history or getattr(model, "history", None)
    calls = list(ObservedClassifier.calls)
    _refuse_untrained(calls, result, model, case)
    images = np.concatenate([case[f"x_{name}"] for name in SETS if f"x_{name}" in case.inputs])
    seen = np.array([_times_seen(images, call.images) for call in calls])  # (c, n)
    kernels = np.array([call.kernel for call in calls])
    training, final = np.array([call.training for call in calls]), model.get_weights()[0]
    after = np.concatenate([kernels[1:], final[None]])[training]
    return {
        "calls_training": training,
        "calls_seen": seen,
        "calls_kernel": kernels,
        "kernel": final,
        "weight_changes": after.astype(np.float64) - case["kernel"],
        "in_order": np.array(_in_order(case["x_train"], calls)),
        "same_order": np.array(_same_order(len(case["x_train"]), calls)),
        "constants": _constants(model),
        "epoch_ends": np.array(epoch_ends.count),
        "printed": _printed(calls, seen, case, place),
        **_files(place, model),
        **_history(result),
        **stopped,
    }


def _classifier(kernel: np.ndarray) -> tf_keras.Model:
    images = tf_keras.Input(IMAGE)  # (B, 2, 3, 1)
    model = tf_keras.Model(images, ObservedClassifier(kernel.shape[-1])(images))
    model.set_weights([kernel])
    return model


def _settings(case: Case, epoch_ends: EpochEnds, place: Workshop) -> dict[str, Any]:
    """Return the arguments besides the data, without those that a case leaves to their default."""
    names = ("batch_size", "learning_rate", "weight_decay", "run_testing")
    settings = {name: case[name] for name in names if case[name] is not None}
    if case["decay_rate"] is not None:
        settings["learning_rate"] = tf_keras.optimizers.schedules.ExponentialDecay(
            case["learning_rate"], decay_steps=1, decay_rate=case["decay_rate"]
        )
    if "x_test" in case.inputs:
        settings["test_data"] = (case["x_test"], case["y_test"])
    if case.stage != "defaults":
        settings["callbacks"] = [epoch_ends]
    # A name that suits every format: weights alone or a whole model, HDF5 or TensorFlow's own.
    folder = place.folder / "given"
    folder.mkdir()
    return {**settings, "epochs": case["epochs"], "ckpt_path": str(folder / f"{CHECKPOINT}.h5")}


# --- where a run stops ---------------------------------------------------------------------------


def _trained_to_the_end(case: Case) -> bool:
    seen = sum(len(call.images) for call in ObservedClassifier.calls if call.training)
    return seen >= case["epochs"] * len(case["x_train"])


def _named(error: Exception) -> Exception:
    """Return an error as the mistake that it shows, where it is a known one."""
    if isinstance(error, TypeError) and "concatenate" in str(error):
        problem = problem_of(error)
        return Stopped(
            RAISED,
            f"{problem.message}. callbacks may be a list or a tuple, and is an empty tuple if nothing "
            "is passed in: unpack it into your own list.",
            "callbacks may be a tuple",
            problem.detail,
        )
    return error


def _stopped_by(error: Exception, model: tf_keras.Model, place: Workshop) -> Seen:
    """Return why a run stopped after its training, with the name of the mistake where it is known."""
    missing = [w for w in place.warned if "available, skipping" in w]
    if missing:
        history = getattr(getattr(model, "history", None), "history", {})
        words = missing[0].split(" available")[0].split()[-1]
        text = (
            f"Your checkpoint watches {words}, and the training gives no such quantity: it gives "
            f"{', '.join(history)}. So nothing was saved, and there was nothing to restore."
        )
        return _stopped(text, "no such quantity")
    if isinstance(error, (OSError, tf.errors.NotFoundError)) and not _all_files(place):
        text = "Weights are to be restored from a file, and nothing was saved by the training."
        return _stopped(text, "nothing saved")
    return _stopped(f"After the training: {problem_of(error).message}", "stopped after the training")


def _stopped(text: str, name: str) -> Seen:
    return {"stopped": np.array(text[:LONGEST_TEXT]), "stopped_by": np.array(name)}


def _refuse_untrained(calls: list[Call], result: Any, model: tf_keras.Model, case: Case) -> None:
    """Stop where the model was never called in training mode: there is nothing to judge."""
    if any(call.training for call in calls):
        return
    if result is None and np.array_equal(model.get_weights()[0], case["kernel"]):
        raise Stopped(NOT_ATTEMPTED, "Nothing is trained and None comes back: not written yet?")
    raise Stopped(
        WRONG_VALUE,
        "The model that you are given is never called in training mode. Train that very model, no "
        "copy, with model.fit (or call it with training=True: dropout works in no other way).",
        "another model trained",
    )


# --- what is seen of a run -----------------------------------------------------------------------


def _times_seen(images: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Return for each image (n, …) how often it stands in a batch (b, …), shape (n,)."""
    flat, flat_batch = (x.reshape(len(x), -1) for x in (images, batch))  # (n, p), (b, p)
    return (flat[:, None] == flat_batch[None]).all(-1).sum(-1).astype(np.int32)


def _in_order(images: np.ndarray, calls: list[Call]) -> bool:
    """Return whether the training saw its images in the order of the data, epoch after epoch."""
    seen = np.concatenate([call.images for call in calls if call.training])
    epochs = len(seen) // len(images)
    whole = np.concatenate([images] * max(epochs, 1))
    return len(seen) >= len(images) and np.array_equal(seen[: len(whole)], whole)


def _same_order(count: int, calls: list[Call]) -> bool:
    """Return whether the training saw its `count` images in one order, epoch after epoch."""
    seen = np.concatenate([call.images for call in calls if call.training])
    epochs = len(seen) // count
    return epochs > 1 and bool(
        np.all(seen[: epochs * count].reshape(epochs, -1) == seen[:count].ravel())
    )


def _constants(model: tf_keras.Model) -> np.ndarray:
    """Return beta_1, beta_2 and epsilon of the optimiser; Keras' own where it shows none."""
    optimizer = getattr(model, "optimizer", None)
    usual = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
    try:
        return np.array([float(getattr(optimizer, *default)) for default in usual.items()])
    except (TypeError, ValueError):
        return np.array(list(usual.values()))


def _printed(calls: list[Call], seen: np.ndarray, case: Case, place: Workshop) -> np.ndarray:
    """Return the numbers, but times, printed since the first look at the test data after training."""
    tests = len(case["x_test"]) if "x_test" in case.inputs else 0
    last = max(i for i, call in enumerate(calls) if call.training)
    looks = [i for i in range(last + 1, len(calls)) if tests and seen[i, -tests:].any()]
    if not looks:
        return np.zeros(0)
    text = place.printed.getvalue()[calls[looks[0]].printed :]
    return np.array([float(number) for number in NUMBER.findall(text)[:MOST_PRINTED]])


def _all_files(place: Workshop) -> list[str]:
    files = (path for path in place.folder.rglob("*") if path.is_file())
    return [str(path.relative_to(place.folder)) for path in files]


def _files(place: Workshop, model: tf_keras.Model) -> Seen:
    """Return whether files were written, and the weights (p, C) in the one that was asked for."""
    files = _all_files(place)
    given = [name for name in files if name.startswith(f"given/{CHECKPOINT}")]
    return {
        "saved": np.array(bool(given)),
        "saved_elsewhere": np.array(len(files) > len(given)),
        "kernel_in_file": _read_back(place, model) if given else np.zeros((0, 0)),
    }


def _read_back(place: Workshop, model: tf_keras.Model) -> np.ndarray:
    """Return the weights that the file holds, none where Keras cannot load it into the model."""
    try:
        model.load_weights(str(place.folder / "given" / f"{CHECKPOINT}.h5"))
    except Exception:  # a format of the student's own
        return np.zeros((0, 0))
    return model.get_weights()[0]


def _history(result: Any) -> Seen:
    """Return the curves of a history, a Keras `History` or a dictionary of lists."""
    curves = getattr(result, "history", result)
    if not isinstance(curves, Mapping):
        return {"returned": np.array(describe(result)[:LONGEST_TEXT] if result is not None else "None")}
    names = {"loss": "loss", "val_loss": "val_loss", **_accuracy_names(curves)}
    found = {f"history_{name}": _curve(curves.get(key)) for name, key in names.items()}
    returned = "a dictionary" if isinstance(result, Mapping) else ""
    return {
        "returned": np.array(returned),
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

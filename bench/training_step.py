"""Row d: the training step of the whole small ViT, against Keras' layers and other ways to run it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tf_keras

from bench.keras_vit import build_keras_vit, copy_weights
from bench.measuring import Row, Settings, interleave, row, timed
from bench.solution import reference
from utilities.models.sizes import CIFAR10_NUM_CLASSES, CIFAR10_SHAPE, SMALL_VIT, ViTSize, vit_arguments
from utilities.training.loop import make_dataset
from utilities.training.profiles import load_profile

REPETITIONS = 9
STEPS = 4  # of one repetition, and of one execution where several are run at once
IMAGES = 1024
KERAS, OURS = "Keras' own layers", "reference solution"
XLA, MANY = "with jit_compile", f"with steps_per_execution={STEPS}"
NUMPY = "NumPy batches by train_on_batch"
NOTE = (
    "The reference solution is fed by the kit's tf.data pipeline, `make_dataset`, as in the lab; "
    "the other ways change one thing each."
)


def measure(settings: Settings, size: ViTSize = SMALL_VIT, batch_size: int | None = None) -> list[Row]:
    """Time one step of each candidate; nothing is augmented, since XLA cannot compile that."""
    batch_size = batch_size or load_profile("standard").training.batch_size
    candidates = steps_of(size, batch_size)
    for run in candidates.values():
        run()  # traces, and warms the memory up
        run()
    costs = interleave(
        {name: timed(run, STEPS) for name, run in candidates.items()},
        settings.repetitions or REPETITIONS,
        "training steps",
    )
    what = f"training step of the small ViT, batch of {batch_size}"
    return [
        row("d", what, "ms", costs, OURS, KERAS),
        *(row("d", what, "ms", costs, way, OURS, NOTE) for way in (XLA, MANY, NUMPY)),
    ]


def steps_of(size: ViTSize, batch_size: int) -> dict[str, Callable[[], object]]:
    """Return, by name, what takes STEPS training steps."""
    data = random_images()
    ours = {name: _our_vit(size) for name in (OURS, XLA, MANY, NUMPY)}
    keras = build_keras_vit(size)
    copy_weights(ours[OURS], keras)
    return {
        OURS: _steps(_compiled(ours[OURS]), data, batch_size, STEPS),
        KERAS: _steps(_compiled(keras), data, batch_size, STEPS),
        XLA: _steps(_compiled(ours[XLA], jit_compile=True), data, batch_size, STEPS),
        MANY: _steps(_compiled(ours[MANY], steps_per_execution=STEPS), data, batch_size, 1),
        NUMPY: _numpy_steps(_compiled(ours[NUMPY]), data, batch_size),
    }


def random_images() -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 32, 32, 3) and labels (n,); the time of a step does not depend on them."""
    rng = np.random.default_rng(42)
    images = rng.normal(size=(IMAGES, *CIFAR10_SHAPE)).astype("float32")
    return images, rng.integers(0, CIFAR10_NUM_CLASSES, IMAGES)


def _our_vit(size: ViTSize) -> tf_keras.Model:
    return reference()["create_vit_classifier"](**vit_arguments(size))


def _compiled(model: tf_keras.Model, **ways: object) -> tf_keras.Model:
    training = load_profile("standard").training
    model.compile(
        optimizer=tf_keras.optimizers.AdamW(training.learning_rate, weight_decay=training.weight_decay),
        loss=tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **ways,
    )
    return model


def _steps(
    model: tf_keras.Model, data: tuple[np.ndarray, np.ndarray], batch_size: int, calls: int
) -> Callable[[], object]:
    """Return what calls the model's own training function, as `fit` does, on an endless data set."""
    train = model.make_train_function()
    batches = iter(make_dataset(data, batch_size, shuffle=True).repeat())

    def run() -> None:
        for _ in range(calls):
            train(batches)

    return run


def _numpy_steps(
    model: tf_keras.Model, data: tuple[np.ndarray, np.ndarray], batch_size: int
) -> Callable[[], object]:
    """Return what feeds as many batches as NumPy arrays."""
    rng = np.random.default_rng(42)

    def run() -> None:
        for _ in range(STEPS):
            chosen = rng.integers(0, len(data[0]), batch_size)
            model.train_on_batch(data[0][chosen], data[1][chosen])

    return run

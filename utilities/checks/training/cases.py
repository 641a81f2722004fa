"""What goes into the training checks: tiny classification data, and how a run is to end."""

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.kernel.case import Case
from utilities.checks.training.signs import IMAGE

CLASSES = 7
FEATURES = int(np.prod(IMAGE))


def run_experiment(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw a run with all defaults, one whose best epoch is an early one, one with a schedule."""
    cases = [
        _defaults_case(rng),
        _best_epoch_case(rng, epochs=8, best=1),
        _schedule_case(rng, epochs=2),
    ]
    if thorough:
        cases += [_best_epoch_case(rng, epochs=14, best=2), _schedule_case(rng, epochs=3)]
    return cases


def carbon_tracker_callback(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw a whole run, one stopped after an epoch, and one stopped in the midst of an epoch."""
    cases = []
    for _ in range(2 if thorough else 1):
        epochs, batches = int(rng.integers(3, 5)), int(rng.integers(2, 4))
        cases += [
            _run_case("whole run", epochs, batches, validation=False),
            _run_case("whole run", epochs + 1, batches, validation=True),
            _run_case("stopped", epochs + 2, batches, True, stop_epoch=epochs - 1),
            _run_case(
                "stopped",
                epochs + 2,
                batches,
                True,
                stop_epoch=epochs - 2,
                stop_batch=0,
            ),
        ]
    return cases


def _defaults_case(rng: np.random.Generator) -> Case:
    """Return a run of one epoch that gives nothing but the data; in two batches."""
    data = _data(rng, 0.7, train=81, val=17)
    kernel = (0.01 * rng.normal(size=(FEATURES, CLASSES))).astype(np.float32)
    return Case("defaults", _inputs(data, kernel, epochs=1))


def _schedule_case(rng: np.random.Generator, epochs: int) -> Case:
    """Return a run in small batches with a learning rate that falls at every step."""
    scale = 0.3  # so small that clipping the gradient at norm 1 makes no difference
    data = _data(rng, scale, train=22, val=12, test=9)
    settings = {"learning_rate": float(rng.uniform(0.2, 0.3)), "decay_rate": 0.8}
    return Case(
        "schedule",
        _inputs(
            data,
            _kernel(rng),
            epochs,
            batch_size=5,
            weight_decay=0.3,
            run_testing=False,
            **settings,
        ),
    )


def _best_epoch_case(rng: np.random.Generator, epochs: int, best: int) -> Case:
    """Return a run whose best epoch on validation is neither the last nor the best in training.

    It goes on for long enough after the best that early stopping would cut it short.

    The labels of the training data are random, so that steps this long overshoot. The validation
    data are images that the right weights of an early epoch classify with the most confidence.
    """
    while True:
        data = _data(rng, 0.7, train=38, val=400, test=24)
        kernel, learning_rate = _kernel(rng), float(rng.uniform(0.25, 0.5))
        gradient = oracles.crossentropy_gradient_of(data["x_train"], data["y_train"])
        kernels = oracles.adamw(kernel, [gradient] * epochs, [learning_rate] * epochs)
        data["x_val"], data["y_val"] = _best_at(best, kernels, data["x_val"], count=31)
        if len(data["x_val"]) == 31 and _tells_epochs_apart(kernel, kernels, data, best):
            inputs = _inputs(data, kernel, epochs, batch_size=38, learning_rate=learning_rate)
            return Case("best epoch", inputs)


def _best_at(
    best: int, kernels: np.ndarray, images: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return up to `count` images, with labels, that the weights of one epoch classify best."""
    probabilities = oracles.softmax(oracles.linear_logits(kernels, images))  # (e, n, C)
    labels = probabilities[best].argmax(-1)  # (n,)
    of_the_label = probabilities[:, np.arange(len(images)), labels]  # (e, n)
    chosen = np.flatnonzero(of_the_label.argmax(0) == best)[:count]
    return images[chosen], labels[chosen, None].astype(np.int64)


def _tells_epochs_apart(kernel: np.ndarray, kernels: np.ndarray, data: dict, best: int) -> bool:
    """Return whether every way of choosing an epoch wrongly chooses another one than `best`."""
    batch = (data["x_train"], data["y_train"])
    accuracies, losses = oracles.scores(kernels, data["x_val"], data["y_val"])
    before = np.concatenate([kernel[None], kernels[:-1]])  # (epochs, p, C)
    training_accuracies, training_losses = oracles.scores(before, *batch)
    worst, last = {int(accuracies.argmin()), int(losses.argmax())}, len(kernels) - 1
    in_training = {int(training_accuracies.argmax()), int(training_losses.argmin())}
    clear = np.delete(losses, best).min() > 1.02 * losses[best]
    clear = clear and np.delete(accuracies, best).max() < 1 - 1.5 / len(data["y_val"])
    gradient = np.abs(oracles.crossentropy_gradient_of(*batch)(kernel))
    return (
        clear
        and not worst & {best, last}
        and not in_training & {best, last, *worst}
        and gradient.min() > 3e-4  # an optimiser's own epsilon makes no difference
    )


def _data(rng: np.random.Generator, scale: float, **sizes: int) -> dict[str, np.ndarray]:
    """Return images and labels of each set."""
    data: dict[str, np.ndarray] = {}
    for name, size in sizes.items():
        data[f"x_{name}"] = (scale * rng.normal(size=(size, *IMAGE))).astype(np.float32)
        data[f"y_{name}"] = rng.integers(0, CLASSES, size=(size, 1))
    return data


def _kernel(rng: np.random.Generator) -> np.ndarray:
    return (0.4 * rng.normal(size=(FEATURES, CLASSES))).astype(np.float32)


def _inputs(data: dict, kernel: np.ndarray, epochs: int, **settings: float) -> dict:
    """Return the inputs of a case; a setting that is None is left to its default."""
    inputs = {
        "batch_size": None,
        "learning_rate": None,
        "decay_rate": None,
        "weight_decay": None,
        "run_testing": None,
    }
    return {**data, "kernel": kernel, "epochs": epochs, **inputs, **settings}


def _run_case(
    stage: str, epochs: int, batches: int, validation: bool, stop_epoch: int = -1, stop_batch: int = -1
) -> Case:
    return Case(
        stage,
        {
            "epochs": epochs,
            "batches": batches,
            "validation": validation,
            "stop_epoch": stop_epoch,
            "stop_batch": stop_batch,
        },
    )

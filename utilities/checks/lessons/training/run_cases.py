"""What goes into the check of a training run: tiny data on which every wrong choice shows."""

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.drawing import normal
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.training.protocol import IMAGE

CLASSES = 7
FEATURES = int(np.prod(IMAGE))
VALIDATION, SURPRISES = 27, 6  # images that the best epoch classifies, and some it is quite wrong about
TEST, TEST_RIGHT = 24, 15  # images, and how many of them the best epoch classifies


def run_cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw a run with all defaults, one whose best epoch is an early one, one with a schedule."""
    cases = [
        _defaults_case(rng),
        _best_epoch_case(rng, epochs=8, best=1),
        _schedule_case(rng, epochs=2),
    ]
    if thorough:
        cases += [_best_epoch_case(rng, epochs=14, best=2), _schedule_case(rng, epochs=3)]
    return cases


def _defaults_case(rng: np.random.Generator) -> Case:
    """Return a run of one epoch that gives nothing but the data; in two batches."""
    data = _data(rng, 0.7, train=81, val=17)
    return _case("defaults", data, 0.01 * normal(rng, FEATURES, CLASSES), epochs=1)


def _schedule_case(rng: np.random.Generator, epochs: int) -> Case:
    """Return a run in small batches with a learning rate that falls at every step."""
    scale = 0.3  # so small that clipping the gradient at norm 1 makes no difference
    data = _data(rng, scale, train=22, val=12, test=9)
    settings = {"learning_rate": float(rng.uniform(0.2, 0.3)), "decay_rate": 0.8}
    settings |= {"batch_size": 5, "weight_decay": 0.3, "run_testing": False}
    return _case("schedule", data, _kernel(rng), epochs, **settings)


def _best_epoch_case(rng: np.random.Generator, epochs: int, best: int) -> Case:
    """Return a run whose best epoch on validation is neither the last nor the best in training.

    It goes on for long enough after the best that early stopping would cut it short. The labels of
    the training data are random, so that steps this long overshoot. The validation data are images
    that the right weights of an early epoch classify, and a few that it is so wrong about that
    another epoch has the smallest loss.
    """
    while True:
        data = _data(rng, 0.7, train=38, val=400, test=TEST)
        kernel, learning_rate = _kernel(rng), float(rng.uniform(0.25, 0.5))
        gradient = oracles.crossentropy_gradient_of(data["x_train"], data["y_train"])
        kernels = oracles.adamw(kernel, [gradient] * epochs, [learning_rate] * epochs)
        data["x_val"], data["y_val"] = _best_at(best, kernels, data["x_val"])
        data["y_test"] = _mostly_right(kernels[best], data["x_test"])
        enough = len(data["x_val"]) == VALIDATION + SURPRISES
        if enough and _tells_epochs_apart(kernel, kernels, data, best):
            return _case("best epoch", data, kernel, epochs, batch_size=38, learning_rate=learning_rate)


def _best_at(best: int, kernels: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels of which one epoch classifies most, though its loss is not the least."""
    probabilities = oracles.softmax(oracles.linear_logits(kernels, images))  # (e, n, C)
    labels = probabilities[best].argmax(-1)  # (n,)
    of_the_label = probabilities[:, np.arange(len(images)), labels]  # (e, n)
    chosen = np.flatnonzero(of_the_label.argmax(0) == best)[:VALIDATION]
    calm = best + 2  # the epoch that is to have the smallest loss
    gain = np.log(probabilities[calm]) - np.log(probabilities[best])  # (n, C)
    gain[chosen] = -np.inf
    surprises = np.argsort(-gain.max(-1))[:SURPRISES]
    labels[surprises] = gain[surprises].argmax(-1)
    taken = np.concatenate([chosen, surprises])
    return images[taken], labels[taken, None].astype(np.int64)


def _mostly_right(kernel: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return labels of which these weights get most right."""
    labels = oracles.linear_logits(kernel, images).argmax(-1)
    labels[TEST_RIGHT:] = (labels[TEST_RIGHT:] + 1) % CLASSES
    return labels[:, None].astype(np.int64)


def _tells_epochs_apart(kernel: np.ndarray, kernels: np.ndarray, data: dict, best: int) -> bool:
    """Return whether every way of choosing an epoch wrongly chooses another one than `best`."""
    batch = (data["x_train"], data["y_train"])
    accuracies, losses = oracles.scores(kernels, data["x_val"], data["y_val"])
    before = np.concatenate([kernel[None], kernels[:-1]])  # (epochs, p, C)
    training_accuracies, training_losses = oracles.scores(before, *batch)
    last, smallest_loss = len(kernels) - 1, int(losses.argmin())
    worst = {int(accuracies.argmin()), int(losses.argmax())}
    in_training = {int(training_accuracies.argmax()), int(training_losses.argmin())}
    clear = np.delete(accuracies, best).max() < accuracies[best] - 1.5 / len(data["y_val"])
    clear = clear and np.delete(losses, smallest_loss).min() > 1.02 * losses[smallest_loss]
    gradient = np.abs(oracles.crossentropy_gradient_of(*batch)(kernel))
    return (
        clear
        and smallest_loss not in {best, last, *worst, *in_training}
        and not worst & {best, last}
        and not in_training & {best, last, *worst}
        and gradient.min() > 3e-4  # an optimiser's own epsilon makes no difference
    )


def _data(rng: np.random.Generator, scale: float, **sizes: int) -> dict[str, np.ndarray]:
    """Return images and labels of each set."""
    data: dict[str, np.ndarray] = {}
    for name, size in sizes.items():
        data[f"x_{name}"] = np.float32(scale) * normal(rng, size, *IMAGE)
        data[f"y_{name}"] = rng.integers(0, CLASSES, size=(size, 1))
    return data


def _kernel(rng: np.random.Generator) -> np.ndarray:
    return np.float32(0.4) * normal(rng, FEATURES, CLASSES)


def _case(stage: str, data: dict, kernel: np.ndarray, epochs: int, **settings: float) -> Case:
    """Return a case; a setting that is None is left to its default."""
    unsaid = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test", "kernel")
    names = ("batch_size", "learning_rate", "decay_rate", "weight_decay", "run_testing")
    inputs = {**data, "kernel": kernel.astype(np.float32), "epochs": epochs}
    return Case(stage, {**inputs, **dict.fromkeys(names), **settings}, unsaid)

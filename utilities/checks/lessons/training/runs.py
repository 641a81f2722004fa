"""What is read out of an observed run, and the formulas of its steps (NumPy only)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.training.protocol import SETS

# (weights, gradients, learning rates, decay) → the weights after each step
Update = Callable[[np.ndarray, Sequence[oracles.Step], np.ndarray, float], np.ndarray]
DEFAULTS = {
    "batch_size": 64,
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "run_testing": True,
}
KERAS_CONSTANTS = np.array([0.9, 0.999, 1e-7])  # beta_1, beta_2, epsilon
LEAST_CONSTANTS, LARGEST_CONSTANTS = np.array([0.5, 0.9, 0.0]), np.array([0.99, 0.99999, 1e-5])
SAME = 1e-5  # relative; closer than this is a tie


def given(case: Case, name: str) -> Any:
    """Return a setting of a case, or the default that the interface promises."""
    return DEFAULTS[name] if case[name] is None else case[name]


def kernels_after(observation: Observation) -> np.ndarray:
    """Return the weights after each call: those that the next call or, last, the end shows."""
    return np.concatenate([observation["calls_kernel"][1:], observation["kernel"][None]])


def epoch_ends(observation: Observation) -> np.ndarray:
    """Return for each call whether it is a training step, the next call being none."""
    training = observation["calls_training"]
    return training & ~np.append(training[1:], False)


def epoch_kernels(observation: Observation) -> np.ndarray:
    """Return the weights at the end of each epoch, (epochs, p, C)."""
    return kernels_after(observation)[epoch_ends(observation)]


def epoch_of_steps(observation: Observation) -> np.ndarray:
    """Return the epoch that each training step belongs to."""
    training, ends = observation["calls_training"], epoch_ends(observation)
    return (np.cumsum(ends) - ends)[training]


def samples(case: Case, observation: Observation, name: str) -> np.ndarray:
    """Return how often each call saw each sample of a set, (calls, n_set); n_set may be 0."""
    sizes = [len(case[f"x_{s}"]) if f"x_{s}" in case.inputs else 0 for s in SETS]
    parts = np.split(observation["calls_seen"], np.cumsum(sizes)[:-1], axis=1)
    return parts[SETS.index(name)]


def batches(case: Case, observation: Observation) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return images and labels of each training step."""
    present = [name for name in SETS if f"x_{name}" in case.inputs]
    images, labels = (np.concatenate([case[f"{xy}_{s}"] for s in present]) for xy in "xy")
    seen = observation["calls_seen"][observation["calls_training"]]
    samples = [np.repeat(np.arange(len(images)), times) for times in seen]
    return [(images[i], labels[i]) for i in samples]


def learning_rates(case: Case, steps: np.ndarray) -> np.ndarray:
    """Return the rate that the schedule has for each step."""
    rate = 1.0 if case["decay_rate"] is None else case["decay_rate"]
    return given(case, "learning_rate") * rate**steps


def constants(observation: Observation) -> np.ndarray:
    """Return beta_1, beta_2 and epsilon as observed; where Adam could not work so, Keras' own."""
    constants = observation["constants"]
    usual = np.all((constants >= LEAST_CONSTANTS) & (constants <= LARGEST_CONSTANTS))
    return constants if usual else KERAS_CONSTANTS


def gradient_descent(momentum: float) -> Update:
    """Return plain gradient descent, with momentum where it is not 0."""

    def update(
        kernel: np.ndarray, gradients: Sequence[oracles.Step], rates: np.ndarray, decay: float
    ) -> np.ndarray:
        velocity, kernels = np.zeros_like(kernel), []
        for gradient, rate in zip(gradients, rates, strict=True):
            velocity = momentum * velocity - rate * gradient(kernel)
            kernel = kernel + velocity - rate * decay * kernel
            kernels.append(kernel)
        return np.array(kernels)

    return update


def rmsprop(
    kernel: np.ndarray, gradients: Sequence[oracles.Step], rates: np.ndarray, decay: float
) -> np.ndarray:
    """Return Keras' RMSprop: steps divided by a root mean square that starts at 0."""
    square, kernels = np.zeros_like(kernel), []
    for gradient, rate in zip(gradients, rates, strict=True):
        g = gradient(kernel)
        square = 0.9 * square + 0.1 * g**2
        kernel = kernel - rate * (g / np.sqrt(square + 1e-7) + decay * kernel)
        kernels.append(kernel)
    return np.array(kernels)


def penalised(factor: float) -> Update:
    """Return Adam with the penalty's gradient, factor · decay · weights, added to the loss's."""

    def update(
        kernel: np.ndarray, gradients: Sequence[oracles.Step], rates: np.ndarray, decay: float
    ) -> np.ndarray:
        with_penalty = [lambda w, g=g: g(w) + factor * decay * w for g in gradients]
        return oracles.adamw(kernel, with_penalty, rates)

    return update


def undiminished_decay(
    kernel: np.ndarray, gradients: Sequence[oracles.Step], rates: np.ndarray, decay: float
) -> np.ndarray:
    """Return AdamW whose decay is not multiplied by the learning rate."""
    return oracles.adamw(kernel, gradients, rates, decay / rates)


def of_logits_as_probabilities(logits: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """Return the derivative of Keras' cross-entropy that takes logits for probabilities."""
    clipped = np.clip(logits, 1e-7, 1 - 1e-7)
    through = (logits == clipped) / clipped
    return (clipped / clipped.sum(-1, keepdims=True) - one_hot) * through


def of_softmaxed_logits(logits: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """Return the derivative of the cross-entropy that applies softmax to what softmax gave."""
    p = oracles.softmax(logits)
    error = oracles.softmax(p) - one_hot
    return p * (error - (p * error).sum(-1, keepdims=True))


def of_squared_error(logits: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """Return the derivative of the mean square of logits minus the label's number."""
    labels = one_hot.argmax(-1)[:, None]
    return 2 * (logits - labels) / logits.shape[-1]


def epochs_run(case: Case, observation: Observation) -> int:
    """Return how many epochs were run, also where nothing separates one from the next."""
    ends = int(epoch_ends(observation).sum())
    if ends > 1:
        return ends
    seen = observation["calls_seen"][observation["calls_training"]].sum(1)
    return max(1, round(seen.sum() / max(len(case["x_train"]), seen.max())))


def last_step(observation: Observation) -> int:
    """Return the index of the last call in training."""
    return int(np.flatnonzero(observation["calls_training"])[-1])


def between_epochs(observation: Observation) -> list[slice]:
    """Return for each epoch the calls between its last training step and the next epoch's first."""
    ends = np.flatnonzero(epoch_ends(observation))
    training = np.append(observation["calls_training"], True)
    return [slice(end + 1, end + 1 + int(training[end + 1 :].argmax())) for end in ends]


def best(kernels: np.ndarray, images: np.ndarray, labels: np.ndarray) -> list[int]:
    """Return the epochs of the largest accuracy, ties included."""
    accuracies, _ = oracles.scores(kernels, images, labels)
    return np.flatnonzero(accuracies == accuracies.max()).tolist()


def calmest(kernels: np.ndarray, images: np.ndarray, labels: np.ndarray) -> list[int]:
    """Return the epochs of the smallest loss, ties included."""
    _, losses = oracles.scores(kernels, images, labels)
    return np.flatnonzero(losses <= losses.min() * (1 + SAME)).tolist()


def best_in_training(case: Case, observation: Observation) -> list[np.ndarray]:
    """Return the weights after the epochs best on the training data.

    The training curves score each step's weights before it, the weights kept are those after it.
    """
    training = observation["calls_training"]
    before, after = observation["calls_kernel"][training], kernels_after(observation)[training]
    data = (case["x_train"], case["y_train"])
    return [
        after[i] for scored in (before, after) for find in (best, calmest) for i in find(scored, *data)
    ]


def is_one_of(kernel: np.ndarray, kernels: np.ndarray | Sequence[np.ndarray]) -> bool:
    return any(np.allclose(kernel, other, rtol=1e-6, atol=1e-7) for other in kernels)


def running_accuracy(case: Case, observation: Observation) -> np.ndarray:
    """Return the accuracy of each epoch as Keras counts it: before every step, on its batch."""
    steps, epochs = batches(case, observation), epoch_of_steps(observation)
    kernels = observation["calls_kernel"][observation["calls_training"]]
    right = [
        oracles.scores(kernel[None], *batch)[0][0] * len(batch[0])
        for kernel, batch in zip(kernels, steps, strict=True)
    ]
    sizes = [len(images) for images, _ in steps]
    return np.bincount(epochs, right) / np.bincount(epochs, sizes)

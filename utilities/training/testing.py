"""What a model gets right, image by image, and how far apart two models are on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tf_keras

from utilities.training.loop import make_dataset
from utilities.training.runs import Run

BATCH = 250


def hits_of(model: tf_keras.Model, data: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """Return for each image (n, H, W, C) whether its label is the largest logit, and among the five.

    Args:
        model: from images to logits (B, num_classes).
        data: images and their labels (n, 1) or (n,).

    Returns:
        "top-1" and "top-5", each (n,) of True and False.
    """
    logits = model.predict(make_dataset(data, BATCH), verbose=0)  # (n, num_classes)
    labels = np.ravel(data[1])
    best_five = np.argsort(logits, axis=-1)[:, -5:]  # (n, 5)
    return {
        "top-1": np.argmax(logits, axis=-1) == labels,
        "top-5": np.any(best_five == labels[:, None], axis=-1),
    }


def accuracy_of(model: tf_keras.Model, data: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the share of images (n, H, W, C) whose largest logit is at the label (n, 1) or (n,)."""
    return float(hits_of(model, data)["top-1"].mean())


def paired_difference(
    hits: Sequence[np.ndarray], reference: Sequence[np.ndarray]
) -> tuple[float, float]:
    """Return the difference of two accuracies and its standard error, on the same images.

    With one seed the error is that of the choice of images alone; with more, that of the seeds too.

    Args:
        hits, reference: for each of s seeds, what a model got right of the same n images, (s, n).
    """
    apart = np.subtract(hits, reference, dtype=float)  # (s, n)
    num_seeds, num_images = apart.shape
    error = apart.mean(axis=0).std() / np.sqrt(num_images)
    if num_seeds > 1:
        error = np.hypot(error, apart.mean(axis=1).std(ddof=1) / np.sqrt(num_seeds))
    return float(apart.mean()), float(error)


def differences_from(
    reference: str, runs: Mapping[str, Sequence[Run]]
) -> dict[str, tuple[float, float]]:
    """Return how far the kept runs are from one of them: name → difference and standard error.

    Runs with the same seed are compared, on the same images. What has no seed in common with the
    reference, or has not kept which images were right, is left out, and so is the reference.
    """
    kept = {
        name: {run.seed: run.hits for run in of_seeds if run.hits is not None}
        for name, of_seeds in runs.items()
    }
    base = kept.pop(reference, {})
    common = {name: [seed for seed in hits if seed in base] for name, hits in kept.items()}
    return {
        name: paired_difference([kept[name][s] for s in seeds], [base[s] for s in seeds])
        for name, seeds in common.items()
        if seeds
    }


def format_difference(difference: float, error: float) -> str:
    """Return a difference of accuracies as text, in percentage points with its standard error."""
    return f"{100 * difference:+.1f} ± {100 * error:.1f} points"

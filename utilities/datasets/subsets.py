"""Smaller training sets with the same share of every class."""

from __future__ import annotations

import numpy as np


def stratified_subset(
    images: np.ndarray, labels: np.ndarray, fraction: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a random part of the images (n, …) and their labels (n,) or (n, 1), class by class.

    Of each class `fraction` of its images, rounded, but one at least, drawn without replacement.

    Raises:
        ValueError: the fraction is not in (0, 1], or images and labels differ in number.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"The fraction is {fraction}; expected more than 0 and at most 1.")
    if len(images) != len(labels):
        raise ValueError(f"There are {len(images)} images and {len(labels)} labels.")
    chosen = []
    for label in np.unique(labels):
        of_class = np.flatnonzero(np.ravel(labels) == label)
        count = max(1, round(fraction * len(of_class)))
        chosen.append(rng.choice(of_class, size=count, replace=False))
    places = np.sort(np.concatenate(chosen))
    return images[places], labels[places]

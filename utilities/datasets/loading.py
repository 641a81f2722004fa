"""CIFAR-10 and CIFAR-100 in the Keras form, checked by content before they are used.

The kit ships the first 10,000 training and 2,000 test images of CIFAR-10; `lab data` downloads the
full sets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from utilities.datasets.files import (
    Arrays,
    DataError,
    check_files,
    content_digest,
    read_npz,
    read_sheets,
)
from utilities.datasets.places import data_folder, find_full, search_places
from utilities.datasets.sets import CIFAR10, CIFAR100, ImageSet
from utilities.notes import show_note

KerasForm = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_cifar10(full: bool = False) -> KerasForm:
    """Return CIFAR-10 as `(x_train, y_train), (x_test, y_test)`.

    By default the images that the kit ships, the first 10,000 for training and the first 2,000
    for testing; with `full=True` all 50,000 and 10,000, which `lab data cifar10` downloads.
    Images are uint8 (n, 32, 32, 3), labels uint8 (n, 1) into `CIFAR10_CLASSES`.
    Raises `DataError` where files are missing or damaged.
    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    return _keras_form(load_full(CIFAR10) if full else load_subset())


def load_cifar100(label_mode: str = "fine", fallback: bool = True) -> KerasForm:
    """Return CIFAR-100 as `(x_train, y_train), (x_test, y_test)`, or CIFAR-10 where it is not here.

    Images are uint8 (n, 32, 32, 3); labels uint8 (n, 1) into `CIFAR100_FINE_CLASSES` or, with
    `label_mode="coarse"`, into `CIFAR100_COARSE_CLASSES`. Where CIFAR-100 is not on this machine
    (see `has_cifar100`) the shipped CIFAR-10 is returned under a visible note, so that a lab
    runs anywhere; `fallback=False` raises `DataError` instead. A damaged file always raises.
    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f"label_mode must be 'fine' or 'coarse', not {label_mode!r}")
    if fallback and not has_cifar100():
        show_note(
            "CIFAR-100 is not on this machine: this run uses the CIFAR-10 that the kit ships "
            "(10,000 training and 2,000 test images, 10 classes), so its figures are not those "
            "of CIFAR-100. `lab data cifar100` in a terminal downloads CIFAR-100."
        )
        return load_cifar10()
    return _keras_form(load_full(CIFAR100), "_coarse" if label_mode == "coarse" else "")


def has_cifar100() -> bool:
    """Return whether CIFAR-100 is on this machine, so that `load_cifar100` will not fall back."""
    return find_full(CIFAR100) is not None


def load_subset() -> Arrays:
    """Return the shipped part of CIFAR-10: x_train, y_train, x_test, y_test, labels of shape (n,)."""
    folder = data_folder() / CIFAR10.name
    check_files(folder)
    return read_sheets(folder)


def load_full(image_set: ImageSet) -> Arrays:
    """Return all arrays of a full set, verified by content; `DataError` if it is missing or damaged."""
    path = find_full(image_set)
    if path is None:
        places = " or ".join(str(place) for place in search_places())
        raise DataError(
            f"The full {image_set.title} is not on this machine (looked in {places}). Run "
            f"`lab data {image_set.name}` in a terminal, or set LAB_DATA to the folder that has it."
        )
    return read_full(image_set, path)


def read_full(image_set: ImageSet, path: Path) -> Arrays:
    """Read a full set from its file or folder and verify it; `DataError` if it is damaged."""
    try:
        arrays = read_sheets(path) if path.is_dir() else read_npz(path)
    except DataError as error:
        raise DataError(f"{error} {_remedy(image_set)}") from None
    if content_digest(arrays) != image_set.content_sha256:
        raise DataError(
            f"{path} does not hold the genuine {image_set.title}: the SHA256 of its pixels and "
            f"labels differs. {_remedy(image_set)}"
        )
    return arrays


def _remedy(image_set: ImageSet) -> str:
    return f"`lab data {image_set.name}` in a terminal downloads it again."


def _keras_form(arrays: Arrays, labels: str = "") -> KerasForm:
    return (
        (arrays["x_train"], arrays[f"y_train{labels}"][:, None]),  # (n, 32, 32, 3), (n, 1)
        (arrays["x_test"], arrays[f"y_test{labels}"][:, None]),
    )

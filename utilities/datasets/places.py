"""Where data is looked for and written.

Three places are known:

- the kit's own `data/` beside this package, or in the working directory or a folder above it;
- `data/downloads/`, where `lab data` writes, and `../shared/data` beside the kit, where a class
  may keep one copy for everybody; of an installed package, whose place may belong to others, a folder
  of the user's cache;
- the folder named by the environment variable `LAB_DATA`, which takes the place of the two of
  the line above, and of `data/` where it holds `cifar10/`.
"""

from __future__ import annotations

import os
from pathlib import Path

from utilities.datasets.files import CHECKSUMS, DataError
from utilities.datasets.sets import CIFAR10, ImageSet
from utilities.kit import INSTALLED, KIT, cache_folder


def data_folder() -> Path:
    """Return the folder that holds the shipped subset; `DataError` where there is none."""
    above = (Path.cwd(), *Path.cwd().parents)
    candidates = [*_lab_data(), KIT / "data", *(folder / "data" for folder in above)]
    for folder in candidates:
        if (folder / CIFAR10.name / CHECKSUMS).is_file():
            return folder
    raise DataError(
        f"The kit's data folder was not found: no {CIFAR10.name}/{CHECKSUMS} in {KIT / 'data'} "
        f"nor in a folder `data` at or above {Path.cwd()}. Start from inside the kit, or set "
        "LAB_DATA to the kit's data folder."
    )


def download_folder() -> Path:
    """Return where `lab data` writes: LAB_DATA where it is set, else `data/downloads` or a cache."""
    return search_places()[0]


def search_places() -> list[Path]:
    """Return the folders in which the full sets are looked for, first things first."""
    if INSTALLED:
        return _lab_data() or [cache_folder() / "data"]
    return _lab_data() or [_kit_data() / "downloads", KIT.parent / "shared" / "data"]


def find_full(image_set: ImageSet) -> Path | None:
    """Return the file or folder of a full set, not yet verified, or None."""
    for place in search_places():
        npz, sheets = place / f"{image_set.name}.npz", place / image_set.name
        if npz.is_file():
            return npz
        if (sheets / "train_1.webp").is_file():
            return sheets
    return None


def _lab_data() -> list[Path]:
    folder = os.environ.get("LAB_DATA")
    return [Path(folder).expanduser()] if folder else []


def _kit_data() -> Path:
    try:
        return data_folder()
    except DataError:
        return KIT / "data"

"""Data and models, shipped or downloaded.

What needs a library is imported inside, so that a broken one costs its line only.
"""

from __future__ import annotations

from pathlib import Path

from utilities.commands.probes.finding import MISSING, OPTIONAL, READY, Finding
from utilities.datasets.sets import CIFAR10, CIFAR100, ImageSet
from utilities.kit import KIT


def shipped_data() -> Finding:
    """Look at the shipped part of CIFAR-10, held to its checksums."""
    from utilities.datasets.files import DataError, check_files
    from utilities.datasets.places import data_folder

    try:
        folder = data_folder()
        check_files(folder / CIFAR10.name)
    except DataError as error:
        return Finding(MISSING, "part of CIFAR-10 is missing or damaged", str(error))
    return Finding(READY, "10,000 training and 2,000 test images, checksums right")


def full_set(image_set: ImageSet, without: str) -> Finding:
    """Look for a full data set and verify it. without: what happens where it is not there."""
    from utilities.datasets.files import DataError
    from utilities.datasets.loading import read_full
    from utilities.datasets.places import find_full

    path = find_full(image_set)
    if path is None:
        return Finding(OPTIONAL, "not on this machine", f"lab data {image_set.name}; {without}")
    try:
        read_full(image_set, path)
    except DataError as error:
        return Finding(OPTIONAL, "damaged", str(error))
    return Finding(READY, f"genuine, {path}")


def full_cifar10() -> Finding:
    """Look for the full CIFAR-10."""
    return full_set(CIFAR10, "no lab needs it: it makes the tests of models finer")


def full_cifar100() -> Finding:
    """Look for the full CIFAR-100."""
    return full_set(CIFAR100, "without it the extension labs use the shipped CIFAR-10")


def shipped_models(folder: Path = KIT / "data" / "models") -> Finding:
    """Look whether the files of the shipped models can be read."""
    from safetensors import SafetensorError, safe_open

    names, weights = [], sorted(folder.glob("*/model.safetensors"))
    for path in weights:
        try:
            with safe_open(path, framework="numpy") as file:
                names.append(f"{path.parent.name} ({len(file.keys())} arrays)")
        except SafetensorError as error:
            todo = "git checkout -- data, or unpack the kit again (git lfs pull, where it is used)"
            return Finding(MISSING, f"{path.parent.name} is damaged: {error}", todo)
    if len(names) < 2:
        found = ", ".join(names) or "none"
        return Finding(MISSING, f"{found} in {folder}; two are shipped", "unpack the kit again")
    return Finding(READY, ", ".join(names))


def hub_models(cache: Path | None = None) -> Finding:
    """Look whether the models that `pretrained_models` asks for are in the cache."""
    from utilities.commands.models import HUB_MODELS, is_cached

    absent = [name for name in HUB_MODELS if not is_cached(name, cache)]
    if not absent:
        return Finding(READY, f"in the local cache: {', '.join(HUB_MODELS)}")
    todo = f"lab models --fetch {absent[0]}; without them the shipped ones take their place"
    return Finding(OPTIONAL, f"not in the local cache: {', '.join(absent)}", todo)

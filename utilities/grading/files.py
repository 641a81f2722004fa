"""Collect the files of a submission: notebooks first, then what fits beside them.

Names, links, sizes and archives come from a stranger. Nothing is followed, everything is bounded
before it is read or unpacked, and what is left out is said.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from utilities.grading.markup import printable

FROM_EXCHANGE = ("timestamp.txt", "submission_secret.txt")  # nbgrader finds a submission again by them
UNSEEN = {  # what systems and tools put there by themselves
    *(*FROM_EXCHANGE, ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", "__pycache__"),
    *(".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".cache", ".idea", ".vscode"),
}
IGNORED = UNSEEN | {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "site-packages"}
LARGEST = 50 << 20  # bytes of one file
LARGEST_TOGETHER = 200 << 20  # of all notebooks, and again of all other files
LARGEST_UNPACKED = 400 << 20  # that one archive may come to, read or not
MOST_FILES = 2000
MOST_LISTED = 100_000  # entries that are looked at
DEEPEST = 2  # archives inside archives
MOST_NAMED = 5
LONGEST_NAME = 255  # bytes of a part of a path, as file systems have it
LONGEST_PATH = 1000
ARCHIVES = (".zip", ".tar", ".tgz", ".tbz", ".txz", ".ipynb")  # a notebook may be one, renamed
ZIP, TAR = b"PK\x03\x04", b"ustar"
UNPACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError,
    OSError, EOFError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class File:
    """One file: its path in the submission, what is in it, and when it was last changed."""

    name: str
    data: bytes = b""
    time: float = 0.0


@dataclass
class Collected:
    """What was found: files that were read, files that were not, and remarks on both."""

    files: list[File] = field(default_factory=list)
    unread: list[File] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def collect(folder: Path, deep: bool = True) -> Collected:
    """Return the files of a submission, those in its archives among them."""
    basket = _Basket()
    archives = []
    for listed in sorted(_listed(folder, basket, deep), key=lambda listed: listed.order):
        with _opened(listed.path) as stream:
            if stream is None:
                basket.unread(listed.name, listed.time)
            elif _is_archive(listed.name, stream):
                archives.append(listed)
            else:
                basket.add(listed.name, stream, listed.size, listed.time)
    for listed in archives:
        with _opened(listed.path) as stream:
            if stream is not None:
                _unpack(File(listed.name, time=listed.time), stream, basket, DEEPEST)
    return basket.result()


def fingerprints(folder: Path, deep: bool = True) -> Iterator[tuple[str, BinaryIO | None, int, float]]:
    """Yield name, content, size and time of each file that may matter.

    There is no content where it is too large, or where too much was read before it.
    """
    left = 2 * LARGEST_TOGETHER
    for listed in sorted(_listed(folder, _Basket(), deep), key=lambda listed: listed.order):
        fits = listed.size <= min(LARGEST, left)
        left -= listed.size if fits else 0
        with _opened(listed.path if fits else None) as stream:
            yield listed.name, stream, listed.size, listed.time


def is_notebook(name: str, data: bytes | None = None) -> bool:
    """Return whether a file is meant as a notebook: by its name, or by what stands in it."""
    last = PurePosixPath(name).name.lower()
    if last.startswith("._"):  # what macOS keeps beside each file in a zip
        return False
    if ".ipynb" in last:
        return True
    perhaps = data is not None and PurePosixPath(last.strip()).suffix in ("", ".json", ".txt")
    return perhaps and data is not None and b'"cells"' in data and b'"cell_type"' in data


@dataclass(frozen=True)
class _Listed:
    path: Path
    name: str
    size: int
    time: float

    @property
    def order(self) -> tuple:
        return (*_order(self.name, self.size), self.name)


def _order(name: str, size: int) -> tuple[bool, int, int]:
    """Return what comes first: notebooks, then what lies near the top, then what is small."""
    return (not is_notebook(name), name.count("/"), size)


class _Basket:
    """Files as they are taken, held to number and size; what is left out is told once."""

    def __init__(self) -> None:
        self.collected = Collected()
        self.names: set[str] = set()
        self.folders: set[str] = set()
        self.left = {True: LARGEST_TOGETHER, False: LARGEST_TOGETHER}  # bytes, of notebooks and others
        self.too_much: list[str] = []
        self.passed_over: list[str] = []

    def add(self, name: str, stream: IO[bytes], size: int, time: float) -> None:
        """Take a file if its name is one and it fits."""
        notebook = is_notebook(name)
        fits = len(self.collected.files) < MOST_FILES and size <= min(LARGEST, self.left[notebook])
        if not self._may_be_written(name):
            self.collected.remarks.append(f"The file {shortened(name)} is left out: no usable name.")
        elif not fits and not notebook:
            self.unread(name, time)
        else:
            limit = min(LARGEST, self.left[notebook]) + 1  # one more tells that it is too large
            data = stream.read(limit)
            self.left[notebook] -= len(data)
            if len(data) == limit and (not notebook or limit <= LARGEST):
                self.unread(name, time)
                return
            self.names.add(name)
            self.folders.update(map(str, PurePosixPath(name).parents))
            self.collected.files.append(File(name, data, time))

    def unread(self, name: str, time: float) -> None:
        """Keep in mind that there is a file that is not read."""
        self.too_much.append(name)
        if len(self.collected.unread) < MOST_FILES:
            self.collected.unread.append(File(name, time=time))

    def remark(self, text: str) -> None:
        self.collected.remarks.append(text)

    def free_name(self, name: str, archive: str) -> str:
        """Return a name for what an archive holds that no other file has."""
        return name if name not in self.names else f"{archive}.d/{name}"

    def result(self) -> Collected:
        """Return what was collected, with remarks on what was not."""
        if self.passed_over:
            self.remark(f"No part of an answer, and not looked at: {_listing(self.passed_over)}.")
        if self.too_much:
            self.remark(
                f"Left out, since too large or too many: {_listing(self.too_much)}. Beside a notebook "
                f"{MOST_FILES} files and {LARGEST_TOGETHER >> 20} MB are kept, no file larger than "
                f"{LARGEST >> 20} MB."
            )
        return self.collected

    def _may_be_written(self, name: str) -> bool:
        parts = name.split("/")
        good = all(p not in ("", ".", "..") and len(os.fsencode(p)) <= LONGEST_NAME for p in parts)
        taken = name in self.names or name in self.folders
        below_a_file = any(str(parent) in self.names for parent in PurePosixPath(name).parents)
        return good and len(name) <= LONGEST_PATH and "\0" not in name and not (taken or below_a_file)


def _listed(folder: Path, basket: _Basket, deep: bool) -> Iterator[_Listed]:
    """Yield the plain files of a folder; links and what is no part of an answer are passed over."""
    seen, waiting = 0, [folder]
    while waiting:
        here = waiting.pop()
        for entry in _entries(here):
            seen += 1
            if seen > MOST_LISTED:
                basket.remark(f"Only the first {MOST_LISTED:,} files and folders were looked at.")
                return
            name = Path(entry.path).relative_to(folder).as_posix()
            if entry.name in UNSEEN or entry.name.startswith("._"):
                continue
            if entry.is_symlink():
                basket.remark(f"The link {shortened(name)} is not followed.")
            elif entry.is_dir(follow_symlinks=False):
                if entry.name in IGNORED or os.path.lexists(os.path.join(entry.path, "pyvenv.cfg")):
                    basket.passed_over.append(name)
                elif deep:
                    waiting.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                    about = entry.stat(follow_symlinks=False)
                    yield _Listed(Path(entry.path), name, about.st_size, about.st_mtime)


def _entries(folder: Path) -> list[os.DirEntry]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)
    return []


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[BinaryIO | None]:
    """Open a plain file; None where it is none, or where it is gone."""
    stream = None
    with contextlib.suppress(OSError):
        if path is not None:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            stream = os.fdopen(handle, "rb")
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                stream.close()
                stream = None
    try:
        yield stream
    finally:
        if stream is not None:
            stream.close()


def _is_archive(name: str, stream: IO[bytes]) -> bool:
    """Return whether a file is an archive by its content, and called so or a notebook."""
    start = stream.read(265)
    stream.seek(0)
    last = PurePosixPath(name).name.lower()
    if not any(sign in last for sign in ARCHIVES):
        return False
    return start[:4] == ZIP or start[257:262] == TAR or _unpacker(start) is not None


def _unpacker(start: bytes) -> Any:
    return next((unpack for sign, unpack in UNPACKERS.items() if start.startswith(sign)), None)


def _unpack(archive: File, stream: IO[bytes], basket: _Basket, deeper: int) -> None:
    """Take the files of an archive."""
    name = shortened(archive.name)
    if not deeper:
        basket.remark(f"The archive {name} was not opened: archives inside archives.")
        basket.collected.unread.append(archive)
        return
    start = stream.read(4)
    stream.seek(0)
    unpack = _unzip if start == ZIP else _untar
    try:
        unpack(archive, stream, basket, deeper)
        basket.remark(f"The archive {name} was unpacked.")
    except BROKEN as error:
        basket.remark(f"The archive {name} cannot be unpacked: {printable(str(error))}.")
        basket.collected.unread.append(archive)


def _unzip(archive: File, stream: IO[bytes], basket: _Basket, deeper: int) -> None:
    with zipfile.ZipFile(stream) as zipped:
        entries = [entry for entry in zipped.infolist()[:MOST_LISTED] if not entry.is_dir()]
        for entry in sorted(entries, key=lambda e: _order(e.filename, e.file_size)):
            try:
                with zipped.open(entry) as inner:
                    when = _zip_time(entry)
                    _take(archive, entry.filename, inner, entry.file_size, when, basket, deeper)
            except BROKEN as error:
                basket.remark(
                    f"{shortened(entry.filename)} in {shortened(archive.name)} cannot be unpacked: "
                    f"{printable(str(error))}."
                )


def _zip_time(entry: zipfile.ZipInfo) -> float:
    with contextlib.suppress(ValueError, OverflowError):
        return time.mktime((*entry.date_time, 0, 0, -1))
    return 0.0


def _untar(archive: File, stream: IO[bytes], basket: _Basket, deeper: int) -> None:
    """Take the files of a tar archive, or the one file that is packed alone."""
    plain = _plain(stream)
    start = plain.read(512)
    plain.seek(0)
    bounded: Any = _Bounded(plain)
    if start[257:262] != TAR:
        name = archive.name.rsplit(".", 1)[0]
        return _take(archive, name, bounded, len(start), archive.time, basket, deeper)
    with tarfile.open(fileobj=bounded, mode="r|") as tar:
        links: list[tarfile.TarInfo] = []
        for entry in tar:
            if entry.isfile() and (inner := tar.extractfile(entry)) is not None:
                _take(archive, entry.name, inner, entry.size, entry.mtime, basket, deeper)
            elif (entry.islnk() or entry.issym()) and len(links) < MOST_FILES:
                links.append(entry)
    for link in links:
        _take_link(archive, link, basket, deeper)


def _take_link(archive: File, link: tarfile.TarInfo, basket: _Basket, deeper: int) -> None:
    """Take a hard link for the file of the archive that it names; tar packs one file once."""
    target = PurePosixPath(link.linkname).as_posix()
    names = (target, f"{archive.name}.d/{target}") if link.islnk() else ()
    same = next((file for file in basket.collected.files if file.name in names), None)
    if same is None:
        basket.remark(f"The link {shortened(link.name)} in {shortened(archive.name)} is not followed.")
    else:
        stream, size = io.BytesIO(same.data), len(same.data)
        _take(archive, link.name, stream, size, link.mtime, basket, deeper)


def _plain(stream: IO[bytes]) -> Any:
    start = stream.read(6)
    stream.seek(0)
    unpacker = _unpacker(start)
    return stream if unpacker is None else unpacker(stream)


def _take(
    archive: File, name: str, stream: IO[bytes], size: int, time: float, basket: _Basket, deeper: int
) -> None:
    """Take one entry of an archive; an archive among them is opened in its turn."""
    path = PurePosixPath(name.replace("\\", "/"))  # as Windows writes it
    if any(part in IGNORED or part.startswith("._") for part in path.parts):
        return
    free = basket.free_name(path.as_posix(), archive.name)
    inner = stream
    if size <= LARGEST and any(sign in free.lower() for sign in ARCHIVES):
        inner = io.BytesIO(stream.read(LARGEST))
        if _is_archive(free, inner):
            return _unpack(File(free, time=time), inner, basket, deeper - 1)
    basket.add(free, inner, size, time)


class _Bounded:
    """A stream that ends with an error where an archive comes to more than may be read."""

    def __init__(self, stream: Any):
        self.stream, self.left = stream, LARGEST_UNPACKED

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data = self.stream.read(min(size, self.left + 1) if size >= 0 else self.left + 1)
        self.left -= len(data)
        if self.left < 0:
            raise OSError("it is too large")
        return data


def shortened(name: str) -> str:
    """Return a name as it can be shown, in one line."""
    shown = printable(name)
    return shown if len(shown) <= 80 else f"{shown[:50]}…{shown[-25:]}"


def _listing(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(map(shortened, names[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")

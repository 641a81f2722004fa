"""`lab data`: download the full CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pooch

from utilities.datasets.downloads import NoSource, download
from utilities.datasets.files import write_subset
from utilities.datasets.loading import load_full
from utilities.datasets.places import download_folder
from utilities.datasets.sets import CIFAR10
from utilities.datasets.sources import DOWNLOADS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `lab data` understands."""
    parser.epilog = (
        f"The data goes to {download_folder()}, or to the folder named by the environment "
        "variable LAB_DATA. An interrupted download goes on where it stopped."
    )
    parser.add_argument(
        "names",
        nargs="*",
        default=list(DOWNLOADS),
        type=_name,
        metavar="{cifar10,cifar100}",
        help="what to download (both, if nothing is named)",
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
    """Download what was asked for; exit status 0, 1 if anything is missing, 130 after Ctrl-C."""
    pooch.get_logger().setLevel("WARNING")
    folder = download_folder()
    names = ["cifar10"] if options.make_subset else list(dict.fromkeys(options.names))
    errors = []
    try:
        for name in names:
            try:
                download(DOWNLOADS[name], folder)
            except NoSource as error:
                errors.append(str(error))
        if options.make_subset and not errors:
            write_subset(options.make_subset, load_full(CIFAR10))
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

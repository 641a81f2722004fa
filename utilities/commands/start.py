"""`lab start`: a student's folder with the notebooks, and JupyterLab in it."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from utilities.kit import INSTALLED, KIT

RELEASED = KIT / "lab"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `lab start` understands."""
    parser.epilog = (
        "Notebooks that are there already are left as they are. In a clone of the kit, where no folder "
        "is named, JupyterLab opens on the kit's own lab/."
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("attention-lab") if INSTALLED else RELEASED,
        help="the folder to work in, made where it is not there (default: attention-lab)",
    )
    parser.add_argument("--no-browser", action="store_true", help="start the server alone")
    parser.add_argument("--only-folder", action="store_true", help="write the folder, start nothing")


def run(options: argparse.Namespace) -> int:
    """Write the folder, and serve JupyterLab until it is ended."""
    folder = options.folder.expanduser().resolve()
    written = write_folder(folder)
    print(f"{len(written)} notebooks written to {folder}" if written else f"Going on in {folder}")
    if options.only_folder:
        return 0
    from jupyterlab.labapp import LabApp

    os.chdir(folder)
    LabApp.launch_instance(["--no-browser"] if options.no_browser else [])
    return 0


def write_folder(folder: Path) -> list[Path]:
    """Copy the released notebooks that are not in the folder yet, and return those copied."""
    written = []
    for notebook in sorted(RELEASED.glob("*/*.ipynb")):
        target = folder / notebook.relative_to(RELEASED)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(notebook, target)
            written.append(target)
    return written

"""Make the zip that students get: `make handout`.

What goes in is named here, room by room; everything else stays out: solutions, tests, the
catalogue, tools, and `utilities.grading`. The checks judge in the notebook, so their formulas go
along. The same files always make the same zip.
"""

import argparse
import os
import re
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import tomli_w

from tools.first_cell import with_wheel

KIT = Path(__file__).resolve().parents[1]
LEFT_BY_RUNS = {"__pycache__", ".ipynb_checkpoints", "checkpoints", "downloads"}
WHOLE_FILES = ["LICENSE", "CITATION.cff", "environment.yml", "requirements-student.lock"]
MAKE_TARGETS = ("help", "lab", "data", "$(BIN)/python", "$(STUDENT)")
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name


def main(arguments: list[str] | None = None) -> int:
    """Write the zip and print its path and size."""
    parser = argparse.ArgumentParser(prog="make handout", description=__doc__)
    parser.add_argument("--output", type=Path, default=KIT / "dist", help="folder to write it to")
    parser.add_argument("--wheel", default="", help="address of the wheel, for notebooks on Colab")
    options = parser.parse_args(arguments)
    path = write_zip(contents(KIT, options.wheel), options.output / f"{name(KIT)}.zip")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


def name(kit: Path) -> str:
    """Return the name of the zip and of the one folder in it, with the version."""
    project = tomllib.loads((kit / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"{project['name'].removesuffix('-kit')}-handout-{project['version']}"


def contents(kit: Path, wheel: str = "") -> dict[str, bytes]:
    """Return everything that students get: path in the folder → content, sorted.

    wheel: the address from which the notebooks install the kit where it is not there. Labs, and with
    them their checks, are found by what is there: a new one needs no word here.
    Raises FileNotFoundError where a part of the kit is missing.
    """
    files = {path: (kit / path).read_bytes() for path in _paths(kit)}
    for path in [path for path in files if wheel and path.endswith(".ipynb")]:
        files[path] = with_wheel(files[path].decode(), wheel).encode()
    files["START_HERE.md"] = (kit / "docs" / "START_HERE.md").read_bytes()
    files["pyproject.toml"] = _project(kit).encode()
    files["Makefile"] = _makefile((kit / "Makefile").read_text(encoding="utf-8")).encode()
    return dict(sorted(files.items()))


def write_zip(files: dict[str, bytes], path: Path, folder: str | None = None) -> Path:
    """Write files into a zip under one folder, of its name if not said; an older zip is replaced."""
    inside_of = f"{path.stem}/" if folder is None else folder
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for inside, content in files.items():
                entry = zipfile.ZipInfo(f"{inside_of}{inside}", LONG_AGO)
                entry.create_system, entry.external_attr = 3, 0o644 << 16  # as on Unix, everywhere
                archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise
    return path


def _paths(kit: Path) -> Iterator[str]:
    """Yield the files that go along as they are."""
    yield from WHOLE_FILES
    for path in sorted((kit / "lab").glob("*/*.ipynb")):
        yield path.relative_to(kit).as_posix()
    for path in sorted((kit / "utilities").rglob("*.py*")):
        if not {"grading", "__pycache__"} & set(path.relative_to(kit).parts):
            yield path.relative_to(kit).as_posix()
    for path in sorted((kit / "data").rglob("*")):
        parts = path.relative_to(kit).parts
        hidden = any(part.startswith(".") for part in parts)
        if path.is_file() and not hidden and not LEFT_BY_RUNS & set(parts):
            yield path.relative_to(kit).as_posix()


def _project(kit: Path) -> str:
    """Return pyproject.toml without the needs of tests, grading's parts and the settings of tools."""
    settings = tomllib.loads((kit / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    project["readme"] = "START_HERE.md"
    project["optional-dependencies"] = {"gpu": project["optional-dependencies"]["gpu"]}
    del project["entry-points"]
    del settings["dependency-groups"]
    packages = settings["tool"]["setuptools"]
    del packages["data-files"]  # the server's part of grading
    return tomli_w.dumps({**settings, "tool": {"setuptools": packages}}, multiline_strings=False)


def _makefile(text: str) -> str:
    """Return the Makefile's settings and the targets that a student needs."""
    settings, *blocks = text.strip().split("\n\n")
    kept = [
        block
        for block in blocks
        if any(line.startswith(f"{target}:") for line in block.splitlines() for target in MAKE_TARGETS)
    ]
    used = "\n".join([settings, *kept])
    variables = [
        line
        for line in settings.splitlines()
        if (variable := re.match(r"\w+(?= [:?]?=)", line)) and f"$({variable[0]})" in used
    ]
    targets = " ".join(target for target in MAKE_TARGETS if target.isalpha())
    head = "# `make lab` does everything: START_HERE.md says what, and what to do without make."
    return "\n\n".join(["\n".join([head, *variables]), f".PHONY: {targets}", *kept]) + "\n"


if __name__ == "__main__":
    sys.exit(main())

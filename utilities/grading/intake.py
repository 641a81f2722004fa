"""Take in what a student handed in, whatever it is: a notebook comes out, or a written reason.

Nothing handed in is trusted: links are not followed, archives are unpacked within bounds, and a
notebook that can be mended without guessing at its content (a renamed file, another encoding,
conflict marks) is mended, with a remark that says so.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from rapidfuzz import fuzz, process

LARGEST_NOTEBOOK = 50 << 20  # bytes; outputs swell a notebook, and are dropped
LARGEST_FILE = 50 << 20
LARGEST_SUBMISSION = 200 << 20
MOST_FILES = 2000
DEEPEST_ARCHIVE = 2
CONFLICT = re.compile(r"^<<<<<<<[^\n]*\n(.*?)^=======\n.*?^>>>>>>>[^\n]*\n?", re.DOTALL | re.MULTILINE)
FROM_EXCHANGE = ("timestamp.txt", "submission_secret.txt")  # nbgrader finds a submission again by them
IGNORED = (*FROM_EXCHANGE, ".ipynb_checkpoints", "__MACOSX", ".DS_Store", "__pycache__")
NOT_HANDED_IN = "No notebook {}.ipynb was handed in."
ENCODINGS = ("utf-8-sig", "utf-16", "cp1252", "latin-1")


class Unreadable(ValueError):
    """A notebook cannot be read; the message is the reason that the student gets."""


@dataclass
class Submission:
    """What one student handed in: a notebook or a reason for each expected one, and the files."""

    notebooks: dict[str, NotebookNode] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)


def take_in(folder: Path, expected: list[str]) -> Submission:
    """Return the submission in a folder; `expected` are the notebooks' names without suffix."""
    remarks: list[str] = []
    found = dict(_plain_files(folder, remarks))
    for depth in range(DEEPEST_ARCHIVE + 1):
        archives = {name: data for name, data in found.items() if _is_archive(name, data)}
        for name, data in archives.items():
            del found[name]
            if depth == DEEPEST_ARCHIVE:
                remarks.append(f"The archive {name} was not opened: archives inside archives.")
            else:
                found.update(_unpacked(name, data, remarks))
    submission = Submission(remarks={name: list(remarks) for name in expected})
    candidates = {name: data for name, data in found.items() if name.endswith(".ipynb")}
    submission.files = {name: data for name, data in found.items() if name not in candidates}
    for name in expected:
        _take_notebook(submission, name, candidates, only=len(expected) == 1)
    return submission


def read_notebook(data: bytes, remarks: list[str]) -> NotebookNode:
    """Return the notebook in a file's bytes. Raises Unreadable with the reason."""
    if len(data) > LARGEST_NOTEBOOK:
        raise Unreadable(
            f"The notebook has {len(data) >> 20} MB; at most {LARGEST_NOTEBOOK >> 20} MB can be "
            "read. Clear its outputs and hand it in again."
        )
    if not data.strip():
        raise Unreadable("The notebook file is empty.")
    text = _decoded(data, remarks)
    content = _parsed(text, remarks)
    if not isinstance(content, dict) or not ("cells" in content or "worksheets" in content):
        raise Unreadable("The file is no Jupyter notebook: it has no cells.")
    try:
        notebook = nbformat.reads(json.dumps(_without_outputs(content)), as_version=4)
        cells = [_plain_cell(cell) for cell in notebook.cells]
    except Exception as error:  # nbformat has no one error for what is no notebook
        raise Unreadable(f"The file is no valid Jupyter notebook ({type(error).__name__}).") from error
    return nbformat.v4.new_notebook(cells=cells)


def _take_notebook(submission: Submission, name: str, candidates: dict[str, bytes], only: bool) -> None:
    remarks = submission.remarks[name]
    chosen = _choose(name, candidates, only)
    if chosen is None:
        submission.refused[name] = NOT_HANDED_IN.format(name)
        return
    if PurePosixPath(chosen).name != f"{name}.ipynb":
        remarks.append(f"The notebook was handed in as {chosen} and taken for {name}.ipynb.")
    try:
        submission.notebooks[name] = read_notebook(candidates[chosen], remarks)
    except Unreadable as error:
        submission.refused[name] = str(error)


def _choose(name: str, candidates: dict[str, bytes], only: bool) -> str | None:
    """Return the candidate under the expected name, or else the one most like it."""
    exact = [c for c in candidates if PurePosixPath(c).name == f"{name}.ipynb"]
    if exact:
        return min(exact, key=lambda c: (c.count("/"), c))
    if not candidates:
        return None
    if only and len(candidates) == 1:
        return next(iter(candidates))
    best, score, _ = process.extractOne(f"{name}.ipynb", list(candidates), scorer=fuzz.WRatio)
    return best if score >= 70 else None


def _plain_files(folder: Path, remarks: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of plain files, bounded in number and size."""
    total = number = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if any(part in IGNORED for part in path.relative_to(folder).parts):
            continue
        if path.is_symlink():
            remarks.append(f"The link {name} is not followed.")
        elif path.is_file():
            size = path.stat().st_size
            number, total = number + 1, total + size
            if number > MOST_FILES or total > LARGEST_SUBMISSION:
                remarks.append("Further files are left out: too many, or too large together.")
                return
            limit = 4 * LARGEST_NOTEBOOK if name.endswith(".ipynb") else LARGEST_FILE
            if size > limit:
                remarks.append(f"The file {name} is left out: larger than {limit >> 20} MB.")
                continue
            yield name, path.read_bytes()


def _is_archive(name: str, data: bytes) -> bool:
    return name.lower().endswith(".zip") and zipfile.is_zipfile(io.BytesIO(data))


def _unpacked(name: str, data: bytes, remarks: list[str]) -> dict[str, bytes]:
    """Return the files of an archive, bounded before anything is unpacked."""
    remarks.append(f"The archive {name} was unpacked.")
    files: dict[str, bytes] = {}
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist()[:MOST_FILES]:
                path = PurePosixPath(entry.filename)
                skipped = entry.is_dir() or path.is_absolute() or ".." in path.parts
                if skipped or any(part in IGNORED for part in path.parts):
                    continue
                total += entry.file_size
                if total > LARGEST_SUBMISSION or entry.file_size > 4 * LARGEST_NOTEBOOK:
                    remarks.append(f"Files in {name} are left out: too large.")
                    break
                with archive.open(entry) as stream:
                    files[path.as_posix()] = stream.read(entry.file_size)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        remarks.append(f"The archive {name} cannot be unpacked: {error}.")
    return files


def _decoded(data: bytes, remarks: list[str]) -> str:
    utf_16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ENCODINGS:
        if (encoding == "utf-16") != utf_16:
            continue
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != "utf-8-sig":
            remarks.append(f"The notebook is not in UTF-8; it was read as {encoding}.")
        return text
    raise Unreadable("The notebook is a binary file, or in an unknown encoding.")


def _parsed(text: str, remarks: list[str]) -> Any:
    """Return the JSON of a text; where marks of a merge stand in it, that of the first side."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        first = str(error)
    if CONFLICT.search(text):
        try:
            content = json.loads(CONFLICT.sub(lambda found: found.group(1), text))
        except (ValueError, RecursionError):
            pass
        else:
            remarks.append("The file held marks of a merge conflict: your own side was taken.")
            return content
        raise Unreadable(
            "The file holds marks of an unsolved merge conflict (<<<<<<<, =======, >>>>>>>)."
        )
    raise Unreadable(f"The file is no valid JSON ({first}): was it cut off, or edited by hand?")


def _without_outputs(content: dict) -> dict:
    """Drop outputs before anything else looks at the notebook: they may be most of it."""
    for cells in [content, *_dicts(content.get("worksheets"))]:
        for cell in _dicts(cells.get("cells")):
            if cell.get("cell_type") == "code":
                cell["outputs"] = []
    return content


def _dicts(value: Any) -> list[dict]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _plain_cell(cell: Any) -> NotebookNode:
    """Return a cell with a source that is text and metadata that is a mapping."""
    source = cell.get("source", "")
    cell["source"] = source if isinstance(source, str) else "".join(map(str, source))
    if not isinstance(cell.get("metadata"), dict):
        cell["metadata"] = NotebookNode()
    return cell

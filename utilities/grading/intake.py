"""Take in what a student handed in, whatever it is: a notebook comes out, or a written reason.

Nothing handed in is trusted: links are not followed, archives are unpacked within bounds, and of a
notebook nothing is taken but the type, the text, the grade id, the pictures and the outputs of its
cells. What can be read without guessing at its content (a renamed file, another encoding, conflict
marks) is read, with a remark that says so. Where there are several to choose from, a person is asked.
All is linear in what was handed in.
"""

import contextlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path, PurePosixPath
from typing import Any

import dateutil.parser
from dateutil.tz import gettz
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.utils import parse_utc
from rapidfuzz import fuzz

from utilities.grading.files import Collected, File, collect, is_notebook, shortened
from utilities.grading.markup import printable
from utilities.grading.outputs import Shown, text_of

LARGEST_NOTEBOOK = 50 << 20  # bytes; outputs swell a notebook, and are dropped
NOT_HANDED_IN = "No notebook {}.ipynb was handed in."
MOST_CELLS = 5000
LARGEST_PICTURE = 5 << 20  # characters of base64
LARGEST_PICTURES = 20 << 20  # of one notebook
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
ENCODINGS = ("cp1252", "latin-1")  # after those of JSON
DATE = re.compile(r"(20\d\d)\D?(\d\d)\D?(\d\d)(?:\D{1,2}(\d\d)\D?(\d\d)(?:\D?(\d\d))?)?")
OWN_FORM = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \S+\s*")  # of nbgrader
NUMBER = re.compile(r"\d{1,18}")
SAME_TIME = 60.0  # seconds; what a download or an archive has put down together
ARCHIVE = re.compile(r"\.(?:zip|tar|tgz|tar\.\w+)$", re.IGNORECASE)
ALIKE = 70  # of 100
MOST_NAMED = 5
KINDS = {  # what begins so is no notebook but …
    b"<!doctype html": "a web page (HTML)", b"<html": "a web page (HTML)", b"%pdf": "a PDF",
    b"\x89png": "a picture (PNG)", b"\xff\xd8\xff": "a picture (JPEG)", b"7z\xbc\xaf": "a 7z archive",
    b"rar!": "a RAR archive", b"\xd0\xcf\x11\xe0": "an Office document",
    b"version https://git-lfs": "a pointer of Git LFS, without the file",
}  # fmt: skip


class Unreadable(ValueError):
    """A notebook cannot be read; the message is the reason that the student gets."""


@dataclass
class Submission:
    """What one student handed in: a notebook or a reason for each expected one, and the files.

    doubts: what a person should look at before the grade of a notebook can stand.
    """

    notebooks: dict[str, NotebookNode] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    doubts: dict[str, list[str]] = field(default_factory=dict)


def take_in(folder: Path, expected: Sequence[str], deep: bool = True) -> Submission:
    """Return the submission in a folder; `expected` are the notebooks' names without suffix.

    deep: look into the folders in it, too.
    """
    collected = collect(folder, deep)
    submission = Submission(
        files={f.name: f.data for f in collected.files if not is_notebook(f.name, f.data)},
        remarks={name: list(collected.remarks) for name in expected},
        doubts={name: [] for name in expected},
    )
    for name in expected:
        _take_notebook(submission, name, expected, collected)
    return submission


def _take_notebook(
    submission: Submission, name: str, expected: Sequence[str], collected: Collected
) -> None:
    remarks, doubts = submission.remarks[name], submission.doubts[name]
    ranked = _ranked(name, expected, collected.files, doubts)
    for place, chosen in enumerate(ranked):
        own: list[str] = []
        if PurePosixPath(chosen.name).name != f"{name}.ipynb":
            own.append(
                f"The notebook was handed in as {printable(chosen.name)} and taken for {name}.ipynb."
            )
        try:
            submission.notebooks[name] = read_notebook(chosen.data, own)
        except Unreadable as error:
            submission.refused.setdefault(name, str(error))
            continue
        if submission.refused.pop(name, None):
            doubts.append(
                f"{printable(ranked[0].name)} cannot be read; {printable(chosen.name)} was graded."
            )
        left = [other for other in ranked if other is not chosen and other.data != chosen.data]
        if left and place == 0:
            own.append(f"{_named(left)} lay beside it and was not graded.")
        remarks += own
        remarks += [doubt for doubt in doubts if doubt not in remarks]
        return
    if not ranked:
        submission.refused[name] = _nothing(name, expected, collected, doubts)


def is_meant(file: str, name: str) -> bool:
    """Return whether a file is called as the notebook `name`, or as an archive of it."""
    return _key(re.sub(ARCHIVE, "", _stem(file))) == _key(name)


def _nothing(name: str, expected: Sequence[str], collected: Collected, doubts: list[str]) -> str:
    """Return that there is no notebook, and what there is instead, but for the other notebooks."""
    reason = NOT_HANDED_IN.format(name)
    others = [other for other in expected if other != name]
    lying = [*collected.files, *collected.unread]
    present = [file for file in lying if not any(is_meant(file.name, other) for other in others)]
    if present:
        reason += f" What lies there: {_named(present)}."
        doubts.append(reason)
    return reason


def _named(files: Iterable[File]) -> str:
    names = [shortened(file.name) for file in files]
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _ranked(name: str, expected: Sequence[str], files: Sequence[File], doubts: list[str]) -> list[File]:
    """Return the notebooks that may be the expected one, the best first; say what is doubtful."""
    candidates = [f for f in files if is_notebook(f.name, f.data)]
    stems = {id(f): _stem(f.name) for f in candidates}
    others = {_key(other) for other in expected if other != name}
    exact = [f for f in candidates if _key(stems[id(f)]) == _key(name)]
    free = [f for f in candidates if _key(stems[id(f)]) not in {*others, _key(name)}]
    likeness = {id(f): fuzz.WRatio(_key(name), _key(stems[id(f)])) for f in free}
    alike = [f for f in free if likeness[id(f)] >= ALIKE]
    if not exact and not alike and len(expected) == 1 and len(free) == 1:
        alike = free
    depth = min((f.name.count("/") for f in exact), default=0)
    first = _newest([f for f in exact if f.name.count("/") == depth], likeness, doubts)
    rest = [f for f in exact if f.name.count("/") > depth]
    second = _newest(alike, likeness, doubts if not first else [])
    if first and any(f.time > first[0].time + SAME_TIME for f in second if f.data != first[0].data):
        doubts.append(f"{_named([first[0]])} was graded; {_named(second)} is newer.")
    return [*first, *rest, *second]


def _newest(files: list[File], likeness: dict[int, float], doubts: list[str]) -> list[File]:
    """Return attempts, the newest first: by the dates in their names, or else by their time."""
    if len({f.data for f in files}) < 2:
        return sorted(files, key=lambda f: f.name)
    dates = [_date(f.name) for f in files]
    if all(dates) and len(set(dates)) == len(dates):
        return sorted(files, key=lambda f: _date(f.name), reverse=True)
    times = sorted(f.time for f in files)
    if len({NUMBER.sub("#", f.name) for f in files}) == 1:
        ordered, why = sorted(files, key=lambda f: _numbers(f.name), reverse=True), "the last"
    elif times[-1] - times[-2] >= SAME_TIME:
        ordered, why = sorted(files, key=lambda f: -f.time), "the newest"
    else:
        ordered = sorted(files, key=lambda f: (likeness.get(id(f), 100.0), f.name), reverse=True)
        why = "the last by name"
    doubts.append(
        f"There are {len(files)} notebooks to choose from ({_named(ordered)}): "
        f"{printable(ordered[0].name)}, {why}, was graded. Is it the right one?"
    )
    return ordered


def _numbers(name: str) -> list[int]:
    return [int(number) for number in NUMBER.findall(name)]


def _date(name: str) -> tuple[int, ...]:
    found = DATE.search(PurePosixPath(name).name)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _stem(name: str) -> str:
    """Return a notebook's name without suffixes, whoever has added one."""
    last = PurePosixPath(name).name.strip()
    return re.sub(r"\s*(?:\.ipynb|\.json|\.txt)+$", "", last, flags=re.IGNORECASE).strip()


def _key(stem: str) -> str:
    return stem.strip().casefold()


def read_notebook(data: bytes, remarks: list[str]) -> NotebookNode:
    """Return the notebook in a file's bytes, built anew. Raises Unreadable with the reason."""
    if len(data) > LARGEST_NOTEBOOK:
        raise Unreadable(
            f"The notebook has more than {LARGEST_NOTEBOOK >> 20} MB, which is the most that can be "
            "read. Clear its outputs and hand it in again."
        )
    if not data.strip(b" \t\r\n\0"):
        raise Unreadable("The notebook file is empty.")
    start = data[:64].lstrip().lower()
    kind = next((kind for sign, kind in KINDS.items() if start.startswith(sign)), None)
    if kind is not None:
        raise Unreadable(f"The file is no Jupyter notebook but {kind}.")
    content = _parsed(_decoded(data, remarks), remarks)
    cells = _cells(content)
    if cells is None:
        raise Unreadable("The file is no Jupyter notebook: it has no cells.")
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"The notebook has {len(cells)} cells; at most {MOST_CELLS} can be read.")
    pictures, shown = _Pictures(), Shown()
    built = [_built(cell, pictures, shown) for cell in cells]
    if pictures.refused:
        remarks.append(
            f"Left out of the attachments: {_named(pictures.refused)}. Pictures (PNG, JPEG, GIF, WebP) "
            f"of up to {LARGEST_PICTURE >> 20} MB are kept."
        )
    return NotebookNode(cells=built, metadata=NotebookNode(), nbformat=4, nbformat_minor=5)


def _cells(content: Any) -> list[dict] | None:
    """Return the cells of a notebook of any version; None where it is no notebook."""
    if not isinstance(content, dict):
        return None
    sheets = _dicts(content.get("worksheets"))
    lists = [part["cells"] for part in (content, *sheets) if isinstance(part.get("cells"), list)]
    return [cell for cells in lists for cell in _dicts(cells)] if lists else None


def _built(cell: dict, pictures: "_Pictures", shown: Shown) -> NotebookNode:
    """Return a cell of the current format from what a student's cell says, whatever its form."""
    kind = str(cell.get("cell_type", "code")).strip().lower()
    source = text_of(cell.get("source", cell.get("input")))
    if kind == "heading":  # of version 3
        level = cell.get("level")
        source = "#" * (level if isinstance(level, int) and 0 < level < 7 else 1) + f" {source}"
    if kind == "code":
        new = new_code_cell(source, outputs=shown.of(cell.get("outputs")))
    else:
        new = new_markdown_cell(source)
    if isinstance(cell.get("id"), str):
        new.id = cell["id"]  # to be recognised by; repaired cells get ids of their own
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    if isinstance(name, str):
        new.metadata["nbgrader"] = NotebookNode(grade_id=name)
    if kind != "code" and (kept := pictures.of(cell.get("attachments"))):
        new.attachments = kept
    return new


@dataclass
class _Pictures:
    """The pictures pasted into a notebook: pictures only, held to a size."""

    left: int = LARGEST_PICTURES
    refused: list[File] = field(default_factory=list)

    def of(self, attachments: Any) -> NotebookNode:
        """Return what may stay of a cell's attachments."""
        kept = NotebookNode()
        for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
            data = self._picture(bundle)
            if data is None:
                self.refused.append(File(name))
            else:
                kept[name] = NotebookNode(data)
        return kept

    def _picture(self, bundle: Any) -> dict[str, str] | None:
        for kind in PICTURES if isinstance(bundle, dict) else ():
            data = bundle.get(kind)
            data = "".join(map(str, data)) if isinstance(data, list) else data
            if not isinstance(data, str) or len(data) > min(LARGEST_PICTURE, self.left):
                continue
            if BASE64.fullmatch(data):
                self.left -= len(data)
                return {kind: data}
        return None


def _decoded(data: bytes, remarks: list[str]) -> str:
    encoding = json.detect_encoding(data)
    for tried in (encoding, *ENCODINGS):
        try:
            text = data.decode(tried)
        except UnicodeDecodeError:
            continue
        if not tried.startswith("utf-8"):
            remarks.append(f"The notebook is not in UTF-8; it was read as {tried}.")
        return text.removeprefix("\ufeff")
    raise Unreadable("The notebook is a binary file, or in an unknown encoding.")


def _parsed(text: str, remarks: list[str]) -> Any:
    """Return the JSON of a text; where marks of a merge stand in it, that of the first side."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        first = str(error)
    if "<<<<<<<" in text and ">>>>>>>" in text:
        try:
            content = json.loads(_own_side(text), strict=False)
        except (ValueError, RecursionError):
            raise Unreadable(
                "The file holds marks of an unsolved merge conflict (<<<<<<<, =======, >>>>>>>)."
            ) from None
        remarks.append("The file held marks of a merge conflict: your own side was taken.")
        return content
    raise Unreadable(f"The file is no valid JSON ({first}): was it cut off, or edited by hand?")


def _own_side(text: str) -> str:
    """Return a text without the marks of a merge and without the other side."""
    kept, own = [], True
    for line in text.splitlines(keepends=True):
        mark = line[:7]
        if mark in ("<<<<<<<", ">>>>>>>"):
            own = True
        elif mark in ("|||||||", "======="):
            own = False
        elif own:
            kept.append(line)
    return "".join(kept)


def time_stamp(data: bytes) -> bytes | None:
    """Return a `timestamp.txt` in a form that nbgrader reads; None where no whole date stands in it."""
    text = data.decode("utf-8-sig", "replace").strip(" \t\r\n\0")
    handed_in = _time(text)
    if handed_in is None:
        return None
    if OWN_FORM.fullmatch(data):
        return data  # as it is: the exchange finds feedback again by it
    return f"{handed_in} UTC".encode()


def _time(text: str) -> datetime | None:
    """Return the time (UTC) that a text tells, read generously but without guessing at its parts."""
    if not re.search(r"\d{4}", text):
        return None
    days = (datetime(2000, 1, 1), datetime(2001, 2, 2))  # stand in for what a text leaves out
    with contextlib.suppress(ValueError, OverflowError, TypeError):
        first, second = (
            dateutil.parser.parse(text, fuzzy=True, default=day, tzinfos=_zone) for day in days
        )
        if first == second:
            return parse_utc(text if OWN_FORM.fullmatch(text.encode()) else first)
    return None


def _zone(name: str | None, offset: int | None) -> tzinfo | int | None:
    return gettz(name) if name else offset


def _dicts(value: Any) -> list[dict]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

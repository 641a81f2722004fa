"""Whatever is handed in is read: forms of the format, names, archives, dates, and what lies beside."""

import gzip
import io
import json
import os
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, writes

from utilities.grading import files as collecting
from utilities.grading.intake import LARGEST_NOTEBOOK, Unreadable, read_notebook, take_in, time_stamp

CODE, WORDS = "def gaussian(d):\n    return 1", "Since i<n, and j>i.\r\n"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
SECONDS = 20.0  # of processor time; what grows with the square takes minutes


def notebook(code: str = CODE) -> dict:
    """Return a notebook with an answer in code and one in words, as JSON."""
    cells = [new_code_cell(code, id="a"), new_markdown_cell(WORDS, id="b")]
    for cell, name in zip(cells, ("gaussian", "question"), strict=True):
        cell.metadata["nbgrader"] = {"grade_id": name, "solution": True}
    return json.loads(writes(new_notebook(cells=cells)))


def data(code: str = CODE) -> bytes:
    return json.dumps(notebook(code)).encode()


FORMS = {
    "id null": lambda nb, cell: cell.update(id=None),
    "id empty": lambda nb, cell: cell.update(id=""),
    "id a number": lambda nb, cell: cell.update(id=7),
    "id a list": lambda nb, cell: cell.update(id=[1]),
    "id with a blank": lambda nb, cell: cell.update(id="a b.c"),
    "id of VS Code": lambda nb, cell: cell.update(id="#VSC-00000000"),
    "id of 80 letters": lambda nb, cell: cell.update(id="x" * 80),
    "ids all the same": lambda nb, cell: cell.update(id="same"),
    "no execution count": lambda nb, cell: cell.pop("execution_count", None),
    "execution count in words": lambda nb, cell: cell.update(execution_count="In [3]"),
    "no outputs": lambda nb, cell: cell.pop("outputs", None),
    "outputs null": lambda nb, cell: cell.update(outputs=None),
    "outputs in words": lambda nb, cell: cell.update(outputs=["x"]),
    "an unknown output": lambda nb, cell: cell.update(outputs=[{"output_type": "x", "y": 1e999}]),
    "unknown keys": lambda nb, cell: cell.update(new={"a": 1}, attachments=None),
    "tags twice": lambda nb, cell: cell["metadata"].update(tags=["a", "a"]),
    "tags in words": lambda nb, cell: cell["metadata"].update(tags="a"),
    "source as one text": lambda nb, cell: cell.update(source="".join(cell["source"])),
    "no metadata of the notebook": lambda nb, cell: nb.pop("metadata", None),
    "metadata null": lambda nb, cell: nb.update(metadata=None),
    "minor version in words": lambda nb, cell: nb.update(nbformat_minor="5"),
    "no version": lambda nb, cell: (nb.pop("nbformat", None), nb.pop("nbformat_minor", None)),
    "version of the future": lambda nb, cell: nb.update(nbformat=9, nbformat_minor=9),
    "kernel null": lambda nb, cell: nb.update(metadata={"kernelspec": None, "language_info": 7}),
    "type in capitals": lambda nb, cell: cell.update(cell_type=cell["cell_type"].upper()),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_small_deviation_costs_nothing(form):
    content = notebook()
    for cell in content["cells"]:
        FORMS[form](content, cell)
    remarks: list[str] = []
    read = read_notebook(json.dumps(content).encode(), remarks)
    assert [(c.cell_type, c.source) for c in read.cells] == [("code", CODE), ("markdown", WORDS)]
    assert [c.metadata.nbgrader.grade_id for c in read.cells] == ["gaussian", "question"]
    assert remarks == []


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (None, ""),
        ([], ""),
        (["a\n", None, "b"], "a\nb"),
        (7, "7"),
        ("\ud800x", "\ufffdx"),
        ("🎓", "🎓"),
    ],
)
def test_a_source_of_any_kind_is_text(source, text):
    content = notebook()
    content["cells"][0]["source"] = source
    assert read_notebook(json.dumps(content).encode(), []).cells[0].source == text


@pytest.mark.parametrize("kind", ["heading", "raw", "sql", None, 7])
def test_a_cell_of_another_type_is_text(kind):
    content = notebook()
    content["cells"][1].update(cell_type=kind, level=2)
    read = read_notebook(json.dumps(content).encode(), [])
    assert read.cells[1].source.endswith(WORDS) and read.cells[1].cell_type == "markdown"


def test_old_versions_are_read():
    cells = [{"cell_type": "code", "input": CODE, "metadata": {"nbgrader": {"grade_id": "gaussian"}}},
             {"cell_type": "markdown", "source": [WORDS], "metadata": {}}]  # fmt: skip
    old = {"nbformat": 3, "worksheets": [{"cells": cells}]}
    assert [c.source for c in read_notebook(json.dumps(old).encode(), []).cells] == [CODE, WORDS]


def test_pictures_stay_and_nothing_else_that_is_attached():
    content = notebook()
    content["cells"][1]["attachments"] = {
        "a.png": {"image/png": PNG, "text/html": "<script>"},
        "b.png": {"image/png": [PNG[:20], PNG[20:]]},
        "c.svg": {"image/svg+xml": "<svg onload=alert(1)>"},
        "d.png": {"image/png": '"><script>'},
        "e.png": {"image/png": "A" * (6 << 20)},
        "f.png": None,
    }
    remarks: list[str] = []
    read = read_notebook(json.dumps(content).encode(), remarks)
    assert read.cells[1].attachments == {"a.png": {"image/png": PNG}, "b.png": {"image/png": PNG}}
    assert len(remarks) == 1 and "c.svg, d.png, e.png, f.png" in remarks[0]


NO_NOTEBOOKS = {
    "web page": (b"<!DOCTYPE html><html></html>", "a web page"), "PDF": (b"%PDF-1.7", "a PDF"),
    "picture": (b"\x89PNG\r\n\x1a\n", "a picture"), "7z": (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
    "blank": (b" \n", "is empty"), "empty object": (b"{}", "no cells"), "list": (b"[1]", "no cells"),
    "cells of another kind": (b'{"cells": 7}', "no cells"), "cut off": (b"{", "no valid JSON"),
    "deep": (b"[" * 100_000, "no valid JSON"),
    "large": (b" " * (LARGEST_NOTEBOOK + 1), "more than 50 MB"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "reason"), NO_NOTEBOOKS.values(), ids=NO_NOTEBOOKS.keys())
def test_what_is_no_notebook_is_told_by_name(content, reason):
    with pytest.raises(Unreadable, match=reason):
        read_notebook(content, [])


@pytest.mark.parametrize(
    "bomb",
    [
        b"<<<<<<< a\n" * 200_000, b"<<<<<<<\n=======\n" * 100_000 + b">>>>>>>\n",
        b'{"cells": [' + b'{"a": ' * 50_000, b'{"cells": [' + b"{}," * 500_000 + b"{}]}",
        json.dumps({"cells": [{"attachments": {str(i): 1 for i in range(100_000)}}]}).encode(),
        b"\xff" * (20 << 20), b'{"cells": [' + b"1" * 1_000_000 + b"]}",
    ],
    ids=["marks", "conflicts", "depth", "cells", "attachments", "bytes", "digits"],
)  # fmt: skip
def test_reading_takes_no_longer_than_what_is_read(bomb):
    began = time.process_time()
    try:
        read_notebook(bomb, [])
    except Unreadable as error:
        assert str(error)
    assert time.process_time() - began < SECONDS


def put(folder: Path, **contents: bytes) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zipped(**contents: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(mode: str, **contents: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


NAMES = {
    "kernels.ipynb.json": data(), "kernels.ipynb.txt": data(), "KERNELS.IPYNB": data(),
    "kernels.ipynb ": data(), "kernels.json": data(), "kernels": data(), "Kernels (1).ipynb": data(),
    "sub/folder/kernels.ipynb": data(), "kernels.ipynb/kernels.ipynb": data(),
    "lab.zip": zipped(**{"lab/kernels.ipynb": data(), "__MACOSX/lab/._kernels.ipynb": b"\0"}),
    "kernels.ipynb.zip": zipped(**{"kernels.ipynb": data()}), "lab.tar": tarred("w", kernels=data()),
    "lab.tar.gz": tarred("w:gz", **{"./kernels.ipynb": data()}),
    "lab.tgz": tarred("w:gz", **{"a/kernels.ipynb": data()}),
    "lab.tar.xz": tarred("w:xz", **{"kernels.ipynb": data()}),
    "lab.tar.bz2": tarred("w:bz2", **{"kernels.ipynb": data()}),
    "twice.zip": zipped(**{"lab.zip": zipped(**{"kernels.ipynb": data()})}),
    "kernels.ipynb.gz": gzip.compress(data()), "windows.zip": zipped(**{"a\\kernels.ipynb": data()}),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_found_however_it_is_called_and_packed(tmp_path, name):
    submission = take_in(put(tmp_path, **{name: NAMES[name]}), ["kernels"])
    assert submission.notebooks["kernels"].cells[0].source == CODE, submission.refused
    assert submission.doubts == {"kernels": []}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("kernels.py", b"x = 1"),
        ("kernels.pdf", b"%PDF-1.7"),
        ("lab.7z", b"7z\xbc\xaf"),
        ("a.rar", b"Rar!"),
    ],
)
def test_what_lies_there_in_place_of_a_notebook_is_named_and_a_person_asked(tmp_path, name, content):
    submission = take_in(put(tmp_path, **{name: content}), ["kernels"])
    assert name in submission.refused["kernels"]
    assert submission.doubts["kernels"]


def test_where_nothing_lies_nobody_is_asked(tmp_path):
    submission = take_in(tmp_path, ["kernels"])
    assert submission.refused == {"kernels": "No notebook kernels.ipynb was handed in."}
    assert submission.doubts == {"kernels": []}


NEW, OLD = data("new = 1"), data("old = 1")
HOUR = 3600


@pytest.mark.parametrize(
    ("attempts", "hours", "asked"),
    [
        (
            {"kernels_2026-11-20-11-00-00_k.ipynb": OLD, "kernels_2026-11-25-17-00-00_k.ipynb": NEW},
            0,
            False,
        ),
        ({"kernels 20261125.ipynb": NEW, "kernels 20261120.ipynb": OLD}, 1, False),
        ({"kernels (2).ipynb": OLD, "kernels (10).ipynb": NEW}, 0, True),
        ({"kernels-Copy1.ipynb": OLD, "kernels (2).ipynb": NEW}, 1, True),
        ({"kernels (2).ipynb": OLD, "kernels-Copy1.ipynb": NEW}, 0, True),
        ({"a/kernels.ipynb": OLD, "b/kernels.ipynb": NEW}, 1, True),
        ({"a/kernels.ipynb": OLD, "b/kernels.ipynb": NEW}, 0, True),
        ({"kernels.ipynb": NEW, "kernels (1).ipynb": OLD}, -1, False),
        ({"kernels.ipynb": NEW, "kernels (1).ipynb": OLD}, 1, True),
        ({"kernels (1).ipynb": NEW, "kernels (2).ipynb": NEW}, 1, False),
        ({"kernels.ipynb": NEW, "old/kernels.ipynb": OLD}, -1, False),
        ({"kernels.ipynb": b"{", "kernels (1).ipynb": NEW}, -1, True),
    ],
)
def test_of_several_attempts_the_newest_counts_and_it_is_said(tmp_path, attempts, hours, asked):
    put(tmp_path, **attempts)
    for number, name in enumerate(attempts):  # the second is younger by so many hours
        os.utime(tmp_path / name, times=(0, 1_700_000_000 + number * hours * HOUR))
    submission = take_in(tmp_path, ["kernels"])
    assert submission.notebooks["kernels"].cells[0].source == "new = 1"
    assert bool(submission.doubts["kernels"]) == asked
    assert all("kernels" in doubt for doubt in submission.doubts["kernels"])
    both = len(set(attempts.values())) > 1
    assert not both or any("kernels" in remark for remark in submission.remarks["kernels"])


def test_notebooks_of_an_assignment_are_not_taken_for_each_other(tmp_path):
    put(tmp_path, **{"transformer.ipynb": data()})
    submission = take_in(tmp_path, ["transformer", "transformers"])
    assert list(submission.notebooks) == ["transformer"]
    assert "No notebook transformers.ipynb" in submission.refused["transformers"]


@pytest.mark.parametrize(
    ("names", "expected", "found"),
    [
        (["holiday.ipynb"], ["kernels"], {"kernels"}),
        (["holiday.ipynb", "party.ipynb"], ["kernels"], set()),
        (["kernels.ipynb", "holiday.ipynb"], ["kernels", "attention"], {"kernels"}),
    ],
)
def test_a_notebook_of_another_name_is_taken_where_no_other_can_be_meant(
    tmp_path, names, expected, found
):
    submission = take_in(put(tmp_path, **dict.fromkeys(names, data())), expected)
    assert set(submission.notebooks) == found
    assert set(submission.refused) == set(expected) - found


def test_a_notebook_of_another_name_beside_it_is_nothing_to_speak_of(tmp_path):
    submission = take_in(put(tmp_path, **{"kernels.ipynb": NEW, "holiday.ipynb": OLD}), ["kernels"])
    assert submission.remarks == submission.doubts == {"kernels": []}


def test_the_notebook_is_found_first_whatever_lies_around_it(tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "LARGEST_TOGETHER", 1 << 20)
    put(tmp_path, **{f"aaa/{n}.txt": b"x" for n in range(collecting.MOST_FILES + 100)})
    put(tmp_path, **{f"checkpoints/{n}.h5": bytes(300_000) for n in range(4)})
    put(tmp_path, **{".git/objects/x": bytes(9), ".venv/lib/y.py": b"", "env/pyvenv.cfg": b""})
    put(tmp_path, **{"env/kernels.ipynb": b"{", "own.py": b"a = 1", "z/y/x/kernels.ipynb": data()})
    submission = take_in(tmp_path, ["kernels"])
    assert submission.notebooks["kernels"].cells[0].source == CODE
    assert submission.files["own.py"] == b"a = 1"
    assert len(submission.files) == collecting.MOST_FILES - 1
    said = " ".join(submission.remarks["kernels"])
    assert "too large or too many: " in said and ".git, .venv, env" in said


def test_a_sparse_file_is_neither_read_nor_hashed(tmp_path):
    put(tmp_path, **{"kernels.ipynb": data()})
    with (tmp_path / "huge.bin").open("wb") as file:
        file.truncate(20 << 30)
    began = time.process_time()
    assert take_in(tmp_path, ["kernels"]).notebooks
    prints = collecting.fingerprints(tmp_path)
    unread = {name: stream is None for name, stream, *_ in prints}
    assert unread == {"huge.bin": True, "kernels.ipynb": False}
    assert time.process_time() - began < SECONDS


def tar_of_links(tmp_path: Path) -> bytes:
    """Pack a folder as tar does: of two names of one file, the second is a link to the first."""
    folder = tmp_path / "packed"
    put(folder, **{"backup.dat": data(), "own.py": b"a = 1"})
    os.link(folder / "backup.dat", folder / "kernels.ipynb")
    (folder / "passwd").symlink_to("/etc/passwd")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("backup.dat", "kernels.ipynb", "own.py", "passwd"):
            archive.add(folder / name, name)
        lost = tarfile.TarInfo("lost.py")
        lost.type, lost.linkname = tarfile.LNKTYPE, "../../etc/passwd"
        archive.addfile(lost)
    return buffer.getvalue()


def test_hard_links_are_files_and_lead_nowhere_else(tmp_path):
    submitted = put(tmp_path / "submitted", **{"lab.tar.gz": tar_of_links(tmp_path)})
    submission = take_in(submitted, ["kernels"])
    assert submission.notebooks["kernels"].cells[0].source == CODE
    assert set(submission.files) == {"backup.dat", "own.py"}
    said = " ".join(submission.remarks["kernels"])
    assert "passwd in lab.tar.gz is not followed" in said and "lost.py in lab.tar.gz is not" in said
    linked = tmp_path / "linked"
    linked.mkdir()
    os.link(tmp_path / "packed" / "kernels.ipynb", linked / "kernels.ipynb")
    assert take_in(linked, ["kernels"]).notebooks


def test_files_that_change_while_they_are_read_are_read_to_some_end(tmp_path):
    """Each content is one that was there, or the reason is told; no more than was listed is hashed."""
    notebook, endless, over = tmp_path / "kernels.ipynb", tmp_path / "log.txt", threading.Event()
    put(tmp_path, **{"kernels.ipynb": data(), "log.txt": b""})

    def change() -> None:
        with endless.open("ab") as log:
            while not over.is_set():
                log.write(b"x" * (1 << 16))
                (tmp_path / "new").write_bytes(data("new = 1"))
                (tmp_path / "new").replace(notebook)
                notebook.write_bytes(data()[:50])
                notebook.unlink()
                put(tmp_path, **{"kernels.ipynb": data(), "folder/x.py": b""})
                (tmp_path / "folder" / "x.py").unlink()
                (tmp_path / "folder").rmdir()
                if log.tell() > 60 << 20:
                    log.truncate(0)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(40):
            submission = take_in(tmp_path, ["kernels"])
            read = submission.notebooks.get("kernels")
            assert submission.refused if read is None else read.cells[0].source in (CODE, "new = 1")
            for _, stream, size, _ in collecting.fingerprints(tmp_path):
                assert stream is None or len(stream.read(size)) <= size
    finally:
        over.set()
        changing.join()


SIDE_FILES = {
    "broken zip": {"more.zip": b"PK\x03\x04 and nothing"},
    "broken tar": {"more.tar.gz": b"\x1f\x8b and nothing"},
    "cut off": {"more.tar.gz": tarred("w:gz", **{"a": bytes(9999)})[:60]},
    "names that lead out": {"more.zip": zipped(**{"../../x": b"", "/etc/x": b"", "a/../../y": b""})},
    "a file and a folder of one name": {"more.zip": zipped(**{"a": b"1", "a/b": b"2", "a/b/c": b"3"})},
    "a folder and a file of one name": {"more.tar": tarred("w", **{"a/b": b"1", "a": b"2"})},
    "a folder called as the notebook": {"more.zip": zipped(**{"kernels.ipynb/x": b"1"})},
    "a name that is too long": {"more.zip": zipped(**{"x" * 300: b"", "y/" * 900 + "z": b""})},
    "signs in a name": {"a\nb\x1b[2J\u202e.txt": b"x", "M\udcfcller.txt": b"x"},
    "damaged array": {"weights.npy": b"\x93NUMPY\xff\xff", "b.npz": b"PK\x03\x04"},
}


@pytest.mark.parametrize("name", SIDE_FILES)
def test_a_broken_side_file_costs_a_remark_and_no_more(tmp_path, name):
    put(tmp_path, **SIDE_FILES[name], **{"kernels.ipynb": data()})
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    submission = take_in(tmp_path, ["kernels"])
    assert submission.notebooks["kernels"].cells[0].source == CODE
    assert submission.doubts == {"kernels": []}
    target = tmp_path / "written"
    for path, content in submission.files.items():  # all can be written, inside the folder
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(content)
        assert (target / path).resolve().is_relative_to(target)
    for remark in submission.remarks["kernels"]:
        assert remark.isprintable()


def test_archives_are_held_to_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "LARGEST_UNPACKED", 4 << 20)
    monkeypatch.setattr(collecting, "LARGEST", 1 << 20)
    zeros = io.BytesIO()
    with zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(2 << 20))
    put(tmp_path, **{"a.zip": zeros.getvalue(), "b.tar.gz": tarred("w:gz", big=bytes(8 << 20)),
                     "kernels.ipynb": data()})  # fmt: skip
    submission = take_in(tmp_path, ["kernels"])
    assert submission.notebooks and submission.files == {}
    assert "too large" in " ".join(submission.remarks["kernels"])


def test_thirty_archives_come_to_no_more_than_one(tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "LARGEST_TOGETHER", 4 << 20)
    inside = {f"part{n}.bin": bytes(1 << 20) for n in range(3)}
    put(tmp_path, **{f"a{n}.zip": zipped(**inside) for n in range(30)}, **{"kernels.ipynb": data()})
    submission = take_in(tmp_path, ["kernels"])
    assert submission.notebooks
    assert sum(map(len, submission.files.values())) <= 4 << 20
    assert "too large or too many" in " ".join(submission.remarks["kernels"])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"2026-11-25 23:59:59.123456 CET", b"2026-11-25 23:59:59.123456 CET"),
        (b"2026-11-25 10:00:00 UTC\r\n\r\n", b"2026-11-25 10:00:00 UTC\r\n\r\n"),
        (b"\xef\xbb\xbf2026-11-25 10:00:00 UTC", b"2026-11-25 10:00:00 UTC"),
        (b"2026-11-25T23:59:59+01:00", b"2026-11-25 22:59:59 UTC"),
        (b"Mi 25. Nov 14:03:22 CET 2026", b"2026-11-25 13:03:22 UTC"),
        (b"25 Nov 2026, 14:00", b"2026-11-25 14:00:00 UTC"),
        (b"25. M\xe4rz 2026 12:00", None), (b"12:00", None), (b"late, sorry", None), (b"", None),
        (b"\0\0\0", None), (b"1" * 4000, None), (b"Nov 2026", None),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_dates_are_read_generously_and_never_guessed(written, read):
    assert time_stamp(written) == read

# ruff: noqa: E501  one line an entry, code in texts
"""Faults in otherwise right submissions: what each does, and which points it may cost.

One entry a fault. `lost` names the checks whose points the fault touches; all others must be
earned in full. `says` is what the student must be able to read about it; where no remark says it,
there must be none but those on kernels that were started again. `asks` is what a person is asked;
where nothing is asked, nobody must be.
"""

import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell

from tests.grading.course import NOTEBOOK, cell_named
from tests.grading.hogs import SAID, TALKERS
from tests.saved_by import EDITORS

GAUSSIAN, REGRESSION = "check_gaussian", "check_nadaraya_watson"
BOTH = {GAUSSIAN, REGRESSION}
RIGHT = "    return np.exp(-np.square(distance) / (2 * sigma**2))"

Change = Callable[[NotebookNode], object]
Spoil = Callable[[Path], object]


@dataclass(frozen=True)
class Scenario:
    """One fault: a change of the notebook, or of the folder that was handed in.

    says: what the student reads of it; perhaps: what may be said, where it depends on which of two
    limits is reached first.
    """

    name: str
    change: Change | None = None
    spoil: Spoil | None = None
    lost: frozenset[str] = frozenset()
    says: str = ""
    asks: str = ""
    perhaps: str = ""


SCENARIOS: dict[str, Scenario] = {}


def fault(
    name: str,
    change: Change | None = None,
    spoil: Spoil | None = None,
    lost: set[str] | None = None,
    says: str = "",
    asks: str = "",
    perhaps: str = "",
) -> None:
    assert name not in SCENARIOS
    SCENARIOS[name] = Scenario(name, change, spoil, frozenset(lost or ()), says, asks, perhaps)


def inside(body: str, right: bool = False) -> Change:
    """Put lines into the function that the check calls; `right`: it still returns what it should."""

    def change(nb: NotebookNode) -> None:
        lines = "\n".join(f"    {line}" for line in body.split("\n"))
        source = f"def gaussian(distance, sigma=1.0):\n{lines}" + (f"\n{RIGHT}" if right else "")
        cell_named(nb, "gaussian").source = source

    return change


def before(code: str) -> Change:
    """Run code at the top of the answer's cell, so that its definition is never reached."""

    def change(nb: NotebookNode) -> None:
        cell = cell_named(nb, "gaussian")
        cell.source = f"{code}\n{cell.source}"

    return change


def after(code: str) -> Change:
    """Run code at the end of the answer's cell."""

    def change(nb: NotebookNode) -> None:
        cell = cell_named(nb, "gaussian")
        cell.source = f"{cell.source}\n{code}"

    return change


def own_cell(code: str, at: int = 4) -> Change:
    """Run code in a cell of the student's own, after the check of the first step."""
    return lambda nb: nb.cells.insert(at, new_code_cell(code))


def on_cell(name: str, do: Callable[[NotebookNode], None]) -> Change:
    return lambda nb: do(cell_named(nb, name))


def file(name: str, content: str | bytes) -> Spoil:
    """Put a file beside the notebook."""
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def rewritten(do: Callable[[bytes], bytes]) -> Spoil:
    """Change the notebook file's bytes."""

    def spoil(folder: Path) -> None:
        path = folder / f"{NOTEBOOK}.ipynb"
        path.write_bytes(do(path.read_bytes()))

    return spoil


def _in_order(order: Callable[[list], list]) -> Change:
    def change(nb: NotebookNode) -> None:
        nb.cells = order(nb.cells)

    return change


def _without(name: str) -> Change:
    return lambda nb: nb.cells.remove(cell_named(nb, name))


def _tagged(name: str, *tags: str) -> Change:
    return on_cell(name, lambda cell: cell.metadata.update(tags=list(tags)))


SLOW = "ran longer than its time"
DIED = "The kernel died"

# Cells and functions that never end
fault("endless loop in the function", inside("while True: pass"), lost={GAUSSIAN}, says=SLOW)
fault("endless loop in the cell", before("while True: pass"), lost={GAUSSIAN}, says=SLOW)
fault("endless loop in a cell of their own", own_cell("while True: pass"), says=SLOW)
fault(
    "endless loop that swallows KeyboardInterrupt",
    inside("while True:\n    try:\n        while True: pass\n    except BaseException: pass"),
    lost={GAUSSIAN}, says=SLOW,
)  # fmt: skip
fault(
    "endless loop that ignores the signal",
    before("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"),
    lost={GAUSSIAN}, says=SLOW,
)  # fmt: skip
fault(
    "endless loop in native code",
    inside("import re; re.match(r'(a+)+$', 'a' * 60 + 'b')"), lost={GAUSSIAN}, says=SLOW,
)  # fmt: skip
fault("sleeps for days", inside("import time; time.sleep(10**6)"), lost={GAUSSIAN}, says=SLOW)
fault(
    "waits for a thread that never ends",
    inside("import threading; t = threading.Thread(target=threading.Event().wait)\nt.start(); t.join()"),
    lost={GAUSSIAN}, says=SLOW,
)  # fmt: skip
fault("deadlock", inside("import threading; l = threading.Lock(); l.acquire(); l.acquire()"),
      lost={GAUSSIAN}, says=SLOW)  # fmt: skip
fault(
    "waits for a child that never ends", inside("import subprocess; subprocess.run(['sleep', '9999'])"),
    lost={GAUSSIAN}, says=SLOW,
)  # fmt: skip

# Kernels that die
fault("os._exit in the function", inside("import os; os._exit(0)"), lost={GAUSSIAN}, says=DIED)
fault("os._exit in the cell", after("import os; os._exit(1)"), lost={GAUSSIAN}, says=DIED)
fault("os._exit in a cell of their own", own_cell("import os; os._exit(1)"), says=DIED)
fault("segfault", inside("import ctypes; ctypes.string_at(0)"), lost={GAUSSIAN}, says=DIED)
fault("abort", inside("import os; os.abort()"), lost={GAUSSIAN}, says=DIED)
fault("kill -9", inside("import os; os.kill(os.getpid(), 9)"), lost={GAUSSIAN}, says=DIED)
fault("kill -15 to all it sees", inside("import os; os.kill(-1, 15)\nimport time; time.sleep(99)"),
      lost={GAUSSIAN}, says=DIED)  # fmt: skip
fault("dies in both functions", lambda nb: (
    inside("import os; os._exit(0)")(nb),
    on_cell("nadaraya_watson", lambda c: c.update(
        source="def nadaraya_watson(*a, **k):\n    import os; os._exit(0)"))(nb),
), lost=BOTH, says=DIED)  # fmt: skip
fault("sys.exit in the function", inside("import sys; sys.exit()"), lost={GAUSSIAN}, says="SystemExit")
fault("sys.exit in the cell", after("import sys; sys.exit()"), says="SystemExit")
fault("exit() at the end of the cell", after("exit()"), lost={GAUSSIAN}, says="exit or quit")
fault("quit in a cell of their own", own_cell("quit"), says="exit or quit")
fault(
    "shuts the kernel down a moment later",
    own_cell("import os, threading; threading.Timer(0.05, lambda: os._exit(0)).start()"),
)  # fmt: skip
fault("asks the kernel to shut down", own_cell("get_ipython().kernel.do_shutdown(False)"))
fault("closes all files", own_cell("import os; os.closerange(3, 4096)"))

# Memory, processes, files
fault("asks for a terabyte", inside("bytearray(10**12)"), lost={GAUSSIAN}, says="MemoryError")
fault(
    "fills memory step by step",
    inside("kept = []\nwhile True: kept.append(np.ones(10_000_000))"), lost={GAUSSIAN}, perhaps=SLOW,
)  # fmt: skip
fault(
    "fills memory that is shared",
    inside("import mmap\nkept, block = [], b'x' * 200_000_000\nwhile True:\n"
           "    kept.append(mmap.mmap(-1, len(block))); kept[-1].write(block)"),
    lost={GAUSSIAN}, says="memory",
)  # fmt: skip
fault("fork bomb", inside("import os, time\nwhile True:\n    try:\n        if os.fork() == 0: time.sleep(60)\n"
                          "    except OSError: raise RuntimeError('no more processes')"),
      lost={GAUSSIAN}, says="no more processes")  # fmt: skip
fault("threads without end", inside(
    "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(600,)).start()"),
    lost={GAUSSIAN})  # fmt: skip
fault("small threads without end", inside(
    "import threading, time\nthreading.stack_size(1 << 16)\n"
    "while True: threading.Thread(target=time.sleep, args=(600,)).start()"),
    lost={GAUSSIAN}, says="can't start new thread")  # fmt: skip
fault("keeps all memory for ever", inside(
    "import builtins, mmap\nkept = builtins.__dict__.setdefault('kept', [])\n"
    "for size in (1 << 16, 1 << 13):\n    try:\n"
    "        while True: kept.append(mmap.mmap(-1, size, mmap.MAP_PRIVATE))\n"
    "    except OSError: pass\nraise RuntimeError('nothing is left')"), lost={GAUSSIAN})  # fmt: skip
fault(
    "a file larger than allowed",
    inside("with open('big', 'wb') as f:\n    while True: f.write(b'x' * 10_000_000)"),
    lost={GAUSSIAN},
    says="No space left",
)
fault("fills the home with files", inside(
    "for i in range(10**6): open(f'f{i}', 'wb').write(b'x' * 10_000_000)"), lost={GAUSSIAN},
    says="No space left")  # fmt: skip
fault(
    "leaves a thread running",
    after("import threading, time; threading.Thread(target=time.sleep, args=(9999,)).start()"),
)
fault("leaves a child running", after("import subprocess; subprocess.Popen(['sleep', '9999'])"))
fault("infinite recursion", inside("return gaussian(distance, sigma)"), lost={GAUSSIAN},
      says="RecursionError")  # fmt: skip

# Errors in the code
fault("syntax error", before("def gaussian(:"), lost={GAUSSIAN}, says="SyntaxError")
fault("indentation error", inside("x = 1\n  return x"), lost={GAUSSIAN}, says="IndentationError")
fault("error after the definition", after("1 / 0"), says="ZeroDivisionError")
fault("error before the definition", before("1 / 0"), lost={GAUSSIAN}, says="ZeroDivisionError")
fault("error in the function", inside("return distance.nothing"), lost={GAUSSIAN},
      says="AttributeError")  # fmt: skip
fault("not attempted", inside("raise NotImplementedError"), lost={GAUSSIAN}, says="not written yet")
fault("returns nothing", inside("pass"), lost={GAUSSIAN}, says="forget to return")
fault("function under another name", on_cell(
    "gaussian", lambda c: c.update(source=c.source.replace("gaussian", "gauss"))), lost={GAUSSIAN},
    says="There is no gaussian")  # fmt: skip
fault("input() in the function", inside("input()"), lost={GAUSSIAN}, says="StdinNotImplementedError")
fault("input() in a cell of their own", own_cell("input('Your name? ')"),
      says="does not support input requests")  # fmt: skip
fault("names of builtins reused", after("list = sum = min = float = print = isinstance = len = 3"))
fault("name of the check reused", after("test_gaussian = 3"))
fault("deletes the import", after("del np"), lost=BOTH, says="NameError")
fault("%reset", own_cell("%reset -f"), lost={REGRESSION}, says="NameError")
fault("changes the folder", after("import os; os.chdir('/tmp')"))
fault("top-level await", own_cell("import asyncio; await asyncio.sleep(0.1)"))
fault("shell cell", own_cell("%%bash\nfalse"), says="returned non-zero exit status 1")
fault("magic that does not exist", own_cell("%no_such_magic"), says="`%no_such_magic` not found")
fault("two megabytes of source", own_cell("x = '" + "a" * 2_000_000 + "'"))
fault("characters beyond Unicode", own_cell("x = '\\ud800'; print(repr(x))"))

# Output
TOO_MUCH = "left out"
fault("endless output", own_cell("while True: print('x' * 1000)"), says="without end")
fault("200 MB in one print", own_cell("print('x' * 200_000_000)"), says=TOO_MUCH)
fault("200 MB in many prints", own_cell("for _ in range(200): print('x' * 1_000_000)"), says="output")
fault("20,000 displays", own_cell("for i in range(20_000): display(i)"), says=TOO_MUCH,
      perhaps="This cell was stopped")  # fmt: skip
fault("a progress bar of 3,000 steps", own_cell(
    "import sys\nfor i in range(3000): sys.stderr.write(f'\\r{i} ' + '#' * 500); sys.stderr.flush()\n"
    "print('trained, and' + ' told')"), says="trained, and told")  # fmt: skip
fault("plots that take each other's place", own_cell(
    "from IPython.display import HTML, clear_output\n"
    "for i in range(300): clear_output(wait=True); display(HTML('x' * 9000))\nprint('the last' + ' one')"),
    says="the last one")  # fmt: skip
fault("a display of 80 MB", own_cell("from IPython.display import HTML; HTML('x' * 80_000_000)"),
      says=TOO_MUCH)  # fmt: skip
fault("prints in the function", inside("print('x' * 10_000)", right=True))
fault("displays in the function", inside("display(distance)", right=True))
fault("warnings in the function", inside("import warnings; warnings.warn('hm')", right=True))
fault("stderr in the function", inside("import sys; print('hm', file=sys.stderr)", right=True))
fault("stderr of the process", inside("import os; os.write(2, b'hm')", right=True))
fault("stderr in the cell", after("import sys; print('hm', file=sys.stderr)"))
fault("logging", inside("import logging; logging.warning('hm')", right=True))
fault("stdout closed", after("import sys; sys.stdout.close()"))
fault("stdout replaced", after("import sys, io; sys.stdout = sys.stderr = io.StringIO()"))

# Cells deleted, copied, moved, changed
fault("check deleted", _without(GAUSSIAN), says="was missing; it was put back")
fault("all checks deleted", lambda nb: [_without(n)(nb) for n in BOTH], says="put back")
fault("imports deleted", _without("imports"), says="put back")
fault("answer deleted", _without("gaussian"), lost={GAUSSIAN}, says="was missing")
fault("question deleted", _without("question_01"), says="was missing")
fault("check copied", lambda nb: nb.cells.append(cell_named(nb, GAUSSIAN).copy()),
      says="put back in place")  # fmt: skip
fault("answer copied", lambda nb: nb.cells.insert(3, cell_named(nb, "gaussian").copy()))
fault(
    "first copy empty",
    lambda nb: nb.cells.insert(
        1, nbformat.from_dict({**cell_named(nb, "gaussian"), "source": "def gaussian(d): ..."})
    ),
)
fault("every cell twice", _in_order(lambda cells: [c for c in cells for c in (c, c.copy())]))
fault("checks first", _in_order(lambda cells: sorted(
    cells, key=lambda c: not c.metadata.get("nbgrader", {}).get("grade_id", "").startswith("check"))),
    says="put back in place")  # fmt: skip
fault("notebook upside down", _in_order(lambda cells: cells[::-1]), says="put back in place")
fault("answer split in two", lambda nb: (
    on_cell("gaussian", lambda c: c.update(source="def square(x): return x * x"))(nb),
    nb.cells.insert(3, new_code_cell(
        "def gaussian(distance, sigma=1.0):\n    return np.exp(-square(np.asarray(distance)) / (2 * sigma**2))")),
))  # fmt: skip
fault("answer and check merged", lambda nb: (
    on_cell("gaussian", lambda c: c.update(source=c.source + "\n" + cell_named(nb, GAUSSIAN).source))(nb),
    _without(GAUSSIAN)(nb),
), says="put back")  # fmt: skip
fault("answer moved into a cell of their own", lambda nb: (
    nb.cells.insert(2, new_code_cell(cell_named(nb, "gaussian").source)), _without("gaussian")(nb),
))  # fmt: skip
fault("check tagged skip-execution", _tagged(GAUSSIAN, "skip-execution"))
fault("answer tagged skip-execution", _tagged("gaussian", "skip-execution", "raises-exception"))
fault("check edited", on_cell(GAUSSIAN, lambda c: c.update(source="raise SystemExit")))
fault("imports edited", on_cell("imports", lambda c: c.update(source="import math")))
fault("check worth more", on_cell(GAUSSIAN, lambda c: c.metadata.nbgrader.update(points=100)))
fault("check without points", on_cell(GAUSSIAN, lambda c: c.metadata.nbgrader.pop("points")))
fault(
    "check turned into text",
    on_cell(
        GAUSSIAN,
        lambda c: (c.update(cell_type="markdown"), c.pop("outputs"), c.pop("execution_count")),
    ),
)
fault(
    "answer turned into text",
    on_cell(
        "gaussian",
        lambda c: (c.update(cell_type="markdown"), c.pop("outputs"), c.pop("execution_count")),
    ),
)
fault("a raw cell", lambda nb: nb.cells.insert(1, new_raw_cell("\\begin{x}")))
fault("grade id unknown", on_cell("gaussian", lambda c: c.metadata.nbgrader.update(grade_id="mine")))
fault("grade metadata broken", on_cell("gaussian", lambda c: c.metadata.update(nbgrader="yes")))
fault("metadata lost", lambda nb: [c.update(metadata={}) for c in nb.cells])
fault(
    "metadata and ids lost",
    lambda nb: [c.update(metadata={}, id=f"new-{i}") for i, c in enumerate(nb.cells)],
    says="question_01 was recognised by its place alone",
)
fault(
    "metadata and id of an answer lost, and notes around it",
    lambda nb: (
        cell_named(nb, "question_01").update(metadata={}, id="lost"),
        nb.cells.append(new_markdown_cell("A note of my own.")),
    ),
    says="question_01 was missing: it may be cell 8, cell 9",
)
fault(
    "only metadata of the answers lost",
    lambda nb: (
        [cell_named(nb, n).update(metadata={}, id=f"x-{n}") for n in ("gaussian", "nadaraya_watson")]
    ),
)
fault("notebook metadata lost", lambda nb: nb.update(metadata={}))
fault(
    "another kernel",
    lambda nb: nb.metadata.update(
        kernelspec={"name": "julia-1.9", "display_name": "Julia", "language": "julia"}
    ),
)
fault("attachments and odd metadata", on_cell("question_01", lambda c: c.update(
    attachments={"a.png": {"image/png": "AAAA"}})))  # fmt: skip
fault("a picture in an answer", on_cell("question_01", lambda c: c.update(
    source="see ![plot](attachment:a.png)", attachments={"a.png": {"image/png": "AAAA"}})),
    says="attachment:a.png")  # fmt: skip
fault("an attachment that is no picture", on_cell("question_01", lambda c: c.update(
    source="see ![x](attachment:a.svg)", attachments={"a.svg": {"image/svg+xml": "<svg/>"}})),
    says="Left out of the attachments: a.svg")  # fmt: skip
fault("an answer that reads like markup", on_cell("question_01", lambda c: c.update(
    source="For i<b and j>i, List<int> and <!-- this")))  # fmt: skip
fault("a script in an answer", on_cell("question_01", lambda c: c.update(
    source="Words <script>alert(1)</script>, [x](javascript:y)")), says="not all is shown")  # fmt: skip
fault("an answer of half a megabyte", on_cell("question_01", lambda c: c.update(
    source="<div>" * 100_000)), says="stands as plain text")  # fmt: skip


def _version_3(data: bytes) -> bytes:
    old = nbformat.convert(nbformat.reads(data.decode(), 4), 3)
    return nbformat.v3.writes_json(old).encode()


def _version_4_0(data: bytes) -> bytes:
    content = json.loads(data)
    content["nbformat_minor"] = 0
    for cell in content["cells"]:
        del cell["id"]
    return json.dumps(content).encode()


def _conflict(data: bytes) -> bytes:
    line = re.search(rb'^ *"# Kernels"\n', data, re.MULTILINE).group()
    marks = b"<<<<<<< HEAD\n%s=======\n%s>>>>>>> theirs\n" % (line, line.replace(b"Kern", b"Colon"))
    return data.replace(line, marks)


def _zipped(times: int) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / f"{NOTEBOOK}.ipynb"
        name, data = path.name, path.read_bytes()
        path.unlink()
        for level in range(times):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr(f"folder/{name}", data)
            name, data = f"level{level}.zip", buffer.getvalue()
        (folder / name).write_bytes(data)

    return spoil


def _tarred(path: Path) -> None:
    with tarfile.open(path.with_name("lab.tar.gz"), "w:gz") as archive:
        archive.add(path, "lab/kernels.ipynb")
    path.unlink()


def _bomb(folder: Path) -> None:
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * (260 << 20))


def _link_out(folder: Path) -> None:
    path = folder / f"{NOTEBOOK}.ipynb"
    path.unlink()
    path.symlink_to("/etc/passwd")


def _full_of_outputs(nb: NotebookNode) -> None:
    cell_named(nb, "gaussian").outputs = [new_output("stream", text="x" * 30_000_000)]


# Files
NOTHING = "Nothing could be graded"


def _content(do: Callable[[dict], object]) -> Spoil:
    """Change the notebook as JSON, where nbformat would not write what it refuses."""

    def change(data: bytes) -> bytes:
        content = json.loads(data)
        do(content)
        return json.dumps(content).encode()

    return rewritten(change)


def _cells(do: Callable[[dict], object]) -> Spoil:
    return _content(lambda nb: [do(cell) for cell in nb["cells"]])


def _named(name: str, *others: str) -> Spoil:
    """Rename the notebook, with other files beside it."""

    def spoil(folder: Path) -> None:
        (folder / f"{NOTEBOOK}.ipynb").rename(folder / name)
        for other in others:
            (folder / other).write_text("x")

    return spoil


def _attempts(folder: Path) -> None:
    """Leave two attempts with dates in their names; the older one is wrong."""
    new = folder / f"{NOTEBOOK}.ipynb"
    old = json.loads(new.read_text())
    cell = next(
        c for c in old["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == "gaussian"
    )
    cell["source"] = "def gaussian(distance, sigma=1.0): return 0"
    (folder / "kernels_2026-11-20.ipynb").write_text(json.dumps(old))
    new.rename(folder / "kernels_2026-11-25.ipynb")


def _crowd(folder: Path) -> None:
    """Lay a checkout, an environment and 2,100 files before the notebook."""
    for name in (".git/objects/a", ".venv/pyvenv.cfg", *(f"aaa/{n}" for n in range(2100))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


fault("cell ids null", spoil=_cells(lambda cell: cell.update(id=None)))
fault("cell ids of VS Code", spoil=_cells(lambda cell: cell.update(id="#VSC-00000000")))
for _editor, _save in EDITORS.items():
    fault(f"saved by {_editor}", spoil=_content(_save))
fault("cell ids that are numbers", spoil=_cells(lambda cell: cell.update(id=7)))
fault("cells without metadata, words as code", spoil=_cells(lambda cell: cell.update(
    {"metadata": {}, "cell_type": "code"} if cell["cell_type"] == "markdown" else {"metadata": {}})))  # fmt: skip
fault("no outputs, no counts, no versions", spoil=_content(lambda nb: (
    [nb.pop(key) for key in ("metadata", "nbformat", "nbformat_minor")],
    [cell.pop(key, None) for cell in nb["cells"] for key in ("outputs", "execution_count")])))  # fmt: skip
fault("minor version in words", spoil=_content(lambda nb: nb.update(nbformat_minor="5")))
fault("a source that is null", spoil=_content(lambda nb: nb["cells"][0].update(source=None)))
fault("20,000 marks of a conflict", spoil=rewritten(lambda d: b"<<<<<<< a\n" * 20_000 + d), lost=BOTH,
      says="no valid JSON")  # fmt: skip
fault("a web page", spoil=rewritten(lambda d: b"<!DOCTYPE html><html>x</html>"), lost=BOTH,
      says="but a web page")  # fmt: skip
fault("a suffix added by a browser", spoil=_named("kernels.ipynb.json"), says="was handed in as")
fault("in capitals, with a blank", spoil=_named("KERNELS.IPYNB "), says="was handed in as")
fault("markup in the name", spoil=_named("kernels<img src=x onerror=y>.ipynb"), says="%3Cimg src")
fault("a script of Python, no notebook", spoil=lambda f: (
    _named("kernels.txt")(f), (f / "kernels.txt").write_text("x = 1"), (f / "kernels.py").touch()),
    lost=BOTH, says="What lies there: kernels.py", asks="What lies there: kernels.py")  # fmt: skip
fault("two attempts with dates", spoil=_attempts, says="kernels_2026-11-20.ipynb lay beside it")
fault("2,100 files around it", spoil=_crowd, says="too large or too many")
fault("a date in words", spoil=file("timestamp.txt", "But I want to be a timestamp"),
      says="The time in timestamp.txt cannot be read")  # fmt: skip
fault("a date in German", spoil=file("timestamp.txt", "Mi 25. Nov 14:03:22 CET 2026"))
fault(
    "a date and a mark of the byte order", spoil=file("timestamp.txt", "\ufeff2026-11-25 10:00:00 UTC")
)
fault("a date of NULs", spoil=file("timestamp.txt", b"\0\0\0"), says="cannot be read")
fault("tar.gz", spoil=lambda f: _tarred(f / f"{NOTEBOOK}.ipynb"), says="was unpacked")
fault("a folder called as the notebook", spoil=lambda f: (
    (f / "x").write_bytes((f / f"{NOTEBOOK}.ipynb").read_bytes()), (f / f"{NOTEBOOK}.ipynb").unlink(),
    (f / f"{NOTEBOOK}.ipynb").mkdir(), (f / "x").rename(f / f"{NOTEBOOK}.ipynb" / f"{NOTEBOOK}.ipynb")))  # fmt: skip
fault("old format 3", spoil=rewritten(_version_3))
fault("format 4.0, no cell ids", spoil=rewritten(_version_4_0))
fault("conflict marks", spoil=rewritten(_conflict), says="merge conflict")
fault(
    "conflict marks that cannot be undone",
    spoil=rewritten(lambda d: b"<<<<<<< HEAD\n{\n=======\n" + d + b">>>>>>> x\n"),
    lost=BOTH,
    says="merge conflict",
)
fault("cut off", spoil=rewritten(lambda d: d[: len(d) // 2]), lost=BOTH, says="no valid JSON")
fault("empty file", spoil=rewritten(lambda d: b""), lost=BOTH, says="is empty")
fault("empty JSON", spoil=rewritten(lambda d: b"{}"), lost=BOTH, says="no Jupyter notebook")
fault("a list", spoil=rewritten(lambda d: b"[1, 2]"), lost=BOTH, says="no Jupyter notebook")
fault("cells of another kind", spoil=rewritten(lambda d: b'{"cells": 7, "nbformat": 4}'), lost=BOTH,
      says=NOTHING)  # fmt: skip
fault("a picture", spoil=rewritten(lambda d: b"\x89PNG\r\n\x1a\n\0\0\0"), lost=BOTH, says=NOTHING)
fault("nested beyond all bounds", spoil=rewritten(lambda d: b"[" * 100_000), lost=BOTH, says=NOTHING)
fault(
    "missing", spoil=lambda f: (f / f"{NOTEBOOK}.ipynb").unlink(), lost=BOTH, says="is missing: 0 of 9"
)
fault("renamed", spoil=lambda f: (f / f"{NOTEBOOK}.ipynb").rename(f / "kernels (1) final.ipynb"),
      says="was handed in as")  # fmt: skip
fault(
    "in a folder of its own",
    spoil=lambda f: (
        (
            (f / "deep" / "er").mkdir(parents=True),
            (f / f"{NOTEBOOK}.ipynb").rename(f / "deep" / "er" / f"{NOTEBOOK}.ipynb"),
        )
    ),
)
fault("30 MB of outputs", _full_of_outputs)
fault("60 MB", spoil=rewritten(lambda d: d + b" " * (60 << 20)), lost=BOTH, says="MB")
fault("a link to a file of the system", spoil=_link_out, lost=BOTH, says="is missing: 0 of 9")
fault("a link beside the notebook", spoil=lambda f: (f / "data").symlink_to("/etc"),
      says="is not followed")  # fmt: skip
fault("numpy.py beside the notebook", spoil=file("numpy.py", "raise SystemExit"))
fault("utilities.py beside the notebook", spoil=file("utilities.py", "raise SystemExit"))
fault("sitecustomize.py beside the notebook", spoil=file("sitecustomize.py", "import os; os._exit(1)"))
fault(
    "ipykernel.py beside the notebook",
    spoil=file("ipykernel_launcher.py", "import os; os._exit(1)"),
)
fault(
    "a module of their own",
    lambda nb: on_cell("gaussian", lambda c: c.update(source="from mine import gaussian"))(nb),
    spoil=file("mine.py", "import numpy as np\ndef gaussian(distance, sigma=1.0):\n" + RIGHT),
)
fault(
    "not UTF-8",
    lambda nb: nb.cells.append(new_markdown_cell("Größe")),
    spoil=rewritten(lambda d: d.decode().encode("cp1252")),
    says="not in UTF-8",
)
fault("UTF-16", spoil=rewritten(lambda d: d.decode().encode("utf-16")), says="not in UTF-8")
fault("byte order mark", spoil=rewritten(lambda d: b"\xef\xbb\xbf" + d))
fault("zip", spoil=_zipped(1), says="was unpacked")
fault("zip of a zip", spoil=_zipped(2), says="was unpacked")
fault("zip of a zip of a zip", spoil=_zipped(3), lost=BOTH, says="archives inside archives",
      asks="What lies there")  # fmt: skip
fault("broken zip", spoil=file("more.zip", b"PK\x03\x04 and nothing"), says="cannot be unpacked")
fault("zip bomb beside the notebook", spoil=_bomb, says="too large")
fault("two notebooks", spoil=lambda f: (f / "scratch.ipynb").write_text("{"))
for _name, _source in TALKERS.items():
    fault(_name, own_cell(_source), says=SAID[_name])

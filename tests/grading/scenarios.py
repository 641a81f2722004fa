# ruff: noqa: E501  one line an entry, code in texts
"""Faults in otherwise right submissions: what each does, and which points it may cost.

One entry a fault. `lost` names the checks whose points the fault touches; all others must be
earned in full. `says` is what the student must be able to read about it; where nothing is said,
there must be no remark. `asks` is what a person is asked; where nothing is asked, nobody must be.
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

GAUSSIAN, REGRESSION = "check_gaussian", "check_nadaraya_watson"
BOTH = {GAUSSIAN, REGRESSION}
RIGHT = "    return np.exp(-np.square(distance) / (2 * sigma**2))"

Change = Callable[[NotebookNode], object]
Spoil = Callable[[Path], object]


@dataclass(frozen=True)
class Scenario:
    """One fault: a change of the notebook, or of the folder that was handed in."""

    name: str
    change: Change | None = None
    spoil: Spoil | None = None
    lost: frozenset[str] = frozenset()
    says: str = ""
    asks: str = ""


SCENARIOS: dict[str, Scenario] = {}


def fault(
    name: str,
    change: Change | None = None,
    spoil: Spoil | None = None,
    lost: set[str] | None = None,
    says: str = "",
    asks: str = "",
) -> None:
    assert name not in SCENARIOS
    SCENARIOS[name] = Scenario(name, change, spoil, frozenset(lost or ()), says, asks)


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
      lost={GAUSSIAN})  # fmt: skip
fault("dies in both functions", lambda nb: (
    inside("import os; os._exit(0)")(nb),
    on_cell("nadaraya_watson", lambda c: c.update(
        source="def nadaraya_watson(*a, **k):\n    import os; os._exit(0)"))(nb),
), lost=BOTH, says=DIED)  # fmt: skip
fault("sys.exit in the function", inside("import sys; sys.exit()"), lost={GAUSSIAN}, says="SystemExit")
fault("sys.exit in the cell", after("import sys; sys.exit()"))
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
    inside("kept = []\nwhile True: kept.append(np.ones(10_000_000))"), lost={GAUSSIAN}, says="",
)  # fmt: skip
fault(
    "fills memory that is shared",
    inside("import mmap\nkept = []\nwhile True:\n    m = mmap.mmap(-1, 50_000_000)\n"
           "    m.write(b'x' * 50_000_000); kept.append(m)"),
    lost={GAUSSIAN}, says="memory",
)  # fmt: skip
fault("fork bomb", inside("import os, time\nwhile True:\n    try:\n        if os.fork() == 0: time.sleep(60)\n"
                          "    except OSError: raise RuntimeError('no more processes')"),
      lost={GAUSSIAN}, says="no more processes")  # fmt: skip
fault("threads without end", inside(
    "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()"),
    lost={GAUSSIAN})  # fmt: skip
fault(
    "a file larger than allowed",
    inside("with open('big', 'wb') as f:\n    while True: f.write(b'x' * 10_000_000)"),
    lost={GAUSSIAN},
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
fault("input() in a cell of their own", own_cell("input('Your name? ')"))
fault("names of builtins reused", after("list = sum = min = float = print = isinstance = len = 3"))
fault("name of the check reused", after("test_gaussian = 3"))
fault("deletes the import", after("del np"), lost=BOTH, says="NameError")
fault("%reset", own_cell("%reset -f"), lost={REGRESSION})
fault("changes the folder", after("import os; os.chdir('/tmp')"))
fault("top-level await", own_cell("import asyncio; await asyncio.sleep(0.1)"))
fault("shell cell", own_cell("%%bash\nfalse"))
fault("magic that does not exist", own_cell("%no_such_magic"))
fault("two megabytes of source", own_cell("x = '" + "a" * 2_000_000 + "'"))
fault("characters beyond Unicode", own_cell("x = '\\ud800'; print(repr(x))"))

# Output
TOO_MUCH = "left out"
fault("endless output", own_cell("while True: print('x' * 1000)"), says="without end")
fault("200 MB in one print", own_cell("print('x' * 200_000_000)"), says=TOO_MUCH)
fault("200 MB in many prints", own_cell("for _ in range(200): print('x' * 1_000_000)"), says="output")
fault("20,000 displays", own_cell("for i in range(20_000): display(i)"), says=TOO_MUCH)
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
    marks = b"    fault(_name, own_cell(_source), says=SAID[_name])

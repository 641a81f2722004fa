"""Keep what a cell shows fit to be stored and looked at: no scripts, no paths of this machine.

Outputs reach the instructor's browser in formgrader and the student's in the feedback. Tables and
pictures stay, as long as a picture comes with its own data: one that is fetched would tell its owner
who looks at it.
"""

import re
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output

from utilities.grading.markup import as_source, clean_markup, clean_tex, show_markdown

KEPT = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg")
TOO_LARGE = "[left out: too large]\n"
LARGEST_SHOWN = 2 << 20  # characters that one cell of a submission shows
LARGEST_NOTEBOOK = 20 << 20
MOST_OUTPUTS = 200  # of one cell
ESCAPES = re.compile(  # what a terminal would do but colour: links, titles, moves; and control signs
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-ln-~]|\x1b(?!\[)"
    r"|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
)
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
LIBRARY_FOLDERS = sorted(
    {sysconfig.get_paths()[name] for name in ("purelib", "platlib", "stdlib")},
    key=len,
    reverse=True,
)
PREFIXES = sorted(
    {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parents[1])},
    key=len,
    reverse=True,
)


@dataclass
class Shown:
    """The outputs of a notebook as it was handed in: built anew, held to a size, not yet cleaned."""

    left: int = LARGEST_NOTEBOOK

    def of(self, outputs: Any) -> list[NotebookNode]:
        """Return what may stay of a cell's outputs, whatever their form."""
        kept, room = [], min(LARGEST_SHOWN, self.left)
        for output in outputs[:MOST_OUTPUTS] if isinstance(outputs, list) else ():
            built = _built(output) if isinstance(output, dict) else None
            if built is None:
                continue
            size = _size(built)
            if size > room:
                built, size = new_output("stream", text=TOO_LARGE, name="stdout"), 0
            room, self.left = room - size, self.left - size
            kept.append(built)
        return kept


def text_of(value: Any) -> str:
    """Return what should be text, or a list of lines, as text that every file can hold."""
    lines = value if isinstance(value, list) else [value]
    text = "".join(line if isinstance(line, str) else str(line) for line in lines if line is not None)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_outputs(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Return outputs with what may be kept of them, and what they write on stderr on stdout."""
    return [cleaned for output in outputs if (cleaned := _clean(output)) is not None]


def hide_paths(text: str) -> str:
    """Return a text in which this machine's folders have short names."""
    for folder in LIBRARY_FOLDERS:
        text = text.replace(folder, "…/python")
    for folder in PREFIXES:
        if len(folder) > 5:  # not /usr, which is no secret and part of many words
            text = text.replace(folder, "…")
    return text


def _built(output: dict) -> NotebookNode | None:
    """Return an output of the current format, or None for what is shown nowhere."""
    kind = output.get("output_type")
    if kind == "stream":
        return new_output("stream", text=_last_written(text_of(output.get("text"))), name="stdout")
    if kind == "error":
        lines = output.get("traceback")
        traceback = [text_of(line) for line in lines] if isinstance(lines, list) else []
        about = {key: text_of(output.get(key)) for key in ("ename", "evalue")}
        return new_output("error", **about, traceback=traceback)
    data = output.get("data")
    if kind not in ("display_data", "execute_result") or not isinstance(data, dict):
        return None
    kept = {name: text_of(data[name]) for name in KEPT if name in data}
    return new_output("display_data", kept) if kept else None


def _last_written(text: str) -> str:
    """Return what a terminal shows of a progress bar: the last that was written over a line."""
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))


def _size(output: NotebookNode) -> int:
    if output.output_type == "stream":
        return len(output.text)
    if output.output_type == "error":
        return len(output.evalue) + sum(map(len, output.traceback))
    return sum(map(len, output.data.values()))


def _plain(text: object) -> str:
    return hide_paths(ESCAPES.sub("", str(text)))


def _clean(output: NotebookNode) -> NotebookNode | None:
    if output.output_type == "stream":
        output.text, output.name = _plain(output.text), "stdout"
    elif output.output_type == "error":
        output.ename, output.evalue = _plain(output.ename), _plain(output.evalue)
        output.traceback = [_plain(line) for line in output.traceback]
    else:
        data = {kind: _clean_data(kind, value) for kind, value in output.data.items() if kind in KEPT}
        output.data = NotebookNode({kind: value for kind, value in data.items() if value})
        output.metadata = NotebookNode()
        if not output.data:
            return None
    return output


def _clean_data(kind: str, value: object) -> str:
    text = "".join(map(str, value)) if isinstance(value, list) else str(value)
    if kind.startswith("image/"):
        return text if BASE64.fullmatch(text) else ""
    return CLEANERS.get(kind, str)(_plain(text))


def _clean_markdown(text: str) -> str:
    shown = show_markdown(text)
    return text if shown.harmless else as_source(shown.html)


CLEANERS = {"text/html": clean_markup, "text/markdown": _clean_markdown, "text/latex": clean_tex}

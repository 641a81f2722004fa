"""Keep what a cell shows fit to be stored and looked at: no scripts, no paths of this machine.

Outputs reach the instructor's browser in formgrader and the student's in the feedback. Tables and
pictures stay, as long as a picture comes with its own data: one that is fetched would tell its owner
who looks at it.
"""

import re
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from utilities.grading.markup import as_source, clean_markup, clean_tex, show_markdown

KEPT = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg")
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

"""Keep what a cell shows fit to be stored and looked at: no scripts, no paths of this machine.

Outputs reach the instructor's browser in formgrader and the student's in the feedback: markup
from a stranger's kernel is cleaned by bleach. Tables and pictures stay, as long as a picture
comes with its own data: one that is fetched would tell its owner who looks at it.
"""

import re
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import bleach
from bleach.css_sanitizer import ALLOWED_CSS_PROPERTIES, CSSSanitizer
from nbformat.notebooknode import NotebookNode

KEPT = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg")
TAGS = bleach.ALLOWED_TAGS | {
    *("br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "p", "pre", "span", "sub", "sup"),
    *("caption", "details", "figcaption", "figure", "img", "summary"),
    *("table", "tbody", "td", "tfoot", "th", "thead", "tr"),
}
HARMLESS = ("alt", "aria-label", "colspan", "role", "rowspan", "style", "title", "width")
STYLE = CSSSanitizer(ALLOWED_CSS_PROPERTIES | {"border", "max-width"})  # what our figures need
PICTURE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=\s]*")
TAG = re.compile(r"<[A-Za-z/!?]")
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


def clean_markup(text: str) -> str:
    """Return markdown or HTML without scripts, frames and event handlers; as it is without tags."""
    if not TAG.search(text):
        return text
    return bleach.clean(
        text, TAGS, _may_stay, protocols=bleach.ALLOWED_PROTOCOLS | {"data"},
        css_sanitizer=STYLE,
    )  # fmt: skip


def _may_stay(tag: str, name: str, value: str) -> bool:
    """Return whether an attribute is harmless: no address but that of a link or of own pixels."""
    if name == "src":
        return tag == "img" and PICTURE.fullmatch(value) is not None
    if name == "href":
        return tag == "a" and not value.strip().lower().startswith("data:")
    return name in HARMLESS


def hide_paths(text: str) -> str:
    """Return a text in which this machine's folders have short names."""
    for folder in LIBRARY_FOLDERS:
        text = text.replace(folder, "…/python")
    for folder in PREFIXES:
        if len(folder) > 5:  # not /usr, which is no secret and part of many words
            text = text.replace(folder, "…")
    return text


def _clean(output: NotebookNode) -> NotebookNode | None:
    if output.output_type == "stream":
        output.text, output.name = hide_paths(str(output.text)), "stdout"
    elif output.output_type == "error":
        output.ename, output.evalue = str(output.ename), hide_paths(str(output.evalue))
        output.traceback = [hide_paths(str(line)) for line in output.traceback]
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
    text = hide_paths(text)
    return clean_markup(text) if kind in ("text/html", "text/markdown", "text/latex") else text

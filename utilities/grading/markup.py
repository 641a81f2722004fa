"""Show what a stranger wrote: nothing in it runs, nothing is fetched, and no word is lost.

Answers are kept as they were written; here they are rendered, for formgrader and feedback alike.
Markup that is none (`i<b`, `List<int>`) is shown as the text it is. What a browser would run or
fetch is left out where it is shown. All is linear in its input: what would take long to render,
such as thousands of tags inside each other, is shown as plain text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape, unescape
from typing import Any
from urllib.parse import quote, unquote

import nh3
from jinja2 import pass_context
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

FILTERS = {  # of a page's template, for formgrader and feedback
    "markdown2html": "utilities.grading.markup.markdown2html",
    "strip_files_prefix": "utilities.grading.markup.as_it_is",
    "highlight_code": "utilities.grading.markup.highlight_code",
}
WRITTEN = "attention_lab_written"  # a cell's metadata entry: the text as written, where shown otherwise
LEFT_OUT = "[left out]"
LONGEST_MARKDOWN = 50_000  # characters; longer texts are shown, but not rendered
LONGEST_CODE = 50_000  # characters; longer code is shown without colours
LONGEST_SHOWN = 200_000
MOST_FORMULAS = 500  # nbconvert looks for the end of each in all that follows
DEEPEST = 200  # elements inside each other

TAGS = nh3.ALLOWED_TAGS & {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "details", "div", "dl"),
    *("dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img"),
    *("kbd", "li", "mark", "ol", "p", "pre", "q", "s", "small", "span", "strong", "sub", "summary"),
    *("sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul"),
}
HARMLESS = {
    *("align", "alt", "aria-label", "class", "colspan", "height", "open", "role", "rowspan"),
    *("start", "style", "title", "width"),
}
STYLES = {
    *("background-color", "border", "border-collapse", "color", "display", "font-style"),
    *("font-weight", "height", "margin", "max-width", "padding", "text-align", "text-decoration"),
    *("vertical-align", "white-space", "width"),
}
STYLE_VALUE = re.compile(r"(?:[\w\s#.,%+-]|\b(?:rgb|hsl)a?\(|\))*", re.IGNORECASE)  # no url(…)
CLASS = re.compile(r"(?:\s*(?:alert(?:-\w+)?|dataframe|highlight|language-[\w+.-]+|[a-z]{1,2}\d?))*\s*")
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
LINK = re.compile(r"(?:https?://|mailto:|#|(?![/\\])[^:]*$)", re.IGNORECASE)  # or to a file beside it
REMOTE = re.compile(r"[a-z][a-z0-9+.-]*:|[/\\]|.*\.\.", re.IGNORECASE)

TAG = re.compile(r"<[A-Za-z/!?]")
ANY_TAG = re.compile(r"(<[A-Za-z/!?][^>]*>?)")  # as a browser begins one, whatever stands in it
ATTRIBUTE = r"""\s+([A-Za-z-]+)(?:\s*=\s*("[^"<>]*"|'[^'<>]*'|[^\s"'=<>`]+))?"""
PLAIN_TAG = re.compile(rf"<(/?)([A-Za-z][A-Za-z0-9]*)((?:{ATTRIBUTE})*)\s*/?>")
ATTRIBUTES = re.compile(ATTRIBUTE)
ACTIVE_TAG = re.compile(
    r"</?(?:applet|area|audio|base|body|button|canvas|dialog|embed|form|frame|frameset|head|html|iframe"
    r"|image|input|link|listing|map|marquee|math|meta|noembed|noframes|noscript|object|option|picture"
    r"|plaintext|portal|script|select|slot|source|style|svg|template|textarea|title|track|video|xmp)"
    r"(?![^\s/>])",
    re.IGNORECASE,
)
ACTIVE_ATTRIBUTE = re.compile(
    r"(?<![^\s/\"'])(?:on\w+|action|background|class|cite|data|formaction|href|id|is|name|ping|poster"
    r"|src|srcdoc|srcset|style|usemap|xlink:href)\s*=",
    re.IGNORECASE,
)
OPENS = re.compile(r"<(/?)(?!(?:p|li|t[dhr]|d[dt]|br|hr|img)\b)[a-z][^\s/>]*", re.IGNORECASE)
FORMULA = re.compile(r"\\begin\{|\\\\[(\[]")
CODE = re.compile(r"(<(pre|code)\b.*?</\2>)", re.DOTALL)
# What leads out of a formula: MathJax makes links, styles and classes of these
TEX = re.compile(r"\\(href|style|class|cssId|require|mmlToken|url|data)(?![A-Za-z])(\s*\{[^{}]*\})?")
MARKDOWN = re.compile(r"([\\`*_\[\]<>&$~|#])")


@dataclass(frozen=True)
class Shown:
    """A text as HTML that is safe to show, and whether other renderers may have it as it is."""

    html: str
    harmless: bool


@pass_context
def markdown2html(context: Mapping[str, Any], source: str) -> str:
    """Render Markdown as nbconvert's filter of this name does, and show no more than is safe."""
    cell = context.get("cell") or {}
    if source == cell.get("source"):
        source = cell.get("metadata", {}).get(WRITTEN, source)
    return show_markdown(source, cell.get("attachments", {})).html


def as_it_is(text: str) -> str:
    """Return a text unchanged, in place of nbconvert's filter for the addresses of IPython 1.

    That one looks for the end of each bracket in all that follows: minutes, for thousands of them.
    """
    return text


def highlight_code(source: str, language: str | None = None, metadata: Any = None) -> str:
    """Return code as HTML in colours, or without them where there is too much: that takes minutes."""
    if len(source) > LONGEST_CODE:
        return as_text(source)
    return str(Highlight2HTML(pygments_lexer=language or "ipython3")(source, metadata=metadata))


def show_markdown(source: str, attachments: Mapping[str, Any] | None = None) -> Shown:
    """Return Markdown as HTML that is safe to show.

    attachments: pictures that the text may show, as in a cell of a notebook.
    """
    words = PICTURE.sub("", source)
    formulas = sum(1 for _ in FORMULA.finditer(words))
    if len(words) > LONGEST_MARKDOWN or formulas > MOST_FORMULAS or _too_deep(words):
        return Shown(as_text(source), False)
    renderer = _Renderer(dict(attachments or {}))
    try:
        html = clean_markup(MarkdownWithMath(renderer=renderer).render(source))
    except Exception:  # mistune's: no text may keep a page from being shown
        return Shown(as_text(source), False)
    plain = without_tex_links(html)
    return Shown(plain, renderer.harmless and plain == html)


def as_source(html: str) -> str:
    """Return Markdown that every renderer shows as this HTML: one block, with no sign of its own."""
    return f"<div>{html}</div>".translate({10: "&#10;", 13: "", 36: "&#36;", 92: "&#92;"})


def as_text(text: str) -> str:
    """Return a text as HTML that shows it letter by letter, cut where it is endless."""
    cut = len(text) - LONGEST_SHOWN
    rest = f"<p>… and {cut} more characters.</p>" if cut > 0 else ""
    return f"<pre>{escape(text[:LONGEST_SHOWN])}</pre>{rest}"


def clean_markup(text: str) -> str:
    """Return HTML without scripts, frames, forms, event handlers and pictures from elsewhere."""
    if not TAG.search(text):
        return text
    if _too_deep(text):
        return as_text(text)
    return nh3.clean(
        text, tags=TAGS, attributes={"*": HARMLESS, "a": {"href"}, "img": {"src"}},
        attribute_filter=_attribute, url_schemes={"http", "https", "mailto", "data"}, link_rel=None,
    )  # fmt: skip


def without_tex_links(html: str) -> str:
    """Return HTML whose formulas make no links and no styles; code stays as it is."""
    pieces = CODE.split(html)  # text, code, the code's tag, text, …
    pieces[::3] = [TEX.sub(_tex, piece) for piece in pieces[::3]]
    del pieces[2::3]
    return "".join(pieces)


def clean_tex(text: str) -> str:
    """Return LaTeX that holds no markup and makes no links."""
    return TEX.sub(_tex, text).replace("<", r"\lt ")


def printable(name: str) -> str:
    """Return a name that a terminal, a page and JSON can show: no control or direction signs.

    A name with angle brackets is written as in an address, so that it is markup nowhere.
    """
    if "<" in name or ">" in name:
        name = quote(name, safe=" /()[],;@+", errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def as_markdown(text: str) -> str:
    """Return Markdown that shows a text letter by letter."""
    return MARKDOWN.sub(r"\\\1", " ".join(text.split()))


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, for strangers' texts."""

    def __init__(self, attachments: dict[str, Any]):
        super().__init__(escape=False, exclude_anchor_links=True, attachments=attachments)
        self.harmless = True

    def inline_html(self, html: str) -> str:
        """Show harmless markup as such, and all else that looks like markup as text."""
        pieces = ANY_TAG.split(html)  # text, tag, text, …
        pieces[::2] = [piece.replace("<", "&lt;") for piece in pieces[::2]]
        pieces[1::2] = [self._tag(piece) for piece in pieces[1::2]]
        return "".join(pieces)

    def block_html(self, html: str) -> str:
        """Show a block of markup as inline markup is shown."""
        return f"{self.inline_html(html)}\n"

    def block_mermaidjs(self, code: str) -> str:
        """Show a diagram's source: drawing it would run it."""
        self.harmless = False
        return self.block_code(code)

    def task_list_item(self, text: str, checked: bool = False) -> str:
        """Show a task without a form's field."""
        return f"<li>{'☑' if checked else '☐'} {text}</li>\n"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Show a link that leads to a page; of another, its words."""
        if LINK.match(_address(url)):
            return super().link(text, url, title)
        self.harmless = False
        return text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Show a picture that brings its own data; of another, its words."""
        name = url.removeprefix("attachment:")
        if name != url and name not in self.attachments and unquote(name) in self.attachments:
            self.harmless = False  # nbconvert looks for the name as it stands in the address
            url = f"attachment:{unquote(name)}"
        if PICTURE.fullmatch(url) or url.removeprefix("attachment:") in self.attachments:
            return super().image(text, url, title)
        self.harmless &= not REMOTE.match(_address(url))
        return f"[{text or 'picture'}: not shown]"

    def _tag(self, tag: str) -> str:
        if _is_plain(tag):
            return tag
        open_quote = tag.count('"') % 2 or tag.count("'") % 2
        if open_quote or ACTIVE_TAG.match(tag) or ACTIVE_ATTRIBUTE.search(tag):
            self.harmless = False
            return LEFT_OUT
        return escape(tag, quote=False)


def _is_plain(tag: str) -> bool:
    """Return whether a tag is one of those that may stay, with attributes that all may."""
    found = PLAIN_TAG.fullmatch(tag)
    if found is None or found[2].lower() not in TAGS:
        return False
    return all(
        _attribute(found[2].lower(), name.lower(), unescape(value.strip("\"'"))) is not None
        for name, value in ATTRIBUTES.findall(found[3])
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Return what may stay of an attribute, or None: nothing is fetched, nothing covers the page."""
    if name == "src":
        return value if tag == "img" and PICTURE.fullmatch(value) else None
    if name == "href":
        return value if tag == "a" and LINK.match(_address(value)) else None
    if name == "style":
        return _style(value) or None
    if name == "class":
        return value if CLASS.fullmatch(value) else None
    return value if name in HARMLESS else None


def _style(value: str) -> str:
    kept = []
    for declaration in value.split(";"):
        name, _, setting = declaration.partition(":")
        if name.strip().lower() in STYLES and STYLE_VALUE.fullmatch(setting):
            kept.append(f"{declaration.strip()};")
    return " ".join(kept)


def _address(url: str) -> str:
    """Return an address as a browser reads it: without blanks and control signs."""
    return re.sub(r"[\x00-\x20\x7f]", "", unescape(url))


def _too_deep(text: str) -> bool:
    depth = 0
    for tag in OPENS.finditer(text):
        depth = max(depth - 1, 0) if tag[1] else depth + 1
        if depth > DEEPEST:
            return True
    return False


def _tex(macro: re.Match[str]) -> str:
    return "" if macro[2] else rf"\text{{{macro[1]}}}"

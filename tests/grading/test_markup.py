"""Answers are shown as they were written; nothing in them runs, is fetched, or takes long."""

import time

import pytest
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import MarkdownWithMath, markdown2html_mistune
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from traitlets.config import Config

from utilities.grading.markup import (
    FILTERS,
    as_markdown,
    as_source,
    clean_markup,
    printable,
    show_markdown,
)

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
SECONDS = 10.0  # far more than any of these takes; what grows with the square takes minutes

AS_WRITTEN = {
    "less and greater": "The query i<b must not see the keys j, so position j>i gets nothing.",
    "a tag to a parser": "For i<b and j>i the weight is 0.",
    "formulas": "For $i<n$ and $j>i$ the mask is 0, and $$\\sum_{i<n} w_i = 1$$",
    "generics": "A List<int> or Dict<str, List<float>> of <d> keys",
    "fence with tags": "```html\n<script>alert(1)</script><img src=x onerror=alert(1)>\n```",
    "inline code with tags": "Use `<img src=x onerror=y>` or `List<b>`.",
    "comment that never ends": "<!-- my notes\nThe kernel width decides.",
    "autolink": "See <https://arxiv.org/abs/1706.03762> and https://example.org/a_b.",
    "table": "| a | b |\n|---|:-:|\n| i<b | j>i |",
    "task list": "- [x] done\n- [ ] not yet",
    "carriage returns": "one\r\n\r\ntwo  \r\nthree",
    "box": '<div class="alert alert-info">\n\n**Note** that i<n\n\n</div>',
    "a picture beside the notebook": "See ![my plot](plot.png), for i<n.",
    "hint": "<details><summary>More</summary>\n\nwords\n\n</details>",
    "other scripts": "K(‖q−k‖) = 1 ⇒ ✓ 日本語 \u202eabc 🎓",
}

LETTER_BY_LETTER = {"less and greater", "a tag to a parser", "formulas", "generics", "other scripts"}

HOSTILE = {
    "javascript link": "[click](javascript:alert(1))",
    "javascript link, hidden": "[click](java&#10;script:alert(1)) <javascript:alert(1)>",
    "data link": "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "picture from elsewhere": "![x][a]\n\n[a]: https://evil.example/track.png",
    "address of the server": "![x](/logout) ![y](../../api/shutdown)",
    "script": "Good <script>alert(1)</script>",
    "handler": "<img src=x onerror=alert(1)>",
    "handler between code": '`<a title="`<img src=x onerror=alert(1)>`">`',
    "handler behind a quote": '<a title=">" onclick="alert(1)">k</a>',
    "comment that ends at once": "<!--><script>alert(1)</script>-->",
    "frame": '<iframe src="https://evil.example"></iframe>',
    "form": '<form action="/api"><input name="x"></form>',
    "style that fetches": '<b style="background: url(https://evil.example/x)">x</b>',
    "style that covers": '<div style="position:fixed;top:0">x</div>',
    "name of the page's own": '<b id="question_01" class="score">x</b>',
    "formula that links": "$\\href{javascript:alert(1)}{x}$ $\\require{html}\\style{color:red}{x}$",
    "diagram": '```mermaid\ngraph TD\nA["<img src=x onerror=alert(1)>"]\n```',
    "attachment that is missing": "![a](attachment:x.png)",
}

BOMBS = {
    "divisions": "<div>" * 100_000,
    "attributes": "<b " + " ".join(f"a{i}=1" for i in range(45_000)) + ">",
    "brackets": "[" * 100_000,
    "fewer brackets": "[" * 49_000,
    "links": "[a](" * 40_000,
    "emphasis": "*a " * 30_000,
    "environments": "\\begin{a}" * 20_000,
    "formulas": "\\\\(" * 20_000,
    "comments": "<!--" * 50_000,
    "quotes": "> " * 30_000 + "a",
    "tables": "|a" * 20_000 + "\n" + "|-" * 20_000,
    "open tags": '<a href="' * 10_000,
    "half a megabyte of words": "attention is all you need " * 20_000,
}


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_an_honest_text_stays_and_no_word_of_it_is_lost(name):
    text = AS_WRITTEN[name]
    shown = show_markdown(text)
    assert shown.harmless
    words = BeautifulSoup(shown.html, "html.parser").get_text()
    assert words.strip() == text or name not in LETTER_BY_LETTER
    for sign in (
        "<b",
        "i<n",
        "<int>",
        "<script>",
        "onerror",
        "<!-- my notes",
        "width decides",
        "日本語",
    ):
        assert (sign in words) == (sign in text)


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_runs_and_nothing_is_fetched(name):
    shown = show_markdown(HOSTILE[name])
    assert not shown.harmless, "the text itself would go to renderers that trust it"
    for html in (shown.html, markdown2html_mistune(as_source(shown.html))):
        for tag in BeautifulSoup(html, "html.parser").find_all(True):
            assert tag.name in {"a", "b", "code", "div", "p", "pre", "span"}, tag
            assert set(tag.attrs) <= {"href", "title"} and "href" not in tag.attrs, tag
        assert "\\href" not in html and "\\style" not in html


def test_what_stands_in_for_a_text_looks_the_same_everywhere():
    text = "# A *b*\n\n$x_1$ and `c`\n\n```python\nd = 1\n\ne = 2\n```\n\n<script>1</script>"
    shown = show_markdown(text).html
    elsewhere = markdown2html_mistune(as_source(shown))
    assert BeautifulSoup(elsewhere, "html.parser").get_text().strip() == (
        BeautifulSoup(shown, "html.parser").get_text().strip()
    )


@pytest.mark.parametrize("address", ["a.png", "a%20b.png"])
def test_a_pasted_picture_is_shown(address):
    attachments = {address.replace("%20", " "): {"image/png": PNG}}
    shown = show_markdown(f"see ![plot](attachment:{address})", attachments)
    assert f'src="data:image/png;base64,{PNG}"' in shown.html
    assert shown.harmless == (address == "a.png")  # nbconvert fails on the other


@pytest.mark.parametrize("name", BOMBS)
def test_no_text_takes_long(name):
    began = time.process_time()
    shown = show_markdown(BOMBS[name])
    clean_markup(BOMBS[name])
    markdown2html_mistune(as_source(shown.html) if not shown.harmless else "")
    assert time.process_time() - began < SECONDS
    assert len(shown.html) < 30 * len(BOMBS[name])


@pytest.mark.parametrize("name", BOMBS)
def test_no_page_takes_long(name):
    """All of the template's filters run over an answer, not ours alone."""
    began = time.process_time()
    exporter = HTMLExporter(template_name="classic", config=Config(HTMLExporter={"filters": FILTERS}))
    page, _ = exporter.from_notebook_node(
        new_notebook(cells=[new_markdown_cell(BOMBS[name]), new_code_cell(BOMBS[name])])
    )
    assert time.process_time() - began < SECONDS
    assert len(page) > min(len(BOMBS[name]), 50_000)


def test_very_long_texts_are_shown_as_text():
    shown = show_markdown("*a* " * 20_000)
    assert shown.html == f"<pre>{'*a* ' * 20_000}</pre>" and not shown.harmless
    assert "more characters" in show_markdown("a" * 1_000_000).html


def test_what_cannot_be_rendered_is_shown_as_text(monkeypatch):
    monkeypatch.setattr(MarkdownWithMath, "render", lambda self, text: 1 / 0)
    shown = show_markdown("*a* <b>")
    assert shown.html == "<pre>*a* &lt;b&gt;</pre>" and not shown.harmless


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Doe (2), c++ & a$b_[x]", "Doe (2), c++ & a$b_[x]"),
        ("Müller, 张伟", "Müller, 张伟"),
        ("\x1b]0;x\x07\x1b[2Jall", "\\x1b]0;x\\x07\\x1b[2Jall"),
        ("a\u202egnp.exe\nb", "a\\u202egnp.exe\\nb"),
        ("a<img src=x onerror=y>.ipynb", "a%3Cimg src%3Dx onerror%3Dy%3E.ipynb"),
        ("M\udcfcller", "M\\udcfcller"),
    ],
)
def test_names_are_no_more_than_names(name, shown):
    assert printable(name) == shown
    rendered = BeautifulSoup(markdown2html_mistune(f"- {as_markdown(shown)}"), "html.parser")
    assert rendered.get_text().strip() == shown and not rendered.find_all(["img", "em", "a"])

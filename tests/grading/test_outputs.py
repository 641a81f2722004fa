"""What a student's kernel shows is cleaned before anybody looks at it; figures and tables stay."""

import re
import sys

import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_output

import utilities
from utilities.grading.markup import clean_markup
from utilities.grading.outputs import clean_outputs

FIGURE = (
    '<img alt="Line plot" src="data:image/png;base64,iVBORw0KGgo=" '
    'style="max-width: 100%; height: auto;" width="640">'
)
HINT = "<details><summary>Hint 1</summary>Which axis?</details>"
LINK = '<a href="https://arxiv.org/abs/1706.03762">paper</a>'


HTTP, MAIL = '<a href="http://example.org">page</a>', '<a href="mailto:a@example.org">mail</a>'


@pytest.mark.parametrize("kept", [FIGURE, HINT, LINK, HTTP, MAIL])
def test_what_is_harmless_stays(kept):
    assert clean_markup(kept) == kept


def test_a_figure_of_ours_keeps_its_size_and_its_alternative_text():
    fig = utilities.plot_attention(np.eye(3))
    shown = BeautifulSoup(clean_markup(fig._bundle[0]["text/html"]), "html.parser").img
    assert shown["alt"] == fig.alt and int(shown["width"]) == round(96 * fig.get_figwidth())
    for property in ("max-width: 100%", "height: auto", "background-color: white", "border: 0"):
        assert property in shown["style"]


def test_tables_stay():
    assert "<td>59.4%</td>" in clean_markup("<table><tr><td>59.4%</td></tr></table>")


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        '<img src="https://example.org/who-looks.png">',
        '<img src="data:image/svg+xml;base64,PHN2Zz4=">',
        '<img alt="x" onerror="alert(1)" src="x">',
        '<a href="javascript:alert(1)">x</a>',
        '<a href=" data:text/html,<b>x</b>">x</a>',
        '<div style="background:url(https://example.org/x)">x</div>',
        '<iframe src="https://example.org"></iframe>',
        '<form action="https://example.org"><input name="x"></form>',
    ],
)
def test_nothing_runs_and_nothing_is_fetched(attack):
    tags = " ".join(re.findall(r"<[^>]*>", clean_markup(attack)))  # what is escaped is only text
    for danger in ("<script", "onerror=", "javascript:", "https://", "data:", "<iframe", "<form"):
        assert danger not in tags, tags


@pytest.mark.parametrize(
    ("kind", "written", "left"),
    [
        ("text/html", "<b>1</b><script>alert(1)</script>", "<b>1</b>"),
        ("text/markdown", "**1** and [2](https://arxiv.org)", "**1** and [2](https://arxiv.org)"),
        ("text/markdown", "1 [x](javascript:alert(1))", "<div><p>1 x</p>&#10;</div>"),
        ("text/latex", r"$i<n$ \href{javascript:alert(1)}{x}", r"$i\lt n$ {x}"),
        ("text/plain", "<b>1</b>", "<b>1</b>"),
        ("image/png", ["iVBORw0K", "Ggo=\n"], "iVBORw0KGgo=\n"),
        ("image/png", '"><script>alert(1)</script>', None),
        ("image/svg+xml", "<svg onload=alert(1)>", None),
        ("application/javascript", "alert(1)", None),
    ],
)
def test_each_kind_of_display_is_cleaned_in_its_own_way(kind, written, left):
    shown = clean_outputs([new_output("display_data", {kind: written})])
    assert [output.data for output in shown] == ([{kind: left}] if left else [])


def test_a_terminal_is_given_colours_alone_and_no_path_of_this_machine():
    written = f"\x1b]0;mine\x07\x1b[2J\x1b[31mred\x1b[0m\x07 in {sys.prefix}/lib/{np.__file__}"
    stream, error = clean_outputs(
        [
            new_output("stream", text=written, name="stderr"),
            new_output("error", ename=written, evalue=written, traceback=[written]),
        ]
    )
    for text in (stream.text, error.ename, error.evalue, *error.traceback):
        assert text.startswith("\x1b[31mred\x1b[0m in …/lib/…/python/numpy/") and sys.prefix not in text
    assert stream.name == "stdout"

"""Sphinx's settings for the site; `make site` writes the pages beside this file and builds them."""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

project = "Attention Lab"
author = "the Attention Lab Kit authors"
copyright = "the Attention Lab Kit authors; texts CC BY 4.0, code MIT"
language = "en"
extensions = ["myst_nb"]


nb_execution_mode = "off"  # the outputs in the notebooks are those of the kept runs
nb_ipywidgets_js: dict[str, dict] = {}  # nothing is fetched: the site works from a folder
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # shell sessions that name no language

html_theme = "furo"
html_title = "Attention Lab"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"footer_icons": [], "top_of_page_buttons": []}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def mathml(formula: str, display: str) -> str:
    """Return a formula as MathML, which browsers show and screen readers read without a script."""
    return convert(formula.replace(r"\_", "_"), display=display)


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line of text."""
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula of its own, which scrolls where a screen is too narrow for it."""
    formula = mathml(node.astext(), "block")
    self.body.append(
        f'<div class="formula" role="region" tabindex="0" aria-label="formula">{formula}</div>'
    )
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Put the renderer in."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))

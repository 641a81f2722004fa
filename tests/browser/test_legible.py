"""The measures themselves, on pages whose answer is known."""

import pytest

from tests.browser.legible import contrasts, cut_off


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page(viewport={"width": 400, "height": 300})
    yield page
    page.close()


@pytest.mark.parametrize(
    ("style", "contrast"),
    [
        ("color: black", 21),
        ("color: #767676", 4.54),
        ("color: #777777", 4.48),
        ("color: white; background: #0000ff", 8.59),
        ("color: rgb(0 0 0 / 50%)", 4.00),
        ("color: black; background: rgb(0 0 0 / 50%)", 5.24),
    ],
)
def test_contrast(page, style, contrast):
    page.set_content(f"<p style='{style}'>text<span style='display: none'>hidden</span></p>")
    ((_, found),) = contrasts(page.locator("p"))
    assert found == pytest.approx(contrast, abs=0.02)


@pytest.mark.parametrize(("width", "fits"), [("100px", True), ("600px", False)])
def test_what_is_cut_off(page, width, fits):
    page.set_content(
        "<div class='jp-OutputArea-output' style='width: 300px; overflow: hidden'>"
        f"<div id='report'><p style='width: {width}'>text</p></div></div>"
    )
    assert (cut_off(page.locator("#report")) == []) is fits

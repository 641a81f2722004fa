"""A student at the core notebook: the slider, a wrong answer, the right one, hints, legibility."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import course
from tests.browser.legible import MIN_CONTRAST, contrasts, cut_off
from tests.browser.pictures import READ, SEE, WRITE

EXERCISE, CHECK = "scaled-dot-product-attention", "check-scaled-dot-product-attention"
HALF = {"width": 640, "height": 450}  # 1280 × 900 at 200 % zoom


@pytest.fixture(scope="module")
def notebook(student_lab):
    """The released core notebook after its first cell."""
    notebook = student_lab.open("vision_transformer/vision_transformer.ipynb")
    expect(notebook.run("imports")).to_contain_text("Profile: standard")
    return notebook


@pytest.fixture(scope="module")
def slider(notebook):
    """The σ slider's cell, run after two right answers."""
    for id in ("gaussian", "nadaraya-watson"):
        notebook.write(id, course.answers()[id])
        notebook.run(id)
        expect(notebook.run(f"check-{id}")).to_contain_text("findings hold")
    return notebook.run("slider")


@pytest.fixture(scope="module")
def wrong_report(notebook):
    """The report on attention without its scaling."""
    notebook.write(EXERCISE, course.answers()[EXERCISE].replace(course.SCALED, ""))
    notebook.run(EXERCISE)
    return notebook.run(CHECK).get_by_role("group", name=re.compile("scaled_dot_product_attention"))


@pytest.fixture(params=["Light", "Dark"])
def theme(request, student_lab, notebook):
    with student_lab.theme(request.param):
        yield request.param.lower()


def test_what_is_not_written_yet_is_said_to_be(notebook):
    notebook.run("gaussian")
    expect(notebook.run("check-gaussian")).to_contain_text("not written yet")


def test_a_check_cannot_be_edited(notebook):
    editor = notebook.cell("check-gaussian").locator(".cm-content")
    expect(editor).to_have_attribute("aria-readonly", "true")


def test_the_slider_moves_the_figure(slider, notebook, pictures):
    figure, handle = slider.locator("img"), slider.get_by_role("slider")
    expect(figure).to_have_attribute("alt", re.compile("σ = 0.5,"))
    track = slider.locator(".noUi-base").bounding_box()
    notebook.page.mouse.click(track["x"] + 0.1 * track["width"], track["y"] + track["height"] / 2)
    expect(figure).to_have_attribute("alt", re.compile(r"σ = 0\.0[78]\d*,"))
    handle.press("End")
    expect(figure).to_have_attribute("alt", re.compile("σ = 5,"))
    for _ in range(40):
        handle.press("ArrowLeft")
    expect(figure).to_have_attribute("alt", re.compile(r"σ = 0\.79\d*,"))
    expect(slider.locator(".widget-readout")).to_have_text(re.compile(r"0\.79\d*"))
    pictures.keep(notebook.page, "slider.png", notebook.cell("slider-text"), notebook.cell("slider"))
    pictures.panel(notebook.page, SEE, notebook.cell("slider"))


def test_a_mistake_is_told_by_its_name(wrong_report):
    expect(wrong_report).to_contain_text("the scores are not divided by √d_k")
    expect(wrong_report.get_by_label("does not hold").first).to_have_text("✗")


def test_a_report_is_legible(wrong_report, slider, notebook, theme, pictures):
    for shown in (wrong_report, slider.locator(".jupyter-widgets").first):
        found = contrasts(shown)
        assert found and [(t, c) for t, c in found if c < MIN_CONTRAST] == []
    exercise, check = notebook.cell(EXERCISE), notebook.cell(CHECK)
    pictures.keep(notebook.page, f"report-wrong-{theme}.png", exercise, check)
    if theme == "light":
        pictures.panel(notebook.page, WRITE, exercise)
        pictures.panel(notebook.page, READ, check)


def test_a_report_fits_at_200_percent(wrong_report, notebook, pictures):
    before = notebook.page.viewport_size
    notebook.page.set_viewport_size(HALF)
    try:
        assert cut_off(wrong_report) == []
        notebook.page.keyboard.press("ControlOrMeta+b")  # out of the way, as one would do
        wrong_report.evaluate("report => report.scrollIntoView()")
        assert cut_off(wrong_report) == []
        pictures.keep(notebook.page, "report-200.png")
        notebook.page.keyboard.press("ControlOrMeta+b")
    finally:
        notebook.page.set_viewport_size(before)


def test_the_right_answer_passes(wrong_report, notebook):
    notebook.write(EXERCISE, course.answers()[EXERCISE])
    notebook.run(EXERCISE)
    shown = notebook.run(CHECK)
    expect(shown).to_contain_text(re.compile(r"all \d+ findings hold"))
    expect(shown).to_contain_text("6.0")


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_hints_unfold_by_keyboard(notebook, key):
    hint = notebook.cell("gaussian-text").locator("details").first
    expect(hint).not_to_have_attribute("open", "")
    notebook.cell("gaussian-text").locator("h3").click()
    tab_to(notebook.page, hint.locator("summary"))
    notebook.page.keyboard.press(key)
    expect(hint).to_have_attribute("open", "")
    expect(notebook.cell("gaussian-text").locator(".jp-MarkdownOutput")).to_be_visible()
    notebook.page.keyboard.press(key)
    expect(hint).not_to_have_attribute("open", "")


def test_the_slider_is_reached_by_keyboard(slider, notebook):
    notebook.cell("slider").locator(".jp-InputPrompt").click()
    tab_to(notebook.page, slider.get_by_role("slider"))


def tab_to(page, target) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(40):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab does not lead there")

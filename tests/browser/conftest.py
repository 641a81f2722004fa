"""Headless Chromium, the student's JupyterLab, and pictures where they are asked for."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, expect, sync_playwright

from tests.browser import course
from tests.browser.jupyter import JupyterServer, Lab
from tests.browser.pictures import Pictures
from tests.course import ROOT
from utilities.commands.probes.software import BROWSERS

VIEWPORT = {"width": 1300, "height": 900}
TIMEOUT = 120_000  # milliseconds that an expectation waits on a busy machine

expect.set_options(timeout=TIMEOUT)


def chromium() -> str | None:
    """Return the browser: CHROMIUM names it, or it is on PATH; None leaves it to Playwright."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, which finds nothing but this machine."""
    options = ["--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    if os.name == "posix" and os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium's own refuses root
    with sync_playwright() as playwright:
        try:
            running = playwright.chromium.launch(executable_path=chromium(), args=options)
        except Error as error:
            pytest.fail(
                "These tests need Chromium: `make system` installs it on Debian and Ubuntu, "
                f"CHROMIUM=/path/to/chrome names another one. {error.message}",
                pytrace=False,
            )
        yield running
        running.close()


@pytest.fixture(scope="package")
def machine(tmp_path_factory) -> Path:
    """The settings that everybody on the machine reads: where the exchange directory is."""
    return course.write_exchange(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="package")
def student_server(machine, tmp_path_factory) -> Iterator[JupyterServer]:
    """JupyterLab of a student who has a copy of lab/ and nothing else of the course."""
    home = tmp_path_factory.mktemp("student")
    shutil.copytree(
        ROOT / "lab",
        home / "lab",
        ignore=shutil.ignore_patterns(".ipynb_checkpoints", "checkpoints", "runs"),
    )
    with JupyterServer(home / "lab", home, JUPYTER_CONFIG_PATH=str(machine)) as server:
        yield server


@pytest.fixture(scope="package")
def instructor_server(machine, tmp_path_factory) -> Iterator[JupyterServer]:
    """JupyterLab in the course's folder."""
    home = tmp_path_factory.mktemp("instructor")
    folder = course.write_course(home / "course")
    with JupyterServer(folder, home, JUPYTER_CONFIG_PATH=str(machine)) as server:
        yield server


@pytest.fixture(scope="module")
def student_lab(browser, student_server) -> Iterator[Lab]:
    """The student's JupyterLab in a page of its own."""
    yield from in_page(browser, student_server)


def in_page(browser: Browser, server: JupyterServer) -> Iterator[Lab]:
    """Yield JupyterLab in a fresh page, and close the page afterwards."""
    context = browser.new_context(viewport=VIEWPORT)
    context.set_default_timeout(TIMEOUT)
    yield Lab(context.new_page(), server)
    context.close()


@pytest.fixture(scope="package")
def pictures(pytestconfig, browser) -> Iterator[Pictures]:
    """Keeps pictures for the README, if `--screenshots DIR` asks for them."""
    pictures = Pictures(pytestconfig.getoption("--screenshots"))
    yield pictures
    pictures.compose(browser, "walk.png")

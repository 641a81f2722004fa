"""A JupyterLab server of our own, and JupyterLab as somebody at the keyboard uses it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.course import read

START_LIMIT = 120  # seconds until a test gives up; nothing is said about speed
STOP_LIMIT = 120
CELL_LIMIT = 300_000  # milliseconds for the slowest cell: a training on a busy machine
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}
IDLE = ".jp-NotebookPanel-toolbar .jp-Notebook-ExecutionIndicator[data-status='idle']"


class JupyterServer:
    """JupyterLab on loopback, with a token, in a folder; its settings lie in a home of its own."""

    def __init__(self, folder: Path, home: Path, **environment: str):
        self.folder, self.home = folder, home
        _settings(home, "notification", NO_NEWS)
        own = {
            "HOME": home,
            "IPYTHONDIR": home / "ipython",
            "JUPYTER_CONFIG_DIR": home / "config",
            "JUPYTER_DATA_DIR": home / "data",
            "JUPYTER_RUNTIME_DIR": home / "runtime",
        }
        # ipykernel leaves native stderr alone where it sees pytest, and would hide what people see
        inherited = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
        self.environment = {**inherited, **{k: str(v) for k, v in own.items()}, **environment}
        self.log = home / "server.log"

    def __enter__(self) -> "JupyterServer":
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        with self.log.open("w") as sink:
            self.process = subprocess.Popen(
                [*command, "--ip=127.0.0.1", "--port=0"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        try:
            self.url, self.token = self._address()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()  # the server ends its kernels
        try:
            self.process.wait(timeout=STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def _address(self) -> tuple[str, str]:
        """Return the address and the token that the server tells of itself once it listens."""
        told = self.home / "runtime" / f"jpserver-{self.process.pid}.json"
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and self.process.poll() is None:
            time.sleep(0.2)
            if told.exists() and (text := told.read_text()).endswith("}"):
                server = json.loads(text)
                return server["url"], server["token"]
        raise AssertionError(self.log.read_text())

    def address(self, path: str = "") -> str:
        """Return the address of a page of this server that lets one in."""
        return f"{self.url}{path}{'&' if '?' in path else '?'}token={self.token}"


def _settings(home: Path, plugin: str, values: dict) -> None:
    folder = home / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(values))


class Lab:
    """JupyterLab in a page of the browser."""

    def __init__(self, page: Page, server: JupyterServer):
        self.page, self.server = page, server

    def open(self, path: str) -> "Notebook":
        """Open a notebook by its path, and wait until its kernel is there."""
        self.page.goto(self.server.address(f"lab/tree/{path}?reset"))
        expect(self.page.locator(IDLE)).to_be_visible(timeout=CELL_LIMIT)
        return Notebook(self.page, self.server.folder / path)

    def start(self) -> None:
        """Open JupyterLab with no file."""
        self.page.goto(self.server.address("lab?reset"))
        expect(self.page.locator(".jp-Launcher")).to_be_visible(timeout=CELL_LIMIT)

    def menu(self, *names: str) -> None:
        """Choose from the menu bar."""
        bar, *entries = names
        self.page.get_by_role("menuitem", name=bar, exact=True).click()
        for name in entries:
            whole = re.compile(f"^{re.escape(name)}$")
            self.page.locator(".lm-Menu-itemLabel").filter(has_text=whole).click()

    @contextlib.contextmanager
    def theme(self, name: str) -> Iterator[None]:
        """Work in a theme, 'Light' or 'Dark'; then go back to the light one."""
        self._choose_theme(name)
        yield
        self._choose_theme("Light")

    def _choose_theme(self, name: str) -> None:
        self.menu("Settings", "Theme", f"JupyterLab {name}")
        light = "true" if name == "Light" else "false"
        expect(self.page.locator(f"body[data-jp-theme-light='{light}']")).to_be_attached()


class Notebook:
    """An open notebook; its cells go by their ids."""

    def __init__(self, page: Page, path: Path):
        self.page, self.path = page, path
        self.ids = [cell.id for cell in read(path).cells]
        self.cells = page.locator(".jp-Notebook .jp-Cell")
        expect(self.cells).to_have_count(len(self.ids))

    def cell(self, id: str) -> Locator:
        return self.cells.nth(self.ids.index(id))

    def output(self, id: str) -> Locator:
        return self.cell(id).locator(".jp-Cell-outputArea")

    def write(self, id: str, source: str) -> None:
        """Replace the source of a cell, with the keyboard."""
        editor = self.cell(id).locator(".cm-content")
        if not editor.is_visible():  # a rendered text cell
            self.cell(id).locator(".jp-MarkdownOutput").dblclick()
        editor.click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)
        expect(editor).to_contain_text(source.strip().splitlines()[-1].strip())

    def run(self, id: str) -> Locator:
        """Run a code cell, wait until it is done, and return its outputs."""
        prompt = self.cell(id).locator(".jp-InputPrompt")
        before = prompt.inner_text().strip("[]: ")
        prompt.click()
        self.page.keyboard.press("ControlOrMeta+Enter")
        done = re.compile(rf"^\[(?!{before or 'x'}\])\d+\]:$")
        expect(prompt).to_have_text(done, timeout=CELL_LIMIT)
        return self.output(id)

    def save(self) -> None:
        self.page.keyboard.press("ControlOrMeta+s")
        expect(self.page.locator(".jp-mod-current.jp-mod-dirty")).to_have_count(0)

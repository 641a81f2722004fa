"""`make lab` serves JupyterLab on the student notebooks, with no network."""

import os
import re
import signal
import subprocess
import time

import requests

from tests.course import ROOT

START_LIMIT = 120  # seconds until the test gives up; nothing is said about speed


def test_make_lab_serves_the_released_notebooks(tmp_path):
    log = tmp_path / "lab.log"
    options = "--no-browser --ip=127.0.0.1 --port=0 --allow-root"
    with log.open("w") as sink:
        server = subprocess.Popen(
            ["make", "lab", f"LAB_OPTIONS={options}"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address, token = wait_for_address(server, log)
        session = requests.Session()
        session.headers["Authorization"] = f"token {token}"
        assert "JupyterLab" in session.get(f"{address}/lab", timeout=30).text
        contents = session.get(f"{address}/api/contents/vision_transformer", timeout=30).json()
        assert "vision_transformer.ipynb" in [file["name"] for file in contents["content"]]
        kernels = session.get(f"{address}/api/kernelspecs", timeout=30).json()["kernelspecs"]
        assert "python3" in kernels
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def wait_for_address(server, log) -> tuple[str, str]:
    """Return the server's address and token as soon as its log tells them."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(r"(http://127\.0\.0\.1:\d+)/lab\?token=(\w+)", log.read_text()):
            return found[1], found[2]
        time.sleep(0.2)
    raise AssertionError(log.read_text())

"""A hub on loopback, and the models that the tests share."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from utilities.models.pretrained import EMBEDDED_T5, EMBEDDED_VIT, load_t5, load_vit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def embedded_vit():
    return load_vit(EMBEDDED_VIT)


@pytest.fixture(scope="session")
def embedded_t5():
    return load_t5(EMBEDDED_T5)


class Hub(BaseHTTPRequestHandler):
    """The two answers of the Hugging Face hub that a download needs; holds one model."""

    folder, name = EMBEDDED_VIT, "kit/tiny-vit"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/":
            return self.answer(200, b"hub")
        if path.startswith(f"/api/models/{self.name}"):
            files = [{"rfilename": file.name} for file in sorted(self.folder.iterdir())]
            about = {"id": self.name, "sha": COMMIT, "siblings": files}
            return self.answer(200, json.dumps(about).encode())
        file = self.folder / path.rsplit("/", 1)[-1]
        if path.startswith(f"/{self.name}/resolve/") and file.is_file():
            return self.answer(200, file.read_bytes())
        return self.answer(404, b"")

    def answer(self, status: int, body: bytes):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def hub():
    """The address of a hub that holds the model kit/tiny-vit."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()

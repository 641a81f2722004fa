"""A loopback server with faults to order, small data sets, and a network that is refused."""

import contextlib
import hashlib
import io
import pickle
import socket
import tarfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from utilities.datasets.archives import read_cifar10_archive
from utilities.datasets.files import content_digest
from utilities.datasets.sets import ImageSet
from utilities.datasets.sources import Archive, Download, Mirror
from utilities.datasets.transfer import Timeouts


@pytest.fixture(autouse=True)
def network_refused(monkeypatch):
    """Let sockets connect to the loopback only."""
    connect = socket.socket.connect

    def refuse(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            raise OSError(f"the network is refused: {address}")
        return connect(self, address)

    def resolve(host, *arguments, **options):
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(f"the network is refused: {host}")
        return getaddrinfo(host, *arguments, **options)

    getaddrinfo = socket.getaddrinfo
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def lab_data(tmp_path, monkeypatch):
    """An empty folder that LAB_DATA names, so that nothing of this machine is found or written."""
    folder = tmp_path / "lab data"
    monkeypatch.setenv("LAB_DATA", str(folder))
    return folder


@dataclass
class Route:
    """One path of the server: what it sends and how it misbehaves."""

    content: bytes = b""
    status: int = 200
    honours_range: bool = True
    content_type: str = "application/gzip"
    drop_after: list[int] = field(default_factory=list)  # bytes sent before each dropped answer
    chunk: int = 1 << 20
    pause: float = 0.0  # seconds between two chunks
    requests: list[str | None] = field(default_factory=list)  # the Range header of each request


@dataclass
class Server:
    address: str
    routes: dict[str, Route]

    def mirror(self, path: str, **behaviour) -> Mirror:
        """Serve a path with the behaviour of a `Route` and return it as a source."""
        self.routes[path] = Route(**behaviour)
        return Mirror(f"{self.address}{path}")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        route = self.server.routes.get(self.path, Route(status=404))
        asked = self.headers.get("Range")
        route.requests.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        partial = bool(asked) and route.honours_range and route.status == 200
        body = route.content[start:] if partial else route.content
        self.send_response(206 if partial else route.status)
        self.send_header("Content-Type", route.content_type)
        self.send_header("Content-Length", str(len(body)))
        if partial:
            total = len(route.content)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()
        if route.drop_after:
            body = body[: route.drop_after.pop(0)]
            self.close_connection = True
        with contextlib.suppress(ConnectionError):  # the client may have given up
            for begin in range(0, len(body), route.chunk):
                self.wfile.write(body[begin : begin + route.chunk])
                if self.server.ending.wait(route.pause):
                    return

    def log_message(self, *arguments):
        """Keep the tests' output clean."""


@pytest.fixture
def server():
    """A loopback HTTP server; `server.mirror(path, …)` adds a source to it."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.routes, http.ending = {}, threading.Event()
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Server(f"http://127.0.0.1:{http.server_port}", http.routes)
    http.ending.set()
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def arrays():
    """A small data set in the form of the full CIFAR-10."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (50, 32, 32, 3), np.uint8),
        "y_train": rng.integers(0, 10, 50, np.uint8),
        "x_test": rng.integers(0, 256, (20, 32, 32, 3), np.uint8),
        "y_test": rng.integers(0, 10, 20, np.uint8),
    }


@pytest.fixture
def pack():
    """A function that packs files, given as a dict of names and contents, into a .tar.gz."""

    def pack(files: dict[str, bytes]) -> bytes:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return packed.getvalue()

    return pack


@pytest.fixture
def content(arrays, pack):
    """The small data set packed as the official archive is."""
    parts = [
        *((f"data_batch_{i + 1}", "train", slice(10 * i, 10 * i + 10)) for i in range(5)),
        ("test_batch", "test", slice(None)),
    ]
    files = {"cifar-10-batches-py/batches.meta": b"not a batch"}
    for name, part, rows in parts:
        planes = arrays[f"x_{part}"][rows].transpose(0, 3, 1, 2)  # (n, 3, 32, 32)
        batch = {
            b"data": planes.reshape(len(planes), -1),  # (n, 3072)
            b"labels": arrays[f"y_{part}"][rows].tolist(),
        }
        files[f"cifar-10-batches-py/{name}"] = pickle.dumps(batch)
    return pack(files)


@pytest.fixture
def download(arrays, content):
    """A data set specification for the small set; the test adds its sources with `replace`."""
    return Download(
        ImageSet("small", "The small set", content_digest(arrays)),
        Archive(
            "small.tar.gz",
            len(content),
            hashlib.sha256(content).hexdigest(),
            read_cifar10_archive,
        ),
        (),
        "the tests go on.",
    )


@pytest.fixture
def timeouts():
    """Times short enough for a test."""
    return Timeouts(connect=2.0, stall=0.4, window=0.15, min_speed=1e6, reconnects=3, npm=20.0)


@pytest.fixture
def fake_npm(tmp_path, monkeypatch):
    """Put a fake `npm` on PATH that copies a given package, or fails; returns how to make it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(package: Path | None = None, status: int = 0, message: str = "") -> Path:
        calls = tmp_path / "npm-calls.txt"
        copy = f'/bin/cp "{package}" "$4/"' if package else ":"
        script = folder / "npm"
        script.write_text(
            f'#!/bin/sh\necho "$@" >> "{calls}"\n{copy}\necho "{message}" >&2\nexit {status}\n'
        )
        script.chmod(0o755)
        return calls

    return make

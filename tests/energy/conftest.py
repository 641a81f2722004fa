"""A clock that is set by hand, a refused network, and machines that do not stand here."""

import os
import socket
from types import SimpleNamespace

import carbontracker.tracker
import cpuinfo
import pynvml
import pytest
from carbontracker.components.cpu import intel


class Clock:
    """carbontracker's clock: it stands still until `advance`."""

    def __init__(self):
        self.now = 1_000_000.0

    def advance(self, seconds):
        self.now += seconds

    def time(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(carbontracker.tracker, "time", SimpleNamespace(time=clock.time))
    return clock


@pytest.fixture(autouse=True)
def refused_connections(monkeypatch):
    """Refuse every connection but loopback's, and list what was asked for."""
    asked, connect = [], socket.socket.connect

    def refuse(self, address):
        if address[0] in ("127.0.0.1", "::1"):
            return connect(self, address)
        asked.append(address)
        raise OSError(f"the test refuses the network: {address}")

    def refuse_lookup(host, *arguments, **keywords):
        if host in ("127.0.0.1", "localhost"):
            return lookup(host, *arguments, **keywords)
        asked.append(host)
        raise socket.gaierror(f"the test refuses the network: {host}")

    lookup = socket.getaddrinfo
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse_lookup)
    return asked


@pytest.fixture(autouse=True)
def exits(monkeypatch):
    """Calls of os._exit, which end nothing here."""
    calls = []
    monkeypatch.setattr(os, "_exit", calls.append)
    yield calls
    assert calls == [], "the process would have been ended"


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    """An AMD EPYC without RAPL and without GPU, whatever the tests run on."""

    def no_driver():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", no_driver)
    monkeypatch.setattr(intel, "RAPL_DIR", str(tmp_path / "powercap"))
    monkeypatch.setattr(cpuinfo, "get_cpu_info", lambda: {"brand_raw": "AMD EPYC 7232P"})
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

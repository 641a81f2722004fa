"""Refuse every connection but loopback; Python runs this at start where the folder is on PYTHONPATH."""

import socket
import sys

LOOPBACK = ("127.", "localhost", "::1")
_connect = socket.socket.connect
_look_up = socket.getaddrinfo


def _refused(host) -> bool:
    return isinstance(host, str) and host != "" and not host.startswith(LOOPBACK)


def connect(self, address):
    """Connect to this machine or to a local socket only."""
    if isinstance(address, tuple) and _refused(address[0]):
        raise ConnectionRefusedError(f"the tests refuse the network: {address}")
    return _connect(self, address)


def getaddrinfo(host, *arguments, **options):
    """Look up this machine only."""
    if _refused(host):
        raise socket.gaierror(f"the tests refuse the network: {host}")
    return _look_up(host, *arguments, **options)


socket.socket.connect = connect
socket.getaddrinfo = getaddrinfo

# Half the start of each nbgrader is jsonschema building grammars for a form of addresses nobody uses.
sys.modules.setdefault("rfc3987_syntax", None)

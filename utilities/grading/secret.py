"""The seeds of hidden tests come from a secret of the course: `solutions/`, known to many, tells none.

A seed in a hidden test is only a label; which numbers it stands for follows from label and secret. The
secret is made when it is first needed, lies beside the gradebook, and is never released.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

FILE = "hidden-tests.key"
VISIBLE = 42  # the seed of the check that students call themselves
BYTES = 32
LARGEST = 1 << 31


def course_secret(course: Path, shared: bool = False) -> bytes:
    """Return a course's secret; make one where there is none. shared: its group may read it, too."""
    path = course / FILE
    if not path.exists():
        with contextlib.suppress(FileExistsError):  # another grader was first
            _write(path, shared, os.link)
    return path.read_bytes()


def renew_secret(course: Path, shared: bool = False) -> None:
    """Put a new secret in place of a course's old one."""
    _write(course / FILE, shared, os.replace)


def hidden_seed(secret: bytes, exercise: str, seed: int, thorough: bool) -> int:
    """Return the seed that a check call stands for; that of the visible check stays as it is."""
    if not secret or (seed == VISIBLE and not thorough):
        return seed
    digest = hmac.digest(secret, f"{exercise} {seed}".encode(), hashlib.sha256)
    return int.from_bytes(digest[:8], "big") % LARGEST


def _write(path: Path, shared: bool, put: Callable[[Path, Path], None]) -> None:
    """Write a new secret aside, whole, and put it in its place."""
    aside = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
    with open(
        os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640 if shared else 0o600), "w"
    ) as f:
        f.write(secrets.token_hex(BYTES))
    try:
        put(aside, path)
    finally:
        aside.unlink(missing_ok=True)

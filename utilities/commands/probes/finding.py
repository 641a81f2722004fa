"""What a probe finds, and who needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

READY, OPTIONAL, MISSING = "ready", "optional", "missing"
STUDENT, INSTRUCTOR, MAINTAINER = "student", "instructor", "maintainer"
REINSTALL = "make lab installs it again (conda: conda env update -f environment.yml)"


class Finding(NamedTuple):
    """What a probe found: the state, what there is, and what to do about it."""

    state: str
    found: str
    todo: str = ""


@dataclass(frozen=True)
class Line:
    """One line of the screen. needed_by: who cannot work where it is missing."""

    name: str
    needed_by: str
    state: str
    found: str
    todo: str


class Probe(NamedTuple):
    """A line to be found out."""

    name: str
    needed_by: str
    look: Callable[[], Finding]

"""The catalogue: correct implementations in many hands, and the mistakes people make.

One module per lesson. Each entry is registered by a decorator:

    @correct("gaussian")
    def with_numpy_square(distance, sigma=1.0): ...

    @wrong("gaussian", told="distance not squared")
    def forgot_the_square(distance, sigma=1.0): ...

`told` is what the report must say: the name of a known mistake, or one of the kinds in
`utilities.checks.kernel.case` such as "not attempted"; None where only the smallest failing case
is shown.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One implementation: its exercise, whether it is right, and what its report must say.

    slips: how many slips a wrong one has; 0 where it computes nothing right, such as a stub.
    because: why it earns less or more than one slip should cost, where it does.
    also: further names that are its own, where it has several slips.
    """

    exercise: str
    name: str
    implementation: Any
    is_correct: bool
    told: str | None = None
    slips: int = 1
    because: str = ""
    also: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.exercise}-{self.name}"


ENTRIES: list[Entry] = []


def correct(exercise: str):
    """Register the decorated function or class as a correct implementation."""

    def register(implementation):
        ENTRIES.append(Entry(exercise, implementation.__name__, implementation, True))
        return implementation

    return register


def wrong(
    exercise: str,
    told: str | None,
    slips: int = 1,
    because: str = "",
    also: tuple[str, ...] = (),
):
    """Register the decorated function or class as a wrong one, with what its report must say."""

    def register(implementation):
        name = implementation.__name__
        ENTRIES.append(Entry(exercise, name, implementation, False, told, slips, because, also))
        return implementation

    return register


def entries() -> list[Entry]:
    """Return all entries, after importing every module of the catalogue."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return ENTRIES

"""The written questions: where each part can be answered from, and what a marker may meet.

`sources` has one entry for each numbered part of a question: cells above it, whose text, code or
figure holds what the answer needs, or a paper that the question itself names. `scheme` says for each
row of the marking scheme which part asks for it; empty: a row for each part, in order. `answers` are
two right ones in words that the model answer does not use, and a common one that is half right, with
the points that the scheme gives and what is wrong or missing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """An answer as a student may write it, the points it earns, and what it misses."""

    text: str
    points: float
    missing: str = ""


@dataclass(frozen=True)
class Question:
    """Where the parts of a question are answered, which part earns what, and three answers to it."""

    sources: tuple[tuple[str, ...], ...]
    answers: tuple[Answer, ...]
    scheme: tuple[int, ...] = ()

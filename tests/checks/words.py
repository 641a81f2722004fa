"""Every word of a task has an observer: which finding looks at what docstring, signature and task ask.

    python -m tests.checks.words

prints the table as Markdown, gaps first. The words are generated, from `utilities/interfaces.pyi` and
the solution notebooks; who looks at them stands in `words.json`, by exercise and word: texts of
findings and remarks, names of mistakes, "– why" for what asks for nothing or is left free, and "gap:
why" for what is asked for and not looked at, with the way to look at it.
"""

import ast
import json
import re
from functools import cache
from pathlib import Path

import utilities
from tests.checks.mutants import solutions
from tests.course import SOLUTIONS, exercises, read
from tools.interfaces import read_interfaces
from utilities.checks.core.check import Check

ROOT = Path(__file__).parents[2]
OBSERVERS = Path(__file__).with_name("words.json")
ASKS_NOTHING, GAP = "– ", "gap: "
HEADING = re.compile(r"^(### Exercise|Difficulty:).*$", re.MULTILINE)
ASIDE = re.compile(r"<details>.*?</details>|\$\$.*?\$\$", re.DOTALL)
ITEM = re.compile(r"^(?:\d+\.|\*) |^(?=\|)", re.MULTILINE)  # of a list or a table
SENTENCE = re.compile(r"(?<=[.?!]) +(?=[A-Z`*($])|(?<=;) |(?<=[.?!])\n|\n{2,}")
SECTION = re.compile(r"^(Args|Returns|Raises):\n", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(?=\w)", re.MULTILINE)  # the line where an argument begins


def words(exercise: str) -> list[str]:
    """Return what an exercise's docstrings, signatures and task say, sentence by sentence."""
    definition = _definitions()[solutions()[exercise][2]]
    said = [sentence for text in _docstrings(definition) for sentence in _of_docstring(text)]
    said += [f"`{parameter}`" for parameter in _parameters(definition, " ".join(said))]
    return list(dict.fromkeys(said + sentences(_tasks()[exercise])))


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, each on one line."""
    parts = SENTENCE.split(ITEM.sub("\n\n", text))
    return [" ".join(part.split()) for part in parts if re.search(r"\w", part)]


def observers() -> dict[str, dict[str, list[str]]]:
    """Return who looks at each word, by exercise."""
    return json.loads(OBSERVERS.read_text(encoding="utf-8"))


def names_of(check: Check) -> set[str]:
    """Return all that a word may be looked at by: findings, named mistakes, choices and remarks."""
    told = [*check.mistakes, *check.signs, *check.kinds]
    return {
        *(line.text for line in check.findings),
        *(mistake.name for mistake in told),
        *(choice.remark for choice in check.choices),
        *(remark.text for remark in check.remarks),
    }


def check_of(exercise: str) -> Check:
    return getattr(utilities, f"test_{exercise}").check


def rows() -> list[tuple[str, str, list[str]]]:
    """Return exercise, word, and who looks at it; words with a gap first."""
    found = [(name, word, seen) for name, lines in observers().items() for word, seen in lines.items()]
    return sorted(found, key=lambda row: not has_gap(row[2]))


def has_gap(seen: list[str]) -> bool:
    return any(who.startswith(GAP) for who in seen)


def asks_nothing(seen: list[str]) -> bool:
    return all(who.startswith(ASKS_NOTHING) for who in seen)


def summary() -> str:
    """Return how many words there are, looked at, asking for nothing, and with a gap."""
    seen = [who for _, _, who in rows()]
    free, gaps = sum(map(asks_nothing, seen)), sum(map(has_gap, seen))
    looked_at = len(seen) - free - gaps
    return f"{len(seen)} words: {looked_at} looked at, {free} that ask for nothing, {gaps} with a gap."


def table() -> str:
    """Return the table as Markdown."""
    cells = [[f"`{name}`", word, " · ".join(seen)] for name, word, seen in rows()]
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells]
    return "\n".join([summary(), "", "| exercise | word | who looks at it |", "|---|---|---|", *lines])


@cache
def _definitions() -> dict[str, ast.FunctionDef | ast.ClassDef]:
    return {node.name: node for lesson in read_interfaces(ROOT) for node in lesson.exercises}


@cache
def _tasks() -> dict[str, str]:
    """Return the text of each task, without heading, hints and displayed formulas."""
    cells = {
        cell.id: notebook.cells[place - 1].source
        for notebook in map(read, SOLUTIONS)
        for place, cell in enumerate(notebook.cells)
        if cell in exercises(notebook)
    }
    return {
        name: HEADING.sub("", ASIDE.sub("\n\n", cells[cell]))
        for name, (cell, *_) in solutions().items()
    }


def _docstrings(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    return [text for part in (node, *_methods(node)) if (text := ast.get_docstring(part))]


def _methods(node: ast.FunctionDef | ast.ClassDef) -> list[ast.FunctionDef]:
    own = node.body if isinstance(node, ast.ClassDef) else []
    return [item for item in own if isinstance(item, ast.FunctionDef)]


def _of_docstring(text: str) -> list[str]:
    """Return the sentences of a docstring, each argument beginning a new one."""
    said, *sections = SECTION.split(text)
    found = sentences(said)
    for title, lines in zip(sections[::2], sections[1::2], strict=True):
        found += sentences(ENTRY.sub("\n\n", lines) if title == "Args" else lines)
    return found


def _parameters(node: ast.FunctionDef | ast.ClassDef, said: str) -> list[str]:
    """Return the parameters that have a default, and those of which the docstrings say nothing."""
    found = []
    for function in _methods(node) or [node]:
        assert isinstance(function, ast.FunctionDef)
        given = function.args
        plain = given.args[: len(given.args) - len(given.defaults)]
        found += [a.arg for a in plain if a.arg != "self" and not re.search(rf"\b{a.arg}\b", said)]
        pairs = zip(given.args[len(plain) :], given.defaults, strict=True)
        found += [f"{argument.arg}={ast.unparse(value)}" for argument, value in pairs]
        found += [f"**{given.kwarg.arg}"] if given.kwarg else []
    return found


if __name__ == "__main__":
    print(table())

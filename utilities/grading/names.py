"""Which names the cells of a notebook define and need: found by reading them, not by running them."""

import ast
import builtins
import symtable
from collections.abc import Iterable
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager
from nbformat.notebooknode import NotebookNode

from utilities.grading.lesson import Lesson
from utilities.grading.slices import parse

OF_THE_KERNEL = {"get_ipython", "display", "In", "Out", "_", "__", "exit", "quit", "__name__"}
COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}
STAR = "*"


@dataclass
class Names:
    """What one cell defines, what it needs as it runs, and what the functions in it need later."""

    defines: set[str] = field(default_factory=set)
    now: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    vocabulary: set[str] = field(default_factory=set)  # what it imports from `utilities`


@dataclass
class Need:
    """A name that a cell needs, and the cell that gives it: None where there is none.

    too_late: the only cells that define it stand further down.
    """

    name: str
    giver: NotebookNode | None
    too_late: bool = False


def python_of(cell: NotebookNode) -> str:
    """Return a code cell as plain Python: magics are calls of IPython."""
    return TransformerManager().transform_cell(cell.source)


def names_of(source: str) -> Names:
    """Return the names of a source. Raises SyntaxError."""
    tree = parse(source)
    found = Names()
    _read_table(symtable.symtable(source, "<cell>", "exec"), found, is_later=False)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.modules.add(node.module)
            names = {alias.name for alias in node.names}
            found.defines |= names & {STAR}
            found.vocabulary |= names - {STAR} if node.module == "utilities" else set()
    known = found.defines | OF_THE_KERNEL | set(dir(builtins))
    found.now, found.later = found.now - known, found.later - known - found.now
    return found


def fails_with(
    table: list[tuple[NotebookNode, list[Need]]], broken: NotebookNode
) -> list[NotebookNode]:
    """Return the cells that need what a broken cell gives, and those that need theirs in turn."""
    fallen = [broken]
    for cell, needs in table:
        if any(need.giver is other for need in needs for other in fallen):
            fallen.append(cell)
    return [cell for cell in fallen if cell is not broken]


def needs_of(lesson: Lesson) -> list[tuple[NotebookNode, list[Need]]]:
    """Return for each code cell of a notebook what it needs of others, in the notebook's order.

    What cannot be read as Python is left out; names after `from … import *` count as given.
    """
    known = [(cell, names) for cell in lesson.cells if (names := _readable(cell)) is not None]
    table = []
    for place, (cell, names) in enumerate(known):
        earlier, after = known[:place], known[place + 1 :]
        if any(STAR in other.defines for _, other in known[: place + 1]):
            continue
        needs = []
        for name in sorted(names.now | names.later):
            before, below = _giver(name, reversed(earlier)), _giver(name, after)
            too_late = before is None and below is not None and name in names.now
            needs.append(Need(name, before or below, too_late))
        table.append((cell, needs))
    return table


def _readable(cell: NotebookNode) -> Names | None:
    if cell.cell_type != "code" or not cell.source.strip():
        return None
    try:
        return names_of(python_of(cell))
    except SyntaxError:
        return None


def _giver(name: str, cells: Iterable[tuple[NotebookNode, Names]]) -> NotebookNode | None:
    return next((cell for cell, names in cells if name in names.defines), None)


def _read_table(table: symtable.SymbolTable, found: Names, is_later: bool) -> None:
    """Add a scope's names, and those of the scopes inside it."""
    is_module = table.get_type() == "module"
    for symbol in table.get_symbols():
        name = symbol.get_name()
        is_global = is_module or symbol.is_declared_global()
        if is_global and (symbol.is_assigned() or symbol.is_imported()):
            found.defines.add(name)
        elif symbol.is_referenced() and (is_module or symbol.is_global()):
            (found.later if is_later else found.now).add(name)
    for child in table.get_children():
        runs_now = child.get_type() == "class" or child.get_name() in COMPREHENSIONS
        _read_table(child, found, is_later or not runs_now)

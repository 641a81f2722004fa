"""Which cells of a submission are not run again, and what is kept of what they showed.

A locked cell that only trains or shows has the tag `as-handed-in` in the instructor's notebook. It is
run again only where an answer or a check needs a name that it defines; otherwise the outputs that the
student handed in stay, held to a size, under a line that says so. A cell of the student's own is run
unless it needs what such a cell would have defined. Outputs may be written by hand: nothing is decided
by them, and no graded cell has any.
"""

import ast
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output

from utilities.grading.lesson import marks
from utilities.grading.names import names_of, python_of
from utilities.grading.outputs import clean_outputs
from utilities.grading.slices import parse

TAG = "as-handed-in"
MARK = "attention_lab_as_handed_in"  # metadata that the grader alone writes
LINE = "As handed in, not checked."
NO_OUTPUT = "As handed in: without output."
LONGEST_MAGIC = 20_000  # characters; IPython reads a source again for each magic in it
PYTHON_MAGIC = re.compile(r"%%(?:time|timeit|capture|prun)\b[^\n]*\n")
BY_TEXT = re.compile(r"\b(?:globals|locals|exec|eval|get_ipython|__main__)\b")
WORD = re.compile(r"[^\W\d]\w*")


def is_tagged(cell: NotebookNode) -> bool:
    """Return whether a cell of the instructor's only trains or shows: locked code without points."""
    mine = marks(cell)
    given = mine.get("locked") and not (mine.get("solution") or mine.get("grade"))
    return bool(given) and cell.cell_type == "code" and has_tag(cell)


def has_tag(cell: NotebookNode) -> bool:
    """Return whether a cell has the tag, wherever it stands."""
    return TAG in _tags(cell)


def asked_for(cells: Sequence[NotebookNode]) -> Iterator[tuple[NotebookNode, str, NotebookNode]]:
    """Yield which tagged cells are run all the same: who needs which name of which cell."""
    uses = _uses(cells)
    tagged = {i for i in uses if is_tagged(cells[i])}
    own = {i for i in uses if not marks(cells[i])} - tagged
    for giver, (place, name) in _needed(uses, tagged, own).items():
        if giver in tagged:
            yield cells[place], name, cells[giver]


def not_run(cells: Sequence[NotebookNode]) -> set[int]:
    """Return the places of the cells of a repaired notebook that are not run."""
    uses = _uses(cells)
    tagged = {i for i in uses if MARK in cells[i].metadata}
    if not tagged:
        return set()
    own = {i for i in uses if not marks(cells[i])}
    needed = set(_needed(uses, tagged, own))
    left = tagged - needed
    givers = _givers(uses)
    for place in sorted(own - needed):
        nearest = (_nearest(givers.get(name, []), place) for name in uses[place].needs)
        if any(giver in left for giver in nearest):
            left.add(place)
    return left


def shown_as_handed_in(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Return cleaned outputs under the line that says that nobody has checked them."""
    kept = clean_outputs(outputs)
    line = LINE if kept else NO_OUTPUT
    data = {"text/html": f"<p><strong>{line}</strong></p>", "text/plain": line}
    return [new_output("display_data", data), *kept]


@dataclass
class _Use:
    """The names that a cell defines or changes, and those it needs of others.

    whole: what it defines without having needed it, so that no earlier cell matters for it.
    """

    defines: set[str] = field(default_factory=set)
    needs: set[str] = field(default_factory=set)

    @property
    def whole(self) -> set[str]:
        return self.defines - self.needs


def _uses(cells: Sequence[NotebookNode]) -> dict[int, _Use]:
    return {i: _use(cell.source) for i, cell in enumerate(cells) if cell.cell_type == "code"}


def _use(source: str) -> _Use:
    """Return a cell's names; none where it is no Python, which no kernel could run either."""
    source = PYTHON_MAGIC.sub("", source, count=1) if source.startswith("%%") else source
    for readable in (lambda: source, lambda: _without_magics(source)):
        try:
            code = readable()
            names, tree = names_of(code), parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        read = names.now | names.later
        changed = _changed(tree) & (read | names.defines)
        by_text = set(WORD.findall(source)) if BY_TEXT.search(source) else set()
        needs = read | changed | (_read_first(tree) & names.defines) | by_text
        return _Use(names.defines | changed, needs)
    return _Use()


def _without_magics(source: str) -> str:
    if len(source) > LONGEST_MAGIC:
        raise ValueError("too long to look for magics in it")
    return python_of(NotebookNode(source=source))


def _changed(tree: ast.Module) -> set[str]:
    """Return the names whose attributes or items are set: `Layer.call = …`, `data[0] = …`."""
    stores = (n for n in ast.walk(tree) if isinstance(n, (ast.Attribute, ast.Subscript)))
    bases = (n.value for n in stores if isinstance(n.ctx, ast.Store))
    return {base.id for base in bases if isinstance(base, ast.Name)}


def _read_first(tree: ast.Module) -> set[str]:
    """Return what is assigned from its own value before: `x = x[:10]`, `x += 1`."""
    given: set[str] = set()
    found: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)) and statement.value:
            read = {n.id for n in ast.walk(statement.value) if isinstance(n, ast.Name)}
            if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
                read.add(statement.target.id)
            found |= read - given
        nodes = ast.walk(statement)
        given |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found


def _needed(uses: dict[int, _Use], tagged: set[int], own: set[int]) -> dict[int, tuple[int, str]]:
    """Return the tagged and own cells that what is run builds on: who needs which name of them."""
    givers = _givers(uses)
    queue = [place for place in uses if place not in tagged | own]
    needed: dict[int, tuple[int, str]] = {}
    while queue:
        place = queue.pop()
        for name in uses[place].needs:
            for giver in _those_that_matter(name, place, givers.get(name, []), uses, own):
                if giver in tagged | own and giver not in needed:
                    needed[giver] = place, name
                    queue.append(giver)
    return needed


def _those_that_matter(
    name: str, place: int, givers: list[int], uses: dict[int, _Use], own: set[int]
) -> Iterable[int]:
    """Yield who gives a name to a cell, back to the instructor's last; or else those below."""
    before = givers[: bisect_left(givers, place)]
    for giver in reversed(before):
        yield giver
        if giver not in own and name in uses[giver].whole:
            return
    if not before:
        yield from (giver for giver in givers if giver != place)


def _givers(uses: dict[int, _Use]) -> dict[str, list[int]]:
    """Return for each name the places that define it, in order."""
    givers: dict[str, list[int]] = {}
    for place in sorted(uses):
        for name in uses[place].defines:
            givers.setdefault(name, []).append(place)
    return givers


def _nearest(givers: list[int], place: int) -> int | None:
    """Return who gives a name last before a cell, or else first after it."""
    at = bisect_left(givers, place)
    others = givers[at - 1 : at] if at else [giver for giver in givers[:2] if giver != place]
    return others[0] if others else None


def _tags(cell: NotebookNode) -> list:
    tags = cell.get("metadata", {}).get("tags", [])
    return tags if isinstance(tags, list) else []

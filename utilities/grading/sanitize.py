"""Repair a submitted notebook from what the instructor's side knows.

Which cells there are, in which order, what the locked ones say and what each is worth comes from
the gradebook and the source notebook alone; from the submission comes what a student may write:
the answers, and cells of their own.
"""

import ast
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from utilities.grading.handed_in import MARK, is_tagged
from utilities.grading.markup import WRITTEN, as_source, show_markdown
from utilities.grading.outputs import Shown
from utilities.grading.slices import parse

RECORD = "attention_lab_intake"  # the notebook's metadata entry with what was repaired
MISSING_CODE = "# This cell was missing from the submission: there is nothing to run."
MISSING_TEXT = "*This answer was missing from the submission.*"


@dataclass(frozen=True)
class TrustedCell:
    """One cell that nbgrader knows: all that a submission cannot change about it.

    shows: it only trains or shows, so that it is not run again.
    """

    name: str
    cell_type: str
    source: str
    locked: bool
    grade: bool
    solution: bool
    task: bool
    points: float
    checksum: str
    id: str = ""
    shows: bool = field(default=False, repr=False)  # no test of what was handed in

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the nbgrader metadata of the cell."""
        metadata: dict[str, Any] = {
            "schema_version": 3, "grade_id": self.name, "grade": self.grade,
            "solution": self.solution, "task": self.task, "locked": self.locked,
            "cell_type": self.cell_type, "checksum": self.checksum,
        }  # fmt: skip
        if self.grade or self.task:
            metadata["points"] = self.points
        return metadata

    @property
    def fixed(self) -> bool:
        """Return whether a student may not change the cell's source."""
        return utils.is_locked(NotebookNode(metadata=NotebookNode(nbgrader=self.metadata)))

    @property
    def defines(self) -> frozenset[str]:
        """Return the functions and classes that the instructor's solution defines."""
        return _definitions(self.source) if self.cell_type == "code" else frozenset()


@dataclass
class Trusted:
    """What the instructor's side knows of one notebook: its cells in order, its kernel.

    texts: what the instructor wrote between them, where the source is at hand; no student's answer.
    """

    cells: list[TrustedCell]
    kernelspec: dict[str, Any] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()


class RepairCells(NbGraderPreprocessor):
    """Put a submission into the shape of the assignment; stands first among the sanitizers."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Repair a notebook from the gradebook and, for the order, the source notebook."""
        names = resources["nbgrader"]
        course = self.parent.parent.coursedir if self.parent is not None else None
        order = source_notebook(course, names["assignment"], names["notebook"]) if course else None
        with Gradebook(names["db_url"]) as gradebook:
            trusted = read_trusted(gradebook, names["assignment"], names["notebook"], order)
        shown = Shown()
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs = shown.of(cell.outputs)
        return repair(nb, trusted), resources


def read_trusted(
    gradebook: Gradebook, assignment: str, notebook: str, order: NotebookNode | None = None
) -> Trusted:
    """Return what the gradebook knows of a notebook, in the order of the source notebook."""
    entry = gradebook.find_notebook(notebook, assignment)
    graded = {cell.name: cell for cell in entry.grade_cells}
    solutions = {cell.name for cell in entry.solution_cells}
    tasks = {cell.name: cell for cell in entry.task_cells}
    cells = {}
    for cell in entry.source_cells:
        scored = graded.get(cell.name) or tasks.get(cell.name)
        cells[cell.name] = TrustedCell(
            name=cell.name, cell_type=cell.cell_type, source=cell.source or "",
            locked=bool(cell.locked), grade=cell.name in graded, solution=cell.name in solutions,
            task=cell.name in tasks, points=scored.max_score if scored else 0.0,
            checksum=cell.checksum or "",
        )  # fmt: skip
    kernelspec = json.loads(entry.kernelspec) if entry.kernelspec else {}
    unmarked = [cell for cell in order.cells if _grade_id(cell) is None] if order else []
    texts = frozenset(cell.source.strip() for cell in unmarked)
    return Trusted(_ordered(cells, order), kernelspec, texts)


def repair(nb: NotebookNode, trusted: Trusted) -> NotebookNode:
    """Return the submission's answers in the shape of the assignment, with notes on the repairs."""
    known = _recognise(nb.cells, trusted.cells)
    placed, perhaps = _match_between(nb.cells, trusted, known)
    known |= placed
    notes = [
        f"The cell {trusted.cells[place].name} was recognised by its place alone."
        for place in placed.values()
    ]
    in_order = [place for place in (known.get(i) for i in range(len(nb.cells))) if place is not None]
    if in_order != sorted(in_order):
        notes.append("Cells of the assignment stood in another order; they were put back in place.")
    answers: dict[int, NotebookNode] = {}
    own: dict[int, list[NotebookNode]] = {}  # a student's own cells, by the known cell before them
    last = -1
    for index, cell in enumerate(nb.cells):
        place = known.get(index)
        if place is None:
            own.setdefault(last, []).append(_own_cell(cell, index, notes))
        else:
            answers[place] = cell
            last = place
    cells = list(own.get(-1, []))
    for place, known_cell in enumerate(trusted.cells):
        cells.append(_rebuilt(known_cell, answers.get(place), perhaps.get(place, []), notes))
        cells += own.get(place, [])
    repaired = nbformat.v4.new_notebook(cells=cells)
    repaired.metadata = NotebookNode(kernelspec=trusted.kernelspec) if trusted.kernelspec else {}
    repaired.metadata[RECORD] = {"notes": notes}
    repaired.nbformat, repaired.nbformat_minor = 4, 5
    return repaired


def _rebuilt(
    known: TrustedCell, submitted: NotebookNode | None, perhaps: Sequence[int], notes: list[str]
) -> NotebookNode:
    """Return a cell of the assignment; its source is the student's where it is an answer.

    perhaps: where none was recognised, the cells that may be the answer, for a person to look at.
    """
    if known.fixed:
        if submitted is None:
            notes.append(f"The cell {known.name} was missing; it was put back.")
        source = known.source
    elif submitted is None:
        may_be = ", ".join(f"cell {index + 1}" for index in perhaps)
        told = f"it may be {may_be}" if may_be else "there was nothing to grade in it"
        notes.append(f"The cell {known.name} was missing: {told}.")
        source = MISSING_CODE if known.cell_type == "code" else MISSING_TEXT
    else:
        source = submitted.source
    cell = _new_cell(known.cell_type, source)
    cell.id = known.id or cell.id
    cell.metadata = NotebookNode(nbgrader=NotebookNode(known.metadata))
    if known.fixed:
        cell.metadata.update(deletable=False, editable=False)
        if known.shows:
            _keep_outputs(cell, known, submitted, notes)
    elif submitted is not None:
        _keep_text(cell, submitted, f"the answer {known.name}", notes)
    if submitted is None and known.solution and known.grade and not perhaps:
        cell.metadata.nbgrader.checksum = utils.compute_checksum(cell)  # unanswered: 0 points
    return cell


def _own_cell(cell: NotebookNode, number: int, notes: list[str]) -> NotebookNode:
    """Return a student's own cell without metadata: no tag skips it, no mark makes it graded."""
    kind = cell.cell_type if cell.cell_type in ("code", "markdown") else "markdown"
    own = _new_cell(kind, cell.source)
    own.id = f"own-{number}"
    own.metadata = NotebookNode()
    if kind == "code":
        own.outputs = cell.get("outputs", [])
    _keep_text(own, cell, f"cell {number + 1}", notes)
    return own


def _keep_outputs(
    cell: NotebookNode, known: TrustedCell, submitted: NotebookNode | None, notes: list[str]
) -> None:
    """Keep what a cell showed that is not run again; say so where its code was another."""
    cell.metadata[MARK] = True
    if submitted is None:
        return
    cell.outputs = submitted.get("outputs", [])
    if cell.outputs and submitted.source.strip() != known.source.strip():
        notes.append(f"The cell {known.name} was changed: what it shows may come of other code.")


def _keep_text(cell: NotebookNode, submitted: NotebookNode, place: str, notes: list[str]) -> None:
    """Keep a text as it was written, with its pictures.

    A text of which a browser would run or fetch a part stands in the cell's metadata; for renderers
    that know nothing of it, the cell's source is what may be shown.
    """
    if cell.cell_type != "markdown":
        return
    if pictures := submitted.get("attachments"):
        cell.attachments = pictures
    shown = show_markdown(cell.source, pictures)
    if not shown.harmless:
        cell.metadata[WRITTEN] = cell.source
        cell.source = as_source(shown.html)
        notes.append(
            f"In {place}, not all is shown as it was written: what a browser would run, or fetch from "
            "elsewhere, is left out, and what is very long stands as plain text. The graded notebook "
            "keeps every letter."
        )


def written(cell: NotebookNode) -> str:
    """Return a cell's source as the student wrote it."""
    return str(cell.metadata.get(WRITTEN, cell.source))


def _new_cell(cell_type: str, source: str) -> NotebookNode:
    return new_code_cell(source) if cell_type == "code" else new_markdown_cell(source)


def _recognise(cells: Sequence[NotebookNode], known: Sequence[TrustedCell]) -> dict[int, int]:
    """Return which submitted cell is which known one: {index in the submission: place}.

    By grade id; then, for what has lost it, by cell id, by the text of a locked cell, and by what a
    solution defines.
    """
    found: dict[int, int] = {}
    taken: set[int] = set()

    def match(key_of_cell: Callable, key_of_known: Callable) -> None:
        places = {key_of_known(k): place for place, k in enumerate(known) if key_of_known(k)}
        for index in reversed(range(len(cells))):  # of copies the last counts, as in a run
            place = places.get(key_of_cell(cells[index]))
            if place is not None and place not in taken and index not in found:
                found[index] = place
                taken.add(place)

    match(_grade_id, lambda k: k.name)
    match(lambda c: c.get("id"), lambda k: k.id)
    match(lambda c: c.source.strip(), lambda k: k.source.strip() if k.fixed else "")
    match(_visible, lambda k: without_hidden(k.source) if k.fixed else "")
    match(
        lambda c: _definitions(c.source) if c.cell_type == "code" else None,
        lambda k: k.defines if k.solution else None,
    )
    return found


def _match_between(
    cells: Sequence[NotebookNode], trusted: Trusted, found: dict[int, int]
) -> tuple[dict[int, int], dict[int, list[int]]]:
    """Recognise answers by their place: as many strangers as there are answers between neighbours.

    The strangers are of the answer's type, and nothing that the instructor wrote. Where there are more
    or fewer, return them for each place: a person must look.
    """
    known, by_place = trusted.cells, {place: index for index, place in found.items()}
    gaps: dict[tuple[int, int, str], list[int]] = {}
    for place, cell in enumerate(known):
        if cell.solution and place not in by_place:
            before = max((by_place[p] for p in by_place if p < place), default=-1)
            after = min((by_place[p] for p in by_place if p > place), default=len(cells))
            gaps.setdefault((before, after, cell.cell_type), []).append(place)
    placed: dict[int, int] = {}
    perhaps: dict[int, list[int]] = {}
    for (before, after, kind), places in gaps.items():
        strangers = [
            i for i in range(before + 1, after)
            if i not in found and cells[i].cell_type == kind
            and cells[i].source.strip() not in trusted.texts | {""}
        ]  # fmt: skip
        if len(strangers) == len(places):
            placed |= zip(strangers, places, strict=True)
        else:
            perhaps |= dict.fromkeys(places, strangers)
    return placed, perhaps


def _grade_id(cell: NotebookNode) -> str | None:
    marks = cell.get("metadata", {}).get("nbgrader", {})
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) else None


def _visible(cell: NotebookNode) -> str:
    return cell.source.strip()


def without_hidden(source: str) -> str:
    """Return what a student sees of a graded cell."""
    lines, hidden = [], False
    for line in source.split("\n"):
        if "BEGIN HIDDEN TESTS" in line:
            hidden = True
        elif "END HIDDEN TESTS" in line:
            hidden = False
        elif not hidden:
            lines.append(line)
    return "\n".join(lines).strip()


def _definitions(source: str) -> frozenset[str]:
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    kinds = (ast.FunctionDef, ast.ClassDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def _ordered(cells: dict[str, TrustedCell], order: NotebookNode | None) -> list[TrustedCell]:
    """Return the cells as they stand in the source notebook, with its cell ids."""
    if order is None:
        return list(cells.values())
    ordered = []
    for cell in order.cells:
        known = cells.pop(_grade_id(cell) or "", None)
        if known is not None:
            ordered.append(replace(known, id=cell.get("id", ""), shows=is_tagged(cell)))
    return ordered + list(cells.values())


def source_notebook(course: Any, assignment: str, notebook: str) -> NotebookNode | None:
    """Return the instructor's notebook: only order, cell ids and tags are read from it."""
    folder = course.format_path(course.source_directory, ".", assignment)
    path = Path(folder) / f"{notebook}.ipynb"
    return nbformat.read(path, as_version=4) if path.is_file() else None

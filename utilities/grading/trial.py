"""`lab check --run`: the model solution and the untouched release, graded as submissions."""

import tempfile
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from traitlets.config import Config

from utilities.grading import sandbox
from utilities.grading.course import CourseError, course_directory, source_folder
from utilities.grading.engine import Job, execute
from utilities.grading.execute import CourseExecute, is_judged
from utilities.grading.fresh import generated
from utilities.grading.lesson import marks, points_of
from utilities.grading.lint import Fault
from utilities.grading.remarks import failures
from utilities.grading.sanitize import Trusted, repair
from utilities.grading.state import trusted_cells

LONGEST = 300  # characters of a report in a line


def try_assignment(config: Config, assignment: str) -> list[Fault]:
    """Grade the model solution, which must earn all points, and the release, which must earn none.

    Raises CourseError where no sandbox can be made.
    """
    try:
        sandbox.check_available()
    except sandbox.SandboxUnavailable as error:
        raise CourseError(str(error)) from error
    with generated(config, assignment) as (fresh, release):
        if fresh.problem:
            return []  # told already
        trusted = {name: trusted_cells(cells) for name, cells in fresh.cells.items()}
        source = source_folder(course_directory(config, assignment), assignment)
        solved = _graded(config, "the model solution", source, trusted)
        untouched = _graded(config, "the untouched release", release, trusted)
    return [*_all_earned(solved), *_none_earned(untouched)]


def _graded(
    config: Config, who: str, folder: Path, trusted: dict[str, Trusted]
) -> dict[str, NotebookNode]:
    """Return the notebooks of a folder, executed and judged as a submission."""
    handed_in = {name: nbformat.read(folder / f"{name}.ipynb", as_version=4) for name in trusted}
    repaired = {name: nbformat.writes(repair(nb, trusted[name])) for name, nb in handed_in.items()}
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.suffix != ".ipynb"}
    with tempfile.TemporaryDirectory():
        done = execute(Job(who, repaired, files, CourseExecute(config=config).limits))
    if done.error:
        raise CourseError(f"{who[0].upper()}{who[1:]} could not be run: {done.error}")
    return {name: nbformat.reads(text, 4) for name, text in done.notebooks.items()}


def _all_earned(notebooks: dict[str, NotebookNode]) -> list[Fault]:
    faults = []
    for name, nb in notebooks.items():
        for cell in filter(is_judged, nb.cells):
            earned, points = score_of(cell), points_of(cell)
            if earned < points:
                what = f"the model solution earns {earned:g} of {points:g}: {_report(cell)}"
                faults.append(Fault(_place(name, cell), what, "Fix the solution or the check", True))
        faults += [
            Fault(f"{name}.ipynb", f"in the model solution, {said}", "Fix it") for said in failures(nb)
        ]
    return faults


def _none_earned(notebooks: dict[str, NotebookNode]) -> list[Fault]:
    return [
        Fault(
            _place(name, cell),
            f"the untouched release earns {score_of(cell):g}",
            "Fix the check",
            True,
        )
        for name, nb in notebooks.items()
        for cell in filter(is_judged, nb.cells)
        if score_of(cell) > 0
    ]


def score_of(cell: NotebookNode) -> float:
    """Return the score that was written into a judged cell."""
    results = [o for o in cell.outputs if o.output_type == "execute_result"]
    return float(results[-1].data["text/plain"]) if results else 0.0


def _report(cell: NotebookNode) -> str:
    shown = [o.data["text/plain"] for o in cell.outputs if o.output_type == "display_data"]
    return " ".join("".join(shown).split())[:LONGEST]


def _place(name: str, cell: NotebookNode) -> str:
    return f"{name}.ipynb, cell {marks(cell)['grade_id']}"

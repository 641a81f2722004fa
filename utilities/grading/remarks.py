"""What happened as a submission ran, told for the instructor: stopped cells, syntax errors, loops."""

import re

from nbformat.notebooknode import NotebookNode

from utilities.grading.execute import is_judged
from utilities.grading.judge import CARRIED_OUT
from utilities.grading.session import STOPPED

NO_PYTHON = ("SyntaxError", "IndentationError", "TabError")
GRADERS = ("Stopped", "NotExecuted")
LINE = re.compile(r"\((?:[^()]*, )?line (\d+)\)")


def failures(nb: NotebookNode) -> list[str]:
    """Return a sentence on what became of cells that did not run to their end, each said once."""
    places: dict[str, list[str]] = {}
    for number, cell in enumerate(nb.cells, start=1):
        if cell.cell_type == "code":
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            for what in _judged(cell) if is_judged(cell) else _errors(cell):
                places.setdefault(what, []).append(name or f"{number} (the student's own)")
    return [
        f"cell{'s' * (len(cells) > 1)} {', '.join(cells)}: {what}" for what, cells in places.items()
    ]


def unusual(nb: NotebookNode, said: list[str]) -> list[str]:
    """Return those that an instructor should hear of: no Python, or stopped by the grader.

    An exercise that is not written raises an error in all that needs it: that is the points' matter.
    said: remarks that are made already.
    """
    kinds = (*NO_PYTHON, STOPPED, "Not executed", "The kernel died")
    lines = [line for line in failures(nb) if line.split(": ", 1)[1].startswith(kinds)]
    return [line for line in lines if not any(line.split(": ", 1)[1] in other for other in said)]


def _errors(cell: NotebookNode) -> list[str]:
    errors = [output for output in cell.outputs if output.output_type == "error"]
    return [e.evalue if e.ename in GRADERS else f"{e.ename}: {_first_line(e.evalue)}" for e in errors]


def _judged(cell: NotebookNode) -> list[str]:
    """Return why the check of a graded cell could not be carried out."""
    shown = [o.data.get("text/plain", "") for o in cell.outputs if o.output_type == "display_data"]
    lines = "\n".join(shown).splitlines()
    places = [number for number, line in enumerate(lines) if CARRIED_OUT in line and "✗" in line]
    return [lines[place + 1].strip() for place in places if place + 1 < len(lines)][:1]


def _first_line(text: str) -> str:
    return LINE.sub(r"(line \1)", text.splitlines()[0]) if text else ""

"""What the checks of a submission found, kept with its grade, by graded cell and finding."""

from typing import Any

from nbformat.notebooknode import NotebookNode

from utilities.grading.execute import FINDINGS, RECORD, is_judged

Found = dict[str, Any]


def found_in(notebooks: dict[str, NotebookNode]) -> list[Found]:
    """Return what is kept of a graded submission: JSON, a part for each graded cell."""
    return [
        {"notebook": name, **found}
        for name, nb in notebooks.items()
        for cell in nb.cells
        if is_judged(cell) and (found := _found(cell))
    ]


def _found(cell: NotebookNode) -> Found:
    record = cell.metadata.get(RECORD, {})
    if FINDINGS not in record:
        return {}
    results = [o for o in cell.outputs if o.output_type == "execute_result"]
    return {
        "cell": cell.metadata.nbgrader["grade_id"],
        "points": float(cell.metadata.nbgrader["points"]),
        "score": float(results[-1].data["text/plain"]) if results else 0.0,
        **record[FINDINGS],
    }

"""Score a graded submission again where only the points have changed: nothing is run."""

import hashlib
from dataclasses import replace

from nbformat.notebooknode import NotebookNode
from nbgrader import utils

from utilities.grading.execute import FRACTIONS, RECORD, is_judged
from utilities.grading.judge import POINTS_OFFERED, score_again
from utilities.grading.sanitize import Trusted


def without_points(trusted: dict[str, Trusted]) -> str:
    """Return a fingerprint of all that a submission is held against, but for its points."""
    bare = {
        name: [
            replace(cell, points=0.0, checksum="", source=POINTS_OFFERED.sub("points=", cell.source))
            for cell in known.cells
        ]
        for name, known in trusted.items()
    }
    return hashlib.sha256(repr(bare).encode()).hexdigest()


def score_notebook_again(nb: NotebookNode, trusted: Trusted) -> bool:
    """Write the scores by the new points into a graded notebook; return whether that is possible."""
    known = {cell.name: cell for cell in trusted.cells}
    for cell in nb.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name not in known:
            continue
        if is_judged(cell):
            fractions = cell.metadata.get(RECORD, {}).get(FRACTIONS)
            results = [o for o in cell.outputs if o.output_type == "execute_result"]
            if not fractions or not results:
                return False
            score = score_again(known[name].source, known[name].points, fractions)
            results[-1].data["text/plain"] = f"{score:g}"
            cell.source = known[name].source
        unanswered = cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell)
        cell.metadata.nbgrader = NotebookNode(known[name].metadata)
        if unanswered:
            cell.metadata.nbgrader.checksum = utils.compute_checksum(cell)
    return True

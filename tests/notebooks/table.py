"""The labs in numbers, as the README shows them."""

import re
from collections.abc import Iterable
from pathlib import Path

from tests.course import exercises, graded, questions, read

HEADER = (
    "| notebook | exercises | minutes of coding | automatic points | written points |\n"
    "|---|---|---|---|---|"
)
MINUTES = re.compile(r"Difficulty: \w+ · about (\d+) minutes")


def table(paths: Iterable[Path]) -> str:
    """Return a Markdown table, one row a notebook, from what the notebooks themselves state."""
    return "\n".join([HEADER, *map(_row, paths)])


def _row(path: Path) -> str:
    notebook = read(path)
    minutes = sum(int(found) for cell in notebook.cells for found in MINUTES.findall(cell.source))
    automatic, written = (
        sum(cell.metadata.nbgrader.points for cell in cells)
        for cells in (graded(notebook), questions(notebook))
    )
    place = path.parent.name if path.parent.name == path.stem else f"{path.parent.name}/{path.stem}"
    return f"| `{place}` | {len(exercises(notebook))} | {minutes} | {automatic} | {written} |"

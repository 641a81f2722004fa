"""What the students' version of an assignment would be now: generated aside, nothing touched."""

import io
import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor, SaveCells
from traitlets.config import Config

from utilities.grading.course import CourseError, course_directory, source_folder
from utilities.grading.lesson import Lesson, read_lesson

REASON = re.compile(r"^\w*(?:Error|Exception|Invalid\w*)\b: (.+)", re.MULTILINE)


@dataclass
class Fresh:
    """A release made now.

    cells: for each notebook what the gradebook would be told of it: hidden tests still in it.
    problem: why it could not be made, in nbgrader's words; log: all that nbgrader said.
    """

    cells: dict[str, list[NotebookNode]] = field(default_factory=dict)
    problem: str = ""
    log: str = ""


def generate_aside(config: Config, assignment: str, release: Path) -> Fresh:
    """Generate an assignment into the folder `release`; gradebook and course stay as they are."""
    fresh = Fresh()

    class Keep(NbGraderPreprocessor):
        """Keep what nbgrader would save in the gradebook."""

        def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
            fresh.cells[resources["nbgrader"]["notebook"]] = deepcopy(nb.cells)
            return nb, resources

    own = Config(deepcopy(config))
    steps = GenerateAssignment(config=config).preprocessors
    own.GenerateAssignment.preprocessors = [Keep if step is SaveCells else step for step in steps]
    own.GenerateAssignment.exporter_class = NotebookExporter
    own.GenerateAssignment.no_database = True
    own.CourseDirectory.release_directory = str(release)
    said = io.StringIO()
    directory = course_directory(own, assignment)
    converter = GenerateAssignment(coursedir=directory, config=own, log=_logger(said), force=True)
    try:
        converter.start()
    except NbGraderException as error:
        fresh.log = f"{said.getvalue()}{error}"
        reasons = REASON.findall(fresh.log)
        fresh.problem = reasons[-1].strip().rstrip(".") if reasons else str(error)
    return fresh


def _logger(target: io.StringIO) -> logging.Logger:
    """Return a logger that writes into a text and nowhere else."""
    logger = logging.Logger("generate_aside")
    logger.addHandler(logging.StreamHandler(target))
    return logger


def lessons(config: Config, assignment: str) -> list[Lesson]:
    """Return the source notebooks of an assignment. Raises CourseError where there are none."""
    folder = source_folder(course_directory(config), assignment)
    try:
        found = [read_lesson(path) for path in sorted(folder.glob("*.ipynb"))]
    except ValueError as error:
        raise CourseError(f"A notebook in {folder} cannot be read: {error}") from error
    if not found:
        raise CourseError(f"There is no notebook in {folder}.")
    return found


@contextmanager
def generated(config: Config, assignment: str) -> Iterator[tuple[Fresh, Path]]:
    """Generate an assignment aside; yield what came of it and its folder."""
    lessons(config, assignment)
    with tempfile.TemporaryDirectory(prefix="lab-") as scratch:
        fresh = generate_aside(config, assignment, Path(scratch) / "release")
        yield fresh, Path(scratch) / "release" / assignment

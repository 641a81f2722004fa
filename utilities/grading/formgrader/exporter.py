"""A submission's page in formgrader, with what the marker needs beside each written answer."""

from pathlib import Path
from typing import Any

from nbconvert.exporters import HTMLExporter
from nbformat.notebooknode import NotebookNode
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension
from nbgrader.server_extensions.formgrader.handlers import template_path
from traitlets.config import Config

from utilities.grading.course import source_folder
from utilities.grading.markup import FILTERS, show_markdown
from utilities.grading.scheme import Scheme, schemes_of

TEMPLATES = Path(__file__).parent / "templates"


class MarkingExporter(HTMLExporter):
    """nbgrader's page of a submission, extended by the template `marking`.

    Answers are made harmless, whether or not the course's settings say so. Schemes are read when a
    page is shown, from the course that is open then; they stand in no notebook and in no feedback.
    """

    formgrader: FormgradeExtension

    @classmethod
    def within(cls, formgrader: FormgradeExtension) -> "MarkingExporter":
        """Return the exporter for a formgrader, whose settings it has but for those of the page."""
        own = Config(formgrader.config)
        own.MarkingExporter.template_name = "marking"
        own.MarkingExporter.extra_template_basedirs = [str(TEMPLATES), template_path]
        own.MarkingExporter.extra_template_paths = [template_path]
        own.MarkingExporter.filters = FILTERS
        exporter = cls(config=own)
        exporter.formgrader = formgrader
        return exporter

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **options: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the page; without marks where the course has no readable source of the notebook."""
        resources = {**(resources or {}), "marking": self._marking(resources or {})}
        return super().from_notebook_node(nb, resources, **options)

    def _marking(self, resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
        assignment, notebook = resources["assignment_id"], resources["notebook_id"]
        source = source_folder(self.formgrader.coursedir, assignment) / f"{notebook}.ipynb"
        try:
            schemes = schemes_of(source)
        except (OSError, ValueError) as error:
            self.log.warning("No marking schemes beside the answers: %s", error)
            return {}
        return {name: _shown(scheme, cell) for name, (scheme, cell) in schemes.items()}


def _shown(scheme: Scheme, cell: NotebookNode) -> dict[str, Any]:
    """Return a scheme as HTML, and the sentences as they go into a comment."""
    return {
        "answer": show_markdown(scheme.answer, cell.get("attachments")).html,
        "notes": show_markdown(scheme.notes).html,
        "marks": [
            {"points": mark.points, "html": show_markdown(mark.text).html, "sentence": mark.sentence}
            for mark in scheme.marks
        ],
    }

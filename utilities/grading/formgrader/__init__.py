"""Jupyter's server at the instructor's: formgrader with model answer and marking scheme.

Jupyter's settings name this extension wherever the kit is installed. Students have neither formgrader's
needs nor solutions, and for them it does nothing.
"""

from importlib.util import find_spec
from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "utilities.grading.formgrader"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Put our page in the place of formgrader's, where nbgrader has loaded one."""
    formgrader = server.web_app.settings.get("nbgrader_formgrader")
    if formgrader is not None and find_spec("nh3") and find_spec("jupyter_server_mathjax"):
        from utilities.grading.formgrader.exporter import MarkingExporter

        server.web_app.settings["nbgrader_exporter"] = MarkingExporter.within(formgrader)

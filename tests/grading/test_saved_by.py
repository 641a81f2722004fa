"""Validate on notebooks as Colab and VS Code save them; `lab grade` has them among its scenarios."""

import io
import json

import nbformat
import pytest
from nbgrader.validator import Validator

from tests.grading import course as stand_in
from tests.saved_by import EDITORS


@pytest.fixture(params=EDITORS)
def validate(request, blank_course, tmp_path):
    """Return a function that saves the solved notebook in the editor's form and validates it."""

    def run(gaussian: str = "") -> str:
        notebook = stand_in.solved(blank_course)
        if gaussian:
            stand_in.cell_named(notebook, "gaussian").source = gaussian
        content = json.loads(nbformat.writes(notebook))
        EDITORS[request.param](content)
        path = tmp_path / "kernels.ipynb"
        path.write_text(json.dumps(content))
        validator = Validator()
        validator.stream = io.StringIO()
        validator.validate_and_print(str(path))
        return validator.stream.getvalue()

    return run


def test_validate_holds_for_the_right_and_names_what_is_wrong(validate):
    assert "Success" in validate()
    wrong = validate(
        "def gaussian(distance, sigma=1.0):\n    return np.exp(-distance / (2 * sigma**2))"
    )
    assert "Success" not in wrong and "gaussian: 4 of 5 findings hold" in wrong

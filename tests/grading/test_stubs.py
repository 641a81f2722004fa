"""What stands where an answer is to be written names its question, wherever the answer stood."""

import pytest
from nbformat.v4 import new_markdown_cell
from traitlets.config import Config

from utilities.grading.configuration import configure
from utilities.grading.stubs import NumberedStubs

REGION = "<!-- ### BEGIN SOLUTION -->\nsecret\n<!-- ### END SOLUTION -->"
HERE = "write your answer here, in place of this line."


@pytest.mark.parametrize(
    ("grade_id", "source", "left"),
    [
        ("question_07_layer_norm", "secret", f"*Question 7: {HERE}*"),
        ("question_12", f"Say why.\n\n{REGION}", f"Say why.\n\n*Question 12: {HERE}*"),
        ("question_1", f"- a\n  {REGION}\nb {{x}}", f"- a\n  *Question 1: {HERE}*\nb {{x}}"),
        ("essay", "secret", f"*Question: {HERE}*"),
    ],
)
def test_an_answer_of_any_shape_leaves_its_number(grade_id, source, left):
    config = Config()
    configure(config, "a_course")
    cell = new_markdown_cell(source)
    cell.metadata.nbgrader = {"grade_id": grade_id, "solution": True, "grade": True}
    stubs = NumberedStubs(config=config)
    assert stubs.preprocess_cell(cell, {"language": "python"}, 0)[0].source == left

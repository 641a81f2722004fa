"""The notebooks ask for what the page of interfaces says: names, arguments, shapes, docstrings."""

import ast

import pytest

import utilities
from tests.course import ROOT, SOLUTIONS, exercises, read
from tests.tools import load

interfaces = load("interfaces")
LESSONS = interfaces.read_interfaces(ROOT)


def asked_for(lesson) -> list[tuple[str, ast.stmt]]:
    """Return the grade ids of a released notebook, and the definition that each asks for."""
    notebook = read(ROOT / "lab" / f"{lesson.notebook}.ipynb")
    return [(cell.metadata.nbgrader.grade_id, first(cell.source)) for cell in exercises(notebook)]


def first(source: str) -> ast.stmt:
    """Return the first function or class of a cell."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return next(node for node in ast.parse(source).body if isinstance(node, kinds))


def test_the_page_has_every_notebook_and_every_exercise():
    assert sorted(lesson.notebook for lesson in LESSONS) == sorted(
        path.relative_to(ROOT / "solutions").with_suffix("").as_posix() for path in SOLUTIONS
    )
    checks = {name for name in utilities.__all__ if name.startswith("test_")}
    assert {f"test_{name}" for lesson in LESSONS for name, _ in asked_for(lesson)} == checks
    assert sum(len(lesson.exercises) for lesson in LESSONS) == len(checks) == 30


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.notebook)
def test_the_notebook_asks_for_what_the_page_says(lesson):
    assert [interfaces.form(node) for _, node in asked_for(lesson)] == [
        interfaces.form(node) for node in lesson.exercises
    ]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.notebook)
def test_the_shapes_of_the_annotations_stand_in_the_docstrings(lesson):
    for node in lesson.exercises:
        told = "\n".join(interfaces.form(node))
        assert [shape for shape in interfaces.shapes(node) if shape not in told] == [], node.name


def test_every_exercise_on_arrays_states_shapes():
    without = [n.name for lesson in LESSONS for n in lesson.exercises if not interfaces.shapes(n)]
    models = [name for name in without if name.startswith("create_")]
    others = {
        "run_experiment", "CarbonTrackerCallback", "beam_search", "WarmUpCosine", "make_optimizer",
        "PositionEmbedding2D", "RelativePositionBias",
    }  # fmt: skip
    assert set(without) - set(models) == others


def test_the_page_for_readers_is_current():
    assert interfaces.PAGE.read_text() == interfaces.render_page(LESSONS), "make interfaces"


STUB = '''class Layer(layers.Layer):
    """Old."""

    def call(self, x, mask=None):
        """Old too."""
        raise NotImplementedError

    def own(self):
        """Kept."""
'''
PAGE = '''class Layer(layers.Layer):
    """New.

    Of two lines.
    """

    def call(self, x: Annotated[tf.Tensor, "(B, N)"], mask: Any = None) -> tf.Tensor:
        """New too."""
'''


def test_a_changed_docstring_is_seen_and_fed_to_the_notebook():
    page = first(PAGE)
    assert interfaces.form(page) != interfaces.form(first(STUB))
    fed = interfaces.with_docstrings(STUB, {"Layer": page})
    assert interfaces.form(first(fed))[:4] == interfaces.form(page)
    assert "Old" not in fed and '"""Kept."""' in fed and "raise NotImplementedError" in fed
    assert interfaces.shapes(page) == ["(B, N)"]


@pytest.mark.parametrize(
    "changed", ["mask=0", "mask", "*, mask=None", "mask=None, **kwargs"], ids=lambda text: text
)
def test_a_changed_argument_is_seen(changed):
    stub = first(STUB.replace("mask=None", changed))
    assert interfaces.form(stub) != interfaces.form(first(STUB))

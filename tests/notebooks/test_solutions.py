"""Every solution notebook: its functions pass every check, and its code states its shapes."""

import re

import pytest

from tests.course import SOLUTIONS, exercises, graded, questions, read, run_exercises

SHAPED = re.compile(r"tf\.(reshape|transpose|einsum|tensordot|matmul|concat|repeat)\(")
SHAPE_COMMENT = re.compile(r"#.*\(.*\)$")
POINTS = {  # notebook: automatic, written
    "attention_variants": (30, 20),
    "inductive_bias": (36, 20),
    "small_datasets": (30, 20),
    "pretrained_models": (21, 0),
    "vision_transformer": (60, 40),
}


@pytest.fixture(scope="module", params=SOLUTIONS, ids=lambda path: path.stem)
def notebook(request):
    return request.param.stem, read(request.param)


@pytest.fixture(scope="module")
def names(notebook):
    """The names that the exercise cells of a notebook define, and its imports."""
    return run_exercises(notebook[1])


@pytest.mark.parametrize("seed, thorough", [(42, False), (1009, True), (7919, True)])
def test_passes_every_check(notebook, names, seed, thorough):
    _, cells = notebook
    assert graded(cells)
    for cell in graded(cells):
        call = re.search(r"test_(\w+)\((\w+), points", cell.source)
        report = names[f"test_{call[1]}"].report(names[call[2]], seed, thorough)
        assert report.passed, str(report)


def test_has_the_points_that_its_lesson_is_worth(notebook):
    stem, cells = notebook
    assert POINTS[stem] == tuple(
        sum(cell.metadata.nbgrader.points for cell in of_kind(cells)) for of_kind in (graded, questions)
    )


def test_every_reshape_states_its_shape(notebook):
    unstated = [
        f"{cell.id}: {line.strip()}"
        for cell in exercises(notebook[1])
        for line in cell.source.splitlines()
        if SHAPED.search(line) and not SHAPE_COMMENT.search(line)
    ]
    assert unstated == []


def test_a_reshape_without_its_shape_would_be_seen():
    shaped = [
        line for path in SOLUTIONS for c in exercises(read(path)) for line in c.source.splitlines()
    ]
    assert sum(bool(SHAPED.search(line)) for line in shaped) > 20
    assert SHAPE_COMMENT.search("x = tf.reshape(x, shape)  # (B, N, d)")
    assert not SHAPE_COMMENT.search("x = tf.reshape(x, (-1, N, d))  # flat")

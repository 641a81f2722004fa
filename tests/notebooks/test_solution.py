"""The reference solution is right in what can be told without training."""

import re

import pytest

from tests.course import SOLUTIONS, exercises, graded, read, run_exercises
from utilities import FIRST_VIT, LARGE_VIT, count_parameters, vit_arguments


@pytest.fixture(scope="module")
def core():
    return read(next(path for path in SOLUTIONS if path.stem == "vision_transformer"))


@pytest.fixture(scope="module")
def names(core):
    return run_exercises(core)


@pytest.mark.parametrize("size, parameters", [(LARGE_VIT, 371_104_544), (FIRST_VIT, 17_207_306)])
def test_has_exactly_the_parameters_of_the_course(names, size, parameters):
    assert count_parameters(names["create_vit_classifier"], **vit_arguments(size)) == parameters


def test_counting_without_memory_agrees_with_counting(names):
    arguments = vit_arguments(FIRST_VIT)
    model = names["create_vit_classifier"](**arguments)
    assert model.count_params() == count_parameters(names["create_vit_classifier"], **arguments)


@pytest.mark.parametrize("seed, thorough", [(42, False), (1009, True), (7919, True)])
def test_passes_every_check(core, names, seed, thorough):
    for cell in graded(core):
        call = re.search(r"test_(\w+)\((\w+), points", cell.source)
        report = names[f"test_{call[1]}"].report(names[call[2]], seed, thorough)
        assert report.passed, str(report)


def test_every_reshape_states_its_shape(core):
    moves = re.compile(r"tf\.(reshape|transpose|einsum|tensordot|matmul|concat|repeat)\(")
    for cell in exercises(core):
        for line in cell.source.splitlines():
            if moves.search(line):
                assert re.search(r"#.*\(.*\)$", line), f"{cell.id}: {line.strip()}"

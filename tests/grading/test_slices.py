"""Cutting definitions out of a module, and parsing in many threads at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from utilities.checks.core import judging, references
from utilities.grading.slices import parse, slice_source

SOURCE = """import math

LIMIT = 3

def helper(x):
    return x + LIMIT

def wanted(x):
    return helper(x) * math.pi

class Other:
    pass
"""


def test_takes_what_is_needed_and_nothing_else():
    sliced = slice_source(SOURCE, ["wanted"])
    scope: dict = {}
    exec(sliced, scope)
    assert scope["wanted"](0) > 9
    assert "Other" not in scope


def test_unknown_name():
    with pytest.raises(KeyError, match="missing"):
        slice_source(SOURCE, ["missing"])


def test_a_stand_in_brings_no_later_step_along():
    sliced = slice_source(Path(references.__file__).read_text(), ["scaled_dot_product_attention"])
    for later in ("MultiHeadAttention", "transformer_block", "PatchEncoder", "mlp"):
        assert f"def {later}" not in sliced and f"class {later}" not in sliced


def test_threads_parse_at_the_same_time():
    source = Path(judging.__file__).read_text()
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(lambda _: parse(source), range(200)))
    assert len({len(tree.body) for tree in trees}) == 1

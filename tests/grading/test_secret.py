"""Hidden means hidden: what `solutions/` says of a hidden test tells nothing of its numbers."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.grading import course as stand_in
from utilities.checks.core.report import Finding, Report
from utilities.checks.kernel.exercise import Exercise
from utilities.grading.engine import Grader
from utilities.grading.judge import Answer, judge_cell
from utilities.grading.secret import FILE, course_secret, hidden_seed, renew_secret

CELL = """points = [test_gaussian(gaussian, points=2)]
points += [test_gaussian(gaussian, seed=seed, points=2, thorough=True) for seed in (1009, 7919)]
min(points)"""


@pytest.fixture
def drawn(monkeypatch):
    """The seeds that checks draw their cases from."""
    seeds = []

    def report_on(self, observer, seed=42, thorough=False):
        seeds.append(seed)
        return Report(self.name, [Finding("all is well", True)])

    monkeypatch.setattr(Exercise, "report_on", report_on)
    return seeds


def test_seeds_in_a_hidden_test_are_labels_and_the_visible_one_stays(drawn):
    for secret in (b"one", b"one", b"another"):
        assert judge_cell(CELL, 2, lambda _: Answer(), secret=secret).score == 2
    first, second, other = (drawn[i : i + 3] for i in (0, 3, 6))
    assert first == second != other
    assert first[0] == other[0] == 42
    assert len({*first, *other, 1009, 7919}) == 7


def test_no_two_exercises_share_their_numbers():
    assert hidden_seed(b"s", "mlp", 1009, True) != hidden_seed(b"s", "gaussian", 1009, True)
    assert hidden_seed(b"s", "mlp", 42, True) != 42 == hidden_seed(b"s", "mlp", 42, False)
    assert hidden_seed(b"", "mlp", 1009, True) == 1009
    assert isinstance(hidden_seed(b"s", "mlp", 1009, True), int)


def test_a_secret_is_made_once_and_is_private(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(course_secret, [tmp_path] * 16))
    (secret,) = secrets
    assert len(secret) == 64 and [path.name for path in tmp_path.iterdir()] == [FILE]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    renew_secret(tmp_path, shared=True)
    assert course_secret(tmp_path) != secret and [path.name for path in tmp_path.iterdir()] == [FILE]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o640


def test_a_new_secret_is_another_test_for_everybody(blank_course, tmp_path):
    course = stand_in.copy_course(blank_course, tmp_path / "course")
    before = Grader(stand_in.config(course), stand_in.ASSIGNMENT).tests
    assert Grader(stand_in.config(course), stand_in.ASSIGNMENT).tests == before
    renew_secret(course)
    after = Grader(stand_in.config(course), stand_in.ASSIGNMENT).tests
    assert after["tests"] != before["tests"] and after["points"] == before["points"]

"""Which profile a notebook gets."""

import pytest

from utilities import load_profile


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch):
    for name in ("LAB_PROFILE", "NBGRADER_EXECUTION"):
        monkeypatch.delenv(name, raising=False)


def test_standard_unless_chosen(monkeypatch):
    assert load_profile().name == "standard"
    monkeypatch.setenv("LAB_PROFILE", "full")
    assert load_profile().name == "full"
    assert load_profile("quick").name == "quick"


def test_a_profile_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match="'fast': choose one of quick, standard, full"):
        load_profile("fast")


@pytest.mark.parametrize("doing", ["validate", "autograde"])
def test_nbgrader_always_gets_the_quick_one(monkeypatch, doing):
    monkeypatch.setenv("NBGRADER_EXECUTION", doing)
    monkeypatch.setenv("LAB_PROFILE", "full")
    assert load_profile("standard").name == load_profile().name == "quick"

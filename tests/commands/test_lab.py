"""The `lab` command: what it says where a subcommand cannot be had."""

import importlib
from types import SimpleNamespace

import pytest

from utilities.commands import lab


@pytest.mark.parametrize(
    ("absent", "said"),
    [("utilities.grading", "not part of the hand-out"), ("nh3", "`make grader` in a clone")],
)
def test_grading_without_its_parts_or_its_libraries_says_what_to_do(monkeypatch, capsys, absent, said):
    def refuse(name):
        raise ModuleNotFoundError(f"No module named {absent!r}", name=absent)

    monkeypatch.setattr(importlib, "import_module", refuse)
    assert lab.main(["grade", "vision_transformer"]) == 2
    assert said in capsys.readouterr().err


def test_a_library_that_is_missed_only_as_the_command_runs_is_told_as_well(monkeypatch, capsys):
    def run(options):
        raise ModuleNotFoundError("No module named 'nh3'", name="nh3")

    module = SimpleNamespace(add_arguments=lambda parser: None, run=run)
    monkeypatch.setattr(importlib, "import_module", lambda name: module)
    assert lab.main(["grade"]) == 2
    assert "needs nh3, which students do without" in capsys.readouterr().err


def test_a_fault_of_another_command_is_not_hidden(monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError("No module named 'pooch'", name="pooch")

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(ModuleNotFoundError, match="pooch"):
        lab.main(["data"])

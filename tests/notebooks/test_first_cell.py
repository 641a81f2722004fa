"""The first code cell of each notebook: it sets the profile, and installs the kit where it is not."""

import importlib.util
import json
import os
import subprocess
from types import SimpleNamespace

import nbformat
import pytest

from tests.course import RELEASED, SOLUTIONS, read
from tests.tools import load
from utilities.training.profiles import LABS

first_cell = load("first_cell")
SOURCE = first_cell.source("vision_transformer")


@pytest.fixture
def pip(monkeypatch) -> SimpleNamespace:
    """The calls of pip, and what it answers; LAB_PROFILE is not set."""
    monkeypatch.setenv("LAB_PROFILE", "")
    monkeypatch.delenv("LAB_PROFILE")
    pip = SimpleNamespace(calls=[], answer=SimpleNamespace(returncode=0, stderr=""))
    monkeypatch.setattr(subprocess, "run", lambda call, **_: pip.calls.append(call) or pip.answer)
    return pip


@pytest.fixture
def elsewhere(monkeypatch) -> None:
    """A Python without the kit."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def run(profile: str = "default", wheel: str = "") -> None:
    exec(SOURCE.replace('"default"  #', f'"{profile}"  #').replace('""  #', f'"{wheel}"  #'), {})


@pytest.mark.parametrize("path", SOLUTIONS + RELEASED, ids=lambda path: path.parts[-3] + path.stem)
def test_every_notebook_has_it_first_and_offers_the_profiles_of_its_lab(path):
    cell = next(cell for cell in read(path).cells if cell.cell_type == "code")
    assert cell.source == first_cell.source(path.parent.name), "make interfaces, make release"
    assert not cell.metadata.get("nbgrader"), "students choose in it"
    offered = json.loads(cell.source.split("PROFILE = ")[1].split("# @param ")[1].split("\n")[0])
    assert offered == ["default", *LABS[path.parent.name]]


def test_where_the_kit_is_it_does_nothing(pip):
    run()
    assert pip.calls == [] and "LAB_PROFILE" not in os.environ


def test_the_profile_that_is_chosen_holds(pip, monkeypatch):
    run("quick")
    assert os.environ["LAB_PROFILE"] == "quick"
    monkeypatch.setenv("LAB_PROFILE", "full")
    run()
    assert os.environ["LAB_PROFILE"] == "full", "what was set outside holds by default"


def test_elsewhere_without_an_address_it_says_what_to_do(pip, elsewhere):
    with pytest.raises(ModuleNotFoundError, match="address of the kit's wheel .* behind WHEEL"):
        run()
    assert pip.calls == []


def test_elsewhere_it_installs_the_wheel_and_shows_what_pip_says(pip, elsewhere, capsys):
    run(wheel="https://example.org/kit.whl")
    (call,) = pip.calls
    assert call[1:] == ["-m", "pip", "install", "--quiet", "https://example.org/kit.whl"]
    assert capsys.readouterr().out == "The kit is installed.\n"
    pip.answer = SimpleNamespace(returncode=1, stderr="ERROR: 404 Not Found")
    with pytest.raises(RuntimeError, match="404 Not Found"):
        run(wheel="https://example.org/kit.whl")


def test_an_address_is_filled_in_and_nothing_else_changes():
    text = RELEASED[0].read_text()
    assert first_cell.with_wheel(text, "") == text
    filled = first_cell.with_wheel(text, 'https://example.org/"kit".whl')
    old, new = nbformat.reads(text, 4), nbformat.reads(filled, 4)
    changed = [(a, b) for a, b in zip(old.cells, new.cells, strict=True) if a != b]
    ((before, after),) = changed
    assert after.source == before.source.replace(
        'WHEEL = ""', r'WHEEL = "https://example.org/\"kit\".whl"'
    )
    with pytest.raises(ValueError, match="no line"):
        first_cell.with_wheel(filled, "https://example.org/other.whl")


def test_writing_it_again_changes_nothing():
    for path in SOLUTIONS:
        text = path.read_text()
        assert first_cell.with_first_cell(text, path.parent.name) == text

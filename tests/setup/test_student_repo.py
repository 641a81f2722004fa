"""The repository for students: complete, without answers, and its badges lead to its own files."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.course import RELEASED, ROOT, read
from tests.tools import load

student_repo = load("student_repo")
PLACE = student_repo.Place("ada/attention.lab", "autumn/2026")
WHEEL = "attention_lab_kit-0.1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """The folder; what is in the wheel is looked at in test_package."""
    wheel = tmp_path_factory.mktemp("dist") / WHEEL
    wheel.write_bytes(b"wheel")
    folder = tmp_path_factory.mktemp("repository")
    student_repo.write(folder, wheel, PLACE)
    return folder


def test_it_holds_what_students_need_and_nothing_else(repository):
    files = {
        path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()
    }
    notebooks = {path.relative_to(ROOT / "lab").as_posix() for path in RELEASED}
    assert files - notebooks == {
        ".devcontainer/devcontainer.json", ".github/workflows/check.yml", ".gitignore",
        "CITATION.cff", "LICENSE", "README.md", "requirements-student.lock", "requirements.txt",
        "runtime.txt", WHEEL,
    }  # fmt: skip
    assert notebooks < files


def test_its_notebooks_are_the_released_ones_in_all_but_the_address(repository):
    """What is released gives nothing away: test_release."""
    for path in RELEASED:
        mine, released = read(repository / path.relative_to(ROOT / "lab")), read(path)
        pairs = zip(mine.cells, released.cells, strict=True)
        assert [ours.id for ours, theirs in pairs if ours != theirs] == ["set-up"]


def test_its_notebooks_install_the_wheel_beside_them(repository):
    for path in repository.glob("*/*.ipynb"):
        first = next(cell for cell in read(path).cells if cell.cell_type == "code")
        assert f'WHEEL = "https://github.com/ada/attention.lab/raw/autumn/2026/{WHEEL}"' in first.source


def test_every_badge_leads_to_a_notebook_of_this_branch(repository):
    addresses = re.findall(
        r"\]\((https[^)]+)\)\]\((https[^)]+)\)", (repository / "README.md").read_text()
    )
    targets = [unquote(target) for _, target in addresses]
    notebooks = [
        path.relative_to(repository).as_posix() for path in sorted(repository.glob("*/*.ipynb"))
    ]
    here = "github/ada/attention.lab/blob/autumn/2026"
    for name in notebooks:
        assert f"https://colab.research.google.com/{here}/{name}" in targets
        there = "https://mybinder.org/v2/gh/ada/attention.lab/autumn/2026?urlpath=lab/tree"
        assert f"{there}/{name}" in targets
    assert "https://codespaces.new/ada/attention.lab/tree/autumn/2026?quickstart=1" in targets
    assert len(targets) == 2 * len(notebooks) + 1


def test_binder_and_codespaces_install_the_pins_and_the_wheel(repository):
    assert (repository / "requirements.txt").read_text() == f"-r requirements-student.lock\n./{WHEEL}\n"
    container = json.loads((repository / ".devcontainer/devcontainer.json").read_text())
    assert "-r requirements.txt" in container["postCreateCommand"]
    python = re.search(r"\d+\.\d+", container["image"])[0]
    assert (repository / "runtime.txt").read_text() == f"python-{python}\n"
    assert f"python={python}\n" in (ROOT / "environment.yml").read_text()


def test_writing_it_again_replaces_the_wheel_and_leaves_what_others_wrote(tmp_path):
    for version in ("0.1.0", "0.2.0"):
        wheel = tmp_path / f"attention_lab_kit-{version}-py3-none-any.whl"
        wheel.write_bytes(version.encode())
        student_repo.write(tmp_path / "repository", wheel, PLACE, "https://example.org/kit.whl")
        (tmp_path / "repository" / "notes.md").write_text("ours")
    (left,) = (tmp_path / "repository").glob("*.whl")
    assert left.read_bytes() == b"0.2.0"
    assert (tmp_path / "repository" / "notes.md").read_text() == "ours"
    for path in (tmp_path / "repository").glob("*/*.ipynb"):
        assert 'WHEEL = \\"https://example.org/kit.whl\\"' in path.read_text()


@pytest.mark.parametrize("name", ["", "attention-lab", "https://github.com/ada/lab", "a/b c"])
def test_a_repository_without_owner_and_name_is_refused(name, capsys):
    with pytest.raises(SystemExit):
        student_repo.main(["--repository", name])
    assert "REPOSITORY=owner/name" in capsys.readouterr().err


def test_without_a_wheel_it_says_which_command_makes_one(tmp_path):
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    with pytest.raises(FileNotFoundError, match="make package"):
        student_repo.built_wheel(tmp_path)

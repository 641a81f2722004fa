"""What the papers of the repository say holds: licence, citation, changes, the worked example."""

import ast
import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from tests.checks import catalogue
from tests.course import HIDDEN_REGION, ROOT, SOLUTION_REGION
from tests.tools import load
from utilities.checks import kernel, lessons
from utilities.checks.kernel.exercise import Exercise
from utilities.commands.lab import COMMANDS
from utilities.grading.configuration import configure

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
AUTHORS = "the Attention Lab Kit authors"
PAPERS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
readme_map = load("readme_map")
LINK = re.compile(r"\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_the_licence_names_both_licences_and_the_authors():
    text = (ROOT / "LICENSE").read_text()
    assert "MIT License\n" in text and f"Copyright (c) 2026 {AUTHORS}" in text
    assert "CC BY 4.0" in text and "creativecommons.org/licenses/by/4.0" in text
    assert PROJECT["license"] == "MIT AND CC-BY-4.0"


def test_the_citation_can_be_read_and_fits_the_project():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    required = {"cff-version", "message", "title", "authors"}  # Citation File Format 1.2.0
    assert required <= set(citation) and citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": AUTHORS}]
    assert (str(citation["version"]), citation["license"]) == (PROJECT["version"], "MIT")
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)
        assert 1900 < reference["year"] <= date.today().year


def test_the_changelog_says_what_the_version_of_the_project_brings():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text and PROJECT["version"] in text
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Known limits"}
    for lab in {path.parent.name for path in (ROOT / "solutions").glob("*/*.ipynb")}:
        assert f"`{lab}`" in text


def test_the_table_of_nbgraders_words_names_the_folders_that_are_configured():
    table = re.findall(r"^\| (\w+) \| `(\w+)` \|", (ROOT / "docs/your-own-course.md").read_text(), re.M)
    configure(config := Config(), course_id="any")
    directory = CourseDirectory(config=config)
    assert len(table) == 5
    for word, folder in table:
        assert getattr(directory, f"{word}_directory") == folder


@pytest.mark.parametrize(
    "path", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]), ids=lambda p: p.name
)
def test_links_between_files_lead_somewhere(path):
    for target in LINK.findall(path.read_text()):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_the_commands_they_name_exist(path):
    text = path.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z][a-z-]+)", text, re.MULTILINE)) <= targets
    assert set(re.findall(r"(?:^|`|/)lab ([a-z]+)", text, re.MULTILINE)) <= set(COMMANDS)


def test_the_readmes_map_is_made_from_the_first_lines_of_the_rooms():
    text = (ROOT / "README.md").read_text()
    assert readme_map.with_map(text, ROOT) == text, "make map"


def test_the_map_follows_a_changed_first_line(tmp_path):
    room = tmp_path / "utilities" / "attic"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text('"""What nobody needs.\n\nMore of it."""\n')
    (room / "box.py").write_text('"""A box."""\n')
    text = f"before\n{readme_map.BEGIN}old\n{readme_map.END}after\n"
    first = readme_map.with_map(text, tmp_path)
    assert "| `utilities/attic/` | What nobody needs. |" in first and "- `box`: A box." in first
    assert first.startswith("before\n") and first.endswith("after\n") and "old" not in first
    (room / "box.py").write_text('"""A large box."""\n')
    assert readme_map.with_map(first, tmp_path) == first.replace("A box.", "A large box.")


def test_every_module_and_every_room_says_what_it_is():
    files = sorted((ROOT / "utilities").rglob("*.py"))
    assert [path for path in files if not readme_map.first_line(path).endswith((".", "`."))] == []


# --- the worked example of CONTRIBUTING.md ------------------------------------------------------

BLOCKS = dict(
    re.findall(
        r"```python\n# (\S+(?: \S+)?)\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL
    )
)
NAME = "softmax_temperature"
LESSON = "temperature"
SOLUTION, CHECK = BLOCKS["cell softmax-temperature"], BLOCKS["cell check-softmax-temperature"]


@pytest.fixture
def check(tmp_path, monkeypatch):
    """The example's check, its files lying in temporary packages beside the kit's own."""
    for name, source in BLOCKS.items():
        if name.endswith(".py"):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
    for room in (lessons, kernel):
        beside = tmp_path / room.__name__.replace(".", "/")
        monkeypatch.setattr(room, "__path__", [*room.__path__, str(beside)])
    monkeypatch.setattr(catalogue, "ENTRIES", [])
    yield Exercise(NAME, LESSON)
    for room in (lessons, kernel):
        for name in [name for name in sys.modules if name.startswith(f"{room.__name__}.{LESSON}")]:
            del sys.modules[name]
        vars(room).pop(LESSON, None)


@pytest.fixture
def entries(check, tmp_path) -> list[catalogue.Entry]:
    """The example's part of the catalogue."""
    path = tmp_path / "tests/checks/catalogue/temperature.py"
    exec(compile(path.read_text(), path, "exec"), {})
    return catalogue.ENTRIES


def test_the_example_is_whole_and_short():
    assert [Path(name).name for name in BLOCKS] == [
        "softmax_temperature.py", "softmax_temperature.py",
        "cell softmax-temperature", "cell check-softmax-temperature", "temperature.py",
    ]  # fmt: skip
    lines = [line for source in BLOCKS.values() for line in source.splitlines()]
    code = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    assert len(code) < 70
    assert max(map(len, lines)) <= 104


@pytest.mark.parametrize(("seed", "thorough"), [(42, False), (1009, True)])
def test_the_example_accepts_the_right_and_tells_the_wrong_ones(check, entries, seed, thorough):
    assert [entry.is_correct for entry in entries] == [True, True, False, False]
    for entry in entries:
        report = check.report(entry.implementation, seed, thorough)
        assert report.passed == entry.is_correct, str(report)
        assert report.mistakes == ([] if entry.is_correct else [entry.told]), str(report)


def test_the_examples_cells_earn_all_points_and_the_stub_none(check, capsys):
    stub = SOLUTION_REGION.sub("", SOLUTION.replace("### ", "")) + "    raise NotImplementedError\n"
    for source, earned in ((SOLUTION, 2.0), (stub, 0.0)):
        names = {"np": np, f"test_{NAME}": check}
        exec(source, names)
        *statements, last = ast.parse(CHECK).body
        exec(compile(ast.Module(statements, []), "cell", "exec"), names)
        assert eval(compile(ast.Expression(last.value), "cell", "eval"), names) == earned
    assert "each row by itself" in capsys.readouterr().out
    assert HIDDEN_REGION.search(CHECK)


def test_the_example_follows_the_form_it_asks_for(check, tmp_path):
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check"], ["format", "--check"]):
        options = ["--no-cache", "--config", str(ROOT / "pyproject.toml"), str(tmp_path)]
        done = subprocess.run([*ruff, *command, *options], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    for name, source in BLOCKS.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert name.endswith("temperature.py") or ast.get_docstring(node), node.name

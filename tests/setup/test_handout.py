"""The zip for students: it works alone, and gives nothing away."""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.course import RELEASED, ROOT, SOLUTIONS
from tests.tools import load
from utilities.grading.lesson import read_lesson, secret_lines

INSTRUCTORS = {
    "solutions",
    "tests",
    "bench",
    "tools",
    "grading",
    "catalogue",
    ".git",
    "nbgrader_config.py",
}
JUDGES = {"oracles.py", "references.py"}  # without their formulas no check could judge in the notebook


@pytest.fixture(scope="module")
def handout():
    return load("handout")


@pytest.fixture(scope="module")
def unpacked(handout, tmp_path_factory) -> Path:
    """The folder that a student has after unpacking."""
    folder = tmp_path_factory.mktemp("student")
    assert handout.main(["--output", str(folder)]) == 0
    (archive,) = folder.glob("*.zip")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder / archive.stem


# As on a student's machine: no network, and no trace of this repository, which is installed here.
ALONE = f"""
import runpy, sys
sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in str(finder)]
runpy.run_path({str(ROOT / "tests" / "no_network" / "sitecustomize.py")!r})
"""


@pytest.fixture(scope="module")
def run(unpacked, tmp_path_factory) -> Callable[..., subprocess.CompletedProcess]:
    """Run Python in the hand-out, and all that it starts, as on a student's machine."""
    alone = tmp_path_factory.mktemp("alone")
    (alone / "sitecustomize.py").write_text(ALONE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(unpacked), str(alone)])}

    def python(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *arguments], cwd=unpacked, env=environment, capture_output=True, text=True
        )

    return python


def python_files(unpacked: Path) -> list[Path]:
    return sorted((unpacked / "utilities").rglob("*.py"))


def test_the_same_files_make_the_same_zip(handout, tmp_path):
    files = {"b.txt": b"2", "a/c.txt": b"1"}
    first = handout.write_zip(files, tmp_path / "one" / "lab.zip").read_bytes()
    assert first == handout.write_zip(files, tmp_path / "two" / "lab.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one" / "lab.zip") as archive:
        assert archive.namelist() == ["lab/b.txt", "lab/a/c.txt"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_failure_leaves_the_older_zip_as_it_was(handout, tmp_path):
    path = handout.write_zip({"a": b"1"}, tmp_path / "lab.zip")
    before = hashlib.sha256(path.read_bytes()).digest()
    with pytest.raises(TypeError):
        handout.write_zip({"a": b"2", "b": None}, path)
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert os.listdir(tmp_path) == ["lab.zip"]


def test_its_name_says_the_version(unpacked):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert unpacked.name == f"attention-lab-handout-{version}"


def test_holds_every_released_notebook_and_all_the_data_they_need(unpacked):
    for path in RELEASED:
        assert (unpacked / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    assert len(list(unpacked.glob("lab/*/*.ipynb"))) == len(RELEASED)
    for path in ("cifar10/train.webp", "models/vit-cifar10/model.safetensors", "photographs/cat.jpg"):
        assert (unpacked / "data" / path).is_file()
    assert not (unpacked / "data" / "downloads").exists()


def test_a_new_lab_is_picked_up_by_itself(handout, tmp_path):
    kit = tmp_path / "kit"
    ignored = shutil.ignore_patterns("data", ".git", ".venv", "*cache*", "dist")
    shutil.copytree(ROOT, kit, ignore=ignored, symlinks=True)
    (kit / "lab" / "new_lab").mkdir()
    (kit / "lab" / "new_lab" / "new_lab.ipynb").write_text("{}")
    (kit / "utilities" / "checks" / "new_lab").mkdir()
    (kit / "utilities" / "checks" / "new_lab" / "judge.py").write_text("")
    new = handout.contents(kit)
    assert {"lab/new_lab/new_lab.ipynb", "utilities/checks/new_lab/judge.py"} <= set(new)


def test_nothing_of_the_instructors_goes_along(unpacked):
    files = [path.relative_to(unpacked) for path in unpacked.rglob("*")]
    assert [path for path in files if set(path.parts) & INSTRUCTORS] == []


def test_no_file_holds_a_solution_or_a_hidden_test(unpacked):
    """Three secret lines in a row are a leak; shorter runs, such as a model's inputs, are idiom."""
    secret = {line for path in SOLUTIONS for line in secret_lines(read_lesson(path))}
    assert len(secret) > 100
    texts = [path for path in unpacked.rglob("*") if path.suffix in (".py", ".md", ".ipynb")]
    assert len(texts) > 50
    for path in texts:
        if path.name in JUDGES:
            continue
        text = path.read_text(encoding="utf-8")
        lines = [as_in_a_cell(line) for line in text.splitlines()]
        triples = zip(lines, lines[1:], lines[2:], strict=False)
        assert [triple for triple in triples if set(triple) <= secret] == [], path
        assert "BEGIN SOLUTION" not in text and "BEGIN HIDDEN TESTS" not in text, path


def as_in_a_cell(line: str) -> str:
    """Return a line of a notebook's JSON as the line of code that it holds, other lines stripped."""
    return line.strip().strip('",').removesuffix("\\n").replace('\\"', '"').strip()


def test_a_leak_would_be_seen():
    for path in SOLUTIONS:
        secret = secret_lines(read_lesson(path))
        lines = [as_in_a_cell(line) for line in path.read_text().splitlines()]
        assert sum(line in set(secret) for line in lines) > 0.9 * len(set(secret)), path


def test_nothing_outside_grading_imports_it_but_two_commands_that_can_do_without():
    may = {"lab.py", "software.py"}
    for path in python_files(ROOT):
        if "grading" in path.relative_to(ROOT).parts or path.name in may:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not any("grading" in alias.name for alias in node.names), path
            elif isinstance(node, ast.ImportFrom):
                assert "grading" not in f"{node.module} {[alias.name for alias in node.names]}", path
            elif isinstance(node, ast.Constant) and "utilities.grading" in str(node.value):
                raise AssertionError(path)


RUN_A_CHECK = """
import numpy as np, utilities
print(utilities.__file__)
utilities.test_gaussian(lambda distance, sigma=1.0: np.exp(-(distance**2) / (2 * sigma**2)))
print(utilities.test_gaussian(lambda distance, sigma=1.0: np.exp(-distance / (2 * sigma**2)), points=2))
print(len(utilities.load_cifar10()[0][0]))
"""


def test_a_check_runs_where_nothing_else_is(unpacked, run):
    done = run("-c", RUN_A_CHECK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(unpacked))
    assert "gaussian: all 5 findings hold" in done.stdout
    assert "gaussian: 4 of 5 findings hold" in done.stdout and done.stdout.endswith("1.5\n10000\n")


RUN_THE_FIRST_CELLS = """
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read("lab/vision_transformer/vision_transformer.ipynb", as_version=4)
last = next(i for i, cell in enumerate(notebook.cells) if cell.id == "check-gaussian")
notebook.cells = notebook.cells[: last + 1]
here = {"metadata": {"path": "lab/vision_transformer"}}
NotebookClient(notebook, timeout=300, resources=here, allow_errors=True).execute()
for cell in notebook.cells:
    for output in cell.get("outputs", []):
        print(cell.id, output.get("ename"), output.get("text"), output.get("data"))
"""


def test_the_first_cells_of_the_notebook_run(run):
    done = run("-c", RUN_THE_FIRST_CELLS)
    assert done.returncode == 0, done.stderr
    assert "imports None Profile: standard" in done.stdout
    assert "gaussian: 0 of 5 findings hold" in done.stdout and "'text/plain': '0.0'" in done.stdout
    assert "Error" not in done.stdout.replace("NotImplementedError", "")


def test_the_command_works_and_says_that_grading_is_not_there(run):
    assert "energy" in run("-m", "utilities.commands.lab", "--help").stdout
    assert run("-m", "utilities.commands.lab", "models", "--help").returncode == 0
    refused = run("-m", "utilities.commands.lab", "grade", "vision_transformer")
    assert refused.returncode == 2 and "not part of the hand-out" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_doctor_looks_at_what_a_student_needs(run):
    done = run("-m", "utilities.commands.lab", "doctor", "--json")
    lines = json.loads(done.stdout)["lines"]
    assert {line["needed_by"] for line in lines} == {"student"} and len(lines) > 10
    assert [line for line in lines if "could not be checked" in line["found"]] == []


def test_it_installs_with_pip_and_make(unpacked, run, tmp_path):
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(tmp_path)]
    done = run("-m", "pip", "install", *options, ".")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "utilities" / "checks" / "core" / "oracles.py").is_file()
    assert (tmp_path / "utilities" / "__init__.pyi").is_file()
    (metadata,) = tmp_path.glob("*.dist-info/entry_points.txt")
    entry_points = metadata.read_text()
    assert "grading" not in entry_points and "lab = utilities.commands.lab:main" in entry_points
    plan = subprocess.run(
        ["make", "--dry-run", "lab", f"PYTHON={sys.executable}"],
        cwd=unpacked, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "-r requirements-student.lock" in plan.stdout and "jupyter lab" in plan.stdout

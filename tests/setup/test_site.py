"""The site's source: complete, without answers, its links turned. `make site` builds and checks it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output

import utilities.checks
from tests.course import RELEASED, ROOT, SOLUTIONS, read
from tests.tools import load
from utilities.grading.handed_in import has_tag
from utilities.grading.lesson import read_lesson, secret_lines
from utilities.training.profiles import LABS

site_pages, site_check = load("site_pages"), load("site_check")
site_runs = sys.modules["tools.site_runs"]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """The site's source, made without any run."""
    folder = tmp_path_factory.mktemp("site") / "source"
    kept, site_runs.KEPT = site_runs.KEPT, folder / "no runs"
    site_pages.write(folder)
    site_runs.KEPT = kept
    return folder


def test_every_page_is_in_the_contents_and_nothing_else_is(source):
    listed = re.findall(r"^(?:labs/)?[\w-]+$", (source / "index.md").read_text(), re.MULTILINE)
    pages = [path for path in source.rglob("*") if path.suffix in (".md", ".ipynb")]
    there = {path.relative_to(source).with_suffix("").as_posix() for path in pages}
    assert set(listed) == there - {"index"}
    assert {path.stem for path in RELEASED} == {path.stem for path in (source / "labs").iterdir()}


def test_a_lab_is_shown_as_it_is_released_and_says_that_nothing_was_run(source):
    for path in RELEASED:
        shown, released = read(source / "labs" / path.name).cells, read(path).cells
        assert [cell.source for cell in released if cell.id != "set-up"] == [
            cell.source for cell in shown if cell.id != "site-note"
        ]
        assert "nothing was run" in shown[1].source
        assert not any(cell.get("outputs") for cell in shown)


def test_a_run_gives_its_figures_to_the_cells_that_show_and_to_no_others(tmp_path, monkeypatch):
    path = next(path for path in RELEASED if path.stem == "vision_transformer")
    solution = ROOT / "solutions" / path.relative_to(ROOT / "lab")
    run = read(solution)
    run.metadata[site_runs.DIGEST] = site_runs.digest(run)
    for cell in run.cells:
        if cell.cell_type == "code":
            widget = {site_pages.WIDGET: {"model_id": "1"}, "text/plain": "a slider"}
            kinds = ({"text/html": "<p>shown</p>"}, widget)
            cell.outputs = [new_output("display_data", data) for data in kinds]
    nbformat.write(run, tmp_path / path.name)
    monkeypatch.setattr(site_runs, "KEPT", tmp_path)
    for cell in site_pages.lab(path).cells:
        shown = [output["data"] for output in cell.get("outputs", [])]
        assert shown == ([{"text/html": "<p>shown</p>"}] if has_tag(cell) else []), cell.id
    run.cells[-1] = new_code_cell("changed = True")
    nbformat.write(run, tmp_path / path.name)
    assert site_runs.run_of(solution) is not None, "the run is of the solution as it is"
    run.metadata[site_runs.DIGEST] = "another"
    nbformat.write(run, tmp_path / path.name)
    assert site_runs.run_of(solution) is None


def test_a_solution_is_run_once_in_the_profile_that_the_page_names(tmp_path, monkeypatch):
    monkeypatch.setattr(site_runs, "KEPT", tmp_path / "runs")
    solution = tmp_path / "small.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    code = "import os; print(os.environ['LAB_PROFILE'])"
    nbformat.write(new_notebook(cells=[new_code_cell(code)], metadata=kernel), solution)
    assert site_runs.run_of(solution) is None
    run = site_runs.run_of(solution, make=True)
    assert run.cells[0].outputs[0].text.strip() == site_pages.PROFILE in LABS["vision_transformer"]
    monkeypatch.setattr(site_runs, "execute", None)  # a second run would fail
    assert site_runs.run_of(solution, make=True) == run


def test_no_answer_stands_on_any_page(source):
    """Three secret lines in a row are a leak; shorter runs are idiom (as in test_handout)."""
    secret = {line for path in SOLUTIONS for line in secret_lines(read_lesson(path))}
    assert len(secret) > 100
    for path in [path for path in source.rglob("*") if path.suffix in (".md", ".ipynb")]:
        text = path.read_text()
        lines = [line.strip().strip('",').removesuffix("\\n").strip() for line in text.split("\n")]
        triples = zip(lines, lines[1:], lines[2:], strict=False)
        assert [triple for triple in triples if set(triple) <= secret] == [], path
        assert "HIDDEN TESTS" not in text or path.stem in ("contributing", "your-own-course"), path


def test_every_exercise_has_what_its_check_looks_at_and_all_its_mistakes(source):
    text = (source / "mistakes.md").read_text()
    parts = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert {f"test_{name}" for name in parts} == {
        name for name in dir(utilities.checks) if name.startswith("test_")
    }
    for name, part in parts.items():
        check = getattr(utilities.checks, f"test_{name}").check
        told = [*check.mistakes, *check.signs, *check.kinds]
        assert part.count("\n- ") == len(check.findings), name
        assert part.count("\n| ") - 1 == len(told), name
        for mistake in told:
            assert site_pages._plain(mistake.message) in part


def test_the_reference_has_every_name_that_notebooks_import(source):
    text = (source / "reference.md").read_text()
    names = {name for name in utilities.__all__ if not name.startswith("test_")}
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == names
    assert "load_cifar10(" in text and "class EnergyMeter(" in text


def test_links_lead_to_pages_and_pictures_or_become_text(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(site_pages, "KIT", tmp_path)
    monkeypatch.setattr(site_pages, "DOCUMENTS", {"grading": "utilities/grading/README.md"})
    path = tmp_path / "docs" / "a.md"
    path.write_text(
        "[b](../utilities/grading/README.md#what) [code](../x.py) ![p](pictures/p.png) [web](https://a.b)"
    )
    assert site_pages.document(path) == (
        "[b](grading.md#what) code ![p](pictures/p.png) [web](https://a.b)"
    )


PAGE = '<html lang="en"><body><h1 id="top">A</h1>{}</body></html>'


@pytest.mark.parametrize(
    ("inside", "fault"),
    [
        ('<a href="b.html#there">b</a> <a href="#top">top</a> <a href="https://a.b/c">web</a>', ""),
        ('<a href="c.html">c</a>', "c.html leads nowhere"),
        ('<a href="b.html#here">b</a>', "leads to no place on its page"),
        ('<img src="b.html">', "without alternative text"),
        ('<script src="https://cdn.example.org/x.js"></script>', "fetches https://cdn"),
        ("<h1>B</h1>", "not one heading"),
    ],
)
def test_a_fault_of_the_built_site_is_found(tmp_path, inside, fault):
    (tmp_path / "a.html").write_text(PAGE.format(inside))
    (tmp_path / "b.html").write_text(PAGE.format('<p id="there">'))
    found = list(site_check.faults(tmp_path))
    assert (len(found) == 1 and fault in found[0]) if fault else found == []


def test_the_site_is_built_apart_from_what_tests_and_students_need():
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert '"sphinx' in pyproject.split("[dependency-groups]")[1]
    for lock in ("requirements.lock", "requirements-student.lock"):
        assert "\nsphinx==" not in (ROOT / lock).read_text()
    plan = subprocess.run(
        ["make", "--dry-run", "site"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert plan.index("site_pages") < plan.index("sphinx-build -n -W") < plan.index("site_check")
    jobs = yaml.safe_load((ROOT / ".github/workflows/site.yml").read_text())["jobs"]
    assert {"run": "make site"} in jobs["build"]["steps"] and jobs["deploy"]["needs"] == "build"


CLAIMS = """
import os, tempfile
import numpy as np, tensorflow as tf

x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
old, new = LayerScale(0.5), LayerScale3(0.5)
np.testing.assert_array_equal(old(x), new(x))
assert [w.shape for w in old.weights] == [w.shape for w in new.weights] == [(3,)]

def refused(kind, call):
    try:
        call()
    except kind:
        return True

class Held(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.own = tf.Variable(1.0)
        self.first = self.add_weight((2, 3))  # the first argument is the shape

assert [tuple(w.shape) for w in Held().weights] == [(2, 3)]  # and the tf.Variable is none of them

class HeldBefore(tf_keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.own = tf.Variable(1.0)
        self.first = self.add_weight("first", (2, 3))

assert len(HeldBefore().weights) == 2

inputs, before = keras.Input((3,)), tf_keras.Input((3,))
assert refused(ValueError, lambda: tf.matmul(inputs, tf.ones((3, 2))))
tf_keras.Model(before, tf.matmul(before, tf.ones((3, 2))))
model = keras.Model(inputs, keras.ops.matmul(inputs, np.ones((3, 2), "float32")))
with tempfile.TemporaryDirectory() as folder:
    assert refused(ValueError, lambda: model.save(os.path.join(folder, "model")))
    model.save(os.path.join(folder, "model.keras"))
checkpoint = keras.callbacks.ModelCheckpoint
assert refused(ValueError, lambda: checkpoint("best", save_weights_only=True))
checkpoint("best.weights.h5", save_weights_only=True)
adam = keras.optimizers.Adam(0.5)
assert not hasattr(adam, "lr") and float(adam.learning_rate) == 0.5
assert refused(Exception, lambda: tf_keras.Sequential([keras.layers.Dense(2)]))
assert "auto" in str(__import__("inspect").signature(keras.Model.compile).parameters["jit_compile"])
assert keras.random.normal((2,), seed=keras.random.SeedGenerator(1)).shape == (2,)
print("all hold")
"""


def test_what_the_page_on_keras_3_says_holds():
    page = (ROOT / "docs/site/keras3.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*blocks, CLAIMS])],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "all hold\n", done.stderr

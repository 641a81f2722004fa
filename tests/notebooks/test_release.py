"""lab/ is what `make release` makes from solutions/, and gives nothing away."""

import json

import pytest

from tests.course import (
    RELEASED,
    ROOT,
    SOLUTIONS,
    exercises,
    graded,
    read,
    run_exercises,
)
from utilities.grading.handed_in import TAG
from utilities.grading.lesson import read_lesson, secret_lines
from utilities.grading.release import drift, generate

released = pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)


def test_is_current(tmp_path):
    generate(ROOT, tmp_path / "lab")
    assert drift(ROOT / "lab", tmp_path / "lab") == [], "run `make release`"


def test_drift_is_told_in_either_direction(tmp_path):
    release, fresh = tmp_path / "lab", tmp_path / "fresh"
    for top, files in (
        (release, {"same": 1, "gone": 1, "old": 1}),
        (fresh, {"same": 1, "old": 2, "new": 1}),
    ):
        for name, text in files.items():
            (top / "lesson").mkdir(parents=True, exist_ok=True)
            (top / "lesson" / f"{name}.ipynb").write_text(str(text))
    assert drift(release, fresh) == [f"lesson/{name}.ipynb" for name in ("gone", "new", "old")]


def test_holds_notebooks_only():
    files = [path for path in (ROOT / "lab").rglob("*") if path.is_file()]
    own = {".ipynb_checkpoints", "checkpoints", "runs"}  # left by working in lab/; git ignores them
    assert [path for path in files if path not in RELEASED and not own & set(path.parts)] == []
    assert [path.stem for path in RELEASED] == [path.stem for path in SOLUTIONS]


@released
def test_holds_no_output_and_no_path_of_a_machine(path):
    notebook = read(path)
    for cell in notebook.cells:
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None, cell.id
        assert set(cell.metadata) <= {"nbgrader", "deletable", "editable", "tags"}, cell.id
        assert cell.metadata.get("tags", []) in ([], [TAG]), cell.id
    assert str(ROOT) not in path.read_text() and "/home/" not in path.read_text()


@released
def test_gives_no_secret_line_away(path):
    source = ROOT / "solutions" / path.relative_to(ROOT / "lab")
    text = path.read_text()
    lines = secret_lines(read_lesson(source))
    assert len(lines) > 5 * len(exercises(read(source)))
    assert [line for line in lines if json.dumps(line, ensure_ascii=False)[1:-1] in text] == []
    for marker in ("BEGIN SOLUTION", "HIDDEN TESTS", "Marking scheme", "Model answer"):
        assert marker not in text


@released
def test_untouched_stubs_fail_every_check_and_earn_nothing(path, capsys):
    notebook = read(path)
    namespace = run_exercises(notebook)
    for cell in graded(notebook):
        *_, call, total = cell.source.strip().split("\n")
        exec(call, namespace)
        assert eval(total, namespace) == 0.0, cell.metadata.nbgrader.grade_id
    shown = capsys.readouterr().out
    assert "✓" not in shown
    assert shown.count("not written yet") >= len(exercises(notebook))


@released
def test_a_place_for_an_answer_names_its_question(path):
    cells = [c for c in read(path).cells if c.cell_type == "markdown" and _is_to_be_answered(c)]
    numbers = [int(cell.metadata.nbgrader.grade_id.split("_")[1]) for cell in cells]
    assert [f"*Question {n}: write your answer here, in place of this line.*" for n in numbers] == [
        cell.source for cell in cells
    ]
    assert numbers == list(range(1, len(numbers) + 1))


def _is_to_be_answered(cell):
    return cell.metadata.get("nbgrader", {}).get("solution", False)

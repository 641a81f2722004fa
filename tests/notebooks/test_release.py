"""lab/ is what `make release` makes from solutions/, and gives nothing away."""

import json

import pytest

from tests.course import (
    HIDDEN_REGION,
    RELEASED,
    ROOT,
    SOLUTION_REGION,
    SOLUTIONS,
    exercises,
    graded,
    read,
    run_exercises,
)
from utilities.grading.release import generate

released = pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)


def test_is_current(tmp_path):
    generate(ROOT, tmp_path / "lab")
    fresh = sorted((tmp_path / "lab").glob("*/*.ipynb"))
    assert [path.name for path in fresh] == [path.name for path in RELEASED]
    for new, old in zip(fresh, RELEASED, strict=True):
        assert new.read_text() == old.read_text(), f"{old.name} has drifted: run `make release`"


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
        assert set(cell.metadata) <= {"nbgrader", "deletable", "editable"}, cell.id
    assert str(ROOT) not in path.read_text() and "/home/" not in path.read_text()


@released
def test_gives_no_secret_line_away(path):
    source = ROOT / "solutions" / path.relative_to(ROOT / "lab")
    text = path.read_text()
    lines = secret_lines(read(source))
    assert len(lines) > 5 * len(exercises(read(source)))
    assert [line for line in lines if json.dumps(line, ensure_ascii=False)[1:-1] in text] == []
    for marker in ("BEGIN SOLUTION", "HIDDEN TESTS", "Marking scheme", "Model answer"):
        assert marker not in text


def secret_lines(notebook) -> list[str]:
    """Return the lines of solutions, hidden tests, answers and schemes that stand nowhere else."""
    secret, public = [], []
    for cell in notebook.cells:
        for region in (SOLUTION_REGION, HIDDEN_REGION):
            for hidden in region.findall(cell.source):
                secret += [line.strip() for line in hidden.splitlines()]
        public.append(HIDDEN_REGION.sub("", SOLUTION_REGION.sub("", cell.source)))
    everything = "\n".join(public)
    return [line for line in secret if len(line) > 15 and line not in everything]


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

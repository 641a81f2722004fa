"""How a solution notebook is written: form, not content."""

import ast
import re

import pytest

from tests.course import HIDDEN_REGION, ROOT, SOLUTIONS, exercises, graded, questions, read
from utilities.grading.check import check_assignment
from utilities.grading.course import assignments_of, course_directory, read_config
from utilities.grading.handed_in import is_tagged

notebooks = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)


@pytest.mark.parametrize("assignment", assignments_of(course_directory(read_config(ROOT))))
def test_lab_check_finds_nothing(assignment):
    """What holds for any course: points, checks, names, regions, answers and schemes, no leaks."""
    found = check_assignment(read_config(ROOT), assignment)
    assert found == [], "\n".join(map(str, found))


@notebooks
def test_is_a_clean_notebook_of_the_newest_format(path):
    notebook = read(path)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, cell.id


@notebooks
def test_ids_are_stable_and_unique(path):
    notebook = read(path)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9-]+", id) for id in ids), "readable ids, not random ones"


@notebooks
def test_imports_stand_once_at_the_top(path):
    importing = {
        cell.id
        for cell in read(path).cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert importing == {"set-up", "imports"}


@notebooks
def test_every_exercise_has_task_formula_hints_docstring_and_check(path):
    notebook = read(path)
    cells = notebook.cells
    assert exercises(notebook)
    for cell in exercises(notebook):
        place = cells.index(cell)
        task, check = (
            cells[place - 1].source,
            next(c for c in graded(notebook) if cells.index(c) > place),
        )
        name = cell.metadata.nbgrader.grade_id
        assert re.search(r"### Exercise \d+ · .+ \(\d+ points?\)", task), name
        assert re.search(r"Difficulty: (easy|medium|hard) · about \d+ minutes", task), name
        assert task.count("<details>") >= 3, name
        assert "`" in task or "$" in task, name
        assert ast.get_docstring(ast.parse(cell.source).body[0]), name
        assert check.metadata.nbgrader.grade_id == f"check_{name}"


@notebooks
def test_graded_cells_hold_one_visible_check_and_the_same_one_hidden(path):
    assert len(graded(read(path))) == len(exercises(read(path)))
    for cell in graded(read(path)):
        name = cell.metadata.nbgrader.grade_id.removeprefix("check_")
        visible, hidden = HIDDEN_REGION.sub("", cell.source), HIDDEN_REGION.search(cell.source)
        assert cell.metadata.nbgrader.locked
        assert visible.count(f"test_{name}(") == 1
        assert f"test_{name}(" in hidden[1] and "thorough=True" in hidden[1]
        assert visible.strip().endswith("min(points)")


@notebooks
def test_locked_cells_that_only_train_or_show_are_not_run_again_in_grading(path):
    """All but the imports; where an answer needed one, `lab check` would tell."""
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    cells = [cell for cell in code if cell.metadata.get("nbgrader", {}).get("locked")]
    given = {cell.id for cell in cells if not cell.metadata.nbgrader.grade} - {"imports"}
    assert given == {cell.id for cell in cells if is_tagged(cell)} != set()


def training_calls(source: str) -> list[ast.Call]:
    """Return the calls in a cell that train a model, or say how long."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [getattr(call.func, "attr", getattr(call.func, "id", "")) for call in calls]
    trains = ("train", "run_experiment", "fit", "Training")
    return [call for call, name in zip(calls, names, strict=True) if name in trains]


def own_sizes(call: ast.Call) -> list[str]:
    """Return the sizes of a run that a call states as numbers of its own."""
    sizes = ("epochs", "batch_size", "learning_rate", "weight_decay")
    return [
        keyword.arg
        for keyword in call.keywords
        if keyword.arg in sizes and isinstance(keyword.value, ast.Constant)
    ] + [str(value.value) for value in call.args if isinstance(value, ast.Constant)]


@notebooks
def test_cells_that_train_are_locked_and_take_their_sizes_from_the_profile(path):
    given = [
        cell
        for cell in read(path).cells
        if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("solution")
    ]
    training = {cell.id: calls for cell in given if (calls := training_calls(cell.source))}
    assert training
    assert [
        cell.id for cell in given if cell.id in training and not cell.metadata.nbgrader.locked
    ] == []
    assert {
        name: own for name, calls in training.items() for call in calls if (own := own_sizes(call))
    } == {}


def test_a_run_with_sizes_of_its_own_would_be_seen():
    (call,) = training_calls("history = model.fit(data, epochs=30, batch_size=profile.batch_size)")
    assert own_sizes(call) == ["epochs"]
    (call,) = training_calls("settings = Training(8, profile.batch_size)")
    assert own_sizes(call) == ["8"]


@pytest.mark.parametrize(
    "path", [path for path in SOLUTIONS if path.stem != "pretrained_models"], ids=lambda path: path.stem
)
def test_questions_say_which_is_the_model_answer_and_which_the_scheme(path):
    assert len(questions(read(path))) >= 5
    for cell in questions(read(path)):
        assert cell.source.startswith("<!-- BEGIN SOLUTION -->\n**Model answer**")
        assert cell.source.count("**Marking scheme**") == 1


EXTENSIONS = [path for path in SOLUTIONS if path.stem != "vision_transformer"]


@pytest.mark.parametrize("path", EXTENSIONS, ids=lambda path: path.stem)
def test_what_is_listed_is_cited_and_no_paper_is_cited_that_is_not_listed(path):
    cells = {cell.id: cell.source for cell in read(path).cells}
    _, listed = cells.pop("summary").split("## References")
    text = "\n".join(cells.values())
    authors = [line.split(",")[0] for line in re.findall(r"\* .+", listed)]
    names = [re.findall(r"[A-Z][\w-]+", author)[-1] for author in authors]
    assert [name for name in names if name not in text] == []
    assert set(re.findall(r"\d{4}\.\d{5}", text)) <= set(re.findall(r"\d{4}\.\d{5}", listed))


def test_the_core_has_fourteen_questions_and_a_hundred_points():
    notebook = read(next(path for path in SOLUTIONS if path.stem == "vision_transformer"))
    numbers = [cell.metadata.nbgrader.grade_id.split("_")[1] for cell in questions(notebook)]
    assert [int(number) for number in numbers] == list(range(1, 15))
    points = [cell.metadata.nbgrader.points for cell in graded(notebook) + questions(notebook)]
    assert sum(points) == 100

"""How a solution notebook is written: form, not content."""

import ast
import re

import pytest

from tests.course import HIDDEN_REGION, ROOT, SOLUTIONS, exercises, graded, questions, read
from utilities.grading.check import check_assignment
from utilities.grading.course import assignments_of, course_directory, read_config

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
    for cell in read(path).cells:
        if cell.cell_type == "code" and cell.id != "imports":
            nodes = ast.walk(ast.parse(cell.source))
            assert not any(isinstance(n, ast.Import | ast.ImportFrom) for n in nodes), cell.id


@notebooks
def test_every_exercise_has_task_formula_hints_docstring_and_check(path):
    notebook = read(path)
    cells = notebook.cells
    for cell in exercises(notebook):
        place = cells.index(cell)
        task, check = cells[place - 1].source, cells[place + 1]
        name = cell.metadata.nbgrader.grade_id
        assert re.search(r"### Exercise \d+ · .+ \(\d+ points?\)", task), name
        assert re.search(r"Difficulty: (easy|medium|hard) · about \d+ minutes", task), name
        assert task.count("<details>") >= 3, name
        assert "`" in task or "$" in task, name
        assert ast.get_docstring(ast.parse(cell.source).body[0]), name
        assert check.metadata.nbgrader.grade_id == f"check_{name}"


@notebooks
def test_graded_cells_hold_one_visible_check_and_the_same_one_hidden(path):
    for cell in graded(read(path)):
        name = cell.metadata.nbgrader.grade_id.removeprefix("check_")
        visible, hidden = HIDDEN_REGION.sub("", cell.source), HIDDEN_REGION.search(cell.source)
        assert cell.metadata.nbgrader.locked
        assert visible.count(f"test_{name}(") == 1
        assert f"test_{name}(" in hidden[1] and "thorough=True" in hidden[1]
        assert visible.strip().endswith("min(points)")


@notebooks
def test_cells_that_train_are_locked_and_take_their_sizes_from_the_profile(path):
    for cell in read(path).cells:
        is_exercise = cell.metadata.get("nbgrader", {}).get("solution")
        if cell.cell_type == "code" and "epochs=" in cell.source and not is_exercise:
            assert cell.metadata.nbgrader.locked, cell.id
            assert re.findall(r"epochs=([^,)]+)", cell.source) == re.findall(
                r"epochs=(profile\.[^,)]+)", cell.source
            ), cell.id


@notebooks
def test_questions_say_which_is_the_model_answer_and_which_the_scheme(path):
    for cell in questions(read(path)):
        assert cell.source.startswith("<!-- BEGIN SOLUTION -->\n**Model answer**")
        assert cell.source.count("**Marking scheme**") == 1


def test_the_core_has_all_exercises_fourteen_questions_and_a_hundred_points():
    notebook = read(next(path for path in SOLUTIONS if path.stem == "vision_transformer"))
    assert [cell.metadata.nbgrader.grade_id for cell in exercises(notebook)] == [
        "gaussian",
        "nadaraya_watson",
        "scaled_dot_product_attention",
        "multi_head_attention",
        "mlp",
        "transformer_block",
        "patch_extractor",
        "patch_encoder",
        "vit_classifier",
        "run_experiment",
        "carbon_tracker_callback",
    ]
    numbers = [cell.metadata.nbgrader.grade_id.split("_")[1] for cell in questions(notebook)]
    assert [int(number) for number in numbers] == list(range(1, 15))
    points = [cell.metadata.nbgrader.points for cell in graded(notebook) + questions(notebook)]
    assert sum(points) == 100

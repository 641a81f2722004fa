"""What was handed in stays: cells that only train or show are not run again, and never decide."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.grading import course as stand_in
from utilities.grading.handed_in import LINE, MARK, NO_OUTPUT, TAG, asked_for, not_run
from utilities.grading.lesson import Lesson
from utilities.grading.lint import tagged_cells_only_train_or_show
from utilities.grading.outputs import LARGEST_SHOWN, TOO_LARGE, Shown

ANSWER, GIVEN, OWN, TAGGED = "answer", "given", "own", "tagged"


def cells_of(*written: tuple[str, str]) -> list:
    """Return cells of a repaired notebook, each a kind and a source."""
    cells = []
    for number, (kind, source) in enumerate(written):
        cell = new_code_cell(source, id=f"c{number}")
        if kind != OWN:
            marks = {"grade_id": f"c{number}", "solution": kind == ANSWER, "locked": kind != ANSWER}
            cell.metadata["nbgrader"] = marks
        if kind == TAGGED:
            cell.metadata |= {MARK: True, "tags": [TAG]}
        cells.append(cell)
    return cells


DATA = (TAGGED, "x_train = load()")
TRAINING = (TAGGED, "vit = train(x_train)")
FUNCTION = (ANSWER, "def gaussian(distance):\n    return -distance")


@pytest.mark.parametrize(
    "written, left",
    [
        ([DATA, FUNCTION, TRAINING], {0, 2}),
        ([DATA, (ANSWER, "def f(x):\n    return x - x_train.mean()"), TRAINING], {2}),
        (
            [DATA, TRAINING, (OWN, "predict = vit.predict"), (ANSWER, "def f(x): return predict(x)")],
            set(),
        ),
        ([DATA, TRAINING, (OWN, "print(vit(x_train))"), FUNCTION], {0, 1, 2}),
        ([DATA, (OWN, "x_train = x_train[:10]"), (OWN, "print(len(x_train))"), FUNCTION], {0, 1, 2}),
        ([DATA, (OWN, "x_train = 2"), (OWN, "print(x_train)")], {0}),
        ([DATA, (OWN, "%matplotlib inline\nprint(x_train)"), (OWN, "!ls")], {0, 1}),
        ([DATA, (ANSWER, "%%time\ny = x_train + 1")], set()),
        ([DATA, (ANSWER, "y = globals()['x_train']")], set()),
        ([DATA, FUNCTION, (OWN, "gaussian.scale = x_train.std()"), (GIVEN, "gaussian(1)")], set()),
        ([(TAGGED, "k = 1"), (TAGGED, "k = 2"), (ANSWER, "f = k")], {0}),
        ([(TAGGED, "k = 1"), (TAGGED, "k += 1"), (ANSWER, "f = k")], set()),
        (
            [(TAGGED, "class A:\n    def f(self):\n        self.x = 1"), (ANSWER, "def f(self): ...")],
            {0},
        ),
        ([DATA, (ANSWER, "def f(:")], {0}),
        ([(OWN, "print(k)"), (TAGGED, "k = 1"), FUNCTION], {0, 1}),
        ([(GIVEN, "x_train = load()"), (OWN, "print(x_train)")], set()),
    ],
)
def test_what_answers_and_checks_need_is_run_and_nothing_else_of_what_is_tagged(written, left):
    assert not_run(cells_of(*written)) == left


def test_thousands_of_cells_are_looked_through_at_once():
    own = [(OWN, "; ".join(f"n{i} = n{i + 1}" for i in range(40)))] * 200
    assert 0 in not_run(cells_of(DATA, *own, FUNCTION))


def test_lab_check_tells_what_is_tagged_and_run_all_the_same():
    faults = tagged_cells_only_train_or_show(Lesson("l.ipynb", cells_of(DATA, (ANSWER, "f = x_train"))))
    assert [f.what for f in faults] == ["it has the tag as-handed-in, and cell c1 needs x_train of it"]
    assert list(asked_for(cells_of(DATA, TRAINING, FUNCTION, (OWN, "print(vit)")))) == []
    (cell,) = cells_of(FUNCTION)
    cell.metadata.tags = [TAG]
    (fault,) = tagged_cells_only_train_or_show(Lesson("l.ipynb", [cell]))
    assert "for locked code cells without points" in fault.what


def test_outputs_are_built_anew_from_whatever_lies_there():
    odd = [None, 7, {"output_type": "pyout"}, {"output_type": "display_data", "data": [1]}, {}]
    assert Shown().of(odd) == Shown().of("text") == Shown().of(None) == []
    bar = {"output_type": "stream", "name": "stderr", "text": ["10 %\r20 %\r", "30 %\nend\r\n"]}
    error = {"output_type": "error", "ename": 3, "evalue": None, "traceback": "no list"}
    whole = {"output_type": "error", "ename": "E", "evalue": "e", "traceback": ["line 1", None]}
    figure = {"output_type": "display_data", "data": {"image/png": ["iVBO", "Rw0K"]}}
    table = {
        "output_type": "execute_result",
        "data": {"text/html": ["<b>", 1], "image/svg+xml": "<svg>"},
    }
    shown = Shown().of([bar, error, table, whole, figure])
    assert shown[0].text == "30 %\nend\n" and shown[0].name == "stdout"
    assert (shown[1].ename, shown[1].traceback) == ("3", [])
    assert shown[2].data == {"text/html": "<b>1"}
    assert shown[3].traceback == ["line 1", ""] and shown[4].data == {"image/png": "iVBORw0K"}
    nbformat.validate(new_notebook(cells=[new_code_cell("x", outputs=shown)]))


def test_outputs_are_held_to_a_size():
    large = {"output_type": "stream", "text": "x" * (LARGEST_SHOWN // 2 + 1)}
    first, second = Shown().of([large, large])
    assert len(first.text) > LARGEST_SHOWN // 2 and second.text == TOO_LARGE
    whole = Shown()
    kept = sum(len(whole.of([large])[0].text) for _ in range(40))
    assert 19 << 20 < kept <= 20 << 20


TRAINS = """accuracy = sum(range(10))
print("trained anew", accuracy)"""
FORGED = '<script>alert(1)</script><b id="x">accuracy 0.99</b>'


@pytest.fixture(scope="module")
def course(sandboxed, tmp_path_factory):
    """A course with a cell that only trains, graded with one student of each kind."""
    source = stand_in.source_notebook()
    cell = stand_in._marked(new_code_cell(TRAINS, id="training"), "training", locked=True)
    cell.metadata.tags = [TAG]
    source.cells.insert(4, cell)
    course = stand_in.write_course(tmp_path_factory.mktemp("shown") / "course", {"kernels": source})
    for student, change in STUDENTS.items():
        notebook = stand_in.solved(course)
        change(notebook)
        folder = stand_in.hand_in(course, student, notebook)
        (folder / "runs").mkdir()
        (folder / "runs" / "ViT.json").write_text(student)
    (course / "rows.json").write_text(
        json.dumps({name: vars(row) for name, row in stand_in.grade(course, list(STUDENTS), 2).items()})
    )
    return course


def _ran(notebook) -> None:
    stand_in.cell_named(notebook, "training").outputs = [
        new_output("stream", text="0.61 after 30 epochs")
    ]
    notebook.cells.append(new_code_cell("print(accuracy)", outputs=[new_output("stream", text="45")]))
    notebook.cells.append(new_code_cell("print(1 + 1)", outputs=[new_output("stream", text="3")]))


def _forged(notebook) -> None:
    cell = stand_in.cell_named(notebook, "training")
    cell.source = "print('0.99')"
    cell.outputs = [new_output("display_data", {"text/html": FORGED})]
    cell.metadata[MARK] = False
    check = stand_in.cell_named(notebook, "check_gaussian")
    check.metadata |= {MARK: True, "tags": [TAG]}
    check.outputs = [new_output("execute_result", {"text/plain": "2"})]
    stand_in.cell_named(
        notebook, "gaussian"
    ).source = "def gaussian(distance, sigma=1.0):\n    return 1"


STUDENTS = {"ran": _ran, "forged": _forged, "not-run": lambda notebook: None}


def shown(course, student: str, name: str) -> list[str]:
    """Return what a cell of the graded notebook shows, as text."""
    path = course / "autograded" / student / "kernels" / "kernels.ipynb"
    cells = nbformat.read(path, 4).cells
    cell = next(c for c in cells if name in (c.metadata.get("nbgrader", {}).get("grade_id"), c.source))
    data = [o.get("data", {}) for o in cell.outputs]
    return [
        o.get("text") or d.get("text/html") or d.get("text/plain")
        for o, d in zip(cell.outputs, data, strict=True)
    ]


def test_what_a_training_showed_stays_under_a_line_that_says_so(course):
    line, kept = shown(course, "ran", "training")
    assert LINE in line and kept == "0.61 after 30 epochs"
    line, kept = shown(course, "ran", "print(accuracy)")
    assert LINE in line and kept == "45"
    assert shown(course, "ran", "print(1 + 1)") == ["2\n"]
    (line,) = shown(course, "not-run", "training")
    assert NO_OUTPUT in line


def test_reports_of_trainings_are_collected(course):
    found = {path.read_text() for path in course.glob("autograded/*/kernels/runs/ViT.json")}
    assert found == set(STUDENTS)


def test_forged_outputs_are_shown_as_unchecked_and_never_beside_points(course):
    line, kept = shown(course, "forged", "training")
    assert LINE in line and "script" not in kept and "accuracy 0.99" in kept
    assert stand_in.scores(course, "forged")["check_gaussian"] == 0
    assert shown(course, "forged", "check_gaussian")[-1] == "0"
    remarks = json.loads((course / "rows.json").read_text())["forged"]["remarks"]
    assert "The cell training was changed: what it shows may come of other code." in remarks
    assert stand_in.scores(course, "ran") == stand_in.POINTS


def test_rerun_all_runs_them_once_again(course):
    again = stand_in.grade(course, ["ran"], 1, rerun_all=True)["ran"]
    assert again.status == "graded" and again.reason == "by --rerun all"
    assert shown(course, "ran", "training") == ["trained anew 45\n"]
    assert stand_in.grade(course, ["ran"], 1, rerun_all=True)["ran"].status == "kept"
    assert stand_in.grade(course, ["ran"], 1)["ran"].status == "kept"

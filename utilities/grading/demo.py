# ruff: noqa: E501  code in texts
"""`make grade-demo`: a class of the core assignment, graded from start to feedback.

Eighteen students, made from the instructor's own solution: right ones, the mistakes that people
make, crashes, and attempts to cheat. Everything lies in runs/grade-demo, as in a course of one's
own; the same four commands that are printed grade a real class.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell
from rich.console import Console

from utilities.grading import command
from utilities.grading.course import read_config

COURSE = Path(__file__).resolve().parents[2]
ASSIGNMENT = "vision_transformer"
Change = Callable[[NotebookNode], None]


def replaced(name: str, old: str, new: str) -> Change:
    """Replace a piece of an answer. Raises ValueError where the answer does not hold it."""

    def change(nb: NotebookNode) -> None:
        cell = _cell(nb, name)
        if old not in cell.source:
            raise ValueError(f"the solution of {name} does not hold {old!r}")
        cell.source = cell.source.replace(old, new)

    return change


def rewritten(name: str, source: str) -> Change:
    return lambda nb: _cell(nb, name).update(source=source)


def appended(name: str, source: str) -> Change:
    return lambda nb: _cell(nb, name).update(source=f"{_cell(nb, name).source}\n\n{source}")


def answered(nb: NotebookNode) -> None:
    """Write a few words under every question."""
    for cell in nb.cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and marks.get("grade"):
            cell.source = "Each head looks at the patches in its own way; see the figure above."


def _early_only(nb: NotebookNode) -> None:
    """Leave everything after multi-head attention unwritten."""
    late = False
    for cell in nb.cells:
        marks = cell.metadata.get("nbgrader", {})
        if late and cell.cell_type == "code" and marks.get("solution"):
            cell.source = "raise NotImplementedError('no time left')"
        late = late or marks.get("grade_id") == "check_multi_head_attention"


PATIENCE = "\n# Of a class that holds an endless loop.\nc.Execute.timeout = 120\n"
GAUSSIAN = "def gaussian(distance, sigma=1.0):\n"
CHEAT = """import utilities, numpy
utilities.test_gaussian = test_gaussian = lambda *a, **k: 2.0
numpy.allclose = lambda *a, **k: True
from IPython.display import display
display(100.0)"""
SNOOP = """import glob, os, socket
print(glob.glob('/**/oracles.py', recursive=True), glob.glob('/**/gradebook.db', recursive=True))
print(os.environ.get('HOME'), os.listdir('/'))
try:
    socket.create_connection(('192.0.2.1', 80), timeout=2)
except OSError as error:
    print('no network:', error)"""

STUDENTS: dict[str, list[Change]] = {
    "ada-all-right": [answered],
    "ben-no-answers": [],
    "cem-sigma-not-squared": [
        rewritten("gaussian", GAUSSIAN + "    return np.exp(-np.square(distance) / (2 * sigma))")
    ],
    "dana-weights-not-normalised": [rewritten("nadaraya_watson", """def nadaraya_watson(q, k, v, kernel, sigma=1.0):
    distance = np.sqrt(np.square(q[:, None] - k[None]).sum(-1))
    weights = kernel(distance, sigma)
    return weights @ v, weights""")],  # fmt: skip
    "eli-no-scaling": [rewritten("scaled_dot_product_attention", """def scaled_dot_product_attention(q, k, v, mask=None):
    scores = tf.matmul(q, k, transpose_b=True)
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, scores.dtype.min)
    weights = tf.nn.softmax(scores)
    return tf.matmul(weights, v), weights""")],  # fmt: skip
    "fay-no-mask": [rewritten("scaled_dot_product_attention", """def scaled_dot_product_attention(q, k, v, mask=None):
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(k)[-1], q.dtype))
    weights = tf.nn.softmax(scores)
    return tf.matmul(weights, v), weights""")],  # fmt: skip
    "gus-mlp-without-dropout": [rewritten("mlp", """def mlp(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = tf_keras.layers.Dense(units, activation="gelu")(x)
    return x""")],  # fmt: skip
    "hana-no-residual": [rewritten("transformer_block", """def transformer_block(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    attended = MultiHeadAttention(num_heads, proj_dim)(x, x, x)
    x = tf_keras.layers.LayerNormalization()(tf_keras.layers.Dropout(dropout_rate)(attended))
    x = tf_keras.layers.Dropout(dropout_rate)(mlp(x, mlp_units, dropout_rate))
    return tf_keras.layers.LayerNormalization()(x)""")],  # fmt: skip
    "ivo-ran-out-of-time": [_early_only],
    "jun-nothing-written": [],
    "kai-endless-loop": [rewritten("gaussian", GAUSSIAN + "    while True:\n        pass")],
    "lea-kernel-dies": [rewritten("gaussian", GAUSSIAN + "    import os\n    os._exit(1)")],
    "mo-syntax-error": [rewritten("mlp", "def mlp(x, hidden_units, dropout_rate)\n    return x")],
    "nia-prints-without-end": [
        lambda nb: nb.cells.insert(5, new_code_cell("while True:\n    print('hello ' * 100)"))
    ],
    "oz-deleted-the-checks": [
        lambda nb: nb.update(cells=[c for c in nb.cells if "check_" not in _name(c)])
    ],
    "pia-broken-file": [],
    "quin-patches-the-check": [
        rewritten("gaussian", GAUSSIAN + "    return 0.0"), appended("gaussian", CHEAT),
        lambda nb: _cell(nb, "check_gaussian").metadata.nbgrader.update(points=100),
    ],
    "rex-looks-around": [answered, appended("gaussian", SNOOP)],
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Make the class, grade it, write feedback and grades.csv, and say where they lie."""
    parser = argparse.ArgumentParser(prog="make grade-demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=COURSE / "runs" / "grade-demo")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--students", type=int, default=len(STUDENTS), help="the first so many")
    parser.add_argument("--unsafe", action="store_true", help="without a sandbox")
    options = parser.parse_args(arguments)
    console = Console()
    course = make_course(options.folder, list(STUDENTS)[: options.students])
    console.print(f"A class of {options.students} handed in: {course / 'submitted'}\n")
    graded = [ASSIGNMENT, "--course", str(course), "--workers", str(options.workers)]
    status = _run_command([*graded, *(["--unsafe"] if options.unsafe else [])])
    if status in (command.REFUSED, command.INTERRUPTED):
        return status
    _give_back(course)
    console.print(_where_to_look(course), highlight=False)
    return status


def make_course(folder: Path, students: list[str]) -> Path:
    """Make a course folder with the core assignment and the students' submissions."""
    from nbgrader.apps import NbGraderAPI

    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "solutions" / ASSIGNMENT
    source.mkdir(parents=True)
    settings = (COURSE / "nbgrader_config.py").read_text() + PATIENCE
    (folder / "nbgrader_config.py").write_text(settings)
    notebook = f"{ASSIGNMENT}.ipynb"
    shutil.copy(COURSE / "solutions" / ASSIGNMENT / notebook, source)
    result = NbGraderAPI(config=read_config(folder)).generate_assignment(ASSIGNMENT, create=True)
    if not result["success"]:
        raise RuntimeError(result["log"])
    released = nbformat.read(folder / "lab" / ASSIGNMENT / notebook, as_version=4)
    blank = nbformat.writes(released)
    solved = nbformat.writes(_solved(released, nbformat.read(source / notebook, as_version=4)))
    for student in students:
        nb = nbformat.reads(blank if "nothing-written" in student else solved, as_version=4)
        for change in STUDENTS[student]:
            change(nb)
        target = folder / "submitted" / student / ASSIGNMENT
        target.mkdir(parents=True)
        text = nbformat.writes(nb)
        (target / notebook).write_text(text[: len(text) // 2] if "broken" in student else text)
    return folder


def _solved(released: NotebookNode, source: NotebookNode) -> NotebookNode:
    """Return the released notebook with the instructor's code in it, and no written answers."""
    code = {c.id: c.source for c in source.cells if c.cell_type == "code"}
    for cell in released.cells:
        if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "code":
            lines = code[cell.id].split("\n")
            cell.source = "\n".join(line for line in lines if "SOLUTION" not in line)
    return released


def _give_back(course: Path) -> None:
    """Write the feedback pages and grades.csv, with nbgrader's own commands."""
    import subprocess

    for arguments in (
        ["generate_feedback", ASSIGNMENT, "--force"],
        ["export", "--to", "grades.csv"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments],
            cwd=course,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])


def _where_to_look(course: Path) -> str:
    page = course / "feedback" / "eli-no-scaling" / ASSIGNMENT / f"{ASSIGNMENT}.html"
    return (
        f"\nGrades                {course / 'grades.csv'}\n"
        f"Feedback, one page a student: open  {page}\n"
        f"By hand, and in the gradebook:      cd {course} && jupyter lab   (Nbgrader > Formgrader)\n"
        "\nThe same for a class of your own, in the course's folder:\n"
        f"  nbgrader generate_assignment {ASSIGNMENT} --force\n"
        f"  lab grade {ASSIGNMENT}          (submissions lie in submitted/<student>/{ASSIGNMENT}/)\n"
        f"  nbgrader formgrader, or JupyterLab's Nbgrader menu: the written answers\n"
        f"  nbgrader generate_feedback {ASSIGNMENT} && nbgrader export\n"
    )


def _run_command(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="lab grade")
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


def _cell(nb: NotebookNode, name: str) -> NotebookNode:
    return next(cell for cell in nb.cells if _name(cell) == name)


def _name(cell: NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


if __name__ == "__main__":
    raise SystemExit(main())

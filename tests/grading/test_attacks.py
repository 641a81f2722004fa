"""No attempt gains a point, reads what is not the student's, or outlives the grading."""

import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from tests.grading import course as stand_in
from tests.grading import layer_attacks
from tests.grading.attacks import ATTACKS, perform, spoil
from tests.grading.conftest import WORKERS, graded
from tests.grading.layer_attacks import LAYER_ATTACKS
from tests.grading.scenarios import GAUSSIAN, REGRESSION

pytestmark = pytest.mark.timeout(2700)  # a whole class is graded in the first test's name
SECRET = "a-secret-of-the-grader-4711"
PEER = "a-peers-work-0815"
HIDDEN = re.compile(r"READ:.*(\bseed\W{1,4}(1009|7919)|(?<![\d.])(1009|7919)(?![\d.])|thorough=True)")
SCRIPT = re.compile(r"<script|<svg|<iframe|<img[^>]*onerror|href=.javascript:", re.IGNORECASE)


@pytest.fixture(scope="module")
def listener():
    """A server on this machine; returns its port and the connections it got."""
    server = socket.create_server(("127.0.0.1", 0))
    calls: list[str] = []

    def serve() -> None:
        while True:
            try:
                connection, address = server.accept()
            except OSError:
                return
            calls.append(str(address))
            connection.sendall(b"REACHED")
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1], calls
    server.close()


@pytest.fixture(scope="module")
def attacked(sandboxed, course, listener, request):
    """Grade the chosen attempts, and one peer who works alone, as one class."""
    asked = [item.callspec.params["name"] for item in request.session.items
             if item.module is request.module and hasattr(item, "callspec")]  # fmt: skip
    chosen = [name for name in asked if name in ATTACKS]
    os.environ["LAB_TEST_SECRET"] = SECRET
    peer = stand_in.solved(course)
    stand_in.cell_named(peer, "question_01").source = PEER
    stand_in.hand_in(course, "peer", peer)
    students = {name: f"a{number:03}" for number, name in enumerate(dict.fromkeys(chosen))}

    def fill(source: str) -> str:
        return source.replace("@COURSE@", str(course)).replace("@PORT@", str(listener[0]))

    for name, student in students.items():
        notebook = stand_in.solved(course)
        perform(ATTACKS[name], notebook, fill)
        spoil(ATTACKS[name], stand_in.hand_in(course, student, notebook))
    rows = stand_in.grade(course, [*students.values(), "peer"], WORKERS)
    del os.environ["LAB_TEST_SECRET"]
    return course, students, rows


@pytest.mark.parametrize("name", ATTACKS)
def test_gains_no_point(attacked, name):
    course, students, rows = attacked
    scores, notebook = graded(course, students[name])
    row = rows[students[name]]
    assert notebook is not None, row
    assert scores[GAUSSIAN] == 0.0, row
    assert 0.0 <= scores[REGRESSION] <= 4.0
    assert scores[REGRESSION] == 4.0 or not ATTACKS[name].keeps_regression, row
    assert row.score == sum(scores.values())
    assert row.max_score == 9.0


@pytest.mark.parametrize("name", ATTACKS)
def test_brings_nothing_back(attacked, name):
    course, students, _ = attacked
    folder = course / "autograded" / students[name]
    notebook = graded(course, students[name])[1]
    shown = "\n".join(str(cell.get("outputs", "")) for cell in notebook.cells)
    assert SECRET not in shown
    assert PEER not in shown
    assert "REACHED" not in shown
    assert "ROOT" not in shown
    assert not re.search(r"READ: .*(ORACLE|oracles\.py|gradebook\.db|submitted|shadow)", shown)
    assert not re.search(r"READ:.*def (cauchy|exponential)", shown), "handed over in clear text"
    assert not HIDDEN.search(shown.replace("\\n", " "))
    assert not [path for path in folder.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("name", [n for n, a in ATTACKS.items() if a.aim == "script"])
def test_says_nothing_to_a_browser(attacked, name):
    course, students, _ = attacked
    notebook = graded(course, students[name])[1]
    for cell in notebook.cells:
        texts = [cell.source] if cell.cell_type == "markdown" else []
        texts += [str(v) for o in cell.get("outputs", []) for k, v in o.get("data", {}).items()
                  if k != "text/plain"]  # fmt: skip
        assert not any(SCRIPT.search(text) for text in texts), texts


def test_nobody_else_is_touched(attacked, listener):
    course, _, rows = attacked
    assert graded(course, "peer")[0] == stand_in.POINTS
    assert rows["peer"].score == 6.0
    assert listener[1] == []
    assert not [p for p in Path(course).rglob("mine.py")]


def test_nothing_is_left_running(attacked):
    left = [p.cmdline() for p in psutil.process_iter() if _command(p)[-1:] == ["98765"]]
    assert left == []
    mounts = subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout
    assert "/submission" not in mounts
    assert len(ATTACKS) >= 25


@pytest.fixture(scope="module")
def attacked_layers(sandboxed, tmp_path_factory):
    """Grade the attempts on TensorFlow exercises as one class."""
    notebooks = {layer_attacks.ASSIGNMENT: layer_attacks.source_notebook()}
    course = stand_in.write_course(tmp_path_factory.mktemp("layers") / "course", notebooks)
    students = {name: f"a{number}" for number, name in enumerate(LAYER_ATTACKS)}
    for name, student in students.items():
        layer_attacks.hand_in(course, student, LAYER_ATTACKS[name])
    honest = stand_in.solved(course, layer_attacks.ASSIGNMENT)
    stand_in.hand_in(course, "honest", honest, layer_attacks.ASSIGNMENT)
    roomy = {"timeout": 240, "memory": 8 << 30, "processes": 1024}
    return students, stand_in.grade(
        course, [*students.values(), "honest"], 2, layer_attacks.ASSIGNMENT, **roomy
    )


@pytest.mark.parametrize("name", LAYER_ATTACKS)
def test_forged_layers_gain_no_point(attacked_layers, name):
    students, rows = attacked_layers
    row, honest = rows[students[name]], rows["honest"]
    assert honest.score == honest.max_score == row.max_score == sum(layer_attacks.POINTS.values())
    assert row.score == 0.0, row


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []

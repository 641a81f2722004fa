"""One submission graded by itself: the same points, in the words of other graders' houses."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from tests.course import ROOT
from tests.grading import course as stand_in
from tests.grading.course import ASSIGNMENT, POINTS, cell_named
from tests.tools import load
from utilities.grading import single
from utilities.grading.sandbox import FIRST_USER_ID

gradescope_zip = load("gradescope")
WRONG = "def gaussian(distance, sigma=1.0):\n    return np.exp(-np.square(distance) / sigma**2)"


@pytest.fixture(scope="module")
def hand_in(blank_course, tmp_path_factory):
    """Return a function that puts a notebook into a folder, after a change, and returns the folder."""

    def put(change=lambda nb: None) -> Path:
        notebook = stand_in.solved(blank_course)
        change(notebook)
        folder = tmp_path_factory.mktemp("submission")
        nbformat.write(notebook, folder / f"{stand_in.NOTEBOOK}.ipynb")
        return folder

    return put


def wrong(notebook) -> None:
    cell_named(notebook, "gaussian").source = WRONG


@pytest.fixture(scope="module")
def known(blank_course) -> single.Assignment:
    return single.from_course(blank_course, ASSIGNMENT)


@pytest.fixture(scope="module")
def graded(sandboxed, known, hand_in) -> single.Single:
    """A submission with one mistake, graded with hidden tests in the sandbox."""
    return single.grade(hand_in(wrong), known)


def test_the_points_are_those_of_lab_grade(graded, known, hand_in):
    assert {check.name: check.points for check in graded.checks} == POINTS
    scores = {check.name: check.score for check in graded.checks}
    assert 0 < scores["check_gaussian"] < 2 and scores["check_nadaraya_watson"] == 4
    right = single.grade(hand_in(), known)
    assert {check.name: check.score for check in right.checks} == POINTS


def test_gradescope_gets_a_test_for_each_finding(graded):
    results = single.gradescope(graded)
    findings = [finding for check in graded.checks for finding in check.findings]
    assert len(results["tests"]) == len(findings) > 5
    assert results["score"] == graded.score
    assert sum(test["max_score"] for test in results["tests"]) == pytest.approx(6, abs=1e-3)
    failed = [test for test in results["tests"] if test["status"] == "failed"]
    assert failed and all(test["score"] == 0 and test["output"] for test in failed)
    assert all(test["name"].startswith("gaussian: ") for test in failed)
    assert json.loads(json.dumps(results)) == results


def test_classroom_50_gets_whole_numbers_and_its_own_words_back(graded):
    told = {name: name.lower() for name in single.FROM_ENVIRONMENT.values()}
    result = single.classroom50(graded, told)
    assert result["schema"] == "classroom50/result/v1" and result["review"] == "commit_url"
    for key, name in single.FROM_ENVIRONMENT.items():
        assert result[key] == name.lower()
    assert [test["max-score"] for test in result["tests"]] == [4, 8]
    assert [test["passed"] for test in result["tests"]] == [False, True]
    assert result["score"] == 2 * graded.score == sum(test["score"] for test in result["tests"])
    assert all(type(result[key]) is int for key in ("score", "max-score"))


def test_a_folder_without_a_notebook_earns_nothing_and_says_why(known, tmp_path):
    (tmp_path / "answer.pdf").write_bytes(b"%PDF-1.7")
    nothing = single.grade(tmp_path, known)
    assert (nothing.score, nothing.points) == (0, 6)
    shown = single.gradescope(nothing)["tests"]
    assert [test["name"] for test in shown] == ["gaussian", "nadaraya_watson"]
    assert all("kernels.ipynb" in test["output"] for test in shown)


def test_a_notebook_that_may_be_missing_is_not_counted(known, tmp_path):
    optional = single.replace(known, optional=frozenset(known.notebooks))
    assert single.grade(tmp_path, optional).checks == []


def test_a_released_notebook_is_enough_for_its_visible_checks(sandboxed, blank_course, hand_in):
    known = single.from_release(blank_course / "lab" / ASSIGNMENT)
    graded = single.grade(hand_in(wrong), known)
    assert {check.name: check.points for check in graded.checks} == POINTS
    assert 0 < graded.checks[0].score < 2 and graded.checks[1].score == 4


THIEF = """import os, subprocess, sys
open({tell!r}, "w").write(str(os.getuid()))
for path in {secrets!r}:
    try:
        stolen = open(path).read()
        open({tell!r} + "-stolen", "w").write(stolen)
    except OSError:
        pass
try:
    open({results!r}, "w").write("forged")
except OSError:
    pass
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a kernel to another user id")
def test_without_a_sandbox_the_code_of_a_student_has_a_user_id_of_its_own(
    blank_course, hand_in, tmp_path
):
    """In a mount namespace where that user reaches Python, as in Gradescope's image."""
    private, open_to_all = tmp_path / "source", Path("/tmp")
    private.mkdir(mode=0o700)
    course, results = stand_in.copy_course(blank_course, private / "course"), private / "results.json"
    tell = open_to_all / f"told-{os.getpid()}"
    secrets = [str(course / "hidden-tests.key"), str(course / "nbgrader_config.py")]
    thief = THIEF.format(tell=str(tell), secrets=secrets, results=str(results))

    def steal(notebook) -> None:
        cell = cell_named(notebook, "gaussian")
        cell.source = f"{thief}\n{cell.source}"

    base = Path(sys.base_prefix).resolve()
    reach = ["--dev-bind", "/", "/", "--perms", "0755", "--tmpfs", "/root"]
    for parent in reversed([p for p in base.parents if Path("/root") in p.parents]):
        reach += ["--dir", str(parent)]
    command = [
        *("bwrap", *reach, "--ro-bind", str(base), str(base), "--cap-add", "ALL"),
        *(sys.executable, "-m", "utilities.grading.single", ASSIGNMENT, str(hand_in(steal))),
        *("--course", str(course), "--other-user", "--gradescope", str(results)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    try:
        assert done.returncode == 0, done.stderr
        assert int(tell.read_text()) >= FIRST_USER_ID
        assert not Path(f"{tell}-stolen").exists()
        assert json.loads(results.read_text())["score"] == 6
        command = ["ps", "-u", tell.read_text(), "-o", "stat="]
        left = subprocess.run(command, capture_output=True, text=True).stdout.split()
        alive = [state for state in left if not state.startswith("Z")]  # a dead one may wait for init
        assert alive == [], "what the code left running is ended"
    finally:
        tell.unlink(missing_ok=True)


def test_the_zip_for_gradescope_holds_two_scripts_the_course_and_pins(tmp_path):
    wheel = tmp_path / "attention_lab_kit-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    files = gradescope_zip.contents("vision_transformer", wheel, b"secret")
    assert {"setup.sh", "run_autograder", "requirements.txt", "requirements.lock", wheel.name} < set(
        files
    )
    assert files["course/hidden-tests.key"] == b"secret"
    assert sum(name.startswith("course/solutions/vision_transformer/") for name in files) == 2
    assert (
        b"single vision_transformer" in files["run_autograder"] and b"@" not in files["run_autograder"]
    )
    for name in ("setup.sh", "run_autograder"):
        assert files[name].startswith(b"#!/usr/bin/env bash\n")
        subprocess.run(["bash", "-n"], input=files[name], check=True)
    pins = files["requirements.lock"].decode()
    for package in files["requirements.txt"].decode().split():
        assert f"\n{package}==" in f"\n{pins}".replace("_", "-").lower() or f"\n{package}[" in pins
    assert "pytest" not in files["requirements.txt"].decode()


def test_the_workflow_of_a_students_repository_calls_what_there_is():
    workflow = yaml.safe_load((ROOT / "tools/elsewhere/check.yml").read_text())
    steps = workflow["jobs"]["checks"]["steps"]
    commands = "\n".join(step.get("run", "") for step in steps)
    assert "python -m utilities.grading.single" in commands and "--classroom50" in commands
    assert "-r requirements.txt" in commands


def test_the_autograder_of_classroom_50_installs_and_calls_what_there_is(tmp_path, monkeypatch):
    shutil.copy(ROOT / "tools/elsewhere/autograder.py", tmp_path)
    wheel = tmp_path / "attention_lab_kit-0.1.0-py3-none-any.whl"
    wheel.touch()
    monkeypatch.setenv("ASSIGNMENT", "vision-transformer")
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda call, check: calls.append(call))
    runpy.run_path(str(tmp_path / "autograder.py"))
    install, grade = calls
    assert install[1:4] == ["-m", "pip", "install"] and install[-1] == str(wheel)
    assert grade[1:3] == ["-m", "utilities.grading.single"]
    monkeypatch.setattr(
        single, "_grade", lambda options: calls.append(options) or single.Single([], [])
    )
    monkeypatch.chdir(tmp_path)
    assert single.main(grade[3:]) == 0
    assert (calls[-1].assignment, str(calls[-1].folder), calls[-1].unsafe) == (
        *("vision_transformer", "vision_transformer"),
        True,
    )
    assert json.loads((tmp_path / "result.json").read_text())["schema"] == single.SCHEMA

"""`lab grade` and stock nbgrader, as an instructor calls them."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from unittest import mock

import nbformat
import pytest
from nbconvert.exporters import NotebookExporter
from nbgrader.apps import NbGraderAPI

from tests.grading import course as stand_in
from tests.grading.scenarios import inside
from utilities.commands import lab
from utilities.grading import sandbox

LAB = [sys.executable, "-m", "utilities.commands.lab", "grade", stand_in.ASSIGNMENT]


def lab_grade(course: Path, *options: str) -> subprocess.CompletedProcess:
    """Run `lab grade` in a process of its own: children forked beside TensorFlow's threads may hang."""
    return run_lab_grade(course, *options)


def lab_command(course: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Call a command that grades nothing in this process, which has imported all that it needs."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(course),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(os.environ, COLUMNS="120"),
    ):
        status = lab.main([*arguments])
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def run_lab_grade(course: Path, *options: str, **environment: str) -> subprocess.CompletedProcess:
    """Run `lab grade` as an instructor does."""
    return subprocess.run(
        [*LAB, *options], cwd=course, capture_output=True, text=True, timeout=300,
        env={**os.environ, "COLUMNS": "120", **environment},
    )  # fmt: skip


@pytest.fixture
def course(blank_course, tmp_path):
    return stand_in.copy_course(blank_course, tmp_path / "course")


def hand_in_three(course):
    """Hand in a right submission, a wrong one, and one that cannot be read."""
    stand_in.hand_in(course, "right", stand_in.solved(course))
    wrong = stand_in.solved(course)
    inside("return np.exp(-np.square(distance) / sigma**2)")(wrong)
    stand_in.hand_in(course, "wrong", wrong)
    broken = stand_in.hand_in(course, "broken", stand_in.solved(course))
    (broken / "kernels.ipynb").write_text("{")


@pytest.fixture
def handed_in(course):
    hand_in_three(course)
    return course


def test_grades_a_class_and_says_so(sandboxed, handed_in):
    done = run_lab_grade(handed_in, "--json", "table.json")
    assert done.returncode == 0, done.stderr
    assert "right" in done.stdout and "6 / 9" in done.stdout
    table = json.loads((handed_in / "table.json").read_text())
    points = {row["student"]: (row["score"], row["status"]) for row in table["rows"]}
    assert points == {
        "right": (6.0, "graded"), "wrong": (5.5, "graded"), "broken": (0.0, "nothing to grade")
    }  # fmt: skip
    assert stand_in.scores(handed_in, "right") == stand_in.POINTS
    again = lab_grade(handed_in)
    assert again.returncode == 0
    assert again.stdout.count("│ kept") == 3
    submission = handed_in / "submitted" / "wrong" / "kernels" / "kernels.ipynb"
    nbformat.write(stand_in.solved(handed_in), submission)
    fixed = lab_grade(handed_in)
    assert fixed.stdout.count("│ kept") == 2
    assert stand_in.scores(handed_in, "wrong") == stand_in.POINTS
    (handed_in / "gradebook.db").unlink()
    assert stand_in.write_gradebook(handed_in)
    assert lab_grade(handed_in, "--student", "right").stdout.count("│ graded") == 1


def test_feedback_holds_reports_and_nothing_hidden(sandboxed, handed_in):
    notebook = stand_in.solved(handed_in)
    stand_in.cell_named(notebook, "gaussian").source += "\nimport numpy.linalg\nnumpy.linalg.inv('a')"
    stand_in.hand_in(handed_in, "loud", notebook)
    assert lab_grade(handed_in).returncode == 0
    result = NbGraderAPI(config=stand_in.config(handed_in)).generate_feedback("kernels")
    assert result["success"], result["log"]
    pages = {
        page.parents[1].name: page.read_text() for page in (handed_in / "feedback").glob("*/*/*.html")
    }
    assert set(pages) == {"right", "wrong", "broken", "loud"}
    assert re.search(r"gaussian: all \d findings hold", pages["right"])
    assert "not marked yet: its points are still to come" in pages["right"]
    assert "the 2 below the fraction bar is missing" in pages["wrong"]
    assert "no valid JSON" in pages["broken"]
    assert "LinAlgError" in pages["loud"]
    assert not list((handed_in / "feedback").rglob("*.json"))
    for page in pages.values():
        text = re.sub(r"<style.*?</style>|<script.*?</script>|<[^>]*>", "", page, flags=re.DOTALL)
        for hidden in (
            "1009",
            "7919",
            "thorough",
            "HIDDEN",
            sys.prefix,
            str(handed_in),
            "oracles.py",
        ):
            assert hidden not in text, hidden


def test_stock_autograde_is_as_safe(sandboxed, handed_in, monkeypatch):
    monkeypatch.chdir(handed_in)
    killer = stand_in.solved(handed_in)
    inside("import os; os._exit(0)")(killer)
    stand_in.hand_in(handed_in, "killer", killer)
    stock = [sys.executable, "-m", "nbgrader", "autograde", "kernels"]
    for student in ("broken", "wrong"):
        shutil.rmtree(handed_in / "submitted" / student)
    secret = handed_in / "secret.txt"
    secret.write_text("a secret")
    curious = stand_in.solved(handed_in)
    curious.cells.append(nbformat.v4.new_code_cell("print(open('link.txt').read())"))
    (stand_in.hand_in(handed_in, "curious", curious) / "link.txt").symlink_to(secret)
    subprocess.run(stock, check=True, capture_output=True, cwd=handed_in)
    assert stand_in.scores(handed_in, "right") == stand_in.POINTS
    assert stand_in.scores(handed_in, "killer") == {**stand_in.POINTS, "check_gaussian": 0.0}
    shown = (handed_in / "autograded/curious/kernels/kernels.ipynb").read_text()
    assert "a secret" not in shown
    graded = nbformat.read(handed_in / "autograded/right/kernels/kernels.ipynb", 4)
    assert graded.metadata["attention_lab"]["unsafe"] is False


def test_goes_on_after_an_interruption(sandboxed, course):
    slow = stand_in.solved(course)
    slow.cells.append(nbformat.v4.new_code_cell("import time; time.sleep(3600)"))
    for number in range(3):
        stand_in.hand_in(course, f"quick{number}", stand_in.solved(course))
    stand_in.hand_in(course, "slow", slow)
    running = subprocess.Popen([*LAB, "--workers", "1"], cwd=course, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    _wait_for(lambda: (course / "autograded" / "quick2" / "kernels" / "lab-grade.json").exists())
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "goes on from here" in out
    assert not (course / "autograded" / "slow").exists() or not list(
        (course / "autograded" / "slow").rglob("*.ipynb")
    )
    nbformat.write(stand_in.solved(course), course / "submitted/slow/kernels/kernels.ipynb")
    again = lab_grade(course)
    assert again.returncode == 0
    assert again.stdout.count("│ kept") == 3
    assert stand_in.scores(course, "slow") == stand_in.POINTS


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["nonexistent"], "knows no assignment nonexistent"),
        (["kernels"], "Nothing was handed in"),
        (["kernels", "--student", "nobody"], "Nothing was handed in"),
        (["kernels", "--course", "submitted"], "No nbgrader_config.py"),
    ],
)
def test_refuses_with_a_reason(sandboxed, course, options, reason):
    done = lab_command(course, "grade", *options)
    assert done.returncode == 2
    assert reason in re.sub(r"\s+", " ", done.stdout)


def test_the_way_out_of_a_new_gradebook_works_although_the_release_is_there(sandboxed, handed_in):
    (handed_in / "gradebook.db").unlink()
    refused = lab_grade(handed_in)
    (told,) = re.findall(r"Run: (nbgrader .+)", " ".join(refused.stdout.split()))
    learned = subprocess.run(shlex.split(told), cwd=handed_in, capture_output=True, text=True)
    assert refused.returncode == 2 and learned.returncode == 0, learned.stderr
    assert lab_grade(handed_in).returncode == 0


def test_without_bubblewrap_it_refuses_and_names_the_way_out(handed_in, monkeypatch):
    monkeypatch.setattr(sandbox, "_which", lambda name: None if name == "bwrap" else shutil.which(name))
    with pytest.raises(sandbox.SandboxUnavailable, match="apt-get install bubblewrap.*--unsafe"):
        sandbox.check_available()


def test_unsafe_says_so_everywhere(handed_in):
    done = lab_grade(handed_in, "--unsafe", "--json", "table.json", "--student", "right")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("UNSAFE") >= 2
    (row,) = json.loads((handed_in / "table.json").read_text())["rows"]
    assert row["unsafe"] is True
    assert row["score"] == 6.0


def test_a_course_that_cannot_be_judged_is_refused(course):
    source = stand_in.source_notebook()
    stand_in.cell_named(source, "check_gaussian").source = "assert gaussian(0) == 1"
    nbformat.write(source, course / "solutions/kernels/kernels.ipynb")
    assert not stand_in.write_gradebook(course), "`lab check` refuses it"
    settings = stand_in.config(course)
    settings.GenerateAssignment.exporter_class = NotebookExporter  # as a gradebook of another making
    made = NbGraderAPI(config=settings).generate_assignment("kernels", force=True)
    assert made["success"], made["log"]
    stand_in.hand_in(course, "right", stand_in.solved(course))
    done = lab_grade(course)
    assert done.returncode == 2
    assert "calls no check of the kit" in re.sub(r"\s+", " ", done.stdout)


def _wait_for(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests run as an ordinary user already")
def test_an_ordinary_user_grades_too(sandboxed, blank_course):
    """Root runs the tests: grade once as nobody, with Python and kit where nobody can read them."""
    with tempfile.TemporaryDirectory(prefix="lt") as folder:
        course = stand_in.copy_course(blank_course, Path(folder) / "course")
        stand_in.hand_in(course, "right", stand_in.solved(course))
        killer = stand_in.solved(course)
        inside("import os; os._exit(0)")(killer)
        stand_in.hand_in(course, "killer", killer)
        for path in (Path(folder), *Path(folder).rglob("*")):
            shutil.chown(path, "nobody")
        nobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        libraries = sysconfig.get_paths()["purelib"]
        needed = {sys.base_prefix, sys.prefix, libraries, str(stand_in.ROOT)}
        run = f"\ncd '{course}'\nexec {shlex.join([*nobody, *LAB])}"
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", _readable(sorted(needed)) + run],
            capture_output=True, text=True, timeout=300,
            env={**os.environ, "HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert stand_in.scores(course, "right") == stand_in.POINTS
        assert stand_in.scores(course, "killer") == {**stand_in.POINTS, "check_gaussian": 0.0}


def _readable(paths: list[str]) -> str:
    """Return shell commands that make folders reachable whose parents only root may enter."""
    hidden = [path for path in paths if _closed_parent(path)]
    store = [f"mkdir -p /mnt/{n}; mount --bind '{p}' /mnt/{n}" for n, p in enumerate(hidden)]
    closed = sorted({str(_closed_parent(path)) for path in hidden})
    cover = [f"mount -t tmpfs -o mode=755 none '{parent}'" for parent in closed]
    show = [f"mkdir -p '{p}'; mount --bind /mnt/{n} '{p}'" for n, p in enumerate(hidden)]
    return "\n".join(["mount -t tmpfs none /mnt", *store, *cover, *show])


def _closed_parent(path: str) -> Path | None:
    parents = [*reversed(Path(path).parents), Path(path)]
    return next((parent for parent in parents if not parent.stat().st_mode & 0o001), None)

"""The page "Your own course": each command on it, in its order, from nothing to grades.csv."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

from tests.course import ROOT
from tests.grading import course as stand_in

PAGE = (ROOT / "docs" / "your-own-course.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
EXCHANGE = "/srv/nbgrader/exchange"
ASSIGNMENT = "vision_transformer"
KEPT = "question_01_nadaraya_watson"  # the last cell of the shortened lesson
SHARED = """c = get_config()
c.CourseDirectory.course_id = "vision-2027"
c.Exchange.root = {root!r}
"""


class Instructor:
    """Somebody who calls what the page says, in one terminal."""

    def __init__(self, folder: Path, kit: Path):
        self.top, self.place, self.said = folder, folder, ""
        self.exchange = folder / "exchange"
        self.exchange.mkdir(mode=0o777)
        self.exchange.chmod(0o777)
        jupyter = folder / "jupyter"
        jupyter.mkdir()
        (jupyter / "nbgrader_config.py").write_text(SHARED.format(root=str(self.exchange)))
        binaries = Path(sys.executable).parent
        self.environment = {
            **os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "JUPYTER_CONFIG_DIR": str(jupyter), "COLUMNS": "200", "PYTHONPATH": str(kit),
        }  # fmt: skip

    @property
    def course(self) -> Path:
        return self.top / "vision-2027"

    def call(self, block: str, status: int = 0) -> str:
        """Run a block as bash does, stay where it leads, return what it printed."""
        block = block.replace(EXCHANGE, str(self.exchange))
        done = subprocess.run(
            ["bash", "-ec", f"{block}\npwd > '{self.top}/place'"], cwd=self.place, text=True,
            env=self.environment, capture_output=True, timeout=800, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.said = done.stdout + done.stderr
        assert done.returncode == status, f"{block}\n{self.said}"
        if not status:
            self.place = Path((self.top / "place").read_text().strip())
        return self.said

    def serve(self, block: str) -> None:
        """Start JupyterLab, wait until it serves, end it."""
        command = [*block.split(), "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
        process = subprocess.Popen(
            command, cwd=self.place, env=self.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            assert any("http://127.0.0.1:" in line for line in lines)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def change(self, change: Callable[[nbformat.NotebookNode], None]) -> None:
        path = self.course / "solutions" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        change(notebook)
        nbformat.write(notebook, path)

    def scores(self) -> dict[str, float]:
        with Gradebook(f"sqlite:///{self.course}/gradebook.db", "vision-2027") as gradebook:
            return {s.student_id: s.score for s in gradebook.assignment_submissions(ASSIGNMENT)}


def shortened(notebook: nbformat.NotebookNode) -> None:
    """Leave out all after the first section, and give the first exercise other points."""
    last = notebook.cells.index(stand_in.cell_named(notebook, KEPT))
    del notebook.cells[last + 1 :]
    stand_in.cell_named(notebook, "check_gaussian").metadata.nbgrader.points = 4
    title = notebook.cells[0]
    rows = [line for line in title.source.split("\n") if not re.match(r"\| [2-8] ", line)]
    title.source = "\n".join(rows)


def hand_in(instructor: Instructor) -> None:
    """Ada hands a right notebook in, Bob the one he got, both through the exchange."""
    home = instructor.top / "student"
    home.mkdir()
    nbgrader = [sys.executable, "-m", "nbgrader"]
    environment = {**instructor.environment, "HOME": str(home)}
    for command in (["list"], ["fetch_assignment", ASSIGNMENT]):
        told = subprocess.run([*nbgrader, *command], cwd=home, env=environment, capture_output=True,
                              text=True, check=True)  # fmt: skip
        assert ASSIGNMENT in told.stdout + told.stderr
    path = home / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    solved = stand_in.solved(instructor.course, ASSIGNMENT)
    for student, notebook in (("bob", nbformat.read(path, as_version=4)), ("ada", solved)):
        nbformat.write(notebook, path)
        submit = [*nbgrader, "submit", ASSIGNMENT, f"--student={student}"]
        subprocess.run(submit, cwd=home, env=environment, check=True, capture_output=True)


@pytest.mark.timeout(2400)
def test_a_course_is_made_by_the_page_alone(sandboxed, kit, tmp_path):
    began = time.monotonic()
    instructor = Instructor(tmp_path, kit)
    blocks = iter(BLOCKS)

    def read_on(*beginnings: str) -> str:
        """Call the next blocks, which begin as said; return what the last one printed."""
        for beginning in beginnings:
            block = next(blocks)
            assert block.startswith(beginning), block
            instructor.call(block)
        return instructor.said

    assert "In order: vision_transformer" in read_on("cat > students.csv", "lab new vision-2027")
    (instructor.course / "solutions" / ASSIGNMENT / "pretrained_models.ipynb").unlink()
    instructor.change(shortened)
    assert "In order" in read_on("lab check --fix")
    read_on("lab new --check", "nbgrader generate_assignment")
    hand_in(instructor)
    read_on("nbgrader collect", "lab grade")
    assert instructor.scores() == {"ada": 10.0, "bob": 0.0}
    read_on("cp gradebook.db")
    instructor.serve(next(blocks))
    read_on("nbgrader generate_feedback")
    assert "ada" in (instructor.course / "grades.csv").read_text()
    assert (instructor.course / "feedback" / "ada" / ASSIGNMENT / f"{ASSIGNMENT}.html").is_file()

    check = "check_nadaraya_watson"
    instructor.change(lambda nb: stand_in.cell_named(nb, check).metadata.nbgrader.update(points=6))
    instructor.call("lab check --fix", status=1)  # release and gradebook are behind
    block = next(blocks)
    assert block.startswith("lab check vision_transformer\n")
    instructor.call(block.replace("lab check vision_transformer\n", ""))
    assert "without running anything" in instructor.said
    assert instructor.scores() == {"ada": 12.0, "bob": 0.0}

    new = stand_in._marked(new_code_cell("print(1)", id="new"), "new", locked=True)
    instructor.change(lambda nb: nb.cells.append(new))
    assert "Nothing was changed" in instructor.call(
        f"nbgrader generate_assignment {ASSIGNMENT} --force", status=1
    )
    read_on("cp gradebook.db gradebook-before.db", "lab check --run")
    assert instructor.scores() == {"ada": 12.0, "bob": 0.0}
    assert next(blocks, None) is None
    print(f"A course by the page alone: {time.monotonic() - began:.0f} s")

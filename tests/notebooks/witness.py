"""What the grader runs in a kernel, written down before its outputs are cleaned and stored.

The stored notebook cannot tell: the grader folds stderr into stdout, and keeps no times.
"""

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from utilities.grading.execute import CourseExecute
from utilities.grading.session import Outcome, Session

FILE = "witnessed.jsonl"
WITNESSED = """
import sys
sys.path.insert(0, {root!r})
from tests.notebooks.witness import watch
watch()
"""  # at the end of a course's nbgrader_config.py


@dataclass(frozen=True)
class Run:
    """One source that a kernel ran: a cell, or a question of the grader's; processor seconds."""

    student: str
    source: str
    seconds: float
    stderr: str
    errors: list[str]


def watch(folder: Path = Path()) -> None:
    """Write down what every kernel of this process runs from now on.

    nbgrader reads its configuration several times; the first time counts. The kernels belong to
    another process, made beforehand, so a file tells it whose submission comes next.
    """
    if hasattr(Session, "witnessed"):
        return
    Session.witnessed = True
    turn = folder / "student.txt"
    preprocess, run = CourseExecute.preprocess, Session.run

    def preprocess_witnessed(self, nb, resources=None, km=None):
        turn.write_text(resources["nbgrader"]["student"])
        return preprocess(self, nb, resources, km)

    async def run_witnessed(self, source: str, seconds: float, noted: bool = True) -> Outcome:
        before = _processor_seconds(self)
        outcome = await run(self, source, seconds, noted)
        spent = _processor_seconds(self) - before
        record = Run(turn.read_text(), source, spent, _stderr(outcome), _errors(outcome))
        with (folder / FILE).open("a") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        return outcome

    CourseExecute.preprocess, Session.run = preprocess_witnessed, run_witnessed


def read_runs(folder: Path) -> list[Run]:
    return [Run(**json.loads(line)) for line in (folder / FILE).read_text().splitlines()]


def slow(runs: list[Run], limit: float) -> list[Run]:
    """Return the runs that took longer than so many seconds."""
    return [run for run in runs if run.seconds > limit]


def _processor_seconds(session: Session) -> float:
    """Return the processor time of a kernel so far, which other programs do not add to."""
    spent = 0.0
    if session.alive:
        with contextlib.suppress(psutil.Error):
            sandbox = psutil.Process(session.manager.provisioner.pid)
            for process in [sandbox, *sandbox.children(recursive=True)]:
                spent += sum(process.cpu_times()[:4])
    return spent


def _stderr(outcome: Outcome) -> str:
    return "".join(o.text for o in outcome.outputs if o.get("name") == "stderr")


def _errors(outcome: Outcome) -> list[str]:
    return [f"{o.ename}: {o.evalue}" for o in outcome.outputs if o.output_type == "error"]

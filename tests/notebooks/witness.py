"""What the grader runs in a kernel, written down before its outputs are cleaned and stored.

The stored notebook cannot tell: the grader folds stderr into stdout, and keeps no times.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

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
    """One source that a kernel ran: a cell, or a question of the grader's."""

    student: str
    source: str
    seconds: float
    stderr: str
    errors: list[str]


def watch(folder: Path = Path()) -> None:
    """Write down what every kernel of this process runs from now on.

    nbgrader reads its configuration several times; the first time counts.
    """
    if hasattr(Session, "witnessed"):
        return
    Session.witnessed = True
    student = ""
    preprocess, run = CourseExecute.preprocess, Session.run

    def preprocess_witnessed(self, nb, resources=None, km=None):
        nonlocal student
        student = resources["nbgrader"]["student"]
        return preprocess(self, nb, resources, km)

    async def run_witnessed(self, source: str, seconds: float, noted: bool = True) -> Outcome:
        began = time.monotonic()
        outcome = await run(self, source, seconds, noted)
        record = Run(student, source, time.monotonic() - began, _stderr(outcome), _errors(outcome))
        with (folder / FILE).open("a") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        return outcome

    CourseExecute.preprocess, Session.run = preprocess_witnessed, run_witnessed


def read_runs(folder: Path) -> list[Run]:
    return [Run(**json.loads(line)) for line in (folder / FILE).read_text().splitlines()]


def slow(runs: list[Run], limit: float) -> list[Run]:
    """Return the runs that took longer than so many seconds."""
    return [run for run in runs if run.seconds > limit]


def _stderr(outcome: Outcome) -> str:
    return "".join(o.text for o in outcome.outputs if o.get("name") == "stderr")


def _errors(outcome: Outcome) -> list[str]:
    return [f"{o.ename}: {o.evalue}" for o in outcome.outputs if o.output_type == "error"]

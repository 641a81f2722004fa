"""Execute a submission: every cell in the sandbox, graded cells judged outside it.

A cell that kills its kernel, or that nothing interrupts, costs what depends on it and no more:
the kernel is started again, the cells before it are replayed once, it is marked, and the rest
goes on. Graded cells are not part of a replay: each is observed once, in its own place.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader import utils
from nbgrader.preprocessors import Execute
from traitlets import Bool, Float, Integer, List, Unicode

from utilities.checks.core.report import Finding
from utilities.grading import apart, sandbox
from utilities.grading.handed_in import not_run, shown_as_handed_in
from utilities.grading.judge import Answer, Verdict, judge_cell
from utilities.grading.markup import as_markdown, printable
from utilities.grading.outputs import clean_outputs
from utilities.grading.sandbox import Limits
from utilities.grading.sanitize import RECORD as REPAIRS
from utilities.grading.secret import course_secret
from utilities.grading.session import DIED, OVERDUE, START_SECONDS, Outcome, Session

RECORD = "attention_lab"  # the notebook's metadata entry that says how it was graded
FRACTIONS = "fractions"  # in a graded cell's metadata: what part of each check's findings held
FINDINGS = "findings"  # beside it: what the check that decides has found
LARGEST_FILE = 50 << 20
MEMORY = 2 << 30  # bytes of the process that talks to a submission's kernel and judges it
HALF, LEFT_BEHIND = 0.5, 0.25  # of a limit: used in all, and by one check: the next might starve
SHORTEST_WAIT = 5  # after several cells ran out of their time, one fifth of it is left


@dataclass
class Record:
    """How a notebook was graded: remarks for the student, trouble for a person, and the time.

    cpu_seconds: of its kernels, and of this process, which judges what they send.
    """

    remarks: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    restarts: int = 0
    unsafe: bool = False


class CourseExecute(Execute):
    """nbgrader's Execute, with the kernel in a sandbox and the judging outside it."""

    unsafe = Bool(
        False, help="Run students' code with the grader's own rights, without a sandbox."
    ).tag(config=True)
    rerun_all = Bool(
        False, help="Run also the cells that only train or show, in place of keeping what they showed."
    ).tag(config=True)
    timeout = Integer(300, help="Seconds that one cell may run.", allow_none=True).tag(config=True)
    notebook_timeout = Float(3600.0, help="Seconds that one notebook may run.").tag(config=True)
    grace = Float(
        Limits.grace_seconds, help="Seconds to react to an interrupt before the kernel is ended."
    ).tag(config=True)
    memory = Integer(Limits.memory, help="Bytes of memory of one submission.").tag(config=True)
    home = Integer(Limits.home, help="Bytes of files of one submission.").tag(config=True)
    processes = Integer(Limits.processes, help="Processes and threads of one submission.").tag(
        config=True
    )
    max_output_bytes = Integer(Limits.cell_output, help="Bytes that one cell may show.").tag(
        config=True
    )
    max_restarts = Integer(Limits.restarts, help="How often a dead kernel is replaced.").tag(
        config=True
    )

    optional_notebooks = List(
        Unicode(), help="Notebooks, by name, that need not be handed in: their points come on top."
    ).tag(config=True)

    @property
    def limits(self) -> Limits:
        """Return the configured limits."""
        return Limits(
            cell_seconds=self.timeout or self.notebook_timeout,
            notebook_seconds=self.notebook_timeout,
            grace_seconds=self.grace,
            memory=self.memory,
            home=self.home,
            processes=self.processes,
            cell_output=self.max_output_bytes,
            restarts=self.max_restarts,
        )

    def preprocess(self, nb: NotebookNode, resources: Any = None, km: Any = None) -> tuple:
        """Execute and judge a notebook; the files beside it come along, other notebooks do not."""
        if self.unsafe:
            self.log.warning("UNSAFE: students' code runs with your own rights, without a sandbox.")
        else:
            sandbox.check_available()
        with tempfile.TemporaryDirectory(prefix="lab-files-") as folder:
            copy_files(self._handed_in(resources), Path(folder))
            course = self.parent.parent.coursedir
            secret = course_secret(Path(course.root), course.groupshared)
            rest = Path(folder), self.limits, self.unsafe, self.rerun_all, secret
            nb = apart.run(execute_notebook, nb, *rest, bounds=bounds(self.limits, 1))
        for trouble in nb.metadata[RECORD]["trouble"]:
            self.log.error("A person should look at this: %s", trouble)
        put_remarks(nb)
        return nb, resources

    def _handed_in(self, resources: Any) -> Path:
        """Return the folder that was handed in: nbgrader follows links when it copies it."""
        names, course = resources["nbgrader"], self.parent.parent.coursedir
        folder = course.format_path(course.submitted_directory, names["student"], names["assignment"])
        return Path(folder)


def execute_notebook(
    nb: NotebookNode,
    files: Path,
    limits: Limits,
    unsafe: bool = False,
    rerun_all: bool = False,
    secret: bytes = b"",
) -> NotebookNode:
    """Execute and judge a repaired notebook in place; it needs no gradebook.

    files: a folder with what stands beside the notebook, without notebooks.
    secret: the course's, from which the seeds of hidden tests follow.
    """
    skipped = set() if rerun_all else not_run(nb.cells)
    return run_sync(_Run(nb, files, limits, unsafe, skipped, secret).execute)()


def bounds(limits: Limits, notebooks: int) -> apart.Bounds:
    """Return what the process that executes notebooks may use, their kernels not counted."""
    one = limits.notebook_seconds + limits.grace_seconds + START_SECONDS
    seconds = max(notebooks, 1) * one
    return apart.Bounds(seconds, seconds, MEMORY)


def copy_files(source: Path, target: Path) -> list[str]:
    """Copy a submission's plain files; return remarks on what is left out."""
    remarks = []
    for path in sorted(source.rglob("*")) if source.is_dir() else []:
        name = path.relative_to(source)
        if path.is_symlink():
            remarks.append(f"The link {printable(str(name))} is not followed.")
        elif path.is_file() and path.suffix != ".ipynb":
            if path.stat().st_size > LARGEST_FILE:
                remarks.append(f"The file {printable(str(name))} is left out: too large.")
                continue
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)
    return remarks


def is_judged(cell: NotebookNode) -> bool:
    """Return whether a cell is graded by a check: code of the instructor's, with points."""
    return cell.cell_type == "code" and utils.is_grade(cell) and not utils.is_solution(cell)


def write_verdict(cell: NotebookNode, verdict: Verdict) -> None:
    """Write the report that decides and the score as a cell's outputs, where nbgrader reads them.

    The same check runs with several seeds; the worst of its reports says all that there is to fix.
    """
    report = min(verdict.reports, key=lambda report: report.fraction)
    shown = {"text/html": report._repr_html_(), "text/plain": str(report)}
    result = new_output("execute_result", {"text/plain": f"{verdict.score:g}"}, execution_count=None)
    cell.outputs = [new_output("display_data", shown), result]
    cell.metadata[RECORD] = {
        FRACTIONS: [report.fraction for report in verdict.reports],
        FINDINGS: {"exercise": report.exercise, "findings": [_kept(f) for f in report.findings]},
    }


def _kept(finding: Finding) -> dict[str, Any]:
    """Return what is kept of a finding beside the grade; details show what a student computed."""
    return {name: value for name, value in asdict(finding).items() if name != "detail"}


class _Run:
    """One execution of one notebook."""

    def __init__(
        self,
        nb: NotebookNode,
        files: Path,
        limits: Limits,
        unsafe: bool,
        skipped: Set[int] = frozenset(),
        secret: bytes = b"",
    ):
        self.nb, self.limits, self.skipped, self.secret = nb, limits, skipped, secret
        self.session = Session(files, limits, unsafe)
        self.record = Record(unsafe=unsafe)
        self.culprits: set[int] = set()
        self.verdicts: dict[int, Verdict] = {}
        self.held: set[str] = set()  # the steps whose own checks hold
        self.reached = self.overdue = 0
        self.patient = False

    async def execute(self) -> NotebookNode:
        """Execute the notebook and return it."""
        began, cpu_began = time.monotonic(), time.process_time()
        self.deadline = began + self.limits.notebook_seconds
        try:
            await self.session.start()
            for index, cell in self._code_cells():
                self.reached = index
                await (self._judge(index, cell) if is_judged(cell) else self._run_cell(index, cell))
        finally:
            await self.session.end()
        for index, verdict in self.verdicts.items():  # with the kernel gone, nothing changes them
            write_verdict(self.nb.cells[index], verdict)
            self.record.trouble += verdict.trouble
        self.record.seconds = round(time.monotonic() - began, 2)
        cpu_seconds = self.session.cpu_seconds + time.process_time() - cpu_began
        self.record.cpu_seconds = round(cpu_seconds, 2)
        self.record.restarts = self.session.starts - 1
        self.nb.metadata[RECORD] = vars(self.record)
        return self.nb

    def _code_cells(self) -> Iterator[tuple[int, NotebookNode]]:
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type == "code":
                kept = shown_as_handed_in(cell.outputs) if index in self.skipped else []
                cell.outputs, cell.execution_count = kept, None
                if cell.source.strip() and index not in self.skipped:
                    yield index, cell

    async def _run_cell(self, index: int, cell: NotebookNode) -> None:
        """Run a cell of the student's, or a locked one, and keep what it shows."""
        lost = await self._ready()
        outcome = Outcome(stopped=lost) if lost else await self._run_twice(cell.source)
        cell.outputs = clean_outputs(outcome.outputs)
        cell.execution_count = outcome.count
        if lost:
            cell.outputs = [_stopped(lost)]
        if outcome.died:
            self._blame(index, outcome.stopped)

    async def _judge(self, index: int, cell: NotebookNode) -> None:
        """Judge a graded cell; the judging runs beside the loop that talks to the kernel."""
        loop = asyncio.get_running_loop()

        def ask(source: str) -> Answer:
            return asyncio.run_coroutine_threadsafe(self._answer(index, source), loop).result()

        points = float(cell.metadata.nbgrader["points"])
        self.verdicts[index] = await asyncio.to_thread(
            judge_cell, cell.source, points, ask, self.held, self.secret
        )

    async def _answer(self, index: int, source: str) -> Answer:
        lost = await self._ready()
        if lost:
            return Answer(lost=lost)
        before = self.session.share_used()
        outcome = await self._run_twice(source, noted=False)
        if outcome.died:
            self._blame(index, outcome.stopped)
        elif self._would_starve(before):
            await self.session.end()  # the next check begins with a kernel that has room
        if outcome.stopped:
            return Answer(lost=outcome.stopped)
        if not outcome.answers:
            errors = [o for o in outcome.outputs if o.output_type == "error"]
            reason = f" ({errors[0].ename}: {errors[0].evalue[:300]})" if errors else ""
            return Answer(lost=f"Your kernel sent no observations for this check{reason}.")
        return Answer(outcome.answers)

    def _would_starve(self, before: float) -> bool:
        """Return whether a check has left little room; a kernel is kept for one that dies.

        before: the share of the limits that was used before the check.
        """
        used = self.session.share_used()
        return used > max(HALF, before + LEFT_BEHIND) and self.session.starts < self.limits.restarts

    async def _run_twice(self, source: str, noted: bool = True) -> Outcome:
        """Run a source, and once more where the kernel went suddenly: an earlier cell may be why.

        A request of the grader's (not `noted`) is also repeated where its answer got lost.
        """
        outcome = await self._run(source, noted)
        unanswered = not noted and outcome.cut and not outcome.answers
        if not (outcome.sudden or unanswered) or await self._ready():
            return outcome
        return await self._run(source, noted)

    async def _run(self, source: str, noted: bool = True) -> Outcome:
        """Run a source; what runs endlessly once does so wherever it is called, so waits shrink."""
        seconds = self.limits.cell_seconds / min(2**self.overdue, SHORTEST_WAIT)
        seconds = min(seconds, max(self.deadline - time.monotonic(), 1.0))
        outcome = await self.session.run(source, seconds, noted)
        self.overdue += outcome.stopped == OVERDUE
        return outcome

    async def _ready(self) -> str:
        """Have a kernel that has run all earlier cells; return why there is none, if so."""
        while not self.session.alive:
            if time.monotonic() > self.deadline:
                return "Not executed: the notebook has used up its time."
            if self.session.starts > self.limits.restarts:
                return "Not executed: the kernel died too often."
            await self.session.start()
            await self._replay()
        if time.monotonic() > self.deadline:
            return "Not executed: the notebook has used up its time."
        return ""

    async def _replay(self) -> None:
        """Run the cells before the present one again, those left out that ended a kernel.

        A kernel that ends by itself in a replay, or after the last of them, may have been ended by an
        earlier one, a while later: then the next replay waits after each, and blames.
        """
        for index, cell in enumerate(self.nb.cells[: self.reached]):
            code = cell.cell_type == "code" and cell.source.strip() and not is_judged(cell)
            if not code or index in self.culprits | self.skipped:
                continue
            outcome = await self._run(cell.source)
            if outcome.died or not await self.session.settled(self.patient):
                sudden = outcome.sudden or not outcome.died
                if self.patient or not sudden:
                    self._blame(index, outcome.stopped or DIED)
                self.patient = sudden and not self.patient
                return
        self.patient = not await self.session.settled(patient=True)

    def _blame(self, index: int, reason: str) -> None:
        self.culprits.add(index)
        name = self.nb.cells[index].metadata.get("nbgrader", {}).get("grade_id")
        place = f"cell {index + 1}" + (f" ({name})" if name else "")
        self.record.remarks.append(
            f"In {place}: {reason} The kernel was started again and went on after this cell."
        )


def _stopped(reason: str) -> NotebookNode:
    return new_output("error", ename="NotExecuted", evalue=reason, traceback=[reason])


def put_remarks(nb: NotebookNode) -> None:
    """Put what a student should know about the grading at the top of the notebook."""
    remarks = [*nb.metadata.get(REPAIRS, {}).get("notes", []), *nb.metadata[RECORD]["remarks"]]
    if remarks:
        lines = "\n".join(f"- {as_markdown(remark)}" for remark in remarks)
        nb.cells.insert(0, new_markdown_cell(f"**Remarks of the grader**\n\n{lines}"))

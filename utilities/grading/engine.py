"""Grade an assignment: prepare, execute, score.

Preparing and scoring touch the gradebook and run one after the other, here. Executing is a pure
function of a submission's bytes; any `concurrent.futures` executor may carry it out, threads on
this machine or a Dask cluster whose workers share neither gradebook nor files with it. A student
is done when the graded folder stands under its final name, so that an interrupted run goes on
where it stopped.
"""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde
from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from utilities.checks.core.report import Finding, Report
from utilities.grading import apart, cgroup, sandbox
from utilities.grading.course import CourseError
from utilities.grading.execute import (
    RECORD,
    CourseExecute,
    Record,
    bounds,
    execute_notebook,
    is_judged,
    put_remarks,
    write_verdict,
)
from utilities.grading.files import FROM_EXCHANGE, IGNORED, fingerprints
from utilities.grading.findings import Found, found_in
from utilities.grading.gradebook import GradebookUnavailable, alone, back_up, in_words, patient
from utilities.grading.intake import NOT_HANDED_IN, is_meant, take_in, time_stamp
from utilities.grading.judge import CARRIED_OUT, Verdict, checks_called
from utilities.grading.marks import Marks
from utilities.grading.markup import printable
from utilities.grading.remarks import unusual
from utilities.grading.rescore import score_notebook_again, without_points
from utilities.grading.sandbox import Limits, SandboxUnavailable
from utilities.grading.sanitize import RECORD as REPAIRS
from utilities.grading.sanitize import Trusted, read_trusted, repair, source_notebook
from utilities.grading.secret import course_secret

DONE = "lab-grade.json"  # in the graded folder: what was graded, and how it went
GRADED, KEPT, NOTHING, FAILED = "graded", "kept", "nothing to grade", "not graded"
OPTIONAL = "{}.ipynb was not handed in; it is optional."
RESCORED = "points"  # by the findings of an earlier run
FIRST_TIME, FORCED, RERUN = "for the first time", "by --force", "by --rerun all"
REASONS = {"submission": "handed in again", "tests": "tests changed", "points": "points changed"}
ABSENT = "not handed in"
SCRATCH = ".lab-"  # folders of a grading under way, in the student's graded folder
LONGEST_STAMP = 4096  # bytes
RUNS = "runs"  # where a notebook saves reports of its trainings
LARGEST_RUN, MOST_RUNS = 1 << 20, 50
READING = apart.Bounds(seconds=300, cpu_seconds=120, memory=2 << 30)


@dataclass(frozen=True)
class Job:
    """One submission, ready to be executed anywhere: notebooks as JSON, files as bytes."""

    student: str
    notebooks: dict[str, str]
    files: dict[str, bytes]
    limits: Limits
    unsafe: bool = False
    rerun_all: bool = False
    secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Executed:
    """What came of a job: the executed notebooks as JSON, or why there are none.

    given_up: the submission brought it about, so that it earns nothing until a person has looked.
    """

    notebooks: dict[str, str]
    error: str = ""
    given_up: bool = False


@dataclass
class Row:
    """One student's line in the table."""

    student: str
    status: str
    score: float = 0.0
    max_score: float = 0.0
    to_grade_by_hand: int = 0
    remarks: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    restarts: int = 0
    unsafe: bool = False
    reason: str = ""  # why it was graded, or scored, in this run
    score_before: float | None = None
    seconds_late: float = 0.0
    penalty: float = 0.0
    findings: list[Found] = field(default_factory=list)  # of every check, by graded cell

    @property
    def needs_a_person(self) -> bool:
        """Return whether somebody must look at this before the grade can stand."""
        return self.status == FAILED or bool(self.trouble)


@dataclass(frozen=True)
class _Place:
    """Where a student's submission lies, and whether the folders in it belong to it."""

    folder: Path
    deep: bool = True
    remark: str = ""


@dataclass(frozen=True)
class Read:
    """A submission as it was read: notebooks as JSON, in the assignment's shape, and files as bytes.

    The other three are those of `intake.Submission`, by notebook.
    """

    notebooks: dict[str, str]
    files: dict[str, bytes]
    refused: dict[str, str]
    remarks: dict[str, list[str]]
    doubts: dict[str, list[str]]


@dataclass(frozen=True)
class _Prepared:
    job: Job
    refused: dict[str, str]
    remarks: dict[str, list[str]]
    doubts: dict[str, list[str]]
    digest: dict[str, str]
    blank: dict[str, str]
    stamps: dict[str, bytes] = field(default_factory=dict)
    force: bool = False
    reason: str = ""
    score_before: float | None = None


def execute(job: Job) -> Executed:
    """Execute and judge a submission: bytes in, bytes out, no gradebook, no course folder."""
    try:
        if not job.unsafe:
            _check_sandbox_once()
        return Executed(apart.run(_execute_here, job, bounds=bounds(job.limits, len(job.notebooks))))
    except apart.Ended as error:
        return Executed({}, f"This submission was given up: {error}.", given_up=True)
    except Exception as error:  # one submission's trouble never ends the batch
        return Executed({}, f"{type(error).__name__}: {error}")


def _execute_here(job: Job) -> dict[str, str]:
    """Execute and judge a submission in this process; return its notebooks as JSON."""
    with tempfile.TemporaryDirectory(prefix="lab-files-") as name:
        folder = Path(name)
        for path, data in job.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        done = {}
        for notebook, text in job.notebooks.items():
            nb = execute_notebook(
                nbformat.reads(text, 4), folder, job.limits, job.unsafe, job.rerun_all, job.secret
            )
            done[notebook] = nbformat.writes(nb)
    return done


def read_submission(folder: Path, deep: bool, trusted: dict[str, Trusted]) -> "Read":
    """Read what lies in a folder and bring it into the assignment's shape: no gradebook is needed."""
    submission = take_in(folder, list(trusted), deep)
    notebooks = {
        name: nbformat.writes(repair(nb, trusted[name])) for name, nb in submission.notebooks.items()
    }
    return Read(
        notebooks, submission.files, submission.refused, submission.remarks, submission.doubts
    )  # fmt: skip


def read_apart(folder: Path, deep: bool, trusted: dict[str, Trusted]) -> "Read":
    """Read a submission in a process of its own; one that ends it is refused."""
    try:
        read: Read = apart.run(read_submission, folder, deep, trusted, bounds=READING)
    except (apart.Ended, MemoryError) as error:
        reason = f"What was handed in could not be read: {error or 'too large'}."
        refused, doubts = dict.fromkeys(trusted, reason), {name: [reason] for name in trusted}
        return Read({}, {}, refused, {name: [] for name in trusted}, doubts)
    return read


class Grader:
    """Grades one assignment of one course."""

    def __init__(self, config: Config, assignment: str, unsafe: bool = False, rerun_all: bool = False):
        self.course = CourseDirectory(config=config)
        self.course.assignment_id = assignment
        config.CourseDirectory.db_url = self.course.db_url = patient(self.course.db_url)
        self.config, self.assignment = config, assignment
        execution = CourseExecute(config=config)
        self.limits, self.unsafe = execution.limits, unsafe or execution.unsafe
        self.rerun_all = rerun_all or execution.rerun_all
        self.optional = frozenset(execution.optional_notebooks)
        with in_words():
            self.trusted = self._read_trusted()
            self.secret = course_secret(Path(self.course.root), self.course.groupshared)
        sources = [(c.source, c.points) for known in self.trusted.values() for c in known.cells]
        self.tests = {
            "tests": hashlib.sha256(without_points(self.trusted).encode() + self.secret).hexdigest(),
            "points": hashlib.sha256(repr(sources).encode()).hexdigest(),
        }

    def absent(self, present: Iterable[str]) -> list[str]:
        """Return the students of the gradebook who handed nothing in."""
        with in_words(), self._gradebook() as gradebook:
            return sorted({student.id for student in gradebook.students} - set(present))

    def students(self, chosen: str | None = None) -> list[str]:
        """Return all who have a folder. Raises CourseError where there are none."""
        root = self._submitted("*").parents[1]
        found = sorted(path.name for path in root.glob("*") if path.is_dir() and path.name[0] != ".")
        found = [student for student in found if chosen in (None, student)]
        if not found:
            raise CourseError(f"Nothing was handed in: no folder {self._submitted(chosen or '*')}.")
        return found

    def grade(
        self, students: Iterable[str], executor: Executor, in_flight: int, force: bool = False
    ) -> Iterator[Row]:
        """Grade students and yield a row for each as it is done.

        Raises GradebookUnavailable where nothing more can be written: what was yielded stands.
        """
        with in_words(), alone(Path(self.course.root)):
            back_up(self.course.db_url, self.course.groupshared)
            self._sweep()
        waiting: dict[Future, _Prepared] = {}
        for student in students:
            try:
                with in_words():
                    prepared = self.prepare(student, force)
            except GradebookUnavailable:
                raise
            except Exception as error:
                yield Row(student, FAILED, trouble=[f"{type(error).__name__}: {error}"])
                continue
            if isinstance(prepared, Row):
                yield prepared
                continue
            waiting[executor.submit(execute, prepared.job)] = prepared
            if len(waiting) >= in_flight:
                yield from self._finished(waiting)
        while waiting:
            yield from self._finished(waiting)

    def prepare(self, student: str, force: bool = False) -> "_Prepared | Row":
        """Return a student's job, or the row of an earlier run that still holds."""
        if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in student):
            return Row(student, FAILED, trouble=["This folder's name is no text. Please rename it."])
        place = self._place(student)
        if place is None:
            return self._absent(student)
        digest = {"submission": _digest(place), **self.tests}
        stamps, said = _stamps(place.folder)
        done = self._done(student)
        rerun = self.rerun_all and done is not None and not done["rerun_all"]
        if not (force or rerun) and done and (row := self._earlier(done, digest, stamps)):
            return row
        read = read_apart(place.folder, place.deep, self.trusted)
        for remarks in read.remarks.values():
            remarks += [remark for remark in (place.remark, said) if remark]
        blank = {name: nbformat.writes(_blank(trusted)) for name, trusted in self.trusted.items()}
        job = Job(
            student, read.notebooks, read.files, self.limits, self.unsafe, self.rerun_all, self.secret
        )
        why = _why(done, digest) or (RERUN if rerun else FORCED)
        return _Prepared(
            job, read.refused, read.remarks, read.doubts, digest, blank, stamps,
            force or rerun, why, done["row"]["score"] if done else None,
        )  # fmt: skip

    def score(self, prepared: _Prepared, executed: Executed) -> Row:
        """Write scores into the gradebook and the graded notebooks into their folder."""
        student = prepared.job.student
        if executed.error and not executed.given_up:
            return Row(student, FAILED, trouble=[executed.error], unsafe=self.unsafe)
        notebooks = {name: nbformat.reads(text, 4) for name, text in executed.notebooks.items()}
        if executed.given_up:
            notebooks = _given_up(prepared.job, executed.error)
        row = Row(
            student, GRADED if notebooks else NOTHING, unsafe=self.unsafe,
            reason=prepared.reason, score_before=prepared.score_before,
        )  # fmt: skip
        row.remarks += [line for nb in notebooks.values() for line in unusual(nb, _remarks_of(nb))]
        for name, reason in prepared.refused.items():
            nb = nbformat.reads(prepared.blank[name], 4)
            notebooks[name] = _refused(nb, self._refusal(name, reason, bool(executed.notebooks)))
        for name, nb in notebooks.items():
            record = nb.metadata[RECORD]
            record["remarks"] = [*prepared.remarks[name], *record["remarks"]]
            row.remarks += _remarks_of(nb)
            row.trouble += [*prepared.doubts[name], *record["trouble"]]
            row.seconds += record["seconds"]
            row.cpu_seconds += record["cpu_seconds"]
            row.restarts += record["restarts"]
            put_remarks(nb)
        row.remarks, row.trouble = list(dict.fromkeys(row.remarks)), list(dict.fromkeys(row.trouble))
        with in_words(), alone(Path(self.course.root)):
            runs = _runs(prepared.job.files)
            return self._save(notebooks, row, prepared.digest, prepared.stamps, runs, prepared.force)

    def _finished(self, waiting: dict[Future, _Prepared]) -> Iterator[Row]:
        """Yield the rows of what is finished, after waiting for at least one."""
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            prepared = waiting.pop(future)
            try:
                yield self.score(prepared, future.result())
            except GradebookUnavailable:
                raise
            except Exception as error:  # the gradebook's, or a worker that is gone
                trouble = [f"{type(error).__name__}: {error}"]
                yield Row(prepared.job.student, FAILED, trouble=trouble, unsafe=self.unsafe)

    def _read_trusted(self) -> dict[str, Trusted]:
        """Return what the gradebook knows. Raises CourseError for what cannot be graded."""
        again = f"Run: nbgrader generate_assignment {self.assignment} --force"
        with self._gradebook() as gradebook:
            try:
                assignment = gradebook.find_assignment(self.assignment)
                names = [notebook.name for notebook in assignment.notebooks]
                self.max_score = float(assignment.max_score)
            except MissingEntry:
                raise CourseError(
                    f"The gradebook knows no assignment {self.assignment}. {again}"
                ) from None
            trusted = {}
            for name in names:
                order = source_notebook(self.course, self.assignment, name)
                trusted[name] = read_trusted(gradebook, self.assignment, name, order)
        if not any(known.cells for known in trusted.values()):
            raise CourseError(f"The gradebook knows no cells of {self.assignment}. {again}")
        for name, known in trusted.items():
            for cell in known.cells:
                judged = cell.cell_type == "code" and cell.grade and not cell.solution
                if judged and not checks_called(cell.source):
                    raise CourseError(
                        f"{name}.ipynb, cell {cell.name} calls no check of the kit, so that "
                        "nothing outside the student's kernel can judge it. Call a test_… of "
                        "utilities in it, or grade it by hand."
                    )
        return trusted

    def _folder(self, directory: str, student: str) -> Path:
        return Path(self.course.format_path(directory, student, self.assignment))

    def _submitted(self, student: str) -> Path:
        return self._folder(self.course.submitted_directory, student)

    def _place(self, student: str) -> _Place | None:
        """Return where a submission lies: in its folder, in one called nearly so, or beside it."""
        folder = self._submitted(student)
        if folder.is_dir():
            return _Place(folder)
        own = folder.parent
        called = self.assignment.casefold()
        for other in sorted(path for path in own.iterdir() if path.is_dir() and not path.is_symlink()):
            if other.name.strip().casefold() == called:
                said = f"The folder {printable(other.name)} was taken for {self.assignment}."
                return _Place(other, remark=said)
        if any(is_meant(path.name, name) for path in own.iterdir() for name in self.trusted):
            said = f"There is no folder {self.assignment}; what lies in the student's folder was taken."
            return _Place(own, deep=False, remark=said)
        return None

    def _absent(self, student: str) -> Row:
        """Return the row of a student who has a folder, and in it nothing for this assignment."""
        own = self._submitted(student).parent
        files = sorted(
            printable(p.name) for p in own.iterdir() if p.is_file() and p.name not in IGNORED
        )
        remark = f"There is no folder {self.assignment}."
        row = Row(student, ABSENT, max_score=self.max_score, remarks=[remark], unsafe=self.unsafe)
        if files:
            row.trouble.append(f"{remark} What lies there: {', '.join(files[:5])}.")
        return row

    def _sweep(self) -> None:
        """Remove what an interrupted run has left half written."""
        graded = self._folder(self.course.autograded_directory, "*").parents[1]
        for left in graded.glob(f"*/{SCRATCH}*"):
            _remove(left)

    def _done(self, student: str) -> dict | None:
        """Return what an earlier run wrote down of a student, where the gradebook knows it, too."""
        path = self._folder(self.course.autograded_directory, student) / DONE
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, MissingEntry):
            done = json.loads(path.read_text())
            row = Row(**{**done["row"], "status": KEPT, "reason": "", "score_before": None})
            self._fill(row)
            rerun_all = bool(done.get("rerun_all"))
            return {"digest": dict(done["digest"]), "row": asdict(row), "rerun_all": rerun_all}
        return None

    def _earlier(self, done: dict, digest: dict[str, str], stamps: dict[str, bytes]) -> Row | None:
        """Return the row of an earlier run of the same submission and tests, by today's points."""
        row, old = Row(**done["row"]), done["digest"]
        if old == digest:
            return row
        if {**old, "points": ""} != {**digest, "points": ""}:
            return None
        folder = self._folder(self.course.autograded_directory, row.student)
        notebooks = {name: nbformat.read(folder / f"{name}.ipynb", 4) for name in self.trusted}
        if not all(score_notebook_again(nb, self.trusted[name]) for name, nb in notebooks.items()):
            return None
        row.status, row.reason, row.score_before = RESCORED, _why(done, digest), row.score
        with alone(Path(self.course.root)):
            runs = {path.name: path.read_bytes() for path in (folder / RUNS).glob("*.json")}
            return self._save(notebooks, row, digest, stamps, runs)

    def _refusal(self, name: str, reason: str, others: bool) -> str:
        """Return what a student is told of a notebook that is not there, or cannot be read."""
        missing = NOT_HANDED_IN.format(name)
        if not reason.startswith(missing):
            return f"Nothing could be graded: {reason}"
        if name in self.optional:
            return OPTIONAL.format(name)
        points = sum(cell.points for cell in self.trusted[name].cells)
        rest = "; the rest was graded" if others else ""
        return f"{name}.ipynb is missing: 0 of {points:g} points{rest}.{reason.removeprefix(missing)}"

    def _save(
        self,
        notebooks: dict[str, NotebookNode],
        row: Row,
        digest: dict[str, str],
        stamps: dict[str, bytes],
        runs: dict[str, bytes],
        force: bool = False,
    ) -> Row:
        """Write a submission's scores and notebooks; keep what another run has written meanwhile."""
        student = row.student
        meanwhile = None if force else self._done(student)
        if meanwhile is not None and meanwhile["digest"] == digest:
            return Row(**meanwhile["row"])
        final = self._folder(self.course.autograded_directory, student)
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=final.parent) as name:
            scratch = Path(name)
            executed = scratch / "executed" / student / self.assignment
            executed.mkdir(parents=True)
            for notebook, nb in notebooks.items():
                nbformat.write(nb, executed / f"{notebook}.ipynb")
            for mark, data in stamps.items():
                (executed / mark).write_bytes(data)
            graded = scratch / "graded" / student / self.assignment
            with self._gradebook() as gradebook:
                marks = Marks.read(gradebook, self.assignment, student, final)
            _Score(scratch, self.course, self.config, student).start()
            with self._gradebook() as gradebook:
                marks.restore(gradebook, self.assignment, student, graded)
            self._fill(row)
            row.findings = found_in(notebooks)
            graded.chmod(0o755)
            done = {"digest": digest, "row": asdict(row), "rerun_all": self.rerun_all}
            (graded / DONE).write_text(json.dumps(done, indent=1))
            for run, data in runs.items():
                (graded / RUNS).mkdir(exist_ok=True)
                (graded / RUNS / run).write_bytes(data)
            _remove(final)
            graded.rename(final)
        return row

    def _gradebook(self) -> Gradebook:
        return Gradebook(self.course.db_url, self.course.course_id)

    def _fill(self, row: Row) -> None:
        """Read the student's points back from the gradebook."""
        with self._gradebook() as gradebook:
            submission = gradebook.find_submission(self.assignment, row.student)
            row.score, row.max_score = float(submission.score), float(submission.max_score)
            row.seconds_late = float(submission.total_seconds_late)
            row.penalty = float(submission.late_submission_penalty or 0)
            row.max_score -= sum(
                float(notebook.max_score)
                for notebook in submission.notebooks
                if OPTIONAL.format(notebook.name) in row.remarks
            )
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            row.to_grade_by_hand = sum(bool(grade.needs_manual_grade) for grade in grades)


class _Score(Autograde):
    """nbgrader's Autograde from where the notebooks are executed: scores, penalties, comments."""

    def __init__(self, scratch: Path, course: CourseDirectory, config: Config, student: str):
        own = CourseDirectory(config=config)
        own.assignment_id, own.student_id = course.assignment_id, student
        super().__init__(coursedir=own, config=config)
        self.scratch, self.student = scratch, student
        self._sanitizing = False
        self.create_student = True
        steps = Autograde(coursedir=own, config=config).autograde_preprocessors
        self.autograde_preprocessors = [step for step in steps if not issubclass(step, CourseExecute)]

    @property
    def _input_directory(self) -> str:
        return str(self.scratch / "executed")

    @property
    def _output_directory(self) -> str:
        return str(self.scratch / "graded")

    def init_notebooks(self) -> None:
        """Name the notebooks: nbgrader would look for them by a pattern made of names and paths."""
        folder = Path(self._format_source(self.coursedir.assignment_id, self.student))
        self.notebooks = sorted(str(path) for path in folder.iterdir() if path.suffix == ".ipynb")

    def convert_notebooks(self) -> None:
        """Convert them; what goes wrong is told by whoever called."""
        assignment = self.coursedir.assignment_id
        self.init_assignment(assignment, self.student)
        for notebook in self.notebooks:
            self.convert_single_notebook(notebook)
        self.set_permissions(assignment, self.student)

    def init_single_notebook_resources(self, notebook_filename: str) -> dict[str, Any]:
        """Return what nbgrader's steps ask for; it would read it out of the path by a pattern."""
        name = Path(notebook_filename).stem
        names = {"student": self.student, "assignment": self.coursedir.assignment_id, "notebook": name}
        return {
            "unique_key": name,
            "output_files_dir": f"{name}_files",
            "nbgrader": {**names, "db_url": self.coursedir.db_url},
        }

    def convert_single_notebook(self, notebook_filename: str) -> None:
        self._init_preprocessors()
        BaseConverter.convert_single_notebook(self, notebook_filename)


def _blank(trusted: Trusted) -> NotebookNode:
    return repair(nbformat.v4.new_notebook(), trusted)


def _given_up(job: Job, reason: str) -> dict[str, NotebookNode]:
    """Return the notebooks of a submission that ended its process: written answers stay as they are."""
    notebooks = {}
    for name, text in job.notebooks.items():
        nb = nbformat.reads(text, 4)
        notes = nb.metadata[REPAIRS]["notes"]
        notebooks[name] = _refused(nb, reason)
        nb.metadata[REPAIRS]["notes"] = notes
        nb.metadata[RECORD]["trouble"] = [reason]
    return notebooks


def _refused(nb: NotebookNode, reason: str) -> NotebookNode:
    """Return the notebook that stands for one that cannot be read: 0 points and the reason."""
    nb.metadata[REPAIRS]["notes"] = []
    nb.metadata[RECORD] = asdict(Record(remarks=[reason]))
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = []  # nobody has cleaned what was handed in
        if is_judged(cell):
            name = cell.metadata.nbgrader["grade_id"]
            write_verdict(cell, Verdict(0.0, [Report(name, [Finding(CARRIED_OUT, False, reason)])], []))
    return nb


def _remarks_of(nb: NotebookNode) -> list[str]:
    return [*nb.metadata[RECORD]["remarks"], *nb.metadata.get(REPAIRS, {}).get("notes", [])]


def _why(done: dict | None, digest: dict[str, str]) -> str:
    """Return in words why a submission is graded now; nothing where nothing changed."""
    if done is None:
        return FIRST_TIME
    changed = [why for part, why in REASONS.items() if done["digest"].get(part) != digest[part]]
    return " and ".join(changed)


def _digest(place: _Place) -> str:
    """Return a fingerprint of all that was handed in."""
    digest = hashlib.sha256()
    for name, stream, size, changed in fingerprints(place.folder, place.deep):
        about = f"{size}" if stream is not None else f"{size} {changed}"
        digest.update(os.fsencode(name) + b"\0" + about.encode() + b"\0")
        if stream is not None:
            digest.update(hashlib.sha256(stream.read(size)).digest())  # it may grow meanwhile
    for name, data in sorted(_side_files(place.folder)):
        digest.update(name.encode() + b"\0" + data)
    return digest.hexdigest()


def _side_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what the exchange keeps beside a submission, as far as it is what it should be."""
    for name in FROM_EXCHANGE:
        path = folder / name
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as stream:
                yield name, stream.read(LONGEST_STAMP)


def _stamps(folder: Path) -> tuple[dict[str, bytes], str]:
    """Return the exchange's files in a form that nbgrader reads, and a remark where that fails."""
    stamps = dict(_side_files(folder))
    data = stamps.pop(FROM_EXCHANGE[0], b"")
    stamp = time_stamp(data)
    if stamp is not None:
        return {**stamps, FROM_EXCHANGE[0]: stamp}, ""
    shown = printable(data[:60].decode("utf-8", "replace").strip())
    said = (
        f'The time in timestamp.txt cannot be read ("{shown}"), so nobody can tell whether it was late.'
    )
    return stamps, said if data.strip() else ""


def _runs(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the reports of trainings that were handed in, by name, whatever stands in them."""
    found = {
        PurePosixPath(name).name: data
        for name, data in sorted(files.items())
        if PurePosixPath(name).match(f"{RUNS}/*.json") and len(data) <= LARGEST_RUN
    }
    return dict(list(found.items())[:MOST_RUNS])


def _remove(folder: Path) -> None:
    """Remove a graded folder; nbgrader makes its files read-only."""
    if folder.exists():
        for path in (folder, *folder.rglob("*")):
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
        shutil.rmtree(folder)


_sandbox_lock = threading.Lock()
_sandbox_checked = False


def _check_sandbox_once() -> None:
    global _sandbox_checked
    with _sandbox_lock:
        if not _sandbox_checked:
            sandbox.check_available()
            _sandbox_checked = True


def executor_for(workers: int, cluster: str | None) -> tuple[Executor, int, Callable[[], None]]:
    """Return an executor, how many submissions to keep in flight, and how to close it."""
    if cluster is None:
        from concurrent.futures import ThreadPoolExecutor

        apart.sweep()
        cgroup.sweep(cgroup.place())
        apart.start()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="grade")
        return pool, workers + 1, lambda: pool.shutdown(wait=True, cancel_futures=True)
    from distributed import Client

    client = Client(cluster, timeout=15)
    threads = sum(client.nthreads().values())
    remote = client.get_executor(pure=False)  # two students may hand in the same bytes
    return remote, max(threads, 1) * 2, client.close


def default_workers() -> int:
    """Return as many workers as there are cores for this process."""
    return max(len(os.sched_getaffinity(0)), 1)


__all__ = [
    "CourseError", "Executed", "GradebookUnavailable", "Grader", "Job", "NbGraderException", "Row",
    "SandboxUnavailable", "default_workers", "execute", "executor_for",
]  # fmt: skip

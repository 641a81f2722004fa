"""`lab collect`: put a learning platform's bulk download where `lab grade` looks for it.

Moodle, Canvas, Brightspace, or folders named after students, as a zip file or unpacked. Whose a file is
follows from the roster; what belongs to nobody, or to two, is said and left alone. nbgrader's own
`zip_collect` takes notebooks alone and unpacks what students have packed; here all that was handed in
is put down as it is, and `lab grade` reads it within its bounds.
"""

import argparse
import contextlib
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import dateutil.parser
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from rich.console import Console
from rich.markup import escape

from utilities.grading.course import CourseError, assignments_of
from utilities.grading.files import FROM_EXCHANGE, IGNORED
from utilities.grading.gradebook import GradebookUnavailable, in_words, patient_course
from utilities.grading.markup import printable
from utilities.grading.table import plain

COLLECTED, AT_FAULT, REFUSED = 0, 1, 2
LARGEST = 1 << 30  # bytes of one file
MOODLE = re.compile(r"(?P<who>.+)_(?P<order>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<rest>.*)")
CANVAS = re.compile(r"(?P<who>[^_]+)_(?:LATE_)?(?P<id>\d+)_(?P<order>\d+)_(?P<rest>.+)")
BRIGHTSPACE = re.compile(
    r"(?P<order>\d+)-\d+ - (?P<who>.+?) ?- (?P<when>[^-]*\d{4}[^-]*)(?: - (?P<rest>.+))?"
)
ANONYMOUS = "participant"  # what Moodle calls everybody in anonymous marking
CLOCK = re.compile(r"\b(\d{1,2})(\d\d)(?= ?[AP]M\b|$)", re.IGNORECASE)  # Brightspace's 1054 AM
AGAIN = re.compile(r"-\d+(?=\.\w+$)")  # Canvas numbers the file of a later attempt
UNSAID = ("index.html", "manifest.json")  # the platforms' own files


@dataclass
class Attempt:
    """What one person handed in at one time: files by the names that they get."""

    who: str
    order: int = 0
    when: datetime | None = None
    platform_id: str = ""
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[datetime, int]:
        """Return what says which of two attempts is newer."""
        return self.when or datetime.min.replace(tzinfo=UTC), self.order


@dataclass
class Collected:
    """What came of a download: who handed in anew, who has the same as before, what is nobody's."""

    new: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `lab collect`."""
    parser.epilog = "Exit status: 0 all is collected; 1 something is nobody's; 2 nothing was collected."
    parser.add_argument("assignment", help="the assignment's name, such as vision_transformer")
    parser.add_argument("download", type=Path, help="the platform's zip file, or the folder it holds")
    parser.add_argument("--course", type=Path, default=Path(), help="the course's folder (default: .)")
    parser.add_argument("--db-url", metavar="URL", help="another gradebook than the course's own")


def run(options: argparse.Namespace) -> int:
    """Collect and return the exit status."""
    console = Console()
    try:
        directory = patient_course(options.course, options.db_url, options.assignment)
        if options.assignment not in assignments_of(directory):
            raise CourseError(f"There is no assignment {options.assignment} in this course.")
        with in_words():
            done = collect(directory, options.download)
    except (CourseError, GradebookUnavailable) as error:
        console.print(f"[bold red]Nothing collected.[/] {escape(str(error))}")
        return REFUSED
    _tell(console, done)
    return AT_FAULT if done.unmatched else COLLECTED


def collect(directory: CourseDirectory, download: Path) -> Collected:
    """Put down the newest attempt of everyone in a download. Raises CourseError for what is none."""
    done = Collected()
    with _unpacked(download, done) as folder, Gradebook(directory.db_url, directory.course_id) as book:
        known = _Roster(book)
        attempts: dict[str, list[Attempt]] = {}
        for attempt in _attempts(folder, directory.assignment_id, known, done):
            student = known.find(attempt)
            if student is None:
                done.unmatched.append(f"{attempt.who}: {known.why(attempt)}")
            else:
                attempts.setdefault(student, []).append(attempt)
        for student, theirs in sorted(attempts.items()):
            newest = max(theirs, key=lambda attempt: attempt.rank)
            if len(theirs) > 1:
                done.remarks.append(f"{student}: the newest of {len(theirs)} attempts was taken.")
            known.remember(student, newest)
            _put_down(directory, student, newest, done)
        book.db.commit()
    return done


class _Roster:
    """The students of a gradebook, by all that a platform may call them."""

    def __init__(self, gradebook: Gradebook):
        self.students = {student.id: student for student in gradebook.students}
        self.called: dict[str, set[str]] = {}
        for student in self.students.values():
            first, last = student.first_name or "", student.last_name or ""
            email = student.email or ""
            names = [f"{first}{last}", f"{last}{first}"] if first and last else []
            for name in (student.id, email, email.split("@")[0], *names):
                if key := plain(name):
                    self.called.setdefault(key, set()).add(student.id)

    def find(self, attempt: Attempt) -> str | None:
        """Return whose an attempt is; None where nobody, or more than one, is called so."""
        for student in self.students.values():
            if attempt.platform_id and student.lms_user_id == attempt.platform_id:
                return str(student.id)
        if attempt.who.casefold() == ANONYMOUS and attempt.order:
            return f"{ANONYMOUS}-{attempt.order}"
        found = self.called.get(plain(attempt.who), set())
        if not self.students:
            return attempt.who if attempt.who[0] != "." else None
        return next(iter(found)) if len(found) == 1 else None

    def why(self, attempt: Attempt) -> str:
        """Return why an attempt is nobody's."""
        found = sorted(self.called.get(plain(attempt.who), ()))
        return f"may be {' or '.join(found)}" if found else "nobody in the roster is called so"

    def remember(self, student: str, attempt: Attempt) -> None:
        """Keep the platform's number of a student, by which it takes grades back."""
        known = self.students.get(student)
        if known is not None and attempt.platform_id and not known.lms_user_id:
            known.lms_user_id = attempt.platform_id


@contextlib.contextmanager
def _unpacked(download: Path, done: Collected) -> Iterator[Path]:
    """Give the folder of a download: its own, or one that a zip file is unpacked into."""
    if download.is_dir():
        yield download
        return
    with tempfile.TemporaryDirectory(prefix="lab-collect-") as scratch:
        try:
            with zipfile.ZipFile(download) as archive:
                for entry in archive.infolist():
                    _unpack(archive, entry, Path(scratch), done)
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise CourseError(f"{download} cannot be read as a zip file: {error}.") from error
        yield Path(scratch)


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, done: Collected) -> None:
    """Unpack one file, unless it leads elsewhere or is too large."""
    parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
    if entry.is_dir() or any(part in IGNORED and part not in FROM_EXCHANGE for part in parts):
        return
    leads_out = any(part in ("..", "/") or ":" in part[1:2] for part in parts)
    if leads_out or stat.S_ISLNK(entry.external_attr >> 16) or entry.file_size > LARGEST:
        done.remarks.append(f"Left out of the zip file: {printable(entry.filename)}.")
        return
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)


def _attempts(folder: Path, assignment: str, known: _Roster, done: Collected) -> Iterator[Attempt]:
    """Yield what a download holds, each attempt by itself; say what cannot be told apart."""
    entries = _top(folder, known)
    flat: dict[tuple[str, str], Attempt] = {}
    for path in entries:
        found = next((m for m in (p.fullmatch(path.name) for p in (MOODLE, BRIGHTSPACE)) if m), None)
        found = found or (CANVAS.fullmatch(path.name) if path.is_file() else None)
        if path.is_dir() and not path.is_symlink():
            attempt = _of(found) if found else Attempt(path.name)
            own = path / assignment
            root = own if own.is_dir() and not found else path
            attempt.files = {str(f.relative_to(root)): f for f in _files(root)}
            yield attempt
        elif found:
            about = _of(found)
            attempt = flat.setdefault((about.who, f"{about.when}"), about)
            name = AGAIN.sub("", found["rest"]) if about.platform_id else found["rest"]
            if name not in attempt.files or about.order >= attempt.order:
                attempt.files[name or path.name] = path
                attempt.order = max(attempt.order, about.order)
        elif path.name not in UNSAID:
            done.unmatched.append(f"{path.name}: its name says of nobody whose it is")
    yield from flat.values()


def _top(folder: Path, known: _Roster) -> list[Path]:
    """Return what lies at the top of a download, below a folder that holds all of it."""
    entries = sorted(path for path in folder.iterdir() if path.name not in IGNORED)
    while len(entries) == 1 and entries[0].is_dir() and not _is_somebody(entries[0].name, known):
        entries = sorted(path for path in entries[0].iterdir() if path.name not in IGNORED)
    return entries


def _is_somebody(name: str, known: _Roster) -> bool:
    return bool(MOODLE.fullmatch(name) or BRIGHTSPACE.fullmatch(name) or plain(name) in known.called)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _of(found: re.Match[str]) -> Attempt:
    about = found.groupdict()
    when = _time(about["when"]) if about.get("when") else None
    return Attempt(about["who"].strip(), int(about["order"]), when, about.get("id") or "")


def _time(text: str) -> datetime | None:
    """Return the time in the name of one of Brightspace's folders, on this machine's clock."""
    with contextlib.suppress(ValueError, OverflowError):
        return dateutil.parser.parse(CLOCK.sub(r"\1:\2", text), fuzzy=True).astimezone(UTC)
    return None


def _put_down(directory: CourseDirectory, student: str, attempt: Attempt, done: Collected) -> None:
    """Put an attempt in its place, whole, unless the same lies there already."""
    target = Path(
        directory.format_path(directory.submitted_directory, student, directory.assignment_id)
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".lab-collect-", dir=target.parent) as scratch:
        new = Path(scratch) / "new"
        new.mkdir(mode=0o755)
        for name, path in attempt.files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, new / name)
        if attempt.when is not None:
            (new / FROM_EXCHANGE[0]).write_text(f"{attempt.when:%Y-%m-%d %H:%M:%S} UTC")
        if target.is_dir():
            if _contents(new) == _contents(target):
                done.same.append(student)
                return
            target.rename(Path(scratch) / "old")
        new.rename(target)
    done.new.append(student)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in _files(folder)}


def _tell(console: Console, done: Collected) -> None:
    for said in done.remarks:
        console.print(f"[yellow]{escape(printable(said))}[/]", highlight=False, soft_wrap=True)
    for said in done.unmatched:
        console.print(
            f"[red]Not collected: {escape(printable(said))}.[/]", highlight=False, soft_wrap=True
        )
    same = f"; {len(done.same)} had handed in the same before" if done.same else ""
    console.print(f"Collected from {len(done.new)}{same}.", highlight=False)

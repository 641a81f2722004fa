"""The gradebook's file: waited for, backed up before a run, and readable for its owner alone."""

import contextlib
import errno
import fcntl
import filecmp
import os
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from utilities.grading.course import course_directory, read_config

PATIENCE = 30.0  # seconds that a locked gradebook is waited for
BACKUPS = "gradebook-backups"
MOST_BACKUPS = 5
FULL = (errno.ENOSPC, errno.EDQUOT)


class GradebookUnavailable(RuntimeError):
    """The gradebook cannot be read or written now; the message says why, and what to do."""


def patient(url: str) -> str:
    """Return a gradebook's address that waits while somebody else writes there."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return url
    return str(address.update_query_dict({"timeout": f"{PATIENCE:g}"}))


def patient_course(course: Path, db_url: str | None, assignment: str) -> CourseDirectory:
    """Return nbgrader's view of a course whose gradebook is waited for. Raises CourseError."""
    directory = course_directory(read_config(course, db_url), assignment)
    directory.db_url = patient(directory.db_url)
    return directory


def file_of(url: str) -> Path | None:
    """Return the gradebook's file; None where a server keeps it."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        return None
    return Path(address.database)


def back_up(url: str, shared: bool = False) -> Path | None:
    """Copy the gradebook beside itself, and take all rights from all but its owner.

    shared: the owner's group keeps its rights. The last copies are kept; where nothing has changed
    since the last one, that one stands.
    Raises OperationalError where the gradebook stays locked.
    """
    gradebook = file_of(url)
    if gradebook is None or not gradebook.is_file():
        return None
    gradebook.chmod(gradebook.stat().st_mode & (0o660 if shared else 0o600))
    folder = gradebook.with_name(BACKUPS)
    folder.mkdir(mode=0o700, exist_ok=True)
    backup = folder / f"{gradebook.stem}-{datetime.now():%Y-%m-%d-%H-%M-%S-%f}.db"
    with open(os.open(backup, os.O_CREAT | os.O_WRONLY, 0o600)):
        pass
    try:
        _copy(gradebook, backup)
    except BaseException:
        backup.unlink()
        raise
    *older, last = [None, *sorted(folder.glob(f"{gradebook.stem}-*.db"))]
    previous = older[-1] if older else None
    if previous is not None and filecmp.cmp(previous, backup, shallow=False):
        backup.unlink()
        return previous
    for old in sorted(folder.glob(f"{gradebook.stem}-*.db"))[:-MOST_BACKUPS]:
        old.unlink()
    return last


def _copy(gradebook: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(gradebook, PATIENCE, isolation_level=None)) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master")  # waits; a backup would for ever
        source.backup(copy)


@contextlib.contextmanager
def alone(course: Path) -> Iterator[None]:
    """Be the only `lab grade` of a course that writes. Raises GradebookUnavailable after a while."""
    with (course / ".lab-grade.lock").open("a") as lock:
        deadline = time.monotonic() + 2 * PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise GradebookUnavailable(
                        "Another lab grade of this course writes and writes: wait for it to end, or "
                        "end it."
                    ) from None
                time.sleep(0.1)
        yield


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Tell in words what keeps the gradebook or the disk from being written."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError, OSError) as error:
        if reason := _reason(error):
            raise GradebookUnavailable(reason) from error
        raise


def _reason(error: Exception) -> str:
    """Return why nothing can be written any more; empty where the error is about one submission."""
    said = str(error)
    if "locked" in said or "database is busy" in said:
        return (
            f"The gradebook stayed locked for {PATIENCE:g} seconds: another program writes to it (a "
            "formgrader, a second lab grade, a copy in progress). End that, then call this again."
        )
    if getattr(error, "errno", None) in FULL or "is full" in said:
        return "The disk is full: make room, then call this again. What is graded is kept."
    if "readonly database" in said or getattr(error, "errno", None) == errno.EROFS:
        return "The gradebook or its folder cannot be written: look at their owner and permissions."
    return ""

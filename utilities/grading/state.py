"""Whether release, gradebook and the shared configuration are what the source says."""

import json
from collections.abc import Iterator
from pathlib import Path

from jupyter_core.paths import jupyter_config_path
from nbformat.notebooknode import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.engine import make_url
from traitlets.config import Config, JSONFileConfigLoader, PyFileConfigLoader

from utilities.grading.course import CONFIG_FILE, course_directory, release_folder
from utilities.grading.fresh import Fresh
from utilities.grading.lesson import Lesson, marks, points_of, secret_lines
from utilities.grading.lint import Fault
from utilities.grading.sanitize import Trusted, TrustedCell, read_trusted

GENERATE = "Run: nbgrader generate_assignment {} --force"
SHOWN = 5  # names in a sentence


def trusted_cells(cells: list[NotebookNode]) -> Trusted:
    """Return what the gradebook would know of a notebook that is generated from these cells."""
    kinds = (utils.is_grade, utils.is_solution, utils.is_locked, utils.is_task)
    return Trusted([_trusted_cell(cell) for cell in cells if any(kind(cell) for kind in kinds)])


def _trusted_cell(cell: NotebookNode) -> TrustedCell:
    return TrustedCell(
        name=marks(cell)["grade_id"],
        cell_type=cell.cell_type,
        source=cell.source,
        locked=utils.is_locked(cell),
        grade=utils.is_grade(cell),
        solution=utils.is_solution(cell),
        task=utils.is_task(cell),
        points=points_of(cell),
        checksum=marks(cell).get("checksum") or "",
        id=cell.get("id", ""),
    )


def gradebook_exists(directory: CourseDirectory) -> bool:
    """Return whether there is a gradebook: to open one that is not there would make it."""
    url = make_url(directory.db_url)
    return not url.drivername.startswith("sqlite") or Path(url.database or "").is_file()


def graded_folders(directory: CourseDirectory, assignment: str) -> list[Path]:
    """Return the folders of the submissions that were graded."""
    pattern = directory.format_path(directory.autograded_directory, "*", assignment)
    root = Path(directory.format_path(directory.autograded_directory, ".", ".")).resolve()
    return sorted(p for p in root.glob(f"*/{Path(pattern).name}") if p.is_dir())


def secrets_in(release: Path, lesson: Lesson) -> Iterator[Fault]:
    """Tell where a released notebook holds a line that is secret."""
    path = release / lesson.file
    text = path.read_text() if path.is_file() else ""
    for line in secret_lines(lesson):
        if json.dumps(line, ensure_ascii=False)[1:-1] in text:
            what = f"it gives away a secret line of solutions/: {line[:60]!r}"
            yield Fault(f"{release.parent.name}/{release.name}/{lesson.file}", what,
                        "Take the line out of the open part", grave=True)  # fmt: skip


def behind(released: Path, fresh: Path, assignment: str) -> Iterator[Fault]:
    """Tell which released notebooks are not what the source would give now."""
    old, new = (
        {p.name: p.read_bytes() for p in folder.glob("*.ipynb")} for folder in (released, fresh)
    )
    place = f"{released.parent.name}/{assignment}"
    for name in sorted(old.keys() | new.keys()):
        if old and old.get(name) != new.get(name):
            what = "its source is newer" if name in old and name in new else (
                "it is not released yet" if name in new else "its source is gone")  # fmt: skip
            yield Fault(f"{place}/{name}", what, GENERATE.format(assignment))


class Changes:
    """What the source says otherwise than the gradebook."""

    def __init__(self, directory: CourseDirectory, assignment: str, fresh: Fresh):
        self.directory, self.assignment = directory, assignment
        self.new = {name: trusted_cells(cells) for name, cells in fresh.cells.items()}
        self.old: dict[str, Trusted] = {}
        self.submissions = 0
        self.known = False
        if gradebook_exists(directory):
            with Gradebook(directory.db_url, directory.course_id) as gradebook:
                self._read(gradebook)

    def _read(self, gradebook: Gradebook) -> None:
        try:
            entry = gradebook.find_assignment(self.assignment)
        except MissingEntry:
            return
        self.known = True
        self.submissions = len(entry.submissions)
        for name in [notebook.name for notebook in entry.notebooks]:
            self.old[name] = read_trusted(gradebook, self.assignment, name)

    @property
    def stuck(self) -> str:
        """Return why nbgrader cannot take the change over, with the way out; empty where it can."""
        added, gone = self._added(), self._gone()
        if not self.submissions or not (added or gone):
            return ""
        what = "; ".join(
            f"{word}: {_some(names)}" for word, names in (("added", added), ("gone", gone)) if names
        )
        return (
            f"Marks of {self.submissions} submissions hang on the cells of {self.assignment}, so none "
            f"can be added or taken away ({what}). Undo that in the source, or put the change into "
            f"an assignment of another name; to give up all its marks instead, keep a copy of the "
            f"gradebook and run: nbgrader db assignment remove {self.assignment} --force"
        )

    def faults(self) -> Iterator[Fault]:
        """Tell each difference, points one by one."""
        if not self.known:
            if graded := graded_folders(self.directory, self.assignment):
                what = (
                    f"it knows nothing of {self.assignment}, and {len(graded)} submissions are graded"
                )
                remedy = "Put its backup back: marks given by hand stand nowhere else"
                yield Fault("the gradebook", what, remedy)
            return
        if self.stuck:
            yield Fault("the gradebook", "the source has other cells than it", self.stuck.rstrip("."))
            return
        for name in sorted(self.new):
            old, new = _by_name(self.old.get(name)), _by_name(self.new[name])
            for cell in sorted(old.keys() & new.keys()):
                if old[cell].points != new[cell].points:
                    what = f"{new[cell].points:g} points here, {old[cell].points:g} in the gradebook"
                    yield Fault(f"{name}.ipynb, cell {cell}", what, GENERATE.format(self.assignment))
        if others := self._added() + self._gone() + self._changed():
            what = f"the source has other cells than it: {_some(others)}"
            yield Fault("the gradebook", what, GENERATE.format(self.assignment))

    def _added(self) -> list[str]:
        return [cell for name in self.new for cell in _missing(self.old.get(name), self.new[name])]

    def _gone(self) -> list[str]:
        return [cell for name in self.old for cell in _missing(self.new.get(name), self.old[name])]

    def _changed(self) -> list[str]:
        changed = []
        for name in self.new:
            old, new = _by_name(self.old.get(name)), _by_name(self.new[name])
            shared = [cell for cell in new if cell in old]
            changed += [cell for cell in shared if _substance(old[cell]) != _substance(new[cell])]
        return changed


def shared_course_ids(config: Config, folders: list[str] | None = None) -> Iterator[Fault]:
    """Tell where Jupyter's shared configuration has another course_id than the course's own.

    The students' `nbgrader list` looks under the shared one and finds nothing.
    """
    own = course_directory(config).course_id
    for folder in jupyter_config_path() if folders is None else folders:
        for name, loader in (
            (CONFIG_FILE, PyFileConfigLoader),
            ("nbgrader_config.json", JSONFileConfigLoader),
        ):
            if not (Path(folder) / name).is_file():
                continue
            try:
                shared = loader(name, path=folder).load_config()
            except Exception as error:  # whatever a configuration file may raise
                yield Fault(f"{folder}/{name}", f"it cannot be read ({error})", "Fix it")
                continue
            there = shared.get("CourseDirectory", {}).get("course_id")
            if there and there != own:
                what = (
                    f"its course_id is {there!r}, this course's {own!r}: students are offered nothing"
                )
                yield Fault(f"{folder}/{name}", what, "Write the same name in both")


def stale(config: Config, assignment: str, fresh: Fresh, release: Path) -> list[Fault]:
    """Return how release and gradebook differ from the source."""
    directory = course_directory(config, assignment)
    late = list(behind(release_folder(directory, assignment), release, assignment))
    return [*late, *Changes(directory, assignment, fresh).faults()]


def _by_name(trusted: Trusted | None) -> dict[str, TrustedCell]:
    return {cell.name: cell for cell in trusted.cells} if trusted else {}


def _missing(there: Trusted | None, wanted: Trusted) -> list[str]:
    known = _by_name(there)
    return [cell.name for cell in wanted.cells if cell.name not in known]


def _substance(cell: TrustedCell) -> tuple:
    return (cell.source, cell.cell_type, cell.grade, cell.solution, cell.task, cell.locked)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

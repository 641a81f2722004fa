"""A course's folder and what it is configured to be."""

from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config, PyFileConfigLoader

CONFIG_FILE = "nbgrader_config.py"


class CourseError(ValueError):
    """The course or the assignment cannot be graded as it is; the message says what to do."""


def read_config(course: Path, db_url: str | None = None) -> Config:
    """Return a course's configuration. Raises CourseError where there is none.

    db_url: another gradebook than the course's own.
    """
    course = course.resolve()
    if not (course / CONFIG_FILE).is_file():
        raise CourseError(f"No {CONFIG_FILE} in {course}: call this in the course's folder.")
    config = PyFileConfigLoader(CONFIG_FILE, path=str(course)).load_config()
    config.CourseDirectory.root = str(course)
    if db_url:
        config.CourseDirectory.db_url = db_url
    return config


def course_directory(config: Config, assignment: str = "") -> CourseDirectory:
    """Return nbgrader's view of a course."""
    directory = CourseDirectory(config=config)
    directory.assignment_id = assignment
    return directory


def source_folder(directory: CourseDirectory, assignment: str) -> Path:
    """Return where the notebooks of an assignment are written."""
    return Path(directory.format_path(directory.source_directory, ".", assignment))


def release_folder(directory: CourseDirectory, assignment: str) -> Path:
    """Return where the students' version of an assignment lies."""
    return Path(directory.format_path(directory.release_directory, ".", assignment))


def assignments_of(directory: CourseDirectory) -> list[str]:
    """Return the assignments that have a notebook in the course's source."""
    found = source_folder(directory, "*").parent.glob("*/*.ipynb")
    return sorted({path.parent.name for path in found if ".ipynb_checkpoints" not in path.parts})

"""Generate lab/ from solutions/ through nbgrader: `make release`.

A scratch course is used, so that the gradebook and lab/ stay as they were if anything fails.
"""

import shutil
import tempfile
from pathlib import Path

from nbgrader.apps import NbGraderAPI
from traitlets.config import PyFileConfigLoader

COURSE = Path(__file__).resolve().parents[2]


def assignments(course: Path = COURSE) -> list[str]:
    """Return the names of the assignments in the course's solutions."""
    return sorted(folder.parent.name for folder in (course / "solutions").glob("*/*.ipynb"))


def generate(course: Path, release: Path) -> None:
    """Write the student version of every assignment of a course into the folder `release`.

    Raises RuntimeError, with nbgrader's own log, when an assignment cannot be generated; then
    `release` holds only what was generated before it.
    """
    config = PyFileConfigLoader("nbgrader_config.py", path=str(COURSE)).load_config()
    with tempfile.TemporaryDirectory() as scratch:
        config.CourseDirectory.root = str(course)
        config.CourseDirectory.db_url = f"sqlite:///{scratch}/gradebook.db"
        config.CourseDirectory.release_directory = str(release)
        api = NbGraderAPI(config=config)
        for assignment in dict.fromkeys(assignments(course)):
            result = api.generate_assignment(assignment, force=True, create=True)
            if not result["success"]:
                raise RuntimeError(f"nbgrader could not generate {assignment}:\n{result['log']}")


def main() -> None:
    """Replace lab/ by a fresh release."""
    with tempfile.TemporaryDirectory() as scratch:
        release = Path(scratch) / "lab"
        generate(COURSE, release)
        shutil.rmtree(COURSE / "lab", ignore_errors=True)
        shutil.copytree(release, COURSE / "lab")
    for notebook in sorted((COURSE / "lab").glob("*/*.ipynb")):
        print(f"released {notebook.relative_to(COURSE)}")


if __name__ == "__main__":
    main()

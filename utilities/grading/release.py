"""Generate lab/ from solutions/ through nbgrader: `make release`.

A scratch course is used, so that the gradebook and lab/ stay as they were if anything fails.
"""

import argparse
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


def drift(release: Path, fresh: Path) -> list[str]:
    """Return the notebooks in which `release` is not what `fresh` is, by name, sorted."""
    old, new = (
        {p.relative_to(top): p.read_bytes() for p in top.glob("*/*.ipynb")} for top in (release, fresh)
    )
    return sorted(str(path) for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def main(arguments: list[str] | None = None) -> int:
    """Replace lab/ by a fresh release or, with --check, say whether it is one."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where lab/ is behind"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        release = Path(scratch) / "lab"
        generate(COURSE, release)
        if options.check:
            behind = drift(COURSE / "lab", release)
            for name in behind:
                print(f"lab/{name} has drifted from solutions/: run `make release`")
            return 1 if behind else 0
        shutil.rmtree(COURSE / "lab", ignore_errors=True)
        shutil.copytree(release, COURSE / "lab")
    for notebook in sorted((COURSE / "lab").glob("*/*.ipynb")):
        print(f"released {notebook.relative_to(COURSE)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

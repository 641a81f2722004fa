"""Generate lab/ from solutions/ through nbgrader: `make release`.

A scratch course is used, so that the gradebook and lab/ stay as they were if anything fails.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from utilities.grading.check import source_faults
from utilities.grading.course import assignments_of, course_directory, read_config
from utilities.grading.fresh import generate_aside
from utilities.grading.lint import Fault

COURSE = Path(__file__).resolve().parents[2]


def generate(course: Path, release: Path) -> list[Fault]:
    """Write the student version of every assignment of a course into the folder `release`.

    Return what `lab check` says of their sources. Raises RuntimeError, with nbgrader's own log, when
    an assignment cannot be generated; then `release` holds only what was generated before it.
    """
    config = read_config(course)
    faults = []
    for assignment in assignments_of(course_directory(config)):
        fresh = generate_aside(config, assignment, release)
        if fresh.problem:
            raise RuntimeError(f"nbgrader could not generate {assignment}:\n{fresh.log}")
        faults += source_faults(config, assignment, fresh, release / assignment)
    return faults


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
        faults = generate(COURSE, release)
        for fault in faults:
            print(fault)
        if options.check:
            behind = drift(COURSE / "lab", release)
            for name in behind:
                print(f"lab/{name} has drifted from solutions/: run `make release`")
            return 1 if behind or faults else 0
        if any(fault.grave for fault in faults):
            print("lab/ stays as it is until that is fixed.")
            return 1
        shutil.rmtree(COURSE / "lab", ignore_errors=True)
        shutil.copytree(release, COURSE / "lab")
    for notebook in sorted((COURSE / "lab").glob("*/*.ipynb")):
        print(f"released {notebook.relative_to(COURSE)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Write the zip that Gradescope takes as an autograder: `make gradescope ASSIGNMENT=name`.

In it are the wheel, the instructor's notebooks of one assignment, the secret of the hidden tests, and
two scripts. It holds the solutions: give it to Gradescope, and to nobody else.
"""

import argparse
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from tools.handout import write_zip
from tools.student_repo import built_wheel
from utilities.grading.course import assignments_of, course_directory, read_config
from utilities.grading.secret import FILE, course_secret

KIT = Path(__file__).resolve().parents[1]
SCRIPTS = KIT / "tools" / "elsewhere"
NOT_NEEDED = {"dask", "distributed", "psycopg2-binary"}  # for clusters and another gradebook


def main(arguments: list[str] | None = None) -> int:
    """Write the zip and print its path and size."""
    parser = argparse.ArgumentParser(prog="make gradescope", description=__doc__)
    parser.add_argument("assignment", choices=assignments_of(course_directory(read_config(KIT))))
    parser.add_argument("--output", type=Path, default=KIT / "dist")
    options = parser.parse_args(arguments)
    files = contents(options.assignment, built_wheel(KIT), course_secret(KIT))
    path = write_zip(files, options.output / f"gradescope-{options.assignment}.zip", folder="")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB. It holds the solutions.")
    return 0


def contents(assignment: str, wheel: Path, secret: bytes) -> dict[str, bytes]:
    """Return the files of the zip: path → content."""
    run = (SCRIPTS / "run_autograder").read_text(encoding="utf-8")
    files = {
        "setup.sh": (SCRIPTS / "setup.sh").read_bytes(),
        "run_autograder": run.replace("@ASSIGNMENT@", assignment).encode(),
        "requirements.txt": "".join(f"{name}\n" for name in needed()).encode(),
        "requirements.lock": (KIT / "requirements.lock").read_bytes(),
        wheel.name: wheel.read_bytes(),
        "course/nbgrader_config.py": (KIT / "nbgrader_config.py").read_bytes(),
        f"course/{FILE}": secret,
    }
    for path in sorted((KIT / "solutions" / assignment).glob("*.ipynb")):
        files[f"course/solutions/{assignment}/{path.name}"] = path.read_bytes()
    return dict(sorted(files.items()))


def needed() -> list[str]:
    """Return the packages that grading one submission needs; requirements.lock says which versions."""
    project = tomllib.loads((KIT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["grader"]]
    return sorted({Requirement(line).name for line in wanted} - NOT_NEEDED)


if __name__ == "__main__":
    sys.exit(main())

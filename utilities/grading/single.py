"""Grade one submission by itself, without a gradebook: for Gradescope, Classroom 50, a repository.

What is graded follows from the course's notebooks, hidden tests and all, or, where only released
ones are at hand, from those. Everything is judged as `lab grade` judges it.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from utilities.grading.course import CourseError, course_directory, read_config, source_folder
from utilities.grading.engine import Job, execute, read_apart
from utilities.grading.execute import FINDINGS, RECORD, CourseExecute, is_judged
from utilities.grading.fresh import generated
from utilities.grading.handed_in import is_tagged
from utilities.grading.lesson import marks, points_of
from utilities.grading.sandbox import Limits
from utilities.grading.sanitize import Trusted
from utilities.grading.secret import course_secret
from utilities.grading.state import trusted_cells
from utilities.kit import KIT

PER_POINT = 2  # Classroom 50 takes whole numbers; points are given in halves
SCHEMA = "classroom50/result/v1"
ROUNDED = "Each line is worth its share of the exercise; an exercise is rounded down to half points."
FROM_ENVIRONMENT = {  # what Classroom 50 tells an autograder, and where it goes in the result
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
}


@dataclass(frozen=True)
class Assignment:
    """What is known of an assignment: its notebooks, which of them may be missing, how it is run."""

    notebooks: dict[str, Trusted]
    optional: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Checked:
    """One graded cell: what it earned, what its check found, or why nothing was."""

    notebook: str
    name: str
    points: float
    score: float = 0.0
    findings: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""


@dataclass(frozen=True)
class Single:
    """A submission that was graded: its checks in order, and what there is to say about it."""

    checks: list[Checked]
    remarks: list[str]

    @property
    def score(self) -> float:
        return sum(check.score for check in self.checks)

    @property
    def points(self) -> float:
        return sum(check.points for check in self.checks)


def from_course(course: Path, assignment: str) -> Assignment:
    """Return what a course knows of an assignment, hidden tests and all."""
    config = read_config(course)
    with generated(config, assignment) as (fresh, _):
        if fresh.problem:
            raise CourseError(fresh.problem)
        source = source_folder(course_directory(config, assignment), assignment)
        written = {path.stem: _read(path).cells for path in source.glob("*.ipynb")}
        trusted = {name: _trusted(cells, written[name]) for name, cells in fresh.cells.items()}
    execution = CourseExecute(config=config)
    optional = frozenset(execution.optional_notebooks)
    return Assignment(trusted, optional, execution.limits, course_secret(course))


def from_release(folder: Path) -> Assignment:
    """Return what released notebooks say of themselves; hidden tests are not in them."""
    notebooks = {path.stem: _read(path).cells for path in sorted(folder.glob("*.ipynb"))}
    if not notebooks:
        raise CourseError(f"There is no notebook in {folder}.")
    return Assignment({name: _trusted(cells, cells) for name, cells in notebooks.items()})


def grade(folder: Path, known: Assignment, unsafe: bool = False) -> Single:
    """Grade what lies in a folder. Raises CourseError where the grader itself is in trouble."""
    read = read_apart(folder, True, known.notebooks)
    job = Job("submission", read.notebooks, read.files, known.limits, unsafe, secret=known.secret)
    done = execute(job)
    if done.error and not done.given_up:
        raise CourseError(done.error)
    notebooks = {name: nbformat.reads(text, 4) for name, text in done.notebooks.items()}
    remarks = [said for name in known.notebooks for said in (*read.remarks[name], *read.doubts[name])]
    for nb in notebooks.values():
        remarks += [*nb.metadata[RECORD]["remarks"], *nb.metadata[RECORD]["trouble"]]
    checks = []
    for name, trusted in known.notebooks.items():
        if name in notebooks:
            judged = filter(is_judged, notebooks[name].cells)
            checks += [_checked(name, cell) for cell in judged]
        elif name not in known.optional:
            reason = read.refused.get(name) or done.error
            worth = [cell for cell in trusted.cells if cell.cell_type == "code" and cell.grade]
            checks += [Checked(name, cell.name, cell.points, reason=reason) for cell in worth]
    return Single(checks, list(dict.fromkeys(remarks)))


def gradescope(single: Single) -> dict[str, Any]:
    """Return what Gradescope reads from results.json: a test for each finding."""
    tests = []
    for number, check in enumerate(single.checks, start=1):
        exercise = check.name.removeprefix("check_")
        if not check.findings:
            shown = _test(
                exercise, f"{number}", 0.0, check.points, check.reason or "Nothing was found."
            )
            tests.append(shown)
        total = sum(finding["share"] for finding in check.findings)
        for place, finding in enumerate(check.findings, start=1):
            worth = check.points * finding["share"] / total
            earned = worth if finding["held"] else 0.0
            name = f"{exercise}: {finding['name']}"
            tests.append(_test(name, f"{number}.{place}", earned, worth, finding["message"]))
    return {
        "score": single.score,
        "output": "\n\n".join(
            [f"{single.score:g} of {single.points:g} points. {ROUNDED}", *single.remarks]
        ),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def classroom50(single: Single, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what Classroom 50 reads from result.json: a test for each exercise, in half points."""
    told = {key: environment.get(name, "") for key, name in FROM_ENVIRONMENT.items()}
    tests = [
        {
            "test-name": f"{check.notebook}: {check.name.removeprefix('check_')}",
            "passed": check.score == check.points,
            "score": round(PER_POINT * check.score),
            "max-score": round(PER_POINT * check.points),
            "output": _in_words(check),
        }
        for check in single.checks
    ]
    return {
        "schema": SCHEMA,
        **told,
        "review": environment.get("REVIEW_URL") or told["commit"],
        "datetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }


def main(arguments: list[str] | None = None) -> int:
    """Grade a folder and write the results; exit status 2 where the grader is in trouble."""
    parser = argparse.ArgumentParser(prog="python -m utilities.grading.single", description=__doc__)
    parser.add_argument("assignment")
    parser.add_argument("folder", type=Path, help="the folder that was handed in")
    parser.add_argument("--course", type=Path, help="the course, with hidden tests; else the release")
    parser.add_argument("--unsafe", action="store_true", help="without a sandbox")
    parser.add_argument(
        "--other-user", action="store_true", help="without a sandbox, under a user id that owns nothing"
    )
    parser.add_argument("--gradescope", type=Path, metavar="FILE", help="write results.json")
    parser.add_argument("--classroom50", type=Path, metavar="FILE", help="write result.json")
    options = parser.parse_args(arguments)
    try:
        single = _grade(options)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2
    for path, results in (
        (options.gradescope, gradescope(single)),
        (options.classroom50, classroom50(single, os.environ)),
    ):
        if path:
            path.write_text(json.dumps(results, indent=1), encoding="utf-8")
    for check in single.checks:
        print(f"{check.score:g} of {check.points:g}  {check.notebook}: {check.name}")
        print("".join(f"    {line}\n" for line in _in_words(check).splitlines()), end="")
    print("\n".join([*single.remarks, f"{single.score:g} of {single.points:g} points"]))
    return 0


def _grade(options: argparse.Namespace) -> Single:
    if options.course:
        known = from_course(options.course.resolve(), options.assignment)
    else:
        known = from_release(KIT / "lab" / options.assignment)
    known = replace(known, limits=replace(known.limits, other_user=options.other_user))
    return grade(options.folder, known, options.unsafe or options.other_user)


def _read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def _trusted(cells: list[NotebookNode], written: list[NotebookNode]) -> Trusted:
    """Return the cells that nbgrader knows, those marked that only train or show."""
    shows = {marks(cell)["grade_id"] for cell in written if is_tagged(cell)}
    known = trusted_cells(cells)
    return Trusted([replace(cell, shows=cell.name in shows) for cell in known.cells])


def _checked(notebook: str, cell: NotebookNode) -> Checked:
    results = [o for o in cell.outputs if o.output_type == "execute_result"]
    return Checked(
        notebook,
        marks(cell)["grade_id"],
        points_of(cell),
        float(results[-1].data["text/plain"]) if results else 0.0,
        cell.metadata.get(RECORD, {}).get(FINDINGS, {}).get("findings", []),
    )


def _test(name: str, number: str, score: float, worth: float, output: str) -> dict[str, Any]:
    status = "passed" if score == worth else "failed"
    return {
        "name": name,
        "number": number,
        "score": round(score, 4),
        "max_score": round(worth, 4),
        "status": status,
        "output": output,
        "output_format": "text",
    }


def _in_words(check: Checked) -> str:
    """Return what did not hold in an exercise, and why, in lines."""
    failed = [finding for finding in check.findings if not finding["held"]]
    lines = [f"{finding['name']}: {finding['message']}".strip(": ") for finding in failed]
    return "\n".join([check.reason, *lines] if check.reason else lines)


if __name__ == "__main__":
    raise SystemExit(main())

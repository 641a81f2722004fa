"""Measure for the README: python -m tests.grading.measure scale | stock.

scale: so many submissions of the stand-in course; time, memory, losses.
stock: what stock nbgrader makes of the faults and attacks, beside what `lab grade` makes of them.
       Stock nbgrader runs inside a sandbox of its own here, since some of them harm the machine.

How fast both are on the same submissions is row a of `make bench`.
"""

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import psutil
from nbgrader.api import Gradebook

from tests.grading import course as stand_in
from tests.grading.attacks import ATTACKS, perform, spoil
from tests.grading.scenarios import SCENARIOS
from utilities.grading import sandbox

STOCK_CONFIG = """c = get_config()
c.CourseDirectory.course_id = "attention-lab-kit"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "lab"
"""


def scale(folder: Path, number: int, workers: int) -> None:
    """Grade many submissions and print what it took."""
    course = stand_in.write_course(folder / "course")
    notebook = stand_in.solved(course)
    for index in range(number):
        stand_in.hand_in(course, f"student{index:04}", notebook)
    memory: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1.0):
            memory.append(psutil.Process().memory_info().rss / 2**20)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    students = [f"student{index:04}" for index in range(number)]
    rows = stand_in.grade(course, students, workers)
    seconds = time.monotonic() - began
    done.set()
    watcher.join()
    quarter = max(len(memory) // 4, 1)
    print(json.dumps({
        "submissions": number, "workers": workers, "seconds": round(seconds, 1),
        "graded": sum(row.status == "graded" for row in rows.values()),
        "points": sorted({row.score for row in rows.values()}),
        "cpu_seconds_in_kernels": round(sum(row.cpu_seconds for row in rows.values()), 1),
        "cpu_seconds_of_grader": round(sum(os.times()[:2]), 1),
        "memory_MB_after_a_quarter": round(memory[quarter - 1], 1),
        "memory_MB_at_the_end": round(memory[-1], 1), "memory_MB_at_most": round(max(memory), 1),
        "threads_left": threading.active_count(),
    }, indent=1))  # fmt: skip


def against_stock(folder: Path, names: list[str]) -> None:
    """Print a table of faults and attacks: points by stock nbgrader, points by `lab grade`."""
    blank = stand_in.write_course(folder / "blank")
    chosen = names or [*SCENARIOS, *ATTACKS]
    ours = stand_in.copy_course(blank, folder / "ours")
    students = {}
    for index, name in enumerate(chosen):
        students[name] = f"s{index:03}"
        _hand_in(ours, students[name], name)
    rows = stand_in.grade(ours, list(students.values()), 2)
    print("| fault or attack | stock nbgrader | lab grade |\n|---|---|---|")
    for name in chosen:
        mine = rows[students[name]]
        print(f"| {name} | {_by_stock(blank, folder, name)} | {mine.score:g} of 6 |", flush=True)


def _by_stock(blank: Path, folder: Path, name: str) -> str:
    """Return what stock nbgrader makes of one submission and of an honest one graded after it."""
    course = folder / "stock"
    shutil.rmtree(course, ignore_errors=True)
    stand_in.copy_course(blank, course)
    (course / "nbgrader_config.py").write_text(STOCK_CONFIG + "c.Execute.timeout = 10\n")
    _hand_in(course, "a", name)
    stand_in.hand_in(course, "honest", stand_in.solved(course))
    cage = [
        "bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent",
        "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
        "--bind", str(course), str(course), "--chdir", str(course),
        "prlimit", "--data=3000000000", "--nproc=600", "--fsize=900000000",
    ]  # fmt: skip
    grade = [sys.executable, "-m", "nbgrader", "autograde", stand_in.ASSIGNMENT]
    try:
        subprocess.run([*cage, *grade], capture_output=True, timeout=240)
    except subprocess.TimeoutExpired:
        return "hangs for more than 4 minutes"
    honest = _points(course, "honest")
    mine = _points(course, "a")
    lost = "" if honest == 6 else "; the class after it is lost"
    return (f"{mine:g} of 6" if mine is not None else "no score: the submission is lost") + lost


def _points(course: Path, student: str) -> float | None:
    """Return what formgrader shows for the checks: a manual score goes before an automatic one."""
    if not list((course / "autograded" / student).glob("*/*.ipynb")):
        return None
    try:
        with Gradebook(f"sqlite:///{course}/gradebook.db", "attention-lab-kit") as gradebook:
            notebook = gradebook.find_submission_notebook(
                stand_in.NOTEBOOK, stand_in.ASSIGNMENT, student
            )
            return sum(g.score for g in notebook.grades if g.name in stand_in.POINTS)
    except Exception:
        return None


def _hand_in(course: Path, student: str, name: str) -> None:
    notebook = stand_in.solved(course)
    if name in ATTACKS:

        def fill(source: str) -> str:
            return source.replace("@COURSE@", str(course)).replace("@PORT@", "9")

        perform(ATTACKS[name], notebook, fill)
        spoil(ATTACKS[name], stand_in.hand_in(course, student, notebook))
        return
    scenario = SCENARIOS[name]
    if scenario.change is not None:
        scenario.change(notebook)
    folder = stand_in.hand_in(course, student, notebook)
    if scenario.spoil is not None:
        scenario.spoil(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("scale", "stock"))
    parser.add_argument("--number", type=int, help="scale: submissions (500)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--until", default="check_multi_head_attention", help="last cell of the core")
    parser.add_argument("names", nargs="*", help="stock: these faults and attacks only")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    sandbox.check_available()
    with tempfile.TemporaryDirectory(prefix="lab-measure-") as name:
        if options.what == "scale":
            scale(Path(name), options.number or 500, options.workers)
        else:
            against_stock(Path(name), options.names)


if __name__ == "__main__":
    main()

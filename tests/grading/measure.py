"""Measure for the README: python -m tests.grading.measure scale | crowd | stock | ours | table.

scale: so many submissions of the stand-in course; time, memory, losses.
crowd: 20 honest submissions alone, then among 20 that do their worst; points, time, memory of the host.
stock: what stock nbgrader makes of the faults and attacks, beside what `lab grade` makes of them.
       Stock nbgrader runs inside a cage here, since some of them harm the machine.
ours: `lab grade` once more on what stock has written; its column is renewed.
table: what stock has written, as Markdown.

How fast both are on the same submissions is row a of `make bench`.
"""

import argparse
import contextlib
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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook

from tests.grading import course as stand_in
from tests.grading import layer_attacks
from tests.grading.attacks import ATTACKS, perform, spoil
from tests.grading.hogs import HOGS, TALKERS
from tests.grading.scenarios import REGRESSION, SCENARIOS, own_cell
from utilities.grading import sandbox

STOCK_PATIENCE = 200  # seconds a submission on a busy machine; an honest one takes two
BATCH = 8
AWKWARD = ("zip bomb beside the notebook", "nested beyond all bounds", "30 MB of outputs", "60 MB")
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
        "cpu_seconds_of_submissions": round(sum(row.cpu_seconds for row in rows.values()), 1),
        "cpu_seconds_of_grader": round(sum(os.times()[:2]), 1),
        "memory_MB_after_a_quarter": round(memory[quarter - 1], 1),
        "memory_MB_at_the_end": round(memory[-1], 1), "memory_MB_at_most": round(max(memory), 1),
        "threads_left": threading.active_count(),
    }, indent=1))  # fmt: skip


def crowd(folder: Path, workers: int) -> None:
    """Grade 20 honest submissions alone and among 20 hostile ones, and print both."""
    hostile = {
        **{name: own_cell(source) for name, source in (*TALKERS.items(), *HOGS.items())},
        **{name: SCENARIOS[name].change for name in AWKWARD},
    }
    alone, among = (stand_in.write_course(folder / name) for name in ("alone", "among"))
    honest = [f"honest{number:02}" for number in range(len(hostile))]
    for course in (alone, among):
        for student in honest:
            stand_in.hand_in(course, student, stand_in.solved(course))
    students = {f"hostile{number:02}": name for number, name in enumerate(hostile)}
    for student, name in students.items():
        notebook = stand_in.solved(among)
        if (change := hostile[name]) is not None:
            change(notebook)
        submitted = stand_in.hand_in(among, student, notebook)
        if name in SCENARIOS and (damage := SCENARIOS[name].spoil) is not None:
            damage(submitted)
    limits = {"notebook_timeout": 60.0}
    quiet, seconds_alone, memory_alone = _watched(alone, honest, workers, limits)
    everybody = [name for pair in zip(students, honest, strict=True) for name in pair]
    rows, seconds, memory = _watched(among, everybody, workers, limits)
    worst = sum(rows[student].seconds for student in students)
    print(json.dumps({
        "honest": len(honest), "hostile": len(students), "rows": len(rows),
        "honest_points_as_alone": all(rows[s].score == quiet[s].score for s in honest),
        "honest_points": sorted({rows[s].score for s in honest}),
        "seconds_alone": seconds_alone, "seconds_among": seconds,
        "seconds_of_the_hostile": round(worst, 1), "workers": workers,
        "host_MB_alone": memory_alone, "host_MB_among": memory,
        "hostile_rows": {
            name: [rows[s].score, rows[s].status, rows[s].seconds] for s, name in students.items()
        },
    }, indent=1))  # fmt: skip


def _watched(
    course: Path, students: list[str], workers: int, limits: dict
) -> tuple[dict, float, float]:
    """Grade, and return the rows, the seconds, and by how many MB the host's free memory shrank."""
    free: list[int] = [psutil.virtual_memory().available]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            free.append(psutil.virtual_memory().available)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    rows = stand_in.grade(course, students, workers, **limits)
    seconds = round(time.monotonic() - began, 1)
    done.set()
    watcher.join()
    return rows, seconds, round((free[0] - min(free)) / 2**20)


@dataclass(frozen=True)
class _Class:
    """Submissions of one stand-in course, by what is handed in; what they are worth when honest."""

    kind: str
    assignment: str
    points: dict[str, float]
    names: list[str]
    hand_in: Callable[[Path, str, str], None]  # (course, student, name)
    notebook: NotebookNode
    limits: dict[str, int]

    @property
    def worth(self) -> float:
        return sum(self.points.values())


def _classes() -> list[_Class]:
    small = (stand_in.ASSIGNMENT, stand_in.POINTS)
    kernels, layers = stand_in.source_notebook(), layer_attacks.source_notebook()
    roomy = {"timeout": 240, "memory": 8 << 30, "processes": 1024}
    short = {"timeout": 15}
    names = list(layer_attacks.LAYER_ATTACKS)
    deep = (layer_attacks.ASSIGNMENT, layer_attacks.POINTS, names, _hand_in_layers, layers, roomy)
    return [
        _Class("fault", *small, list(SCENARIOS), _hand_in_fault, kernels, short),
        _Class("attack", *small, list(ATTACKS), _hand_in_attack, kernels, short),
        _Class("attack on layers", *deep),
    ]


def against_stock(folder: Path, names: list[str], workers: int, out: Path) -> None:
    """Grade faults and attacks by stock nbgrader and by `lab grade`, one JSON line a row.

    What stands in `out` already is not done again, so that a run that was stopped goes on.
    """
    done = {json.loads(line)["name"] for line in out.read_text().splitlines()} if out.exists() else {}
    for number, chosen in enumerate(_classes()):
        todo = [n for n in chosen.names if n not in done and (not names or n in names)]
        if todo:
            _one_class_against_stock(folder / str(number), chosen, todo, workers, out)


def renew_ours(folder: Path, workers: int, out: Path) -> None:
    """Grade all rows that stand in `out` by `lab grade` again."""
    rows = {row["name"]: row for row in map(json.loads, out.read_text().splitlines())}
    for number, chosen in enumerate(_classes()):
        names = [name for name in chosen.names if name in rows]
        blank = stand_in.write_course(folder / str(number), {chosen.assignment: chosen.notebook})
        for name, score in _by_us(blank, folder / f"ours{number}", chosen, names, workers).items():
            rows[name]["ours"] = score
    out.write_text("".join(json.dumps(row) + "\n" for row in rows.values()))


def _by_us(blank: Path, course: Path, chosen: _Class, names, workers: int) -> dict[str, float]:
    """Return the points that `lab grade` gives."""
    stand_in.copy_course(blank, course)
    students = {name: f"s{index:03}" for index, name in enumerate(names)}
    for name, student in students.items():
        chosen.hand_in(course, student, name)
    everybody = list(students.values())
    rows = stand_in.grade(course, everybody, workers, chosen.assignment, **chosen.limits)
    return {name: rows[student].score for name, student in students.items()}


def _one_class_against_stock(folder: Path, chosen: _Class, names, workers: int, out: Path) -> None:
    blank = stand_in.write_course(folder / "blank", {chosen.assignment: chosen.notebook})
    ours = _by_us(blank, folder / "ours", chosen, names, workers)
    by_stock = partial(_by_stock, blank, folder, chosen)
    with ThreadPoolExecutor(workers) as pool, out.open("a") as lines:
        for found in pool.map(by_stock, _batches(names)):
            for name, stock in found.items():
                row = {"name": name, "kind": chosen.kind, "worth": chosen.worth,
                       "stock": stock, "ours": ours[name]}  # fmt: skip
                lines.write(json.dumps(row) + "\n")
            lines.flush()


def _batches(names: list[str]) -> Iterator[list[str]]:
    """Yield names in batches; what harms machine, gradebook or grader would touch their peers."""
    harm = [n for n in names if n in ATTACKS and ATTACKS[n].aim in ("harm", "gradebook")]
    alone = [*harm, *(n for n in names if n in TALKERS)]
    together = [name for name in names if name not in alone]
    yield from (together[i : i + BATCH] for i in range(0, len(together), BATCH))
    yield from ([name] for name in alone)


def _by_stock(blank: Path, folder: Path, chosen: _Class, names: list[str]) -> dict[str, dict]:
    """Return what stock nbgrader makes of submissions, and of an honest one graded after each.

    They are graded as one class; where that loses anybody, each is graded once more alone.
    """
    found = _graded_by_stock(blank, folder, chosen, names)
    lost = [name for name, of_one in found.items() if None in of_one.values()]
    if len(names) > 1:
        for name in lost:
            found |= _graded_by_stock(blank, folder, chosen, [name])
    return found


def _graded_by_stock(blank: Path, folder: Path, chosen: _Class, names) -> dict[str, dict]:
    """Return points by student, and those of the honest one who comes after them all."""
    students = {name: f"a{index}" for index, name in enumerate(names)}
    with _little_disk(Path(tempfile.mkdtemp(dir=folder)) / "stock") as small:
        course = stand_in.copy_course(blank, small / "course")
        (course / "nbgrader_config.py").write_text(STOCK_CONFIG)
        for name, student in students.items():
            chosen.hand_in(course, student, name)
        honest = stand_in.solved(course, chosen.assignment)
        stand_in.hand_in(course, "honest", honest, chosen.assignment)
        grade = [sys.executable, "-m", "nbgrader", "autograde", chosen.assignment]
        hangs, patience = False, STOCK_PATIENCE * (1 + len(names))
        try:
            subprocess.run(_caged(grade, course), capture_output=True, timeout=patience)
        except subprocess.TimeoutExpired:
            hangs = True
        after = _points(course, chosen, "honest")
        return {
            name: {"hangs": hangs, "score": _points(course, chosen, student), "honest": after}
            for name, student in students.items()
        }


def _caged(command: list[str], course: Path) -> list[str]:
    """Return a command that sees this machine as it is, and can harm nothing but the course.

    Where root measures, the command runs as somebody else, as an instructor does.
    """
    cage = [
        "bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent",
        "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp",
        *_reachable(course), "--bind", str(course), str(course),
        "--chdir", str(course), "--setenv", "HOME", "/tmp",
    ]  # fmt: skip
    limits = ["prlimit", "--as=6000000000", "--nproc=600", "--fsize=900000000"]
    user_id = sandbox.fresh_user_id()
    if user_id is None:
        return [*cage, *limits, *command]
    python = str(Path(sys.base_prefix))  # may stand in a home that nobody else can read
    cage += ["--tmpfs", "/root", *_reachable(Path(python)), "--ro-bind", python, python]
    cage += [part for cap in ("SETUID", "SETGID") for part in ("--cap-add", f"CAP_{cap}")]
    for path in (course, *course.rglob("*")):
        os.chown(path, user_id, user_id, follow_symlinks=False)
    other = ["setpriv", "--reuid", str(user_id), "--regid", str(user_id), "--clear-groups"]
    return [*cage, *limits, *other, "--no-new-privs", *command]


def _reachable(path: Path) -> list[str]:
    """Return bubblewrap's arguments that make the parents of a mount so that anybody can pass."""
    parents = [str(parent) for parent in reversed(path.parents)]
    inside = [p for p in parents if p.startswith(("/tmp/", "/root/"))]
    return [part for parent in inside for part in ("--dir", parent)]


@contextlib.contextmanager
def _little_disk(folder: Path) -> Iterator[Path]:
    """Make a folder and remove it again; where root measures, it is a disk of its own."""
    folder.mkdir(mode=0o755)
    mounted = os.geteuid() == 0
    if mounted:
        options = "size=2000m,mode=755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def _points(course: Path, chosen: _Class, student: str) -> float | None:
    """Return what formgrader shows for the checks: a manual score goes before an automatic one."""
    if not list((course / "autograded" / student).glob("*/*.ipynb")):
        return None
    name = chosen.assignment
    try:
        with Gradebook(f"sqlite:///{course}/gradebook.db", "attention-lab-kit") as gradebook:
            notebook = gradebook.find_submission_notebook(name, name, student)
            return sum(g.score for g in notebook.grades if g.name in chosen.points)
    except Exception:
        return None


def _hand_in_fault(course: Path, student: str, name: str) -> None:
    notebook, scenario = stand_in.solved(course), SCENARIOS[name]
    if scenario.change is not None:
        scenario.change(notebook)
    folder = stand_in.hand_in(course, student, notebook)
    if scenario.spoil is not None:
        scenario.spoil(folder)


def _hand_in_attack(course: Path, student: str, name: str) -> None:
    def fill(source: str) -> str:
        return source.replace("@COURSE@", str(course)).replace("@PORT@", "9")

    notebook = stand_in.solved(course)
    perform(ATTACKS[name], notebook, fill)
    spoil(ATTACKS[name], stand_in.hand_in(course, student, notebook))


def _hand_in_layers(course: Path, student: str, name: str) -> None:
    layer_attacks.hand_in(course, student, layer_attacks.LAYER_ATTACKS[name])


def table(rows: list[dict]) -> str:
    """Return the faults and the attacks as two Markdown tables, each with its sums."""
    faults = [row for row in rows if row["kind"] == "fault"]
    attacks = [row for row in rows if row["kind"] != "fault"]
    lines = [
        "| handed in | points the fault leaves | stock nbgrader | lab grade |",
        "|---|---|---|---|",
    ]
    for row in faults:
        lines.append(f"| {row['name']} | {_left(row):g} | {_stock(row)} | {row['ours']:g} |")
    lines += ["", _sum_of_faults(faults), ""]
    lines += [
        "| attempt | points of an honest copy | stock nbgrader | lab grade |",
        "|---|---|---|---|",
    ]
    for row in attacks:
        lines.append(f"| {row['name']} | {_honest(row):g} | {_stock(row)} | {row['ours']:g} |")
    return "\n".join([*lines, "", _sum_of_attacks(attacks)])


def _left(row: dict) -> float:
    """Return the points that a fault does not touch."""
    return row["worth"] - sum(stand_in.POINTS[name] for name in SCENARIOS[row["name"]].lost)


def _honest(row: dict) -> float:
    """Return what the same wrong steps earn without the attempt."""
    return stand_in.POINTS[REGRESSION] if row["kind"] == "attack" else 0.0


def _stock(row: dict) -> str:
    stock = row["stock"]
    if stock["hangs"]:
        return "hangs"
    score = "the submission is lost" if stock["score"] is None else f"{stock['score']:g}"
    lost = "" if stock["honest"] == row["worth"] else ", and the class after it"
    return f"{score}{lost}"


def _sum_of_faults(rows: list[dict]) -> str:
    stock = sum(max(_left(row) - (row["stock"]["score"] or 0.0), 0.0) for row in rows)
    ours = sum(max(_left(row) - row["ours"], 0.0) for row in rows)
    lost = sum(row["stock"]["score"] is None for row in rows)
    batch = sum(row["stock"]["honest"] != row["worth"] for row in rows)
    return (
        f"{len(rows)} faults. Points lost that the fault does not touch: {stock:g} by stock nbgrader, "
        f"{ours:g} by lab grade. Stock nbgrader loses {lost} whole submissions, and in {batch} of "
        "these runs the honest submission that comes after."
    )


def _sum_of_attacks(rows: list[dict]) -> str:
    stock = [max((row["stock"]["score"] or 0.0) - _honest(row), 0.0) for row in rows]
    ours = [max(row["ours"] - _honest(row), 0.0) for row in rows]
    return (
        f"{len(rows)} attempts. Points gained: {sum(stock):g} by stock nbgrader, in "
        f"{sum(g > 0 for g in stock)} of them; {sum(ours):g} by lab grade, in "
        f"{sum(g > 0 for g in ours)} of them."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("scale", "crowd", "stock", "ours", "table"))
    parser.add_argument("--number", type=int, help="scale: submissions (500)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("stock.jsonl"), help="stock, table: the rows")
    parser.add_argument("names", nargs="*", help="stock: these faults and attacks only")
    options = parser.parse_args()
    if options.what == "table":
        print(table([json.loads(line) for line in options.out.read_text().splitlines()]))
        return
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    sandbox.check_available()
    with tempfile.TemporaryDirectory(prefix="lab-measure-") as name:
        if options.what == "scale":
            scale(Path(name), options.number or 500, options.workers)
        elif options.what == "crowd":
            crowd(Path(name), options.workers)
        elif options.what == "ours":
            renew_ours(Path(name), options.workers, options.out)
        else:
            against_stock(Path(name), options.names, options.workers, options.out)


if __name__ == "__main__":
    main()

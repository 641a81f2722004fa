"""Whatever a submission does to the grader or to the machine, grading ends, and nobody else notices."""

import asyncio
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from tests.grading import course as stand_in
from tests.grading.hogs import FLOODS, FORGED_REPLIES, HOGS
from utilities.grading import apart, cgroup, engine, filter
from utilities.grading.apart import Bounds
from utilities.grading.sandbox import Limits
from utilities.grading.session import Outcome, Session

ROOMY = Bounds(60, 60, 8 << 30)
SMALL = Limits(memory=1 << 30, home=64 << 20, processes=200, cell_seconds=20, grace_seconds=2)


def double(number):
    return 2 * number


def refuse():
    raise FileNotFoundError("nothing there")


def sleep_on_in(seconds, process_ids):
    Path(process_ids).write_text(str(os.getpid()))
    time.sleep(seconds)


def spin():
    while True:
        pass


def hoard():
    return len(bytearray(1 << 30))


def leave():
    os._exit(0)


def where_temporary_files_go():
    Path(tempfile.mkdtemp(), "left").touch()
    return tempfile.gettempdir()


def test_what_runs_apart_returns_or_raises_as_it_would_here():
    assert apart.run(double, 21, bounds=ROOMY) == 42
    with pytest.raises(FileNotFoundError, match="nothing there"):
        apart.run(refuse, bounds=ROOMY)


@pytest.mark.parametrize(
    "function, bounds",
    [
        (spin, Bounds(0.5, 60, 8 << 30)),
        (spin, Bounds(60, 0.5, 8 << 30)),
        (leave, ROOMY),
    ],
    ids=["wall time", "processor time", "ends itself"],
)
def test_what_takes_too_much_is_ended_and_the_next_goes_on(function, bounds):
    with pytest.raises(apart.Ended):
        apart.run(function, bounds=bounds)
    assert apart.run(double, 1, bounds=ROOMY) == 2


def test_memory_of_a_child_is_limited():
    with pytest.raises((MemoryError, apart.Ended)):
        apart.run(hoard, bounds=Bounds(60, 60, 512 << 20))


def test_a_server_of_children_that_was_killed_is_replaced():
    server = apart.run(os.getppid, bounds=ROOMY)
    os.kill(server, signal.SIGKILL)
    assert apart.run(double, 3, bounds=ROOMY) == 6


def give_way():
    return int(Path("/proc/self/oom_score_adj").read_text())


def test_a_child_is_ended_before_its_grader_where_memory_runs_out():
    assert apart.run(give_way, bounds=ROOMY) == apart.FIRST_TO_GO > give_way()


def test_temporary_files_of_a_child_go_with_it():
    assert not Path(apart.run(where_temporary_files_go, bounds=ROOMY)).exists()


def test_what_killed_graders_left_is_swept_and_what_is_in_use_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    in_use, lock = apart.temporary_folder()
    left, other = apart.temporary_folder()
    os.close(other)
    (left / "submission").mkdir()
    link = tmp_path / f"{apart.TEMPORARY}link"
    link.symlink_to(tmp_path)
    apart.sweep()
    assert in_use.exists() and not left.exists() and link.exists()
    os.close(lock)


def test_a_child_does_not_outlive_a_grader_that_is_killed(tmp_path):
    process_ids = tmp_path / "pid"
    program = (
        "from utilities.grading import apart; import tests.grading.test_availability as t\n"
        f"apart.run(t.sleep_on_in, 300, {str(process_ids)!r}, bounds=t.ROOMY)"
    )
    grader = subprocess.Popen([sys.executable, "-c", program])
    child = int(_soon(lambda: process_ids.exists() and process_ids.read_text()))
    grader.kill()
    grader.wait()
    assert _soon(lambda: not psutil.pid_exists(child))


@pytest.fixture(scope="module")
def hogged(sandboxed):
    """Run every hog in one kernel, started again where it was ended; return what came of each."""

    async def run_all() -> dict[str, Outcome]:
        outcomes = {}
        with tempfile.TemporaryDirectory() as files:
            session = Session(Path(files), SMALL)
            for name, source in HOGS.items():
                if not session.alive:
                    await session.start()
                outcomes[name] = await session.run(source, 20)
            await session.end()
        return outcomes

    return asyncio.run(run_all())


@pytest.mark.parametrize("name", HOGS)
def test_memory_that_no_process_is_charged_with_is_refused_or_bounded(hogged, name):
    """What a hog says it could take, in MB, is less than the home that it may fill anyway."""
    outcome = hogged[name]
    shown = "".join(output.get("text", output.get("evalue", "")) for output in outcome.outputs)
    if outcome.stopped:
        assert "sockets" in outcome.stopped or "channel" in outcome.stopped, outcome.stopped
    else:
        taken = [int(line.split()[1]) for line in shown.split("\n") if line.startswith("took ")]
        assert taken and max(taken) <= 3 * (SMALL.home >> 20), shown


def test_other_users_cannot_read_what_was_handed_in_and_a_kernel_goes_first(sandboxed, tmp_path):
    async def looked() -> tuple[int, Outcome]:
        session = Session(tmp_path, SMALL)
        await session.start()
        try:
            mode = session.room.submission.stat().st_mode & 0o777
            return mode, await session.run("print(open('/proc/self/oom_score_adj').read())", 20)
        finally:
            await session.end()

    mode, outcome = asyncio.run(looked())
    assert mode == 0o700
    assert outcome.outputs[0].text.strip() == "1000"


@pytest.mark.parametrize("machine", filter.TABLES)
def test_the_filter_refuses_these_calls_and_no_others(machine):
    table, program = filter.TABLES[machine], filter.program(machine)

    def answer(number: int, *arguments: int) -> int:
        return _run_filter(program, number, table.architecture, arguments)

    assert {answer(number) for number in table.refused.values()} == {filter.FAIL | 38}
    others = set(range(500)) - set(table.refused.values()) - {table.socket, table.setsockopt}
    assert {answer(number) for number in others} == {filter.ALLOW}
    assert answer(table.socket, 1) == answer(table.socket, 16) == filter.ALLOW
    assert answer(table.socket, 2) == filter.FAIL | 97
    assert answer(table.setsockopt, 3, 1, 7) == filter.FAIL, "said yes to, and not done"
    assert answer(table.setsockopt, 3, 1, 2) == answer(table.setsockopt, 3, 6, 7) == filter.ALLOW
    assert _run_filter(program, 1, 0x40000003, ()) != filter.ALLOW, "calls of another architecture"


@pytest.fixture
def groups(tmp_path):
    """Folders that look like a system with control groups: a session in a slice that may be divided."""
    user = tmp_path / "user.slice"
    (user / "session.scope").mkdir(parents=True)
    (user / "cgroup.subtree_control").write_text("cpu memory pids\n")
    (user / "cgroup.procs").touch()
    (tmp_path / "own").write_text("12:cpu:/\n0::/user.slice/session.scope\n")
    return tmp_path


def test_a_control_group_is_made_where_the_system_offers_it(groups):
    parent = cgroup.place(groups, groups / "own")
    assert parent == groups / "user.slice"
    group = cgroup.make(parent, 1 << 30, 200)
    assert (group / "memory.max").read_text() == str(1 << 30)
    assert (group / "pids.max").read_text() == "200"
    command = cgroup.inside(group, [sys.executable, "-c", "import os; print(os.getpid())"])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.communicate()[0].strip() == (group / "cgroup.procs").read_text().strip()


def test_no_control_group_is_made_where_the_system_offers_none(groups):
    (groups / "user.slice" / "cgroup.subtree_control").write_text("cpu\n")
    assert cgroup.place(groups, groups / "own") is None
    (groups / "own").write_text("0::/\n")
    assert cgroup.place(groups, groups / "own") is None
    assert cgroup.place(groups, groups / "missing") is None
    assert cgroup.make(None, 1, 1) is None
    assert cgroup.inside(None, ["true"]) == ["true"]


def test_a_submission_that_ends_its_process_keeps_its_answers_and_nobody_else_notices(
    sandboxed, course, monkeypatch
):
    stand_in.hand_in(course, "bad", _slow(stand_in.solved(course)))
    stand_in.hand_in(course, "good", stand_in.solved(course))
    with monkeypatch.context() as patch:
        patch.setattr(engine, "bounds", lambda *_: Bounds(3, 60, 2 << 30))
        rows = stand_in.grade(course, ["bad"], 1, timeout=300)
    assert stand_in.grade(course, ["good"], 1)["good"].score == 6.0
    assert rows["bad"].score == 0.0 and rows["bad"].needs_a_person
    assert rows["bad"].max_score == 9.0
    graded = course / "autograded" / "bad" / stand_in.ASSIGNMENT / f"{stand_in.NOTEBOOK}.ipynb"
    assert "By its kernel." in graded.read_text()


def test_ctrl_c_ends_the_command_whatever_a_kernel_sends(sandboxed, blank_course, tmp_path):
    """One submission loops and forges replies, one floods; what was finished before them is kept."""
    course = stand_in.copy_course(blank_course, tmp_path / "course")
    stand_in.hand_in(course, "a", stand_in.solved(course))
    for student, code in (("b", FORGED_REPLIES), ("c", FLOODS)):
        notebook = stand_in.solved(course)
        stand_in.cell_named(notebook, "gaussian").source += f"\n{code}"
        stand_in.hand_in(course, student, notebook)
    command = [sys.executable, "-m", "utilities.commands.lab", "grade", stand_in.ASSIGNMENT]
    grading = subprocess.Popen(
        [*command, "--workers", "2", "--json", "table.json"], cwd=course, stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(stand_in.ROOT)}, start_new_session=True,
    )  # fmt: skip
    finished = course / "autograded" / "a" / stand_in.ASSIGNMENT
    try:
        assert _soon(finished.exists, 120)
        time.sleep(5)
        began, before = time.monotonic(), sum(psutil.Process(grading.pid).cpu_times())
        os.killpg(grading.pid, signal.SIGINT)
        _, status, used = os.wait4(grading.pid, 0)
    finally:
        grading.kill()
    assert os.waitstatus_to_exitcode(status) == 130
    assert used.ru_utime + used.ru_stime - before < 2  # seconds of processor time
    assert time.monotonic() - began < 10  # by the clock, on a busy machine
    assert '"score": 6.0' in (course / "table.json").read_text()
    assert finished.exists() and not list((course / "autograded").glob("[bc]/*/*.ipynb"))


def _slow(notebook):
    stand_in.cell_named(notebook, "gaussian").source += "\nimport time; time.sleep(300)"
    return notebook


def _soon(ask, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ask():
            return found
        time.sleep(0.1)
    return ask()


def _run_filter(program: bytes, number: int, architecture: int, arguments: tuple) -> int:
    """Interpret classic BPF, as far as a seccomp filter here uses it."""
    padded = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, architecture, 0, *padded)
    lines = list(struct.iter_unpack("=HBBI", program))
    at = value = 0
    while True:
        code, if_true, if_false, constant = lines[at]
        at += 1
        if code == filter.LOAD:
            (value,) = struct.unpack_from("=I", data, constant)
        elif code == filter.RETURN:
            return constant
        elif code == filter.IF_EQUAL:
            at += if_true if value == constant else if_false
        elif code == filter.IF_AT_LEAST:
            at += if_true if value >= constant else if_false


def has_tensorflow() -> bool:
    return "tensorflow" in sys.modules


def test_beside_tensorflow_the_server_of_children_is_a_new_process(monkeypatch):
    """A fork would copy the locks of TensorFlow's threads, and what is loaded here."""
    monkeypatch.setitem(sys.modules, "tensorflow", ModuleType("tensorflow"))
    apart._forget_server()
    assert has_tensorflow() and not apart.run(has_tensorflow, bounds=ROOMY)
    apart._forget_server()


def test_children_are_served_to_many_threads_at_once():
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda n: apart.run(double, n, bounds=ROOMY), range(24))) == [
            2 * n for n in range(24)
        ]

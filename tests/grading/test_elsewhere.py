"""On a Dask cluster whose workers see no gradebook, and with a PostgreSQL gradebook."""

import contextlib
import getpass
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from tests.grading import course as stand_in
from tests.grading.scenarios import inside
from tests.grading.test_command import run_lab_grade

SECONDS = 60
ASK = """
import json, os, sys
from distributed import Client
with Client(scheduler_file=sys.argv[1]) as client:
    client.wait_for_workers(2, timeout=100)
    seen = client.run(os.path.exists, sys.argv[2])
    print(json.dumps({"address": client.scheduler.address, "seen": list(seen.values())}))
"""


@pytest.fixture
def course(blank_course, tmp_path):
    """A course with two submissions of the same bytes, and one that kills its kernel."""
    course = stand_in.copy_course(blank_course, tmp_path / "course")
    for student in ("one", "two"):
        stand_in.hand_in(course, student, stand_in.solved(course))
    killer = stand_in.solved(course)
    inside("import os; os._exit(0)")(killer)
    stand_in.hand_in(course, "three", killer)
    return course


@pytest.fixture
def cluster(course, tmp_path):
    """A scheduler and two worker processes on this machine; the course is hidden from them."""
    address_file = tmp_path / "scheduler.json"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    python = [sys.executable, "-m", "distributed.cli"]
    scheduler = [f"{python[-1]}.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                 "--no-dashboard", "--scheduler-file", str(address_file)]  # fmt: skip
    worker = [f"{python[-1]}.dask_worker", "--scheduler-file", str(address_file), "--nthreads", "1",
              "--no-dashboard", "--no-nanny"]  # fmt: skip
    hidden = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        f'mount -t tmpfs none "{course}" && exec "$@"',
        "sh",
    ]
    hide = hidden if os.geteuid() == 0 else []
    with contextlib.ExitStack() as stack:
        for command in ([], scheduler), (hide, worker), (hide, worker):
            process = subprocess.Popen(
                [*command[0], *python[:2], *command[1]], cwd=elsewhere,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_with_own_address(),
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.terminate)
            _wait_for(address_file.exists)
        asked = subprocess.run(
            [sys.executable, "-c", ASK, str(address_file), str(course / "gradebook.db")],
            capture_output=True, text=True, timeout=SECONDS, env=_with_own_address(),
        )  # fmt: skip
        assert asked.returncode == 0, asked.stderr
        answer = json.loads(asked.stdout)
        assert len(answer["seen"]) == 2
        assert not (hide and any(answer["seen"])), "the workers see the gradebook"
        yield answer["address"]


def test_grades_on_a_cluster(sandboxed, course, cluster):
    done = run_lab_grade(course, "--cluster", cluster, **_with_own_address())
    assert done.returncode == 0, done.stdout + done.stderr
    for student in ("one", "two"):
        assert stand_in.scores(course, student) == stand_in.POINTS
    assert stand_in.scores(course, "three") == {**stand_in.POINTS, "check_gaussian": 0.0}


@pytest.fixture
def postgres():
    """A PostgreSQL server of our own on a Unix socket; returns a database's address."""
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's server (initdb, pg_ctl) is not installed: apt-get install postgresql")
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="lab-pg-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        user, switch = getpass.getuser(), []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user, switch = "nobody", ["setpriv", "--reuid", "nobody", "--regid", "nogroup",
                                      "--clear-groups"]  # fmt: skip
            shutil.chown(folder, "nobody", "nogroup")
        data = folder / "data"

        def run(name: str, *arguments: str) -> None:
            subprocess.run([*switch, str(binaries / name), *arguments], check=True, cwd="/",
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip

        run("initdb", "-D", str(data), "-A", "trust", "-U", user)
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"),
            "-o", f"-c listen_addresses='' -k {folder}", "start")  # fmt: skip
        stack.callback(run, "pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        yield f"postgresql+psycopg2://{user}@/postgres?host={folder}"


def test_a_postgresql_gradebook_takes_the_scores(sandboxed, course, postgres):
    config = stand_in.config(course)
    config.CourseDirectory.db_url = postgres
    (course / "gradebook.db").unlink()
    result = stand_in.NbGraderAPI(config=config).generate_assignment(
        stand_in.ASSIGNMENT, create=True, force=True
    )
    assert result["success"], result["log"]
    done = run_lab_grade(course, "--db-url", postgres)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (course / "gradebook.db").exists()
    with Gradebook(postgres, "attention-lab-kit") as gradebook:
        scores = {s.student_id: s.score for s in gradebook.assignment_submissions("kernels")}
    assert scores == {"one": 6.0, "two": 6.0, "three": 4.0}


def _postgres_binaries() -> Path | None:
    """Return the folder of PostgreSQL's server programs, in Debian's place or on PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    places += [Path(on_path).parent] if on_path else []
    return next((place for place in places if (place / "pg_ctl").exists()), None)


def _with_own_address() -> dict[str, str]:
    """Return the environment for Dask, which asks the network for this machine's own address."""
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [part for part in path if not part.endswith("no_network")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(stand_in.ROOT), *kept])}


def _wait_for(condition) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)

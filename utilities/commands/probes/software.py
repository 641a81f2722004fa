"""Python, libraries and programs. TensorFlow starts in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utilities.commands.probes.finding import MISSING, OPTIONAL, READY, REINSTALL, Finding
from utilities.commands.probes.processes import TIMEOUT, last_line, run_quietly
from utilities.kit import KIT
from utilities.quiet import native_log

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "attention-lab-kit"
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)  # pyproject.toml says the same
LOCKED_PYTHON = (3, 11)  # what the locks are for
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TRY_TENSORFLOW = """
import json, utilities
import tensorflow as tf, tf_keras
product = float(tf.reduce_sum(tf.matmul(tf.ones((8, 8)), tf.ones((8, 8)))))
assert product == 512, f"an 8x8 product of ones sums to {product}, not to 512"
print(json.dumps({
    "version": tf.__version__,
    "tf_keras": tf_keras.__version__,
    "threads": tf.config.threading.get_intra_op_parallelism_threads(),
    "gpus": [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
             for gpu in tf.config.list_physical_devices("GPU")],
}))
"""


def python(found: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Look at the version of Python."""
    text = ".".join(map(str, found)) + f" in {sys.prefix}"
    if OLDEST_PYTHON <= found[:2] <= NEWEST_PYTHON:
        return Finding(READY, text)
    return Finding(MISSING, text, "install Python 3.11, then make lab PYTHON=/path/to/python3.11")


def libraries(
    lock: Path = KIT / "requirements-student.lock", found: tuple[int, ...] = sys.version_info[:2]
) -> Finding:
    """Look whether every library is installed that the kit needs; whether as pinned, where pins fit."""
    finding = _installed(_needed(DISTRIBUTION), "in the versions that the kit needs", REINSTALL)
    if finding.state != READY or found != LOCKED_PYTHON or not lock.is_file():
        return finding
    # Newer libraries, as `uv run` takes them, need others than are pinned: absent is no fault then.
    pins = _applying(lock.read_text().splitlines())
    return _installed([pin for pin in pins if _version(pin.name)], "as pinned", REINSTALL)


def grader_libraries() -> Finding:
    """Look whether the libraries are installed that grading needs beyond a student's."""
    lines = requires(DISTRIBUTION) or []
    students = {pin.name for pin in _applying(lines)}
    pins = [pin for pin in _applying(lines, "grader") if pin.name not in students]
    return _installed(pins, "in the versions that grading needs", "make grader")


def _applying(lines: Sequence[str], extra: str = "") -> list[Requirement]:
    """Return the requirements that apply to this machine, and to an extra."""
    from packaging.requirements import Requirement

    pins = [Requirement(line) for line in lines if line.strip()]
    return [pin for pin in pins if pin.marker is None or pin.marker.evaluate({"extra": extra})]


def _needed(distribution: str) -> list[Requirement]:
    """Return what a distribution needs on this machine, and what that needs in turn."""
    needed: dict[str, Requirement] = {}
    waiting = _applying(requires(distribution) or [])
    while waiting:
        pin = waiting.pop()
        if str(pin) not in needed:
            needed[str(pin)] = pin
            lines = (requires(pin.name) or []) if _version(pin.name) else []
            waiting += [further for extra in ("", *pin.extras) for further in _applying(lines, extra)]
    return list(needed.values())


@cache
def _version(name: str) -> str | None:
    """Return the version of an installed distribution, or None; asked for several times."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _installed(pins: Sequence[Requirement], how: str, todo: str) -> Finding:
    versions = {pin.name: _version(pin.name) for pin in pins}
    absent = [name for name, there in versions.items() if there is None]
    if absent:
        return Finding(MISSING, f"{len(absent)} not installed: {_some(absent)}", todo)
    others = sorted(
        {
            f"{pin.name} {versions[pin.name]}"
            for pin in pins
            if not pin.specifier.contains(versions[pin.name] or "", prereleases=True)
        }
    )
    if others:
        return Finding(OPTIONAL, f"{len(others)} in another version: {_some(others)}", todo)
    return Finding(READY, f"{len(versions)} {how}")


class TensorFlow:
    """Two lines from one start of TensorFlow, in a process of its own."""

    def __init__(self, command: Sequence[str] = (sys.executable, "-c", TRY_TENSORFLOW)):
        self.command = command
        self.facts: dict[str, Any] = {}

    def library(self) -> Finding:
        """Find out whether TensorFlow starts and computes; its version and threads."""
        try:
            done = run_quietly(self.command)
        except subprocess.TimeoutExpired:
            todo = "try again when the machine is less busy; else " + REINSTALL
            return Finding(MISSING, f"does not start within {TIMEOUT} seconds", todo)
        if done.returncode < 0:
            todo = "TensorFlow needs a processor with AVX: use another machine, or a hub"
            return Finding(MISSING, f"ended by signal {-done.returncode} as it started", todo)
        if done.returncode != 0:
            said = last_line(done.stderr) or f"ended with status {done.returncode} as it started"
            return Finding(MISSING, said, REINSTALL)
        self.facts = json.loads(done.stdout.splitlines()[-1])
        threads = self.facts["threads"] or f"as many as cores ({_cores()})"
        text = f"{self.facts['version']}, tf_keras {self.facts['tf_keras']}, threads: {threads}"
        return Finding(READY, text)

    def gpu(self, has_driver: bool | None = None) -> Finding:
        """Find out which GPUs TensorFlow can use."""
        if not self.facts:
            return Finding(OPTIONAL, "not known without TensorFlow", "fix TensorFlow first")
        if self.facts["gpus"]:
            return Finding(READY, ", ".join(self.facts["gpus"]))
        if shutil.which("nvidia-smi") if has_driver is None else has_driver:
            todo = 'python -m pip install "tensorflow[and-cuda]" in the version above'
            return Finding(OPTIONAL, "an NVIDIA driver, but TensorFlow finds no GPU", todo)
        return Finding(OPTIONAL, "none", "not needed: the standard profile is made for a CPU")


def keras(environment: Mapping[str, str] = os.environ) -> Finding:
    """Look whether the environment asks for another Keras than that of the labs."""
    legacy = environment.get("TF_USE_LEGACY_KERAS", "1")
    backend = environment.get("KERAS_BACKEND", "tensorflow")
    if legacy not in ("1", "true", "True"):
        found = f"TF_USE_LEGACY_KERAS={legacy} is set: tf.keras would be Keras 3"
        return Finding(MISSING, found, "unset TF_USE_LEGACY_KERAS, where it was set for your account")
    if backend != "tensorflow":
        found = f"KERAS_BACKEND={backend} is set: layers of Keras 3 would not compute with TensorFlow"
        return Finding(MISSING, found, "unset KERAS_BACKEND, where it was set for your account")
    return Finding(READY, "tf.keras is tf_keras")


def native_messages() -> Finding:
    """Show what native code last wrote to stderr: only of interest where a kernel died."""
    log = native_log()
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        lines = []
    if not lines:
        return Finding(READY, "none; they would be kept in " + str(log))
    return Finding(READY, f"{len(lines)} lines in {log}, the last one: {lines[-1].strip()[:200]}")


def alembic(path: str | None = None) -> Finding:
    """Look whether nbgrader finds the command that makes a gradebook."""
    found = shutil.which("alembic", path=path)
    if found:
        return Finding(READY, found)
    if path is None and (beside := shutil.which("alembic", path=str(Path(sys.executable).parent))):
        return Finding(READY, f"{beside}; nbgrader_config.py puts it on the PATH")
    return Finding(MISSING, "not on the PATH: a fresh gradebook cannot be made", REINSTALL)


def course_name(folders: list[str] | None = None, course: Path | None = None) -> Finding:
    """Whether the course in this folder, else the kit's own, is named as in shared settings."""
    from utilities.grading.course import CONFIG_FILE, read_config
    from utilities.grading.state import shared_course_ids

    here = Path.cwd() if course is None else course
    config = read_config(here if (here / CONFIG_FILE).is_file() else KIT)
    faults = list(shared_course_ids(config, folders))
    if faults:
        return Finding(MISSING, f"{faults[0].place}: {faults[0].what}", faults[0].remedy)
    return Finding(READY, f"{config.CourseDirectory.course_id}; no shared settings say otherwise")


def bubblewrap() -> Finding:
    """Look whether a sandbox for students' code really starts."""
    from utilities.grading import sandbox

    try:
        sandbox.check_available()
    except sandbox.SandboxUnavailable as error:
        reason, *rest = str(error).split(": ", 1) if "\n" not in str(error) else [str(error)]
        return Finding(MISSING, "no sandbox can be made", " ".join(": ".join([reason, *rest]).split()))
    lacking = "".join(f"; without {part}" for part in sandbox.not_offered())
    return Finding(READY, f"a sandbox starts, without network and apart from your files{lacking}")


def browser(names: Sequence[str] = BROWSERS) -> Finding:
    """Look whether there is a Chromium for the tests that play a student."""
    found = next(filter(None, map(shutil.which, names)), None) or _browser_of_playwright()
    todo = "make test installs it; or: python -m playwright install chromium"
    if found is None:
        return Finding(MISSING, "no Chromium: the tests in a browser cannot run", todo)
    done = run_quietly([found, "--version"])
    if done.returncode != 0:
        return Finding(MISSING, f"{found} does not start: {last_line(done.stderr)}", todo)
    return Finding(READY, f"{done.stdout.strip()}, {found}")


def _browser_of_playwright() -> str | None:
    try:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
    except Exception:  # one of the tests' extras: not installed, or its driver does not start
        return None
    return path if Path(path).exists() else None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")

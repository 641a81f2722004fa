"""`lab doctor`: whether this machine is ready, in one screen, and what to do where it is not.

Each line is found out by a probe of its own. What a probe trips over becomes its line, so that
nothing hides the others; TensorFlow and the kernel are tried in processes of their own, since a
library built for another processor ends the process that loads it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rich.table import Table

    from utilities.datasets.loading import ImageSet
    from utilities.energy.report import ComponentRecord

READY, OPTIONAL, MISSING = "ready", "optional", "missing"
STUDENT, INSTRUCTOR, MAINTAINER = "student", "instructor", "maintainer"
WHO = {STUDENT: "every student", INSTRUCTOR: "the instructor", MAINTAINER: "a maintainer"}
SIGNS = {READY: "[green]✔ ready[/]", OPTIONAL: "[yellow]○ optional[/]", MISSING: "[red]✘ missing[/]"}
REINSTALL = "make lab installs it again (conda: conda env update -f environment.yml)"

KIT = Path(__file__).resolve().parents[2]
GIB, MB = 2**30, 1e6
LEAST_MEMORY, GOOD_MEMORY = 2.0, 4.0  # GiB; a training of the standard profile takes about 1.5
LEAST_DISK, GOOD_DISK = 0.5, 3.0  # GiB; both full sets and the hub's models together take about 1.5
PATIENCE = 180  # seconds for TensorFlow or a kernel to start, on a slow disk

LAB_EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "@jupyter/nbgrader")
STUDENTS_SERVER = ("validate_assignment", "assignment_list")
INSTRUCTORS_SERVER = ("formgrader", "course_list")
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
TRY_KERNEL = "import sys, utilities; print(sys.prefix)"


class Finding(NamedTuple):
    """What a probe found: the state, what there is, and what to do about it."""

    state: str
    found: str
    todo: str = ""


@dataclass(frozen=True)
class Line:
    """One line of the screen. needed_by: who cannot work where it is missing."""

    name: str
    needed_by: str
    state: str
    found: str
    todo: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `lab doctor` understands."""
    parser.epilog = (
        "Exit status: 0 where a student can work here, also if something is missing that only the "
        "instructor or a maintainer needs; 1 otherwise. Nothing is changed or downloaded."
    )
    parser.add_argument("--json", action="store_true", help="print the lines as JSON, for programs")


def run(options: argparse.Namespace) -> int:
    """Look at everything, show it, and return the exit status."""
    from rich.console import Console

    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # old consoles lack the signs
    lines = examine_all(probes_for(KIT), Console(stderr=True))
    ready = not missing(lines, STUDENT)
    if options.json:
        print(json.dumps({"ready": ready, "lines": [asdict(line) for line in lines]}, indent=1))
    else:
        wide = sys.stdout.isatty() or "COLUMNS" in os.environ
        console = Console(width=None if wide else 140)
        console.print(table(lines))
        console.print(verdict(lines))
    return 0 if ready else 1


def examine_all(probes: Sequence[Probe], console: Any) -> list[Line]:
    """Return a line for each probe, showing on the console which one is at work."""
    lines = []
    with console.status("") if console.is_terminal else nullcontext() as status:
        for number, probe in enumerate(probes, start=1):
            if status is not None:
                status.update(f"{number} of {len(probes)}: {probe.name} …")
            lines.append(examine(probe))
    return lines


def examine(probe: Probe) -> Line:
    """Return the probe's line; whatever it trips over is the line."""
    try:
        finding = probe.look()
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())[:200]
        finding = Finding(MISSING, f"cannot be told: {type(error).__name__}: {said}", REINSTALL)
    return Line(probe.name, probe.needed_by, *finding)


def missing(lines: Iterable[Line], *needed_by: str) -> list[str]:
    """Return the names of the lines that these people miss."""
    return [line.name for line in lines if line.state == MISSING and line.needed_by in needed_by]


def table(lines: Sequence[Line]) -> Table:
    """Return the screen, in sections by who needs what."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    screen = Table(title="Is this machine ready?", title_justify="left", box=box.SIMPLE_HEAD)
    screen.add_column("needed by")
    screen.add_column("state", no_wrap=True)
    screen.add_column("found", overflow="fold")
    screen.add_column("what to do", overflow="fold")
    for who in sorted({line.needed_by for line in lines}, key=list(WHO).index):
        screen.add_row(f"[bold]{WHO[who]}[/]")
        for line in (line for line in lines if line.needed_by == who):
            name, found, todo = f"  {line.name}", escape(line.found), escape(line.todo)
            screen.add_row(name, SIGNS[line.state], found, todo)
    return screen


def verdict(lines: Sequence[Line]) -> str:
    """Return the answer in a sentence or two."""
    lacking = missing(lines, STUDENT)
    others = missing(lines, INSTRUCTOR, MAINTAINER)
    parts = [
        f"[bold red]Not ready:[/] a student cannot work here without {', '.join(lacking)}."
        if lacking
        else "[bold green]Ready:[/] a student can work here."
    ]
    if others:
        parts.append(f"Missing only for the instructor or a maintainer: {', '.join(others)}.")
    return " ".join(parts)


# The probes


def python(found: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The version of Python."""
    text = ".".join(map(str, found)) + f" in {sys.prefix}"
    if found[:2] == (3, 11):
        return Finding(READY, text)
    return Finding(MISSING, text, "install Python 3.11, then make lab PYTHON=/path/to/python3.11")


def libraries(lock: Path = KIT / "requirements.lock") -> Finding:
    """Whether every library is installed in the version that the kit pins."""
    from packaging.requirements import Requirement

    if not lock.is_file():
        return Finding(OPTIONAL, f"no {lock.name} to compare with", "use the kit's own folder")
    pins = [Requirement(line) for line in lock.read_text().splitlines() if line.strip()]
    pins = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    absent, other = [], []
    for pin in pins:
        try:
            if not pin.specifier.contains(version(pin.name), prereleases=True):
                other.append(f"{pin.name} {version(pin.name)}")
        except PackageNotFoundError:
            absent.append(pin.name)
    if absent:
        return Finding(MISSING, f"{len(absent)} not installed: {_some(absent)}", REINSTALL)
    if other:
        return Finding(OPTIONAL, f"{len(other)} in another version: {_some(other)}", REINSTALL)
    return Finding(READY, f"{len(pins)} as pinned")


class TensorFlow:
    """Two lines from one start of TensorFlow, in a process of its own."""

    def __init__(self, command: Sequence[str] = (sys.executable, "-c", TRY_TENSORFLOW)):
        self.command = command
        self.facts: dict[str, Any] = {}

    def library(self) -> Finding:
        """Whether TensorFlow starts and computes; its version and threads."""
        try:
            done = _run_quietly(self.command)
        except subprocess.TimeoutExpired:
            todo = "try again when the machine is less busy; else " + REINSTALL
            return Finding(MISSING, f"does not start within {PATIENCE} seconds", todo)
        if done.returncode < 0:
            todo = "TensorFlow needs a processor with AVX: use another machine, or a hub"
            return Finding(MISSING, f"ended by signal {-done.returncode} as it started", todo)
        if done.returncode != 0:
            said = _last_line(done.stderr) or f"ended with status {done.returncode} as it started"
            return Finding(MISSING, said, REINSTALL)
        self.facts = json.loads(done.stdout.splitlines()[-1])
        threads = self.facts["threads"] or f"as many as cores ({_cores()})"
        text = f"{self.facts['version']}, tf_keras {self.facts['tf_keras']}, threads: {threads}"
        return Finding(READY, text)

    def gpu(self, has_driver: bool | None = None) -> Finding:
        """Which GPUs TensorFlow can use."""
        if not self.facts:
            return Finding(OPTIONAL, "not known without TensorFlow", "mend TensorFlow first")
        if self.facts["gpus"]:
            return Finding(READY, ", ".join(self.facts["gpus"]))
        if shutil.which("nvidia-smi") if has_driver is None else has_driver:
            todo = 'python -m pip install "tensorflow[and-cuda]" in the version above'
            return Finding(OPTIONAL, "an NVIDIA driver, but TensorFlow finds no GPU", todo)
        return Finding(OPTIONAL, "none", "not needed: the standard profile is made for a CPU")


def memory(total: float | None = None, available: float | None = None) -> Finding:
    """Memory in GiB, no more than the container may have."""
    if total is None or available is None:
        total, available = _memory()
    text = f"{available:.1f} of {total:.1f} GiB free"
    if total < LEAST_MEMORY:
        return Finding(MISSING, text, f"at least {LEAST_MEMORY:.0f} GiB; give the container more")
    if available < LEAST_MEMORY:
        return Finding(OPTIONAL, text, "close other notebooks and programs before you train")
    if total < GOOD_MEMORY:
        return Finding(OPTIONAL, text, "enough for one notebook at a time")
    return Finding(READY, text)


def disk(folder: Path = KIT, free: float | None = None) -> Finding:
    """Free space (GiB) where the kit lies, and whether it can be written there."""
    free = shutil.disk_usage(folder).free / GIB if free is None else free
    text = f"{free:.1f} GiB free in {folder}"
    if not os.access(folder, os.W_OK):
        return Finding(MISSING, f"{folder} cannot be written", "copy the kit to a folder of your own")
    if free < LEAST_DISK:
        return Finding(MISSING, text, f"make room: {LEAST_DISK} GiB for notebooks and checkpoints")
    if free < GOOD_DISK:
        return Finding(OPTIONAL, text, "enough for the core; full data and models need about 2 GiB")
    return Finding(READY, text)


def kernel(folders: list[str] | None = None, name: str = "python3") -> Finding:
    """Whether the notebooks' kernel starts, finds the kit, and belongs to this environment."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from jupyter_client.manager import KernelManager

    specs = KernelSpecManager(**({} if folders is None else {"kernel_dirs": folders}))
    install = f"{sys.executable} -m ipykernel install --sys-prefix --name {name}"
    try:
        spec = specs.get_kernel_spec(name)
    except NoSuchKernel:
        return Finding(MISSING, f"no kernel called {name}", install)
    try:
        prefix = _ask_kernel(KernelManager(kernel_name=name, kernel_spec_manager=specs))
    except Exception as error:
        said = _last_line(str(error)) or type(error).__name__
        return Finding(MISSING, f"{name} does not run the kit: {said}", install)
    if Path(prefix).resolve() != Path(sys.prefix).resolve():
        return Finding(MISSING, f"{name} runs in {prefix}, not in {sys.prefix}", install)
    return Finding(READY, f"{spec.display_name}, in this environment")


def lab_extensions(folders: list[str] | None = None) -> Finding:
    """Whether JupyterLab has the slider's widgets and nbgrader's menu, and they are enabled."""
    from jupyter_core.paths import jupyter_path
    from jupyterlab.commands import AppOptions, get_app_info

    path = jupyter_path("labextensions") if folders is None else folders
    info = get_app_info(AppOptions(labextensions_path=path))
    there = info["federated_extensions"]
    disabled = {name.split(":")[0] for name, off in info["disabled"].items() if off}
    absent = [name for name in LAB_EXTENSIONS if name not in there]
    switched_off = [name for name in LAB_EXTENSIONS if name in there and name in disabled]
    if absent:
        return Finding(MISSING, f"not installed: {', '.join(absent)}", REINSTALL)
    if switched_off:
        todo = f"jupyter labextension enable {' '.join(switched_off)}"
        return Finding(MISSING, f"disabled: {', '.join(switched_off)}", todo)
    return Finding(READY, f"JupyterLab {info['version']}: widgets, nbgrader {version('nbgrader')}")


def server_extensions(names: Sequence[str], folders: list[str] | None = None) -> Finding:
    """Whether Jupyter's server has nbgrader's parts, enabled and importable."""
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    path = [str(Path(folder)) for folder in folders or jupyter_config_path()]
    enabled = ExtensionConfigManager(read_config_path=path).get_jpserver_extensions()
    modules = [f"nbgrader.server_extensions.{name}" for name in names]
    absent = [module for module in modules if not enabled.get(module)]
    if absent:
        todo = f"jupyter server extension enable --sys-prefix {' '.join(absent)}"
        return Finding(MISSING, f"not enabled: {', '.join(absent)}", todo)
    for module in modules:
        importlib.import_module(module)
    return Finding(READY, f"{', '.join(names)}: enabled")


def alembic(path: str | None = None) -> Finding:
    """Whether nbgrader finds the command that makes a gradebook."""
    found = shutil.which("alembic", path=path)
    if found:
        return Finding(READY, found)
    if path is None and (beside := shutil.which("alembic", path=str(Path(sys.executable).parent))):
        return Finding(READY, f"{beside}; nbgrader_config.py puts it on the PATH")
    return Finding(MISSING, "not on the PATH: a fresh gradebook cannot be made", REINSTALL)


def bubblewrap() -> Finding:
    """Whether a sandbox for students' code really starts."""
    from utilities.grading import sandbox

    try:
        sandbox.check_available()
    except sandbox.SandboxUnavailable as error:
        reason, *rest = str(error).split(": ", 1) if "\n" not in str(error) else [str(error)]
        return Finding(MISSING, "no sandbox can be made", " ".join(": ".join([reason, *rest]).split()))
    return Finding(READY, "a sandbox starts, without network and apart from your files")


def browser(names: Sequence[str] = BROWSERS) -> Finding:
    """Whether there is a Chromium for the tests that play a student."""
    found = next(filter(None, map(shutil.which, names)), None) or _browser_of_playwright()
    todo = "make test installs it; or: python -m playwright install chromium"
    if found is None:
        return Finding(MISSING, "no Chromium: the tests in a browser cannot run", todo)
    done = _run_quietly([found, "--version"])
    if done.returncode != 0:
        return Finding(MISSING, f"{found} does not start: {_last_line(done.stderr)}", todo)
    return Finding(READY, f"{done.stdout.strip()}, {found}")


def shipped_data() -> Finding:
    """The shipped part of CIFAR-10, held to its checksums."""
    from utilities.datasets import loading as datasets

    try:
        folder = datasets.data_folder()
        datasets.check_files(folder / datasets.CIFAR10.name)
    except datasets.DataError as error:
        return Finding(MISSING, "part of CIFAR-10 is missing or damaged", str(error))
    return Finding(READY, "10,000 training and 2,000 test images, checksums right")


def full_set(image_set: ImageSet, without: str) -> Finding:
    """A full data set, verified by content. without: what happens where it is not there."""
    from utilities.datasets import loading as datasets

    path = datasets.find_full(image_set)
    if path is None:
        return Finding(OPTIONAL, "not on this machine", f"lab data {image_set.name}; {without}")
    try:
        datasets.read_full(image_set, path)
    except datasets.DataError as error:
        return Finding(OPTIONAL, "damaged", str(error))
    return Finding(READY, f"genuine, {path}")


def full_cifar10() -> Finding:
    """The full CIFAR-10."""
    from utilities.datasets.loading import CIFAR10

    return full_set(CIFAR10, "no lab needs it: it makes the tests of models finer")


def full_cifar100() -> Finding:
    """The full CIFAR-100."""
    from utilities.datasets.loading import CIFAR100

    return full_set(CIFAR100, "without it the extension labs use the shipped CIFAR-10")


def shipped_models(folder: Path = KIT / "data" / "models") -> Finding:
    """The models that the kit ships: whether their files can be read."""
    from safetensors import SafetensorError, safe_open

    names, weights = [], sorted(folder.glob("*/model.safetensors"))
    for path in weights:
        try:
            with safe_open(path, framework="numpy") as file:
                names.append(f"{path.parent.name} ({len(file.keys())} arrays)")
        except SafetensorError as error:
            todo = "git checkout -- data, or unpack the kit again (git lfs pull, where it is used)"
            return Finding(MISSING, f"{path.parent.name} is damaged: {error}", todo)
    if len(names) < 2:
        found = ", ".join(names) or "none"
        return Finding(MISSING, f"{found} in {folder}; two are shipped", "unpack the kit again")
    return Finding(READY, ", ".join(names))


def hub_models(cache: Path | None = None) -> Finding:
    """The models from the hub that `pretrained_models` asks for: whether they are in the cache."""
    from utilities.commands.models import HUB_MODELS, is_cached

    absent = [name for name in HUB_MODELS if not is_cached(name, cache)]
    if not absent:
        return Finding(READY, f"in the local cache: {', '.join(HUB_MODELS)}")
    todo = f"lab models --fetch {absent[0]}; without them the shipped ones take their place"
    return Finding(OPTIONAL, f"not in the local cache: {', '.join(absent)}", todo)


def energy_sensors() -> Finding:
    """What the energy of a training is read from."""
    from utilities.energy.components import find_components

    components, notes = find_components("all")
    records = [component.handler.record(component.name) for component in components]
    for component in components:
        component.handler.shutdown()
    return sensors(records, notes)


def sensors(records: Sequence[ComponentRecord], notes: Sequence[str] = ()) -> Finding:
    """The same, from what was found."""
    from utilities.energy.report import MEASURED

    text = "; ".join(f"{r.name} {r.basis} ({r.sensor})" for r in records) or "; ".join(notes) or "none"
    if records and all(record.basis == MEASURED for record in records):
        return Finding(READY, text)
    todo = "not needed; where the processor has RAPL: sudo chmod -R a+r /sys/class/powercap"
    return Finding(OPTIONAL, text, todo)


class Probe(NamedTuple):
    """A line to be found out."""

    name: str
    needed_by: str
    look: Callable[[], Finding]


_tensorflow = TensorFlow()
PROBES = (
    Probe("Python", STUDENT, python),
    Probe("libraries", STUDENT, libraries),
    Probe("TensorFlow", STUDENT, _tensorflow.library),
    Probe("GPU", STUDENT, _tensorflow.gpu),
    Probe("memory", STUDENT, memory),
    Probe("disk", STUDENT, disk),
    Probe("kernel", STUDENT, kernel),
    Probe("lab extensions", STUDENT, lab_extensions),
    Probe("server extensions", STUDENT, lambda: server_extensions(STUDENTS_SERVER)),
    Probe("shipped data", STUDENT, shipped_data),
    Probe("full CIFAR-10", STUDENT, full_cifar10),
    Probe("full CIFAR-100", STUDENT, full_cifar100),
    Probe("shipped models", STUDENT, shipped_models),
    Probe("hub models", STUDENT, hub_models),
    Probe("energy sensors", STUDENT, energy_sensors),
    Probe("formgrader", INSTRUCTOR, lambda: server_extensions(INSTRUCTORS_SERVER)),
    Probe("alembic", INSTRUCTOR, alembic),
    Probe("bubblewrap", INSTRUCTOR, bubblewrap),
    Probe("Chromium", MAINTAINER, browser),
)


def probes_for(kit: Path) -> list[Probe]:
    """Return the probes that concern a kit: the students' has no grading in it, and no tests."""
    whole = (kit / "utilities" / "grading").is_dir()
    return [probe for probe in PROBES if whole or probe.needed_by == STUDENT]


def _run_quietly(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    paths = [str(KIT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def _ask_kernel(manager: Any) -> str:
    """Start a kernel, let it import the kit, and return the environment it runs in."""
    said: list[str] = []

    def keep(message: dict) -> None:
        content = message["content"]
        said.append(content.get("text") or "\n".join(content.get("traceback", [])))

    with tempfile.TemporaryDirectory() as folder:
        manager.start_kernel(
            cwd=folder, env={**os.environ, "PYTHONPATH": str(KIT)}, stderr=subprocess.DEVNULL
        )
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=PATIENCE)
            reply = client.execute_interactive(TRY_KERNEL, output_hook=keep, timeout=PATIENCE)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"{reply['content']['ename']}: {reply['content']['evalue']}")
    return "".join(said).strip()


def _memory() -> tuple[float, float]:
    """Return total and available memory in GiB; a container's limit counts."""
    import psutil

    machine = psutil.virtual_memory()
    total, available = machine.total / GIB, machine.available / GIB
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text()) / GIB
        used = int((group / "memory.current").read_text()) / GIB
    except (OSError, ValueError):  # no such group, or "max": no limit
        return total, available
    return min(total, limit), min(available, limit - used)


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


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.strip().splitlines()) if line), "")[:200]

"""Run a kernel where it can harm nothing: bubblewrap around the kernel process alone.

Inside there is no network, a private home in memory that holds a copy of the submission without
its notebooks, a read-only kit without oracles, judges and stand-ins, and a cleared environment.
The grader talks to the kernel through sockets in a folder of its own. Memory, processes, file
sizes and open files are limited by prlimit, system calls by a seccomp filter, every file system in
memory by its size; the session watches the sum.

Root is never left to a student's code: started by root, the sandbox is set up with root's rights
and then given up to a user id that owns nothing, in a user namespace of its own.
"""

import contextlib
import functools
import glob
import itertools
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Instance

from utilities.grading import apart, cgroup, filter
from utilities.kit import KIT as WHOLE_KIT

FILTER = "seccomp.bpf"  # in the kit's folder
FILTER_AT = 9  # the descriptor that bubblewrap reads the filter from
MOST_IN_CHANNEL = 32  # five sockets, the connection file, and what is in the making
LARGEST_CONNECTION_FILE = 64 << 10
PROVISIONER = "attention-lab-sandbox"  # the entry point in pyproject.toml
PACKAGE = Path(__file__).resolve().parents[1]
DATA = WHOLE_KIT / "data"
HOME = "/home/student"
WORK = f"{HOME}/work"
KIT = "/kit"
SUBMISSION = "/submission"
FIRST_USER_ID, USER_IDS = 1_900_000_000, 90_000_000  # far above those that systems give out
SYSTEM_FOLDERS = ("/usr", "/bin", "/lib", "/lib64", "/lib32", "/sbin")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime")
OWN_PROCESSES = 16  # of the sandbox itself, at most
DESCRIPTORS = 1024  # open files of one process
CONNECTION = "connection.json"
NEEDED = ("bwrap", "prlimit")
DEVICES = "/dev"

OUTSIDE = ("grading", "checks", "share", "__pycache__")


class SandboxUnavailable(RuntimeError):
    """No sandbox can be made here; the message says why and what to do."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    cell_seconds, notebook_seconds: time of one cell, of the whole notebook with its replays.
    grace_seconds: time to react to an interrupt before the kernel is ended.
    memory: bytes of all its processes together. home: bytes of its files.
    file_size: bytes of one file. processes: processes and threads. sockets: open at a time.
    cell_output: bytes shown by one cell. outputs: number of things shown by one cell.
    restarts: how often a kernel that died is started again.
    other_user: where there is no sandbox, root gives the kernel to a user id of its own.
    """

    cell_seconds: float = 300.0
    notebook_seconds: float = 3600.0
    grace_seconds: float = 4.0
    memory: int = 8 << 30
    home: int = 1 << 30
    file_size: int = 512 << 20
    processes: int = 1024
    sockets: int = 500
    cell_output: int = 500_000
    outputs: int = 200
    restarts: int = 8
    other_user: bool = False


@dataclass(frozen=True)
class Room:
    """The folders of one sandbox: the submission's files, the channel's sockets; and its limits."""

    submission: Path
    channel: Path
    limits: Limits
    unsafe: bool = False


def kernel_command(connection_file: str) -> list[str]:
    """Return the command of the kernel: no module beside the notebook hides one of a library."""
    last_on_path = "import sys; sys.path.append('')"
    return [
        sys.executable, "-P", "-m", "ipykernel_launcher", "-f", connection_file,
        "--HistoryManager.hist_file=:memory:", "--InteractiveShellApp.ignore_cwd=True",
        f"--InteractiveShellApp.exec_lines={last_on_path}",
    ]  # fmt: skip


def kernel_environment(kit: str, home: str) -> dict[str, str]:
    """Return the whole environment of the kernel: nothing of the grader's own is passed on."""
    return {
        "HOME": home,
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": kit,
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "NBGRADER_EXECUTION": "autograde",  # the quick profile, whatever a notebook asks for
        "LAB_SANDBOX": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_USE_LEGACY_KERAS": "1",
    }


def filter_file() -> Path | None:
    """Return the file of the seccomp filter, where this machine's system calls are known."""
    path = kit_folder() / FILTER
    return path if path.exists() else None


@functools.cache
def kit_folder(linked: bool = False) -> Path:
    """Return a folder with the part of the kit that may stand in a sandbox, made once a process.

    linked: with a link to the data, for a kernel outside the sandbox; inside, they are mounted.
    """
    folder, _ = apart.temporary_folder("kit")
    folder.chmod(0o755)
    if refused := filter.program():
        (folder / FILTER).write_bytes(refused)
    package = folder / "utilities"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns(*OUTSIDE))
    checks = PACKAGE / "checks"  # of these, the kernel's folder alone, and what names the exercises
    shutil.copytree(
        checks / "kernel", package / "checks" / "kernel", ignore=shutil.ignore_patterns(*OUTSIDE)
    )
    shutil.copy(checks / "__init__.py", package / "checks")
    for path in (package, *package.rglob("*")):  # its source may be readable for its owner alone
        path.chmod(0o755 if path.is_dir() else 0o644)
    if linked and DATA.exists():
        (folder / "data").symlink_to(DATA.resolve())
    else:
        (folder / "data").mkdir()
    _remove_at_exit(folder)
    return folder


def check_available() -> None:
    """Raise SandboxUnavailable, with the way out, where no sandbox can be made."""
    if not entry_points(group="jupyter_client.kernel_provisioners", name=PROVISIONER):
        raise SandboxUnavailable(
            "The kit is installed from before its sandbox: install it again, with make lab or "
            "python -m pip install --no-deps --no-build-isolation -e ."
        )
    missing = [name for name in (*NEEDED, *(["setpriv"] if _is_root() else [])) if not _which(name)]
    if missing:
        raise SandboxUnavailable(
            f"The sandbox needs {' and '.join(missing)}, not found on this machine. Install "
            "bubblewrap and util-linux (Debian, Ubuntu: apt-get install bubblewrap util-linux), "
            "or accept that students' code can read and change your files: --unsafe."
        )
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        room = make_room(Path(folder), Limits())
        tried = subprocess.run(
            sandbox_command([sys.executable, "-c", "pass"], room, fresh_user_id()),
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    if tried.returncode != 0:
        raise SandboxUnavailable(
            "bubblewrap is installed but cannot make a sandbox here:\n"
            f"{tried.stderr.strip()[-600:]}\n"
            "In a container it needs user namespaces (docker run --security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined); elsewhere see kernel.unprivileged_userns_clone. "
            "Or accept that students' code can read and change your files: --unsafe."
        )


def not_offered() -> list[str]:
    """Return what would hold a sandbox tighter, and this system does not offer."""
    lacking = []
    if not filter.program():
        lacking.append("a seccomp filter: the system calls of this processor are not known")
    if cgroup.place() is None:
        lacking.append(
            "a control group (version 2) that this user may divide: memory is watched, "
            "and capped for each process alone"
        )
    return lacking


def make_room(folder: Path, limits: Limits, unsafe: bool = False) -> Room:
    """Make the folders of one sandbox inside a private folder."""
    room = Room(folder / "submission", folder / "channel", limits, unsafe)
    room.submission.mkdir(exist_ok=True)
    room.channel.mkdir(exist_ok=True)
    return room


def fresh_user_id() -> int | None:
    """Return a user id that nobody else has, or None where the grader is no root."""
    return FIRST_USER_ID + random.SystemRandom().randrange(USER_IDS) if _is_root() else None


def sandbox_command(
    command: Sequence[str], room: Room, user_id: int | None = None, devices: str = DEVICES
) -> list[str]:
    """Return `command` wrapped so that it runs in the sandbox, as `user_id` where root calls.

    devices: the folder of device nodes, in which graphics processors are looked for.
    """
    mounts = _Mounts()
    for folder in SYSTEM_FOLDERS:
        mounts.system_folder(folder)
    mounts.add("--proc", "/proc", "--dev", "/dev")
    for folder, size in _in_memory(room.limits).items():
        if folder != HOME:
            mounts.in_memory(folder, size)
    for path in (*SYSTEM_FILES, *_gpu_files("/etc/OpenCL/vendors")):
        mounts.read_only(path)
    for prefix in _python_prefixes():
        mounts.read_only(prefix)
    mounts.mask(_installed_kit())
    mounts.read_only(str(kit_folder()), KIT)
    if DATA.exists():
        mounts.read_only(str(DATA.resolve()), f"{KIT}/data")
    mounts.read_only(str(room.submission), SUBMISSION)
    mounts.parents(HOME)
    mounts.in_memory(HOME, room.limits.home)
    mounts.parents(str(room.channel))
    mounts.add("--bind", str(room.channel), str(room.channel))
    connection = room.channel / CONNECTION
    if connection.exists():
        mounts.add("--ro-bind", str(connection), str(connection))
    for device in _gpu_files(f"{devices}/nvidia*"):
        mounts.add("--dev-bind-try", device, f"{DEVICES}/{Path(device).name}")
    mounts.add("--perms", "1777", "--dir", WORK, "--chdir", WORK)
    mounts.add("--remount-ro", "/dev", "--remount-ro", "/")
    settings = [part for item in kernel_environment(KIT, HOME).items() for part in ("--setenv", *item)]
    first_to_go = "echo 1000 >/proc/self/oom_score_adj"  # where the machine runs out of memory
    prepare = f'{{ {first_to_go}; cp -RP /submission/. .; }} 2>/dev/null; exec "$@"'
    inner = [*_limited(room.limits), "/bin/sh", "-c", prepare, "sh", *command]
    alone = [
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
        "--hostname",
        "sandbox",
        "--unshare-cgroup-try",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
    ]
    bwrap = _which("bwrap") or "bwrap"
    outer = [*alone, *mounts.arguments, *settings, "--cap-drop", "ALL"]
    if user_id is None:
        own = ["--unshare-user", "--disable-userns"]
        return [*_filtered(bwrap, filter_file()), *outer, *own, *inner]
    kept = [part for cap in ("SETUID", "SETGID", "SETPCAP") for part in ("--cap-add", f"CAP_{cap}")]
    given_up = _given_up("/usr/bin/setpriv", user_id)
    filtered = _filtered("/usr/bin/bwrap", filter_file() and Path(KIT) / FILTER)
    namespace = [*filtered, "--unshare-user", "--disable-userns", "--dev-bind", "/", "/"]
    return [bwrap, *outer, *kept, *given_up, *namespace, *inner]


def _given_up(setpriv: str, user_id: int) -> list[str]:
    """Return what gives a command of root's up to a user id, for good."""
    return [
        setpriv, "--reuid", str(user_id), "--regid", str(user_id), "--clear-groups",
        "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
    ]  # fmt: skip


def _in_memory(limits: Limits) -> dict[str, int]:
    """Return the file systems in memory that can be written, and their sizes in bytes."""
    return {"/tmp": limits.home, "/dev/shm": limits.home // 4, HOME: limits.home}


def _filtered(bwrap: str, file: Path | None) -> list[str]:
    """Return how bubblewrap is called: with the filter in a file, where there is one."""
    if file is None:
        return [bwrap]
    opened = f'exec "$@" {FILTER_AT}<"$0"'
    return ["/bin/sh", "-c", opened, str(file), bwrap, "--seccomp", str(FILTER_AT)]


class SandboxProvisioner(LocalProvisioner):
    """Starts a kernel in the sandbox that its room describes."""

    room = Instance(Room)
    group: Path | None = None
    user_id: int | None = None  # of a kernel without a sandbox that root has given up

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Launch the kernel's command inside bubblewrap, or plainly where the room is unsafe."""
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if self.room.unsafe:
            return await self._launch_unsafe(cmd, {**kwargs, **silent})
        user_id = fresh_user_id()
        if user_id is not None:
            self._give(user_id)
        kwargs["env"] = {"PATH": os.defpath}
        limits = self.room.limits
        memory = limits.memory + sum(_in_memory(limits).values())
        self.group = cgroup.make(cgroup.place(), memory, limits.processes + OWN_PROCESSES)
        command = cgroup.inside(self.group, sandbox_command(cmd, self.room, user_id))
        return await super().launch_kernel(command, **{**kwargs, **silent})

    async def cleanup(self, restart: bool = False) -> None:
        """Remove the control group and what a user id has left running, too."""
        await super().cleanup(restart)
        cgroup.remove(self.group)
        if self.user_id is not None:
            _end_all_of(self.user_id)

    def _give(self, user_id: int) -> None:
        """Give the folders of the room to the kernel's user."""
        for path in (self.room.channel, self.room.submission):
            for part in (path, *path.rglob("*")):
                os.chown(part, user_id, user_id)

    async def _launch_unsafe(self, cmd: list[str], kwargs: dict) -> KernelConnectionInfo:
        limits = self.room.limits
        command = [*_limited(limits), *cmd]
        if limits.other_user:
            self.user_id = fresh_user_id()
            if self.user_id is None:
                raise SandboxUnavailable("Only root can give a kernel to another user id.")
            self._give(self.user_id)
            command = [*_given_up(_which("setpriv") or "setpriv", self.user_id), *command]
        kwargs["env"] = kernel_environment(str(kit_folder(linked=True)), str(self.room.submission))
        kwargs["cwd"] = str(self.room.submission)
        return await super().launch_kernel(command, **kwargs)


def _end_all_of(user_id: int) -> None:
    """End every process of a user id that nobody else has, whatever it has turned into."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == user_id:
                process.kill()


class _Mounts:
    """Collects bubblewrap's arguments; parents of a mount are made so that anybody can pass."""

    def __init__(self) -> None:
        self.arguments: list[str] = []
        self.made = {"/", "/tmp"}

    def add(self, *arguments: str) -> None:
        self.arguments += arguments

    def parents(self, path: str) -> None:
        for parent in reversed(Path(path).parents):
            if str(parent) not in self.made and not str(parent).startswith("/usr"):
                self.made.add(str(parent))
                self.add("--dir", str(parent))

    def system_folder(self, folder: str) -> None:
        path = Path(folder)
        self.made.add(folder)
        if path.is_symlink():
            self.add("--symlink", os.readlink(folder), folder)
        elif path.is_dir():
            self.add("--ro-bind", folder, folder)

    def read_only(self, path: str, target: str | None = None) -> None:
        if not os.path.exists(path):
            return
        target = target or path
        if target == path and any(path.startswith(f"{f}/") for f in SYSTEM_FOLDERS):
            return  # already there with its folder
        self.parents(target)
        self.made.add(target)
        self.add("--ro-bind", os.path.realpath(path), target)

    def in_memory(self, path: str, size: int) -> None:
        self.made.add(path)
        self.add("--size", str(size), "--perms", "1777", "--tmpfs", path)

    def mask(self, path: str | None) -> None:
        if path is not None:
            self.add("--size", "4096", "--tmpfs", path, "--remount-ro", path)


def _limited(limits: Limits) -> list[str]:
    return [
        _which("prlimit") or "prlimit", f"--data={limits.memory}", f"--nproc={limits.processes}",
        f"--fsize={limits.file_size}", "--core=0",
        f"--nofile={DESCRIPTORS}", f"--cpu={int(limits.notebook_seconds * (os.cpu_count() or 1))}",
    ]  # fmt: skip


def _python_prefixes() -> list[str]:
    """Return the folders that this Python and its libraries live in."""
    folders = {sys.prefix, sys.base_prefix, sysconfig.get_paths()["purelib"]}
    folders |= {str(Path(os.path.realpath(sys.executable)).parents[1])}
    folders |= {entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))}
    outermost = [f for f in folders if not any(f != o and f.startswith(f"{o}/") for o in folders)]
    return sorted(f for f in outermost if f != "/usr" and os.path.isdir(f))


def _installed_kit() -> str | None:
    """Return where the whole kit is installed among the libraries, which must not be seen."""
    installed = Path(sysconfig.get_paths()["purelib"]) / "utilities"
    return str(installed) if installed.is_dir() else None


def _gpu_files(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern))


def _is_root() -> bool:
    return os.geteuid() == 0


def _which(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join((os.defpath, "/usr/bin", "/usr/local/bin")))


def _remove_at_exit(folder: Path) -> None:
    import atexit

    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def close_channel(room: Room) -> None:
    """Let nobody but root put anything into a channel once its sockets are there.

    Where the grader is no root, kernel and grader are one user, and `is_misused` has to do.
    """
    if _is_root() and (not room.unsafe or room.limits.other_user):
        os.chown(room.channel, 0, 0)
        room.channel.chmod(0o711)


def is_misused(room: Room) -> bool:
    """Return whether a kernel has put more into its channel's folder than sockets, or many of them."""
    with contextlib.suppress(OSError):
        entries = list(itertools.islice(os.scandir(room.channel), MOST_IN_CHANNEL + 1))
        connection = room.channel / CONNECTION
        return (
            len(entries) > MOST_IN_CHANNEL
            or not all(e.name == CONNECTION or Path(e.path).is_socket() for e in entries)
            or (connection.exists() and connection.lstat().st_size > LARGEST_CONNECTION_FILE)
        )
    return False


def sockets(process_id: int) -> int:
    """Return how many sockets are open in the network of a process, where Linux says so."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        first = Path(f"/proc/{process_id}/net/sockstat").read_text().split("\n")[0]
        return int(first.split()[2])  # sockets: used 5
    return 0

"""Run a function on what a stranger handed in, in a child process of its own, held to limits.

What a submission can hurt is this child: whatever it sends or hides in a file, the child has so much
memory, so much processor time, and a deadline that the parent watches from outside. A child is forked
by a server that has imported all it needs and has no threads; it is gone when its caller is.
"""

import contextlib
import ctypes
import fcntl
import os
import pickle
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

MODULE = "utilities.grading.apart"
TEMPORARY = "lab-grade-"  # begins the name of every temporary folder of a grader
PARENT_DEATH_SIGNAL = 1  # prctl's PR_SET_PDEATHSIG
LONGEST_ANSWER = 1 << 30  # bytes
LOOK_SECONDS = 0.2
START_SECONDS = 120  # the server's imports, on a busy machine
ATTEMPTS = 2
CHUNK = 1 << 20
FIRST_TO_GO = 500  # of 1000, added to the share of memory by which Linux chooses whom to end


class Ended(RuntimeError):
    """A child was ended, by its deadline, by its limits or by itself; the message says why."""


class Stopped(RuntimeError):
    """The grader was interrupted: what ran is given up, to be done again."""


@dataclass(frozen=True)
class Bounds:
    """What one child may use: wall seconds, processor seconds, bytes of memory."""

    seconds: float
    cpu_seconds: float
    memory: int


@dataclass(frozen=True)
class _Order:
    function: Callable[..., Any]
    arguments: tuple
    bounds: Bounds
    folder: str


_stopping = threading.Event()
_running: set[int] = set()
_server: socket.socket | None = None
_lock = threading.Lock()


def start() -> None:
    """Start the server that forks children, if there is none.

    It is forked from this process while that has one thread, since then nothing needs to be imported
    again (3 s of processor time); otherwise, as in a worker of a cluster, it is a new process. So it is
    beside TensorFlow, whose threads Python does not count, and whose locks a fork would leave shut.
    """
    global _server
    with _lock:
        if _server is not None:
            return
        ours, theirs = socket.socketpair()
        if threading.active_count() > 1 or "tensorflow" in sys.modules:
            _start_anew(theirs)
        elif os.fork() == 0:
            ours.close()
            _serve(theirs)
        theirs.close()
        _server = ours


def _start_anew(control: socket.socket) -> None:
    """Start the server as a new process, which finds modules where this one does."""
    subprocess.Popen(
        [sys.executable, "-m", MODULE, str(control.fileno())],
        pass_fds=[control.fileno()],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def run(function: Callable[..., Any], *arguments: Any, bounds: Bounds) -> Any:
    """Return what the function returns in a child, or raise what it raises there.

    function: one that pickle finds by name. Raises Ended where the child did not come to its end,
    and Stopped after `stop_all`.
    """
    folder, lock = temporary_folder()
    try:
        with _new_child() as (channel, process_id):
            order = pickle.dumps(_Order(function, arguments, bounds, str(folder)))
            answer = _ask(channel, process_id, order, time.monotonic() + bounds.seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
    succeeded, value = pickle.loads(answer)  # noqa: S301  our own code wrote it
    if not succeeded:
        raise value
    return value


def stop_all() -> None:
    """End every child of this process at once, and start no more."""
    _stopping.set()
    for process_id in list(_running):
        _kill(process_id)


def temporary_folder(kind: str = "run") -> tuple[Path, int]:
    """Make a folder that is swept once its owner is gone; return it and the open lock that says so."""
    folder = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{kind}-"))
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    folder.chmod(0o711)  # a sandbox of another user id reaches its own part of it
    return folder, lock


def sweep() -> None:
    """Remove the temporary folders of graders that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


@contextlib.contextmanager
def _new_child() -> Iterator[tuple[socket.socket, int]]:
    """Have a child forked; give the socket to talk to it, and its process id."""
    for attempt in range(ATTEMPTS):
        start()
        ours, theirs = socket.socketpair()
        ours.settimeout(START_SECONDS)
        try:
            with theirs, _lock:
                assert _server is not None
                socket.send_fds(_server, [b"."], [theirs.fileno()])
            process_id = int.from_bytes(_exactly(ours, 8), "big")
        except (OSError, Ended):  # somebody killed the server: another one takes its place
            ours.close()
            _forget_server()
            if attempt == ATTEMPTS - 1:
                raise
            continue
        with ours:
            yield ours, process_id
        return


def _forget_server() -> None:
    global _server
    with _lock:
        if _server is not None:
            _server.close()
            _server = None


def _ask(channel: socket.socket, process_id: int, order: bytes, deadline: float) -> bytes:
    """Send an order and return the answer; end the child where it is late, or when all ends."""
    _running.add(process_id)
    try:
        channel.sendall(len(order).to_bytes(8, "big") + order)
        channel.settimeout(LOOK_SECONDS)
        answer = bytearray()
        while True:
            if _stopping.is_set():
                raise Stopped("The grader was interrupted.")
            if time.monotonic() > deadline:
                raise Ended("it ran longer than all its time")
            if len(answer) > LONGEST_ANSWER:
                raise Ended("more came of it than can be kept")
            try:
                part = channel.recv(CHUNK)
            except TimeoutError:
                continue
            if not part:
                break  # it has ended: its number may be another's by now
            answer += part
    except OSError as error:
        raise Ended(f"the process that handled it is gone ({error})") from error
    except BaseException:  # it is late, or all is interrupted
        _kill(process_id)
        raise
    finally:
        _running.discard(process_id)
    if len(answer) < 8 or len(answer) != 8 + int.from_bytes(answer[:8], "big"):
        if _stopping.is_set():
            raise Stopped("The grader was interrupted.")
        raise Ended("it used more memory or processor time than one submission may")
    return bytes(answer[8:])


def _exactly(channel: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = channel.recv(min(count - len(data), CHUNK))
        if not part:
            raise Ended("the process that handles it did not start")
        data += part
    return bytes(data)


def _kill(process_id: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process_id, signal.SIGKILL)


def _serve(control: socket.socket) -> NoReturn:
    """Fork a child for every socket that comes, until the parent is gone."""
    signal.signal(signal.SIGINT, lambda *_: None)  # the parent ends us; a kernel gets the default back
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for children
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        except OSError:
            os._exit(1)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            _work(socket.socket(fileno=descriptors[0]))
        os.close(descriptors[0])


def _work(channel: socket.socket) -> NoReturn:
    """Carry out one order and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with contextlib.suppress(AttributeError, OSError):  # not Linux
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    with contextlib.suppress(BaseException):
        channel.sendall(os.getpid().to_bytes(8, "big"))
        answer = _answer(_exactly(channel, int.from_bytes(_exactly(channel, 8), "big")))
        channel.sendall(len(answer).to_bytes(8, "big") + answer)
    os._exit(0)


def _answer(packed: bytes) -> bytes:
    try:
        order = pickle.loads(packed)  # noqa: S301  our own code wrote it
        tempfile.tempdir = order.folder
        _limit(order.bounds)
        return pickle.dumps((True, order.function(*order.arguments)))
    except BaseException as error:
        try:
            answer = pickle.dumps((False, error))
            pickle.loads(answer)  # noqa: S301  some exceptions come apart only here
        except Exception:
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
        return answer


def _limit(bounds: Bounds) -> None:
    """Set the soft limits alone: a kernel that the child starts has limits of its own.

    Memory is counted from here on: what the child was born with is its parent's. Where the machine runs
    out of it nevertheless, the system ends the child, and not who happens to be largest.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_GO))
    for kind, limit in (
        (resource.RLIMIT_DATA, _data_now() + bounds.memory),
        (resource.RLIMIT_CPU, int(bounds.cpu_seconds) + 1),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (limit, hard))


def _data_now() -> int:
    """Return the bytes that count for RLIMIT_DATA already, where Linux says so."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmData:")).split()[1]) << 10
    return 0


if __name__ == "__main__":
    import importlib

    importlib.import_module("utilities.grading.engine")  # once, for all children
    # pickle finds this module's classes under its own name, not as __main__
    importlib.import_module(MODULE)._serve(socket.socket(fileno=int(sys.argv[1])))

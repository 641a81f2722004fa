"""A kernel in its sandbox: run one source after the other, held to limits, restarted when it dies.

What a kernel sends is taken as it comes from a stranger: messages are bounded before they are
read, outputs are counted, and no message can touch what another cell has shown.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import psutil
import zmq.asyncio
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output, output_from_msg

from utilities.checks.kernel import wire
from utilities.grading import sandbox
from utilities.grading.sandbox import Limits, Room

START_SECONDS = 120
LAST_MESSAGES_SECONDS = 10.0  # after the reply, for outputs that are still on their way
HEALTH_SECONDS = 0.5
FLOOD = 40  # times the output limit after which a cell is stopped
STOPPED = "This cell was stopped"
DIED = "The kernel died while this cell ran: it ended itself, crashed, or was killed."
OVERDUE = f"{STOPPED}: it ran longer than its time. Look for a loop that never ends."
SETTLE_SECONDS = 0.2
PATIENT_SECONDS = 1.0
LINUX_LISTS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


_stopping = threading.Event()


def stop_all() -> None:
    """Have every session of this process end its kernel and give up."""
    _stopping.set()


class GradingStopped(RuntimeError):
    """The grader was interrupted: what ran is given up, to be done again."""


class KernelNotStarted(RuntimeError):
    """No kernel could be started: the grader's trouble, not the student's."""


@dataclass
class Outcome:
    """What became of one source: what it showed, what it answered, and why it ended early.

    stopped: one sentence where the grader ended it, empty otherwise. died: the kernel is gone.
    sudden: it went by itself, so that what ran before may have to do with it. cut: not all that
    it sent has arrived.
    """

    outputs: list[NotebookNode] = field(default_factory=list)
    answers: list[dict] = field(default_factory=list)
    count: int | None = None
    stopped: str = ""
    died: bool = False
    sudden: bool = False
    cut: bool = False


class Session:
    """One kernel at a time, for one submission."""

    def __init__(self, files: Path, limits: Limits, unsafe: bool = False):
        self.files, self.limits, self.unsafe = files, limits, unsafe
        self.starts = 0
        self.cpu_seconds = self.start_seconds = 0.0
        self.manager: Any = None  # an AsyncKernelManager while a kernel lives
        self.client: Any = None

    @property
    def alive(self) -> bool:
        return self.client is not None

    async def start(self) -> None:
        """Start a kernel in a new room. Raises KernelNotStarted."""
        if _stopping.is_set():
            raise GradingStopped("The grader was interrupted.")
        self.starts += 1
        self.folder = Path(tempfile.mkdtemp(prefix="lab-"))
        self.folder.chmod(0o711)
        self.room = sandbox.make_room(self.folder, self.limits, self.unsafe)
        shutil.copytree(self.files, self.room.submission, dirs_exist_ok=True)
        for path in (self.room.submission, *self.room.submission.rglob("*")):
            path.chmod(0o755)  # another user reads them, where root grades
        began = time.monotonic()
        self.context = zmq.asyncio.Context()
        self.context.maxmsgsize = wire.LARGEST_MESSAGE
        try:
            self.manager = self._new_manager()
            await self.manager.start_kernel()
            await self._connect()
        except Exception as error:
            await self.end()
            raise KernelNotStarted(f"The kernel did not start: {error}") from error
        self.start_seconds = time.monotonic() - began

    async def end(self) -> None:
        """End the kernel and everything it started; remove its room."""
        if self.client is not None:
            self.client.stop_channels()
            self.client = None
        if self.manager is not None:
            if self.manager.provisioner is not None:
                self.cpu_seconds += _cpu_seconds(self.manager.provisioner.pid)
            with contextlib.suppress(Exception):
                await self.manager.shutdown_kernel(now=True)
            with contextlib.suppress(Exception):
                await self.manager.cleanup_resources()
            self.manager = None
            self.context.destroy(linger=0)
            shutil.rmtree(self.folder, ignore_errors=True)

    async def run(self, source: str, seconds: float, noted: bool = True) -> Outcome:
        """Run a source for at most so many seconds; the kernel is ended where nothing else helps.

        noted: the source enters the kernel's history, as a cell of the notebook does.
        """
        shown = _Shown(self.limits)
        message_id = self.client.execute(
            source, allow_stdin=False, stop_on_error=False, store_history=noted
        )
        listener = asyncio.create_task(self._listen(message_id, shown))
        try:
            stopped, replied = await self._wait(message_id, shown, time.monotonic() + seconds)
            if replied:
                await self._last_messages(listener, shown)
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
        outcome = shown.outcome(stopped)
        if not replied:
            outcome.died, outcome.sudden = True, stopped == DIED
            await self.end()
        elif not shown.idle:
            shown.too_much()
            outcome = shown.outcome(stopped)
            outcome.cut = True
            await self._connect_again(outcome)
        return outcome

    async def settled(self, patient: bool = False) -> bool:
        """Return whether the kernel still lives a moment after a cell; where not, end its room.

        patient: wait as long as a kernel takes to start here, then ask it for a sign of life: one
        that is on its way out may take its time on a busy machine, but answers nothing any more.
        """
        await asyncio.sleep(max(PATIENT_SECONDS, self.start_seconds) if patient else SETTLE_SECONDS)
        if self.alive and not await self.manager.is_alive():
            await self.end()
        if self.alive and patient:
            await self.run("pass", START_SECONDS, noted=False)  # ends the room of one that is gone
        return self.alive

    def _new_manager(self) -> AsyncKernelManager:
        manager = AsyncKernelManager(
            context=self.context,
            transport="ipc",
            ip=str(self.room.channel / "kernel"),
            connection_file=str(self.room.channel / "connection.json"),
            kernel_spec_manager=_OneKernel(room=self.room),
            shutdown_wait_time=1.0,
        )
        manager.kernel_name = "python3"
        return manager

    async def _connect(self) -> None:
        if self.client is not None:
            self.client.stop_channels()
        self.client = self.manager.client(context=self.context)
        self.client.start_channels(hb=False)
        await self.client.wait_for_ready(timeout=START_SECONDS)

    async def _connect_again(self, outcome: Outcome) -> None:
        """Mend a line that a message beyond all bounds has cut, if there is anybody to talk to."""
        try:
            await self._connect()
        except RuntimeError:
            outcome.died = outcome.sudden = True
            outcome.stopped = outcome.stopped or DIED
            await self.end()

    async def _listen(self, message_id: str, shown: "_Shown") -> None:
        """Take what is published until the kernel says that it is idle again."""
        while not shown.idle:
            try:
                message = await self.client.get_iopub_msg(timeout=1)
            except Empty:
                continue
            except Exception:  # noqa: S112  what cannot be read, a forged message, counts for nothing
                continue
            if message["parent_header"].get("msg_id") == message_id:
                with contextlib.suppress(Exception):
                    shown.take(message)

    async def _wait(self, message_id: str, shown: "_Shown", deadline: float) -> tuple[str, bool]:
        """Wait for the reply; return why the run was stopped, if it was, and if a reply came."""
        stopped = ""
        while True:
            try:
                reply = await self.client.get_shell_msg(timeout=HEALTH_SECONDS)
                if reply["parent_header"].get("msg_id") == message_id:
                    if shown.replied(reply):
                        return f"{STOPPED}: it ended the kernel with exit or quit.", False
                    return stopped, True
                continue
            except Empty:
                pass
            except Exception:  # noqa: S112  not signed by the kernel, or not a message
                continue
            if _stopping.is_set():
                raise GradingStopped("The grader was interrupted.")
            fatal = await self._ill()
            if fatal:
                return stopped or fatal, False
            if stopped:
                if time.monotonic() > deadline:
                    return stopped, False
            elif reason := self._overdue(shown, deadline):
                stopped, deadline = reason, time.monotonic() + self.limits.grace_seconds
                await self.manager.interrupt_kernel()

    async def _ill(self) -> str:
        """Return why the kernel cannot go on, if so."""
        if not await self.manager.is_alive():
            return DIED
        if next(sandbox.stray_files(self.room.channel), None) is not None:
            return f"{STOPPED}: it wrote into the folder of the grader's channel."
        if _memory(self.manager.provisioner.pid) > self.limits.memory:
            gigabytes = self.limits.memory / 2**30
            return f"{STOPPED}: it used more than {gigabytes:.3g} GB of memory."
        return ""

    def _overdue(self, shown: "_Shown", deadline: float) -> str:
        if shown.bytes > FLOOD * self.limits.cell_output or shown.number > FLOOD * self.limits.outputs:
            return f"{STOPPED}: it shows more and more without end."
        if time.monotonic() > deadline:
            return OVERDUE
        return ""

    async def _last_messages(self, listener: asyncio.Task, shown: "_Shown") -> None:
        """Wait for outputs still on their way, as long as any come."""
        while not shown.idle:
            before = shown.number
            await asyncio.wait([listener], timeout=LAST_MESSAGES_SECONDS)
            if shown.number == before and not shown.idle:
                return
            if shown.bytes > FLOOD * self.limits.cell_output:
                return


class _OneKernel(KernelSpecManager):
    """Knows one kernel: ours, in its room, whatever name a notebook asks for."""

    def __init__(self, room: Room, **options: Any):
        super().__init__(**options)
        self.room = room

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=sandbox.kernel_command("{connection_file}"),
            display_name="Python 3, sandboxed",
            language="python",
            interrupt_mode="message",
            metadata={
                "kernel_provisioner": {
                    "provisioner_name": sandbox.PROVISIONER, "config": {"room": self.room}
                }
            },
        )  # fmt: skip


class _Shown:
    """What one source shows, within limits."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.outputs: list[NotebookNode] = []
        self.answers: list[dict] = []
        self.places: dict[str, list[int]] = {}
        self.bytes = self.number = 0
        self.count: int | None = None
        self.idle = self.clear_next = self.full = False

    def take(self, message: dict) -> None:
        """Take one published message."""
        kind, content = message["msg_type"], message["content"]
        self.number += 1
        if kind == "status":
            self.idle = content["execution_state"] == "idle"
        elif kind == "clear_output":
            self._clear(bool(content.get("wait")))
        elif kind in ("stream", "error", "display_data", "execute_result", "update_display_data"):
            answer = content.get("data", {}).get(wire.MIME)
            if answer is not None:
                self.answers.append(answer)
                return
            self.bytes += sum(map(_size, content.values()))
            self._show(kind, message, (content.get("transient") or {}).get("display_id"))

    def replied(self, reply: dict) -> bool:
        """Take the reply, show an error not yet shown, return whether the kernel ends itself."""
        content = reply["content"]
        self.count = content.get("execution_count")
        errors = [o for o in self.outputs if o.output_type == "error"]
        if content.get("status") == "error" and not errors:
            lines = [str(line) for line in content.get("traceback") or []]
            lines = lines or [f"{content.get('ename')}: {content.get('evalue')}"]
            self.outputs.append(_error(str(content.get("ename")), str(content.get("evalue")), lines))
        return any(item.get("source") == "ask_exit" for item in content.get("payload") or [])

    def too_much(self) -> None:
        """Say once that the rest is left out."""
        if not self.full:
            self.full = True
            text = "\n… The rest of the output is left out: too much for one cell.\n"
            self.outputs.append(new_output("stream", name="stdout", text=text))

    def outcome(self, stopped: str) -> Outcome:
        outputs = list(self.outputs)
        if stopped:
            outputs = [*(o for o in outputs if o.output_type != "error"),
                       _error("Stopped", stopped, [stopped])]  # fmt: skip
        count = self.count if isinstance(self.count, int) else None
        return Outcome(outputs, self.answers, count, stopped)

    def _show(self, kind: str, message: dict, display_id: Any) -> None:
        if kind == "update_display_data":
            for place in self.places.get(display_id, []):
                self.outputs[place]["data"] = NotebookNode(message["content"]["data"])
            return
        if self.bytes > self.limits.cell_output or self.number > self.limits.outputs:
            self.too_much()
            return
        if self.clear_next:
            self._clear(False)
        output = output_from_msg(message)
        last = self.outputs[-1] if self.outputs else None
        if kind == "stream" and last and last.get("name") == output.name:
            last.text += output.text
            return
        if display_id:
            self.places.setdefault(display_id, []).append(len(self.outputs))
        self.outputs.append(output)

    def _clear(self, wait: bool) -> None:
        self.clear_next = wait
        if not wait:
            self.outputs.clear()
            self.places.clear()


def _error(name: str, value: str, traceback: Sequence[str]) -> NotebookNode:
    return new_output("error", ename=name, evalue=value, traceback=list(traceback))


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 8


def _tree(process_id: int | None) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    root = psutil.Process(process_id)
    if not LINUX_LISTS_CHILDREN:
        return [root, *root.children(recursive=True)]
    found = []
    for child in _descendants(root.pid):
        with contextlib.suppress(psutil.Error):  # gone meanwhile
            found.append(psutil.Process(child))
    return [root, *found]


def _descendants(process_id: int) -> Iterator[int]:
    """Yield the descendants that Linux lists; psutil would read every process of the machine."""
    with contextlib.suppress(OSError):  # gone meanwhile
        for thread in os.listdir(f"/proc/{process_id}/task"):
            listed = Path(f"/proc/{process_id}/task/{thread}/children").read_text()
            for child in map(int, listed.split()):
                yield child
                yield from _descendants(child)


def _cpu_seconds(process_id: int | None) -> float:
    """Return the processor time that a process and its living descendants have used."""
    with contextlib.suppress(psutil.Error, TypeError):
        return _sum(_tree(process_id), lambda p: sum(p.cpu_times()[:4]))
    return 0.0


def _memory(process_id: int) -> float:
    """Return the bytes that a process and all its descendants hold, shared pages counted once."""
    with contextlib.suppress(psutil.Error):
        processes = _tree(process_id)
        resident = _sum(processes, lambda p: p.memory_info().rss)
        if resident < 1 << 30 or len(processes) < 6:  # proportional shares cost more to read
            return resident
        return _sum(processes, lambda p: p.memory_full_info().pss)
    return 0


def _sum(processes: Sequence[psutil.Process], measure: Any) -> float:
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += measure(process)
    return total

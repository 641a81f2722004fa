"""A kernel in its sandbox: run one source after the other, held to limits, restarted when it dies.

What a kernel sends is taken as it comes from a stranger: messages are bounded before they are
read, outputs are counted, and no message can touch what another cell has shown.
"""

import asyncio
import contextlib
import math
import os
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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
LAST_MESSAGES_SECONDS = 30.0  # after the reply, for outputs still on their way, as long as any come
QUIET_SECONDS = 3.0  # after which none is on its way any more, where kernels start at once
HEALTH_SECONDS = 0.5
FLOOD = 40  # times the output limit after which a cell is stopped
STOPPED = "This cell was stopped"
DIED = "The kernel died while this cell ran: it ended itself, crashed, or was killed."
OVERDUE = f"{STOPPED}: it ran longer than its time. Look for a loop that never ends."
MUTE = f"{STOPPED}: after it, the kernel no longer tells the grader what it shows."
FLUSH_SECONDS = 3.0
SETTLE_SECONDS = 0.2
OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\r\n])")
WATCH_SECONDS = 0.2
LARGEST_CLIENT = 1 << 30  # bytes that this process may grow by while it reads what a kernel sends
MOST_ANSWERS = 2
MOST_WAITING = 10_000  # messages; what comes too fast beyond them is lost
PATIENT_SECONDS = 1.0
LINUX_LISTS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


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
        self.watch: _Watch | None = None

    @property
    def alive(self) -> bool:
        return self.client is not None

    async def start(self) -> None:
        """Start a kernel in a new room. Raises KernelNotStarted."""
        self.starts += 1
        self.folder = Path(tempfile.mkdtemp(prefix="lab-"))
        self.folder.chmod(0o711)
        self.room = sandbox.make_room(self.folder, self.limits, self.unsafe)
        shutil.copytree(self.files, self.room.submission, dirs_exist_ok=True)
        self.room.submission.chmod(0o700)
        began = time.monotonic()
        self.context = zmq.asyncio.Context()
        self.context.maxmsgsize = wire.LARGEST_MESSAGE
        self.context.rcvhwm = MOST_WAITING
        try:
            self.manager = self._new_manager()
            await self.manager.start_kernel()
            await self._connect()
            sandbox.close_channel(self.room)
        except Exception as error:
            await self.end()
            raise KernelNotStarted(f"The kernel did not start: {error}") from error
        self.start_seconds = time.monotonic() - began
        self.watch = _Watch(self.manager.provisioner.pid, self.room)
        self.watch.start()

    async def end(self) -> None:
        """End the kernel and everything it started; remove its room."""
        if self.watch is not None:
            self.watch.over.set()
            self.watch = None
        if self.client is not None:
            self.client.stop_channels()
            self.client = None
        if self.manager is not None:
            self.cpu_seconds = self.cpu_used()
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
        stopped, replied = await self._send(source, seconds, noted, shown)
        if not replied:
            outcome = shown.outcome(stopped)
            outcome.died, outcome.sudden = True, stopped == DIED
            await self.end()
            return outcome
        if shown.idle:
            return shown.outcome(stopped)
        shown.too_much()
        outcome = shown.outcome(stopped)
        outcome.cut = True
        await self._connect_again(outcome)
        return outcome

    async def _send(
        self, source: str, seconds: float, noted: bool, shown: "_Shown"
    ) -> tuple[str, bool]:
        """Have the kernel run a source; return why it was stopped, if it was, and if it replied."""
        message_id = self.client.execute(
            source, allow_stdin=False, stop_on_error=False, store_history=noted
        )
        deadline = time.monotonic() + seconds
        assert self.watch is not None
        self.watch.deadline = deadline + 2 * self.limits.grace_seconds + LAST_MESSAGES_SECONDS
        listener = asyncio.create_task(self._listen(message_id, shown))
        try:
            stopped, replied = await self._wait(message_id, shown, deadline)
            if replied:
                await self._last_messages(listener, shown)
            return stopped, replied
        finally:
            self.watch.deadline = math.inf
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

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

    def cpu_used(self) -> float:
        """Return the processor seconds of all kernels so far, with what the present one has started."""
        provisioner = self.manager.provisioner if self.manager is not None else None
        return self.cpu_seconds + (_cpu_seconds(provisioner.pid) if provisioner is not None else 0.0)

    def share_used(self) -> float:
        """Return the share that the kernel has used of its limit of memory or processes, the larger.

        Memory as the limit counts it: what is reserved, touched or not, such as a thread's stack.
        """
        with contextlib.suppress(psutil.Error, TypeError):
            processes = _tree(self.manager.provisioner.pid)
            memory = max(_each(processes, lambda p: p.memory_info().data), default=0.0)
            threads = sum(_each(processes, lambda p: p.num_threads()))
            return max(memory / self.limits.memory, threads / self.limits.processes)
        return 0.0

    def _new_manager(self) -> AsyncKernelManager:
        manager = AsyncKernelManager(
            context=self.context,
            transport="ipc",
            ip=str(self.room.channel / "kernel"),
            connection_file=str(self.room.channel / sandbox.CONNECTION),
            kernel_spec_manager=_OneKernel(room=self.room),
            shutdown_wait_time=1.0,
        )
        manager.kernel_name = "python3"
        return manager

    async def _connect(self, seconds: float = START_SECONDS) -> None:
        if self.client is not None:
            self.client.stop_channels()
        self.client = self.manager.client(context=self.context)
        self.client.start_channels(hb=False)
        # it flushes what is published for as long as anything comes: the deadline stands around it
        await asyncio.wait_for(self.client.wait_for_ready(timeout=seconds), seconds + FLUSH_SECONDS)

    async def _connect_again(self, outcome: Outcome) -> None:
        """Restore a line that a message beyond all bounds has cut; end a kernel that has hurt it."""
        seconds = 2 * QUIET_SECONDS + self.start_seconds
        try:
            await self._connect(seconds)
            shown = _Shown(self.limits)
            await self._send("pass", seconds, False, shown)
            if shown.idle:
                return
        except RuntimeError:  # it is gone, or on its way out
            outcome.sudden = True
        except TimeoutError:
            pass  # it answers, and publishes without end
        outcome.died = True
        outcome.stopped = outcome.stopped or self._why_it_died(DIED if outcome.sudden else MUTE)
        await self.end()

    async def _listen(self, message_id: str, shown: "_Shown") -> None:
        """Take what is published until the kernel says that it is idle again."""
        while not shown.idle:
            try:
                message = await self.client.get_iopub_msg(timeout=1)
            except Exception:  # nothing came; what cannot be read, or is forged, counts for nothing
                await asyncio.sleep(0)
                continue
            if message["parent_header"].get("msg_id") == message_id:
                with contextlib.suppress(Exception):
                    shown.take(message)

    async def _wait(self, message_id: str, shown: "_Shown", deadline: float) -> tuple[str, bool]:
        """Wait for the reply; return why the run was stopped, if it was, and if a reply came."""
        stopped, healthy = "", time.monotonic()
        while True:
            ends_itself = await self._replied(message_id, shown)
            if ends_itself is not None:
                if ends_itself:
                    return f"{STOPPED}: it ended the kernel with exit or quit.", False
                return stopped, True
            now = time.monotonic()
            if now - healthy > HEALTH_SECONDS:
                healthy = now
                if not await self.manager.is_alive():
                    return stopped or self._why_it_died(), False
            if stopped:
                if now > deadline:
                    return stopped, False
            elif reason := self._overdue(shown, deadline):
                stopped, deadline = reason, now + self.limits.grace_seconds
                await self.manager.interrupt_kernel()

    async def _replied(self, message_id: str, shown: "_Shown") -> bool | None:
        """Return whether the kernel ends itself if its reply comes now; whatever else comes, None."""
        try:
            reply = await self.client.get_shell_msg(timeout=HEALTH_SECONDS)
            if reply["parent_header"].get("msg_id") == message_id:
                return shown.replied(reply)
        except Exception:  # nothing came, it is not signed by the kernel, or it is no message
            await asyncio.sleep(0)
        return None

    def _why_it_died(self, otherwise: str = DIED) -> str:
        return (self.watch.why if self.watch else "") or otherwise

    def _overdue(self, shown: "_Shown", deadline: float) -> str:
        limits = self.limits
        if shown.seen_bytes > FLOOD * limits.cell_output or shown.seen > FLOOD * limits.outputs:
            return f"{STOPPED}: it shows more and more without end."
        if time.monotonic() > deadline:
            return OVERDUE
        return ""

    async def _last_messages(self, listener: asyncio.Task, shown: "_Shown") -> None:
        """Wait for outputs still on their way, as long as any come, but not for ever.

        Where a kernel starts slowly, on a busy machine, more time may lie between two of them, too.
        """
        deadline = time.monotonic() + LAST_MESSAGES_SECONDS
        quiet = QUIET_SECONDS + self.start_seconds
        while not shown.idle and time.monotonic() < deadline:
            before = shown.messages
            await asyncio.wait([listener], timeout=quiet)
            if shown.messages == before or shown.seen_bytes > FLOOD * self.limits.cell_output:
                return


class _Watch(threading.Thread):
    """Kills a kernel that takes too much or goes on too long, whatever the kernel sends meanwhile.

    A thread of its own, outside the loop that reads messages. why: the reason, once it has killed.
    """

    def __init__(self, process_id: int, room: Room):
        super().__init__(daemon=True)
        self.process_id, self.room = process_id, room
        self.deadline, self.why = math.inf, ""
        self.memory_at_first = _own_memory()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(WATCH_SECONDS):
            self.why = self._why()
            if self.why:
                with contextlib.suppress(OSError):
                    os.kill(self.process_id, signal.SIGKILL)  # bubblewrap; all inside goes with it
                return

    def _why(self) -> str:
        limits = self.room.limits
        if time.monotonic() > self.deadline:
            return OVERDUE
        if _own_memory() - self.memory_at_first > LARGEST_CLIENT:
            return f"{STOPPED}: it sends more than can be read."
        if sandbox.is_misused(self.room):
            return f"{STOPPED}: it wrote into the folder of the grader's channel."
        if self._sockets() > limits.sockets:
            return f"{STOPPED}: it opened more than {limits.sockets} sockets."
        if _memory(self.process_id) > limits.memory:
            return f"{STOPPED}: it used more than {limits.memory / 2**30:.3g} GB of memory."
        return ""

    def _sockets(self) -> int:
        """Return the sockets of the network inside: the outermost process still has the host's."""
        inside = max(_descendants(self.process_id), default=None)
        return 0 if inside is None or self.room.unsafe else sandbox.sockets(inside)


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
    """What one source shows, within limits.

    bytes: of what stands there; a progress bar or a plot that takes the place of the last one costs
    nothing, however long a training goes on. seen, seen_bytes: of all that was shown, to tell a flood.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self.outputs: list[NotebookNode] = []
        self.answers: list[dict] = []
        self.places: dict[str, list[int]] = {}
        self.bytes = self.seen_bytes = self.seen = self.messages = 0
        self.count: int | None = None
        self.idle = self.clear_next = self.full = False

    def take(self, message: dict) -> None:
        """Take one published message."""
        kind, content = message["msg_type"], message["content"]
        self.messages += 1
        if kind == "status":
            self.idle = content["execution_state"] == "idle"
        elif kind == "clear_output":
            self._clear(bool(content.get("wait")))
        elif kind in ("stream", "error", "display_data", "execute_result", "update_display_data"):
            answer = content.get("data", {}).get(wire.MIME)
            if answer is not None:
                if len(self.answers) < MOST_ANSWERS:  # of several none counts: keep only that they came
                    self.answers.append(answer if not self.answers else {})
                return
            self.seen += kind != "stream"
            size = _size(content["text"] if kind == "stream" else content)
            self.seen_bytes += size
            self._show(kind, message, size, (content.get("transient") or {}).get("display_id"))

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

    def _show(self, kind: str, message: dict, size: int, display_id: Any) -> None:
        if kind == "update_display_data":
            self.bytes += size
            for place in self.places.get(display_id, []):
                self.outputs[place]["data"] = NotebookNode(message["content"]["data"])
            return
        if self.clear_next:
            self._clear(False)
        output = output_from_msg(message)
        last = self.outputs[-1] if self.outputs else NotebookNode()
        goes_on = kind == "stream" and last.get("name") == output.name
        before = last.text if goes_on else ""
        if kind == "stream":
            output.text = _overwritten(before, output.text)
            size = len(output.text) - len(before)
        self.bytes += size
        too_many = not goes_on and len(self.outputs) >= self.limits.outputs
        if self.full or too_many or self.bytes > self.limits.cell_output:
            self.too_much()
        elif goes_on:
            last.text = output.text
        else:
            if display_id:
                self.places.setdefault(display_id, []).append(len(self.outputs))
            self.outputs.append(output)

    def _clear(self, wait: bool) -> None:
        self.clear_next = wait
        if not wait:
            self.outputs.clear()
            self.places.clear()
            self.bytes, self.full = 0, False


def _overwritten(text: str, more: str) -> str:
    """Return a text that goes on; a line that begins anew (\\r) takes the place of what stood there."""
    if "\r" not in more:
        return text + more
    above, end, line = text.rpartition("\n")
    return above + end + OVERWRITTEN.sub("", line + more)


def _error(name: str, value: str, traceback: Sequence[str]) -> NotebookNode:
    return new_output("error", ename=name, evalue=value, traceback=list(traceback))


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 8


def _own_memory() -> int:
    """Return the bytes that this process holds."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


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
        return sum(_each(_tree(process_id), lambda p: sum(p.cpu_times()[:4])))
    return 0.0


def _memory(process_id: int) -> float:
    """Return the bytes that a process and all its descendants hold, shared pages counted once."""
    with contextlib.suppress(psutil.Error):
        processes = _tree(process_id)
        resident = sum(_each(processes, lambda p: p.memory_info().rss))
        if resident < 1 << 30 or len(processes) < 6:  # proportional shares cost more to read
            return resident
        return sum(_each(processes, lambda p: p.memory_full_info().pss))
    return 0


def _each(processes: Sequence[psutil.Process], measure: Any) -> Iterator[float]:
    """Yield what is measured of each process that is still there."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            yield measure(process)

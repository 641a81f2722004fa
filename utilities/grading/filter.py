"""The system calls that a sandboxed kernel may not make, as a seccomp filter for bubblewrap.

Refused is what takes memory that no process is charged with (System V shared memory and messages,
memfd, keys, io_uring, large socket buffers) and what no lesson needs but attacks on the system do. A
refused call fails as on a system that does not have it, so that libraries fall back. Numbers: the
kernel's own tables, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h; the
form of the program: Documentation/userspace-api/seccomp_filter.rst.
"""

import errno
import platform
import socket
import struct
from dataclasses import dataclass

LOAD, IF_EQUAL, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # codes of classic BPF
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; an argument has 8 bytes
ALLOW, FAIL = 0x7FFF0000, 0x00050000
X32_CALLS = 0x40000000  # x86-64 has a second table of calls from here on
BUFFER_SIZES = (socket.SO_SNDBUF, socket.SO_RCVBUF, 32, 33)  # the last two: the same with force
FAMILIES = (socket.AF_UNIX, 16)  # 16: netlink, by which libraries list the network's interfaces


@dataclass(frozen=True)
class Table:
    """One architecture: its audit number, the refused calls, socket and setsockopt."""

    architecture: int
    refused: dict[str, int]
    socket: int
    setsockopt: int


NEW_CALLS = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "memfd_secret": 447,
}
TABLES = {
    "x86_64": Table(
        0xC000003E,
        {
            "shmget": 29, "shmat": 30, "semget": 64, "msgget": 68, "msgsnd": 69, "ptrace": 101,
            "mq_open": 240, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
            "vmsplice": 278, "perf_event_open": 298, "fanotify_init": 300, "open_by_handle_at": 304,
            "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
            "memfd_create": 319, "bpf": 321, "userfaultfd": 323, **NEW_CALLS,
        },
        socket=41,
        setsockopt=54,
    ),
    "aarch64": Table(
        0xC00000B7,
        {
            "vmsplice": 75, "unshare": 97, "ptrace": 117, "mq_open": 180, "msgget": 186, "msgsnd": 189,
            "semget": 190, "shmget": 194, "shmat": 196, "add_key": 217, "request_key": 218,
            "keyctl": 219, "perf_event_open": 241, "fanotify_init": 262, "open_by_handle_at": 265,
            "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
            "memfd_create": 279, "bpf": 280, "userfaultfd": 282, **NEW_CALLS,
        },
        socket=198,
        setsockopt=208,
    ),
}  # fmt: skip


def program(machine: str = "") -> bytes:
    """Return the filter for a machine, this one by default; empty where its calls are not known."""
    table = TABLES.get(machine or platform.machine())
    if table is None:
        return b""
    lines = [
        *_unless_equal(ARCHITECTURE, table.architecture, [(RETURN, 0, 0, FAIL | errno.ENOSYS)]),
        (LOAD, 0, 0, NUMBER),
        (IF_AT_LEAST, 0, 1, X32_CALLS),
        (RETURN, 0, 0, FAIL | errno.ENOSYS),
    ]
    for number in table.refused.values():
        lines += _if_equal(number, [(RETURN, 0, 0, FAIL | errno.ENOSYS)])
    lines += _if_equal(table.socket, _families())
    lines += _if_equal(table.setsockopt, _buffer_sizes())
    lines.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


Line = tuple[int, int, int, int]  # code, lines to skip if true, if false, and a constant


def _if_equal(value: int, then: list[Line]) -> list[Line]:
    return [(IF_EQUAL, 0, len(then), value), *then]


def _unless_equal(offset: int, value: int, then: list[Line]) -> list[Line]:
    return [(LOAD, 0, 0, offset), (IF_EQUAL, len(then), 0, value), *then]


def _families() -> list[Line]:
    """Let sockets be made that stay inside, and no others."""
    allowed = [line for f in FAMILIES for line in _if_equal(int(f), [(RETURN, 0, 0, ALLOW)])]
    return [(LOAD, 0, 0, ARGUMENTS), *allowed, (RETURN, 0, 0, FAIL | errno.EAFNOSUPPORT)]


def _buffer_sizes() -> list[Line]:
    """Say yes to whoever asks for larger buffers, and do nothing."""
    ignored = [line for size in BUFFER_SIZES for line in _if_equal(size, [(RETURN, 0, 0, FAIL)])]
    return [
        *_unless_equal(ARGUMENTS + 8, socket.SOL_SOCKET, [(RETURN, 0, 0, ALLOW)]),
        (LOAD, 0, 0, ARGUMENTS + 16), *ignored, (RETURN, 0, 0, ALLOW),
    ]  # fmt: skip

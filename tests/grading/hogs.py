# ruff: noqa: E501  code in texts
"""What a kernel can do to its grader: take memory beside that of its processes, and talk without end.

HOGS print `took N` with the MB they got; each tries for more than it may have. TALKERS never let the
grader's loop come to its end. Each is code for a cell of the student's own.
"""

HOGS = {
    "memory files": """
import os
taken = 0
try:
    for i in range(6):
        file = os.memfd_create(str(i))
        for _ in range(4): taken += os.write(file, bytes(16 << 20))
except OSError: pass
print('took', taken >> 20)""",
    "System V shared memory": """
import ctypes
c = ctypes.CDLL(None, use_errno=True); c.shmat.restype = ctypes.c_void_p
taken = 0
for _ in range(5):
    key = c.shmget(0, 64 << 20, 0o1666)
    if key < 0: break
    place = c.shmat(key, None, 0); ctypes.memset(place, 1, 64 << 20); c.shmdt(ctypes.c_void_p(place))
    taken += 64 << 20
print('took', taken >> 20)""",
    "System V messages": """
import ctypes
c = ctypes.CDLL(None, use_errno=True)
taken = 0
for _ in range(200):
    queue = c.msgget(0, 0o1666)
    if queue < 0: break
    while c.msgsnd(queue, ctypes.create_string_buffer(8192), 8184, 0o4000) == 0: taken += 8184
print('took', taken >> 20)""",
    "every folder that can be written": """
taken = 0
for folder in ('/', '/tmp', '/dev', '/dev/shm', '/home', '/home/student', '/kit', '/submission', '/var'):
    try:
        with open(folder + '/big', 'wb', buffering=0) as file:
            while taken < 400 << 20: taken += file.write(bytes(1 << 20))
    except OSError: pass
print('took', taken >> 20)
import os
for folder in ('/tmp', '/dev/shm', '/home/student'): os.path.exists(folder + '/big') and os.remove(folder + '/big')""",
    "socket buffers": """
import socket
taken, kept = 0, []
try:
    for _ in range(2000):
        a, b = socket.socketpair(); a.setblocking(False); kept += [a, b]
        a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        try:
            while True: taken += a.send(bytes(65536))
        except BlockingIOError: pass
except OSError: pass
del kept
print('took', taken >> 20)""",
    "descriptors in flight": """
import array, os, socket
a, b = socket.socketpair(); taken = 0
try:
    for i in range(4):
        file = os.memfd_create('x'); taken += os.write(file, bytes(64 << 20))
        a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [file]))]); os.close(file)
except OSError: pass
print('took', taken >> 20)""",
    "the connection file": """
from ipykernel.connect import get_connection_file
taken = 0
try:
    with open(get_connection_file(), 'ab', buffering=0) as file:
        for _ in range(5): taken += file.write(bytes(64 << 20))
except OSError: pass
print('took', taken >> 20)""",
    "sockets beyond number": """
import glob, socket, time
kept = []
try:
    for _ in range(900): kept.append(socket.socket(socket.AF_UNIX))
except OSError: pass
time.sleep(5)
print('took', 999)""",
    "sockets in the channel": """
import os, socket, time
from ipykernel.connect import get_connection_file
folder, taken = os.path.dirname(get_connection_file()), 0
try:
    for i in range(5000): socket.socket(socket.AF_UNIX).bind(f'{folder}/s{i}'); taken += 1
except OSError: pass
if taken: time.sleep(5)
print('took', taken)""",
}

_KERNEL = """
import threading, time
kernel = get_ipython().kernel
"""
_SILENCED = (
    _KERNEL
    + """
send = kernel.session.send
def without_idle(stream, kind, content=None, *rest, **named):
    if kind == 'status' and content and content.get('execution_state') == 'idle': return None
    return send(stream, kind, content, *rest, **named)
kernel.session.send = without_idle
"""
)
FORGED_REPLIES = (
    _KERNEL
    + """
ident = kernel._shell_parent_ident.get() if hasattr(kernel, '_shell_parent_ident') else kernel._parent_ident['shell']
def forge():
    while True:
        kernel.session.send(kernel.shell_stream if hasattr(kernel, 'shell_stream') else kernel.shell_streams[0],
            'execute_reply', {'status': 'ok', 'execution_count': 1}, parent={'header': {'msg_id': 'nobody'}}, ident=ident)
        time.sleep(0.1)
threading.Thread(target=forge, daemon=True).start()
while True: time.sleep(1)
"""
)
FLOODS = """
while True: print('x' * 10_000)
"""
TALKERS = {
    "forges replies while its cell loops": FORGED_REPLIES,
    "is never idle and shows something now and then": _SILENCED
    + """
parent = kernel.get_parent('shell')
def drip():
    while True:
        time.sleep(3); send(kernel.iopub_socket, 'stream', {'name': 'stdout', 'text': '.'}, parent=parent)
threading.Thread(target=drip, daemon=True).start()
""",
    "is never idle and publishes for nobody": _SILENCED
    + """
def noise():
    while True:
        time.sleep(0.05); send(kernel.iopub_socket, 'stream', {'name': 'stdout', 'text': '.'}, parent={'header': {'msg_id': 'x'}})
threading.Thread(target=noise, daemon=True).start()
""",
    "sends one message of endless frames": _KERNEL
    + """
import zmq
def frames():
    for _ in range(300): kernel.iopub_thread.socket.send(bytes(8_000_000), zmq.SNDMORE, copy=False)
kernel.iopub_thread.schedule(frames)
time.sleep(8)
""",
    "answers what nobody asked, at length": """
from utilities.checks.kernel import wire
for _ in range(60):
    get_ipython().display_pub.publish({wire.MIME: {'request': 'x', 'observations': 'x' * 2_000_000}})
""",
    "answers in millions of empty lists": _KERNEL
    + """
from utilities.checks.kernel import wire
lists, pack = '[' + '[],' * 1_000_000 + '[]]', kernel.session.pack
def packed(part):
    if isinstance(part, dict) and 'data' in part:
        return ('{"data":{"%s":%s},"metadata":{},"transient":{}}' % (wire.MIME, lists)).encode()
    return pack(part)
kernel.session.pack = packed
for _ in range(2):
    kernel.session.send(kernel.iopub_socket, 'display_data', {'data': {}, 'metadata': {}}, parent=kernel.get_parent('shell'))
kernel.session.pack = pack
""",
    "replies with what is no reply": _KERNEL
    + """
send = kernel.session.send
def odd(stream, kind, content=None, *rest, **named):
    return send(stream, kind, [7] if kind == 'execute_reply' else content, *rest, **named)
kernel.session.send = odd
threading.Timer(2, lambda: setattr(kernel.session, 'send', send)).start()
""",
}

# What the student reads about each, where anything is to be said
SAID = {
    **dict.fromkeys(TALKERS, ""),
    "forges replies while its cell loops": "longer than its time",
    "is never idle and shows something now and then": "no longer tells the grader",
    "is never idle and publishes for nobody": "no longer tells the grader",
    "replies with what is no reply": "This cell was stopped",
}

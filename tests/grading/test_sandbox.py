"""The sandbox itself: what stands inside, who runs there, and that every check finds its parts."""

import asyncio
import base64
import marshal
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import types
from pathlib import Path

import pytest

import utilities
from utilities.checks.kernel.exercise import Exercise
from utilities.grading import judge, sandbox, session
from utilities.grading.sandbox import Limits, make_room
from utilities.grading.session import Session

IDENTITY = """import os
print(os.getuid() >= 1000, open('/proc/self/uid_map').read().split()[1] != '0')
wanted = ('CapEff', 'CapBnd', 'NoNewPrivs')
print([line for line in open('/proc/self/status') if line.startswith(wanted)])"""
SECRETS = ("oracle", "judg", "mistake", "stand_in", "grading", "formulas")
EXERCISES = [
    value
    for name in utilities.__all__
    if name.startswith("test_") and isinstance(value := getattr(utilities, name), Exercise)
]


def test_kit_holds_no_oracle_and_no_judge():
    files = [str(p.relative_to(sandbox.kit_folder())) for p in sandbox.kit_folder().rglob("*.py")]
    assert "utilities/checks/kernel/observer.py" in files
    assert not [name for name in files if any(secret in name for secret in SECRETS)]


def test_kit_can_be_read_by_the_kernels_user_where_its_source_cannot(tmp_path, monkeypatch):
    private = tmp_path / "utilities"
    shutil.copytree(sandbox.PACKAGE, private, ignore=shutil.ignore_patterns("__pycache__", "grading"))
    subprocess.run(["chmod", "-R", "go-rwx", str(private)], check=True)
    monkeypatch.setattr(sandbox, "PACKAGE", private)
    package = sandbox.kit_folder.__wrapped__() / "utilities"
    closed = [path for path in (package, *package.rglob("*")) if not path.stat().st_mode & stat.S_IROTH]
    assert closed == [] and (package / "checks" / "kernel" / "observer.py").is_file()


def test_every_check_finds_its_kernel_side(sandboxed, tmp_path):
    """A check, or a figure, that imports what stays outside would score everybody 0."""
    sides = sorted({exercise.kernel_side for exercise in EXERCISES})
    imports = "; ".join(f"import {side}" for side in sides)
    imports += "; import utilities; [getattr(utilities, name) for name in utilities.__all__]"
    command = sandbox.sandbox_command(
        [
            sys.executable,
            "-c",
            imports + "; import utilities.checks.kernel.observer; print('all there')",
        ],
        make_room(tmp_path, Limits()),
        sandbox.fresh_user_id(),
    )
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout.strip() == "all there", done.stderr[-2000:]
    assert len(sides) >= 5


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_what_a_check_brings_along_stands_alone(exercise):
    """No later step, and not the step itself, comes with a check."""
    own = exercise.name.replace("_", "").lower()
    for packed in judge._modules(exercise, exercise.builds_on).values():
        code = marshal.loads(base64.b64decode(packed))
        names = [part.co_name for part in code.co_consts if isinstance(part, types.CodeType)]
        assert own not in [name.replace("_", "").lower().strip(":") for name in names]


@pytest.mark.parametrize("nodes", [[], ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"]], ids=len)
def test_graphics_processors_are_passed_through_where_there_are_any(nodes, tmp_path):
    """Each device node of one is bound in its own place, after the folder it lies in; no other."""
    devices = tmp_path / "dev"
    devices.mkdir()
    for name in [*nodes, "sda", "kmsg"]:
        (devices / name).touch()
    command = sandbox.sandbox_command(["true"], make_room(tmp_path, Limits()), devices=str(devices))
    binds = [command[i + 1 : i + 3] for i, word in enumerate(command) if word == "--dev-bind-try"]
    assert binds == [[str(devices / name), f"/dev/{name}"] for name in sorted(nodes)]
    if nodes:
        assert command.index("--dev-bind-try") > command.index("--dev")


def test_device_nodes_arrive_inside(sandboxed, tmp_path):
    """A stand-in for a graphics processor's node can be used inside like the one outside."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a device node")
    devices = tmp_path / "dev"
    devices.mkdir()
    os.mknod(devices / "nvidia0", 0o666 | stat.S_IFCHR, os.makedev(1, 5))  # as /dev/zero
    (devices / "nvidia0").chmod(0o666)
    command = sandbox.sandbox_command(
        ["/usr/bin/head", "-c", "4", "/dev/nvidia0"], make_room(tmp_path, Limits()),
        sandbox.fresh_user_id(), devices=str(devices),
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.stdout == bytes(4), done.stderr


def test_the_machine_has_another_name_inside(sandboxed, tmp_path):
    command = sandbox.sandbox_command(
        ["/usr/bin/uname", "-n"], make_room(tmp_path, Limits()), sandbox.fresh_user_id()
    )
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout.strip() == "sandbox" != os.uname().nodename, done.stderr


def test_every_descendant_of_a_kernel_is_watched():
    """Also a grandchild that a thread has started: none may use memory or time unseen."""
    start = "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', {!r}], stdout=-1)"
    inner = start.format("import time; print(); time.sleep(60)") + "; c.stdout.readline(); print()"
    inner += "; c.wait()"
    outer = f"import threading\ndef f():\n    {start.format(inner)}\n    c.stdout.readline()"
    outer += "\n    print(flush=True); c.wait()\nthreading.Thread(target=f).start()"
    process = subprocess.Popen([sys.executable, "-u", "-c", outer], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        watched = session._tree(process.pid)
        assert len(watched) == 3
        assert watched == [watched[0], *watched[0].children(recursive=True)]
    finally:
        for one in reversed(session._tree(process.pid)):
            one.kill()
        process.wait()
        process.stdout.close()


def test_nobody_inside_is_root(sandboxed, tmp_path):
    async def identity() -> str:
        session = Session(tmp_path, Limits())
        await session.start()
        outcome = await session.run(IDENTITY, 60)
        await session.end()
        return outcome.outputs[0].text

    text = asyncio.run(identity())
    if os.geteuid() == 0:
        assert "True True" in text
        assert "CapBnd:\\t0000000000000000" in text
    assert "CapEff:\\t0000000000000000" in text
    assert "NoNewPrivs:\\t1" in text


def test_an_ordinary_user_gets_the_same_sandbox(sandboxed, tmp_path):
    """As root, run the sandbox once more as somebody else, with a Python they can read."""
    command = sandbox.sandbox_command(["/usr/bin/id", "-u"], make_room(tmp_path, Limits()))
    if os.geteuid() != 0:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.stdout.strip() == str(os.getuid())
        return
    script = (
        "from pathlib import Path; import subprocess, tempfile\n"
        "from utilities.grading import sandbox\n"
        "sandbox.check_available()\n"
        "room = sandbox.make_room(Path(tempfile.mkdtemp()), sandbox.Limits())\n"
        "ask = 'cat /proc/self/uid_map; ls /; ls /kit/utilities; grep Cap /proc/self/status'\n"
        "print(subprocess.run(sandbox.sandbox_command(['/bin/sh', '-c', ask], room),\n"
        "      capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout)\n"
    )
    python = "/usr/bin/python3"
    version = subprocess.run([python, "-V"], capture_output=True, text=True).stdout.split()[-1:]
    if not version or version[0].split(".")[:2] != [str(n) for n in sys.version_info[:2]]:
        pytest.skip("no Python of this version that an ordinary user can read")
    readable = tmp_path / "kit"
    shutil.copytree(Path(utilities.__file__).parent, readable / "utilities")
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break  # the rest is everybody's already, and not ours to change
        folder.chmod(0o755)
    done = subprocess.run(
        ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", python, "-c",
         script],
        capture_output=True, text=True, cwd="/", env={
            "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{readable}:{sysconfig.get_paths()['purelib']}",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert " 65534 " in done.stdout.split("\n")[0]
    assert "grading" not in done.stdout
    assert "CapEff:\t0000000000000000" in done.stdout

"""Import TensorFlow quietly and sooner: its native messages go to a file that can be looked up.

nbgrader scores a graded cell 0 if anything reaches stderr, and TensorFlow's C++ side writes
warnings there that no setting turns off (`TF_CPP_MIN_LOG_LEVEL=3` leaves those of XLA and of the
graph optimiser, and "E0000" lines at import). Python's own `sys.stderr` goes another way in a
kernel, and is left alone: a student's warnings and errors stay visible. `lab doctor` shows the file.

A third of the import's processor time goes into looking for garbage among half a million objects that
stay for good. So Python does not look for it meanwhile, and leaves them alone afterwards.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from utilities.kit import cache_folder

HEAVY = ("tensorflow", "tf_keras")
LOG_LIMIT = 1_000_000  # bytes; a longer file is begun anew


def quiet_tensorflow() -> None:
    """Settle TensorFlow's start-up, and send what its native code writes to stderr to `native_log()`.

    In a Jupyter kernel all of it, elsewhere what is written while TensorFlow is imported. To be
    called before TensorFlow is imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # tf.keras is then tf_keras, imported once
    if _in_kernel():
        _redirect_stderr()
    if not any(isinstance(finder, _QuietImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietImport())


def native_log() -> Path:
    """Return the file that native messages are kept in."""
    return cache_folder() / "native.log"


def open_log() -> int:
    """Return a descriptor that writes to the log, or nowhere where none can be written."""
    path = native_log()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if os.fstat(log).st_size > LOG_LIMIT:
            os.truncate(path, 0)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
    return log


def _redirect_stderr() -> None:
    log = open_log()
    os.dup2(log, 2)
    os.close(log)


@contextlib.contextmanager
def _redirected_stderr() -> Iterator[None]:
    """Redirect descriptor 2 for a while; a process that has none goes on without."""
    try:
        before = os.dup(2)
    except OSError:
        yield
        return
    _redirect_stderr()
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage for a while, and never again among what is there in the end."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


class _QuietImport(MetaPathFinder):
    """Find TensorFlow where it is; no garbage is looked for and stderr is redirected at its import."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in HEAVY else None
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_quietly(module: ModuleType) -> None:
                with _uncollected(), _redirected_stderr():
                    execute(module)

            spec.loader.exec_module = execute_quietly  # type: ignore[method-assign]
        return spec


def _in_kernel() -> bool:
    """Return whether this process is a Jupyter kernel, whose sys.stderr is not descriptor 2."""
    ipykernel = sys.modules.get("ipykernel.kernelapp")
    return ipykernel is not None and ipykernel.IPKernelApp.initialized()

"""Kernel and extensions of Jupyter."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from utilities.commands.probes.finding import MISSING, READY, REINSTALL, Finding
from utilities.commands.probes.processes import TIMEOUT, last_line
from utilities.kit import CODE

LAB_EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "@jupyter/nbgrader")
STUDENTS_SERVER = ("validate_assignment", "assignment_list")
INSTRUCTORS_SERVER = ("formgrader", "course_list")
TRY_KERNEL = "import sys, utilities; print(sys.prefix)"


def kernel(folders: list[str] | None = None, name: str = "python3") -> Finding:
    """Look whether the notebooks' kernel starts, finds the kit, and belongs to this environment."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from jupyter_client.manager import KernelManager

    specs = KernelSpecManager(**({} if folders is None else {"kernel_dirs": folders}))
    try:
        spec = specs.get_kernel_spec(name)
    except NoSuchKernel:
        return Finding(MISSING, f"no kernel called {name}", _install(name))
    file = Path(spec.resource_dir) / "kernel.json"
    try:
        prefix = _ask_kernel(KernelManager(kernel_name=name, kernel_spec_manager=specs))
    except Exception as error:
        said = last_line(str(error)) or type(error).__name__
        return Finding(MISSING, f"{file} does not run the kit: {said}", _replace(file, name))
    if Path(prefix).resolve() != Path(sys.prefix).resolve():
        found = f"{file} runs in {prefix}, not in {sys.prefix}"
        return Finding(MISSING, found, _replace(file, name))
    return Finding(READY, f"{spec.display_name}, in this environment")


def _install(name: str) -> str:
    return f"{sys.executable} -m ipykernel install --sys-prefix --name {name}"


def _replace(file: Path, name: str) -> str:
    """Return how to get rid of a kernel that stands before this environment's, or to make it anew."""
    if file.is_relative_to(sys.prefix):
        return _install(name)
    return (
        f"move {file.parent} away, or take its place off JUPYTER_PATH: it stands before this "
        f"environment's own kernel. If there is none: {_install(name)}"
    )


def lab_extensions(folders: list[str] | None = None) -> Finding:
    """Look whether JupyterLab has the slider's widgets and nbgrader's menu, and they are enabled."""
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
    """Look whether Jupyter's server has nbgrader's parts, enabled and importable."""
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


def _ask_kernel(manager: Any) -> str:
    """Start a kernel, let it import the kit, and return the environment it runs in."""
    said: list[str] = []

    def keep(message: dict) -> None:
        content = message["content"]
        said.append(content.get("text") or "\n".join(content.get("traceback", [])))

    with tempfile.TemporaryDirectory() as folder:
        manager.start_kernel(
            cwd=folder, env={**os.environ, "PYTHONPATH": str(CODE)}, stderr=subprocess.DEVNULL
        )
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=TIMEOUT)
            reply = client.execute_interactive(TRY_KERNEL, output_hook=keep, timeout=TIMEOUT)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"{reply['content']['ename']}: {reply['content']['evalue']}")
    return "".join(said).strip()

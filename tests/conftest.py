"""For all tests: no network, here and in every process that a test starts."""

import os
import runpy
import signal
import sys
from pathlib import Path

import pytest

from utilities.quiet import quiet_tensorflow

NO_NETWORK = Path(__file__).parent / "no_network"

# Started in the background, a shell's child ignores Ctrl-C, and so would what the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
quiet_tensorflow()
runpy.run_path(str(NO_NETWORK / "sitecustomize.py"))
os.environ["PYTHONPATH"] = os.pathsep.join(
    part for part in (str(NO_NETWORK), os.environ.get("PYTHONPATH")) if part
)
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def pytest_addoption(parser):
    parser.addoption(
        "--screenshots",
        type=Path,
        metavar="DIR",
        help="keep pictures of what the browser tests see, for the README",
    )


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Spread the checks over the workers one by one; keep the other modules, which share fixtures.

    The browser tests share servers, too: all of them go to one worker.
    """
    for item in items:
        if "checks" not in item.path.parts:
            group = item.path.parent if "browser" in item.path.parts else item.path
            item.add_marker(pytest.mark.xdist_group(str(group)))

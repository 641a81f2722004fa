"""For all tests: no network, here and in every process that a test starts."""

import os
import runpy
import signal
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from utilities.quiet import quiet_tensorflow

SLOW = {"blank_course", "sandboxed"}  # fixtures that take seconds, or stand behind those that do
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
    parser.addoption(
        "--quick", action="store_true", help="leave out what makes a course or needs the sandbox"
    )
    parser.addoption(
        "--whole", action="store_true", help="all of what is otherwise tested in turns, a part each day"
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "in_turns(parts): one of so many parts each day")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config, items):
    """Leave out what has its turn another day, and say who works with whom.

    Spread the checks over the workers one by one, last, so that no worker waits for another in the end;
    keep the other modules, which share fixtures, together.

    The browser tests share servers, too: all of them go to one worker.
    """
    if not config.getoption("--whole"):
        items[:] = _of_today(items)
    if config.getoption("--quick"):
        items[:] = [item for item in items if not SLOW & set(getattr(item, "fixturenames", ()))]
    items.sort(key=_is_of_checks)
    for item in items:
        if not _is_of_checks(item):
            group = item.path.parent if "browser" in item.path.parts else item.path
            item.add_marker(pytest.mark.xdist_group(str(group)))


def _is_of_checks(item):
    return "checks" in item.path.parts


def _of_today(items):
    """Return the tests whose turn it is; of those marked `in_turns`, one part after the other."""
    today, seen, chosen = date.today().toordinal(), Counter(), []
    for item in items:
        turns = item.get_closest_marker("in_turns")
        if turns:
            parts, number = turns.args[0], seen[item.location[0], item.originalname]
            seen[item.location[0], item.originalname] += 1
        if not turns or number % parts == today % parts:
            chosen.append(item)
    return chosen

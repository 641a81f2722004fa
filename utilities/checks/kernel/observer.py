"""Answer the grader from inside the sandbox: observe, and send the observations home.

This side of a check is in the student's hands, so nothing here decides anything.
"""

import base64
import contextlib
import json
import marshal
import sys
import types
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from utilities.checks.kernel import wire
from utilities.checks.kernel.case import NOT_ATTEMPTED, Observation, Problem
from utilities.checks.kernel.observing import observe_cases
from utilities.checks.kernel.replacing import in_use, standing_in

CORE = "utilities.checks.core"
REFERENCES = f"{CORE}.references"


def answer(packed: str) -> None:
    """Carry out one request of the grader and display the answer under `wire.MIME`."""
    from IPython import get_ipython

    shell = get_ipython()
    request = json.loads(zlib.decompress(base64.b64decode(packed)))
    with _delivered(request["modules"]):
        reply = _reply(request, shell.user_ns)
    shell.display_pub.publish({wire.MIME: {"request": request["id"], **reply}})


def _reply(request: Mapping[str, Any], names: Mapping[str, Any]) -> dict:
    cases = wire.load_cases(request["cases"])
    try:
        implementation = _look_up(request["implementation"], names)
    except (KeyError, AttributeError):
        problem = Problem(NOT_ATTEMPTED, f"There is no {request['implementation']} in your notebook.")
        observations = [Observation(problem=problem) for _ in cases]
        return {"observations": wire.dump_observations(observations), "in_use": []}
    used = in_use(implementation, request["builds_on"])
    with standing_in(implementation, _steps(request["trusted"])):
        observations = observe_cases(request["kernel_side"], implementation, cases)
    return {"observations": wire.dump_observations(observations), "in_use": used}


def _steps(names: list[str]) -> dict[str, Any]:
    return {name: getattr(sys.modules[REFERENCES], name) for name in names}


def _look_up(dotted: str, names: Mapping[str, Any]) -> Any:
    first, *rest = dotted.split(".")
    value = names[first]
    for name in rest:
        value = getattr(value, name)
    return value


@contextlib.contextmanager
def _delivered(modules: Mapping[str, str]) -> Iterator[None]:
    """Make modules of the code that came with the request, for the time of the request.

    It comes as bytecode: no source passes through here, where a student's code could listen.
    """
    if modules:
        sys.modules.setdefault(CORE, types.ModuleType(CORE))  # the package is not in the sandbox
    for name, code in modules.items():
        module = types.ModuleType(name)
        sys.modules[name] = module
        exec(marshal.loads(base64.b64decode(code)), module.__dict__)  # noqa: S302  the grader wrote it
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)

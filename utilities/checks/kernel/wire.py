"""Cases and observations as JSON: what passes between the grader and the student's kernel.

Arrays travel as base64 .npy without pickle. Reading trusts nothing: sizes are bounded before
anything is allocated, and whatever is not as it should be raises `WireError`.
"""

import base64
import io
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from utilities.checks.kernel.case import Case, Observation, Problem
from utilities.checks.kernel.settings import NAMES

MIME = "application/vnd.attention-lab.observations+json"
LARGEST_MESSAGE = 48_000_000  # bytes of one message; a right answer to any check is far smaller
LONGEST_ITEM = 1024  # bytes of one entry of an array
LONGEST_TEXT = 4_000  # characters of a problem's message or detail
KINDS = "fiubU"  # floating, signed, unsigned, boolean, text


class WireError(ValueError):
    """A message is not what was agreed on."""


def dump_cases(cases: Sequence[Case]) -> str:
    """Return cases as text."""
    return json.dumps([[case.stage, _plain(case.inputs)] for case in cases])


def load_cases(text: str) -> list[Case]:
    """Return the cases that `dump_cases` wrote; trusted, the grader alone writes them."""
    return [
        Case(stage, {name: _value(item) for name, item in inputs["dict"].items()})
        for stage, inputs in json.loads(text)
    ]


def dump_observations(observations: Sequence[Observation]) -> list[dict]:
    """Return observations as plain JSON values."""
    return [_plain_observation(observation) for observation in observations]


def load_observations(items: Any, count: int) -> list[Observation]:
    """Return `count` observations from JSON values that a student may have forged.

    Raises WireError where they are not of the agreed form.
    """
    if not isinstance(items, list) or len(items) != count:
        raise WireError(f"{count} observations were expected")
    return [_observation(item) for item in items]


def _plain_observation(observation: Observation) -> dict:
    problem = observation.problem
    reset = {"reset": observation.reset} if observation.reset else {}
    if problem is not None and not observation.values:
        return {"problem": _texts(problem), **reset}
    values = {name: _npy(np.asarray(v)) for name, v in observation.values.items()}
    changed = {"problem": _texts(problem)} if problem else {}
    return {"values": values, **changed, **reset}


def _observation(item: Any) -> Observation:
    if not isinstance(item, dict):
        raise WireError("an observation is neither values nor a problem")
    reset = item.pop("reset", [])
    if not isinstance(reset, list):
        raise WireError("the settings that were reset are no list")
    observation = _values_and_problem(item)
    observation.reset = [name for name in NAMES if name in reset]
    return observation


def _values_and_problem(item: dict) -> Observation:
    if not item or set(item) - {"values", "problem"}:
        raise WireError("an observation is neither values nor a problem")
    problem = None
    if "problem" in item:
        texts = item["problem"]
        if not (isinstance(texts, list) and len(texts) in (3, 4) and all(map(_is_text, texts))):
            raise WireError("a problem is not a few texts")
        problem = Problem(*(text[:LONGEST_TEXT] for text in texts))
        if "values" not in item:
            return Observation(problem=problem)
    values = item.get("values")
    if not isinstance(values, dict) or not all(map(_is_text, values.values())):
        raise WireError("an observation is neither values nor a problem")
    return Observation({name: _array(text) for name, text in values.items()}, problem)


def _texts(problem: Problem) -> list[str]:
    return [problem.kind, problem.message, problem.detail, problem.mistake]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _npy(array: np.ndarray) -> str:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _array(text: str) -> np.ndarray:
    """Return the array of an .npy text, its size checked against its header beforehand."""
    try:
        stream = io.BytesIO(base64.b64decode(text, validate=True))
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError("not version 1.0")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        data = stream.read()
    except (ValueError, EOFError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise WireError(f"an array cannot be read: {error}") from None
    if dtype.kind not in KINDS or dtype.itemsize > LONGEST_ITEM or len(shape) > 32:
        raise WireError(f"an array holds {dtype} values: numbers were expected")
    if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize != len(data):
        raise WireError("an array is not as long as it says")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="))


def _plain(value: Any) -> Any:
    """Return a case's input as JSON; arrays, tuples and dicts are named, so that they come back."""
    if isinstance(value, (np.ndarray, np.generic)):
        return {"npy": _npy(np.asarray(value)), "scalar": isinstance(value, np.generic)}
    if isinstance(value, dict):
        return {"dict": {name: _plain(item) for name, item in value.items()}}
    if isinstance(value, (tuple, list)):
        return {type(value).__name__: [_plain(item) for item in value]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a case holds arrays, numbers and texts only, not {type(value).__name__}")


def _value(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    if "npy" in item:
        array = _array(item["npy"])
        return array[()] if item["scalar"] else array
    if "dict" in item:
        return {name: _value(part) for name, part in item["dict"].items()}
    ((kind, parts),) = item.items()
    return {"tuple": tuple, "list": list}[kind](_value(part) for part in parts)

"""Run an implementation that cannot be trusted and bring home plain arrays.

The kernel side of a check. Whatever the implementation does, an observation comes back: values,
or the problem that stopped it. Only KeyboardInterrupt passes, since it is the student's.
"""

import contextlib
import importlib
import inspect
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from utilities.checks.kernel.case import (
    INPUT_CHANGED,
    KERAS_3,
    NOT_ATTEMPTED,
    RAISED,
    WRONG_SHAPE,
    WRONG_TYPE,
    Case,
    Observation,
    Problem,
)
from utilities.checks.kernel.settings import usual_settings

RUN_ITS_CELL = " Is it spelled right, and has the cell that defines it been run since the last restart?"
KERAS_3_NAME = re.compile(r"(?<![\w.])keras\.src")
LARGEST_ARRAY = 2_000_000  # numbers; a right answer to any case is far smaller
NUMBERS = (np.ndarray, np.generic, int, float)
KERAS_WRAPPERS = ("Exception encountered when calling layer", "in user code:")
NODE_NAMES = re.compile(
    r"for '\{\{node [^}]*\}\} = .*?' |\{\{(function_)?node [^}]*\}\} ?|\[Op:\w+\]( name: ?)?"
)
ASIDES = re.compile(
    r"\s*; NodeDef: |\n *All kernels registered for op|Call arguments received by layer"
)
NO_KERNEL = re.compile(r"Could not find device for node: = (\w+)\[.*?T=DT_(\w+).*")
LIBRARIES = (
    "site-packages",
    "dist-packages",
    "__autograph_generated_file",
    str(Path(__file__).parent),
)


class Stopped(Exception):
    """An observation cannot go on; carries the problem to report."""

    def __init__(self, kind: str, message: str, mistake: str = "", detail: str = ""):
        super().__init__(message)
        mistake = mistake or _named(message)
        self.problem = Problem(kind, message, detail, mistake)


def observe_cases(module: str, implementation: Any, cases: Sequence[Case]) -> list[Observation]:
    """Return what an implementation does in each case, as the `observe` of a module sees it."""
    observe = importlib.import_module(module).observe
    return [observe_case(observe, implementation, case) for case in cases]


def observe_case(observe: Callable, implementation: Any, case: Case) -> Observation:
    """Return what `observe(implementation, case)` saw, or the problem that stopped it."""
    given = Case(case.stage, {name: _copy(value) for name, value in case.inputs.items()})
    seen = Observation()
    try:
        with _undisturbed() as seen.reset:
            values = observe(implementation, given)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit and GeneratorExit are the student's too
        seen.problem = problem_of(error)
        return seen
    changed = [name for name in case.inputs if not _same(given[name], case[name])]
    if changed:
        seen.problem = Problem(INPUT_CHANGED, _changed_message(changed))
    seen.values = {name: np.asarray(value) for name, value in values.items()}
    return seen


def as_array(value: Any, name: str = "result", tensor: bool = True) -> np.ndarray:
    """Return `value` as a NumPy array of numbers, or stop with a problem that says what it is.

    `tensor`: only a TensorFlow tensor will do, since gradients must flow through the step.
    """
    refuse_nothing(value, name)
    if tensorflow := _loaded_tensorflow():
        value = _as_plain_tensor(tensorflow, value, name)
    tensor_came = tensorflow is not None and isinstance(value, tensorflow.Tensor)
    if isinstance(value, NUMBERS):
        refuse_size(np.shape(value), name)
    if not tensor_came:
        if tensor:
            raise Stopped(WRONG_TYPE, _type_message(value, name, "a TensorFlow tensor"))
        if not isinstance(value, NUMBERS):
            raise Stopped(WRONG_TYPE, _type_message(value, name, "a NumPy array"))
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise Stopped(WRONG_TYPE, f"The {name} holds {array.dtype} values: real numbers expected.")
    return array


def is_tensor(value: Any) -> bool:
    """Return whether a value is TensorFlow's; asks without importing it."""
    tensorflow = _loaded_tensorflow()
    return tensorflow is not None and tensorflow.is_tensor(value)


def as_pair(value: Any, first: str, second: str) -> tuple[Any, Any]:
    """Return the two parts of a result `(first, second)`, or stop and say what came instead."""
    refuse_nothing(value, "result")
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        came = f"{len(value)} values" if isinstance(value, (tuple, list)) else describe(value)
        raise Stopped(WRONG_TYPE, f"Return two values, ({first}, {second}); you return {came}.")
    return value[0], value[1]


def as_parts(value: Any, *names: str) -> dict[str, Any]:
    """Return the parts of a result by name; of one array where several are expected, the first alone.

    Stops, and says what came instead, where the result is neither.
    """
    refuse_nothing(value, "result")
    if isinstance(value, (tuple, list)) and len(value) == len(names):
        return dict(zip(names, value, strict=True))
    if is_tensor(value) or isinstance(value, np.ndarray):
        return {names[0]: value}
    came = f"{len(value)} values" if isinstance(value, (tuple, list)) else describe(value)
    raise Stopped(WRONG_TYPE, f"Return {len(names)} values, ({', '.join(names)}); you return {came}.")


def from_keras_3(value: Any) -> str:
    """Return what to say of a piece of Keras 3, or nothing: most pages on the web show it."""
    origin = type(value) if not inspect.isclass(value) else value
    modules = {getattr(cls, "__module__", "").split(".")[0] for cls in getattr(origin, "__mro__", ())}
    return KERAS_3 if "keras" in modules else ""


def describe(value: Any) -> str:
    """Return a few plain words for what a value is."""
    tensorflow = _loaded_tensorflow()
    if tensorflow is not None and isinstance(value, tensorflow.RaggedTensor):
        return "a ragged tensor (rows of unequal length)"
    if type(value).__name__ == "KerasTensor" or (is_tensor(value) and not hasattr(value, "numpy")):
        return "a symbolic tensor (it holds no numbers yet)"
    if is_tensor(value):
        return "a TensorFlow tensor"
    if isinstance(value, np.ndarray):
        return "a NumPy array"
    if inspect.isgenerator(value):
        return "a generator (did you write yield for return?)"
    if inspect.isroutine(value) or inspect.isclass(value):
        return f"{getattr(value, '__name__', 'something')} itself, not what it returns"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def problem_of(error: BaseException) -> Problem:
    """Return the problem that an exception of the implementation stands for."""
    if isinstance(error, Stopped):
        return error.problem
    if type(error) is NotImplementedError and "symbolic" not in str(error):
        # neither what input() raises in a run without a user, nor what NumPy does to a tensor
        return Problem(NOT_ATTEMPTED, "This step is not written yet: it raises NotImplementedError.")
    undefined = isinstance(error, NameError) and not isinstance(error, UnboundLocalError)
    told = (RUN_ITS_CELL if undefined else "") + of_keras_3(error)
    message = f"Your code stopped with {type(error).__name__}: {_telling_line(error)}{told}"
    return Problem(RAISED, message, _own_traceback(error.__traceback__), _named(message))


def _named(message: str) -> str:
    """Return the name of the mistake that a message speaks of by itself."""
    return "piece of Keras 3" if KERAS_3 in message else ""


def of_keras_3(error: BaseException) -> str:
    """Return what to say of an error that Keras 3 raises, or that speaks of a piece of it."""
    modules = (f.f_globals.get("__name__", "") for f, _ in traceback.walk_tb(error.__traceback__))
    inside = any(str(module).split(".")[0] == "keras" for module in modules)
    return KERAS_3 if inside or KERAS_3_NAME.search(str(error)) else ""


@contextlib.contextmanager
def _undisturbed() -> Iterator[list[str]]:
    """Hold device, settings and streams still while the implementation runs; yield what was reset.

    On the CPU and without TensorFloat-32 the result does not depend on the machine; warnings and
    stderr go to stdout, since nbgrader scores a cell 0 for anything on stderr.
    """
    recursion_limit = sys.getrecursionlimit()
    try:
        with (
            contextlib.redirect_stdout(sys.stdout),  # puts it back if the implementation takes it
            contextlib.redirect_stderr(sys.stdout),
            warnings.catch_warnings(),
            _on_the_cpu(),
        ):
            warnings.simplefilter("ignore")
            with usual_settings() as reset:
                yield reset
    finally:
        sys.setrecursionlimit(recursion_limit)


@contextlib.contextmanager
def _on_the_cpu() -> Iterator[None]:
    """Have TensorFlow, where it is loaded, compute quietly on the CPU in full float32."""
    tensorflow = _loaded_tensorflow()
    if tensorflow is None:
        yield
        return
    settings = tensorflow.config.experimental
    tensor_float_32 = settings.tensor_float_32_execution_enabled()
    settings.enable_tensor_float_32_execution(False)
    log_level = tensorflow.get_logger().level  # its handler holds the real stderr
    tensorflow.get_logger().setLevel("ERROR")
    try:
        with tensorflow.device("/CPU:0"):
            yield
    finally:
        tensorflow.get_logger().setLevel(log_level)
        settings.enable_tensor_float_32_execution(tensor_float_32)


def _loaded_tensorflow() -> Any:
    """Return TensorFlow if anybody has imported it: a lesson in NumPy alone does without."""
    return sys.modules.get("tensorflow")


def _as_plain_tensor(tensorflow: Any, value: Any, name: str) -> Any:
    """Return a variable as its value and bfloat16 as float32; stop at a tensor without numbers."""
    if isinstance(value, tensorflow.Variable):
        value = tensorflow.convert_to_tensor(value)
    if not isinstance(value, tensorflow.Tensor):
        return value
    refuse_size(value.shape, name)
    if not hasattr(value, "numpy"):
        raise Stopped(WRONG_TYPE, _type_message(value, name, "a tensor that holds numbers"))
    return tensorflow.cast(value, tensorflow.float32) if value.dtype == "bfloat16" else value


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _same(after: Any, before: Any) -> bool:
    if not isinstance(before, np.ndarray):
        return True
    return (
        after.shape == before.shape
        and after.dtype == before.dtype
        and bool(np.array_equal(after, before))
    )


def refuse_nothing(value: Any, name: str) -> None:
    """Stop where nothing was returned: None, or the placeholders of an unwritten step."""
    if value is None:
        raise Stopped(NOT_ATTEMPTED, f"The {name} is None: did you forget to return it?")
    if value is Ellipsis or value is NotImplemented:
        raise Stopped(NOT_ATTEMPTED, f"The {name} is {value!r}: this step is not written yet.")


def refuse_size(shape: Sequence[int | None], name: str) -> None:
    size = int(np.prod([length or 1 for length in shape], dtype=float))
    if size > LARGEST_ARRAY:
        raise Stopped(
            WRONG_SHAPE,
            f"The {name} has shape {tuple(shape)}, {size:,} numbers: far more than this case needs. "
            "Was a dimension broadcast that should have been summed?",
        )


def _type_message(value: Any, name: str, expected: str) -> str:
    message = f"The {name} is {describe(value)}; {expected} is expected."
    if told := from_keras_3(value):
        return message + told
    if expected == "a TensorFlow tensor" and isinstance(value, (np.ndarray, list, float)):
        message += " Use TensorFlow operations throughout, so that gradients can flow through it."
    return message


def _changed_message(changed: Sequence[str]) -> str:
    return (
        f"Your code changes its input {' and '.join(changed)} in place. Whoever calls it still needs "
        "the old values: write the result to a new array (x = x / 2, not x /= 2)."
    )


def _telling_line(error: BaseException) -> str:
    """Return the line of an error that says what went wrong, without what TensorFlow wraps it in."""
    lines = ASIDES.split(str(error))[0].strip().splitlines()
    wrapped = bool(lines) and lines[0].startswith(KERAS_WRAPPERS)
    line = (lines or [""])[-1 if wrapped else 0].strip()
    line = "" if line.startswith(KERAS_WRAPPERS) else NODE_NAMES.sub("", line).strip()
    line = line.removeprefix(f"{type(error).__name__}: ")
    line = NO_KERNEL.sub(lambda no: f"TensorFlow has no {no[1]} for {no[2].lower()}", line)
    return (line if len(line) <= 300 else line[:297] + "...") or "no message"


def _own_traceback(trace: TracebackType | None) -> str:
    """Return the student's own frames, at most the last five, with file names but no folders."""
    frames = [
        frame
        for frame in traceback.extract_tb(trace)
        if not any(part in frame.filename for part in LIBRARIES)
    ]
    return "\n".join(
        f"{_cell_name(frame.filename)}, line {frame.lineno}, in {frame.name}\n    {frame.line or ''}"
        for frame in frames[-5:]
    )


def _cell_name(filename: str) -> str:
    return "your notebook" if "ipykernel" in filename else Path(filename).name

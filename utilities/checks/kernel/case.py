"""What passes between the two sides of a check: cases, observations and problems (NumPy only)."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

KERAS_3 = (
    " This comes from Keras 3 (import keras), which does not mix with this course's Keras: take it "
    "from tf_keras (import tf_keras)."
)
MOST_TO_PASTE = 30  # numbers
NOT_ATTEMPTED = "not attempted"
RAISED = "raised an error"
WRONG_TYPE = "wrong type"
WRONG_SHAPE = "wrong shape"
NOT_FINITE = "not a number"
INPUT_CHANGED = "input changed"
WRONG_VALUE = "wrong value"
NOT_JUDGED = "not judged yet"


@dataclass(frozen=True)
class Case:
    """One call of an implementation: the stage it belongs to and what goes in.

    `inputs` maps names to NumPy arrays and plain numbers or strings, nothing else, so that a
    case can be drawn again from its seed on the trusted side. `unsaid` are the names of inputs
    that tell a reader nothing, such as the weights to compute with.
    """

    stage: str
    inputs: dict[str, Any]
    unsaid: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.inputs[name]

    @cached_property
    def longest_axis(self) -> int:
        """Return the largest axis length among the inputs, a bound for the terms of one sum."""
        shapes = [np.shape(value) for value in self.inputs.values()]
        return max((length for shape in shapes for length in shape), default=1)

    @property
    def size(self) -> int:
        """Return how many numbers go in: the smaller a case, the easier it is to read."""
        return sum(np.size(value) for value in self.inputs.values())

    def describe(self) -> str:
        """Return the inputs in one line: shapes of arrays, values of the rest."""
        return ", ".join(
            f"{name} = {value}" if np.ndim(value) == 0 else f"{name} {_in_short(value)}"
            for name, value in self.inputs.items()
            if value is not None and name not in self.unsaid
        )

    def to_paste(self) -> str:
        """Return the inputs as Python, one a line, or nothing where they are too many to read."""
        said = {k: v for k, v in self.inputs.items() if k not in self.unsaid}
        if self.size > MOST_TO_PASTE or len(said) < len(self.inputs):
            return ""
        return "\n".join(f"{name} = {_as_python(value)}" for name, value in said.items())


@dataclass(frozen=True)
class Problem:
    """What stopped an observation: its kind, one plain sentence, and the student's traceback.

    mistake: the name of the known mistake, where what stopped it shows one by itself.
    """

    kind: str
    message: str
    detail: str = ""
    mistake: str = ""


@dataclass
class Observation:
    """What was seen in one case: named arrays, the problem that stopped it, or both.

    Both where the implementation went through, but changed its input.

    reset: the global settings, among `settings.NAMES`, that were not as usual and were put back first.
    """

    values: dict[str, np.ndarray] = field(default_factory=dict)
    problem: Problem | None = None
    reset: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]

    @property
    def is_complete(self) -> bool:
        """Return whether values came."""
        return self.problem is None or bool(self.values)


def _shape(value: Any) -> str:
    return "(" + ", ".join(str(length) for length in np.shape(value)) + ")"


def _in_short(value: np.ndarray) -> str:
    """Return sizes, a few whole numbers in a row, as they are; of other arrays the shape."""
    sizes = np.ndim(value) == 1 and np.asarray(value).dtype.kind in "iu" and np.size(value) <= 4
    return str(np.asarray(value).tolist()) if sizes else _shape(value)


def _as_python(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return repr(value)
    numbers = np.array2string(value, separator=", ", precision=4, threshold=MOST_TO_PASTE + 1)
    return f"np.array({' '.join(numbers.split())}, {str(value.dtype)!r})"

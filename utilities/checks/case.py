"""What passes between the two sides of a check: cases, observations and problems (NumPy only)."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

NOT_ATTEMPTED = "not attempted"
RAISED = "raised an error"
WRONG_TYPE = "wrong type"
WRONG_SHAPE = "wrong shape"
NOT_FINITE = "not a number"
INPUT_CHANGED = "input changed"
WRONG_VALUE = "wrong value"


@dataclass(frozen=True)
class Case:
    """One call of an implementation: the stage it belongs to and what goes in.

    `inputs` maps names to NumPy arrays and plain numbers or strings, nothing else, so that a
    case can be drawn again from its seed on the trusted side.
    """

    stage: str
    inputs: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.inputs[name]

    @property
    def longest_axis(self) -> int:
        """Return the largest axis length among the inputs, a bound for the terms of one sum."""
        shapes = [np.shape(value) for value in self.inputs.values()]
        return max((length for shape in shapes for length in shape), default=1)

    def describe(self) -> str:
        """Return the inputs in one line: shapes of arrays, values of the rest."""
        return ", ".join(
            f"{name} {_shape(value)}" if np.ndim(value) else f"{name} = {value}"
            for name, value in self.inputs.items()
            if value is not None
        )


@dataclass(frozen=True)
class Problem:
    """What stopped an observation: its kind, one plain sentence, and the student's traceback."""

    kind: str
    message: str
    detail: str = ""


@dataclass
class Observation:
    """What was seen in one case: named arrays, or the problem that stopped it."""

    values: dict[str, np.ndarray] = field(default_factory=dict)
    problem: Problem | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]


def _shape(value: Any) -> str:
    return "(" + ", ".join(str(length) for length in np.shape(value)) + ")"

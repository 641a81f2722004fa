"""The reference implementations of the core lab, taken from the solution notebook."""

import contextlib
import functools
import io
from typing import Any

from tests.course import SOLUTIONS, read, run_exercises

CORE = next(path for path in SOLUTIONS if path.stem == "vision_transformer")


@functools.cache
def reference() -> dict[str, Any]:
    """Return the names that the solution's exercise cells define, such as `MultiHeadAttention`."""
    with contextlib.redirect_stdout(io.StringIO()):  # the notebook greets with its profile
        return run_exercises(read(CORE))

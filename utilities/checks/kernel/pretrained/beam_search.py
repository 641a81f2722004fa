"""Let a beam search ask a table of log-probabilities, and return what it finds (NumPy only)."""

from typing import Any

import numpy as np

from utilities.checks.kernel.case import RAISED, WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_pair, describe
from utilities.checks.kernel.pretrained.lists import numbers
from utilities.checks.kernel.pretrained.protocol import from_table

PATIENCE = 20  # times as many questions as a search needs: then it is stopped


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the tokens found and their score, or stop where the search asks for ever."""
    table, questions = from_table(case["table"]), 0
    needed = case["num_beams"] * case["max_length"]

    def log_probabilities(tokens: Any) -> np.ndarray:
        nonlocal questions
        questions += 1
        if questions > PATIENCE * (needed + case["num_beams"]):
            raise Stopped(
                RAISED,
                f"The search was stopped: it has asked for log-probabilities {questions - 1} times, "
                f"and {needed} times are enough for num_beams = {case['num_beams']} and max_length = "
                f"{case['max_length']}. Does it come to an end, and keep num_beams sequences a step?",
            )
        return table(_tokens(tokens))

    result = implementation(log_probabilities, case["num_beams"], case["max_length"], case["end_token"])
    tokens, score = as_pair(result, "tokens", "score")
    return {
        "tokens": numbers(tokens, "tokens"),
        "score": numbers(score, "score"),
        "listed": np.array(isinstance(tokens, list)),
    }


def _tokens(tokens: Any) -> np.ndarray:
    """Return what the search asks about as whole numbers, in one row."""
    try:
        row = np.asarray(tokens)
        if row.ndim == 1 and (row.size == 0 or row.dtype.kind in "iu"):
            return row
    except (TypeError, ValueError):
        pass
    shape = getattr(tokens, "shape", None)
    raise Stopped(
        WRONG_TYPE,
        "log_probabilities wants the tokens so far, a list of whole numbers such as [4, 1]; "
        f"you give it {describe(tokens)}{'' if shape is None else f' of shape {tuple(shape)}'}.",
    )

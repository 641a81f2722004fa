"""Call implementations of this lesson and return what they compute."""

from typing import Any

import numpy as np
import tensorflow as tf

from utilities.checks.kernel.case import RAISED, WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array, as_pair, describe
from utilities.checks.pretrained.signs import from_table

PATIENCE = 20  # times as many questions as a search needs: then it is taken to run for ever


def top_classes(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the classes and probabilities for logits as a model gives them."""
    logits = tf.constant(case["logits"])
    result = implementation(logits) if case["k"] is None else implementation(logits, case["k"])
    classes, probabilities = as_pair(result, "classes", "probabilities")
    return {
        "classes": _numbers(classes, "classes"),
        "probabilities": _numbers(probabilities, "probabilities"),
    }


def attention_rollout(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the roll-out of the attentions, a tuple of tensors as transformers gives it."""
    attentions = tuple(tf.constant(layer) for layer in case["attentions"])
    return {"rollout": _numbers(implementation(attentions), "roll-out")}


def fit_linear_probe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the weights and the bias."""
    penalty = {} if case["penalty"] is None else {"penalty": case["penalty"]}
    result = implementation(case["features"], case["labels"], case["num_classes"], **penalty)
    weights, bias = as_pair(result, "weights", "bias")
    return {"weights": _numbers(weights, "weights"), "bias": _numbers(bias, "bias")}


def beam_search(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the tokens found and their score, or stop where the search does not end."""
    table, questions = from_table(case["table"]), 0
    most = PATIENCE * case["num_beams"] * (case["max_length"] + 1)

    def log_probabilities(tokens: Any) -> np.ndarray:
        nonlocal questions
        questions += 1
        if questions > most:
            raise Stopped(RAISED, "The search does not come to an end: it was stopped.")
        return table(_tokens(tokens))

    result = implementation(log_probabilities, case["num_beams"], case["max_length"], case["end_token"])
    tokens, score = as_pair(result, "tokens", "score")
    return {"tokens": _numbers(tokens, "tokens"), "score": _numbers(score, "score")}


def _tokens(tokens: Any) -> np.ndarray:
    """Return what the search asks about as whole numbers, in one row."""
    try:
        row = np.asarray(tokens)
        if row.ndim == 1 and (row.size == 0 or row.dtype.kind in "iu"):
            return row
    except (TypeError, ValueError):
        pass
    raise Stopped(
        WRONG_TYPE,
        "log_probabilities wants the tokens so far, a list of whole numbers such as [4, 1]; "
        f"you give it {describe(tokens)}{_shape_of(tokens)}.",
    )


def _shape_of(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return "" if shape is None else f" of shape {tuple(shape)}"


def _numbers(value: Any, name: str) -> np.ndarray:
    """Return an array, a tensor, a number, or a list of these of moderate size as an array."""
    if isinstance(value, (list, tuple)) and value:
        parts = [as_array(np.asarray(part) if _plain(part) else part, name, tensor=False)
                 for part in value]  # fmt: skip
        if len({part.shape for part in parts}) > 1:
            raise Stopped(WRONG_TYPE, f"The {name} has rows of unequal length.")
        value = np.stack(parts)
    return as_array(value, name, tensor=False)


def _plain(part: Any) -> bool:
    """Whether a part of a list is itself a list of plain numbers."""
    return isinstance(part, (list, tuple)) and all(
        isinstance(number, (int, float, np.generic)) for number in part
    )

"""Ask for the rollout of attention weights, a tuple of tensors as transformers gives them."""

from typing import Any

import numpy as np
import tensorflow as tf

from utilities.checks.kernel.case import Case
from utilities.checks.kernel.pretrained.lists import numbers


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the rollout."""
    attentions = tuple(tf.constant(layer) for layer in case["attentions"])
    return {"rollout": numbers(implementation(attentions), "rollout")}

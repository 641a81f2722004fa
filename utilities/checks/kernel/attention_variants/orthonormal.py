"""Make constraints and apply them, directly and as Keras does in training."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.checks.kernel.case import WRONG_TYPE, Case
from utilities.checks.kernel.observing import (
    Stopped,
    as_array,
    describe,
    from_keras_3,
    refuse_nothing,
)
from utilities.checks.kernel.probes import made_anew


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return what the constraint makes of a matrix, and whether it leaves that matrix alone."""
    if not callable(implementation) or isinstance(implementation, tf_keras.constraints.Constraint):
        raise Stopped(
            WRONG_TYPE,
            f"Give the class Orthonormal itself to the check; you give {describe(implementation)}.",
        )
    constraint = implementation(*(() if case["beta"] is None else (case["beta"],)))
    refuse_nothing(constraint, "result")
    if not callable(constraint):
        raise Stopped(WRONG_TYPE, "An Orthonormal is called with a matrix: write its __call__.")
    if case.stage == "config":
        constraint = made_anew(constraint)
    w = tf.Variable(case["w"])  # Keras gives the weight itself
    matrix = as_array(constraint(w), "result")
    left_alone = np.array_equal(w.numpy(), case["w"])
    repeats = np.array_equal(
        matrix, as_array(constraint(tf.Variable(case["w"])), "result"), equal_nan=True
    )
    if case.stage == "trained":
        matrix = _applied_in_training(constraint, case["w"])
    return {
        "matrix": matrix,
        "repeats": np.array(repeats),
        "left_alone": np.array(left_alone),
        "is_constraint": np.array(isinstance(constraint, tf_keras.constraints.Constraint)),
        "from_keras_3": np.array(bool(from_keras_3(constraint))),
    }


def _applied_in_training(constraint: Callable, w: np.ndarray) -> np.ndarray:
    """Return the kernel of a Dense layer after a compiled step of training that changes nothing."""
    dense = layers.Dense(w.shape[1], use_bias=False, kernel_constraint=constraint)
    dense.build((None, w.shape[0]))
    dense.kernel.assign(w)
    optimizer = tf_keras.optimizers.SGD(0.0)
    optimizer.build([dense.kernel])
    tf.function(optimizer.apply_gradients)([(tf.zeros_like(dense.kernel), dense.kernel)])
    return as_array(dense.kernel, "kernel")

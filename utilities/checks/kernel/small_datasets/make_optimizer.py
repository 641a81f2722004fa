"""Make steps with an optimiser, and read which learning rate each of them used."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel.case import WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, describe, from_keras_3, refuse_nothing
from utilities.checks.kernel.small_datasets.warm_up_cosine import BASE, one_number
from utilities.training.schedules import NAME

RUN = ("num_samples", "epochs", "batch_size", "learning_rate", "weight_decay", "warmup_epochs")


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the learning rate that each step used, and the weights (steps, p) after it."""
    optimizer = implementation(**{name: case[name] for name in RUN})
    refuse_nothing(optimizer, "optimiser")
    if not isinstance(optimizer, tf_keras.optimizers.Optimizer):
        raise _no_optimizer(optimizer)
    if getattr(getattr(optimizer, "_learning_rate", None), "name", "") == NAME:
        raise Stopped(
            WRONG_TYPE,
            "This optimiser follows the kit's own schedule, which other notebooks use. Here it is to "
            "follow yours, WarmUpCosine.",
            "the kit's own schedule",
        )
    variable, rates, weights = tf.Variable(case["kernel"]), [], []
    for gradient in case["gradients"]:
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
        rates.append(one_number(optimizer.learning_rate))
        weights.append(variable.numpy())
    return {"learning_rate": np.array(rates), "weights": np.array(weights)}


def _no_optimizer(value: Any) -> Stopped:
    mistake = "schedule returned" if isinstance(value, BASE) else ""
    return Stopped(
        WRONG_TYPE,
        f"make_optimizer(…) returns {describe(value)}; an optimiser of tf_keras.optimizers is "
        f"expected, which a model can be compiled with.{from_keras_3(value)}",
        mistake,
    )

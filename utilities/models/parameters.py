"""The number of parameters of a model, without memory for its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow.python.ops.resource_variable_ops import UninitializedVariable  # has no public name


def count_parameters(create_model: Callable[..., tf_keras.Model], **arguments: Any) -> int:
    """Return the number of parameters of a model, without memory for its weights.

    The weights get a shape and no values: 371 million of them would otherwise take 1.5 GB.
    """
    with tf.variable_creator_scope(_sketch_variable):
        return create_model(**arguments).count_params()


def _sketch_variable(next_creator: Callable[..., tf.Variable], **settings: Any) -> tf.Variable:
    """Make a variable without values where Keras states its shape, as it does for every weight."""
    if settings.get("shape") is None or settings.get("dtype") is None:
        return next_creator(**settings)
    stated = ("trainable", "name", "dtype", "shape")
    return UninitializedVariable(**{name: settings.get(name) for name in stated})

"""How weights start that hold one matrix for each head."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras


def glorot_per_head(shape: tuple[int, ...], dtype: Any = None, **_: Any) -> tf.Tensor:
    """Return random weights (h, d, p), the matrix (d, p) of each head as Glorot and Bengio start it.

    To be given as `initializer=glorot_per_head`. Keras' own "glorot_uniform" takes the first axis
    for pixels of a convolution and starts all entries smaller by the factor √h: scores would then
    have a variance of 1/h² in place of 1.
    """
    return tf.stack([tf_keras.initializers.GlorotUniform()(shape[1:], dtype) for _ in range(shape[0])])

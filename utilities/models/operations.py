"""How many multiply-adds a model takes for one image, counted while it runs."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
import tf_keras
from numpy.typing import ArrayLike
from tensorflow.python.framework import op_callbacks  # has no public name

PRODUCTS = ("MatMul", "BatchMatMulV2", "Einsum", "Conv2D")


def multiply_adds(model: tf_keras.Model, image: ArrayLike) -> int:
    """Return the multiply-adds of matrix products and convolutions for one image (1, H, W, C).

    One multiplication and one addition count as one. Everything else (additions, softmax,
    normalisation) is left out; in networks of this kind it is a few per cent.
    """
    total = 0

    def note(
        op_type: Any, inputs: Any, attributes: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> None:
        nonlocal total
        if op_type in PRODUCTS and graph is None:
            settings = dict(zip(attributes[::2], attributes[1::2], strict=True))
            total += _of_one(
                op_type, [tuple(x.shape) for x in inputs], tuple(outputs[0].shape), settings
            )

    eagerly = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    op_callbacks.add_op_callback(note)
    try:
        model(tf.constant(image), training=False)
    finally:
        op_callbacks.remove_op_callback(note)
        tf.config.run_functions_eagerly(eagerly)
    return total


def _of_one(
    name: str, inputs: list[tuple[int, ...]], output: tuple[int, ...], settings: dict[str, Any]
) -> int:
    """Return the multiply-adds of one operation: entries of the output × terms of each sum."""
    first, second = inputs[:2]
    if name == "Conv2D":
        return math.prod(output) * math.prod(second[:-1])  # kernel (height, width, in, out)
    if name == "Einsum":
        terms = settings["equation"].split("->")[0].split(",")
        axes = [
            pair
            for term, shape in zip(terms, inputs, strict=True)
            for pair in zip(term, shape, strict=True)
        ]
        return math.prod(dict(axes).values())
    transposed = settings.get("transpose_a") or settings.get("adj_x")
    return math.prod(output) * first[-2 if transposed else -1]

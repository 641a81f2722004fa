"""How the cost of a layer grows with the number of tokens: arrays made, time taken, exponents."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_callbacks  # has no public name

from utilities.training.clock import Stopwatch

Layer = Callable[[tf.Tensor], tf.Tensor]


VIEWS = ("Reshape", "ExpandDims", "Squeeze", "Identity", "StopGradient")  # share memory with the input


@dataclass
class Made:
    """The arrays that TensorFlow's operations made in one call."""

    largest: tuple[int, ...] = ()  # shape of the largest one
    shapes: set[tuple[int, ...]] = field(default_factory=set)  # of those that hold floating numbers
    numbers: int = 0  # how many numbers all of them hold together
    live_bytes: int = 0
    peak_bytes: int = 0  # memory of those that were alive at the same time, at most

    def add(self, array: tf.Tensor) -> None:
        """Count an array; it counts as alive until nobody holds it any more."""
        size = array.shape.num_elements()
        self.numbers += size
        if size > np.prod(self.largest):
            self.largest = tuple(array.shape)
        if array.dtype.is_floating:
            self.shapes.add(tuple(array.shape))
        self.live_bytes += size * array.dtype.size
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(array, self._free, size * array.dtype.size)

    def _free(self, size: int) -> None:
        self.live_bytes -= size


def arrays_made(layer: Layer, x: tf.Tensor) -> Made:
    """Return what arrays `layer(x)` makes for x of any shape, seen while it runs, by operation.

    Functions of TensorFlow run eagerly meanwhile, so that no array hides in a compiled one. What
    an operation needs inside and gives back at once is not seen.
    """
    made = Made()

    def note(
        op_type: Any, inputs: Any, attributes: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> None:
        for output in outputs:
            numeric = output.dtype not in (tf.resource, tf.variant, tf.string)
            if numeric and op_type not in VIEWS and graph is None:
                made.add(output)

    eagerly = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    op_callbacks.add_op_callback(note)
    try:
        layer(x)
    finally:
        op_callbacks.remove_op_callback(note)
        tf.config.run_functions_eagerly(eagerly)
    return made


def measure_times(
    layers: Mapping[str, Layer],
    lengths: Sequence[int],
    width: int,
    repetitions: int = 5,
    batch: int = 1,
) -> dict[str, np.ndarray]:
    """Return for each layer the median seconds of one call at each number of tokens, (lengths,).

    The seconds are a `Stopwatch`'s: the processor's, or the wall clock's on a GPU. The layers take
    turns within each repetition, so that whatever slows the machine down meets all of
    them alike. A first call of each is not counted.
    """
    medians = {name: np.empty(len(lengths)) for name in layers}
    for place, length in enumerate(lengths):
        x = tf.random.normal((batch, length, width))
        compiled = {name: tf.function(layer, autograph=False) for name, layer in layers.items()}
        seconds: dict[str, list[float]] = {name: [] for name in layers}
        for repetition in range(repetitions + 1):
            for name, call in compiled.items():
                with Stopwatch() as watch:
                    call(x).numpy()
                if repetition:
                    seconds[name].append(watch.seconds)
        for name, of_this in seconds.items():
            medians[name][place] = np.median(of_this)
    return medians


def measure_memory(
    layers: Mapping[str, Layer], lengths: Sequence[int], width: int
) -> dict[str, np.ndarray]:
    """Return for each layer the peak memory of one call at each number of tokens, (lengths,).

    Bytes of the arrays that are alive at the same time in a forward pass, weights not included:
    counted, not sampled, so it is the same on every machine.
    """
    inputs = [tf.zeros((1, length, width)) for length in lengths]
    for layer in layers.values():
        layer(inputs[0])  # makes the weights
    return {
        name: np.array([arrays_made(layer, x).peak_bytes for x in inputs])
        for name, layer in layers.items()
    }


def fit_exponent(lengths: Sequence[int], values: Sequence[float], last: int = 3) -> float:
    """Return the slope of log(values) against log(lengths) over the last few lengths.

    There the term with the highest power outweighs the others.
    """
    slope, _ = np.polyfit(np.log(lengths[-last:]), np.log(values[-last:]), 1)
    return float(slope)

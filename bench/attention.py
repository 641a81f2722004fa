"""Row c: the reference multi-head attention against Keras' layer and its bare matrix products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf
from tf_keras import layers

from bench.keras_vit import attention_weights_for_keras
from bench.measuring import Row, Settings, interleave, row, timed
from bench.solution import reference

REPETITIONS = 15
OURS, KERAS, BARE = "reference solution", "Keras' layer", "bare products"


class Shape(NamedTuple):
    """Batch, tokens, width, heads; each head is as wide as the tokens."""

    batch: int
    tokens: int
    width: int
    heads: int

    def __str__(self) -> str:
        return f"B {self.batch}, N {self.tokens}, d {self.width}, h {self.heads}"


# The small ViT of the core; the extension labs' 144 patches, without and with a class token.
SHAPES = (Shape(64, 65, 64, 4), Shape(64, 144, 64, 4), Shape(32, 145, 128, 8))


def measure(settings: Settings, shapes: Sequence[Shape] = SHAPES) -> list[Row]:
    """Time the forward pass and the training step of all three at every shape."""
    rows = []
    for shape in shapes:
        for what, candidates in candidates_at(shape).items():
            for run in candidates.values():
                run()  # traces, and warms the memory up
            costs = interleave(
                {name: timed(run) for name, run in candidates.items()},
                settings.repetitions or REPETITIONS,
                f"{what}, {shape}",
            )
            title = f"attention, {what}, {shape}"
            rows += [row("c", title, "ms", costs, OURS, against) for against in (KERAS, BARE)]
    return rows


def candidates_at(shape: Shape) -> dict[str, dict[str, Callable[[], object]]]:
    """Return, for the forward pass and the training step, what is to be timed."""
    tokens = tf.random.normal((shape.batch, shape.tokens, shape.width))
    ours, keras = both_layers(shape, tokens)
    forward_products, training_products = bare_products(shape)
    return {
        "forward": {
            OURS: _forward(lambda x: ours(x, x, x), tokens),
            KERAS: _forward(lambda x: keras(x, x), tokens),
            BARE: forward_products,
        },
        "training step": {
            OURS: _step(lambda x: ours(x, x, x), ours.trainable_weights, tokens),
            KERAS: _step(lambda x: keras(x, x), keras.trainable_weights, tokens),
            BARE: training_products,
        },
    }


def both_layers(shape: Shape, tokens: tf.Tensor) -> tuple[layers.Layer, layers.Layer]:
    """Return the solution's layer and Keras', with the same weights."""
    ours = reference()["MultiHeadAttention"](shape.heads, shape.width)
    ours(tokens, tokens, tokens)  # creates the weights
    keras = layers.MultiHeadAttention(shape.heads, shape.width, use_bias=False)
    keras(tokens, tokens)
    keras.set_weights(attention_weights_for_keras(ours))
    return ours, keras


def bare_products(shape: Shape) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return the six matrix products of self-attention, and the same with the twelve of its gradient.

    A bound from below: every factor lies ready in the order in which its product reads it, and
    there is no softmax and no transposition.
    """
    b, n, d, h = shape
    projection = ((b * n, d), (d, h * d))
    scores = ((b, h, n, d), (b, h, d, n))
    values = ((b, h, n, n), (b, h, n, d))
    merge = ((b * n, h * d), (h * d, d))
    products = (projection, projection, projection, scores, values, merge)
    factors = [(tf.random.normal(left), tf.random.normal(right)) for left, right in products]
    gradients = [tf.random.normal(tf.matmul(left, right).shape) for left, right in factors]

    def multiply(factors):
        return [tf.matmul(left, right) for left, right in factors]

    def multiply_back(factors, gradients):
        both = zip(factors, gradients, strict=True)
        return [
            (tf.matmul(g, right, transpose_b=True), tf.matmul(left, g, transpose_a=True))
            for (left, right), g in both
        ]

    forward = tf.function(multiply)
    step = tf.function(lambda factors, gradients: (
        multiply(factors), multiply_back(factors, gradients)
    ))  # fmt: skip
    return (lambda: forward(factors)), (lambda: step(factors, gradients))


def _forward(layer: Callable[[tf.Tensor], tf.Tensor], tokens: tf.Tensor) -> Callable[[], object]:
    compiled = tf.function(layer)
    return lambda: compiled(tokens)


def _step(
    layer: Callable[[tf.Tensor], tf.Tensor], weights: list[tf.Variable], tokens: tf.Tensor
) -> Callable[[], object]:
    """Return the forward pass with the gradients of the weights and, as inside a model, of x."""
    direction = tf.random.normal(tokens.shape)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = layer(x)
        return tape.gradient(output, [x, *weights], direction)

    return lambda: step(tokens)

"""Weights that follow from their shape alone, and an augmentation without chance.

Whatever layers a model has, and in whatever order, each weight gets the numbers of its shape; so
the judge knows the weights of a model that is built otherwise than it should be, too.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tf_keras


@lru_cache(maxsize=1024)
def weight(seed: int, *shape: int) -> np.ndarray:
    """Return the weights of a shape, float32: kernels (…, d_in, d_out) keep the size of their input."""
    numbers = np.random.default_rng((seed, *shape)).normal(size=shape)
    numbers = (numbers / (np.sqrt(shape[-2]) if len(shape) > 1 else 2.0)).astype(np.float32)
    numbers.setflags(write=False)
    return numbers


def augmented(images: np.ndarray, training: bool, repeat: int = 1) -> np.ndarray:
    """Return images (B, H, W, C) as the check's augmentation leaves them, (B, repeat·H, repeat·W, C).

    Each pixel is repeated and the image stands on its head; in training it is mirrored as well.
    """
    images = images[:, ::-1].repeat(repeat, axis=1).repeat(repeat, axis=2)
    return images[:, :, ::-1] if training else images


def augmentation(repeat: int = 1) -> Any:
    """Return the layer that does the same."""
    import tensorflow as tf
    import tf_keras

    class TurnAndMirror(tf_keras.layers.Layer):
        def call(self, images: tf.Tensor, training: bool | tf.Tensor | None = None) -> tf.Tensor:
            turned = tf.reverse(images, axis=[1])
            turned = tf.repeat(tf.repeat(turned, repeat, axis=1), repeat, axis=2)
            mirror = tf.cast(False if training is None else training, tf.bool)
            return tf.cond(mirror, lambda: tf.reverse(turned, axis=[2]), lambda: turned)

    return TurnAndMirror()


def inner(model: "tf_keras.Model", images: np.ndarray, fits: Any) -> list[np.ndarray]:
    """Return what a functional model computes on its way where the shape (without batch) fits.

    Nothing for a model whose inner tensors cannot be seen.
    """
    import tf_keras

    tensors = [t for _, _, t in inner_tensors(model) if fits(tuple(t.shape[1:]))]
    if not tensors:
        return []
    found = tf_keras.Model(model.inputs, tensors)(images)
    return [np.asarray(t) for t in (found if len(tensors) > 1 else [found])]


def inner_tensors(model: "tf_keras.Model") -> list[tuple[Any, list[Any], Any]]:
    """Return the layers of a functional model, in order, each with what it gets and gives."""
    used = {id(node) for nodes in getattr(model, "_nodes_by_depth", {}).values() for node in nodes}
    found = []
    for layer in model.layers if used else ():
        for node in layer.inbound_nodes:
            outputs = node.outputs if isinstance(node.outputs, (list, tuple)) else [node.outputs]
            if id(node) in used:
                found += [(layer, node.keras_inputs, t) for t in outputs if hasattr(t, "shape")]
    return found

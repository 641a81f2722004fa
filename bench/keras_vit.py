"""The course's Vision Transformer, built from nothing but Keras' own layers."""

import numpy as np
import tf_keras
from tf_keras import layers

from utilities.models.sizes import CIFAR10_NUM_CLASSES, CIFAR10_SHAPE, ViTSize


def build_keras_vit(size: ViTSize) -> tf_keras.Model:
    """Return a model from images (B, 32, 32, 3) to logits, equal in form to the course's.

    The projection, the positions and the class token are one EinsumDense layer: its bias has a row
    for each token, and the class token enters as a patch of zeros.
    """
    height, width, channels = CIFAR10_SHAPE
    side = size.patch_size
    rows, columns, pixels = height // side, width // side, side * side * channels
    d = size.embedding_proj_dim
    inputs = layers.Input(shape=CIFAR10_SHAPE)
    x = layers.Reshape((rows, side, columns, side * channels))(inputs)  # (B, r, P, c, P·C)
    x = layers.Permute((1, 3, 2, 4))(x)  # (B, r, c, P, P·C)
    x = layers.Reshape((rows * columns, pixels))(x)  # (B, N, P²·C)
    x = layers.ZeroPadding1D((1, 0))(x)  # (B, N + 1, P²·C)
    encode = layers.EinsumDense("bnp,pd->bnd", (rows * columns + 1, d), bias_axes="nd")
    x = encode(x)  # (B, N + 1, d)
    for _ in range(size.transformer_layers):
        x = _block(x, size)
    x = x[:, 0]  # (B, d)
    head = size.mlp_classification_head_units
    x = _mlp(x, head, size.mlp_classification_head_dropout_rate)
    return tf_keras.Model(inputs, layers.Dense(CIFAR10_NUM_CLASSES)(x))


def copy_weights(course_vit: tf_keras.Model, keras_vit: tf_keras.Model) -> None:
    """Give the model of Keras' layers the weights of the course's, so that both compute the same."""
    encoder = _layer(course_vit, "PatchEncoder")
    kernel, bias = encoder.projection.get_weights()
    positions = encoder.position_embedding.get_weights()[0]
    rows = positions + bias  # (N + 1, d)
    rows[0] = positions[0] + np.asarray(encoder.class_token)[0, 0]
    _layer(keras_vit, "EinsumDense").set_weights([kernel, rows])
    for kind in ("Dense", "LayerNormalization"):
        pairs = zip(_layers(course_vit, kind), _layers(keras_vit, kind), strict=True)
        for course, keras in pairs:
            keras.set_weights(course.get_weights())
    name = "MultiHeadAttention"
    for course, keras in zip(_layers(course_vit, name), _layers(keras_vit, name), strict=True):
        keras.set_weights(attention_weights_for_keras(course))


def attention_weights_for_keras(attention: tf_keras.layers.Layer) -> list[np.ndarray]:
    """Return the weights of the course's MultiHeadAttention in the axes that Keras' layer wants."""
    h, _, p = attention.W_q.shape
    projections = [np.swapaxes(w, 0, 1) for w in (attention.W_q, attention.W_k, attention.W_v)]
    return [*projections, np.reshape(attention.W_o, (h, p, -1))]  # (d, h, p) thrice, (h, p, d)


def _block(x, size: ViTSize):
    d, rate = size.embedding_proj_dim, size.msa_dropout_rate
    attention = layers.MultiHeadAttention(size.num_heads, size.msa_proj_dim, use_bias=False)
    x = layers.Add()([x, layers.Dropout(rate)(attention(x, x))])
    x = layers.LayerNormalization(epsilon=1e-6)(x)
    transformed = layers.Dropout(rate)(_mlp(x, (2 * d, d), rate))
    return layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, transformed]))


def _mlp(x, units: tuple[int, ...], rate: float):
    for width in units:
        x = layers.Dropout(rate)(layers.Dense(width, activation="gelu")(x))
    return x


def _layers(model: tf_keras.Model, kind: str) -> list[tf_keras.layers.Layer]:
    return [layer for layer in model.layers if type(layer).__name__ == kind]


def _layer(model: tf_keras.Model, kind: str) -> tf_keras.layers.Layer:
    return _layers(model, kind)[0]

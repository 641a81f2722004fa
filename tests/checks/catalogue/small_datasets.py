"""Shifted patches, locality self-attention, warm-up and cosine in many hands, right and wrong."""

import math

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers
from tf_keras.optimizers.schedules import CosineDecay, LearningRateSchedule

from tests.checks.catalogue import correct, wrong
from utilities.checks.kernel.case import NOT_ATTEMPTED
from utilities.training.profiles import Training
from utilities.training.schedules import learning_rate_schedule

DIAGONALS = ((-1, -1), (-1, 1), (1, -1), (1, 1))

# --- shifted patch tokenization, right ----------------------------------------------------------


def moved(images, down, right):
    """Move images by whole pixels; zeros come in."""
    _, height, width, _ = images.shape
    above, below, before, after = max(down, 0), max(-down, 0), max(right, 0), max(-right, 0)
    padded = tf.pad(images, ((0, 0), (above, below), (before, after), (0, 0)))
    return padded[:, below : below + height, after : after + width]


def cut(images, size):
    _, height, width, channels = images.shape
    rows, columns = height // size, width // size
    x = tf.reshape(images, (-1, rows, size, columns, size, channels))
    x = tf.transpose(x, (0, 1, 3, 2, 4, 5))
    return tf.reshape(x, (-1, rows * columns, size * size * channels))


@correct("shifted_patch_tokenization")
class ShiftedPatchTokenization(layers.Layer):
    """The plain way; what the wrong ones below start from."""

    def __init__(self, patch_size, proj_dim, **kwargs):
        super().__init__(**kwargs)
        self.patch_size, self.proj_dim = patch_size, proj_dim
        self.layer_norm = layers.LayerNormalization(epsilon=1e-6)
        self.projection = layers.Dense(proj_dim)

    def versions(self, images):
        half = self.patch_size // 2
        return [images, *(moved(images, half * down, half * right) for down, right in DIAGONALS)]

    def values(self, images):
        return cut(tf.concat(self.versions(images), axis=-1), self.patch_size)

    def call(self, images):
        return self.projection(self.layer_norm(self.values(images)))

    def get_config(self):
        return {**super().get_config(), "patch_size": self.patch_size, "proj_dim": self.proj_dim}


@correct("shifted_patch_tokenization")
class CroppedAndPadded(layers.Layer):
    """With TensorFlow's image operations, in another order of the copies."""

    def __init__(self, patch_size, proj_dim, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.patch_size, self.proj_dim = patch_size, proj_dim

    def build(self, input_shape):
        self.norm = layers.LayerNormalization()  # Keras' own epsilon
        self.dense = layers.Dense(self.proj_dim)
        super().build(input_shape)

    def crop_and_pad(self, images, top, left):
        half, height, width = self.patch_size // 2, images.shape[1], images.shape[2]
        part = tf.image.crop_to_bounding_box(images, top, left, height - half, width - half)
        return tf.image.pad_to_bounding_box(part, half - top, half - left, height, width)

    def call(self, images, training=None):
        half = self.patch_size // 2
        corners = [(half, half), (half, 0), (0, half), (0, 0)]
        copies = [self.crop_and_pad(images, top, left) for top, left in corners]
        joined = tf.concat([*copies, images], axis=-1)
        size = [1, self.patch_size, self.patch_size, 1]
        patches = tf.image.extract_patches(joined, size, size, [1, 1, 1, 1], "VALID")
        tokens = self.dense(self.norm(patches))  # (B, rows, columns, d)
        return layers.Reshape((-1, self.proj_dim))(tokens)

    def get_config(self):
        config = super().get_config()
        config.update({"patch_size": self.patch_size, "proj_dim": self.proj_dim})
        return config


@correct("shifted_patch_tokenization")
class FiveTimesPatches(ShiftedPatchTokenization):
    """Cuts each of the five images and joins the patches, so the values come image by image."""

    @tf.function
    def call(self, inputs):
        patches = [cut(version, self.patch_size) for version in self.versions(inputs)]
        return self.projection(self.layer_norm(tf.concat(patches, axis=2)))


@correct("shifted_patch_tokenization")
class NormalisedByHand(ShiftedPatchTokenization):
    """Own weights in place of Keras' layers, and an einsum."""

    def __init__(self, patch_size, proj_dim, **kwargs):
        layers.Layer.__init__(self, **kwargs)
        self.patch_size, self.proj_dim = patch_size, proj_dim

    def build(self, input_shape):
        values = 5 * self.patch_size**2 * input_shape[-1]
        self.gain = tf.Variable(tf.ones(values), name="gain")
        self.shift = tf.Variable(tf.zeros(values), name="shift")
        self.W = self.add_weight("W", (values, self.proj_dim), initializer="glorot_uniform")
        self.b = self.add_weight("b", (self.proj_dim,), initializer="zeros")

    def call(self, images):
        x = self.values(images)
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        x = self.gain * (x - mean) * tf.math.rsqrt(variance + 1e-5) + self.shift
        return tf.einsum("bnf,fd->bnd", x, self.W) + self.b


@correct("shifted_patch_tokenization")
class RolledAndWiped(ShiftedPatchTokenization):
    """Rolls the images round and wipes out what came in; Conv1D as the projection."""

    def __init__(self, patch_size, proj_dim, **kwargs):
        super().__init__(patch_size, proj_dim, **kwargs)
        self.projection = layers.Conv1D(proj_dim, 1)

    def versions(self, images):
        half, (_, height, width, _) = self.patch_size // 2, images.shape
        rows, columns = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
        copies = []
        for down, right in DIAGONALS:
            stays = (rows >= half) if down > 0 else (rows < height - half)
            stays = stays & ((columns >= half) if right > 0 else (columns < width - half))
            rolled = tf.roll(images, (half * down, half * right), axis=(1, 2))
            copies.append(rolled * stays.astype(np.float32))
        return [*copies[:2], images, *copies[2:]]


# --- shifted patch tokenization, wrong ----------------------------------------------------------


@wrong("shifted_patch_tokenization", told=NOT_ATTEMPTED, slips=0)
class TokenizationStub(layers.Layer):
    def __init__(self, patch_size, proj_dim, **kwargs):
        raise NotImplementedError


@wrong("shifted_patch_tokenization", told=NOT_ATTEMPTED, slips=0)
class TokenizationForgotToReturn(ShiftedPatchTokenization):
    def call(self, images):
        self.projection(self.layer_norm(self.values(images)))


@wrong("shifted_patch_tokenization", told="no shifted copies")
class WithoutShifts(ShiftedPatchTokenization):
    def versions(self, images):
        return [images]


@wrong("shifted_patch_tokenization", told="the image itself missing")
class WithoutTheImage(ShiftedPatchTokenization):
    def versions(self, images):
        return super().versions(images)[1:]


@wrong("shifted_patch_tokenization", told="shifted by a whole patch")
class ByAWholePatch(ShiftedPatchTokenization):
    def versions(self, images):
        by = self.patch_size
        return [images, *(moved(images, by * down, by * right) for down, right in DIAGONALS)]


@wrong("shifted_patch_tokenization", told="half a patch rounded up")
class RoundedUp(ShiftedPatchTokenization):
    def versions(self, images):
        by = math.ceil(self.patch_size / 2)
        return [images, *(moved(images, by * down, by * right) for down, right in DIAGONALS)]


@wrong("shifted_patch_tokenization", told="shifted along the axes")
class AlongTheAxes(ShiftedPatchTokenization):
    def versions(self, images):
        by = self.patch_size // 2
        moves = [(0, -by), (0, by), (-by, 0), (by, 0)]
        return [images, *(moved(images, *move) for move in moves)]


@wrong("shifted_patch_tokenization", told="rolled round")
class RolledRound(ShiftedPatchTokenization):
    def versions(self, images):
        by = self.patch_size // 2
        moves = [(by * down, by * right) for down, right in DIAGONALS]
        return [images, *(tf.roll(images, move, axis=(1, 2)) for move in moves)]


@wrong("shifted_patch_tokenization", told="edges mirrored")
class MirroredAtTheEdge(ShiftedPatchTokenization):
    def versions(self, images):
        by, (_, height, width, _) = self.patch_size // 2, images.shape
        padded = tf.pad(images, ((0, 0), (by, by), (by, by), (0, 0)), "SYMMETRIC")
        corners = [(top, left) for top in (0, 2 * by) for left in (0, 2 * by)]
        return [images, *(padded[:, t : t + height, f : f + width] for t, f in corners)]


@wrong("shifted_patch_tokenization", told="all copies shifted one way")
class LateBoundLambdas(ShiftedPatchTokenization):
    """The loop variable is read when the functions run: all of them see the last diagonal."""

    def versions(self, images):
        half = self.patch_size // 2
        moves = [lambda x: moved(x, half * down, half * right) for down, right in DIAGONALS]  # noqa: B023
        return [images, *(move(images) for move in moves)]


@wrong("shifted_patch_tokenization", told="two copies missing")
class OneDiagonalOnly(ShiftedPatchTokenization):
    def versions(self, images):
        by = self.patch_size // 2
        return [images, moved(images, by, by), moved(images, -by, -by)]


@wrong("shifted_patch_tokenization", told="images added")
class Averaged(ShiftedPatchTokenization):
    def values(self, images):
        return cut(tf.add_n(self.versions(images)) / 5.0, self.patch_size)


@wrong("shifted_patch_tokenization", told="shifted inside the patches")
class CutFirst(ShiftedPatchTokenization):
    def values(self, images):
        size, channels = self.patch_size, images.shape[-1]
        patches = cut(images, size)  # (B, N, P²·C)
        alone = tf.reshape(patches, (-1, size, size, channels))  # (B·N, P, P, C)
        joined = tf.concat(self.versions(alone), axis=-1)
        return tf.reshape(joined, (-1, patches.shape[1], 5 * size * size * channels))


@wrong("shifted_patch_tokenization", told="five times as many tokens")
class MoreTokens(ShiftedPatchTokenization):
    def values(self, images):
        return tf.concat([cut(x, self.patch_size) for x in self.versions(images)], axis=1)


@wrong("shifted_patch_tokenization", told="patches column by column")
class ColumnByColumn(ShiftedPatchTokenization):
    def values(self, images):
        turned = tf.concat(self.versions(tf.transpose(images, (0, 2, 1, 3))), axis=-1)
        return cut(turned, self.patch_size)


@wrong("shifted_patch_tokenization", told="patches by reshape alone")
class ReshapedOnly(ShiftedPatchTokenization):
    def values(self, images):
        joined = tf.concat(self.versions(images), axis=-1)
        _, height, width, channels = joined.shape
        size = self.patch_size
        number = (height // size) * (width // size)
        return tf.reshape(joined, (-1, number, size * size * channels))


@wrong("shifted_patch_tokenization", told="no normalisation")
class NotNormalised(ShiftedPatchTokenization):
    def call(self, images):
        return self.projection(self.values(images))


@wrong("shifted_patch_tokenization", told="normalised after the projection")
class NormalisedAfterwards(ShiftedPatchTokenization):
    def call(self, images):
        return self.layer_norm(self.projection(self.values(images)))


@wrong("shifted_patch_tokenization", told="pixels normalised")
class PixelsNormalised(ShiftedPatchTokenization):
    def values(self, images):
        normalised = self.layer_norm(tf.concat(self.versions(images), axis=-1))
        return cut(normalised, self.patch_size)

    def call(self, images):
        return self.projection(self.values(images))


@wrong("shifted_patch_tokenization", told="normalisation without weights")
class LayerNormWithoutGain(ShiftedPatchTokenization):
    def __init__(self, patch_size, proj_dim, **kwargs):
        super().__init__(patch_size, proj_dim, **kwargs)
        self.layer_norm = layers.LayerNormalization(center=False, scale=False)


@wrong("shifted_patch_tokenization", told="non-linearity")
class WithGelu(ShiftedPatchTokenization):
    def __init__(self, patch_size, proj_dim, **kwargs):
        super().__init__(patch_size, proj_dim, **kwargs)
        self.projection = layers.Dense(proj_dim, activation="gelu")


@wrong("shifted_patch_tokenization", told="patches returned too")
class ReturnsPatchesToo(ShiftedPatchTokenization):
    """As the Keras example does."""

    def call(self, images):
        values = self.values(images)
        return self.projection(self.layer_norm(values)), values


@wrong("shifted_patch_tokenization", told="config incomplete")
class ConfigForgotten(ShiftedPatchTokenization):
    def get_config(self):
        return layers.Layer.get_config(self)


@correct("shifted_patch_tokenization")
class NumberOfTokensUnknown(ShiftedPatchTokenization):
    """The reshape leaves the number of tokens open."""

    def values(self, images):
        size, channels = self.patch_size, images.shape[-1]
        joined = tf.concat(self.versions(images), axis=-1)
        window = [1, size, size, 1]
        patches = tf.image.extract_patches(joined, window, window, [1, 1, 1, 1], "VALID")
        return tf.reshape(patches, (tf.shape(images)[0], -1, 5 * size * size * channels))


@correct("shifted_patch_tokenization")
class ProjectionStartsAtZero(ShiftedPatchTokenization):
    def __init__(self, patch_size, proj_dim, **kwargs):
        super().__init__(patch_size, proj_dim, **kwargs)
        self.projection = layers.Dense(proj_dim, kernel_initializer="zeros")


@wrong("shifted_patch_tokenization", told="shifted by one pixel")
class ByOnePixel(ShiftedPatchTokenization):
    def versions(self, images):
        return [images, *(moved(images, down, right) for down, right in DIAGONALS)]


@wrong(
    "shifted_patch_tokenization", told="shifted by one pixel", slips=2, also=("shifted along the axes",)
)
class ByOnePixelAlongTheAxes(ShiftedPatchTokenization):
    """As a published port has it."""

    def versions(self, images):
        return [images, *(moved(images, *move) for move in [(0, -1), (0, 1), (-1, 0), (1, 0)])]


@wrong("shifted_patch_tokenization", told="not shifted at all")
class NotShifted(ShiftedPatchTokenization):
    def versions(self, images):
        return [images] * 5


@wrong("shifted_patch_tokenization", told="one copy missing")
class ThreeDiagonals(ShiftedPatchTokenization):
    def versions(self, images):
        return super().versions(images)[:4]


@wrong("shifted_patch_tokenization", told="a diagonal twice")
class OneDiagonalTwice(ShiftedPatchTokenization):
    def versions(self, images):
        image, *copies = super().versions(images)
        return [image, *copies[:3], copies[0]]


@wrong("shifted_patch_tokenization", told="edges repeated")
class EdgesRepeated(ShiftedPatchTokenization):
    def versions(self, images):
        by, (_, height, width, _) = self.patch_size // 2, images.shape
        rows, columns = np.arange(-by, height + by), np.arange(-by, width + by)
        padded = tf.gather(images, np.clip(rows, 0, height - 1), axis=1)
        padded = tf.gather(padded, np.clip(columns, 0, width - 1), axis=2)
        corners = [(top, left) for top in (0, 2 * by) for left in (0, 2 * by)]
        return [images, *(padded[:, t : t + height, f : f + width] for t, f in corners)]


@wrong("shifted_patch_tokenization", told="image size fixed")
class SizeOfTheFirstImages(ShiftedPatchTokenization):
    def build(self, input_shape):
        self.size = input_shape[1:3]
        super().build(input_shape)

    def values(self, images):
        joined = tf.concat(self.versions(images), axis=-1)
        joined = tf.ensure_shape(joined, (None, *self.size, None))
        return cut(joined, self.patch_size)


@wrong(
    "shifted_patch_tokenization",
    told="weights made at each call",
    because="a new projection each time: nothing to compare",
)
class ProjectionMadeInCall(ShiftedPatchTokenization):
    def call(self, images):
        return layers.Dense(self.proj_dim)(self.layer_norm(self.values(images)))


@wrong("shifted_patch_tokenization", told="no gradient")
class GradientStoppedBehindTheNorm(ShiftedPatchTokenization):
    def call(self, images):
        return self.projection(tf.stop_gradient(self.layer_norm(self.values(images))))


@wrong("shifted_patch_tokenization", told="no bias")
class ProjectionWithoutBias(ShiftedPatchTokenization):
    def __init__(self, patch_size, proj_dim, **kwargs):
        super().__init__(patch_size, proj_dim, **kwargs)
        self.projection = layers.Dense(proj_dim, use_bias=False)


@wrong("shifted_patch_tokenization", told="non-linearity")
class WithRelu(ShiftedPatchTokenization):
    def __init__(self, patch_size, proj_dim, **kwargs):
        super().__init__(patch_size, proj_dim, **kwargs)
        self.projection = layers.Dense(proj_dim, activation="relu")


@wrong("shifted_patch_tokenization", told="piece of Keras 3", because="no layer of tf_keras")
class TokenizationOfKeras3(keras.layers.Layer):
    def __init__(self, patch_size, proj_dim, **kwargs):
        super().__init__(**kwargs)


@wrong(
    "shifted_patch_tokenization",
    told="the image itself missing",
    slips=2,
    also=("shifted by a whole patch",),
)
class WholePatchesWithoutTheImage(ByAWholePatch):
    def versions(self, images):
        return super().versions(images)[1:]


@wrong("shifted_patch_tokenization", told="no normalisation", slips=2, also=("rolled round",))
class NotNormalisedAndRolled(RolledRound):
    def call(self, images):
        return self.projection(self.values(images))


# --- locality self-attention, right -------------------------------------------------------------


@correct("multi_head_attention_lsa")
class MultiHeadAttentionLSA(layers.MultiHeadAttention):
    """Keras' layer with its computation of attention replaced; what the wrong ones start from."""

    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(num_heads, key_dim, **kwargs)
        start = tf_keras.initializers.Constant(self.start())
        self.tau = self.add_weight("tau", shape=(), initializer=start)

    def start(self):
        return math.sqrt(self._key_dim)

    def scale(self, scores):
        return scores / self.tau

    def mask(self, scores):
        return tf.linalg.set_diag(scores, tf.fill(tf.shape(scores)[:-1], -1e9))

    def weigh(self, scores):
        return tf.nn.softmax(self.mask(self.scale(scores)))

    def _compute_attention(self, query, key, value, attention_mask=None, training=None):
        weights = self.weigh(tf.einsum("bqhk,bnhk->bhqn", query, key))
        dropped = self._dropout_layer(weights, training=training)
        return tf.einsum("bhqn,bnhk->bqhk", dropped, value), weights


@correct("multi_head_attention_lsa")
class WithKerasMask(layers.MultiHeadAttention):
    """Keras' own mask, and queries scaled so that Keras' division by √key_dim cancels."""

    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(num_heads, key_dim, **kwargs)
        self.tau = tf.Variable(math.sqrt(float(key_dim)), trainable=True)

    def _compute_attention(self, query, key, value, attention_mask=None, training=None):
        others = 1 - tf.eye(tf.shape(query)[1], dtype=tf.int32)[tf.newaxis]
        query = query * (math.sqrt(self._key_dim) / self.tau)
        return super()._compute_attention(query, key, value, others, training)


@correct("multi_head_attention_lsa")
class OneTemperatureAHead(MultiHeadAttentionLSA):
    """As the authors of the paper have it; minus infinity on the diagonal."""

    def build(self, input_shape):
        start = tf_keras.initializers.Constant(self._key_dim**0.5)
        self.temperatures = self.add_weight(
            "temperatures", (1, self._num_heads, 1, 1), initializer=start
        )
        super().build(input_shape)

    def __init__(self, num_heads, key_dim, dropout=0.0, **kwargs):
        layers.MultiHeadAttention.__init__(self, num_heads, key_dim, dropout=dropout, **kwargs)

    def weigh(self, scores):
        itself = tf.eye(tf.shape(scores)[-1], dtype=bool)
        return tf.nn.softmax(tf.where(itself, -np.inf, scores / self.temperatures), axis=-1)


@correct("multi_head_attention_lsa")
class MaskInCall(MultiHeadAttentionLSA):
    """Makes the mask in call and leaves the rest to Keras."""

    def call(self, query, value, **kwargs):
        others = tf.logical_not(tf.eye(query.shape[1], dtype=tf.bool))
        return super().call(query, value, attention_mask=others[tf.newaxis], **kwargs)

    def _compute_attention(self, query, key, value, attention_mask=None, training=None):
        scores = tf.einsum(self._dot_product_equation, key, query / self.tau)
        weights = self._masked_softmax(scores, attention_mask)
        dropped = self._dropout_layer(weights, training=training)
        return tf.einsum(self._combine_equation, dropped, value), weights


@correct("multi_head_attention_lsa")
class FromScratch(layers.Layer):
    """Dense projections, heads split by hand; the diagonal leaves by renormalising."""

    def __init__(self, num_heads, key_dim, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.key_dim, self.rate = num_heads, key_dim, dropout

    def build(self, input_shape):
        inner = self.num_heads * self.key_dim
        self.W_v, self.W_k, self.W_q = (layers.Dense(inner) for _ in range(3))
        self.W_o = layers.Dense(input_shape[-1])
        self.dropout = layers.Dropout(self.rate)
        self.temperature = self.add_weight(
            "temperature", (1,), initializer=lambda shape, dtype: tf.fill(shape, self.key_dim**0.5)
        )

    def heads(self, x):
        split = layers.Reshape((-1, self.num_heads, self.key_dim))(x)
        return tf.transpose(split, (0, 2, 1, 3))

    def call(self, query, value, return_attention_scores=False, training=None):
        v, k, q = self.heads(self.W_v(value)), self.heads(self.W_k(value)), self.heads(self.W_q(query))
        weights = tf.nn.softmax(q @ tf.linalg.matrix_transpose(k) / self.temperature)
        weights *= 1 - tf.eye(query.shape[1])
        weights /= tf.reduce_sum(weights, axis=-1, keepdims=True)
        merged = tf.transpose(self.dropout(weights, training=training) @ v, (0, 2, 1, 3))
        output = self.W_o(layers.Reshape((-1, self.num_heads * self.key_dim))(merged))
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        sizes = {"num_heads": self.num_heads, "key_dim": self.key_dim, "dropout": self.rate}
        return {**super().get_config(), **sizes}


# --- locality self-attention, wrong -------------------------------------------------------------


@wrong("multi_head_attention_lsa", told=NOT_ATTEMPTED, slips=0)
class LocalityStub(layers.MultiHeadAttention):
    def __init__(self, num_heads, key_dim, **kwargs):
        raise NotImplementedError


@wrong("multi_head_attention_lsa", told=NOT_ATTEMPTED, slips=0)
def forgot_the_layer(num_heads, key_dim, dropout=0.0):
    MultiHeadAttentionLSA(num_heads, key_dim, dropout=dropout)


@wrong("multi_head_attention_lsa", told="plain attention")
class MisspeltMethod(layers.MultiHeadAttention):
    """Keras never calls it, and nothing complains."""

    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(num_heads, key_dim, **kwargs)
        self.tau = tf.Variable(math.sqrt(key_dim))

    compute_attention = MultiHeadAttentionLSA._compute_attention


@wrong("multi_head_attention_lsa", told="temperature not used")
class TemperatureIgnored(MultiHeadAttentionLSA):
    def scale(self, scores):
        return scores / math.sqrt(self._key_dim)


@wrong("multi_head_attention_lsa", told="no temperature")
class TemperatureAsNumber(MultiHeadAttentionLSA):
    def __init__(self, num_heads, key_dim, **kwargs):
        layers.MultiHeadAttention.__init__(self, num_heads, key_dim, **kwargs)
        self.tau = math.sqrt(key_dim)


@wrong("multi_head_attention_lsa", told="temperature not trained")
class TemperatureNotTrained(MultiHeadAttentionLSA):
    def __init__(self, num_heads, key_dim, **kwargs):
        layers.MultiHeadAttention.__init__(self, num_heads, key_dim, **kwargs)
        self.tau = tf.Variable(math.sqrt(key_dim), trainable=False)


@wrong("multi_head_attention_lsa", told="no gradient")
class TemperatureFrozen(MultiHeadAttentionLSA):
    def scale(self, scores):
        return scores / tf.stop_gradient(self.tau)


@wrong("multi_head_attention_lsa", told="temperature starts elsewhere")
class StartsAtOne(MultiHeadAttentionLSA):
    def start(self):
        return 1.0


@wrong("multi_head_attention_lsa", told="temperature starts elsewhere")
class StartsAtKeyDim(MultiHeadAttentionLSA):
    def start(self):
        return float(self._key_dim)


@wrong("multi_head_attention_lsa", told="scaled twice")
class ScaledTwice(WithKerasMask):
    def _compute_attention(self, query, key, value, attention_mask=None, training=None):
        others = 1 - tf.eye(tf.shape(query)[1], dtype=tf.int32)[tf.newaxis]
        query = query / self.tau
        return layers.MultiHeadAttention._compute_attention(self, query, key, value, others, training)


@wrong("multi_head_attention_lsa", told="multiplied by the temperature")
class InverseTemperature(MultiHeadAttentionLSA):
    def start(self):
        return 1 / math.sqrt(self._key_dim)

    def scale(self, scores):
        return scores * self.tau


@wrong("multi_head_attention_lsa", told="divided by the root of the temperature")
class RootOfTheTemperature(MultiHeadAttentionLSA):
    def scale(self, scores):
        return scores / tf.sqrt(self.tau)


@wrong("multi_head_attention_lsa", told="temperature after the softmax")
class TemperatureTooLate(MultiHeadAttentionLSA):
    def weigh(self, scores):
        return tf.nn.softmax(self.mask(scores)) / self.tau


@wrong("multi_head_attention_lsa", told="diagonal not masked")
class MaskForgotten(MultiHeadAttentionLSA):
    def mask(self, scores):
        return scores


@wrong("multi_head_attention_lsa", told="mask inverted")
class MaskInverted(MultiHeadAttentionLSA):
    def mask(self, scores):
        return scores - 1e9 * (1 - tf.eye(tf.shape(scores)[-1]))


@wrong("multi_head_attention_lsa", told="masked after the softmax")
class MaskedTooLate(MultiHeadAttentionLSA):
    def weigh(self, scores):
        weights = tf.nn.softmax(self.scale(scores))
        return weights * (1 - tf.eye(tf.shape(scores)[-1]))


@wrong("multi_head_attention_lsa", told="diagonal scores set to 0")
class DiagonalOfZeros(MultiHeadAttentionLSA):
    def mask(self, scores):
        return scores * (1 - tf.eye(tf.shape(scores)[-1]))


@wrong("multi_head_attention_lsa", told="mask added")
class MaskAdded(MultiHeadAttentionLSA):
    def mask(self, scores):
        return scores + (1 - tf.eye(tf.shape(scores)[-1]))


@wrong("multi_head_attention_lsa", told="softmax axis")
class SoftmaxOverQueries(MultiHeadAttentionLSA):
    def weigh(self, scores):
        return tf.nn.softmax(self.mask(self.scale(scores)), axis=-2)


@wrong("multi_head_attention_lsa", told="no dropout")
class DropoutForgotten(MultiHeadAttentionLSA):
    def _compute_attention(self, query, key, value, attention_mask=None, training=None):
        weights = self.weigh(tf.einsum("bqhk,bnhk->bhqn", query, key))
        return tf.einsum("bhqn,bnhk->bqhk", weights, value), weights


@wrong("multi_head_attention_lsa", told="no biases")
class NoBiases(MultiHeadAttentionLSA):
    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(num_heads, key_dim, **{**kwargs, "use_bias": False})


@wrong("multi_head_attention_lsa", told="results swapped")
class ResultsSwapped(MultiHeadAttentionLSA):
    def call(self, query, value, return_attention_scores=False, training=None):
        output, weights = super().call(query, value, return_attention_scores=True, training=training)
        return (weights, output) if return_attention_scores else output


@wrong("multi_head_attention_lsa", told=None, because="several heads, half of it, is gone")
class HeadsSummed(FromScratch):
    def heads(self, x):
        return tf.reduce_sum(super().heads(x), axis=1, keepdims=True) * tf.ones((1, 1, 1, 1))

    def call(self, query, value, return_attention_scores=False, training=None):
        q, k, v = self.heads(self.W_q(query)), self.heads(self.W_k(value)), self.heads(self.W_v(value))
        scores = q @ tf.linalg.matrix_transpose(k) / self.temperature
        weights = tf.nn.softmax(tf.linalg.set_diag(scores, tf.fill(tf.shape(scores)[:-1], -1e9)))
        merged = tf.tile(self.dropout(weights, training=training) @ v, (1, self.num_heads, 1, 1))
        merged = tf.transpose(merged, (0, 2, 1, 3))
        output = self.W_o(layers.Reshape((-1, self.num_heads * self.key_dim))(merged))
        return (output, weights) if return_attention_scores else output


@correct("multi_head_attention_lsa")
class OwnDropoutLayer(MultiHeadAttentionLSA):
    """A dropout of its own in place of Keras' private one, and −1e30 on the diagonal."""

    def __init__(self, num_heads, key_dim, dropout=0.0, **kwargs):
        super().__init__(num_heads, key_dim, dropout=dropout, **kwargs)
        self.drop = layers.Dropout(dropout)

    def mask(self, scores):
        return scores - 1e30 * tf.eye(tf.shape(scores)[-1])

    def _compute_attention(self, query, key, value, attention_mask=None, training=None):
        weights = self.weigh(tf.einsum("bqhk,bnhk->bhqn", query, key))
        return tf.einsum("bhqn,bnhk->bqhk", self.drop(weights, training), value), weights


@correct("multi_head_attention_lsa")
class DroppedByHand(MultiHeadAttentionLSA):
    def _compute_attention(self, query, key, value, attention_mask=None, training=None):
        weights = self.weigh(tf.einsum("bqhk,bnhk->bhqn", query, key))
        dropped = tf.nn.dropout(weights, self._dropout) if training else weights
        return tf.einsum("bhqn,bnhk->bqhk", dropped, value), weights


class _Dropping(MultiHeadAttentionLSA):
    """Dropout in another place, or at another time."""

    def drop(self, weights, training):
        return self._dropout_layer(weights, training=training)

    def told(self, weights, dropped):
        return weights

    def attended(self, output, training):
        return output

    def scores(self, scores, training):
        return scores

    def _compute_attention(self, query, key, value, attention_mask=None, training=None):
        scores = self.scale(tf.einsum("bqhk,bnhk->bhqn", query, key))
        weights = tf.nn.softmax(self.mask(self.scores(scores, training)))
        dropped = self.drop(weights, training)
        output = tf.einsum("bhqn,bnhk->bqhk", dropped, value)
        return self.attended(output, training), self.told(weights, dropped)


@wrong("multi_head_attention_lsa", told="random")
class DropsAtInferenceToo(_Dropping):
    def drop(self, weights, training):
        return self._dropout_layer(weights, training=True)


@wrong("multi_head_attention_lsa", told="no dropout")
class NeverDrops(_Dropping):
    def drop(self, weights, training):
        return self._dropout_layer(weights, training=False)


@wrong("multi_head_attention_lsa", told="dropped weights returned")
class DroppedWeightsReturned(_Dropping):
    def told(self, weights, dropped):
        return dropped


@wrong("multi_head_attention_lsa", told="dropout before the softmax")
class DropsScores(_Dropping):
    def drop(self, weights, training):
        return weights

    def scores(self, scores, training):
        return self._dropout_layer(scores, training=training)


@wrong("multi_head_attention_lsa", told="dropout behind the attention")
class DropsHeads(_Dropping):
    def drop(self, weights, training):
        return weights

    def attended(self, output, training):
        return self._dropout_layer(output, training=training)


@wrong("multi_head_attention_lsa", told="temperature as its logarithm")
class LogarithmLearned(MultiHeadAttentionLSA):
    def start(self):
        return math.log(self._key_dim) / 2

    def scale(self, scores):
        return scores / tf.exp(self.tau)


@wrong("multi_head_attention_lsa", told="temperature as its logarithm")
class LogarithmOfTheInverse(MultiHeadAttentionLSA):
    def start(self):
        return math.log(self._key_dim**-0.5)

    def scale(self, scores):
        return scores * tf.exp(self.tau)


@wrong("multi_head_attention_lsa", told="number of tokens fixed")
class TableOfFixedLength(MultiHeadAttentionLSA):
    def _compute_attention(self, query, key, value, attention_mask=None, training=None):
        if not hasattr(self, "table"):
            self.table = tf.constant(np.eye(query.shape[1]), tf.float32)
        return super()._compute_attention(query, key, value, attention_mask, training)

    def mask(self, scores):
        return scores - 1e9 * self.table


@wrong("multi_head_attention_lsa", told="later tokens masked")
class MaskedAsALanguageModel(MultiHeadAttentionLSA):
    def mask(self, scores):
        length = tf.shape(scores)[-1]
        itself_and_before = tf.linalg.band_part(tf.ones((length, length), bool), -1, 0)
        return tf.where(itself_and_before, scores, scores.dtype.min)


@wrong("multi_head_attention_lsa", told="no scaling")
class NotScaled(MultiHeadAttentionLSA):
    def scale(self, scores):
        return scores


@wrong("multi_head_attention_lsa", told="divided by the squared temperature")
class DividedTwice(MultiHeadAttentionLSA):
    def scale(self, scores):
        return scores / self.tau / self.tau


@wrong("multi_head_attention_lsa", told="diagonal not masked")
class MaskExpectedFromTheCaller(MultiHeadAttentionLSA):
    """As the Keras example has it."""

    def _compute_attention(self, query, key, value, attention_mask=None, training=None):
        scores = tf.einsum(self._dot_product_equation, key, query / self.tau)
        weights = self._masked_softmax(scores, attention_mask)
        dropped = self._dropout_layer(weights, training=training)
        return tf.einsum(self._combine_equation, dropped, value), weights


@wrong("multi_head_attention_lsa", told="start that cannot learn")
class AllKernelsZero(MultiHeadAttentionLSA):
    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(num_heads, key_dim, **{**kwargs, "kernel_initializer": "zeros"})


@wrong("multi_head_attention_lsa", told="start that cannot learn")
class AllKernelsOne(MultiHeadAttentionLSA):
    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(num_heads, key_dim, **{**kwargs, "kernel_initializer": "ones"})


@wrong("multi_head_attention_lsa", told="other weights")
class OneWeightMore(MultiHeadAttentionLSA):
    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(num_heads, key_dim, **kwargs)
        self.table = self.add_weight("table", (50, 3))


@wrong("multi_head_attention_lsa", told="weights returned unasked", because="no call without a crash")
class AlwaysReturnsWeights(MultiHeadAttentionLSA):
    def call(self, query, value, return_attention_scores=False, training=None):
        return super().call(query, value, return_attention_scores=True, training=training)


@wrong("multi_head_attention_lsa", told="weights transposed")
class WeightsTransposed(MultiHeadAttentionLSA):
    def call(self, query, value, return_attention_scores=False, training=None):
        output, weights = super().call(query, value, return_attention_scores=True, training=training)
        return (output, tf.linalg.matrix_transpose(weights)) if return_attention_scores else output


@wrong("multi_head_attention_lsa", told="piece of Keras 3", because="no layer of tf_keras")
class LayerOfKeras3(keras.layers.MultiHeadAttention):
    pass


@wrong("multi_head_attention_lsa", told="diagonal not masked", slips=2, also=("no scaling",))
class NeitherMaskedNorScaled(MaskForgotten):
    def scale(self, scores):
        return scores


@wrong("multi_head_attention_lsa", told="softmax axis", slips=2, also=("temperature starts elsewhere",))
class WrongAxisAndStart(SoftmaxOverQueries):
    def start(self):
        return 1.0


# --- warm-up and cosine, right ------------------------------------------------------------------


@correct("warm_up_cosine")
class WarmUpCosine(LearningRateSchedule):
    """Two formulas and a choice; what the wrong ones start from."""

    def __init__(self, learning_rate_base, total_steps, warmup_learning_rate, warmup_steps):
        super().__init__()
        self.check(total_steps, warmup_steps)
        self.learning_rate_base, self.total_steps = learning_rate_base, total_steps
        self.warmup_learning_rate, self.warmup_steps = warmup_learning_rate, warmup_steps

    def check(self, total_steps, warmup_steps):
        if total_steps < warmup_steps:
            raise ValueError("total_steps must be at least warmup_steps.")

    def share(self, step):
        return (step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 1)

    def cosine(self, step):
        return self.learning_rate_base * (1 + tf.cos(math.pi * self.share(step))) / 2

    def rise(self, step):
        slope = (self.learning_rate_base - self.warmup_learning_rate) / max(self.warmup_steps, 1)
        return self.warmup_learning_rate + slope * step

    def end(self, step, rate):
        return tf.where(step > self.total_steps, 0.0, rate)

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        return self.end(step, tf.where(step < self.warmup_steps, self.rise(step), self.cosine(step)))

    def get_config(self):
        return {
            "learning_rate_base": self.learning_rate_base,
            "total_steps": self.total_steps,
            "warmup_learning_rate": self.warmup_learning_rate,
            "warmup_steps": self.warmup_steps,
        }


@correct("warm_up_cosine")
class RefusedWhenCalled(WarmUpCosine):
    """Checks its settings in the call, as the Keras example does, and subtracts with tensors."""

    def check(self, total_steps, warmup_steps):
        pass

    def __call__(self, step):
        WarmUpCosine.check(self, self.total_steps, self.warmup_steps)
        return super().__call__(step)

    def cosine(self, step):
        angle = tf.constant(np.pi) * (step - self.warmup_steps)
        length = max(self.total_steps - self.warmup_steps, 1)
        return 0.5 * self.learning_rate_base * (1 + tf.cos(angle / length))


@correct("warm_up_cosine")
class WithCond(WarmUpCosine):
    """Computes only what is asked for."""

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        return tf.case(
            [
                (step < self.warmup_steps, lambda: self.rise(step)),
                (step <= self.total_steps, lambda: self.cosine(step)),
            ],
            default=lambda: tf.constant(0.0),
        )


@correct("warm_up_cosine")
class OnKerasCosine(WarmUpCosine):
    """Keras' own decay inside."""

    def __call__(self, step):
        first = self.warmup_learning_rate if self.warmup_steps else self.learning_rate_base
        target = self.learning_rate_base if self.warmup_steps else None
        length = max(self.total_steps - self.warmup_steps, 1)
        return CosineDecay(first, length, warmup_target=target, warmup_steps=self.warmup_steps)(step)


@correct("warm_up_cosine")
class SineSquared(WarmUpCosine):
    """(1 + cos x)/2 is cos²(x/2); the end by clipping the share of the steps."""

    def cosine(self, step):
        share = tf.clip_by_value(self.share(step), 0.0, 1.0)
        return self.learning_rate_base * tf.square(tf.cos(math.pi / 2 * share))

    def end(self, step, rate):
        return rate


# --- warm-up and cosine, wrong ------------------------------------------------------------------


@correct("warm_up_cosine")
class DownAtOnce(WarmUpCosine):
    """Where nothing is left to decay, the last step of the warm-up is the end."""

    def share(self, step):
        length = self.total_steps - self.warmup_steps
        return (step - self.warmup_steps) / length if length else tf.ones_like(step)


@wrong("warm_up_cosine", told=NOT_ATTEMPTED, slips=0)
class ScheduleStub(LearningRateSchedule):
    def __init__(self, learning_rate_base, total_steps, warmup_learning_rate, warmup_steps):
        raise NotImplementedError


@wrong("warm_up_cosine", told=NOT_ATTEMPTED, slips=0)
class ScheduleForgotToReturn(WarmUpCosine):
    def __call__(self, step):
        super().__call__(step)


@wrong("warm_up_cosine", told="constant", slips=0)
class ConstantRate(WarmUpCosine):
    def __call__(self, step):
        return tf.constant(self.learning_rate_base)


@wrong("warm_up_cosine", told="no warm-up")
class NoWarmUp(WarmUpCosine):
    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        rate = self.learning_rate_base * (1 + tf.cos(math.pi * step / self.total_steps)) / 2
        return self.end(step, rate)


@wrong("warm_up_cosine", told="cosine counted from step 0")
class CosineFromTheStart(WarmUpCosine):
    def share(self, step):
        return step / self.total_steps


@wrong("warm_up_cosine", told="cosine too long")
class CosineTooLong(WarmUpCosine):
    def share(self, step):
        return (step - self.warmup_steps) / self.total_steps


@wrong("warm_up_cosine", told="cosine not halved")
class NotHalved(WarmUpCosine):
    def cosine(self, step):
        return self.learning_rate_base * (1 + tf.cos(math.pi * self.share(step)))


@wrong("warm_up_cosine", told="quarter of a wave")
class QuarterWave(WarmUpCosine):
    def cosine(self, step):
        return self.learning_rate_base * tf.cos(math.pi / 2 * self.share(step))


@wrong("warm_up_cosine", told="cosine without π")
class WithoutPi(WarmUpCosine):
    def cosine(self, step):
        return self.learning_rate_base * (1 + tf.cos(self.share(step))) / 2


@wrong("warm_up_cosine", told="straight line")
class StraightLine(WarmUpCosine):
    def cosine(self, step):
        return self.learning_rate_base * (1 - self.share(step))


@wrong("warm_up_cosine", told="rises again")
class RisesAgain(WarmUpCosine):
    def end(self, step, rate):
        return rate


@wrong("warm_up_cosine", told="full rate after the end")
class FullRateAfterTheEnd(WarmUpCosine):
    def end(self, step, rate):
        return tf.where(step > self.total_steps, self.learning_rate_base, rate)


@wrong("warm_up_cosine", told="ends at the first rate")
class EndsAtTheFirstRate(WarmUpCosine):
    def cosine(self, step):
        height = self.learning_rate_base - self.warmup_learning_rate
        return self.warmup_learning_rate + height * (1 + tf.cos(math.pi * self.share(step))) / 2


@wrong("warm_up_cosine", told="warm-up from 0")
class WarmUpFromZero(WarmUpCosine):
    def rise(self, step):
        return self.learning_rate_base * step / max(self.warmup_steps, 1)


@wrong("warm_up_cosine", told="warm-up too high")
class WarmUpTooHigh(WarmUpCosine):
    def rise(self, step):
        return self.warmup_learning_rate + self.learning_rate_base * step / max(self.warmup_steps, 1)


@wrong("warm_up_cosine", told="warm-up one step ahead")
class OneStepAhead(WarmUpCosine):
    def rise(self, step):
        return super().rise(step + 1)


@wrong("warm_up_cosine", told="not refused")
class TakesAnything(WarmUpCosine):
    def check(self, total_steps, warmup_steps):
        pass


@wrong("warm_up_cosine", told="not a schedule", slips=2)
class PlainClass:
    """No schedule to Keras: an optimiser would not take it."""

    def __init__(self, *settings, **named):
        self.schedule = WarmUpCosine(*settings, **named)

    def __call__(self, step):
        return self.schedule(step)


@wrong("warm_up_cosine", told="not a schedule")
class PlainClassWithConfig(PlainClass):
    def get_config(self):
        return self.schedule.get_config()

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@wrong("warm_up_cosine", told="numbers alone")
class NumPyInside(WarmUpCosine):
    """Works with numbers, stops with the tensors that an optimiser passes in a traced function."""

    def __call__(self, step):
        step = np.float32(step)
        rate = self.rise(step) if step < self.warmup_steps else self.cosine(step)
        return 0.0 if step > self.total_steps else rate


@wrong("warm_up_cosine", told="no get_config")
class ScheduleWithoutConfig(WarmUpCosine):
    def get_config(self):
        raise NotImplementedError


@wrong("warm_up_cosine", told="config incomplete")
class ScheduleConfigForgetsAnArgument(WarmUpCosine):
    def get_config(self):
        return {"learning_rate_base": self.learning_rate_base, "total_steps": self.total_steps}


@wrong("warm_up_cosine", told="refused too soon")
class RefusesEqualSteps(WarmUpCosine):
    def check(self, total_steps, warmup_steps):
        if total_steps <= warmup_steps:
            raise ValueError("total_steps must be larger than warmup_steps.")


@wrong("warm_up_cosine", told="refused by one too few")
class RefusesLate(WarmUpCosine):
    def check(self, total_steps, warmup_steps):
        if total_steps < warmup_steps - 1:
            raise ValueError("too short")


@wrong("warm_up_cosine", told="refused with another error")
class RefusedWithAnAssertion(WarmUpCosine):
    def check(self, total_steps, warmup_steps):
        assert total_steps >= warmup_steps


@wrong("warm_up_cosine", told="division by zero")
class DividedByNothing(WarmUpCosine):
    """As the Keras example has it."""

    def share(self, step):
        return (step - self.warmup_steps) / float(self.total_steps - self.warmup_steps)


@wrong("warm_up_cosine", told="short decay stretched")
class AtLeastTwoSteps(WarmUpCosine):
    def share(self, step):
        return (step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 2)


@wrong("warm_up_cosine", told="cosine never quite ends")
class OneStepMore(WarmUpCosine):
    def share(self, step):
        return (step - self.warmup_steps) / (self.total_steps - self.warmup_steps + 1)


@wrong("warm_up_cosine", told="step of a tensor replaced")
class StepReplaced(WarmUpCosine):
    def __call__(self, step):
        return super().__call__(step if isinstance(step, int) else 1)


@wrong("warm_up_cosine", told="no decay")
class NoDecay(WarmUpCosine):
    def cosine(self, step):
        return self.learning_rate_base * tf.ones_like(step)


@wrong("warm_up_cosine", told="flat warm-up")
class FlatWarmUp(WarmUpCosine):
    def rise(self, step):
        return self.warmup_learning_rate + 0.0 * step


@wrong("warm_up_cosine", told="warm-up falls")
class WarmUpFalls(WarmUpCosine):
    def rise(self, step):
        return super().rise(self.warmup_steps - step)


@wrong("warm_up_cosine", told="cosine turned round")
class CosineTurnedRound(WarmUpCosine):
    def cosine(self, step):
        return self.learning_rate_base * (1 - tf.cos(math.pi * self.share(step))) / 2


@wrong("warm_up_cosine", told="cosine without the 1")
class CosineWithoutTheOne(WarmUpCosine):
    def cosine(self, step):
        return self.learning_rate_base * tf.cos(math.pi * self.share(step))


@wrong("warm_up_cosine", told=None, slips=2)
class WholeWaveAndOn(WarmUpCosine):
    def cosine(self, step):
        return self.learning_rate_base * (1 + tf.cos(2 * math.pi * self.share(step))) / 2

    def end(self, step, rate):
        return rate


@wrong("warm_up_cosine", told="quarter of a wave", slips=2, also=("warm-up from 0",))
class QuarterWaveFromZero(QuarterWave):
    def rise(self, step):
        return self.learning_rate_base * step / max(self.warmup_steps, 1)


@wrong("warm_up_cosine", told="not a schedule")
class ScheduleOfKeras3(keras.optimizers.schedules.LearningRateSchedule):
    __init__, __call__, get_config = (
        vars(PlainClassWithConfig).get(name) or getattr(PlainClass, name)
        for name in ("__init__", "__call__", "get_config")
    )


# --- the optimiser, right -----------------------------------------------------------------------


@correct("make_optimizer")
def make_optimizer(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps_per_epoch = math.ceil(num_samples / batch_size)
    schedule = WarmUpCosine(
        learning_rate, epochs * steps_per_epoch, 0.0, warmup_epochs * steps_per_epoch
    )
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@correct("make_optimizer")
def in_whole_numbers(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs=0):
    steps = (num_samples + batch_size - 1) // batch_size
    return tf_keras.optimizers.AdamW(
        weight_decay=weight_decay,
        learning_rate=WarmUpCosine(
            learning_rate_base=learning_rate,
            total_steps=epochs * steps,
            warmup_learning_rate=0,
            warmup_steps=warmup_epochs * steps,
        ),
    )


@correct("make_optimizer")
def with_keras_cosine(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = -(-num_samples // batch_size)
    warmup = warmup_epochs * steps
    first, target = (0.0, learning_rate) if warmup else (learning_rate, None)
    schedule = CosineDecay(first, epochs * steps - warmup, warmup_target=target, warmup_steps=warmup)
    return tf_keras.optimizers.AdamW(learning_rate=schedule, weight_decay=weight_decay)


@correct("make_optimizer")
def rate_set_afterwards(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = int(np.ceil(num_samples / batch_size))
    optimizer = tf_keras.optimizers.AdamW(
        WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)
    )
    optimizer.weight_decay = weight_decay
    return optimizer


@correct("make_optimizer")
def adam_with_weight_decay(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    total = epochs * len(range(0, num_samples, batch_size))
    schedule = WarmUpCosine(learning_rate, total, 0.0, warmup_epochs * total // epochs)
    return tf_keras.optimizers.Adam(schedule, weight_decay=weight_decay)


# --- the optimiser, wrong -----------------------------------------------------------------------


@wrong("make_optimizer", told=NOT_ATTEMPTED, slips=0)
def optimizer_stub(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    raise NotImplementedError


@wrong("make_optimizer", told=NOT_ATTEMPTED, slips=0)
def optimizer_not_returned(*settings, **named):
    make_optimizer(*settings, **named)


@wrong("make_optimizer", told="the kit's own schedule", slips=0)
def with_the_schedule_of_the_kit(
    num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs
):
    settings = Training(epochs, batch_size, learning_rate, weight_decay, warmup_epochs)
    return tf_keras.optimizers.AdamW(
        learning_rate_schedule(settings, num_samples), weight_decay=weight_decay
    )


@wrong("make_optimizer", told="constant rate")
def schedule_never_used(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    """What the published example does."""
    steps = math.ceil(num_samples / batch_size)
    WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)
    return tf_keras.optimizers.AdamW(learning_rate=learning_rate, weight_decay=weight_decay)


@wrong("make_optimizer", told="last batch forgotten")
def rounded_down(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = num_samples // batch_size
    schedule = WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="epochs counted as steps")
def epochs_as_steps(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    schedule = WarmUpCosine(learning_rate, epochs, 0.0, warmup_epochs)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="samples counted as steps")
def samples_as_steps(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    schedule = WarmUpCosine(learning_rate, epochs * num_samples, 0.0, warmup_epochs * num_samples)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="warm-up counted in steps")
def warm_up_in_steps(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = math.ceil(num_samples / batch_size)
    schedule = WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="no warm-up")
def without_warm_up(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = math.ceil(num_samples / batch_size)
    schedule = CosineDecay(learning_rate, epochs * steps)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="warm-up added to the run")
def longer_than_the_run(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    """Takes decay_steps for the length of the run; Keras counts it from the end of the warm-up."""
    steps = math.ceil(num_samples / batch_size)
    warmup = warmup_epochs * steps
    first, target = (0.0, learning_rate) if warmup else (learning_rate, None)
    schedule = CosineDecay(first, epochs * steps, warmup_target=target, warmup_steps=warmup)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="warm-up from the full rate")
def flat_warm_up(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = math.ceil(num_samples / batch_size)
    schedule = WarmUpCosine(learning_rate, epochs * steps, learning_rate, warmup_epochs * steps)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="no weight decay")
def plain_adam(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = math.ceil(num_samples / batch_size)
    schedule = WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)
    return tf_keras.optimizers.Adam(schedule)


@wrong("make_optimizer", told="weight decay of its own")
def weight_decay_ignored(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = math.ceil(num_samples / batch_size)
    schedule = WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)
    return tf_keras.optimizers.AdamW(schedule)


@wrong("make_optimizer", told="not AdamW")
def gradient_descent(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = math.ceil(num_samples / batch_size)
    schedule = WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)
    return tf_keras.optimizers.SGD(schedule, weight_decay=0.0)


@wrong("make_optimizer", told="schedule returned", because="no optimiser, so no step is made")
def returns_the_schedule(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = math.ceil(num_samples / batch_size)
    return WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)


@wrong("make_optimizer", told="a batch too many")
def one_batch_too_many(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = num_samples // batch_size + 1
    schedule = WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="steps not a whole number")
def not_rounded(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = num_samples / batch_size
    schedule = WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="rounded at the end alone")
def rounded_at_the_end(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    total = math.ceil(epochs * num_samples / batch_size)
    warmup = math.ceil(warmup_epochs * num_samples / batch_size)
    schedule = WarmUpCosine(learning_rate, total, 0.0, warmup)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="one epoch only")
def one_epoch_alone(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = math.ceil(num_samples / batch_size)
    schedule = WarmUpCosine(learning_rate, steps, 0.0, warmup_epochs * steps)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="warm-up taken from the run")
def run_without_the_warm_up(
    num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs
):
    steps = math.ceil(num_samples / batch_size)
    total = (epochs - warmup_epochs) * steps
    schedule = WarmUpCosine(learning_rate, total, 0.0, warmup_epochs * steps)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="warm-up from another rate")
def from_a_tenth(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = math.ceil(num_samples / batch_size)
    schedule = WarmUpCosine(learning_rate, epochs * steps, learning_rate / 10, warmup_epochs * steps)
    return tf_keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong("make_optimizer", told="rate and decay exchanged")
def arguments_exchanged(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    return make_optimizer(num_samples, epochs, batch_size, weight_decay, learning_rate, warmup_epochs)


@wrong("make_optimizer", told="last batch forgotten", slips=2, also=("no weight decay",))
def rounded_down_without_decay(
    num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs
):
    steps = num_samples // batch_size
    schedule = WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)
    return tf_keras.optimizers.Adam(schedule)


@wrong("make_optimizer", told="constant rate", slips=2, also=("weight decay of its own",))
def constant_and_default_decay(
    num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs
):
    return tf_keras.optimizers.AdamW(learning_rate)


@wrong(
    "make_optimizer", told="piece of Keras 3", because="no optimiser of tf_keras, so no step is made"
)
def optimizer_of_keras_3(num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs):
    steps = math.ceil(num_samples / batch_size)
    schedule = WarmUpCosine(learning_rate, epochs * steps, 0.0, warmup_epochs * steps)
    return keras.optimizers.AdamW(schedule, weight_decay=weight_decay)


@wrong(
    "make_optimizer", told="piece of Keras 3", because="no optimiser of tf_keras, so no step is made"
)
def optimizer_and_schedule_of_keras_3(
    num_samples, epochs, batch_size, learning_rate, weight_decay, warmup_epochs
):
    steps = math.ceil(num_samples / batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * steps)
    return keras.optimizers.AdamW(schedule, weight_decay=weight_decay)

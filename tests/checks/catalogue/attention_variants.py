"""Attention variants, the orthonormal constraint and the pre-norm ViT, right and wrong."""

import math

import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp
import tf_keras
from tf_keras import layers

from tests.checks.catalogue import correct, wrong
from utilities.models.pre_norm_vit import PatchTokens, create_pre_norm_vit

# --- dot-product attention -------------------------------------------------------------------


@correct("dot_product_attention")
class DotProductAttention(layers.Layer):
    def __init__(self, normalization="standard", **kwargs):
        super().__init__(**kwargs)
        if normalization not in ("standard", "linear", "cosine"):
            raise ValueError(f"No normalization {normalization!r}.")
        self.normalization = normalization

    def call(self, q, k, v):
        weights = self.normalise(self.scores(q, k))
        return tf.matmul(weights, v), weights

    def normalise(self, scores):
        return tf.nn.softmax(scores)

    def scores(self, q, k):
        if self.normalization == "cosine":
            return self.cosines(q, k)
        return tf.matmul(q, k, transpose_b=True) / self.divisor(q, k)

    def divisor(self, q, k):
        d = q.shape[-1]
        return math.sqrt(d) if self.normalization == "standard" else float(d)

    def cosines(self, q, k):
        return tf.matmul(tf.math.l2_normalize(q, -1), tf.math.l2_normalize(k, -1), transpose_b=True)

    def get_config(self):
        return {**super().get_config(), "normalization": self.normalization}


@correct("dot_product_attention")
class RefusesWhenCalled(layers.Layer):
    """A table of functions, einsum, and a softmax written out."""

    def __init__(self, normalization="standard", name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.normalization = normalization

    def call(self, q, k, v):
        d = tf.cast(tf.shape(q)[-1], q.dtype)
        if self.normalization == "standard":
            scores = tf.einsum("...qd,...kd->...qk", q, k) * tf.math.rsqrt(d)
        elif self.normalization == "linear":
            scores = tf.einsum("...qd,...kd->...qk", q, k) / d
        elif self.normalization == "cosine":
            scores = tf.einsum("...qd,...kd->...qk", unit(q), unit(k))
        else:
            raise ValueError("standard, linear or cosine")
        exponentials = tf.exp(scores - tf.reduce_max(scores, axis=-1, keepdims=True))
        weights = exponentials / tf.reduce_sum(exponentials, axis=-1, keepdims=True)
        return tf.einsum("...qk,...kd->...qd", weights, v), weights

    def get_config(self):
        config = super().get_config()
        config.update(normalization=self.normalization)
        return config


def unit(x):
    return tf.math.divide_no_nan(x, tf.norm(x, axis=-1, keepdims=True))


@correct("dot_product_attention")
class WithKerasLayers(layers.Layer):
    SCALES = {"standard": 0.5, "linear": 1.0, "cosine": 0.0}

    def __init__(self, normalization="standard", **kwargs):
        super().__init__(**kwargs)
        try:
            self.power = self.SCALES[normalization]
        except KeyError:
            raise ValueError(f"choose one of {', '.join(self.SCALES)}") from None
        self.normalization = normalization
        self.softmax = layers.Softmax()
        self.normalise = layers.UnitNormalization()

    def call(self, q, k, v):
        scale = q.shape[-1] ** -self.power
        if self.normalization == "cosine":
            q, k = self.normalise(q), self.normalise(k)
        weights = self.softmax(tf.linalg.matmul(scale * q, k, transpose_b=True))
        return weights @ v, weights

    def get_config(self):
        return dict(super().get_config(), normalization=self.normalization)


@correct("dot_product_attention")
class CompiledCall(DotProductAttention):
    @tf.function
    def call(self, q, k, v):
        return super().call(q, k, v)


@correct("dot_product_attention")
class WithNumPyNames(DotProductAttention):
    def call(self, q, k, v):
        q, k = tnp.asarray(q), tnp.asarray(k)
        weights = tf.nn.softmax(self.scores(tf.convert_to_tensor(q), tf.convert_to_tensor(k)))
        return [tf.matmul(weights, v), weights]

    def cosines(self, q, k):
        lengths = tf.linalg.norm(q, axis=-1)[..., None] * tf.linalg.norm(k, axis=-1)[..., None, :]
        return tf.matmul(q, k, transpose_b=True) / tf.maximum(lengths, 1e-12)


@wrong("dot_product_attention", told="not attempted", slips=0)
class NotWritten(layers.Layer):
    def __init__(self, normalization="standard", **kwargs):
        raise NotImplementedError


@wrong("dot_product_attention", told="not attempted", slips=0)
class ForgotToReturn(DotProductAttention):
    def call(self, q, k, v):
        super().call(q, k, v)


@wrong("dot_product_attention", told="normalization ignored")
class AlwaysStandard(DotProductAttention):
    def scores(self, q, k):
        return tf.matmul(q, k, transpose_b=True) / math.sqrt(q.shape[-1])


@wrong("dot_product_attention", told="no scaling")
class Unscaled(DotProductAttention):
    def divisor(self, q, k):
        return 1.0


@wrong("dot_product_attention", told="standard and linear swapped")
class Swapped(DotProductAttention):
    def divisor(self, q, k):
        d = q.shape[-1]
        return float(d) if self.normalization == "standard" else math.sqrt(d)


@wrong("dot_product_attention", told="divided by the number of keys")
class NumberOfKeys(DotProductAttention):
    def divisor(self, q, k):
        n = k.shape[-2]
        return math.sqrt(n) if self.normalization == "standard" else float(n)


@wrong("dot_product_attention", told="divided by n_k")
class LinearInTheKeys(DotProductAttention):
    def divisor(self, q, k):
        return math.sqrt(q.shape[-1]) if self.normalization == "standard" else float(k.shape[-2])


@wrong("dot_product_attention", told="cosine divided by √d as well")
class CosineScaled(DotProductAttention):
    def cosines(self, q, k):
        return super().cosines(q, k) / math.sqrt(q.shape[-1])


@wrong("dot_product_attention", told="only queries normalised")
class HalfACosine(DotProductAttention):
    def cosines(self, q, k):
        return tf.matmul(tf.math.l2_normalize(q, -1), k, transpose_b=True)


@wrong("dot_product_attention", told="normalised over the tokens")
class OverTokens(DotProductAttention):
    def cosines(self, q, k):
        return tf.matmul(tf.math.l2_normalize(q, -2), tf.math.l2_normalize(k, -2), transpose_b=True)


@wrong("dot_product_attention", told="one length for all")
class NoAxis(DotProductAttention):
    def cosines(self, q, k):
        return tf.matmul(tf.math.l2_normalize(q), tf.math.l2_normalize(k), transpose_b=True)


@wrong("dot_product_attention", told="squared length")
class RootForgotten(DotProductAttention):
    def cosines(self, q, k):
        q = tf.math.divide_no_nan(q, tf.reduce_sum(q**2, -1, keepdims=True))
        k = tf.math.divide_no_nan(k, tf.reduce_sum(k**2, -1, keepdims=True))
        return tf.matmul(q, k, transpose_b=True)


@wrong("dot_product_attention", told="length 0")
class ZeroByZero(DotProductAttention):
    def cosines(self, q, k):
        q = q / tf.norm(q, axis=-1, keepdims=True)
        return tf.matmul(q, k / tf.norm(k, axis=-1, keepdims=True), transpose_b=True)


@wrong("dot_product_attention", told="softmax over the queries")
class OverQueries(DotProductAttention):
    def normalise(self, scores):
        return tf.nn.softmax(scores, axis=-2)


@wrong("dot_product_attention", told="cosine without softmax")
class BareCosines(DotProductAttention):
    def normalise(self, scores):
        return scores if self.normalization == "cosine" else tf.nn.softmax(scores)


@wrong("dot_product_attention", told="output and weights swapped")
class WeightsFirst(DotProductAttention):
    def call(self, q, k, v):
        output, weights = super().call(q, k, v)
        return weights, output


@wrong("dot_product_attention", told="unknown normalization accepted")
class ElseCosine(DotProductAttention):
    def __init__(self, normalization="standard", **kwargs):
        super().__init__("standard", **kwargs)
        self.normalization = normalization


@wrong("dot_product_attention", told="another error")
class KeyErrorInstead(DotProductAttention):
    def __init__(self, normalization="standard", **kwargs):
        self.place = {"standard": 0, "linear": 1, "cosine": 2}[normalization]
        super().__init__(normalization, **kwargs)


@wrong("dot_product_attention", told="config incomplete")
class ForgetsInConfig(DotProductAttention):
    def get_config(self):
        return layers.Layer.get_config(self) | {"normalization": "standard"}


@wrong("dot_product_attention", told="weights of its own")
class ProjectsToo(DotProductAttention):
    def build(self, shape):
        self.unused = self.add_weight("W_q", (shape[-1], shape[-1]))


@wrong("dot_product_attention", told="random", because="no value can be compared")
class DropsAlways(DotProductAttention):
    def normalise(self, scores):
        return tf.nn.dropout(tf.nn.softmax(scores), 0.5)


@wrong("dot_product_attention", told="two axes alone", because="stops wherever there are leading axes")
class TransposesAll(DotProductAttention):
    def scores(self, q, k):
        if self.normalization == "cosine":
            return tf.matmul(tf.math.l2_normalize(q, -1), tf.transpose(tf.math.l2_normalize(k, -1)))
        return tf.matmul(q, tf.transpose(k)) / self.divisor(q, k)


@wrong("dot_product_attention", told="another default")
class LinearByDefault(DotProductAttention):
    def __init__(self, normalization="linear", **kwargs):
        super().__init__(normalization, **kwargs)


@wrong("dot_product_attention", told="multiplied where divided")
class Multiplied(DotProductAttention):
    def divisor(self, q, k):
        return 1.0 / super().divisor(q, k)


@wrong("dot_product_attention", told="values normalised")
class ValuesNormalised(DotProductAttention):
    def call(self, q, k, v):
        return super().call(q, k, tf.math.l2_normalize(v, -1) if self.normalization == "cosine" else v)


@wrong("dot_product_attention", told="keys used as values")
class AveragesTheKeys(DotProductAttention):
    def call(self, q, k, v):
        return super().call(q, k, k)


@wrong("dot_product_attention", told="no softmax", slips=2, also=("no scaling",))
class NeitherScaledNorSoftmax(Unscaled):
    def normalise(self, scores):
        return scores


# --- cosine attention ------------------------------------------------------------------------


class Heads(layers.Layer):
    """What layers of self-attention share; what happens inside the heads is `attend(q, k, v)`."""

    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.key_dim = num_heads, key_dim

    def build(self, input_shape):
        for name in self.projections:
            setattr(self, name, layers.Dense(self.num_heads * self.key_dim))
        self.W_o = layers.Dense(input_shape[-1])
        super().build(input_shape)

    def call(self, x):
        q, k, v = (self.split(y) for y in self.project(x))
        return self.W_o(self.merge(self.attend(q, k, v)))

    def split(self, x):
        _, N, _ = x.shape
        return tf.transpose(tf.reshape(x, (-1, N, self.num_heads, self.key_dim)), [0, 2, 1, 3])

    def merge(self, heads):
        _, h, N, p = heads.shape
        return tf.reshape(tf.transpose(heads, [0, 2, 1, 3]), (-1, N, h * p))

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads, "key_dim": self.key_dim}


@correct("cosine_attention")
class CosineAttention(Heads):
    projections = ("W_q", "W_v")

    def project(self, x):
        q = self.W_q(x)
        return q, q, self.W_v(x)

    def attend(self, q, k, v):
        return tf.matmul(self.scores(q, k), v)

    def scores(self, q, k):
        return tf.matmul(tf.math.l2_normalize(q, -1), tf.math.l2_normalize(k, -1), transpose_b=True)


@correct("cosine_attention")
class BracketsMoved(CosineAttention):
    """(q̂ k̂ᵀ) v = q̂ (k̂ᵀ v): the same with linear cost."""

    def attend(self, q, k, v):
        q, k = tf.math.l2_normalize(q, -1), tf.math.l2_normalize(k, -1)
        return tf.matmul(q, tf.matmul(k, v, transpose_a=True))


@correct("cosine_attention")
class WithEinsumDense(layers.Layer):
    """Kernels with an axis for the heads, everything made in __init__ but W_o."""

    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"num_heads": num_heads, "key_dim": key_dim}
        shape = (None, num_heads, key_dim)
        self.W_q = layers.EinsumDense("bnd,dhp->bnhp", shape, bias_axes="hp")
        self.W_v = layers.EinsumDense("bnd,dhp->bnhp", shape, bias_axes="hp")

    def build(self, input_shape):
        out = (None, input_shape[-1])
        self.W_o = layers.EinsumDense("bnhp,hpd->bnd", out, bias_axes="d")
        super().build(input_shape)

    def call(self, x, training=None):
        q, v = unit(self.W_q(x)), self.W_v(x)
        scores = tf.einsum("bnhp,bmhp->bhnm", q, q)
        return self.W_o(tf.einsum("bhnm,bmhp->bnhp", scores, v))

    def get_config(self):
        return {**super().get_config(), **self.sizes}


@correct("cosine_attention")
class HeadByHead(layers.Layer):
    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.W_q = layers.Dense(num_heads * key_dim, name="W_q")
        self.W_v = layers.Dense(num_heads * key_dim, name="W_v")

    def build(self, input_shape):
        self.W_o = layers.Dense(input_shape[-1], name="W_o")

    def call(self, x):
        heads = []
        for q, v in zip(
            tf.split(self.W_q(x), self.num_heads, axis=-1),
            tf.split(self.W_v(x), self.num_heads, axis=-1),
            strict=True,
        ):
            q = q * tf.math.rsqrt(tf.maximum(tf.reduce_sum(q * q, -1, keepdims=True), 1e-12))
            heads.append(q @ tf.transpose(q, [0, 2, 1]) @ v)
        return self.W_o(tf.concat(heads, axis=-1))

    def get_config(self):
        config = super().get_config()
        config.update({"num_heads": self.num_heads, "key_dim": self.key_dim})
        return config


@correct("cosine_attention")
class KeptInADictionary(CosineAttention):
    """The projections are found by the layers' names."""

    def build(self, input_shape):
        width = self.num_heads * self.key_dim
        units = {"W_q": width, "W_v": width, "W_o": input_shape[-1]}
        self.parts = {name: layers.Dense(n, name=name) for name, n in units.items()}
        layers.Layer.build(self, input_shape)

    def call(self, x):
        q, v = self.split(self.parts["W_q"](x)), self.split(self.parts["W_v"](x))
        return self.parts["W_o"](self.merge(self.attend(q, q, v)))


@wrong("cosine_attention", told="not attempted", slips=0)
class CosineNotWritten(layers.Layer):
    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)

    def call(self, x):
        raise NotImplementedError


@wrong("cosine_attention", told="softmax not left out")
class KeepsSoftmax(CosineAttention):
    def scores(self, q, k):
        return tf.nn.softmax(super().scores(q, k))


@wrong("cosine_attention", told="not normalised")
class BareProducts(CosineAttention):
    def scores(self, q, k):
        return tf.matmul(q, k, transpose_b=True)


@wrong("cosine_attention", told="scaled, not normalised")
class Scaled(CosineAttention):
    def scores(self, q, k):
        return tf.matmul(q, k, transpose_b=True) / math.sqrt(self.key_dim)


@wrong("cosine_attention", told="only one side normalised")
class OneSide(CosineAttention):
    def scores(self, q, k):
        return tf.matmul(tf.math.l2_normalize(q, -1), k, transpose_b=True)


@wrong("cosine_attention", told="normalised before the heads")
class NormalisedTooEarly(CosineAttention):
    def project(self, x):
        q = tf.math.l2_normalize(self.W_q(x), -1)
        return q, q, self.W_v(x)

    def scores(self, q, k):
        return tf.matmul(q, k, transpose_b=True)


@wrong("cosine_attention", told="normalised over the tokens")
class CosineOverTokens(CosineAttention):
    def scores(self, q, k):
        return tf.matmul(tf.math.l2_normalize(q, -2), tf.math.l2_normalize(k, -2), transpose_b=True)


@wrong("cosine_attention", told="divided by √p as well")
class CosineDivided(CosineAttention):
    def scores(self, q, k):
        return super().scores(q, k) / math.sqrt(self.key_dim)


@wrong("cosine_attention", told="divided by the number of tokens")
class CosineMean(CosineAttention):
    def scores(self, q, k):
        return super().scores(q, k) / k.shape[-2]


@wrong("cosine_attention", told="negative cosines cut off")
class CosineReLU(CosineAttention):
    def scores(self, q, k):
        return tf.nn.relu(super().scores(q, k))


@wrong("cosine_attention", told="keys with a projection of their own")
class OwnKeys(CosineAttention):
    projections = ("W_q", "W_k", "W_v")

    def project(self, x):
        return self.W_q(x), self.W_k(x), self.W_v(x)


@wrong("cosine_attention", told="keys from W_v")
class KeysFromValues(CosineAttention):
    def project(self, x):
        v = self.W_v(x)
        return self.W_q(x), v, v


@wrong("cosine_attention", told="length 0")
class CosineZeroByZero(CosineAttention):
    def scores(self, q, k):
        q = q / tf.norm(q, axis=-1, keepdims=True)
        return tf.matmul(q, q, transpose_b=True)


@wrong("cosine_attention", told="heads merged without transposing back")
class MergedTooEarly(CosineAttention):
    def merge(self, heads):
        _, h, N, p = heads.shape
        return tf.reshape(heads, (-1, N, h * p))


@wrong("cosine_attention", told="one head for all")
class OneHeadForAll(CosineAttention):
    def split(self, x):
        return x[:, None]  # (B, 1, N, h·p)


@wrong("cosine_attention", told="output projection missing")
class NoOutputProjection(CosineAttention):
    def call(self, x):
        q, k, v = (self.split(y) for y in self.project(x))
        output = self.merge(self.attend(q, k, v))
        return output + 0.0 * tf.reduce_sum(self.W_o(output))


@wrong("cosine_attention", told="bias missing")
class WithoutBias(CosineAttention):
    def build(self, input_shape):
        super().build(input_shape)
        self.W_q = layers.Dense(self.num_heads * self.key_dim, use_bias=False)


@wrong("cosine_attention", told="heads share the width")
class HeadsShareTheWidth(CosineAttention):
    """key_dim taken for the width of all heads together."""

    def build(self, input_shape):
        self.W_q, self.W_v = layers.Dense(self.key_dim), layers.Dense(self.key_dim)
        self.W_o = layers.Dense(input_shape[-1])
        layers.Layer.build(self, input_shape)

    def split(self, x):
        return tf.stack(tf.split(x, 1, axis=-1), axis=1)


@wrong("cosine_attention", told="weights made at each call", because="no value can be compared")
class NewWeightsEachCall(CosineAttention):
    def call(self, x):
        self.build(x.shape)
        return super().call(x)


@wrong("cosine_attention", told="config incomplete")
class NoConfig(CosineAttention):
    def get_config(self):
        raise NotImplementedError


@wrong("cosine_attention", told="output projection missing")
class ReturnsHeads(CosineAttention):
    """W_o is made and never called."""

    def call(self, x):
        q, k, v = (self.split(y) for y in self.project(x))
        return self.merge(self.attend(q, k, v))


@wrong("cosine_attention", told="queries from W_v")
class QueriesFromValues(CosineAttention):
    """W_q is made and never called."""

    def project(self, x):
        v = self.W_v(x)
        return v, v, v


@wrong("cosine_attention", told="softmax not left out")
class SoftmaxAtATemperature(CosineAttention):
    def scores(self, q, k):
        return tf.nn.softmax(super().scores(q, k) * 10.0)


@wrong(
    "cosine_attention",
    told="softmax not left out",
    slips=2,
    also=("heads merged without transposing back",),
)
class SoftmaxAndMergedTooEarly(KeepsSoftmax):
    def merge(self, heads):
        _, h, N, p = heads.shape
        return tf.reshape(heads, (-1, N, h * p))


@wrong("cosine_attention", told="start that cannot learn")
class AllZeroAtFirst(CosineAttention):
    def build(self, input_shape):
        super().build(input_shape)
        for part in (self.W_q, self.W_v, self.W_o):
            part.kernel_initializer = tf_keras.initializers.Zeros()


# --- tiled attention -------------------------------------------------------------------------


@correct("tiled_attention")
def tiled_attention(q, k, v, block_size):
    largest, total, summed = -np.inf, 0.0, 0.0
    for start in range(0, k.shape[-2], block_size):
        keys, values = (x[..., start : start + block_size, :] for x in (k, v))
        scores = tf.matmul(q, keys, transpose_b=True) / math.sqrt(q.shape[-1])
        highest = tf.maximum(largest, tf.reduce_max(scores, -1, keepdims=True))
        weights, shrunk = tf.exp(scores - highest), tf.exp(largest - highest)
        total = shrunk * total + tf.reduce_sum(weights, -1, keepdims=True)
        summed = shrunk * summed + tf.matmul(weights, values)
        largest = highest
    return summed / total


@correct("tiled_attention")
def mean_and_log_sum(q, k, v, block_size):
    """As in FlashAttention-2: the mean so far, and the logarithm of the sum of exponentials."""
    sizes = [min(block_size, k.shape[-2] - i) for i in range(0, k.shape[-2], block_size)]
    output = log_sum = None
    for keys, values in zip(tf.split(k, sizes, axis=-2), tf.split(v, sizes, axis=-2), strict=True):
        scores = tf.einsum("...qd,...kd->...qk", q, keys) * q.shape[-1] ** -0.5
        mean = tf.einsum("...qk,...kd->...qd", tf.nn.softmax(scores), values)
        log_of_block = tf.reduce_logsumexp(scores, axis=-1, keepdims=True)
        if output is None:
            output, log_sum = mean, log_of_block
            continue
        share = tf.sigmoid(log_of_block - log_sum)  # of the new block, among all so far
        output = (1.0 - share) * output + share * mean
        log_sum = log_sum + tf.nn.softplus(log_of_block - log_sum)
    return output


@correct("tiled_attention")
def two_passes(q, k, v, block_size):
    """First the largest score of each query, then the sums."""
    q = q / math.sqrt(q.shape[-1])
    places = [slice(i, i + block_size) for i in range(0, k.shape[-2], block_size)]
    largest = tf.fill(q[..., :1].shape if q.shape[0] else tf.shape(q[..., :1]), q.dtype.min)
    for place in places:
        scores = q @ tf.linalg.matrix_transpose(k[..., place, :])
        largest = tf.maximum(largest, tf.reduce_max(scores, -1, keepdims=True))
    total, summed = 0.0, 0.0
    for place in places:
        weights = tf.exp(q @ tf.linalg.matrix_transpose(k[..., place, :]) - largest)
        total += tf.reduce_sum(weights, -1, keepdims=True)
        summed += weights @ v[..., place, :]
    return summed / total


@correct("tiled_attention")
def padded_and_hidden(q, k, v, block_size):
    """Full blocks of padded keys, the padding hidden; the sum of the weights as one more value."""
    n_k, d = k.shape[-2:]
    blocks = -(-n_k // block_size)
    fill = [[0, 0]] * (len(k.shape) - 2) + [[0, blocks * block_size - n_k], [0, 0]]
    hidden = tf.where(tf.range(blocks * block_size) < n_k, 0.0, -1e9)
    k, v = tf.pad(k, fill), tf.pad(tf.concat([v, tf.ones_like(v[..., :1])], axis=-1), fill)
    largest = tf.reduce_sum(q * tf.zeros(d), -1, keepdims=True) - 1e9
    state = tf.zeros_like(q[..., :1]) * tf.zeros(v.shape[-1])
    for i in range(0, blocks * block_size, block_size):
        scores = tf.matmul(q, k[..., i : i + block_size, :], transpose_b=True) / tf.sqrt(float(d))
        scores = scores + hidden[i : i + block_size]
        highest = tf.stop_gradient(tf.maximum(largest, tf.reduce_max(scores, axis=-1, keepdims=True)))
        state = tf.exp(largest - highest) * state + tf.matmul(
            tf.exp(scores - highest), v[..., i : i + block_size, :]
        )
        largest = highest
    return state[..., :-1] / state[..., -1:]


@correct("tiled_attention")
@tf.function
def compiled_loop(q, k, v, block_size):
    """A loop of TensorFlow's, of any number of blocks."""
    n_k = tf.shape(k)[-2]

    def step(start, largest, total, summed):
        end = tf.minimum(start + block_size, n_k)
        scores = tf.matmul(q, k[..., start:end, :], transpose_b=True) / math.sqrt(q.shape[-1])
        highest = tf.maximum(largest, tf.reduce_max(scores, axis=-1))
        weights = tf.exp(scores - highest[..., None])
        total = total * tf.exp(largest - highest) + tf.reduce_sum(weights, axis=-1)
        summed = summed * tf.exp(largest - highest)[..., None] + weights @ v[..., start:end, :]
        return start + block_size, highest, total, summed

    zeros = tf.zeros_like(q[..., 0])
    begin = (0, zeros - np.inf, zeros, zeros[..., None] * tf.zeros(v.shape[-1]))
    *_, total, summed = tf.while_loop(lambda start, *_: start < n_k, step, begin)
    return tf.math.divide_no_nan(summed, total[..., None])


@correct("tiled_attention")
def tiles_of_queries_too(q, k, v, block_size):
    tiles = [
        tiled_attention(q[..., i : i + block_size, :], k, v, block_size)
        for i in range(0, q.shape[-2], block_size)
    ]
    return tf.concat(tiles, axis=-2)


def in_tiles(
    q,
    k,
    v,
    block_size,
    *,
    scale=lambda q, keys: math.sqrt(q.shape[-1]),
    maximum=tf.maximum,
    of_block=lambda scores: tf.reduce_max(scores, -1, keepdims=True),
    first=-np.inf,
    of_sum=lambda earlier, now: tf.exp(earlier - now),
    of_output=lambda earlier, now: tf.exp(earlier - now),
    end=lambda summed, total: summed / total,
    last=None,
):
    """The exercise with parts that can be got wrong."""
    largest, total, summed = first, 0.0, 0.0
    for start in range(0, k.shape[-2] if last is None else last, block_size):
        keys, values = (x[..., start : start + block_size, :] for x in (k, v))
        scores = tf.matmul(q, keys, transpose_b=True) / scale(q, keys)
        highest = maximum(largest, of_block(scores))
        weights = tf.exp(scores - highest)
        total = of_sum(largest, highest) * total + tf.reduce_sum(weights, -1, keepdims=True)
        summed = of_output(largest, highest) * summed + tf.matmul(weights, values)
        largest = highest
    return end(summed, total)


def unchanged(earlier, now):
    return 1.0


@wrong("tiled_attention", told="not attempted", slips=0)
def tiles_not_written(q, k, v, block_size):
    raise NotImplementedError


@wrong("tiled_attention", told="quadratic memory")
def all_pairs(q, k, v, block_size):
    scores = tf.matmul(q, k, transpose_b=True) / math.sqrt(q.shape[-1])
    return tf.matmul(tf.nn.softmax(scores), v)


@wrong("tiled_attention", told="quadratic memory")
def blocks_kept(q, k, v, block_size):
    """The scores are made block by block, and put together again."""
    scores = [
        tf.matmul(q, k[..., i : i + block_size, :], transpose_b=True)
        for i in range(0, k.shape[-2], block_size)
    ]
    weights = tf.nn.softmax(tf.concat(scores, axis=-1) / math.sqrt(q.shape[-1]))
    return tf.matmul(weights, v)


@wrong("tiled_attention", told="quadratic memory")
def outputs_of_blocks_kept(q, k, v, block_size):
    """Right for each block, and put together in the end: an output for each block is kept."""
    outputs, logs = [], []
    for i in range(0, k.shape[-2], block_size):
        scores = tf.matmul(q, k[..., i : i + block_size, :], transpose_b=True) / math.sqrt(q.shape[-1])
        outputs.append(tf.nn.softmax(scores) @ v[..., i : i + block_size, :])
        logs.append(tf.reduce_logsumexp(scores, axis=-1, keepdims=True))
    shares = tf.nn.softmax(tf.stack(logs), axis=0)
    return tf.reduce_sum(shares * tf.stack(outputs), axis=0)


@wrong("tiled_attention", told="block size ignored")
def blocks_of_sixty_four(q, k, v, block_size):
    return tiled_attention(q, k, v, 64)


@wrong("tiled_attention", told="all keys at once")
def tiles_of_queries_alone(q, k, v, block_size):
    tiles = [all_pairs(q[..., i : i + 16, :], k, v, None) for i in range(0, q.shape[-2], 16)]
    return tf.concat(tiles, axis=-2)


@wrong("tiled_attention", told="all keys at once")
def one_query_at_a_time(q, k, v, block_size):
    rows = [all_pairs(q[..., i : i + 1, :], k, v, None) for i in range(q.shape[-2])]
    return tf.concat(rows, axis=-2)


@wrong("tiled_attention", told="no scaling")
def tiles_unscaled(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, scale=lambda q, keys: 1.0)


@wrong("tiled_attention", told="divided by d")
def scaled_in_and_outside(q, k, v, block_size):
    return in_tiles(q / math.sqrt(q.shape[-1]), k, v, block_size)


@wrong("tiled_attention", told="divided by the root of the number of keys")
def scaled_by_the_block(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, scale=lambda q, keys: math.sqrt(keys.shape[-2]))


@wrong("tiled_attention", told="scaled after softmax")
def scaled_in_the_end(q, k, v, block_size):
    return tiles_unscaled(q, k, v, block_size) / math.sqrt(q.shape[-1])


@wrong("tiled_attention", told="sum not rescaled")
def sum_as_it_was(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, of_sum=unchanged)


@wrong("tiled_attention", told="output not rescaled")
def output_as_it_was(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, of_output=unchanged)


@wrong("tiled_attention", told="nothing rescaled")
def both_as_they_were(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, of_sum=unchanged, of_output=unchanged)


@wrong("tiled_attention", told="nothing rescaled")
def maximum_of_each_block(q, k, v, block_size):
    own = lambda largest, of_block: of_block  # noqa: E731
    return in_tiles(q, k, v, block_size, maximum=own, of_sum=unchanged, of_output=unchanged)


@wrong(
    "tiled_attention", told="rescaled the wrong way round", because="nan where the factor is infinite"
)
def grows_instead(q, k, v, block_size):
    largest = total = summed = None
    for i in range(0, k.shape[-2], block_size):
        keys, values = k[..., i : i + block_size, :], v[..., i : i + block_size, :]
        scores = tf.matmul(q, keys, transpose_b=True) / math.sqrt(q.shape[-1])
        of_block = tf.reduce_max(scores, -1, keepdims=True)
        highest = of_block if largest is None else tf.maximum(largest, of_block)
        weights = tf.exp(scores - highest)
        sums = tf.reduce_sum(weights, -1, keepdims=True), tf.matmul(weights, values)
        if largest is None:
            total, summed = sums
        else:
            factor = tf.exp(highest - largest)
            total, summed = total * factor + sums[0], summed * factor + sums[1]
        largest = highest
    return summed / total


@wrong("tiled_attention", told="new block rescaled as well")
def rescaled_too_late(q, k, v, block_size):
    largest, total, summed = tf.reduce_max(q[..., :1] * 0.0, -1, keepdims=True), 0.0, 0.0
    for i in range(0, k.shape[-2], block_size):
        keys, values = k[..., i : i + block_size, :], v[..., i : i + block_size, :]
        scores = tf.matmul(q, keys, transpose_b=True) / math.sqrt(q.shape[-1])
        of_block = tf.reduce_max(scores, -1, keepdims=True)
        highest = tf.maximum(largest, of_block) if i else of_block
        weights, factor = tf.exp(scores - highest), tf.exp(largest - highest) if i else 1.0
        total = factor * (total + tf.reduce_sum(weights, -1, keepdims=True))
        summed = factor * (summed + tf.matmul(weights, values))
        largest = highest
    return summed / total


@wrong("tiled_attention", told="sum overwritten")
def sum_of_the_last_block(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, of_sum=lambda earlier, now: 0.0)


@wrong("tiled_attention", told="output overwritten")
def output_of_the_last_block(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, of_output=lambda earlier, now: 0.0)


@wrong("tiled_attention", told="softmax in each block")
def softmax_of_each_block(q, k, v, block_size):
    output = 0.0
    for i in range(0, k.shape[-2], block_size):
        output += all_pairs(q, k[..., i : i + block_size, :], v[..., i : i + block_size, :], None)
    return output


@wrong("tiled_attention", told="softmax in each block")
def mean_of_the_blocks(q, k, v, block_size):
    return softmax_of_each_block(q, k, v, block_size) / math.ceil(k.shape[-2] / block_size)


@wrong("tiled_attention", told="divided in every step")
def mean_taken_for_the_sum(q, k, v, block_size):
    largest, total, output = -np.inf, 0.0, 0.0
    for i in range(0, k.shape[-2], block_size):
        keys, values = k[..., i : i + block_size, :], v[..., i : i + block_size, :]
        scores = tf.matmul(q, keys, transpose_b=True) / math.sqrt(q.shape[-1])
        highest = tf.maximum(largest, tf.reduce_max(scores, -1, keepdims=True))
        weights, factor = tf.exp(scores - highest), tf.exp(largest - highest)
        total = factor * total + tf.reduce_sum(weights, -1, keepdims=True)
        output = (factor * output + tf.matmul(weights, values)) / total
        largest = highest
    return output


@wrong("tiled_attention", told="not divided by the sum")
def sum_for_the_mean(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, end=lambda summed, total: summed)


@wrong("tiled_attention", told="last block dropped")
def full_blocks_alone(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, last=k.shape[-2] // block_size * block_size)


@wrong("tiled_attention", told="padding counted")
def zeros_take_part(q, k, v, block_size):
    missing = -k.shape[-2] % block_size
    fill = [[0, 0]] * (len(k.shape) - 2) + [[0, missing], [0, 0]]
    return in_tiles(q, tf.pad(k, fill), tf.pad(v, fill), block_size)


@wrong("tiled_attention", told="one block alone")
def returns_in_the_loop(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, last=block_size)


@wrong("tiled_attention", told="keys used as values")
def tiles_of_keys(q, k, v, block_size):
    return tiled_attention(q, k, k, block_size)


@wrong("tiled_attention", told="maximum not subtracted")
def bare_exponentials(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, maximum=lambda largest, of_block: 0.0, first=0.0)


@wrong("tiled_attention", told="maximum not carried")
def latest_maximum(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, maximum=lambda largest, of_block: of_block)


@wrong("tiled_attention", told="maximum starts at 0")
def starts_at_zero(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, first=0.0)


@wrong("tiled_attention", told="one maximum for all queries")
def one_maximum_for_all(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, of_block=tf.reduce_max)


@wrong("tiled_attention", told="nothing finite", because="no value is a number")
def infinite_factor(q, k, v, block_size):
    grown = lambda earlier, now: tf.exp(now - earlier)  # noqa: E731
    return in_tiles(q, k, v, block_size, of_sum=grown, of_output=grown)


@wrong("tiled_attention", told="wrong type", slips=0)
def output_and_weights_in_tiles(q, k, v, block_size):
    return tiled_attention(q, k, v, block_size), None


@wrong("tiled_attention", told="gradient cut off")
def queries_without_gradient(q, k, v, block_size):
    return tiled_attention(tf.stop_gradient(q), k, v, block_size)


@wrong("tiled_attention", told="random", because="no value can be compared")
def tiles_with_dropout(q, k, v, block_size):
    return tf.nn.dropout(tiled_attention(q, k, v, block_size), 0.5)


@wrong("tiled_attention", told="no scaling", slips=2, also=("sum not rescaled",))
def unscaled_and_sum_as_it_was(q, k, v, block_size):
    return in_tiles(q, k, v, block_size, scale=lambda q, keys: 1.0, of_sum=unchanged)


# --- linear attention ------------------------------------------------------------------------


@correct("linear_attention")
class LinearAttention(Heads):
    projections = ("W_q", "W_k", "W_v")

    def project(self, x):
        return self.W_q(x), self.W_k(x), self.W_v(x)

    def feature(self, x):
        return tf.nn.elu(x) + 1.0

    def attend(self, q, k, v):
        q, k = self.feature(q), self.feature(k)
        summary = tf.matmul(k, v, transpose_a=True)
        return tf.matmul(q, summary) / self.normaliser(q, k)

    def normaliser(self, q, k):
        return tf.reduce_sum(q * tf.reduce_sum(k, axis=-2, keepdims=True), axis=-1, keepdims=True)


@correct("linear_attention")
class ColumnOfOnes(LinearAttention):
    """The sum of the weights as one more column of the values."""

    def attend(self, q, k, v):
        q, k = self.feature(q), self.feature(k)
        extended = tf.concat([v, tf.ones_like(v[..., :1])], axis=-1)
        result = tf.matmul(q, tf.matmul(k, extended, transpose_a=True))
        return result[..., :-1] / result[..., -1:]


@correct("linear_attention")
class LinearEinsum(layers.Layer):
    def __init__(self, num_heads, key_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.key_dim = num_heads, key_dim
        self.W_q, self.W_k, self.W_v = (layers.Dense(num_heads * key_dim) for _ in range(3))

    def build(self, input_shape):
        self.W_o = layers.Dense(input_shape[-1])
        super().build(input_shape)

    def call(self, x):
        shape = (-1, x.shape[1], self.num_heads, self.key_dim)
        q, k, v = (tf.reshape(W(x), shape) for W in (self.W_q, self.W_k, self.W_v))
        q, k = (tf.where(y > 0, y + 1.0, tf.exp(tf.minimum(y, 0.0))) for y in (q, k))
        summary = tf.einsum("bnhp,bnhr->bhpr", k, v)
        total = tf.einsum("bnhp,bhp->bnh", q, tf.reduce_sum(k, axis=1)) + 1e-6
        output = tf.einsum("bnhp,bhpr,bnh->bnhr", q, summary, 1.0 / total)
        return self.W_o(tf.reshape(output, (-1, x.shape[1], self.num_heads * self.key_dim)))

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads, "key_dim": self.key_dim}


@correct("linear_attention")
class OuterProducts(LinearAttention):
    """Token by token what is added to the summary, (B, h, N, p, p): large, but linear in N."""

    def attend(self, q, k, v):
        q, k = self.feature(q), self.feature(k)
        summary = tf.reduce_sum(k[..., :, None] * v[..., None, :], axis=2, keepdims=True)
        output = tf.reduce_sum(q[..., :, None] * summary, axis=-2)
        return output / self.normaliser(q, k)


@correct("linear_attention")
class CompiledInside(LinearAttention):
    @tf.function
    def attend(self, q, k, v):
        q, k = self.feature(q), self.feature(k)
        summary, total = tf.matmul(k, v, transpose_a=True), tf.reduce_sum(k, axis=-2)
        return tf.matmul(q, summary) / tf.linalg.matvec(q, total)[..., None]


@wrong("linear_attention", told="not attempted", slips=0)
class LinearNotWritten(layers.Layer):
    def __init__(self, num_heads, key_dim, **kwargs):
        raise NotImplementedError


@wrong("linear_attention", told="quadratic cost")
class QuadraticForm(LinearAttention):
    def attend(self, q, k, v):
        weights = tf.matmul(self.feature(q), self.feature(k), transpose_b=True)
        return tf.matmul(weights / tf.reduce_sum(weights, axis=-1, keepdims=True), v)


@wrong("linear_attention", told="quadratic cost")
class QuadraticInACompiledFunction(LinearAttention):
    @tf.function
    def attend(self, q, k, v):
        weights = tf.matmul(self.feature(q), self.feature(k), transpose_b=True)
        return tf.matmul(weights, v) / tf.reduce_sum(weights, axis=-1, keepdims=True)


@wrong("linear_attention", told="quadratic cost")
class QuadraticForTheSum(LinearAttention):
    """The summary is linear; the sum of the weights goes through all pairs."""

    def normaliser(self, q, k):
        return tf.reduce_sum(tf.matmul(q, k, transpose_b=True), axis=-1, keepdims=True)


@wrong("linear_attention", told="quadratic cost")
class QueryByQuery(LinearAttention):
    """No array has N² entries, but N arrays of N are made one after the other."""

    def attend(self, q, k, v):
        q, k = self.feature(q), self.feature(k)
        rows = []
        for i in range(q.shape[-2]):
            weights = tf.linalg.matvec(k, q[..., i, :])[..., None, :]
            rows.append(tf.matmul(weights, v) / tf.reduce_sum(weights, -1, keepdims=True))
        return tf.concat(rows, axis=-2)


@wrong("linear_attention", told="not divided by the sum of the weights")
class NotDivided(LinearAttention):
    def normaliser(self, q, k):
        return 1.0


@wrong("linear_attention", told="divided by the number of tokens")
class DividedByTokens(LinearAttention):
    def normaliser(self, q, k):
        return float(k.shape[-2])


@wrong("linear_attention", told="weights summed over the queries")
class SummedOverQueries(LinearAttention):
    def normaliser(self, q, k):
        return tf.reduce_sum(k * tf.reduce_sum(q, axis=-2, keepdims=True), axis=-1, keepdims=True)


@wrong("linear_attention", told="one sum for all queries")
class OneSumForAll(LinearAttention):
    def normaliser(self, q, k):
        return tf.reduce_sum(super().normaliser(q, k), axis=-2, keepdims=True)


@wrong("linear_attention", told="elu without + 1")
class EluAlone(LinearAttention):
    def feature(self, x):
        return tf.nn.elu(x)


@wrong("linear_attention", told="ReLU for φ")
class ReLUFeatures(LinearAttention):
    def feature(self, x):
        return tf.nn.relu(x)

    def attend(self, q, k, v):
        q, k = self.feature(q), self.feature(k)
        output = tf.matmul(q, tf.matmul(k, v, transpose_a=True))
        return tf.math.divide_no_nan(output, self.normaliser(q, k))


@wrong("linear_attention", told="weights sum to 0", because="no value is a number")
class DividedByZero(LinearAttention):
    def normaliser(self, q, k):
        return tf.nn.relu(-super().normaliser(q, k))


@wrong("linear_attention", told="exponential for φ")
class ExponentialFeatures(LinearAttention):
    def feature(self, x):
        return tf.exp(x)


@wrong("linear_attention", told="φ of the queries only")
class KeysAsTheyAre(LinearAttention):
    def attend(self, q, k, v):
        q = self.feature(q)
        return tf.matmul(q, tf.matmul(k, v, transpose_a=True)) / self.normaliser(q, k)


@wrong("linear_attention", told="scaled by √p")
class ScaledQueries(LinearAttention):
    def attend(self, q, k, v):
        return super().attend(q / math.sqrt(self.key_dim), k, v)


@wrong("linear_attention", told="softmax of queries and keys")
class SoftmaxFeatures(LinearAttention):
    def attend(self, q, k, v):
        q, k = tf.nn.softmax(q, axis=-1), tf.nn.softmax(k, axis=-2)
        return tf.matmul(q, tf.matmul(k, v, transpose_a=True))


@wrong("linear_attention", told="causal")
class Causal(LinearAttention):
    def attend(self, q, k, v):
        q, k = self.feature(q), self.feature(k)
        summary = tf.cumsum(k[..., :, None] * v[..., None, :], axis=2)
        total = tf.cumsum(k, axis=2)
        output = tf.reduce_sum(q[..., :, None] * summary, axis=-2)
        return output / tf.reduce_sum(q * total, axis=-1, keepdims=True)


@wrong("linear_attention", told="standard attention", also=("quadratic cost",))
class SoftmaxAttention(LinearAttention):
    def attend(self, q, k, v):
        scores = tf.matmul(q, k, transpose_b=True) / math.sqrt(self.key_dim)
        return tf.matmul(tf.nn.softmax(scores), v)


@wrong("linear_attention", told="keys from W_q")
class SharedKeys(LinearAttention):
    def project(self, x):
        self.W_k(x)
        q = self.W_q(x)
        return q, q, self.W_v(x)


@wrong("linear_attention", told="heads split without transposing")
class SplitByReshape(LinearAttention):
    def split(self, x):
        _, N, _ = x.shape
        return tf.reshape(x, (-1, self.num_heads, N, self.key_dim))


@wrong("linear_attention", told="no gradient")
class GradientStopped(LinearAttention):
    def normaliser(self, q, k):
        return super().normaliser(q, k)

    def attend(self, q, k, v):
        return super().attend(tf.stop_gradient(q), k, v)


@wrong("linear_attention", told="wrong type", slips=0)
class ThroughNumPy(LinearAttention):
    def call(self, x):
        return np.asarray(x)


@wrong("linear_attention", told="output projection missing")
class LinearReturnsHeads(LinearAttention):
    def call(self, x):
        q, k, v = (self.split(y) for y in self.project(x))
        return self.merge(self.attend(q, k, v))


@wrong("linear_attention", told="queries from W_k")
class QueriesFromKeys(LinearAttention):
    """W_q is made and never called."""

    def project(self, x):
        k = self.W_k(x)
        return k, k, self.W_v(x)


@wrong("linear_attention", told="scaled by √p")
class BothScaled(LinearAttention):
    def feature(self, x):
        return super().feature(x * self.key_dim**-0.25)


@wrong("linear_attention", told="ReLU for φ")
class ReLUAndALittle(ReLUFeatures):
    def feature(self, x):
        return tf.nn.relu(x) + 1e-3


@wrong("linear_attention", told="bias missing")
class OneBiasMissing(LinearAttention):
    def build(self, input_shape):
        super().build(input_shape)
        self.W_k = layers.Dense(self.num_heads * self.key_dim, use_bias=False)


@wrong(
    "linear_attention", told="elu without + 1", slips=2, also=("not divided by the sum of the weights",)
)
class EluAloneNotDivided(EluAlone):
    def normaliser(self, q, k):
        return 1.0


# --- the constraint --------------------------------------------------------------------------


@correct("orthonormal")
class Orthonormal(tf_keras.constraints.Constraint):
    def __init__(self, beta=0.01):
        self.beta = beta

    def __call__(self, w):
        return (1 + self.beta) * w - self.beta * self.cube(w)

    def cube(self, w):
        return tf.matmul(tf.matmul(w, w, transpose_b=True), w)

    def get_config(self):
        return {"beta": self.beta}


@correct("orthonormal")
class RightToLeft(Orthonormal):
    """w(wᵀw) = (wwᵀ)w."""

    def cube(self, w):
        return w @ (tf.transpose(w) @ w)


@correct("orthonormal")
class StepTowardsOrthonormal(Orthonormal):
    def __call__(self, w):
        gap = tf.eye(tf.shape(w)[0]) - tf.matmul(w, w, transpose_b=True)
        return w + self.beta * tf.matmul(gap, w)


@correct("orthonormal")
class WithEinsum(Orthonormal):
    def cube(self, w):
        return tf.einsum("ij,kj,kl->il", w, w, w)


@correct("orthonormal")
class SingularValues(tf_keras.constraints.Constraint):
    """Each singular value s becomes (1 + β)s − βs³."""

    def __init__(self, beta: float = 0.01):
        self.beta = tf.constant(beta, tf.float32)

    def __call__(self, w):
        s, u, v = tf.linalg.svd(tf.convert_to_tensor(w))
        s = (1 + self.beta) * s - self.beta * s**3
        return tf.matmul(u * s, v, transpose_b=True)

    def get_config(self):
        return {"beta": float(self.beta)}


@wrong("orthonormal", told="not attempted", slips=0)
class ConstraintNotWritten(Orthonormal):
    def __call__(self, w):
        raise NotImplementedError


@wrong("orthonormal", told="not attempted", slips=0)
class ConstraintForgotToReturn(Orthonormal):
    def __call__(self, w):
        (1 + self.beta) * w - self.beta * self.cube(w)


@wrong("orthonormal", told="matrix unchanged", slips=0)
class Unchanged(Orthonormal):
    def __call__(self, w):
        return w


@wrong("orthonormal", told="1 + β forgotten")
class Shrinks(Orthonormal):
    def __call__(self, w):
        return w - self.beta * self.cube(w)


@wrong("orthonormal", told="1 − β for 1 + β")
class AwayFromOrthonormal(Orthonormal):
    def __call__(self, w):
        return (1 - self.beta) * w + self.beta * self.cube(w)


@wrong("orthonormal", told="terms added")
class Grows(Orthonormal):
    def __call__(self, w):
        return (1 + self.beta) * w + self.beta * self.cube(w)


@wrong("orthonormal", told="β before the second term forgotten")
class SecondBetaForgotten(Orthonormal):
    def __call__(self, w):
        return (1 + self.beta) * w - self.cube(w)


@wrong("orthonormal", told="multiplied entry by entry")
class EntryByEntry(Orthonormal):
    def cube(self, w):
        return w * w * w


@wrong("orthonormal", told="not transposed")
class NotTransposed(Orthonormal):
    def cube(self, w):
        return w @ w @ w


@wrong("orthonormal", told="only wwᵀ subtracted")
class ProductMissing(Orthonormal):
    def cube(self, w):
        return tf.matmul(w, w, transpose_b=True)


@wrong("orthonormal", told="β fixed")
class BetaFixed(Orthonormal):
    def __call__(self, w):
        return 1.01 * w - 0.01 * self.cube(w)


@wrong("orthonormal", told="wrong default")
class AnotherDefault(Orthonormal):
    def __init__(self, beta=0.001):
        super().__init__(beta)


@wrong("orthonormal", told="orthonormal at once")
class AtOnce(Orthonormal):
    def __call__(self, w):
        _, u, v = tf.linalg.svd(w)
        return tf.matmul(u, v, transpose_b=True)


@wrong("orthonormal", told="rows of length 1")
class UnitRows(Orthonormal):
    def __call__(self, w):
        return tf.math.l2_normalize(w, axis=1)


@wrong("orthonormal", told="columns of length 1")
class UnitColumns(Orthonormal):
    def __call__(self, w):
        return tf.math.l2_normalize(w, axis=0)


@wrong("orthonormal", told="a penalty, not a matrix")
class Penalty(Orthonormal):
    def __call__(self, w):
        gap = tf.matmul(w, w, transpose_b=True) - tf.eye(tf.shape(w)[0])
        return self.beta * tf.reduce_sum(gap**2)


@wrong("orthonormal", told="config incomplete")
class EmptyConfig(Orthonormal):
    def get_config(self):
        return {}


@wrong("orthonormal", told="config incomplete")
class ConfigUnderAnotherName(Orthonormal):
    def get_config(self):
        return {"strength": self.beta}


@wrong("orthonormal", told="no Constraint")
class NoConstraint:
    def __init__(self, beta=0.01):
        self.beta = beta

    def __call__(self, w):
        return (1 + self.beta) * w - self.beta * w @ tf.transpose(w) @ w

    def get_config(self):
        return {"beta": self.beta}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@wrong("orthonormal", told="changed in place")
class AssignedInPlace(Orthonormal):
    def __call__(self, w):
        return w.assign(super().__call__(w))


@wrong("orthonormal", told="ones for the identity")
class OnesForTheIdentity(Orthonormal):
    def __call__(self, w):
        return w - self.beta * (w @ tf.transpose(w) - 1.0) @ w


@wrong("orthonormal", told="β for 1 + β")
class OneForgotten(Orthonormal):
    def __call__(self, w):
        return self.beta * w - self.beta * self.cube(w)


@wrong("orthonormal", told="terms added", slips=2, also=("β fixed",))
class GrowsByFixedSteps(Orthonormal):
    def __call__(self, w):
        return 1.01 * w + 0.01 * self.cube(w)


# --- the Vision Transformer ------------------------------------------------------------------


def mlp(x, units, rate, activation="gelu"):
    for n in units:
        x = layers.Dropout(rate)(layers.Dense(n, activation=activation)(x))
    return x


def norm(x):
    return layers.LayerNormalization(epsilon=1e-6)(x)


def pre_norm(x, attention, size):
    x = x + attention(norm(x))
    return x + mlp(norm(x), size.mlp_units, size.dropout_rate)


def head(x, size, num_classes):
    x = layers.Dropout(size.head_dropout_rate)(layers.Flatten()(x))
    return layers.Dense(num_classes)(mlp(x, size.head_units, size.head_dropout_rate))


def patches(images, size):
    return PatchTokens(size.patch_size, size.embedding_proj_dim)(images)


def built(
    input_shape, num_classes, size, make_attention, data_augmentation=None,
    block=pre_norm, read=head, tokens=patches, last_norm=norm,
):  # fmt: skip
    """A model of parts that the wrong ones exchange."""
    inputs = layers.Input(input_shape)
    x = tokens(inputs if data_augmentation is None else data_augmentation(inputs), size)
    for _ in range(size.transformer_layers):
        x = block(x, make_attention(), size)
    return tf_keras.Model(inputs, read(last_norm(x), size, num_classes))


@correct("attention_vit")
def create_attention_vit(input_shape, num_classes, size, make_attention, data_augmentation=None):
    return built(input_shape, num_classes, size, make_attention, data_augmentation)


@wrong("attention_vit", told="the kit's own model", slips=0)
def by_the_kit(input_shape, num_classes, size, make_attention, data_augmentation=None):
    tokens = PatchTokens(size.patch_size, size.embedding_proj_dim)
    return create_pre_norm_vit(
        input_shape, num_classes, size, tokens, make_attention, data_augmentation
    )


@correct("attention_vit")
def keras_layers_throughout(input_shape, num_classes, size, make_attention, data_augmentation=None):
    """Add layers, patches by Dense."""
    inputs = layers.Input(shape=input_shape)
    images = data_augmentation(inputs) if data_augmentation else inputs
    side, depth = size.patch_size, images.shape[-1]
    cut = tf.image.extract_patches(images, [1, side, side, 1], [1, side, side, 1], [1] * 4, "VALID")
    cut = layers.Reshape((-1, side * side * depth))(cut)
    x = WithPositions(size.num_patches, size.embedding_proj_dim)(cut)
    for _ in range(size.transformer_layers):
        attended = make_attention()(norm(x))
        x = layers.Add()([attended, x])
        hidden = mlp(norm(x), size.mlp_units, size.dropout_rate)
        x = layers.Add()([hidden, x])
    x = layers.Flatten()(norm(x))
    x = mlp(
        layers.Dropout(size.head_dropout_rate)(x), size.head_units, size.head_dropout_rate, tf.nn.gelu
    )
    return tf_keras.Model(inputs=inputs, outputs=layers.Dense(num_classes, name="logits")(x))


class WithPositions(layers.Layer):
    def __init__(self, num_patches, width):
        super().__init__()
        self.projection = layers.Dense(width)
        self.positions = self.add_weight("positions", (1, num_patches, width))

    def call(self, cut):
        return self.projection(cut) + self.positions


@correct("attention_vit")
def as_a_subclass(input_shape, num_classes, size, make_attention, data_augmentation=None):
    model = Subclass(num_classes, size, make_attention, data_augmentation)
    model(tf.zeros((1, *input_shape)))
    return model


class Subclass(tf_keras.Model):
    def __init__(self, num_classes, size, make_attention, augment):
        super().__init__()
        self.augment = augment or (lambda images: images)
        self.tokens = PatchTokens(size.patch_size, size.embedding_proj_dim)
        self.blocks = [Block(make_attention(), size) for _ in range(size.transformer_layers)]
        self.norm, self.flatten = layers.LayerNormalization(epsilon=1e-6), layers.Flatten()
        self.drop = layers.Dropout(size.head_dropout_rate)
        self.hidden = [layers.Dense(n, "gelu") for n in size.head_units]
        self.logits = layers.Dense(num_classes)

    def call(self, images):
        x = self.tokens(self.augment(images))
        for block in self.blocks:
            x = block(x)
        x = self.drop(self.flatten(self.norm(x)))
        for dense in self.hidden:
            x = self.drop(dense(x))
        return self.logits(x)


class Block(layers.Layer):
    def __init__(self, attention, size):
        super().__init__()
        self.attention = attention
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]
        self.mlp = tf_keras.Sequential()
        for n in size.mlp_units:
            self.mlp.add(layers.Dense(n, "gelu"))
            self.mlp.add(layers.Dropout(size.dropout_rate))

    def call(self, x):
        x = self.attention(self.norms[0](x)) + x
        return self.mlp(self.norms[1](x)) + x


@correct("attention_vit")
def head_as_a_sequential(input_shape, num_classes, size, make_attention, data_augmentation=None):
    head = tf_keras.Sequential([layers.LayerNormalization(epsilon=1e-6), layers.Flatten()])
    head.add(layers.Dropout(size.head_dropout_rate))
    for units in size.head_units:
        head.add(layers.Dense(units, tf_keras.activations.gelu))
        head.add(layers.Dropout(size.head_dropout_rate))
    head.add(layers.Dense(num_classes))
    images = tf_keras.Input(input_shape)
    x = images if data_augmentation is None else data_augmentation(images)
    x = PatchTokens(size.patch_size, size.embedding_proj_dim)(x)
    for _ in range(size.transformer_layers):
        x = Block(make_attention(), size)(x)
    return tf_keras.Model(images, head(x))


@correct("attention_vit")
def attentions_made_beforehand(input_shape, num_classes, size, make_attention, data_augmentation=None):
    attentions = iter([make_attention() for _ in range(size.transformer_layers)])
    return built(
        input_shape, num_classes, size, lambda: next(attentions), data_augmentation,
        last_norm=layers.LayerNormalization(epsilon=1e-5),
        block=lambda x, attention, size: pre_norm_1e5(x, attention, size),
    )  # fmt: skip


def pre_norm_1e5(x, attention, size):
    x += attention(layers.LayerNormalization(epsilon=1e-5)(x))
    hidden = layers.LayerNormalization(epsilon=1e-5)(x)
    x += mlp(hidden, size.mlp_units, size.dropout_rate, tf_keras.activations.gelu)
    return x


def variant(told, slips=1, also=(), **parts):
    """Register a model with some parts exchanged as a wrong one, under the function's name."""

    def register(function):
        def create(input_shape, num_classes, size, make_attention, data_augmentation=None):
            sizes = (input_shape, num_classes, size, make_attention, data_augmentation)
            return built(*sizes, **{part: function for part in parts})

        create.__name__ = function.__name__
        wrong("attention_vit", told, slips, also=also)(create)
        return function

    return register


@wrong("attention_vit", told="not attempted", slips=0)
def vit_not_written(input_shape, num_classes, size, make_attention, data_augmentation=None):
    raise NotImplementedError


@wrong("attention_vit", told="not attempted", slips=0)
def vit_not_returned(input_shape, num_classes, size, make_attention, data_augmentation=None):
    built(input_shape, num_classes, size, make_attention, data_augmentation)


@wrong("attention_vit", told="one attention for all blocks")
def one_attention(input_shape, num_classes, size, make_attention, data_augmentation=None):
    attention = make_attention()
    return built(input_shape, num_classes, size, lambda: attention, data_augmentation)


@wrong("attention_vit", told="raised an error", because="no model with a block can be made")
def factory_called_on_tokens(input_shape, num_classes, size, make_attention, data_augmentation=None):
    return built(input_shape, num_classes, size, lambda: make_attention, data_augmentation)


@wrong("attention_vit", told="augmentation not switched")
def never_augments(input_shape, num_classes, size, make_attention, data_augmentation=None):
    def augment(images):
        return data_augmentation(images, training=False)

    switched = None if data_augmentation is None else augment
    return built(input_shape, num_classes, size, make_attention, switched)


@wrong("attention_vit", told="augmentation always on")
def augmentation_always_on(input_shape, num_classes, size, make_attention, data_augmentation=None):
    def augment(images):
        return data_augmentation(images, training=True)

    switched = None if data_augmentation is None else augment
    return built(input_shape, num_classes, size, make_attention, switched)


@wrong("attention_vit", told="dropout rates swapped or unused")
def rates_swapped(input_shape, num_classes, size, make_attention, data_augmentation=None):
    return built(
        input_shape, num_classes, size, make_attention, data_augmentation,
        block=lambda x, attention, size: pre_norm(x, attention, without_dropout(size)),
    )  # fmt: skip


def without_dropout(size):
    return type(size)(**{**vars(size), "dropout_rate": 0.0})


@wrong("attention_vit", told="wrong number of blocks")
def one_block_short(input_shape, num_classes, size, make_attention, data_augmentation=None):
    fewer = type(size)(**{**vars(size), "transformer_layers": max(size.transformer_layers - 1, 0)})
    return built(input_shape, num_classes, fewer, make_attention, data_augmentation)


@variant("post-norm", block=True)
def post_norm_block(x, attention, size):
    x = norm(x + attention(x))
    return norm(x + mlp(x, size.mlp_units, size.dropout_rate))


@variant("no residuals", block=True)
def no_residuals(x, attention, size):
    return mlp(norm(attention(norm(x))), size.mlp_units, size.dropout_rate)


@variant("attention residual missing", block=True)
def no_attention_sum(x, attention, size):
    x = attention(norm(x))
    return x + mlp(norm(x), size.mlp_units, size.dropout_rate)


@variant("MLP residual missing", block=True)
def no_mlp_sum(x, attention, size):
    x = x + attention(norm(x))
    return mlp(norm(x), size.mlp_units, size.dropout_rate)


@variant("normalised tokens added", block=True)
def adds_the_normalised(x, attention, size):
    x = norm(x)
    x = x + attention(x)
    x = norm(x)
    return x + mlp(x, size.mlp_units, size.dropout_rate)


@variant("normalised tokens added", block=True)
def adds_the_normalised_once(x, attention, size):
    x = x + attention(norm(x))
    x = norm(x)
    return x + mlp(x, size.mlp_units, size.dropout_rate)


@variant("first sum lost", block=True)
def first_sum_lost(x, attention, size):
    attended = x + attention(norm(x))
    return x + mlp(norm(attended), size.mlp_units, size.dropout_rate)


@variant("attention and MLP side by side", block=True)
def side_by_side(x, attention, size):
    return x + attention(norm(x)) + mlp(norm(x), size.mlp_units, size.dropout_rate)


@variant("MLP before attention", block=True)
def mlp_first(x, attention, size):
    x = x + mlp(norm(x), size.mlp_units, size.dropout_rate)
    return x + attention(norm(x))


@variant("normalisation missing in the blocks", block=True)
def one_norm_for_both(x, attention, size):
    shared = layers.LayerNormalization(epsilon=1e-6)
    x = x + attention(shared(x))
    return x + mlp(shared(x), size.mlp_units, size.dropout_rate)


@variant("MLP without non-linearity", block=True)
def linear_mlp(x, attention, size):
    x = x + attention(norm(x))
    return x + mlp(norm(x), size.mlp_units, size.dropout_rate, None)


@variant("last layer of the MLP linear", block=True)
def mlp_ends_linear(x, attention, size):
    x = x + attention(norm(x))
    hidden = mlp(norm(x), size.mlp_units[:-1], size.dropout_rate)
    return x + mlp(hidden, size.mlp_units[-1:], size.dropout_rate, None)


@variant("dropout always on", block=True)
def drops_always(x, attention, size):
    x = x + attention(norm(x))
    hidden = mlp(norm(x), size.mlp_units, 0.0)
    return x + layers.Dropout(size.dropout_rate)(hidden, training=True)


@variant("softmax in the model", read=True)
def ends_in_softmax(x, size, num_classes):
    return tf.nn.softmax(head(x, size, num_classes))


@variant("tokens averaged", read=True)
def averages_tokens(x, size, num_classes):
    x = layers.Dropout(size.head_dropout_rate)(layers.GlobalAveragePooling1D()(x))
    return layers.Dense(num_classes)(mlp(x, size.head_units, size.head_dropout_rate))


@variant("hidden layers of the head missing", read=True)
def head_of_one_layer(x, size, num_classes):
    return layers.Dense(num_classes)(layers.Dropout(size.head_dropout_rate)(layers.Flatten()(x)))


@variant("head without non-linearity", read=True)
def linear_head(x, size, num_classes):
    x = layers.Dropout(size.head_dropout_rate)(layers.Flatten()(x))
    return layers.Dense(num_classes)(mlp(x, size.head_units, size.head_dropout_rate, None))


@variant("last normalisation missing", last_norm=True)
def no_last_norm(x):
    return x


@variant("positions missing", tokens=True)
def no_positions(images, size):
    side = size.patch_size
    x = layers.Conv2D(size.embedding_proj_dim, side, strides=side)(images)
    return layers.Reshape((-1, size.embedding_proj_dim))(x)


@variant("positions not trainable", tokens=True)
def positions_out_in_the_open(images, size):
    """An Embedding called on tf.range outside a layer is not tracked."""
    x = no_positions(images, size)
    return x + layers.Embedding(x.shape[1], size.embedding_proj_dim)(tf.range(x.shape[1]))


@variant("dropout missing in the head", read=True)
def no_dropout_before_the_head(x, size, num_classes):
    x = mlp(layers.Flatten()(x), size.head_units, size.head_dropout_rate)
    return layers.Dense(num_classes)(x)


@variant("dropout missing in the head", read=True)
def dropout_once_in_the_head(x, size, num_classes):
    x = layers.Dropout(size.head_dropout_rate)(layers.Flatten()(x))
    return layers.Dense(num_classes)(mlp(x, size.head_units, 0.0))


@variant("dropout rates swapped or unused", read=True)
def head_without_any_dropout(x, size, num_classes):
    return layers.Dense(num_classes)(mlp(layers.Flatten()(x), size.head_units, 0.0))


@variant("dropout missing in the blocks", block=True)
def no_dropout_at_the_end_of_the_mlp(x, attention, size):
    x = x + attention(norm(x))
    hidden = mlp(norm(x), size.mlp_units[:-1], size.dropout_rate)
    return x + layers.Dense(size.mlp_units[-1], "gelu")(hidden)


@variant("dropout too many", block=True)
def dropout_after_attention(x, attention, size):
    x = x + layers.Dropout(size.dropout_rate)(attention(norm(x)))
    return x + mlp(norm(x), size.mlp_units, size.dropout_rate)


@variant("ReLU in place of GELU", block=True)
def rectified_blocks(x, attention, size):
    x = x + attention(norm(x))
    return x + mlp(norm(x), size.mlp_units, size.dropout_rate, "relu")


@wrong("attention_vit", told="ELU in place of GELU")
def elu_throughout(input_shape, num_classes, size, make_attention, data_augmentation=None):
    def block(x, attention, size):
        x = x + attention(norm(x))
        return x + mlp(norm(x), size.mlp_units, size.dropout_rate, "elu")

    def read(x, size, num_classes):
        x = layers.Dropout(size.head_dropout_rate)(layers.Flatten()(x))
        x = mlp(x, size.head_units, size.head_dropout_rate, "elu")
        return layers.Dense(num_classes)(x)

    return built(
        input_shape, num_classes, size, make_attention, data_augmentation, block=block, read=read
    )


@variant("ReLU in place of GELU", read=True)
def rectified_head(x, size, num_classes):
    x = layers.Dropout(size.head_dropout_rate)(layers.Flatten()(x))
    return layers.Dense(num_classes)(mlp(x, size.head_units, size.head_dropout_rate, "relu"))


def with_epsilon(name, epsilon):
    def create(input_shape, num_classes, size, make_attention, data_augmentation=None):
        def normalise(x):
            return layers.LayerNormalization(epsilon=epsilon)(x)

        def block(x, attention, size):
            x = x + attention(normalise(x))
            return x + mlp(normalise(x), size.mlp_units, size.dropout_rate)

        sizes = (input_shape, num_classes, size, make_attention, data_augmentation)
        return built(*sizes, block=block, last_norm=normalise)

    create.__name__ = name
    wrong("attention_vit", "epsilon of the normalisations")(create)


with_epsilon("epsilon_of_a_tenth", 0.1)
with_epsilon("epsilon_as_keras_has_it", 1e-3)


@wrong("attention_vit", told="dropout rates swapped or unused")
def rates_exchanged(input_shape, num_classes, size, make_attention, data_augmentation=None):
    rates = {"dropout_rate": size.head_dropout_rate, "head_dropout_rate": size.dropout_rate}
    exchanged = type(size)(**{**vars(size), **rates})
    return built(input_shape, num_classes, exchanged, make_attention, data_augmentation)


@wrong("attention_vit", told="one block only")
def range_of_one(input_shape, num_classes, size, make_attention, data_augmentation=None):
    one = type(size)(**{**vars(size), "transformer_layers": min(size.transformer_layers, 1)})
    return built(input_shape, num_classes, one, make_attention, data_augmentation)


@wrong("attention_vit", told="number of classes fixed")
def hundred_classes(input_shape, num_classes, size, make_attention, data_augmentation=None):
    return built(input_shape, 100, size, make_attention, data_augmentation)


@variant("images scaled again", tokens=True)
def divided_by_255(images, size):
    return patches(images / 255.0, size)


@variant("tokens scaled", tokens=True)
def tokens_times_root_of_d(images, size):
    side, width = size.patch_size, size.embedding_proj_dim
    x = layers.Reshape((-1, width))(layers.Conv2D(width, side, strides=side)(images))
    return Positions()(x * width**0.5)


class Positions(layers.Layer):
    def build(self, shape):
        self.table = self.add_weight("positions", shape[1:])

    def call(self, x):
        return x + self.table


@variant(None, block=True)
def attention_of_half_strength(x, attention, size):
    x = x + 0.5 * attention(norm(x))
    return x + mlp(norm(x), size.mlp_units, size.dropout_rate)


@variant(None, read=True)
def head_on_shifted_tokens(x, size, num_classes):
    return head(x + 1.0, size, num_classes)


@variant(None, tokens=True)
def tokens_shifted(images, size):
    return patches(images, size) + 0.5


@variant("softmax in the model", 2, ("tokens averaged",), read=True)
def softmax_of_the_mean(x, size, num_classes):
    return tf.nn.softmax(averages_tokens(x, size, num_classes))

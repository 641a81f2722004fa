"""Implementations of attention and of multi-head attention, right and wrong."""

import math

import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp
import tf_keras

from tests.checks.catalogue import correct, wrong
from utilities.checks.core import references
from utilities.checks.kernel.case import NOT_ATTEMPTED, RAISED, WRONG_SHAPE, WRONG_TYPE

Layer = tf_keras.layers.Layer

# Scaled dot-product attention, right


@correct("scaled_dot_product_attention")
def with_keras_softmax(q, k, v, mask=None):
    return references.scaled_dot_product_attention(q, k, v, mask)


@correct("scaled_dot_product_attention")
def scaled_dot_product_attention(q, k, v, mask=None):
    """The plain way; also the earlier step that the layers below build on."""
    scores = tf.matmul(q, k, transpose_b=True)
    scores /= tf.math.sqrt(tf.cast(tf.shape(k)[-1], scores.dtype))
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, scores.dtype.min)
    weights = tf.nn.softmax(scores, axis=-1)
    return tf.matmul(weights, v), weights


@correct("scaled_dot_product_attention")
def einsum_with_minus_infinity(q, k, v, mask=None):
    scores = tf.einsum("...qd,...kd->...qk", q, k) / k.shape[-1] ** 0.5
    if mask is not None:
        scores = tf.where(tf.cast(mask, bool), scores, float("-inf"))
    weights = tf_keras.activations.softmax(scores)
    return tf.einsum("...qk,...kv->...qv", weights, v), weights


@correct("scaled_dot_product_attention")
def softmax_by_hand(q, k, v, mask=None):
    last = list(range(len(k.shape)))
    k_t = tf.transpose(k, [*last[:-2], last[-1], last[-2]])
    scores = tf.multiply(q, 1 / math.sqrt(q.shape[-1])) @ k_t
    exponentials = tf.exp(scores - tf.reduce_max(scores, axis=-1, keepdims=True))
    if mask is not None:
        exponentials *= tf.cast(mask, exponentials.dtype)
    weights = exponentials / tf.reduce_sum(exponentials, axis=-1, keepdims=True)
    return weights @ v, weights


@correct("scaled_dot_product_attention")
def with_experimental_numpy(q, k, v, mask=None):
    scores = tnp.matmul(q, tnp.swapaxes(k, -1, -2)) / math.sqrt(k.shape[-1])
    if mask is not None:
        scores = tnp.where(tf.cast(mask, tf.bool), scores, tf.constant(-np.inf, scores.dtype))
    weights = tf.nn.softmax(scores)
    return tnp.matmul(weights, v), weights


@tf.function
def _traced(q, k, v, mask):
    return scaled_dot_product_attention(q, k, v, mask)


@correct("scaled_dot_product_attention")
def as_a_tf_function(q, k, v, mask=None):
    return _traced(q, k, v, mask)


@correct("scaled_dot_product_attention")
def mask_renormalised(q, k, v, mask=None):
    weights = tf.nn.softmax(q @ tf.linalg.matrix_transpose(k) * float(k.shape[-1]) ** -0.5)
    if mask is not None:
        weights = weights * tf.cast(mask, weights.dtype)
        weights = weights / tf.reduce_sum(weights, axis=-1, keepdims=True)
    return weights @ v, weights


@wrong(
    "scaled_dot_product_attention",
    told="computed in float32",
    because="all is right but the digits of one type",
)
def in_float32_within(q, k, v, mask=None):
    dtype = q.dtype
    q, k, v = (tf.cast(x, tf.float32) for x in (q, k, v))
    scores = tf.linalg.matmul(q, k, transpose_b=True) * tf.math.rsqrt(float(k.shape[-1]))
    if mask is not None:
        scores += (1.0 - tf.cast(mask, tf.float32)) * -1e9
    weights = tf.nn.softmax(scores)
    return tf.cast(weights @ v, dtype), tf.cast(weights, dtype)


@correct("scaled_dot_product_attention")
def through_keras_layers(q, k, v, mask=None):
    scale = tf.cast(tf.shape(q)[-1], q.dtype) ** -0.5
    scores = tf.matmul(scale * q, k, adjoint_b=True)
    mask = None if mask is None else tf.broadcast_to(mask, tf.shape(scores))
    weights = tf_keras.layers.Softmax(axis=-1, dtype=q.dtype)(scores, mask)
    return [tf.reduce_sum(weights[..., None] * v[..., None, :, :], axis=-2), weights]


# Scaled dot-product attention, wrong


def _scores(q, k):
    return tf.matmul(q, k, transpose_b=True)


def _root(length, like):
    return tf.sqrt(tf.cast(length, like.dtype))


def _masked(scores, mask):
    return scores if mask is None else tf.where(tf.cast(mask, bool), scores, scores.dtype.min)


def _finished(scores, v, mask):
    weights = tf.nn.softmax(_masked(scores, mask))
    return weights @ v, weights


def _scaled(q, k):
    return _scores(q, k) / _root(k.shape[-1], q)


@wrong(
    "scaled_dot_product_attention",
    told="gradient cut off",
    because="all is right but the gradient",
)
def weights_without_gradient(q, k, v, mask=None):
    scores = _masked(_scaled(q, k), mask)
    return _finished(tf.stop_gradient(scores), v, mask)


@wrong("scaled_dot_product_attention", told=NOT_ATTEMPTED, slips=0)
def attention_stub(q, k, v, mask=None):
    raise NotImplementedError


@wrong("scaled_dot_product_attention", told="no scaling")
def no_scaling(q, k, v, mask=None):
    return _finished(_scores(q, k), v, mask)


@wrong("scaled_dot_product_attention", told="divided by d_k")
def divided_by_d_k(q, k, v, mask=None):
    return _finished(_scores(q, k) / k.shape[-1], v, mask)


@wrong("scaled_dot_product_attention", told="divided by d_k")
def divided_twice(q, k, v, mask=None):
    root = _root(k.shape[-1], k)
    return _finished(_scores(q / root, k) / root, v, mask)


@wrong("scaled_dot_product_attention", told="multiplied by √d_k")
def multiplied_by_the_root(q, k, v, mask=None):
    return _finished(_scores(q, k) * _root(k.shape[-1], q), v, mask)


@wrong("scaled_dot_product_attention", told="divided by √n_k")
def root_of_the_number_of_keys(q, k, v, mask=None):
    return _finished(_scores(q, k) / _root(k.shape[-2], q), v, mask)


@wrong("scaled_dot_product_attention", told="divided by √n_q")
def root_of_the_number_of_queries(q, k, v, mask=None):
    return _finished(_scores(q, k) / _root(q.shape[-2], q), v, mask)


@wrong("scaled_dot_product_attention", told="divided by √d_v")
def root_of_the_width_of_values(q, k, v, mask=None):
    return _finished(_scores(q, k) / _root(v.shape[-1], q), v, mask)


@wrong("scaled_dot_product_attention", told="scaled after softmax")
def scaled_after_softmax(q, k, v, mask=None):
    weights = tf.nn.softmax(_masked(_scores(q, k), mask)) / _root(k.shape[-1], q)
    return weights @ v, weights


@wrong("scaled_dot_product_attention", told="scaled after softmax")
def output_scaled(q, k, v, mask=None):
    weights = tf.nn.softmax(_masked(_scores(q, k), mask))
    return weights @ v / _root(k.shape[-1], q), weights


@wrong("scaled_dot_product_attention", told=RAISED, because="it stops in all cases but one")
def keys_not_transposed(q, k, v, mask=None):
    return _finished(tf.matmul(q, k) / _root(k.shape[-1], q), v, mask)


@wrong("scaled_dot_product_attention", told=RAISED, because="it stops with any leading axis")
def all_axes_transposed(q, k, v, mask=None):
    return _finished(tf.matmul(q, tf.transpose(k)) / _root(k.shape[-1], q), v, mask)


@wrong("scaled_dot_product_attention", told="keys not transposed")
def keys_reshaped(q, k, v, mask=None):
    shape = tf.shape(k)
    turned = tf.reshape(k, tf.concat([shape[:-2], shape[-1:], shape[-2:-1]], axis=0))
    return _finished(tf.matmul(q, turned) / _root(k.shape[-1], q), v, mask)


@wrong("scaled_dot_product_attention", told="softmax axis")
def softmax_over_queries(q, k, v, mask=None):
    weights = tf.nn.softmax(_masked(_scaled(q, k), mask), axis=-2)
    return weights @ v, weights


@wrong("scaled_dot_product_attention", told="softmax over everything")
def softmax_over_everything(q, k, v, mask=None):
    exponentials = tf.exp(_masked(_scaled(q, k), mask))
    weights = exponentials / tf.reduce_sum(exponentials, axis=[-2, -1], keepdims=True)
    return weights @ v, weights


@wrong("scaled_dot_product_attention", told="no softmax")
def no_softmax(q, k, v, mask=None):
    scores = _scaled(q, k)
    return scores @ v, scores


@wrong("scaled_dot_product_attention", told="softmax twice")
def softmax_twice(q, k, v, mask=None):
    return _finished(tf.nn.softmax(_masked(_scaled(q, k), mask)), v, None)


@wrong("scaled_dot_product_attention", told="sigmoid")
def sigmoid_weights(q, k, v, mask=None):
    weights = tf.sigmoid(_masked(_scaled(q, k), mask))
    return weights @ v, weights


@wrong("scaled_dot_product_attention", told="log of softmax")
def log_softmax(q, k, v, mask=None):
    weights = tf.nn.log_softmax(_masked(_scaled(q, k), mask))
    return weights @ v, weights


@wrong("scaled_dot_product_attention", told="queries and keys normalised")
def cosine_attention(q, k, v, mask=None):
    q, k = tf.math.l2_normalize(q, axis=-1), tf.math.l2_normalize(k, axis=-1)
    return _finished(_scaled(q, k), v, mask)


@wrong("scaled_dot_product_attention", told="mask inverted")
def mask_inverted(q, k, v, mask=None):
    scores = _scaled(q, k)
    if mask is not None:
        scores = tf.where(tf.cast(mask, bool), tf.constant(-np.inf, scores.dtype), scores)
    return _finished(scores, v, None)


@wrong("scaled_dot_product_attention", told="mask inverted", also=("too large for float16",))
def minus_a_billion_times_mask(q, k, v, mask=None):
    scores = _scaled(q, k)
    if mask is not None:
        scores += tf.cast(mask, scores.dtype) * -1e9
    return _finished(scores, v, None)


@wrong("scaled_dot_product_attention", told="mask after softmax")
def mask_after_softmax(q, k, v, mask=None):
    weights = tf.nn.softmax(_scaled(q, k))
    if mask is not None:
        weights *= tf.cast(mask, weights.dtype)
    return weights @ v, weights


@wrong("scaled_dot_product_attention", told="mask added")
def mask_added(q, k, v, mask=None):
    scores = _scaled(q, k)
    if mask is not None:
        scores += tf.cast(mask, scores.dtype)
    return _finished(scores, v, None)


@wrong("scaled_dot_product_attention", told="mask multiplied")
def mask_multiplied(q, k, v, mask=None):
    scores = _scaled(q, k)
    if mask is not None:
        scores *= tf.cast(mask, scores.dtype)
    return _finished(scores, v, None)


@wrong("scaled_dot_product_attention", told="mask ignored")
def mask_ignored(q, k, v, mask=None):
    return _finished(_scaled(q, k), v, None)


@wrong("scaled_dot_product_attention", told="too large for float16")
def minus_a_billion_in_every_type(q, k, v, mask=None):
    scores = _scaled(q, k)
    if mask is not None:
        scores += (1 - tf.cast(mask, scores.dtype)) * -1e9
    return _finished(scores, v, None)


@wrong("scaled_dot_product_attention", told="float32 only")
def root_in_float32(q, k, v, mask=None):
    scores = _scores(q, k) / tf.math.sqrt(tf.cast(tf.shape(k)[-1], tf.float32))
    return _finished(scores, v, mask)


@wrong("scaled_dot_product_attention", told=RAISED)
def mask_must_be_boolean(q, k, v, mask=None):
    scores = _scaled(q, k)
    if mask is not None:
        scores = tf.where(mask, scores, scores.dtype.min)
    return _finished(scores, v, None)


@wrong("scaled_dot_product_attention", told="scores returned")
def returns_the_scores(q, k, v, mask=None):
    scores = _scaled(q, k)
    return tf.nn.softmax(_masked(scores, mask)) @ v, scores


@wrong("scaled_dot_product_attention", told="keys used as values")
def averages_the_keys(q, k, v, mask=None):
    return _finished(_scaled(q, k), k, mask)


@wrong("scaled_dot_product_attention", told="weights transposed")
def weights_transposed(q, k, v, mask=None):
    output, weights = _finished(_scaled(q, k), v, mask)
    return output, tf.linalg.matrix_transpose(weights)


@wrong("scaled_dot_product_attention", told="results swapped")
def weights_first(q, k, v, mask=None):
    return _finished(_scaled(q, k), v, mask)[::-1]


@wrong(
    "scaled_dot_product_attention",
    told="random",
    because="its numbers are random, so nothing can be compared",
)
def dropout_always_on(q, k, v, mask=None):
    weights = tf.nn.dropout(tf.nn.softmax(_masked(_scaled(q, k), mask)), rate=0.3)
    return weights @ v, weights


@wrong("scaled_dot_product_attention", told=WRONG_TYPE, slips=0)
def in_numpy(q, k, v, mask=None):
    scores = np.asarray(q) @ np.swapaxes(k, -1, -2) / np.sqrt(k.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights @ np.asarray(v), weights


@wrong("scaled_dot_product_attention", told="gradient cut off")
def through_numpy_and_back(q, k, v, mask=None):
    output, weights = in_numpy(*(x.numpy() for x in (q, k, v)), mask)
    return tf.constant(output), tf.constant(weights)


@wrong("scaled_dot_product_attention", told="weights not returned")
def output_only(q, k, v, mask=None):
    return _finished(_scaled(q, k), v, mask)[0]


@wrong("scaled_dot_product_attention", told=RAISED)
def two_leading_dimensions_only(q, k, v, mask=None):
    scores = tf.einsum("bqd,bkd->bqk", q, k) / _root(k.shape[-1], q)
    return _finished(scores, v, mask)


@wrong(
    "scaled_dot_product_attention",
    told=None,
    because="the mask hides a little in one case and much in another: no formula explains it",
)
def mask_too_weak(q, k, v, mask=None):
    scores = _scaled(q, k)
    if mask is not None:
        scores -= 3 * (1 - tf.cast(mask, scores.dtype))
    return _finished(scores, v, None)


# Multi-head attention, right


class Heads(Layer):
    """The plain way, with hooks in which the layers below differ; no entry itself."""

    def __init__(self, num_heads, proj_dim, return_attention_weights=False, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.proj_dim = num_heads, proj_dim
        self.return_attention_weights = return_attention_weights
        self.made = False

    def make(self, q, k, v):
        h, p = self.num_heads, self.proj_dim
        for name, x in (("W_q", q), ("W_k", k), ("W_v", v)):
            setattr(self, name, self.add_weight(name, (h, x.shape[-1], p)))
        self.W_o = self.add_weight("W_o", (h * p, p))
        self.made = True

    def call(self, q, k, v, mask=None):
        if not self.made:
            self.make(q, k, v)
        q, k, v = (self.project(x, W) for x, W in ((q, self.W_q), (k, self.W_k), (v, self.W_v)))
        heads, weights = self.attend(q, k, v, mask)
        return self.results(self.finish(self.merge(heads)), weights)

    def project(self, x, W):
        return tf.einsum("bnd,hdp->bhnp", x, W)

    def attend(self, q, k, v, mask):
        return scaled_dot_product_attention(q, k, v, mask)

    def merge(self, heads):
        n_q = heads.shape[2]
        return tf.reshape(tf.transpose(heads, [0, 2, 1, 3]), (-1, n_q, self.num_heads * self.proj_dim))

    def finish(self, merged):
        return merged @ self.W_o

    def results(self, output, weights):
        return (output, weights) if self.return_attention_weights else output

    def get_config(self):
        return super().get_config() | {
            "num_heads": self.num_heads,
            "proj_dim": self.proj_dim,
            "return_attention_weights": self.return_attention_weights,
        }


@correct("multi_head_attention")
class WithEinsum(Heads):
    pass


@correct("multi_head_attention")
class WithLoopOverHeads(Layer):
    def __init__(self, num_heads, proj_dim, return_attention_weights=False, **kwargs):
        super().__init__(**kwargs)
        self.h, self.p, self.return_weights = num_heads, proj_dim, return_attention_weights

    def make(self, q, k, v):
        for name, x in (("W_q", q), ("W_k", k), ("W_v", v)):
            shape = (self.h, x.shape[-1], self.p)
            weight = self.add_weight(name=name, shape=shape, initializer="he_normal")
            setattr(self, name, weight)
        self.W_o = self.add_weight(name="W_o", shape=(self.h * self.p, self.p))

    def call(self, q, k, v, mask=None):
        if not hasattr(self, "W_q"):
            self.make(q, k, v)
        heads, weights = [], []
        for i in range(self.h):
            one = scaled_dot_product_attention(
                q @ self.W_q[i], k @ self.W_k[i], v @ self.W_v[i], self.mask_of(i, mask)
            )
            heads.append(one[0])
            weights.append(one[1])
        output = tf.concat(heads, axis=-1) @ self.W_o
        return (output, tf.stack(weights, axis=1)) if self.return_weights else output

    def mask_of(self, i, mask):
        if mask is None or len(mask.shape) < 4:
            return mask
        return mask[:, i] if mask.shape[1] > 1 else mask[:, 0]

    def get_config(self):
        config = {"num_heads": self.h, "proj_dim": self.p}
        return {**config, "return_attention_weights": self.return_weights}


@correct("multi_head_attention")
class WithFusedProjections(Heads):
    def project(self, x, W):
        h, d, p = W.shape
        fused = tf.reshape(tf.transpose(W, [1, 0, 2]), (d, h * p))
        return tf.transpose(tf.reshape(x @ fused, (-1, x.shape[1], h, p)), [0, 2, 1, 3])


@correct("multi_head_attention")
class WithBroadcastMatmul(Heads):
    def project(self, x, W):
        return tf.matmul(tf.expand_dims(x, 1), W[tf.newaxis])

    def finish(self, merged):
        return tf.tensordot(merged, self.W_o, axes=1)


@correct("multi_head_attention")
class WithHeadsOfOutputProjection(Heads):
    """Never merges: each head has its own rows of W_o."""

    def merge(self, heads):
        return heads

    def finish(self, heads):
        W_o = tf.reshape(self.W_o, (self.num_heads, self.proj_dim, self.proj_dim))
        return tf.einsum("bhnp,hpo->bno", heads, W_o)


@correct("multi_head_attention")
class WithVariables(Heads):
    """Variables made on the first call, outside whatever graph is being traced."""

    def make(self, q, k, v):
        h, p = self.num_heads, self.proj_dim
        start = tf_keras.initializers.GlorotUniform(seed=1)
        with tf.init_scope():
            self.W_q = tf.Variable(start((h, q.shape[-1], p)), name="query")
            self.W_k = tf.Variable(start((h, k.shape[-1], p)), name="key")
            self.W_v = tf.Variable(start((h, v.shape[-1], p)), name="value")
            self.W_o = tf.Variable(start((h * p, p)), trainable=True)
        self.made = True


@correct("multi_head_attention")
class WithExperimentalNumpy(Heads):
    def project(self, x, W):
        return tnp.swapaxes(tnp.tensordot(x, W, axes=[[2], [1]]), 1, 2)

    def merge(self, heads):
        return tnp.concatenate(tf.unstack(heads, axis=1), axis=-1)


@correct("multi_head_attention")
class WithOwnAttention(Heads):
    def attend(self, q, k, v, mask):
        scores = tf.einsum("bhqp,bhkp->bhqk", q, k) * self.proj_dim**-0.5
        if mask is not None:
            scores += -1e9 * (1.0 - tf.cast(mask, tf.float32))
        weights = tf.nn.softmax(scores)
        return tf.einsum("bhqk,bhkp->bhqp", weights, v), weights


@correct("multi_head_attention")
class WithGatheredHeads(Heads):
    """One head at a time by tf.gather, whose gradient is sparse."""

    def project(self, x, W):
        return tf.stack([x @ tf.gather(W, i) for i in range(self.num_heads)], axis=1)

    def merge(self, heads):
        return tf.concat([tf.gather(heads, i, axis=1) for i in range(self.num_heads)], axis=2)


@correct("multi_head_attention")
class WithTracedHeads(Heads):
    """One head at a time in tf.map_fn, inside a tf.function."""

    @tf.function
    def attend(self, q, k, v, mask):
        shape = tf.concat([tf.shape(q)[:3], [tf.shape(k)[2]]], axis=0)  # (B, h, n_q, n_k)
        mask = tf.ones(shape, tf.bool) if mask is None else tf.broadcast_to(mask, shape)
        pairs = tf.map_fn(
            lambda head: scaled_dot_product_attention(*head),
            tuple(tf.transpose(x, [1, 0, 2, 3]) for x in (q, k, v, mask)),
            fn_output_signature=(q.dtype, q.dtype),
        )
        return tuple(tf.transpose(x, [1, 0, 2, 3]) for x in pairs)

    def merge(self, heads):
        batch, h, n_q, p = tf.unstack(tf.shape(heads))
        return tf.reshape(tf.transpose(heads, [0, 2, 1, 3]), [batch, n_q, h * p])

    def finish(self, merged):
        return tf.einsum("bnm,mo->bno", merged, self.W_o)


# Multi-head attention, wrong


@wrong("multi_head_attention", told=NOT_ATTEMPTED, slips=0)
class HeadsStub(Layer):
    def __init__(self, num_heads, proj_dim, return_attention_weights=False, **kwargs):
        super().__init__(**kwargs)
        raise NotImplementedError

    def call(self, q, k, v, mask=None):
        raise NotImplementedError


@wrong("multi_head_attention", told=NOT_ATTEMPTED, slips=0)
class CallStub(Layer):
    def __init__(self, num_heads, proj_dim, return_attention_weights=False, **kwargs):
        super().__init__(**kwargs)

    def call(self, q, k, v, mask=None):
        raise NotImplementedError


@wrong("multi_head_attention", told=WRONG_TYPE, slips=0)
class NotALayer:
    def __init__(self, num_heads, proj_dim, return_attention_weights=False):
        self.num_heads, self.proj_dim = num_heads, proj_dim


@wrong("multi_head_attention", told="heads merged before transposing back")
class MergedBeforeTransposing(Heads):
    def merge(self, heads):
        return tf.reshape(heads, (-1, heads.shape[2], self.num_heads * self.proj_dim))


@wrong("multi_head_attention", told="W_o interleaved")
class MergedEntryByEntry(Heads):
    def merge(self, heads):
        n_q = heads.shape[2]
        return tf.reshape(tf.transpose(heads, [0, 2, 3, 1]), (-1, n_q, self.num_heads * self.proj_dim))


@wrong("multi_head_attention", told="heads split without transposing")
class SplitWithoutTransposing(WithFusedProjections):
    def project(self, x, W):
        h, d, p = W.shape
        fused = tf.reshape(tf.transpose(W, [1, 0, 2]), (d, h * p))
        return tf.reshape(x @ fused, (-1, h, x.shape[1], p))


@wrong("multi_head_attention", told="heads split without transposing")
class SplitAndMergedWithoutTransposing(SplitWithoutTransposing):
    def merge(self, heads):
        return tf.reshape(heads, (-1, heads.shape[2], self.num_heads * self.proj_dim))


@wrong("multi_head_attention", told="projection weights reshaped")
class WeightsReshaped(Heads):
    def project(self, x, W):
        h, d, p = W.shape
        fused = x @ tf.reshape(W, (d, h * p))
        return tf.transpose(tf.reshape(fused, (-1, x.shape[1], h, p)), [0, 2, 1, 3])


class _WithScale(Heads):
    """Attention whose scores are divided by the root of `width(q, k)`."""

    def call(self, q, k, v, mask=None):
        self.input_width = q.shape[-1]
        return super().call(q, k, v, mask)

    def attend(self, q, k, v, mask):
        scores = tf.matmul(q, k, transpose_b=True) / math.sqrt(self.width(q, k))
        return _finished(scores, v, mask)


@wrong("multi_head_attention", told="no scaling")
class WithoutScaling(_WithScale):
    def width(self, q, k):
        return 1


@wrong("multi_head_attention", told="divided by √(h·proj_dim)")
class RootOfAllHeads(_WithScale):
    def width(self, q, k):
        return self.num_heads * self.proj_dim


@wrong("multi_head_attention", told="divided by √(proj_dim/h)")
class RootOfAShare(_WithScale):
    def width(self, q, k):
        return self.proj_dim / self.num_heads


@wrong("multi_head_attention", told="divided by √d_q")
class RootOfInputWidth(_WithScale):
    def width(self, q, k):
        return self.input_width


@wrong("multi_head_attention", told="divided by √h")
class RootOfNumberOfHeads(_WithScale):
    def width(self, q, k):
        return self.num_heads


@wrong("multi_head_attention", told="divided by √n_k")
class RootOfNumberOfKeys(_WithScale):
    def width(self, q, k):
        return k.shape[-2]


@wrong("multi_head_attention", told="divided by d_k")
class ScaledTwice(Heads):
    def attend(self, q, k, v, mask):
        return scaled_dot_product_attention(q / self.proj_dim**0.5, k, v, mask)


@wrong("multi_head_attention", told="first head used for all")
class FirstHeadForAll(Heads):
    def project(self, x, W):
        return tf.stack([x @ W[0] for _ in range(self.num_heads)], axis=1)


@wrong("multi_head_attention", told="last head used for all")
class LastHeadForAll(Heads):
    def project(self, x, W):
        return tf.stack([x @ W[-1] for _ in range(self.num_heads)], axis=1)


@wrong("multi_head_attention", told="heads averaged")
class HeadsAveraged(Heads):
    def merge(self, heads):
        return tf.tile(tf.reduce_mean(heads, axis=1), (1, 1, self.num_heads))


@wrong("multi_head_attention", told="heads share one attention")
class OneAttentionForAll(Heads):
    def attend(self, q, k, v, mask):
        _, weights = scaled_dot_product_attention(q, k, v, mask)
        weights = tf.reduce_mean(weights, axis=1, keepdims=True) * tf.ones_like(weights)
        return weights @ v, weights


@wrong("multi_head_attention", told="softmax over heads")
class SoftmaxOverHeads(Heads):
    def attend(self, q, k, v, mask):
        weights = tf.nn.softmax(_masked(_scaled(q, k), mask), axis=1)
        return weights @ v, weights


@wrong("multi_head_attention", told="softmax axis")
class SoftmaxOverQueries(Heads):
    def attend(self, q, k, v, mask):
        return softmax_over_queries(q, k, v, mask)


@wrong("multi_head_attention", told="weights averaged over heads")
class AverageWeightsReturned(Heads):
    def results(self, output, weights):
        return super().results(output, tf.reduce_mean(weights, axis=1))


@wrong("multi_head_attention", told="weights summed over heads")
class SummedWeightsReturned(Heads):
    def results(self, output, weights):
        return super().results(output, tf.reduce_sum(weights, axis=1))


@wrong("multi_head_attention", told="output projection missing")
class WithoutOutputProjection(Heads):
    def finish(self, merged):
        return merged


@wrong("multi_head_attention", told="activation after projection")
class ReluAfterProjection(Heads):
    def project(self, x, W):
        return tf.nn.relu(super().project(x, W))


@wrong("multi_head_attention", told="activation after projection")
class ReluAfterOutput(Heads):
    def finish(self, merged):
        return tf.nn.relu(super().finish(merged))


@wrong("multi_head_attention", told="keys and values swapped")
class KeysAndValuesSwapped(Heads):
    def attend(self, q, k, v, mask):
        return scaled_dot_product_attention(q, v, k, mask)


@wrong(
    "multi_head_attention",
    told="queries and keys swapped",
    because="it stops wherever there are more keys than queries, or fewer",
)
class QueriesAndKeysSwapped(Heads):
    def attend(self, q, k, v, mask):
        return scaled_dot_product_attention(k, q, v, mask)


@wrong("multi_head_attention", told="keys used as values")
class ValuesFromKeys(Heads):
    def attend(self, q, k, v, mask):
        return scaled_dot_product_attention(q, k, k, mask)


@wrong("multi_head_attention", told="mask ignored")
class MaskNotPassedOn(Heads):
    def attend(self, q, k, v, mask):
        return scaled_dot_product_attention(q, k, v)


@wrong("multi_head_attention", told="mask inverted")
class MaskInverted(Heads):
    def attend(self, q, k, v, mask):
        return mask_inverted(q, k, v, mask)


@wrong("multi_head_attention", told="mask after softmax")
class MaskAfterSoftmax(Heads):
    def attend(self, q, k, v, mask):
        return mask_after_softmax(q, k, v, mask)


@wrong("multi_head_attention", told="results swapped")
class WeightsFirst(Heads):
    def results(self, output, weights):
        return (weights, output) if self.return_attention_weights else output


@wrong("multi_head_attention", told=WRONG_TYPE)
class AlwaysReturnsWeights(Heads):
    def results(self, output, weights):
        return output, weights


@wrong("multi_head_attention", told="weights not returned")
class NeverReturnsWeights(Heads):
    def results(self, output, weights):
        return output


@wrong("multi_head_attention", told="extra weights")
class WithBias(Heads):
    def make(self, q, k, v):
        super().make(q, k, v)
        self.b_o = self.add_weight("b_o", (self.proj_dim,), initializer="zeros")

    def finish(self, merged):
        return super().finish(merged) + self.b_o


@wrong("multi_head_attention", told="weights not trainable")
class NotTrainable(Heads):
    def make(self, q, k, v):
        super().make(q, k, v)
        shape = (self.num_heads * self.proj_dim, self.proj_dim)
        self.W_o = self.add_weight("W_o", shape, trainable=False)


@wrong("multi_head_attention", told="no gradient")
class GradientStopped(Heads):
    def attend(self, q, k, v, mask):
        return super().attend(tf.stop_gradient(q), k, v, mask)


@wrong("multi_head_attention", told=WRONG_SHAPE, because="the weights of the case do not fit into it")
class WidthSharedAmongHeads(Heads):
    def make(self, q, k, v):
        h, p = self.num_heads, self.proj_dim // self.num_heads
        for name, x in (("W_q", q), ("W_k", k), ("W_v", v)):
            setattr(self, name, self.add_weight(name, (h, x.shape[-1], p)))
        self.W_o = self.add_weight("W_o", (h * p, self.proj_dim))
        self.made = True

    def merge(self, heads):
        return tf.concat(tf.unstack(heads, axis=1), axis=-1)


@wrong("multi_head_attention", told=WRONG_SHAPE, because="the weights of the case do not fit into it")
class HeadsInTheMiddle(Heads):
    def make(self, q, k, v):
        h, p = self.num_heads, self.proj_dim
        for name, x in (("W_q", q), ("W_k", k), ("W_v", v)):
            setattr(self, name, self.add_weight(name, (x.shape[-1], h, p)))
        self.W_o = self.add_weight("W_o", (h * p, p))
        self.made = True

    def project(self, x, W):
        return tf.einsum("bnd,dhp->bhnp", x, W)


@wrong("multi_head_attention", told=WRONG_TYPE, because="the weights of the case cannot be put into it")
class OtherNames(Layer):
    """Keras' own layer inside: its weights are not those of the contract."""

    def __init__(self, num_heads, proj_dim, return_attention_weights=False, **kwargs):
        super().__init__(**kwargs)
        self.inner = tf_keras.layers.MultiHeadAttention(num_heads, proj_dim, use_bias=False)

    def call(self, q, k, v, mask=None):
        return self.inner(q, v, k, attention_mask=mask, return_attention_scores=True)


@wrong("multi_head_attention", told="one width for all")
class OneWidthForAll(Heads):
    """Right for self-attention alone."""

    def make(self, q, k, v):
        super().make(q, q, q)


@wrong(
    "multi_head_attention",
    told="weights made at each call",
    because="the weights of the case are gone at the next call",
)
class WeightsMadeAtEachCall(Heads):
    def make(self, q, k, v):
        super().make(q, k, v)
        self.made = False


@wrong(
    "multi_head_attention", told="random", because="its numbers are random, so nothing can be compared"
)
class DropoutAlwaysOn(Heads):
    def finish(self, merged):
        return super().finish(tf.nn.dropout(merged, 0.2))


@wrong("multi_head_attention", told="no get_config")
class WithoutConfig(WithLoopOverHeads):
    def get_config(self):
        raise NotImplementedError


@wrong("multi_head_attention", told="config incomplete")
class ConfigWithoutArguments(Heads):
    def get_config(self):
        return {"name": self.name}


@wrong("multi_head_attention", told=WRONG_TYPE)
class ConfigForgetsAnArgument(Heads):
    def get_config(self):
        config = super().get_config()
        del config["return_attention_weights"]
        return config


@wrong("multi_head_attention", told="no gradient")
class ThroughNumpy(Heads):
    def finish(self, merged):
        return tf.constant(merged.numpy() @ self.W_o.numpy())


@wrong("multi_head_attention", told=None, because="no formula explains it")
class ResidualInside(Heads):
    """Adds what belongs to the block: the first head's queries to the output."""

    def call(self, q, k, v, mask=None):
        results = super().call(q, k, v, mask)
        queries = self.project(q, self.W_q)[:, 0]
        if self.return_attention_weights:
            return results[0] + queries, results[1]
        return results + queries


@wrong("multi_head_attention", told=RAISED)
class MaskOfOneShape(Heads):
    def attend(self, q, k, v, mask):
        if mask is not None:
            mask = tf.ensure_shape(mask, (q.shape[2], k.shape[2]))
        return scaled_dot_product_attention(q, k, v, mask)


@wrong("multi_head_attention", told="one mask for the batch")
class FirstMaskForAll(Heads):
    def attend(self, q, k, v, mask):
        if mask is not None and len(mask.shape) == 4:
            mask = mask[:1]
        return scaled_dot_product_attention(q, k, v, mask)


class Folded(Heads):
    """Heads folded into the batch."""

    def attend(self, q, k, v, mask):
        h, n_q, n_k = self.num_heads, q.shape[2], k.shape[2]
        folded = [tf.reshape(x, (-1, x.shape[2], x.shape[3])) for x in (q, k, v)]  # (B·h, n, p)
        if mask is not None and len(mask.shape) == 4:
            mask = self.folded_mask(mask)
        output, weights = scaled_dot_product_attention(*folded, mask)
        return (
            tf.reshape(output, (-1, h, n_q, self.proj_dim)),  # (B, h, n_q, p)
            tf.reshape(weights, (-1, h, n_q, n_k)),
        )

    def folded_mask(self, mask):
        repeats = self.num_heads // mask.shape[1]
        return tf.reshape(tf.repeat(mask, repeats, axis=1), (-1, *mask.shape[2:]))  # (B·h, n_q, n_k)


@correct("multi_head_attention")
class FoldedIntoTheBatch(Folded):
    pass


@wrong("multi_head_attention", told="masks of other examples")
class MaskTiled(Folded):
    def folded_mask(self, mask):
        if mask.shape[1] > 1:
            return super().folded_mask(mask)
        return tf.tile(mask[:, 0], (self.num_heads, 1, 1))


@wrong("multi_head_attention", told="start that cannot learn", slips=1)
class AllWeightsZero(Heads):
    def add_weight(self, name, shape, **kwargs):
        return super().add_weight(name, shape, initializer="zeros", **kwargs)


@wrong("multi_head_attention", told="heads start alike")
class AllWeightsOne(Heads):
    def add_weight(self, name, shape, **kwargs):
        return super().add_weight(name, shape, initializer="ones", **kwargs)


@correct("multi_head_attention")
class OutputStartsAtZero(Heads):
    """As residual branches sometimes do: after one step everything learns."""

    def add_weight(self, name, shape, **kwargs):
        initializer = "zeros" if name == "W_o" else "glorot_uniform"
        return super().add_weight(name, shape, initializer=initializer, **kwargs)


@wrong("multi_head_attention", told="weights under other names")
class AttributesUnderOtherNames(Heads):
    def __setattr__(self, name, value):
        super().__setattr__(name.replace("W_", "weights_"), value)

    def __getattr__(self, name):
        if name.startswith("W_"):
            raise AttributeError(name)
        return super().__getattr__(name)

    def call(self, q, k, v, mask=None):
        if not self.made:
            self.make(q, k, v)
        W_q, W_k, W_v, W_o = (vars(self)[f"weights_{x}"] for x in "qkvo")
        q, k, v = (self.project(x, W) for x, W in ((q, W_q), (k, W_k), (v, W_v)))
        heads, weights = self.attend(q, k, v, mask)
        return self.results(self.merge(heads) @ W_o, weights)


@correct("multi_head_attention")
class MadeAnewWhenFrozen(Heads):
    def call(self, q, k, v, mask=None):
        if not self.trainable_weights:
            self.made = False
        return super().call(q, k, v, mask)


@wrong(
    "multi_head_attention",
    told="one number of tokens",
    because="it stops wherever there are more keys than queries, or fewer",
)
class ReshapedByTheKeys(Heads):
    def merge(self, heads):
        width = self.num_heads * self.proj_dim
        return tf.reshape(tf.transpose(heads, [0, 2, 1, 3]), (-1, self.tokens, width))

    def attend(self, q, k, v, mask):
        self.tokens = k.shape[2]
        return super().attend(q, k, v, mask)

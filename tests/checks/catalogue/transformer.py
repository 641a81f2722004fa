"""The MLP and the transformer block, right in many hands and wrong in as many."""

import tensorflow as tf
import tf_keras
from tf_keras import layers

from tests.checks.catalogue import correct, wrong

# Earlier steps, right, under the names by which a notebook knows them: stand-ins may replace them.


def scaled_dot_product_attention(q, k, v, mask=None):
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(k)[-1], q.dtype))
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, scores.dtype.min)
    weights = tf.nn.softmax(scores)
    return tf.matmul(weights, v), weights


class MultiHeadAttention(layers.Layer):
    def __init__(self, num_heads, proj_dim, return_attention_weights=False, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.proj_dim = num_heads, proj_dim
        self.return_attention_weights = return_attention_weights

    def build(self, shape):
        d = shape[-1]
        h, p = self.num_heads, self.proj_dim
        self.W_q = self.add_weight("W_q", (h, d, p))
        self.W_k = self.add_weight("W_k", (h, d, p))
        self.W_v = self.add_weight("W_v", (h, d, p))
        self.W_o = self.add_weight("W_o", (h * p, p))

    def call(self, q, k, v, mask=None):
        projected = (
            tf.einsum("bnd,hdp->bhnp", x, W) for x, W in ((q, self.W_q), (k, self.W_k), (v, self.W_v))
        )
        heads, weights = scaled_dot_product_attention(*projected, mask)
        W_o = tf.reshape(self.W_o, (self.num_heads, self.proj_dim, self.proj_dim))
        output = tf.einsum("bhnp,hpd->bnd", heads, W_o)
        return (output, weights) if self.return_attention_weights else output


@correct("mlp")
def mlp(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dense(units, activation=tf.nn.gelu)(x)
        x = layers.Dropout(dropout_rate)(x)
    return x


# mlp, right


@correct("mlp")
def relu_as_a_layer_of_its_own(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dropout(dropout_rate)(layers.ReLU()(layers.Dense(units)(x)))
    return x


@correct("mlp")
def keras_sequential(x, hidden_units, dropout_rate):
    model = tf_keras.Sequential()
    for units in hidden_units:
        model.add(layers.Dense(units, activation="gelu"))
        model.add(layers.Dropout(dropout_rate))
    return model(x)


@wrong("mlp", told="three axes only")
def convolutions_one_wide(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Conv1D(units, 1, activation="swish")(x)
        x = layers.Dropout(dropout_rate, seed=1)(x)
    return x


@wrong("mlp", told="three axes only")
def one_token_after_the_other(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.TimeDistributed(layers.Dense(units, activation="gelu"))(x)
        x = layers.Dropout(dropout_rate)(x)
    return x


@correct("mlp")
def fast_gelu_in_a_lambda(x, hidden_units, dropout_rate):
    gelu = layers.Lambda(lambda value: tf.nn.gelu(value, approximate=True))
    drop = layers.Dropout(dropout_rate)  # has no weights: one will do
    for units in hidden_units:
        x = drop(gelu(layers.Dense(units)(x)))
    return x


@correct("mlp")
def recursion_and_einsum(x, hidden_units, dropout_rate):
    if len(hidden_units) == 0:
        return x
    first, *others = hidden_units
    dense = layers.EinsumDense("...d,du->...u", first, activation="elu", bias_axes="u")
    return recursion_and_einsum(layers.Dropout(dropout_rate)(dense(x)), others, dropout_rate)


@correct("mlp")
def functional_model_inside(x, hidden_units, dropout_rate):
    inputs = outputs = tf_keras.Input(x.shape[1:])
    for units in hidden_units:
        outputs = layers.Dense(units)(outputs)
        outputs = tf.nn.leaky_relu(outputs)
        outputs = layers.Dropout(rate=dropout_rate)(outputs)
    return tf_keras.Model(inputs, outputs)(x)


class HandMadeLayer(layers.Layer):
    """Dense, GELU and dropout from TensorFlow's own operations."""

    def __init__(self, units, rate):
        super().__init__()
        self.units, self.rate = units, rate

    def build(self, shape):
        self.gain = self.add_weight("gain", (shape[-1], self.units), initializer="glorot_uniform")
        self.shift = self.add_weight("shift", (self.units,), initializer="zeros")

    def call(self, x, training=None):
        x = tf.nn.gelu(tf.tensordot(x, self.gain, 1) + self.shift)
        return tf.nn.dropout(x, self.rate) if training and self.rate else x


@correct("mlp")
def hand_made_layers(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = HandMadeLayer(units, dropout_rate)(x)
    return x


# mlp, wrong


def dense_and_dropout(x, units, rate, activation="gelu", **kwargs):
    return layers.Dropout(rate)(layers.Dense(units, activation=activation, **kwargs)(x))


@wrong("mlp", told="not attempted", slips=0)
def mlp_is_a_stub(x, hidden_units, dropout_rate):
    raise NotImplementedError


@wrong("mlp", told="not attempted", slips=0)
def mlp_forgets_to_return(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate)


@wrong("mlp", told="wrong type", slips=0)
def layer_not_called(x, hidden_units, dropout_rate):
    for units in hidden_units:
        layer = layers.Dense(units, activation="gelu")
    return layer


@wrong("mlp", told="too few layers")
def input_returned(x, hidden_units, dropout_rate):
    return layers.Dropout(dropout_rate)(layers.Dense(hidden_units[-1], "gelu")(x))


@wrong("mlp", told="weights untracked", slips=0, also=("x passed on",))
def nothing_done(x, hidden_units, dropout_rate):
    return x


@wrong("mlp", told="no non-linearity")
def no_non_linearity(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate, activation=None)
    return x


@wrong("mlp", told="last layer linear")
def last_layer_linear(x, hidden_units, dropout_rate):
    for i, units in enumerate(hidden_units):
        last = i == len(hidden_units) - 1
        x = dense_and_dropout(x, units, dropout_rate, activation=None if last else "gelu")
    return x


@wrong("mlp", told="softmax as non-linearity")
def softmax_for_gelu(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate, activation="softmax")
    return x


@wrong("mlp", told="saturating non-linearity")
def sigmoid_for_gelu(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate, activation="sigmoid")
    return x


@wrong("mlp", told="non-linearity before Dense")
def activation_before_dense(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dropout(dropout_rate)(layers.Dense(units)(tf.nn.gelu(x)))
    return x


@wrong("mlp", told="no bias")
def no_bias(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate, use_bias=False)
    return x


@wrong("mlp", told="dropout always on")
def dropout_always_on(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dropout(dropout_rate)(layers.Dense(units, "gelu")(x), training=True)
    return x


@wrong("mlp", told="dropout always on")
def dropout_by_function(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = tf.nn.dropout(layers.Dense(units, "gelu")(x), dropout_rate)
    return x


@wrong("mlp", told="no dropout")
def no_dropout(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dense(units, "gelu")(x)
    return x


@wrong("mlp", told="no dropout")
def dropout_not_called_for_its_result(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dense(units, "gelu")(x)
        layers.Dropout(dropout_rate)(x)
    return x


@wrong("mlp", told="no dropout")
def dropout_never_on(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dropout(dropout_rate)(layers.Dense(units, "gelu")(x), training=False)
    return x


@wrong("mlp", told="dropout after the last layer only")
def dropout_outside_the_loop(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dense(units, "gelu")(x)
    return layers.Dropout(dropout_rate)(x)


@wrong("mlp", told="no dropout after the last layer")
def dropout_between_layers_only(x, hidden_units, dropout_rate):
    *hidden, last = hidden_units
    for units in hidden:
        x = dense_and_dropout(x, units, dropout_rate)
    return layers.Dense(last, "gelu")(x)


@wrong("mlp", told="dropout before Dense")
def dropout_before_dense(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dense(units, "relu")(layers.Dropout(dropout_rate)(x))
    return x


@wrong("mlp", told="dropout before the non-linearity")
def dropout_before_gelu(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = tf.nn.gelu(layers.Dropout(dropout_rate)(layers.Dense(units)(x)))
    return x


@wrong("mlp", told="rate ignored")
def rate_of_its_own(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, 0.5)
    return x


@wrong("mlp", told="rate ignored")
def rate_zero_taken_for_none(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate or 0.1)
    return x


@wrong("mlp", told="keep rate for drop rate")
def keep_rate_for_drop_rate(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, 1 - dropout_rate)
    return x


class UnscaledDropout(layers.Layer):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def call(self, x, training=None):
        if not training:
            return x
        return x * tf.cast(tf.random.uniform(tf.shape(x)) >= self.rate, x.dtype)


@wrong("mlp", told="not scaled")
def survivors_not_scaled(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = UnscaledDropout(dropout_rate)(layers.Dense(units, "gelu")(x))
    return x


@wrong("mlp", told="whole rows dropped")
def whole_channels_dropped(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.SpatialDropout1D(dropout_rate)(layers.Dense(units, "gelu")(x))
    return x


@wrong("mlp", told=None)
def gaussian_noise_for_dropout(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.GaussianDropout(dropout_rate)(layers.Dense(units, "gelu")(x))
    return x


@wrong("mlp", told="too few layers")
def loop_misses_the_last(x, hidden_units, dropout_rate):
    for i in range(len(hidden_units) - 1):
        x = dense_and_dropout(x, hidden_units[i], dropout_rate)
    return x


@wrong("mlp", told="too many layers")
def projected_back(x, hidden_units, dropout_rate):
    d = x.shape[-1]
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate)
    return layers.Dense(d)(x)


@wrong("mlp", told="sizes in reverse")
def sizes_in_reverse(x, hidden_units, dropout_rate):
    for units in reversed(hidden_units):
        x = dense_and_dropout(x, units, dropout_rate)
    return x


@wrong("mlp", told="all layers one size")
def all_layers_of_the_first_size(x, hidden_units, dropout_rate):
    for _ in hidden_units:
        x = dense_and_dropout(x, hidden_units[0], dropout_rate)
    return x


@wrong("mlp", told="too few layers")
def each_layer_on_the_input(x, hidden_units, dropout_rate):
    for units in hidden_units:
        y = dense_and_dropout(x, units, dropout_rate)
    return y


@wrong("mlp", told="tokens mixed")
def tokens_flattened(x, hidden_units, dropout_rate):
    x = layers.Flatten()(x)
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate)
    return x


@wrong("mlp", told="tokens mixed")
def over_the_tokens(x, hidden_units, dropout_rate):
    x = layers.Permute((2, 1))(x)
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate)
    return layers.Permute((2, 1))(x)


@wrong("mlp", told="tokens averaged")
def tokens_averaged(x, hidden_units, dropout_rate):
    x = layers.GlobalAveragePooling1D()(x)
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate)
    return x


@wrong("mlp", told="normalisation in the MLP")
def normalises_as_well(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(layers.LayerNormalization()(x), units, dropout_rate)
    return x


@wrong(
    "mlp", told="weights untracked", because="its weights cannot be reached, so nothing can be compared"
)
def weights_of_no_layer(x, hidden_units, dropout_rate):
    for units in hidden_units:
        kernel = tf.Variable(tf.random.normal((x.shape[-1], units), stddev=0.1))
        x = layers.Dropout(dropout_rate)(tf.nn.gelu(tf.matmul(x, kernel)))
    return x


@wrong("mlp", told="raised an error", because="nothing runs")
def units_taken_for_a_number(x, hidden_units, dropout_rate):
    return dense_and_dropout(x, hidden_units, dropout_rate)


@wrong("mlp", told="loop ends early")
def returns_inside_the_loop(x, hidden_units, dropout_rate):
    for units in hidden_units:
        return dense_and_dropout(x, units, dropout_rate)


@wrong("mlp", told="the paper's form")
def form_of_the_paper(x, hidden_units, dropout_rate):
    *hidden, last = hidden_units
    for units in hidden:
        x = dense_and_dropout(x, units, dropout_rate)
    return layers.Dense(last)(x)


@wrong("mlp", told="saturating non-linearity")
def tanh_for_gelu(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate, activation="tanh")
    return x


@wrong("mlp", told="start that cannot learn")
def all_kernels_start_at_zero(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate, kernel_initializer="zeros")
    return x


@correct("mlp")
def last_kernel_starts_at_zero(x, hidden_units, dropout_rate):
    for i, units in enumerate(hidden_units):
        start = "zeros" if i == len(hidden_units) - 1 else "he_normal"
        x = dense_and_dropout(x, units, dropout_rate, kernel_initializer=start)
    return x


@correct("mlp")
def selu(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = dense_and_dropout(x, units, dropout_rate, activation="selu")
    return x


@wrong("mlp", told="piece of Keras 3", slips=0)
def dense_of_keras_3(x, hidden_units, dropout_rate):
    import keras

    for units in hidden_units:
        x = keras.layers.Dense(units, activation="gelu")(x)
        x = keras.layers.Dropout(dropout_rate)(x)
    return x


@wrong("mlp", told="no bias", slips=2, also=("no dropout",))
def no_bias_and_no_dropout(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dense(units, "gelu", use_bias=False)(x)
    return x


@wrong("mlp", told="gradient cut off")
def gradient_stopped_inside(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = tf.stop_gradient(dense_and_dropout(x, units, dropout_rate))
    return x


# transformer_block, right


@correct("transformer_block")
def transformer_block(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    attended = MultiHeadAttention(num_heads, proj_dim)(x, x, x)
    attended = layers.Dropout(dropout_rate)(attended)
    x1 = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, attended]))
    update = layers.Dropout(dropout_rate)(mlp(x1, mlp_units, dropout_rate))
    return layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x1, update]))


@correct("transformer_block")
def plus_signs_and_default_epsilon(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x += layers.Dropout(dropout_rate)(MultiHeadAttention(num_heads, proj_dim)(x, x, x))
    x = layers.LayerNormalization()(x)
    x += layers.Dropout(dropout_rate)(mlp(x, mlp_units, dropout_rate))
    return layers.LayerNormalization()(x)


@correct("transformer_block")
def keras_attention(inputs, heads, width, units, rate=0.1):
    attention = layers.MultiHeadAttention(heads, width, use_bias=False)
    attended = layers.Dropout(rate)(attention(inputs, inputs))
    x1 = layers.LayerNormalization(epsilon=1e-5)(inputs + attended)
    return layers.LayerNormalization(epsilon=1e-5)(x1 + layers.Dropout(rate)(mlp(x1, units, rate)))


@correct("transformer_block")
def weights_asked_for_and_left(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    attention = MultiHeadAttention(num_heads, proj_dim, return_attention_weights=True, name="mha")
    attended, _ = attention(x, x, x)
    x1 = layers.LayerNormalization(name="second")(x + layers.Dropout(dropout_rate)(attended))
    hidden = x1
    for units in mlp_units:
        hidden = layers.Dropout(dropout_rate)(layers.Dense(units, "relu")(hidden))
    return layers.LayerNormalization(name="first")(x1 + layers.Dropout(dropout_rate)(hidden))


class AddAndNorm(layers.Layer):
    """Dropout, sum and a layer normalisation made by hand, its weights named as in torch."""

    def __init__(self, rate):
        super().__init__()
        self.drop = layers.Dropout(rate)

    def build(self, shape):
        d = shape[0][-1] if isinstance(shape, list) else shape[-1]
        self.weight = self.add_weight("weight", (d,), initializer="ones")
        self.bias = self.add_weight("bias", (d,), initializer="zeros")

    def call(self, inputs, training=None):
        x, update = inputs
        total = x + self.drop(update, training=training)
        mean, variance = tf.nn.moments(total, axes=[-1], keepdims=True)
        return (total - mean) * tf.math.rsqrt(variance + 1e-6) * self.weight + self.bias


@correct("transformer_block")
def normalised_by_hand(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x = AddAndNorm(dropout_rate)([x, MultiHeadAttention(num_heads, proj_dim)(x, x, x)])
    return AddAndNorm(dropout_rate)([x, mlp(x, mlp_units, dropout_rate)])


class Block(layers.Layer):
    """The block as a subclassed layer, its parts made in an order of their own."""

    def __init__(self, num_heads, proj_dim, mlp_units, rate):
        super().__init__()
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]
        self.drop = layers.Dropout(rate)
        self.mlp = tf_keras.Sequential()
        for units in mlp_units:
            self.mlp.add(layers.Dense(units, activation="gelu"))
            self.mlp.add(layers.Dropout(rate))
        self.attention = MultiHeadAttention(num_heads, proj_dim)

    def call(self, x):
        x = self.norms[1](x + self.drop(self.attention(x, x, x)))
        return self.norms[0](x + self.drop(self.mlp(x)))


@correct("transformer_block")
def subclassed_inside(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return Block(num_heads, proj_dim, mlp_units, dropout_rate)(x)


@correct("transformer_block")
def same_seed_for_every_dropout(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    attended = MultiHeadAttention(num_heads, proj_dim)(x, x, x)
    x1 = layers.LayerNormalization()(x + layers.Dropout(dropout_rate, seed=3)(attended))
    hidden = x1
    for units in mlp_units:
        hidden = layers.Dense(units, "gelu")(hidden)
        hidden = layers.Dropout(dropout_rate, seed=3)(hidden)
    return layers.LayerNormalization()(x1 + layers.Dropout(dropout_rate, seed=3)(hidden))


# transformer_block, wrong


def attend(x, num_heads, proj_dim, rate=0.0):
    return layers.Dropout(rate)(MultiHeadAttention(num_heads, proj_dim)(x, x, x))


def feed_forward(x, units, rate):
    return layers.Dropout(rate)(mlp(x, units, rate))


def norm(x):
    return layers.LayerNormalization(epsilon=1e-6)(x)


@wrong("transformer_block", told="not attempted", slips=0)
def block_is_a_stub(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    raise NotImplementedError


@wrong("transformer_block", told="not attempted", slips=0)
def block_forgets_to_return(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    norm(x1 + feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="weights untracked", slips=0)
def block_does_nothing(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return x


@wrong("transformer_block", told="wrong type", because="nothing follows a pair")
def returns_the_weights_as_well(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    attention = MultiHeadAttention(num_heads, proj_dim, return_attention_weights=True)
    attended, weights = attention(x, x, x)
    x1 = norm(x + layers.Dropout(dropout_rate)(attended))
    return norm(x1 + feed_forward(x1, mlp_units, dropout_rate)), weights


@wrong("transformer_block", told="residuals missing")
def no_residuals(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(attend(x, num_heads, proj_dim, dropout_rate))
    return norm(feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="attention residual missing")
def no_attention_residual(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(attend(x, num_heads, proj_dim, dropout_rate))
    return norm(x1 + feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="MLP residual missing")
def no_mlp_residual(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    return norm(feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="residual from the wrong tensor")
def second_residual_from_x(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    return norm(x + feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="residual from the wrong tensor")
def second_residual_before_normalisation(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    total = x + attend(x, num_heads, proj_dim, dropout_rate)
    return norm(total + feed_forward(norm(total), mlp_units, dropout_rate))


@wrong("transformer_block", told="MLP reads the wrong tensor")
def mlp_reads_x(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    return norm(x1 + feed_forward(x, mlp_units, dropout_rate))


@wrong("transformer_block", told="pre-norm")
def pre_norm(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = x + attend(norm(x), num_heads, proj_dim, dropout_rate)
    return x1 + feed_forward(norm(x1), mlp_units, dropout_rate)


@wrong("transformer_block", told="pre-norm")
def pre_norm_for_the_mlp(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    return x1 + feed_forward(norm(x1), mlp_units, dropout_rate)


@wrong("transformer_block", told="normalised before adding")
def updates_normalised(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = x + norm(attend(x, num_heads, proj_dim, dropout_rate))
    return x1 + norm(feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="first LayerNormalization missing")
def no_first_norm(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = x + attend(x, num_heads, proj_dim, dropout_rate)
    return norm(x1 + feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="second LayerNormalization missing")
def no_second_norm(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    return x1 + feed_forward(x1, mlp_units, dropout_rate)


@wrong("transformer_block", told="no LayerNormalization")
def no_norm_at_all(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = x + attend(x, num_heads, proj_dim, dropout_rate)
    return x1 + feed_forward(x1, mlp_units, dropout_rate)


@wrong("transformer_block", told="LayerNormalization shared")
def one_norm_for_both(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    shared = layers.LayerNormalization()
    x1 = shared(x + attend(x, num_heads, proj_dim, dropout_rate))
    return shared(x1 + feed_forward(x1, mlp_units, dropout_rate))


def block_with(normalisation, x, num_heads, proj_dim, mlp_units, dropout_rate):
    x1 = normalisation()(x + attend(x, num_heads, proj_dim, dropout_rate))
    return normalisation()(x1 + feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="LayerNormalization axis")
def normalised_over_tokens(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return block_with(
        lambda: layers.LayerNormalization(axis=1), x, num_heads, proj_dim, mlp_units, dropout_rate
    )


@wrong("transformer_block", told="LayerNormalization axis")
def normalised_over_tokens_and_width(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return block_with(
        lambda: layers.LayerNormalization(axis=(1, 2)),
        x,
        num_heads,
        proj_dim,
        mlp_units,
        dropout_rate,
    )


@wrong("transformer_block", told="LayerNormalization axis")
def normalised_in_one_group(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return block_with(
        lambda: layers.GroupNormalization(groups=1), x, num_heads, proj_dim, mlp_units, dropout_rate
    )


@wrong("transformer_block", told=None, because="no formula explains it yet")
def batch_normalised(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return block_with(layers.BatchNormalization, x, num_heads, proj_dim, mlp_units, dropout_rate)


@wrong("transformer_block", told="LayerNormalization without gain and shift")
def normalised_without_weights(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return block_with(
        lambda: layers.LayerNormalization(center=False, scale=False, epsilon=1e-6),
        x,
        num_heads,
        proj_dim,
        mlp_units,
        dropout_rate,
    )


@wrong("transformer_block", told="MLP before attention")
def mlp_before_attention(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + feed_forward(x, mlp_units, dropout_rate))
    return norm(x1 + attend(x1, num_heads, proj_dim, dropout_rate))


@wrong("transformer_block", told="parts in parallel")
def parts_in_parallel(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    attended = attend(x, num_heads, proj_dim, dropout_rate)
    return norm(x + attended + feed_forward(x, mlp_units, dropout_rate))


@wrong("transformer_block", told="attention unused")
def attention_forgotten(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    attend(x, num_heads, proj_dim, dropout_rate)
    return norm(x + feed_forward(x, mlp_units, dropout_rate))


@wrong("transformer_block", told="MLP unused")
def returns_the_attention_part(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    x2 = norm(x1 + feed_forward(x1, mlp_units, dropout_rate))
    assert x2 is not None
    return x1


@wrong("transformer_block", told="MLP unused")
def mlp_forgotten(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    return norm(x1)


@wrong("transformer_block", told="attention twice", because="the values of another network")
def attends_twice(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    x1 = norm(x1 + attend(x1, num_heads, proj_dim, dropout_rate))
    return norm(x1 + feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="multiplied, not added")
def multiplied(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x * attend(x, num_heads, proj_dim, dropout_rate))
    return norm(x1 * feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="non-linearity after the block")
def relu_at_the_end(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return tf.nn.relu(transformer_block(x, num_heads, proj_dim, mlp_units, dropout_rate))


@wrong("transformer_block", told="MLP ends linear")
def mlp_of_the_paper(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    hidden = x1
    for units in mlp_units[:-1]:
        hidden = layers.Dropout(dropout_rate)(layers.Dense(units, "relu")(hidden))
    hidden = layers.Dropout(dropout_rate)(layers.Dense(mlp_units[-1])(hidden))
    return norm(x1 + layers.Dropout(dropout_rate)(hidden))


@wrong("transformer_block", told="attention biases")
def attention_with_biases(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    attended = layers.MultiHeadAttention(num_heads, proj_dim)(x, x)
    x1 = norm(x + layers.Dropout(dropout_rate)(attended))
    return norm(x1 + feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="dropout always on")
def block_dropout_always_on(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + layers.Dropout(dropout_rate)(attend(x, num_heads, proj_dim), training=True))
    return norm(x1 + feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="no dropout")
def block_without_dropout(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim))
    return norm(x1 + mlp(x1, mlp_units, 0.0))


@wrong("transformer_block", told="no dropout after attention")
def no_dropout_after_attention(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim))
    return norm(x1 + feed_forward(x1, mlp_units, dropout_rate))


@correct("transformer_block")
def one_dropout_after_the_mlp(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    return norm(x1 + mlp(x1, mlp_units, dropout_rate))


def gelu_layers(x, units):
    for width in units:
        x = layers.Dense(width, "gelu")(x)
    return x


@wrong("transformer_block", told="no dropout after the MLP")
def no_dropout_after_the_mlp(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    return norm(x1 + gelu_layers(x1, mlp_units))


@wrong("transformer_block", told="no dropout inside the MLP")
def no_dropout_inside_the_mlp(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    return norm(x1 + layers.Dropout(dropout_rate)(gelu_layers(x1, mlp_units)))


@wrong("transformer_block", told="rate ignored")
def rate_of_the_mlp_written_in(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    return norm(x1 + layers.Dropout(dropout_rate)(mlp(x1, mlp_units, 0.2)))


@wrong("transformer_block", told="epsilon too large")
def epsilon_of_a_tenth(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return block_with(
        lambda: layers.LayerNormalization(epsilon=0.1), x, num_heads, proj_dim, mlp_units, dropout_rate
    )


@wrong("transformer_block", told="pre-norm", slips=2, also=("no dropout",))
def pre_norm_without_dropout(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = x + attend(norm(x), num_heads, proj_dim)
    return x1 + mlp(norm(x1), mlp_units, 0.0)


@wrong("transformer_block", told="start that cannot learn")
def whole_mlp_starts_at_zero(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    update = x1
    for units in mlp_units:
        update = layers.Dense(units, "gelu", kernel_initializer="zeros")(update)
        update = layers.Dropout(dropout_rate)(update)
    return norm(x1 + update)


@wrong("transformer_block", told="piece of Keras 3", slips=0)
def norm_of_keras_3(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    import keras

    x1 = keras.layers.LayerNormalization()(x + attend(x, num_heads, proj_dim, dropout_rate))
    return keras.layers.LayerNormalization()(x1 + feed_forward(x1, mlp_units, dropout_rate))


@wrong("transformer_block", told="dropout on the residual")
def dropout_on_the_sums(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(layers.Dropout(dropout_rate)(x + attend(x, num_heads, proj_dim)))
    return norm(layers.Dropout(dropout_rate)(x1 + mlp(x1, mlp_units, dropout_rate)))


@wrong("transformer_block", told="dropout on the residual")
def dropout_on_the_output(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + attend(x, num_heads, proj_dim, dropout_rate))
    x2 = norm(x1 + feed_forward(x1, mlp_units, dropout_rate))
    return layers.Dropout(dropout_rate)(x2)


@wrong("transformer_block", told="rate ignored")
def block_rate_ignored(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return transformer_block(x, num_heads, proj_dim, mlp_units)


@wrong("transformer_block", told="rate ignored")
def default_rate_of_its_own(x, num_heads, proj_dim, mlp_units, dropout_rate=0.5):
    return transformer_block(x, num_heads, proj_dim, mlp_units, dropout_rate)


@wrong("transformer_block", told="MLP sizes")
def usual_sizes_for_mlp_units(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return transformer_block(x, num_heads, proj_dim, [4 * proj_dim, proj_dim], dropout_rate)


@wrong("transformer_block", told="raised an error", because="nothing runs")
def heads_and_width_swapped(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return transformer_block(x, proj_dim, num_heads, mlp_units, dropout_rate)


@wrong("transformer_block", told="attention sizes")
def one_head_only(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    return transformer_block(x, 1, proj_dim, mlp_units, dropout_rate)


@wrong("transformer_block", told="gradient cut off")
def gradient_stopped(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    x1 = norm(x + tf.stop_gradient(attend(x, num_heads, proj_dim, dropout_rate)))
    return norm(x1 + feed_forward(x1, mlp_units, dropout_rate))

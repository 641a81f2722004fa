"""Implementations of the lab on inductive bias, right and wrong."""

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from tests.checks.catalogue import correct, wrong
from utilities.checks.kernel.case import NOT_ATTEMPTED, RAISED, WRONG_TYPE

Layer = layers.Layer


class Tables(Layer):
    """Two tables of half the width; `join` says what a subclass makes of them."""

    def __init__(self, rows, columns, proj_dim, **kwargs):
        super().__init__(**kwargs)
        self.rows, self.columns, self.proj_dim = rows, columns, proj_dim
        self.x_table = self.add_weight("x", (columns, proj_dim // 2), initializer="uniform")
        self.y_table = self.add_weight("y", (rows, proj_dim // 2), initializer="uniform")
        self.column = np.tile(np.arange(columns), rows)  # (N,)
        self.row = np.repeat(np.arange(rows), columns)

    def halves(self):
        return tf.gather(self.x_table, self.column), tf.gather(self.y_table, self.row)

    def call(self, tokens):
        return self.join(tokens, *self.halves())


# Position embedding, right


@correct("position_embedding_2d")
class WithGather(Tables):
    def join(self, tokens, x, y):
        return tokens + tf.concat([x, y], axis=-1)


@correct("position_embedding_2d")
class WithEmbeddingLayers(Layer):
    def __init__(self, rows, columns, proj_dim):
        super().__init__()
        self.rows, self.columns = rows, columns
        self.x = layers.Embedding(columns, proj_dim // 2)
        self.y = layers.Embedding(rows, proj_dim // 2)

    def call(self, tokens):
        patch = tf.range(self.rows * self.columns)
        halves = self.x(patch % self.columns), self.y(patch // self.columns)
        return layers.add([tokens, tf.broadcast_to(tf.concat(halves, -1), tf.shape(tokens))])


@correct("position_embedding_2d")
class AsAGrid(Layer):
    def __init__(self, rows, columns, proj_dim, name=None):
        super().__init__(name=name)
        self.sizes = rows, columns, proj_dim

    def build(self, shape):
        rows, columns, width = self.sizes
        self.x_positions = self.add_weight("x", (1, columns, width // 2), initializer="zeros")
        self.y_positions = self.add_weight("y", (rows, 1, width // 2), initializer="zeros")

    def call(self, tokens):
        rows, columns, width = self.sizes
        x = tf.repeat(self.x_positions, rows, axis=0)  # (rows, columns, d/2)
        y = tf.repeat(self.y_positions, columns, axis=1)
        return tokens + tf.reshape(tf.concat([x, y], -1), (1, rows * columns, width))


@correct("position_embedding_2d")
class WithOneHot(Tables):
    def halves(self):
        return (
            tf.one_hot(self.column, self.columns) @ self.x_table,
            tf.one_hot(self.row, self.rows) @ self.y_table,
        )

    @tf.function
    def join(self, tokens, x, y):
        d = self.proj_dim // 2
        return tf.concat([tokens[..., :d] + x, tokens[..., d:] + y], axis=-1)


@correct("position_embedding_2d")
class PatchByPatch(Layer):
    def __init__(self, rows, columns, proj_dim):
        super().__init__()
        self.rows, self.columns = rows, columns
        self.y = tf.Variable(tf.random.normal((rows, proj_dim // 2)), name="rows")
        self.x = tf.Variable(tf.random.normal((columns, proj_dim // 2)), name="columns")

    def call(self, tokens):
        places = [(r, c) for r in range(self.rows) for c in range(self.columns)]
        return tokens + tf.stack([tf.concat([self.x[c], self.y[r]], 0) for r, c in places])


# Position embedding, wrong


@wrong("position_embedding_2d", told=NOT_ATTEMPTED, slips=0)
class PositionsNotWritten(Layer):
    def __init__(self, rows, columns, proj_dim):
        raise NotImplementedError


@wrong("position_embedding_2d", told=NOT_ATTEMPTED, slips=0)
class PositionsReturnNothing(Tables):
    def join(self, tokens, x, y):
        tokens + tf.concat([x, y], axis=-1)


@wrong("position_embedding_2d", told="rows and columns exchanged")
class YBeforeX(Tables):
    def join(self, tokens, x, y):
        return tokens + tf.concat([y, x], axis=-1)


@wrong("position_embedding_2d", told="patches column by column")
class ColumnByColumn(Tables):
    def halves(self):
        patch = np.arange(self.rows * self.columns)
        return tf.gather(self.x_table, patch // self.rows), tf.gather(self.y_table, patch % self.rows)

    def join(self, tokens, x, y):
        return tokens + tf.concat([x, y], axis=-1)


@wrong("position_embedding_2d", told="halves interleaved")
class Interleaved(Tables):
    def join(self, tokens, x, y):
        return tokens + tf.reshape(tf.stack([x, y], axis=-1), (-1, self.proj_dim))


@wrong("position_embedding_2d", told="tables of full width")
class FullWidthAdded(Layer):
    def __init__(self, rows, columns, proj_dim):
        super().__init__()
        self.rows, self.columns = rows, columns
        self.x, self.y = layers.Embedding(columns, proj_dim), layers.Embedding(rows, proj_dim)

    def call(self, tokens):
        patch = tf.range(self.rows * self.columns)
        return tokens + self.x(patch % self.columns) + self.y(patch // self.columns)


@wrong("position_embedding_2d", told="one vector per patch")
class OneDimensional(Layer):
    def __init__(self, rows, columns, proj_dim):
        super().__init__()
        self.table = self.add_weight("positions", (rows * columns, proj_dim), initializer="uniform")

    def call(self, tokens):
        return tokens + self.table


@wrong("position_embedding_2d", told="Y missing")
class ColumnsAlone(Tables):
    def join(self, tokens, x, y):
        return tokens + tf.concat([x, tf.zeros_like(y)], axis=-1)


@wrong("position_embedding_2d", told="halves added")
class HalvesAdded(Tables):
    def join(self, tokens, x, y):
        return tokens + tf.tile(x + y, (1, 2))


@wrong("position_embedding_2d", told="positions alone")
class PositionsAlone(Tables):
    def join(self, tokens, x, y):
        return tf.concat([x, y], axis=-1)


@wrong("position_embedding_2d", told="multiplied")
class Multiplied(Tables):
    def join(self, tokens, x, y):
        return tokens * tf.concat([x, y], axis=-1)


@wrong("position_embedding_2d", told="positions behind the tokens")
class PositionsBehind(Tables):
    def join(self, tokens, x, y):
        positions = tf.concat([x, y], axis=-1)
        return tf.concat([tokens, tf.broadcast_to(positions, tf.shape(tokens))], axis=-1)


@wrong("position_embedding_2d", told="tokens scaled")
class TokensScaled(Tables):
    def join(self, tokens, x, y):
        return tokens * self.proj_dim**0.5 + tf.concat([x, y], axis=-1)


@wrong("position_embedding_2d", told="tables not trained")
class NotTrained(WithGather):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.trainable = False


@wrong("position_embedding_2d", told="tables are no weights")
class RandomNumbers(Layer):
    def __init__(self, rows, columns, proj_dim):
        super().__init__()
        x = np.random.normal(size=(1, columns, proj_dim // 2)).repeat(rows, 0)
        y = np.random.normal(size=(rows, 1, proj_dim // 2)).repeat(columns, 1)
        positions = np.concatenate([x, y], -1).reshape(rows * columns, proj_dim)
        self.positions = tf.constant(positions, tf.float32)

    def call(self, tokens):
        return tokens + self.positions


@wrong("position_embedding_2d", told="tables made in every call")
class MadeInTheCall(Layer):
    def __init__(self, rows, columns, proj_dim):
        super().__init__()
        self.sizes = rows, columns, proj_dim

    def call(self, tokens):
        rows, columns, width = self.sizes
        x = self.add_weight("x", (1, columns, width // 2), initializer="uniform")
        y = self.add_weight("y", (rows, 1, width // 2), initializer="uniform")
        positions = tf.concat([tf.repeat(x, rows, 0), tf.repeat(y, columns, 1)], -1)
        return tokens + tf.reshape(positions, (rows * columns, width))


@wrong("position_embedding_2d", told="other weights are trained")
class WithAProjection(WithGather):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.extra = self.add_weight("scale", (1, 1, 1, 2), initializer="ones")


@wrong("position_embedding_2d", told="nothing added", slips=0, also=("tables not trained",))
class NothingAdded(Tables):
    def join(self, tokens, x, y):
        return tokens


class InInit(Layer):
    """Puts the positions together once, when the tables are made."""

    def __init__(self, rows, columns, proj_dim):
        super().__init__()
        self.x = self.add_weight("x", (columns, proj_dim // 2), initializer="uniform")
        self.y = self.add_weight("y", (rows, proj_dim // 2), initializer="uniform")
        x, y = tf.tile(self.x, (rows, 1)), tf.repeat(self.y, columns, axis=0)
        self.positions = tf.concat([x, y], axis=-1)

    def call(self, tokens):
        return tokens + self.positions


@wrong("position_embedding_2d", told="tables made and not used")
class SumMadeInInit(InInit):
    pass


@wrong("position_embedding_2d", told="one table for both axes")
class OneTable(Tables):
    def __init__(self, rows, columns, proj_dim):
        super().__init__(rows, columns, proj_dim)
        side = max(rows, columns)
        self.x_table = self.y_table = None
        self._trainable_weights = []
        self.x_table = self.y_table = self.add_weight("t", (side, proj_dim // 2))

    def join(self, tokens, x, y):
        return tokens + tf.concat([x, y], axis=-1)


@wrong("position_embedding_2d", told="dropout in the positions")
class DropoutInThePositions(Tables):
    def call(self, tokens, training=None):
        sum_of_both = tokens + tf.concat(self.halves(), axis=-1)
        return layers.Dropout(0.1)(sum_of_both, training=training)


@wrong("position_embedding_2d", told="rows and columns exchanged", slips=2, also=("tokens scaled",))
class ExchangedAndScaled(Tables):
    def join(self, tokens, x, y):
        return tokens * self.proj_dim**0.5 + tf.concat([y, x], axis=-1)


@wrong("position_embedding_2d", told="piece of Keras 3", slips=0)
def positions_of_keras_3(rows, columns, proj_dim):
    import keras

    class Positions(keras.layers.Layer):
        def call(self, tokens):
            return tokens

    return Positions()


# Relative position bias, right


class Indexed(Layer):
    """A table of shape (entries, heads), looked up by the index a subclass gives: (N, N)."""

    def __init__(self, num_heads, rows, columns, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.rows, self.columns = num_heads, rows, columns
        row, column = np.divmod(np.arange(rows * columns), columns)
        index = self.index(row[:, None] - row, column[:, None] - column)
        self.lookup = np.asarray(index)
        self.table = self.add_weight("table", (self.size(), num_heads), initializer="zeros")

    def size(self):
        return (2 * self.rows - 1) * (2 * self.columns - 1)

    def index(self, dr, dc):
        return (dr + self.rows - 1) * (2 * self.columns - 1) + dc + self.columns - 1

    def bias(self):
        return tf.transpose(tf.gather(self.table, self.lookup), (2, 0, 1))  # (h, N, N)

    def call(self, scores):
        return scores + self.bias()


@correct("relative_position_bias")
class AsInSwin(Indexed):
    pass


@correct("relative_position_bias")
class KeyMinusQuery(Indexed):
    def index(self, dr, dc):
        return super().index(-dr, -dc)


@correct("relative_position_bias")
class ThreeAxes(Layer):
    def __init__(self, num_heads, rows, columns):
        super().__init__()
        self.sizes = num_heads, rows, columns

    def build(self, shape):
        num_heads, rows, columns = self.sizes
        self.biases = self.add_weight(
            "biases", (num_heads, 2 * rows - 1, 2 * columns - 1), initializer="random_normal"
        )

    def call(self, scores):
        _, rows, columns = self.sizes
        patch = tf.range(rows * columns)
        row, column = patch // columns, patch % columns
        dr = row[:, None] - row[None, :] + rows - 1
        dc = column[:, None] - column[None, :] + columns - 1
        where = tf.stack([dr, dc], axis=-1)  # (N, N, 2)
        by_place = tf.transpose(self.biases, (1, 2, 0))
        return layers.add(
            [scores, tf.zeros_like(scores) + tf.transpose(tf.gather_nd(by_place, where), (2, 0, 1))]
        )


@correct("relative_position_bias")
class OneEmbeddingPerHead(Layer):
    def __init__(self, num_heads, rows, columns):
        super().__init__()
        entries = (2 * rows - 1) * (2 * columns - 1)
        self.tables = [layers.Embedding(entries, 1) for _ in range(num_heads)]
        places = [(r, c) for r in range(rows) for c in range(columns)]
        self.lookup = tf.constant(
            [
                [(c - d + columns - 1) * (2 * rows - 1) + r - s + rows - 1 for s, d in places]
                for r, c in places
            ]
        )

    def call(self, scores):
        return scores + tf.stack([table(self.lookup)[..., 0] for table in self.tables])


@correct("relative_position_bias")
class WithOneHotOffsets(Indexed):
    @tf.function
    def bias(self):
        return tf.einsum("ijo,oh->hij", tf.one_hot(self.lookup, self.size()), self.table)


# Relative position bias, wrong


@wrong("relative_position_bias", told=NOT_ATTEMPTED, slips=0)
class BiasNotWritten(Layer):
    def __init__(self, num_heads, rows, columns):
        super().__init__()

    def call(self, scores):
        raise NotImplementedError


@wrong("relative_position_bias", told="a bias for every pair")
class AbsolutePairs(Layer):
    def __init__(self, num_heads, rows, columns):
        super().__init__()
        n = rows * columns
        self.table = self.add_weight("table", (num_heads, n, n), initializer="zeros")

    def call(self, scores):
        return scores + self.table


@wrong("relative_position_bias", told="distance without a sign")
class AbsoluteOffsets(Indexed):
    def index(self, dr, dc):
        return abs(dr) * (2 * self.columns - 1) + abs(dc)


@wrong("relative_position_bias", told="distance without a sign")
class CityBlock(Indexed):
    def index(self, dr, dc):
        return abs(dr) + abs(dc)

    def size(self):
        return self.rows + self.columns - 1


@wrong("relative_position_bias", told="offset in the sequence")
class AsInAText(Indexed):
    def index(self, dr, dc):
        return dr * self.columns + dc + self.rows * self.columns - 1

    def size(self):
        return 2 * self.rows * self.columns - 1


@wrong("relative_position_bias", told="offsets collide")
class IndicesAdded(Indexed):
    def index(self, dr, dc):
        return dr + self.rows - 1 + dc + self.columns - 1


@wrong("relative_position_bias", told="rows alone")
class RowsAlone(Indexed):
    def index(self, dr, dc):
        return dr + self.rows - 1 + 0 * dc


@wrong("relative_position_bias", told="heads share a bias")
class OneHeadForAll(Layer):
    def __init__(self, num_heads, rows, columns):
        super().__init__()
        self.inner = AsInSwin(1, rows, columns)

    def call(self, scores):
        return scores + self.inner.bias()


@wrong("relative_position_bias", told="reshaped instead of transposed")
class Reshaped(Indexed):
    def bias(self):
        n = self.rows * self.columns
        return tf.reshape(tf.gather(self.table, self.lookup), (self.num_heads, n, n))


@wrong("relative_position_bias", told="multiplied")
class BiasMultiplied(Indexed):
    def call(self, scores):
        return scores * self.bias()


@wrong("relative_position_bias", told="scores missing")
class BiasAlone(Indexed):
    def call(self, scores):
        return self.bias() + 0 * scores


@wrong(
    "relative_position_bias",
    told="softmax inside",
    because="a softmax hides which numbers went in",
)
class SoftmaxInside(Indexed):
    def call(self, scores):
        return tf.nn.softmax(scores + self.bias())


@wrong("relative_position_bias", told="table not trained")
class TableOfNumbers(Indexed):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.trainable = False


@wrong("relative_position_bias", told="table made in every call")
class TableInTheCall(Indexed):
    def call(self, scores):
        self.table = self.add_weight("again", self.table.shape, initializer="uniform")
        return scores + self.bias()


@wrong("relative_position_bias", told="key alone")
class KeyAlone(Layer):
    def __init__(self, num_heads, rows, columns):
        super().__init__()
        self.table = self.add_weight("table", (num_heads, 1, rows * columns), initializer="zeros")

    def call(self, scores):
        return scores + self.table


@wrong("relative_position_bias", told="size of the table")
class TableTooLarge(Indexed):
    def size(self):
        return (2 * self.rows) * (2 * self.columns)


@wrong("relative_position_bias", told="offsets clipped")
class Clipped(Indexed):
    def index(self, dr, dc):
        return (np.clip(dr, -1, 1) + 1) * 3 + np.clip(dc, -1, 1) + 1

    def size(self):
        return 9


@wrong("relative_position_bias", told="heads last")
class HeadsLast(Indexed):
    def call(self, scores):
        return tf.transpose(scores, (0, 2, 3, 1)) + tf.gather(self.table, self.lookup)


@wrong("relative_position_bias", told="offsets wrap around")
class NegativeIndices(Indexed):
    def index(self, dr, dc):
        return (dr % self.rows) * self.columns + dc % self.columns

    def size(self):
        return self.rows * self.columns


@wrong("relative_position_bias", told="bias subtracted")
class ScoresSubtracted(Indexed):
    def call(self, scores):
        return self.bias() - scores


@wrong("relative_position_bias", told="rows alone", slips=2, also=("multiplied",))
class RowsAloneMultiplied(RowsAlone):
    def call(self, scores):
        return scores * self.bias()


@wrong("relative_position_bias", told="dropout in the scores")
class DropoutInTheScores(Indexed):
    def call(self, scores, training=None):
        return layers.Dropout(0.1)(super().call(scores), training=training)


@wrong("relative_position_bias", told="piece of Keras 3", slips=0)
def bias_of_keras_3(num_heads, rows, columns):
    import keras

    class Bias(keras.layers.Layer):
        def call(self, scores):
            return scores

    return Bias()


# ResNet classifier, right


def scratch(make_backbone, shape):
    return make_backbone(include_top=False, weights=None, input_shape=tuple(shape))


def start(input_shape, data_augmentation):
    inputs = layers.Input(input_shape)
    return inputs, inputs if data_augmentation is None else data_augmentation(inputs)


def with_head(x, head_units, num_classes, activation="gelu"):
    for units in head_units:
        x = layers.Dense(units, activation=activation)(x)
    return layers.Dense(num_classes)(x)


@correct("resnet_classifier")
def functional(input_shape, num_classes, make_backbone, head_units=(512, 1024), data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    x = layers.GlobalAveragePooling2D()(scratch(make_backbone, x.shape[1:])(x))
    return tf_keras.Model(inputs, with_head(x, head_units, num_classes))


@correct("resnet_classifier")
def pooled_by_the_backbone(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    backbone = make_backbone(False, None, input_shape=x.shape[1:], pooling="avg")
    return tf_keras.Model(inputs, with_head(backbone(x), head_units, num_classes, tf.nn.gelu))


@correct("resnet_classifier")
def grown_on_a_tensor(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    backbone = make_backbone(include_top=False, weights=None, input_tensor=x)
    x = tf.reduce_mean(backbone.output, axis=[1, 2])
    for units in head_units:
        x = tf_keras.activations.gelu(layers.Dense(units)(x))
    return tf_keras.Model(inputs, layers.Dense(num_classes)(x))


@correct("resnet_classifier")
def sequential(input_shape, num_classes, make_backbone, head_units=(512, 1024), data_augmentation=None):
    model = tf_keras.Sequential([layers.InputLayer(input_shape)])
    if data_augmentation is not None:
        model.add(data_augmentation)
    model.add(scratch(make_backbone, model.output_shape[1:]))
    model.add(layers.GlobalAvgPool2D())
    for units in head_units:
        model.add(layers.Dense(units, tf.nn.gelu))
    model.add(layers.Dense(num_classes, name="logits"))
    return model


@correct("resnet_classifier")
class Subclassed(tf_keras.Model):
    def __init__(self, input_shape, num_classes, make_backbone, head_units=(), data_augmentation=None):
        super().__init__()
        self.augment = data_augmentation or layers.Activation("linear")
        shape = self.augment(tf.zeros((1, *input_shape))).shape[1:]
        self.backbone = scratch(make_backbone, shape)
        self.head = [layers.Dense(n, lambda x: tf.nn.gelu(x, approximate=True)) for n in head_units]
        self.logits = layers.Dense(num_classes)

    def call(self, images, training=None):
        features = self.backbone(self.augment(images, training=training), training=training)
        x = tf.reduce_mean(features, axis=(1, 2))
        for layer in self.head:
            x = layer(x)
        return self.logits(x)


# ResNet classifier, wrong


def pooled(make_backbone, x, pool=layers.GlobalAveragePooling2D):
    return pool()(scratch(make_backbone, x.shape[1:])(x))


@wrong("resnet_classifier", told=NOT_ATTEMPTED, slips=0)
def classifier_not_written(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    raise NotImplementedError


@wrong("resnet_classifier", told="flattened instead of averaged")
def flattened(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    x = pooled(make_backbone, x, layers.Flatten)
    return tf_keras.Model(inputs, with_head(x, head_units, num_classes))


@wrong("resnet_classifier", told="largest instead of mean")
def max_pooled(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    x = pooled(make_backbone, x, layers.GlobalMaxPooling2D)
    return tf_keras.Model(inputs, with_head(x, head_units, num_classes))


@wrong("resnet_classifier", told="softmax at the end")
def probabilities(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    logits = with_head(pooled(make_backbone, x), head_units, num_classes)
    return tf_keras.Model(inputs, layers.Softmax()(logits))


@wrong("resnet_classifier", told="no non-linearity")
def linear_head(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    logits = with_head(pooled(make_backbone, x), head_units, num_classes, activation=None)
    return tf_keras.Model(inputs, logits)


@wrong("resnet_classifier", told="non-linearity at the end")
def rectified_logits(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    logits = with_head(pooled(make_backbone, x), head_units, num_classes)
    return tf_keras.Model(inputs, layers.ReLU()(logits))


@wrong("resnet_classifier", told="head missing")
def without_a_head(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    return tf_keras.Model(inputs, with_head(pooled(make_backbone, x), (), num_classes))


@wrong("resnet_classifier", told="head units reversed")
def head_reversed(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    return tf_keras.Model(inputs, with_head(pooled(make_backbone, x), head_units[::-1], num_classes))


@wrong("resnet_classifier", told="first hidden layer alone")
def one_hidden_layer(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    return tf_keras.Model(inputs, with_head(pooled(make_backbone, x), head_units[:1], num_classes))


@wrong("resnet_classifier", told="include_top")
def with_its_own_top(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    x = make_backbone(weights=None, input_shape=x.shape[1:])(x)
    return tf_keras.Model(inputs, with_head(x, head_units, num_classes))


@wrong("resnet_classifier", told="trained weights")
def from_imagenet(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    x = make_backbone(include_top=False, input_shape=x.shape[1:], pooling="avg")(x)
    return tf_keras.Model(inputs, with_head(x, head_units, num_classes))


@wrong("resnet_classifier", told="backbone frozen")
def frozen_backbone(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    backbone = scratch(make_backbone, x.shape[1:])
    backbone.trainable = False
    x = layers.GlobalAveragePooling2D()(backbone(x))
    return tf_keras.Model(inputs, with_head(x, head_units, num_classes))


@wrong("resnet_classifier", told="backbone at inference")
def at_inference(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    x = layers.GlobalAveragePooling2D()(scratch(make_backbone, x.shape[1:])(x, training=False))
    return tf_keras.Model(inputs, with_head(x, head_units, num_classes))


@wrong("resnet_classifier", told="augmentation left out")
def not_augmented(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, None)
    return tf_keras.Model(inputs, with_head(pooled(make_backbone, x), head_units, num_classes))


@wrong("resnet_classifier", told=WRONG_TYPE, slips=0)
def another_backbone(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(x))
    return tf_keras.Model(inputs, with_head(x, head_units, num_classes))


@wrong("resnet_classifier", told="wrong number of classes")
def one_class_too_many(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    return tf_keras.Model(inputs, with_head(pooled(make_backbone, x), head_units, num_classes + 1))


# Vital signs, right


def cross_entropy(labels, logits):
    return tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)


def look(model, images, labels, loss_of=cross_entropy, training=False, **tape_options):
    """Return logits, loss and the gradients for the trainable weights."""
    with tf.GradientTape(**tape_options) as tape:
        logits = model(images, training=training)
        loss = loss_of(labels, logits)
    return logits, loss, tape.gradient(loss, model.trainable_variables)


@correct("vital_signs")
def with_global_norm(model, images, labels):
    logits, loss, gradients = look(model, images, labels)
    spread = tf.reduce_mean(tf.math.reduce_std(logits, axis=0))
    return loss, spread, tf.linalg.global_norm(gradients)


@correct("vital_signs")
def in_plain_numbers(model, images, labels):
    logits, loss, gradients = look(model, tf.constant(images), tf.constant(labels))
    squares = [np.sum(np.square(gradient.numpy())) for gradient in gradients]
    return float(loss), float(logits.numpy().std(axis=0).mean()), float(np.sqrt(sum(squares)))


@correct("vital_signs")
def by_hand(model, images, labels):
    with tf.GradientTape() as tape:
        logits = model(images)
        log_probabilities = tf.nn.log_softmax(logits)
        of_label = tf.gather(log_probabilities, np.ravel(labels), batch_dims=1)
        loss = -tf.reduce_mean(of_label)
    gradients = tape.gradient(loss, model.trainable_weights)
    centred = logits - tf.reduce_mean(logits, axis=0, keepdims=True)
    spread = tf.reduce_mean(tf.sqrt(tf.reduce_mean(centred**2, axis=0)))
    flat = tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], axis=0)
    return loss, spread, tf.norm(flat)


@correct("vital_signs")
def with_a_traced_step(model, images, labels):
    @tf.function
    def step(images, labels):
        return look(model, images, labels)

    logits, loss, gradients = step(tf.constant(images), tf.constant(np.ravel(labels)))
    spread = np.mean([np.std(column) for column in logits.numpy().T])
    return loss.numpy(), spread, np.linalg.norm([np.linalg.norm(g) for g in gradients])


@correct("vital_signs")
def with_predict(model, images, labels):
    logits = model.predict(images, verbose=0)
    losses = tf_keras.losses.sparse_categorical_crossentropy(np.ravel(labels), logits, from_logits=True)
    _, _, gradients = look(model, images, labels)
    return [np.mean(losses), np.std(logits, axis=0).mean(), tf.linalg.global_norm(gradients).numpy()]


# Vital signs, wrong


@wrong("vital_signs", told=NOT_ATTEMPTED, slips=0)
def signs_not_written(model, images, labels):
    raise NotImplementedError


@wrong("vital_signs", told=NOT_ATTEMPTED, slips=0)
def signs_of_nothing(model, images, labels):
    with_global_norm(model, images, labels)


@wrong("vital_signs", told=WRONG_TYPE, slips=0)
def loss_alone(model, images, labels):
    return look(model, images, labels)[1]


@wrong("vital_signs", told="dropout active")
def while_training(model, images, labels):
    logits, loss, gradients = look(model, images, labels, training=True)
    return loss, tf.reduce_mean(tf.math.reduce_std(logits, 0)), tf.linalg.global_norm(gradients)


@wrong("vital_signs", told="logits taken for probabilities")
def from_probabilities(model, images, labels):
    _, spread, norm = with_global_norm(model, images, labels)
    loss = tf_keras.losses.SparseCategoricalCrossentropy()(labels, model(images))
    return loss, spread, norm


@wrong("vital_signs", told="softmax twice")
def softmax_twice(model, images, labels):
    _, spread, norm = with_global_norm(model, images, labels)
    return cross_entropy(labels, 1.0 * tf.nn.softmax(model(images))), spread, norm


@wrong("vital_signs", told="loss summed")
def summed(model, images, labels):
    loss, spread, norm = with_global_norm(model, images, labels)
    return loss * len(images), spread, norm


@wrong("vital_signs", told="spread between classes")
def between_classes(model, images, labels):
    loss, _, norm = with_global_norm(model, images, labels)
    return loss, tf.reduce_mean(tf.math.reduce_std(model(images), axis=-1)), norm


@wrong("vital_signs", told="spread of all logits")
def of_all_logits(model, images, labels):
    loss, _, norm = with_global_norm(model, images, labels)
    return loss, np.std(model(images)), norm


@wrong("vital_signs", told="variance")
def mean_variance(model, images, labels):
    loss, _, norm = with_global_norm(model, images, labels)
    return loss, tf.reduce_mean(tf.math.reduce_variance(model(images), axis=0)), norm


@wrong("vital_signs", told="n − 1")
def unbiased(model, images, labels):
    loss, _, norm = with_global_norm(model, images, labels)
    return loss, np.std(model(images), axis=0, ddof=1).mean(), norm


@wrong("vital_signs", told="spread of probabilities")
def of_probabilities(model, images, labels):
    loss, _, norm = with_global_norm(model, images, labels)
    return loss, tf.reduce_mean(tf.math.reduce_std(tf.nn.softmax(model(images)), axis=0)), norm


@wrong("vital_signs", told="spread of each class")
def spread_of_each_class(model, images, labels):
    loss, _, norm = with_global_norm(model, images, labels)
    return loss, tf.math.reduce_std(model(images), axis=0), norm


@wrong("vital_signs", told="norms added")
def sum_of_norms(model, images, labels):
    logits, loss, gradients = look(model, images, labels)
    return loss, np.std(logits, 0).mean(), sum(float(tf.norm(g)) for g in gradients)


@wrong("vital_signs", told="norms averaged")
def mean_of_norms(model, images, labels):
    logits, loss, gradients = look(model, images, labels)
    return loss, np.std(logits, 0).mean(), np.mean([float(tf.norm(g)) for g in gradients])


@wrong("vital_signs", told="squared norm")
def without_the_root(model, images, labels):
    loss, spread, norm = with_global_norm(model, images, labels)
    return loss, spread, norm**2


@wrong("vital_signs", told="last gradient alone")
def last_gradient(model, images, labels):
    logits, loss, gradients = look(model, images, labels)
    return loss, np.std(logits, 0).mean(), tf.norm(gradients[-1])


@wrong("vital_signs", told="gradient of the summed loss")
def gradient_of_the_sum(model, images, labels):
    loss, spread, norm = with_global_norm(model, images, labels)
    return loss, spread, norm * len(images)


@wrong("vital_signs", told="model trained")
def takes_a_step(model, images, labels):
    signs = with_global_norm(model, images, labels)
    model.compile(tf_keras.optimizers.Adam(1e-3), cross_entropy)
    model.train_on_batch(images, np.ravel(labels))
    return signs


@wrong("vital_signs", told=RAISED, because="no number ever comes back")
def gradients_of_numpy(model, images, labels):
    with tf.GradientTape() as tape:
        logits = model.predict(images, verbose=0)
        loss = cross_entropy(labels, logits)
    gradients = tape.gradient(loss, model.trainable_variables)
    return loss, np.std(logits, 0).mean(), np.sqrt(sum(np.sum(g.numpy() ** 2) for g in gradients))


@correct("vital_signs")
def in_an_array(model, images, labels):
    return np.array([float(number) for number in with_global_norm(model, images, labels)])


@correct("vital_signs")
def in_a_tensor(model, images, labels):
    return tf.stack(with_global_norm(model, images, labels))


@wrong("vital_signs", told="results exchanged")
def norm_before_spread(model, images, labels):
    loss, spread, norm = with_global_norm(model, images, labels)
    return loss, norm, spread


@wrong("vital_signs", told="results exchanged")
def turned_round(model, images, labels):
    return with_global_norm(model, images, labels)[::-1]


@wrong("vital_signs", told="first images alone")
def first_five(model, images, labels):
    return with_global_norm(model, images[:5], labels[:5])


@wrong("vital_signs", told="first images alone")
def first_batch(model, images, labels):
    return with_global_norm(model, images[:32], labels[:32])


@wrong("vital_signs", told="first images alone")
def first_batch_of_128(model, images, labels):
    return with_global_norm(model, images[:128], labels[:128])


@wrong("vital_signs", told="labels in a row alone")
def labels_as_they_come(model, images, labels):
    def loss_of(labels, logits):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return tf.reduce_mean(losses)

    logits, loss, gradients = look(model, images, tf.constant(labels), loss_of)
    return loss, np.std(logits, 0).mean(), tf.linalg.global_norm(gradients)


@wrong("vital_signs", told="labels in a column alone")
def first_column_of_the_labels(model, images, labels):
    return with_global_norm(model, images, labels[:, 0])


@wrong("vital_signs", told="every label for every image")
def labels_broadcast(model, images, labels):
    def loss_of(labels, logits):
        of_label = tf.one_hot(labels, logits.shape[-1]) * tf.nn.log_softmax(logits)
        return -tf.reduce_mean(tf.reduce_sum(of_label, axis=-1))

    logits, loss, gradients = look(model, images, labels, loss_of)
    return loss, np.std(logits, 0).mean(), tf.linalg.global_norm(gradients)


@wrong("vital_signs", told="frozen weights counted")
def all_weights(model, images, labels):
    frozen = [part for part in model.submodules if not getattr(part, "trainable", True)]
    for part in frozen:
        part.trainable = True
    signs = with_global_norm(model, images, labels)
    for part in frozen:
        part.trainable = False
    return signs


@wrong("vital_signs", told="model trained")
def thaws(model, images, labels):
    with tf.GradientTape() as tape:
        logits = model(images, training=False)
        loss = cross_entropy(labels, logits)
    gradients = tape.gradient(loss, model.trainable_weights)
    for part in model.layers:
        part.trainable = False
    return loss, np.std(logits, 0).mean(), tf.linalg.global_norm(gradients)


@wrong("vital_signs", told="root of the mean variance")
def root_last(model, images, labels):
    loss, _, norm = with_global_norm(model, images, labels)
    return loss, np.sqrt(np.var(model(images), axis=0).mean()), norm


@wrong("vital_signs", told="spread summed")
def spread_of_all_classes(model, images, labels):
    loss, _, norm = with_global_norm(model, images, labels)
    return loss, np.std(model(images), axis=0).sum(), norm


@wrong("vital_signs", told="largest spread")
def of_the_class_that_spreads_most(model, images, labels):
    loss, _, norm = with_global_norm(model, images, labels)
    return loss, np.std(model(images), axis=0).max(), norm


@wrong("vital_signs", told="biases left out")
def kernels_alone(model, images, labels):
    logits, loss, gradients = look(model, images, labels)
    return loss, np.std(logits, 0).mean(), tf.linalg.global_norm(gradients[::2])


@wrong("vital_signs", told="logits taken for probabilities")
def probabilities_in_the_tape(model, images, labels):
    plain = tf_keras.losses.SparseCategoricalCrossentropy()
    logits, loss, gradients = look(model, images, labels, plain)
    return loss, np.std(logits, 0).mean(), tf.linalg.global_norm(gradients)


@wrong("vital_signs", told="softmax twice", slips=2, also=("squared norm",))
def softmax_twice_and_squared_norm(model, images, labels):
    loss, spread, norm = softmax_twice(model, images, labels)
    return loss, spread, norm**2


@wrong("vital_signs", told="variance", slips=2, also=("norms added",))
def variance_and_sum_of_norms(model, images, labels):
    loss, spread, norm = sum_of_norms(model, images, labels)
    return loss, np.var(model(images), axis=0).mean(), norm


@wrong("vital_signs", told=None)
def mean_absolute_deviation(model, images, labels):
    loss, _, norm = with_global_norm(model, images, labels)
    logits = model(images).numpy()
    return loss, np.abs(logits - logits.mean(0)).mean(), norm


@wrong("vital_signs", told=None)
def loss_to_the_base_two(model, images, labels):
    loss, spread, norm = with_global_norm(model, images, labels)
    return loss / np.log(2), spread, norm


# More of the ResNet classifier


def resnet(
    told, slips=1, also=(), act="gelu", feed=lambda net, x: net(x), units=list, made=with_head,
    augment=lambda layer, images: layer(images), after=lambda x: x,
):  # fmt: skip
    """Register a classifier with some of its parts exchanged, under the name of what it does."""

    def register(name):
        def create(
            input_shape, num_classes, make_backbone, head_units=(512, 1024), data_augmentation=None
        ):
            inputs = x = layers.Input(input_shape)
            if data_augmentation is not None:
                x = augment(data_augmentation, x)
            x = after(feed(scratch(make_backbone, x.shape[1:]), x))
            x = layers.GlobalAveragePooling2D()(x)
            return tf_keras.Model(inputs, made(x, units(head_units), num_classes, act))

        create.__name__ = name
        wrong("resnet_classifier", told, slips, also=also)(create)

    return register


def head_with(between):
    def head(x, head_units, num_classes, activation):
        for units in head_units:
            x = between(layers.Dense(units, activation=activation)(x))
        return layers.Dense(num_classes)(x)

    return head


def normalised_first(kind):
    return lambda x, *sizes: with_head(kind()(x), *sizes)


resnet("another non-linearity", act="relu")("rectified_head")
resnet("another non-linearity", act="elu")("elu_head")
resnet("another non-linearity", act="swish")("swish_head")
resnet("another non-linearity", act="tanh")("saturated_head")
resnet("head_units not used", units=lambda units: (512, 1024))("units_fixed")
resnet("head_units not used", units=lambda units: (512,))("one_fixed_layer")
resnet("hidden layers doubled", units=lambda units: [n for n in units for _ in "ab"])("doubled")
resnet("one hidden layer too few", units=lambda units: units[:-1])("without_the_last")
resnet("last hidden layer alone", units=lambda units: units[-1:])("the_last_alone")
resnet("normalisation too many", made=normalised_first(layers.BatchNormalization))("batch_norm_first")
resnet("normalisation too many", made=normalised_first(layers.LayerNormalization))("layer_norm_first")
resnet("normalisation too many", made=head_with(lambda x: layers.BatchNormalization()(x)))(
    "batch_norm_between"
)
resnet("dropout nobody asked for", made=head_with(lambda x: layers.Dropout(0.3)(x)))(
    "dropout_in_the_head"
)
resnet("dropout nobody asked for", after=lambda x: layers.Dropout(0.5)(x))("dropout_on_the_maps")
resnet("augmentation always on", augment=lambda layer, x: layer(x, training=True))("always_augmented")
resnet("augmentation never on", augment=lambda layer, x: layer(x, training=False))("never_augmented")
resnet("backbone cut off", after=tf.stop_gradient)("gradient_stopped")
resnet("backbone always in training", feed=lambda net, x: net(x, training=True))("always_in_training")
resnet(None, act=lambda x: 0.7 * tf.nn.gelu(x))("scaled_non_linearity")
resnet(None, made=lambda x, *sizes: with_head(x + 1.0, *sizes))("head_on_shifted_features")
resnet(
    "softmax at the end",
    2,
    ("another non-linearity",),
    act="relu",
    made=lambda *sizes: tf.nn.softmax(with_head(*sizes)),
)("softmax_of_a_rectified_head")
resnet(
    "head units reversed",
    2,
    ("backbone at inference",),
    units=lambda u: u[::-1],
    feed=lambda net, x: net(x, training=False),
)("reversed_at_inference")


@wrong("resnet_classifier", told="wrong number of classes")
def ten_classes_always(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    return tf_keras.Model(inputs, with_head(pooled(make_backbone, x), head_units, 10))


@wrong("resnet_classifier", told="augmentation left out")
def result_of_the_augmentation_dropped(
    input_shape, num_classes, make_backbone, head_units, data_augmentation=None
):
    inputs = layers.Input(input_shape)
    if data_augmentation is not None:
        data_augmentation(inputs)
    return tf_keras.Model(inputs, with_head(pooled(make_backbone, inputs), head_units, num_classes))


@wrong("resnet_classifier", told="head frozen")
def frozen_head(input_shape, num_classes, make_backbone, head_units, data_augmentation=None):
    inputs, x = start(input_shape, data_augmentation)
    x = pooled(make_backbone, x)
    for units in head_units:
        x = layers.Dense(units, "gelu", trainable=False)(x)
    return tf_keras.Model(inputs, layers.Dense(num_classes)(x))


# Distillation loss


def answers(student_logits, teacher_logits, temperature):
    """Return the logarithms of both softened answers, the teacher's first."""
    teacher_logits = tf.stop_gradient(teacher_logits)
    return [tf.nn.log_softmax(z / temperature) for z in (teacher_logits, student_logits)]


def divergence(teacher, student):
    """Return the Kullback-Leibler divergence (B,) of logarithms of probabilities."""
    return tf.reduce_sum(tf.exp(teacher) * (teacher - student), axis=-1)


def of_labels(labels, logits):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(labels, [-1]), logits)


def distils(
    told, slips=1, also=(), because="", row=lambda y: tf.reshape(y, [-1]), told_by=of_labels,
    weigh=lambda share: (1 - share, share), soften=lambda z, t: z / t, soften_teacher=None,
    stop=lambda student, teacher: (student, tf.stop_gradient(teacher)), strength=lambda t: t**2,
    apart=lambda t, s: divergence(tf.nn.log_softmax(t), tf.nn.log_softmax(s)), after=lambda loss: loss,
    labels_at=lambda z, t: z,
):  # fmt: skip
    """Register a loss with some of its parts exchanged, under the name of what it does."""

    def register(name):
        def loss(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
            first, second = weigh(teacher_share)
            cross_entropy = told_by(row(labels), labels_at(student_logits, temperature))
            student, teacher = stop(student_logits, teacher_logits)
            teacher = (soften_teacher or soften)(teacher, temperature)
            taught = apart(teacher, soften(student, temperature))
            return after(first * cross_entropy + second * strength(temperature) * taught)

        loss.__name__ = name
        wrong("distillation_loss", told, slips, because, also)(loss)

    return register


@correct("distillation_loss")
def with_log_softmax(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    taught, learned = answers(student_logits, teacher_logits, temperature)
    from_teacher = temperature**2 * divergence(taught, learned)
    return (1 - teacher_share) * of_labels(labels, student_logits) + teacher_share * from_teacher


@correct("distillation_loss")
def with_keras_losses(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    """The divergence as a cross-entropy less the teacher's own entropy."""
    losses = tf_keras.losses
    teacher_logits = tf.stop_gradient(teacher_logits) / temperature
    taught = tf.nn.softmax(teacher_logits)
    soft = losses.categorical_crossentropy(taught, student_logits / temperature, from_logits=True)
    entropy = losses.categorical_crossentropy(taught, teacher_logits, from_logits=True)
    row = tf.squeeze(labels, -1) if labels.shape.rank == 2 else labels
    hard = losses.sparse_categorical_crossentropy(row, student_logits, from_logits=True)
    return (1 - teacher_share) * hard + teacher_share * temperature**2 * (soft - entropy)


@correct("distillation_loss")
def with_logsumexp(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    def log_probabilities(z):
        return z - tf.reduce_logsumexp(z, axis=1, keepdims=True)

    of_all = tf.one_hot(tf.reshape(labels, [-1]), tf.shape(student_logits)[-1])  # (B, K)
    told = -tf.einsum("bk,bk->b", of_all, log_probabilities(student_logits))
    t, s = (log_probabilities(z / temperature) for z in (teacher_logits, student_logits))
    t = tf.stop_gradient(t)
    taught = tf.einsum("bk,bk->b", tf.exp(t), t - s)
    return told * (1.0 - teacher_share) + taught * (teacher_share * temperature * temperature)


@correct("distillation_loss")
def largest_logit_taken_off(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    def log_probabilities(z):
        z = z - tf.reduce_max(z, axis=-1, keepdims=True)
        return z - tf.math.log(tf.reduce_sum(tf.exp(z), axis=-1, keepdims=True))

    labels = tf.reshape(tf.cast(labels, tf.int32), (-1,))
    told = -tf.gather(log_probabilities(student_logits), labels, axis=1, batch_dims=1)
    learned = log_probabilities(student_logits / temperature)
    taught = tf.stop_gradient(log_probabilities(teacher_logits / temperature))
    apart = tf.math.multiply(tf.math.exp(taught), taught - learned)
    return (1 - teacher_share) * told + teacher_share * temperature**2 * tf.reduce_sum(apart, -1)


@correct("distillation_loss")
def with_loss_objects(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    reduction = tf_keras.losses.Reduction.NONE
    hard = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    soft = tf_keras.losses.CategoricalCrossentropy(from_logits=True, reduction=reduction)
    taught = tf.stop_gradient(tf.nn.softmax(teacher_logits / temperature, axis=-1))
    apart = soft(taught, student_logits / temperature)
    apart -= soft(taught, tf.stop_gradient(teacher_logits) / temperature)
    told = hard(tf.reshape(labels, (-1, 1)), student_logits)
    return tf.add_n([(1 - teacher_share) * told, teacher_share * temperature**2 * apart])


@correct("distillation_loss")
@tf.function
def traced(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    return with_log_softmax(labels, student_logits, teacher_logits, temperature, teacher_share)


@correct("distillation_loss")
def image_by_image(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    def of_one(one):
        label, student, teacher = one
        taught, learned = answers(student, teacher, temperature)
        told = -tf.nn.log_softmax(student)[label]
        return (1 - teacher_share) * told + teacher_share * temperature**2 * divergence(taught, learned)

    inputs = tf.reshape(labels, [-1]), student_logits, teacher_logits
    return tf.map_fn(of_one, inputs, fn_output_signature=tf.float32)


# Distillation loss, wrong


@wrong("distillation_loss", told=NOT_ATTEMPTED, slips=0)
def loss_not_written(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    raise NotImplementedError


@wrong("distillation_loss", told=NOT_ATTEMPTED, slips=0)
def loss_of_nothing(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    with_log_softmax(labels, student_logits, teacher_logits, temperature, teacher_share)


@wrong("distillation_loss", told=WRONG_TYPE, slips=0)
def both_parts(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    return (
        of_labels(labels, student_logits),
        divergence(*answers(student_logits, teacher_logits, temperature)),
    )


@wrong("distillation_loss", told=WRONG_TYPE, slips=0)
def loss_in_numpy(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    return with_log_softmax(labels, student_logits, teacher_logits, temperature, teacher_share).numpy()


@wrong("distillation_loss", told=None, slips=0)
def loss_of_zero(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    return 0.0 * with_log_softmax(labels, student_logits, teacher_logits)


@wrong("distillation_loss", told="teacher left out", because="half of the loss is missing")
def labels_alone(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    return of_labels(labels, student_logits)


@wrong("distillation_loss", told="labels left out", because="half of the loss is missing")
def teacher_alone(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    return temperature**2 * divergence(*answers(student_logits, teacher_logits, temperature))


@wrong("distillation_loss", told="probabilities cut off")
def with_keras_divergence(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    taught, learned = (tf.nn.softmax(z / temperature) for z in (teacher_logits, student_logits))
    apart = tf_keras.losses.kl_divergence(tf.stop_gradient(taught), learned)
    told = of_labels(labels, student_logits)
    return (1 - teacher_share) * told + teacher_share * temperature**2 * apart


@wrong("distillation_loss", told="exponential overflows")
def exponentials_alone(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    def probabilities(z):
        return tf.exp(z) / tf.reduce_sum(tf.exp(z), axis=-1, keepdims=True)

    p, q = (probabilities(z / temperature) for z in (tf.stop_gradient(teacher_logits), student_logits))
    apart = tf.reduce_sum(p * tf.math.log(p / q), axis=-1)
    told = of_labels(labels, student_logits)
    return (1 - teacher_share) * told + teacher_share * temperature**2 * apart


@wrong("distillation_loss", told="exponential overflows")
def logarithm_of_the_softmax(
    labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7
):
    taught, learned = (tf.nn.softmax(z / temperature) for z in (teacher_logits, student_logits))
    taught = tf.stop_gradient(taught)
    apart = tf.reduce_sum(taught * (tf.math.log(taught) - tf.math.log(learned)), axis=-1)
    told = of_labels(labels, student_logits)
    return (1 - teacher_share) * told + teacher_share * temperature**2 * apart


@wrong("distillation_loss", told="batch size must be known")
def in_a_python_loop(labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7):
    losses = with_log_softmax(labels, student_logits, teacher_logits, temperature, teacher_share)
    return tf.stack([losses[i] for i in range(len(losses))])


@wrong("distillation_loss", told="squared temperature on the labels too")
def square_before_everything(
    labels, student_logits, teacher_logits, temperature=2.0, teacher_share=0.7
):
    apart = divergence(*answers(student_logits, teacher_logits, temperature))
    told = of_labels(labels, student_logits)
    return temperature**2 * ((1 - teacher_share) * told + teacher_share * apart)


@wrong("distillation_loss", told="wrong default")
def other_defaults(labels, student_logits, teacher_logits, temperature=3.0, teacher_share=0.7):
    return with_log_softmax(labels, student_logits, teacher_logits, temperature, teacher_share)


def with_gather(labels, logits):
    """Return (B,) of labels in a row and (B, 1) of labels in a column."""
    log_probabilities = tf.nn.log_softmax(logits)
    return -tf.gather(log_probabilities, labels, batch_dims=1)


def with_one_hot(labels, logits):
    """Return (B,) of labels in a row and (B, B) of labels in a column."""
    of_label = tf.one_hot(labels, logits.shape[-1]) * tf.nn.log_softmax(logits)
    return -tf.reduce_sum(of_label, axis=-1)


def probable(labels, logits, **options):
    return tf_keras.losses.sparse_categorical_crossentropy(labels, logits, **options)


def soft_cross_entropy(teacher, student):
    return tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(teacher), student)


def decided(teacher, student):
    return of_labels(tf.argmax(teacher, axis=-1), student)


def probabilities_apart(teacher, student):
    """Return the divergence of what is taken for probabilities."""
    return tf_keras.losses.kl_divergence(teacher, student)


def unchanged(z, temperature):
    return z


def softmax_then_temperature(z, temperature):
    return tf.nn.softmax(z) / temperature


distils("shares swapped", weigh=lambda share: (share, 1 - share))("shares_exchanged")
distils("shares do not sum to 1", weigh=lambda share: (1, share))("labels_in_full")
distils("shares do not sum to 1", weigh=lambda share: (1 - share, 1))("teacher_in_full")
distils("shares do not sum to 1", weigh=lambda share: (1, 1))("both_in_full")
distils("teacher_share not used", weigh=lambda share: (0.5, 0.5))("half_and_half")
distils("temperature not squared away", strength=lambda t: 1)("without_the_factor")
distils("temperature not squared away", strength=lambda t: t)("temperature_once")
distils("divided by the squared temperature", strength=lambda t: 1 / t**2)("divided_again")
distils("labels softened too", labels_at=lambda z, t: z / t)("labels_softened")
distils("student alone softened", soften_teacher=unchanged)("teacher_as_it_is")
distils("teacher alone softened", soften=unchanged, soften_teacher=lambda z, t: z / t)(
    "student_as_it_is"
)
distils("not softened", soften=unchanged)("factor_alone")
distils("not softened", soften=unchanged, strength=lambda t: 1)("no_temperature_at_all")
distils("times the temperature", soften=lambda z, t: z * t)("sharpened")
distils("temperature not used", soften=lambda z, t: z / 2, strength=lambda t: 4)("always_two")
distils(
    "divergence turned round", apart=lambda t, s: divergence(tf.nn.log_softmax(s), tf.nn.log_softmax(t))
)("from_the_student")
distils("cross-entropy with the teacher", apart=soft_cross_entropy)("entropy_left_in")
distils("teacher's part negative", strength=lambda t: -(t**2))("farther_is_better")
distils(
    "mean over the classes",
    apart=lambda t, s: tf.reduce_mean(
        tf.nn.softmax(t) * (tf.nn.log_softmax(t) - tf.nn.log_softmax(s)), -1
    ),
)("averaged_over_classes")
distils("hard labels of the teacher", apart=decided)("hard_and_softened")
distils("hard labels of the teacher", apart=decided, soften=unchanged, strength=lambda t: 1)(
    "as_deit_does_best"
)
distils(
    "squared differences",
    apart=lambda t, s: tf.reduce_sum((tf.nn.softmax(t) - tf.nn.softmax(s)) ** 2, axis=-1),
)("squares_summed")
distils("softmax twice", told_by=lambda y, z: of_labels(y, tf.nn.softmax(z)))("labels_twice")
distils("softmax twice", soften=softmax_then_temperature)("softened_after_the_softmax")
distils("softmax twice", soften=softmax_then_temperature, labels_at=lambda z, t: tf.nn.softmax(z))(
    "probabilities_all_the_way"
)
distils("logits taken for probabilities", told_by=probable)("from_logits_not_said")
distils("logits taken for probabilities", apart=probabilities_apart)("divergence_of_logits")
distils(
    "probabilities cut off",
    apart=lambda t, s: tf.reduce_sum(
        tf.nn.softmax(t)
        * (tf.math.log(tf.nn.softmax(t) + 1e-8) - tf.math.log(tf.nn.softmax(s) + 1e-8)),
        -1,
    ),
)("something_small_added")
distils(
    "labels in a row alone",
    row=lambda y: y,
    told_by=lambda y, z: tf.nn.sparse_softmax_cross_entropy_with_logits(y, z),
)("labels_laid_as_they_come")
distils("labels in a column alone", row=lambda y: y[:, 0])("first_column_of_labels")
distils("every label for every image", row=lambda y: y, told_by=with_gather)("gathered_in_a_column")
distils("every label for every image", row=lambda y: y, told_by=with_one_hot)("one_hot_of_a_column")
distils("one number for all images", after=tf.reduce_mean)("mean_over_the_batch")
distils("one number for all images", after=tf.reduce_sum)("sum_over_the_batch")
distils("losses in a column", after=lambda loss: loss[:, None])("one_row_each")
distils("teacher trained too", stop=lambda student, teacher: (student, teacher))("teacher_learns_too")
distils("student cut off", stop=lambda student, teacher: (tf.stop_gradient(student), teacher))(
    "wrong_one_stopped"
)
distils("student cut off", after=tf.stop_gradient)("everything_stopped")
distils("shares swapped", 2, ("temperature not squared away",), weigh=lambda share: (share, 1 - share),
        strength=lambda t: 1)("swapped_without_the_factor")  # fmt: skip
distils("divergence turned round", 2, ("teacher trained too",), stop=lambda *logits: logits,
        apart=lambda t, s: divergence(tf.nn.log_softmax(s), tf.nn.log_softmax(t)))(
    "turned_round_and_trained"
)  # fmt: skip
distils("cross-entropy with the teacher", 2, ("labels softened too",), apart=soft_cross_entropy,
        labels_at=lambda z, t: z / t)("entropy_left_in_and_labels_softened")  # fmt: skip
distils(
    None,
    because="no formula explains the part that all the others need",
    apart=lambda t, s: divergence(tf.nn.log_softmax(t), tf.nn.log_softmax(s)) / np.log(2),
)("divergence_in_bits")
distils(
    None,
    because="no formula explains the part that all the others need",
    apart=lambda t, s: tf.reduce_sum(tf.abs(tf.nn.softmax(t) - tf.nn.softmax(s)), axis=-1),
)("absolute_differences")

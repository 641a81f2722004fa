"""Patch layers and Vision Transformers in many hands, right and wrong."""

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from tests.checks.catalogue import correct, wrong
from utilities.checks.case import NOT_ATTEMPTED, RAISED, WRONG_TYPE

# --- patches, right --------------------------------------------------------------------------


@correct("patch_extractor")
class PatchExtractor(layers.Layer):
    """Reshape, transpose, reshape; the one the classifiers below use."""

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def call(self, images):
        _, height, width, channels = images.shape
        size = self.patch_size
        rows, columns = height // size, width // size
        x = tf.reshape(images, (-1, rows, size, columns, size, channels))
        x = tf.transpose(x, (0, 1, 3, 2, 4, 5))  # (B, rows, columns, size, size, C)
        return tf.reshape(x, (-1, rows * columns, size * size * channels))  # (B, N, p)


@correct("patch_extractor")
class ExtractPatchesOp(layers.Layer):
    def __init__(self, patch_size):
        super().__init__()
        self.patch_size = patch_size

    def call(self, images):
        window = [1, self.patch_size, self.patch_size, 1]
        patches = tf.image.extract_patches(
            images, sizes=window, strides=window, rates=[1, 1, 1, 1], padding="SAME"
        )
        return layers.Reshape((-1, patches.shape[-1]))(patches)


@correct("patch_extractor")
class FixedConvolution(layers.Layer):
    """A convolution whose kernel only copies: output channel i is pixel value i of the patch."""

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.size = patch_size

    def build(self, input_shape):
        values = self.size**2 * input_shape[-1]
        self.copying = tf.reshape(tf.eye(values), (self.size, self.size, input_shape[-1], values))

    def call(self, images):
        images = tf.cast(images, tf.float32)
        x = tf.nn.conv2d(images, self.copying, strides=self.size, padding="VALID")
        return tf.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))


@correct("patch_extractor")
class SpaceToDepth(layers.Layer):
    def __init__(self, patch_size):
        super().__init__()
        self.patch_size = patch_size

    def call(self, images):
        if self.patch_size == 1:  # TensorFlow's operation wants blocks of two and more
            return layers.Flatten()(images)[:, :, None] if images.shape[-1] == 1 else tf.reshape(
                images, (-1, images.shape[1] * images.shape[2], images.shape[3])
            )
        blocks = tf.nn.space_to_depth(images, self.patch_size)
        batch = tf.shape(blocks)[0]
        return tf.reshape(blocks, (batch, blocks.shape[1] * blocks.shape[2], blocks.shape[3]))


@correct("patch_extractor")
class LoopOverPatches(layers.Layer):
    def __init__(self, patch_size):
        super().__init__()
        self.patch_size = patch_size

    @tf.function
    def call(self, inputs):
        p = self.patch_size
        patches = []
        for top in range(0, inputs.shape[1], p):
            for left in range(0, inputs.shape[2], p):
                patch = inputs[:, top : top + p, left : left + p, :]
                patches.append(tf.reshape(patch, (-1, p * p * inputs.shape[3])))
        return tf.stack(patches, axis=1)


@correct("patch_extractor")
class SplitTwice(layers.Layer):
    def __init__(self, patch_size=16, name="patches", **kwargs):
        super().__init__(name=name, **kwargs)
        self.patch_size = patch_size

    def build(self, input_shape):
        self.rows = input_shape[1] // self.patch_size
        self.columns = input_shape[2] // self.patch_size
        super().build(input_shape)

    def call(self, images, training=None):
        flatten = layers.Flatten()
        patches = [
            flatten(patch)
            for row in tf.split(images, self.rows, axis=1)
            for patch in tf.split(row, self.columns, axis=2)
        ]
        return tf.concat([patch[:, tf.newaxis] for patch in patches], axis=1)

    def get_config(self):
        return {**super().get_config(), "patch_size": self.patch_size}


@correct("patch_extractor")
def gathered_by_index(patch_size):
    """A function that returns a layer: Lambda, float output for bytes too."""

    def cut(images):
        _, height, width, channels = images.shape
        numbers = np.arange(height * width).reshape(
            height // patch_size, patch_size, width // patch_size, patch_size
        )
        index = numbers.swapaxes(1, 2).reshape(-1, patch_size**2)  # (N, patch_size²)
        pixels = tf.reshape(tf.cast(images, tf.float32), (-1, height * width, channels))
        patches = tf.gather(pixels, index, axis=1)  # (B, N, patch_size², C)
        return tf.reshape(patches, (-1, len(index), patch_size**2 * channels))

    return layers.Lambda(cut)


# --- patches, wrong --------------------------------------------------------------------------


class _Cutting(layers.Layer):
    """What the wrong extractors share: the cut (B, rows, size, columns, size, C)."""

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def cut(self, images):
        _, height, width, channels = images.shape
        size = self.patch_size
        return tf.reshape(images, (-1, height // size, size, width // size, size, channels))

    def sizes(self, images):
        _, height, width, channels = images.shape
        number = (height // self.patch_size) * (width // self.patch_size)
        return number, self.patch_size**2 * channels


@wrong("patch_extractor", told=NOT_ATTEMPTED)
class ExtractorStub(layers.Layer):
    def __init__(self, patch_size):
        raise NotImplementedError


@wrong("patch_extractor", told=NOT_ATTEMPTED)
class ExtractorForgotReturn(_Cutting):
    def call(self, images):
        tf.reshape(self.cut(images), (-1, *self.sizes(images)))


@wrong("patch_extractor", told="plain reshape")
class PlainReshape(_Cutting):
    def call(self, images):
        return tf.reshape(images, (-1, *self.sizes(images)))


@wrong("patch_extractor", told="plain reshape")
class NoTranspose(_Cutting):
    def call(self, images):
        return tf.reshape(self.cut(images), (-1, *self.sizes(images)))


@wrong("patch_extractor", told="patches column by column")
class PatchesColumnByColumn(_Cutting):
    def call(self, images):
        x = tf.transpose(self.cut(images), (0, 3, 1, 2, 4, 5))
        return tf.reshape(x, (-1, *self.sizes(images)))


@wrong("patch_extractor", told="patches column by column")
class LoopsInTheWrongOrder(_Cutting):
    def call(self, images):
        p, patches = self.patch_size, []
        for left in range(0, images.shape[2], p):
            for top in range(0, images.shape[1], p):
                patch = images[:, top : top + p, left : left + p, :]
                patches.append(tf.reshape(patch, (-1, self.sizes(images)[1])))
        return tf.stack(patches, axis=1)


@wrong("patch_extractor", told="pixels column by column")
class PixelsColumnByColumn(_Cutting):
    def call(self, images):
        x = tf.einsum("brpcqk->brcqpk", self.cut(images))
        return tf.reshape(x, (-1, *self.sizes(images)))


@wrong("patch_extractor", told="image transposed")
class ImageTransposed(_Cutting):
    def call(self, images):
        images = tf.transpose(images, (0, 2, 1, 3))
        x = tf.transpose(self.cut(images), (0, 1, 3, 2, 4, 5))
        return tf.reshape(x, (-1, *self.sizes(images)))


@wrong("patch_extractor", told="channels first")
class ChannelsFirst(_Cutting):
    def call(self, images):
        x = tf.transpose(self.cut(images), (0, 1, 3, 5, 2, 4))
        return tf.reshape(x, (-1, *self.sizes(images)))


@wrong("patch_extractor", told="channels apart")
class ChannelsApart(_Cutting):
    def call(self, images):
        number, values = self.sizes(images)
        channels = images.shape[-1]
        x = tf.transpose(self.cut(images), (0, 5, 1, 3, 2, 4))
        return tf.reshape(x, (-1, number * channels, values // channels))


@wrong("patch_extractor", told="height and width swapped")
class SidesSwapped(_Cutting):
    def call(self, images):
        _, width, height, channels = images.shape
        size = self.patch_size
        x = tf.reshape(images, (-1, height // size, size, width // size, size, channels))
        x = tf.transpose(x, (0, 1, 3, 2, 4, 5))
        return tf.reshape(x, (-1, *self.sizes(images)))


@wrong("patch_extractor", told="overlapping patches")
class StrideOne(_Cutting):
    def call(self, images):
        window = [1, self.patch_size, self.patch_size, 1]
        x = tf.image.extract_patches(images, window, [1, 1, 1, 1], [1, 1, 1, 1], "VALID")
        return tf.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))


@wrong("patch_extractor", told="overlapping patches")
class StrideOnePadded(_Cutting):
    def call(self, images):
        window = [1, self.patch_size, self.patch_size, 1]
        x = tf.image.extract_patches(images, window, [1, 1, 1, 1], [1, 1, 1, 1], "SAME")
        return tf.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))


@wrong("patch_extractor", told="number of patches unknown")
class NumberUnknown(_Cutting):
    """The Keras example of 2021: right numbers, but −1 for the number of patches."""

    def call(self, images):
        window = [1, self.patch_size, self.patch_size, 1]
        x = tf.image.extract_patches(images, window, window, [1, 1, 1, 1], "VALID")
        return tf.reshape(x, [tf.shape(images)[0], -1, x.shape[-1]])


@wrong("patch_extractor", told="not flattened")
class StillAGrid(_Cutting):
    def call(self, images):
        window = [1, self.patch_size, self.patch_size, 1]
        return tf.image.extract_patches(images, window, window, [1, 1, 1, 1], "VALID")


@wrong("patch_extractor", told="pixels not flattened")
class SmallImages(_Cutting):
    def call(self, images):
        x = tf.transpose(self.cut(images), (0, 1, 3, 2, 4, 5))
        size = self.patch_size
        return tf.reshape(x, (-1, self.sizes(images)[0], size, size, images.shape[-1]))


@wrong("patch_extractor", told="batch merged")
class BatchMerged(_Cutting):
    def call(self, images):
        x = tf.transpose(self.cut(images), (0, 1, 3, 2, 4, 5))
        return tf.reshape(x, (-1, self.sizes(images)[1]))


@wrong("patch_extractor", told="batch size fixed")
class BatchSizeFixed(_Cutting):
    def call(self, images):
        x = tf.transpose(self.cut(images), (0, 1, 3, 2, 4, 5))
        return tf.reshape(x, (images.shape[0], *self.sizes(images)))


@wrong("patch_extractor", told="batch size fixed")
class LoopOverImages(_Cutting):
    def call(self, images):
        extractor = PatchExtractor(self.patch_size)
        return tf.concat([extractor(images[i : i + 1]) for i in range(images.shape[0])], axis=0)


@wrong("patch_extractor", told="first image only")
class FirstImageOnly(_Cutting):
    def call(self, images):
        return PatchExtractor(self.patch_size)(images[:1])


@wrong("patch_extractor", told="pixels scaled")
class PixelsScaled(_Cutting):
    def call(self, images):
        return PatchExtractor(self.patch_size)(tf.cast(images, tf.float32) / 255.0)


@wrong("patch_extractor", told=RAISED)
class SquareOnly(_Cutting):
    def call(self, images):
        x = tf.transpose(self.cut(images), (0, 1, 3, 2, 4, 5))
        side = images.shape[1] // self.patch_size
        return tf.stack([tf.reshape(image, (side**2, -1)) for image in tf.unstack(x)])


@wrong("patch_extractor", told=RAISED)
class BytesRefused(_Cutting):
    def call(self, images):
        kernel_size = self.patch_size**2 * images.shape[-1]
        kernel = tf.reshape(
            tf.eye(kernel_size), (self.patch_size, self.patch_size, images.shape[-1], kernel_size)
        )
        x = tf.nn.conv2d(images, kernel, self.patch_size, "VALID")
        return tf.reshape(x, (-1, *self.sizes(images)))


@wrong("patch_extractor", told=WRONG_TYPE)
class NumpyPatches:
    def __init__(self, patch_size):
        self.patch_size = patch_size

    def __call__(self, images):
        return PatchExtractor(self.patch_size)(images).numpy()


# --- encoding, right -------------------------------------------------------------------------


@correct("patch_encoder")
class PatchEncoder(layers.Layer):
    """Weights in __init__, token repeated; the one the classifiers below use."""

    def __init__(self, num_patches, proj_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_patches = num_patches
        self.projection = layers.Dense(proj_dim)
        self.class_token = self.add_weight("class_token", (1, 1, proj_dim), initializer="zeros")
        self.position_embedding = layers.Embedding(num_patches + 1, proj_dim)

    def call(self, patches):
        x = self.projection(patches)  # (B, N, d)
        class_token = tf.repeat(self.class_token, tf.shape(x)[0], axis=0)  # (B, 1, d)
        x = tf.concat([class_token, x], axis=1)  # (B, N + 1, d)
        return x + self.position_embedding(tf.range(self.num_patches + 1))


@correct("patch_encoder")
class BuiltLate(layers.Layer):
    def __init__(self, num_patches, proj_dim):
        super().__init__()
        self.num_patches, self.proj_dim = num_patches, proj_dim

    def build(self, input_shape):
        size = (input_shape[-1], self.proj_dim)
        self.w = self.add_weight(name="w", shape=size, initializer="glorot_uniform")
        self.b = self.add_weight(name="b", shape=(self.proj_dim,), initializer="zeros")
        self.cls = self.add_weight(
            name="class_token", shape=(1, 1, self.proj_dim), initializer="random_normal"
        )
        self.pos = self.add_weight(
            name="pos", shape=(1, self.num_patches + 1, self.proj_dim), initializer="zeros"
        )

    def call(self, patches):
        x = tf.einsum("bnp,pd->bnd", patches, self.w) + self.b
        first = tf.broadcast_to(self.cls, [tf.shape(x)[0], 1, self.proj_dim])
        return tf.concat((first, x), 1) + self.pos


@correct("patch_encoder")
class PlainVariables(layers.Layer):
    """tf.Variable as attributes, without names; padding in place of concatenation."""

    def __init__(self, num_patches, proj_dim, **kwargs):
        super().__init__(**kwargs)
        self.class_token = tf.Variable(tf.random.normal((1, 1, proj_dim), stddev=0.02))
        self.positions = tf.Variable(tf.zeros((num_patches + 1, proj_dim)))
        self.dense = layers.Dense(units=proj_dim, activation=None)

    def call(self, patches, training=None):
        padded = tf.pad(self.dense(patches), [[0, 0], [1, 0], [0, 0]])
        class_token = tf.pad(self.class_token, [[0, 0], [0, padded.shape[1] - 1], [0, 0]])
        return padded + class_token + self.positions[tf.newaxis]


@correct("patch_encoder")
class PositionsOneByOne(layers.Layer):
    """Positions looked up in a list and stacked, inside tf.function; 1×1 convolution projects."""

    def __init__(self, num_patches, proj_dim, name=None):
        super().__init__(name=name)
        self.num_tokens = num_patches + 1
        self.positions = layers.Embedding(input_dim=num_patches + 1, output_dim=proj_dim)
        self.project = layers.Conv1D(filters=proj_dim, kernel_size=1)
        self.class_token = self.add_weight(
            "class_token", (1, 1, proj_dim), initializer=tf_keras.initializers.TruncatedNormal(0.02)
        )

    @tf.function
    def call(self, inputs):
        table = tf.stack([self.positions(tf.constant(i)) for i in range(self.num_tokens)])
        ones = tf.ones_like(inputs[:, :1, :1])  # (B, 1, 1)
        return tf.concat([ones * self.class_token + table[0], self.project(inputs) + table[1:]], 1)


@correct("patch_encoder")
class SublayerForTheToken(layers.Layer):
    """The token in a layer of its own, the rest in a Sequential."""

    class ClassToken(layers.Layer):
        def build(self, shape):
            shape = (1, 1, shape[-1])
            self.class_token = self.add_weight("class_token", shape, initializer="zeros")

        def call(self, x):
            return tf.concat([tf.tile(self.class_token, [tf.shape(x)[0], 1, 1]), x], axis=1)

    def __init__(self, num_patches, proj_dim):
        super().__init__()
        self.embed = tf_keras.Sequential([layers.Dense(proj_dim), self.ClassToken()])
        self.positions = layers.Embedding(num_patches + 1, proj_dim)

    def call(self, patches):
        x = self.embed(patches)
        return layers.Add()([x, tf.zeros_like(x) + self.positions(tf.range(x.shape[1]))])


@correct("patch_encoder")
class ModelInPlaceOfLayer(tf_keras.Model):
    """A Model in place of a Layer, positions gathered with tf.nn.embedding_lookup."""

    def __init__(self, num_patches, proj_dim):
        super().__init__()
        self.projection = layers.EinsumDense("bnp,pd->bnd", (num_patches, proj_dim), bias_axes="d")
        initial = tf.random.uniform((num_patches + 1, proj_dim), -0.05, 0.05)
        self.table = tf.Variable(initial, trainable=True, name="position_embedding")
        self.class_token = self.add_weight(name="class_token", shape=(1, 1, proj_dim))

    def call(self, patches):
        token = self.class_token[0] + self.table[:1]  # (1, d)
        rest = self.projection(patches) + tf.nn.embedding_lookup(
            self.table, tf.range(1, tf.shape(self.table)[0])
        )
        return tf.concat([tf.tile(token[None], (tf.shape(rest)[0], 1, 1)), rest], axis=-2)


# --- encoding, wrong -------------------------------------------------------------------------


class _Encoding(layers.Layer):
    """What the wrong encoders share: projection, class token, positions."""

    def __init__(self, num_patches, proj_dim, rows=None, use_bias=True, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.num_patches, self.proj_dim = num_patches, proj_dim
        self.projection = layers.Dense(proj_dim, use_bias=use_bias, activation=activation)
        self.class_token = self.add_weight("class_token", (1, 1, proj_dim), initializer="normal")
        self.positions = layers.Embedding(rows or num_patches + 1, proj_dim)

    def tokens(self, patches):
        x = self.projection(patches)
        return tf.concat([self.repeated(x), x], axis=1)

    def repeated(self, x):
        return tf.repeat(self.class_token, tf.shape(x)[0], axis=0)

    def table(self):
        return self.positions(tf.range(self.num_patches + 1))

    def call(self, patches):
        return self.tokens(patches) + self.table()


@wrong("patch_encoder", told=NOT_ATTEMPTED)
class EncoderStub(_Encoding):
    def call(self, patches):
        raise NotImplementedError


@wrong("patch_encoder", told=NOT_ATTEMPTED)
class EncoderForgotReturn(_Encoding):
    def call(self, patches):
        self.tokens(patches)


@wrong("patch_encoder", told="class token last")
class TokenLast(_Encoding):
    def tokens(self, patches):
        x = self.projection(patches)
        return tf.concat([x, self.repeated(x)], axis=1)


@wrong("patch_encoder", told="no class token")
class NoToken(_Encoding):
    def __init__(self, num_patches, proj_dim):
        layers.Layer.__init__(self)
        self.projection = layers.Dense(proj_dim)
        self.positions = layers.Embedding(num_patches, proj_dim)
        self.num_patches = num_patches

    def call(self, patches):
        return self.projection(patches) + self.positions(tf.range(self.num_patches))


@wrong("patch_encoder", told="no class token")
class TokenMadeButNotUsed(_Encoding):
    def call(self, patches):
        return self.projection(patches) + self.table()[: self.num_patches]


@wrong("patch_encoder", told="class token added")
class TokenAdded(_Encoding):
    def call(self, patches):
        x = self.projection(patches) + self.class_token
        return x + self.table()[: self.num_patches]


@wrong("patch_encoder", told="class token not trainable")
class TokenFrozen(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        self.frozen = self.add_weight("frozen", (1, 1, proj_dim), trainable=False)
        self._trainable_weights = [w for w in self._trainable_weights if w is not self.class_token]
        self.class_token = self.frozen


@wrong("patch_encoder", told="class token not trainable")
class TokenOfZeros(_Encoding):
    def __init__(self, num_patches, proj_dim):
        layers.Layer.__init__(self)
        self.num_patches = num_patches
        self.projection = layers.Dense(proj_dim)
        self.positions = layers.Embedding(num_patches + 1, proj_dim)
        self.class_token = tf.zeros((1, 1, proj_dim))


@wrong("patch_encoder", told="class token not trainable")
class TokenNotTrainable(_Encoding):
    def __init__(self, num_patches, proj_dim):
        layers.Layer.__init__(self)
        self.num_patches = num_patches
        self.projection = layers.Dense(proj_dim)
        self.positions = layers.Embedding(num_patches + 1, proj_dim)
        self.class_token = tf.Variable(tf.random.normal((1, 1, proj_dim)), trainable=False)


@wrong("patch_encoder", told="class token not trainable")
class TokenWithoutGradient(_Encoding):
    def repeated(self, x):
        return tf.stop_gradient(super().repeated(x))


@wrong("patch_encoder", told="positions for patches only")
class PositionsBeforeTheToken(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim, rows=num_patches)

    def call(self, patches):
        x = self.projection(patches) + self.positions(tf.range(self.num_patches))
        return tf.concat([self.repeated(x), x], axis=1)


@wrong("patch_encoder", told="positions for patches only")
class TokenWithoutPosition(_Encoding):
    def call(self, patches):
        x = self.projection(patches) + self.table()[1:]
        return tf.concat([self.repeated(x), x], axis=1)


@wrong("patch_encoder", told="no positions")
class PositionsForgotten(_Encoding):
    def call(self, patches):
        return self.tokens(patches)


@wrong("patch_encoder", told="no positions")
class PositionsNeverMade(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        del self.positions

    def call(self, patches):
        return self.tokens(patches)


@wrong("patch_encoder", told="positions multiplied")
class PositionsMultiplied(_Encoding):
    def call(self, patches):
        return self.tokens(patches) * self.table()


@wrong("patch_encoder", told="positions concatenated")
class PositionsConcatenated(_Encoding):
    def call(self, patches):
        tokens = self.tokens(patches)
        return tf.concat([tokens, tf.zeros_like(tokens) + self.table()], axis=-1)


@wrong("patch_encoder", told="positions not trainable")
class PositionsMadeInCall(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        del self.positions

    def table(self):
        rows = self.num_patches + 1
        return layers.Embedding(rows, self.proj_dim)(tf.range(rows))


@wrong("patch_encoder", told="positions not trainable")
class PositionsSinusoidal(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        del self.positions

    def table(self):
        position = np.arange(self.num_patches + 1)[:, None]
        channel = np.arange(self.proj_dim)
        angle = position / 10000.0 ** (channel // 2 * 2 / self.proj_dim)
        table = np.where(channel % 2, np.cos(angle), np.sin(angle))
        return tf.constant(table, tf.float32)


@wrong("patch_encoder", told="positions not trainable")
class PositionsFrozen(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        self.positions.trainable = False


@wrong("patch_encoder", told="wrong order of positions")
class PositionsReversed(_Encoding):
    def table(self):
        return self.positions(tf.range(self.num_patches, -1, -1))


@wrong("patch_encoder", told="wrong order of positions")
class PositionsAllTheSame(_Encoding):
    def table(self):
        return self.positions(tf.zeros(self.num_patches + 1, tf.int32))


@wrong("patch_encoder", told="no bias")
class NoBias(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim, use_bias=False)


@wrong("patch_encoder", told="projection with activation")
class ProjectionWithRelu(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim, activation="relu")


@wrong("patch_encoder", told="dropout always on")
class DropoutAlwaysOn(_Encoding):
    def call(self, patches):
        return tf.nn.dropout(super().call(patches), 0.2)


@wrong("patch_encoder", told="batch size fixed")
class TokenOfFixedBatch(_Encoding):
    def repeated(self, x):
        return tf.tile(self.class_token, [x.shape[0], 1, 1])


@wrong("patch_encoder", told=RAISED)
class NotProjected(_Encoding):
    def tokens(self, patches):
        return tf.concat([self.repeated(patches), patches], axis=1)


@wrong("patch_encoder", told=None)
class TwoProjections(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        self.projection = tf_keras.Sequential([layers.Dense(proj_dim), layers.Dense(proj_dim)])


@wrong("patch_encoder", told=None)
class Normalised(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        self.norm = layers.LayerNormalization()

    def call(self, patches):
        return self.norm(super().call(patches))

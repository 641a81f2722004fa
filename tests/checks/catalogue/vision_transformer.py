"""Patch layers and Vision Transformers in many hands, right and wrong."""

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from tests.checks.catalogue import correct, wrong
from utilities.checks.kernel.case import NOT_ATTEMPTED, RAISED, WRONG_TYPE

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
        x = tf.nn.conv2d(tf.cast(images, tf.float32), self.copying, self.size, "VALID")
        return tf.cast(tf.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3])), images.dtype)


@correct("patch_extractor")
class SpaceToDepth(layers.Layer):
    def __init__(self, patch_size):
        super().__init__()
        self.patch_size = patch_size

    def call(self, images):
        if self.patch_size == 1:  # TensorFlow's operation wants blocks of two and more
            return layers.Reshape((-1, images.shape[-1]))(images)
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
    """A function that returns a layer: Lambda."""

    def cut(images):
        _, height, width, channels = images.shape
        numbers = np.arange(height * width).reshape(
            height // patch_size, patch_size, width // patch_size, patch_size
        )
        index = numbers.swapaxes(1, 2).reshape(-1, patch_size**2)  # (N, patch_size²)
        pixels = tf.reshape(images, (-1, height * width, channels))
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


@wrong("patch_extractor", told=NOT_ATTEMPTED, slips=0)
class ExtractorStub(layers.Layer):
    def __init__(self, patch_size):
        raise NotImplementedError


@wrong("patch_extractor", told=NOT_ATTEMPTED, slips=0)
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


@correct("patch_extractor")
class NumberUnknown(_Cutting):
    """The Keras example of 2021, −1 for the number of patches: no task asks for the static shape."""

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


@wrong("patch_extractor", told="another type of number")
class PixelsCast(_Cutting):
    def call(self, images):
        return PatchExtractor(self.patch_size)(tf.cast(images, tf.float32))


@wrong("patch_extractor", told=None, slips=2)
class SquareAndUnstacked(_Cutting):
    def call(self, images):
        x = tf.transpose(self.cut(images), (0, 1, 3, 2, 4, 5))
        side = images.shape[1] // self.patch_size
        return tf.stack([tf.reshape(image, (side**2, -1)) for image in tf.unstack(x)])


@wrong("patch_extractor", told="bytes refused")
class BytesRefused(_Cutting):
    def call(self, images):
        kernel_size = self.patch_size**2 * images.shape[-1]
        kernel = tf.reshape(
            tf.eye(kernel_size), (self.patch_size, self.patch_size, images.shape[-1], kernel_size)
        )
        x = tf.nn.conv2d(images, kernel, self.patch_size, "VALID")
        return tf.reshape(x, (-1, *self.sizes(images)))


@wrong("patch_extractor", told=WRONG_TYPE, slips=0)
class NumpyPatches:
    def __init__(self, patch_size):
        self.patch_size = patch_size

    def __call__(self, images):
        return PatchExtractor(self.patch_size)(images).numpy()


@wrong("patch_extractor", told="square images only")
class SquareOnly(_Cutting):
    def call(self, images):
        x = tf.transpose(self.cut(images), (0, 1, 3, 2, 4, 5))
        side = images.shape[1] // self.patch_size
        return tf.reshape(x, (-1, side**2, self.sizes(images)[1]))


@wrong("patch_extractor", told="bytes refused")
class EinsumOfBytes(_Cutting):
    """TensorFlow's einsum moves no whole numbers of one byte."""

    def call(self, images):
        return tf.reshape(tf.einsum("brpcqk->brcpqk", self.cut(images)), (-1, *self.sizes(images)))


@wrong("patch_extractor", told="one pixel refused")
class SpaceToDepthAlone(_Cutting):
    def call(self, images):
        return tf.reshape(tf.nn.space_to_depth(images, self.patch_size), (-1, *self.sizes(images)))


@wrong("patch_extractor", told="patch size ignored")
class SizeWrittenIn(layers.Layer):
    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)

    def call(self, images):
        return PatchExtractor(16)(images)


@wrong("patch_extractor", told="image passed on", slips=0)
class ImagePassedOn(_Cutting):
    def call(self, images):
        return images


@wrong("patch_extractor", told="pixels scaled", slips=2, also=("patches column by column",))
class ColumnByColumnAndScaled(PatchesColumnByColumn):
    def call(self, images):
        return super().call(tf.cast(images, tf.float32) / 255.0)


@wrong("patch_extractor", told="piece of Keras 3", slips=0)
def extractor_of_keras_3(patch_size):
    import keras

    class Extractor(keras.layers.Layer):
        def call(self, images):
            return PatchExtractor(patch_size)(images)

    return Extractor()


@correct("patch_extractor")
class BatchByShape(_Cutting):
    """Everything dynamic but the length of a patch."""

    def call(self, images):
        blocks = tf.transpose(self.cut(images), (0, 1, 3, 2, 4, 5))
        return tf.reshape(blocks, (tf.shape(images)[0], -1, self.sizes(images)[1]))


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


@wrong("patch_encoder", told=NOT_ATTEMPTED, slips=0)
class EncoderStub(_Encoding):
    def call(self, patches):
        raise NotImplementedError


@wrong("patch_encoder", told=NOT_ATTEMPTED, slips=0)
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


@wrong(
    "patch_encoder",
    told="positions not trainable",
    because="its weights are made at each call, so its numbers are random",
    also=("random",),
)
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


@wrong("patch_encoder", told=RAISED, because="widths do not fit: nothing can be computed")
class NotProjected(_Encoding):
    def tokens(self, patches):
        return tf.concat([self.repeated(patches), patches], axis=1)


@wrong("patch_encoder", told="weights too many", because="the values of another network")
class TwoProjections(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        self.projection = tf_keras.Sequential([layers.Dense(proj_dim), layers.Dense(proj_dim)])


@wrong("patch_encoder", told="weights too many")
class Normalised(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        self.norm = layers.LayerNormalization()

    def call(self, patches):
        return self.norm(super().call(patches))


@wrong("patch_encoder", told="class token made and not used")
class TokenCopiedInInit(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        self.copy = tf.identity(self.class_token)

    def repeated(self, x):
        return tf.repeat(self.copy, tf.shape(x)[0], axis=0)


@wrong("patch_encoder", told="positions made and not used")
class PositionsLookedUpInInit(_Encoding):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim)
        self.looked_up = self.positions(tf.range(num_patches + 1))

    def table(self):
        return self.looked_up


@wrong("patch_encoder", told="dropout in the encoding")
class DropoutInTraining(_Encoding):
    def call(self, patches, training=None):
        return tf_keras.layers.Dropout(0.1)(super().call(patches), training=training)


@wrong("patch_encoder", told="tokens scaled")
class TokensScaled(_Encoding):
    def call(self, patches):
        return self.tokens(patches) * self.proj_dim**0.5 + self.table()


@wrong("patch_encoder", told="class token last", slips=2, also=("no bias",))
class TokenLastWithoutBias(TokenLast):
    def __init__(self, num_patches, proj_dim):
        super().__init__(num_patches, proj_dim, use_bias=False)


@wrong("patch_encoder", told="weights made anew when frozen")
class MadeAnewWhenFrozen(_Encoding):
    def table(self):
        if not self.trainable_weights:
            self.positions = layers.Embedding(self.num_patches + 1, self.proj_dim)
        return super().table()


@wrong("patch_encoder", told="piece of Keras 3", slips=0)
class DenseOfKeras3(_Encoding):
    def __init__(self, num_patches, proj_dim):
        import keras

        super().__init__(num_patches, proj_dim)
        self.projection = keras.layers.Dense(proj_dim)


@wrong("patch_encoder", told="piece of Keras 3", slips=0)
def encoder_of_keras_3(num_patches, proj_dim):
    import keras

    class Encoder(keras.layers.Layer):
        def call(self, patches):
            return patches

    return Encoder()


# --- the classifier's earlier steps ----------------------------------------------------------


def scaled_dot_product_attention(q, k, v, mask=None):
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(k)[-1], q.dtype))
    weights = tf.nn.softmax(scores, axis=-1)
    return tf.matmul(weights, v), weights


class MultiHeadAttention(layers.Layer):
    def __init__(self, num_heads, proj_dim, return_attention_weights=False, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.proj_dim = num_heads, proj_dim
        self.return_attention_weights = return_attention_weights

    def build(self, input_shape):
        size = (self.num_heads, input_shape[-1], self.proj_dim)
        self.W_q = self.add_weight("W_q", size)
        self.W_k = self.add_weight("W_k", size)
        self.W_v = self.add_weight("W_v", size)
        self.W_o = self.add_weight("W_o", (self.num_heads * self.proj_dim, self.proj_dim))

    def call(self, q, k, v, mask=None):
        q, k, v = (
            tf.einsum("bnd,hdp->bhnp", x, W) for x, W in ((q, self.W_q), (k, self.W_k), (v, self.W_v))
        )
        heads, weights = scaled_dot_product_attention(q, k, v, mask)
        heads = tf.transpose(heads, (0, 2, 1, 3))  # (B, n, h, p)
        merged = tf.reshape(heads, (-1, heads.shape[1], self.num_heads * self.proj_dim))
        output = tf.matmul(merged, self.W_o)
        return (output, weights) if self.return_attention_weights else output


def mlp(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = layers.Dense(units, activation=tf.nn.gelu)(x)
        x = layers.Dropout(dropout_rate)(x)
    return x


def transformer_block(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    attended = MultiHeadAttention(num_heads, proj_dim)(x, x, x)
    x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dropout(dropout_rate)(attended))
    update = layers.Dropout(dropout_rate)(mlp(x, mlp_units, dropout_rate))
    return layers.LayerNormalization(epsilon=1e-6)(x + update)


# --- classifiers, right ----------------------------------------------------------------------


@correct("vit_classifier")
def create_vit_classifier(
    input_shape,
    num_classes,
    patch_size,
    embedding_proj_dim,
    num_heads,
    msa_proj_dim,
    transformer_layers,
    msa_dropout_rate,
    mlp_classification_head_units,
    mlp_classification_head_dropout_rate,
    data_augmentation=None,
):
    inputs = layers.Input(shape=input_shape)
    x = inputs if data_augmentation is None else data_augmentation(inputs)
    patches = PatchExtractor(patch_size)(x)
    x = PatchEncoder(patches.shape[1], embedding_proj_dim)(patches)
    for _ in range(transformer_layers):
        mlp_units = [2 * embedding_proj_dim, embedding_proj_dim]
        x = transformer_block(x, num_heads, msa_proj_dim, mlp_units, msa_dropout_rate)
    x = mlp(x[:, 0], mlp_classification_head_units, mlp_classification_head_dropout_rate)
    return tf_keras.Model(inputs, layers.Dense(num_classes)(x))


@correct("vit_classifier")
def with_sequential_parts(
    input_shape,
    num_classes,
    patch_size,
    embedding_proj_dim,
    num_heads,
    msa_proj_dim,
    transformer_layers,
    msa_dropout_rate,
    mlp_classification_head_units,
    mlp_classification_head_dropout_rate,
    data_augmentation=None,
):
    """Encoder and head as Sequential models, Lambda for the token, Keras' own attention, relu."""
    height, width, _ = input_shape
    num_patches = (height // patch_size) * (width // patch_size)
    embed = tf_keras.Sequential(
        [ExtractPatchesOp(patch_size), BuiltLate(num_patches, embedding_proj_dim)]
    )
    head = tf_keras.Sequential([layers.Lambda(lambda tokens: tokens[:, 0, :])], name="head")
    for units in mlp_classification_head_units:
        head.add(layers.Dense(units, activation="relu"))
        head.add(layers.Dropout(mlp_classification_head_dropout_rate))
    head.add(layers.Dense(num_classes))

    images = tf_keras.Input(input_shape, name="images")
    augment = data_augmentation or layers.Activation("linear")
    tokens = embed(augment(images))
    for _ in range(transformer_layers):
        attention = layers.MultiHeadAttention(num_heads, msa_proj_dim, use_bias=False)
        attended = layers.Dropout(msa_dropout_rate)(attention(tokens, tokens))
        tokens = layers.LayerNormalization()(layers.Add()([attended, tokens]))
        hidden = layers.Dense(2 * embedding_proj_dim, activation="relu")(tokens)
        hidden = layers.Dropout(msa_dropout_rate)(hidden)
        hidden = layers.Dense(embedding_proj_dim, activation="relu")(hidden)
        hidden = layers.Dropout(msa_dropout_rate)(hidden)
        tokens = layers.LayerNormalization()(layers.Add()([hidden, tokens]))
    return tf_keras.Model(inputs=images, outputs=head(tokens), name="vit")


class Block(layers.Layer):
    """A block as a layer; its parts are made in another order than they are used."""

    def __init__(self, num_heads, proj_dim, mlp_units, rate):
        super().__init__()
        self.norms = [layers.LayerNormalization(epsilon=1e-5) for _ in range(2)]
        self.mlp = tf_keras.Sequential()
        for units in mlp_units:
            self.mlp.add(layers.Dense(units, "swish"))
            self.mlp.add(layers.Dropout(rate))
        self.attention = MultiHeadAttention(num_heads, proj_dim, return_attention_weights=True)
        self.dropout = layers.Dropout(rate)

    def call(self, x, training=None):
        attended, self.last_weights = self.attention(x, x, x)
        x = self.norms[0](x + self.dropout(attended, training=training))
        return self.norms[1](x + self.dropout(self.mlp(x, training=training), training=training))


class SubclassedViT(tf_keras.Model):
    """Everything in one Model; the class token is taken with tf.gather."""

    def __init__(self, patches, encoder, blocks, head, augmentation):
        super().__init__()
        self.patches, self.encoder, self.blocks = patches, encoder, blocks
        self.head, self.augmentation = head, augmentation

    def call(self, images, training=False):
        if self.augmentation is not None:
            images = self.augmentation(images, training=training)
        x = self.encoder(self.patches(images))
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(tf.gather(x, 0, axis=1), training=training)


@correct("vit_classifier")
def subclassed_model(
    input_shape,
    num_classes,
    patch_size,
    embedding_proj_dim,
    num_heads,
    msa_proj_dim,
    transformer_layers,
    msa_dropout_rate,
    mlp_classification_head_units,
    mlp_classification_head_dropout_rate,
    data_augmentation=None,
):
    height, width, _ = input_shape
    mlp_units = (embedding_proj_dim * 2, embedding_proj_dim)
    head = tf_keras.Sequential()
    for units in mlp_classification_head_units:
        head.add(layers.Dense(units))
        head.add(layers.Activation("swish"))
        head.add(layers.Dropout(mlp_classification_head_dropout_rate))
    head.add(layers.Dense(num_classes, activation=None))
    return SubclassedViT(
        PatchExtractor(patch_size),
        PlainVariables((height // patch_size) * (width // patch_size), embedding_proj_dim),
        [
            Block(num_heads, msa_proj_dim, mlp_units, msa_dropout_rate)
            for _ in range(transformer_layers)
        ],
        head,
        data_augmentation,
    )


@correct("vit_classifier")
def convolution_embeds_patches(input_shape, num_classes, **sizes):
    """Conv2D cuts and projects in one; the last layer starts at zero."""
    width, rate = sizes["embedding_proj_dim"], sizes["msa_dropout_rate"]
    x = inputs = tf_keras.Input(input_shape)
    if sizes.get("data_augmentation") is not None:
        x = sizes["data_augmentation"](x)
    x = layers.Conv2D(width, sizes["patch_size"], strides=sizes["patch_size"])(x)
    x = layers.Reshape((-1, width))(x)
    x = TokenAndPositions()(x)
    for _ in range(sizes["transformer_layers"]):
        x = transformer_block(x, sizes["num_heads"], width, [2 * width, width], rate)
    class_token = layers.Flatten()(layers.Cropping1D((0, x.shape[1] - 1))(x))
    x = mlp(
        class_token,
        sizes["mlp_classification_head_units"],
        sizes["mlp_classification_head_dropout_rate"],
    )
    logits = layers.Dense(num_classes, kernel_initializer="zeros", name="logits")(x)
    return tf_keras.Model(inputs, logits)


class TokenAndPositions(layers.Layer):
    def build(self, input_shape):
        _, number, width = input_shape
        self.class_token = self.add_weight("class_token", (1, 1, width), initializer="zeros")
        self.pos = self.add_weight("positions", (number + 1, width), initializer="zeros")

    def call(self, x):
        class_token = tf.broadcast_to(self.class_token, (tf.shape(x)[0], 1, x.shape[-1]))
        return tf.concat([class_token, x], axis=1) + self.pos


class FusedAttention(layers.Layer):
    """Queries, keys and values from one Dense layer, without biases."""

    def __init__(self, num_heads, proj_dim):
        super().__init__()
        self.num_heads, self.proj_dim = num_heads, proj_dim
        self.qkv = layers.Dense(3 * num_heads * proj_dim, use_bias=False)
        self.out = layers.Dense(proj_dim, use_bias=False)

    def call(self, x):
        length = x.shape[1]
        qkv = tf.reshape(self.qkv(x), (-1, length, 3, self.num_heads, self.proj_dim))
        q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))  # each (B, h, n, p)
        weights = tf.nn.softmax(q @ tf.linalg.matrix_transpose(k) * self.proj_dim**-0.5)
        heads = tf.transpose(weights @ v, (0, 2, 1, 3))  # (B, n, h, p)
        return self.out(tf.reshape(heads, (-1, length, self.num_heads * self.proj_dim)))


@correct("vit_classifier")
def fused_projections(**sizes):
    """Attention whose weights have other shapes."""
    width = sizes["embedding_proj_dim"]
    inputs = tf_keras.Input(sizes["input_shape"])
    x = inputs
    if sizes.get("data_augmentation"):
        x = sizes["data_augmentation"](x)
    patches = LoopOverPatches(sizes["patch_size"])(x)
    x = PositionsOneByOne(patches.shape[1], width)(patches)
    for _ in range(sizes["transformer_layers"]):
        attended = FusedAttention(sizes["num_heads"], sizes["msa_proj_dim"])(x)
        x = x + layers.Dropout(sizes["msa_dropout_rate"])(attended)
        x = y = layers.LayerNormalization(epsilon=1e-3)(x)
        for units in (2 * width, width):
            y = layers.Dense(units, activation="gelu")(y)
            y = layers.Dropout(sizes["msa_dropout_rate"])(y)
        x = layers.LayerNormalization(epsilon=1e-3)(x + y)
    y = layers.Lambda(lambda tokens: tf.squeeze(tokens[:, :1], axis=1))(x)
    for units in sizes["mlp_classification_head_units"]:
        y = layers.Dense(units, activation="gelu")(y)
        y = layers.Dropout(sizes["mlp_classification_head_dropout_rate"])(y)
    return tf_keras.Model(inputs, layers.Dense(sizes["num_classes"])(y))


@correct("vit_classifier")
def nested_models(
    input_shape,
    num_classes,
    patch_size,
    embedding_proj_dim,
    num_heads,
    msa_proj_dim,
    transformer_layers,
    msa_dropout_rate,
    mlp_classification_head_units,
    mlp_classification_head_dropout_rate,
    data_augmentation=None,
):
    """A model of tokens inside a model of images; blocks and hidden layers made by recursion."""

    def chain(tokens, number):
        if number == 0:
            return tokens
        before = chain(tokens, number - 1)
        widths = [embedding_proj_dim * factor for factor in (2, 1)]
        return transformer_block(
            before, num_heads, msa_proj_dim, mlp_units=widths, dropout_rate=msa_dropout_rate
        )

    height, width, channels = input_shape
    num_patches = height * width // patch_size**2
    patches = tf_keras.Input((num_patches, patch_size**2 * channels))
    tokens = SublayerForTheToken(num_patches, embedding_proj_dim)(patches)
    encoder = tf_keras.Model(patches, chain(tokens, transformer_layers), name="encoder")
    model = tf_keras.Sequential([tf_keras.Input(input_shape)])
    if data_augmentation is not None:
        model.add(data_augmentation)
    model.add(SplitTwice(patch_size))
    model.add(encoder)
    model.add(layers.Lambda(lambda tokens: tf.unstack(tokens, axis=1)[0]))
    for units in mlp_classification_head_units:
        model.add(layers.Dense(units, activation=lambda x: tf.nn.gelu(x, approximate=True)))
        model.add(layers.Dropout(mlp_classification_head_dropout_rate))
    model.add(layers.Dense(num_classes, dtype="float32"))
    return model


# --- classifiers, wrong ----------------------------------------------------------------------


def _classifier(
    input_shape,
    num_classes,
    patch_size,
    embedding_proj_dim,
    num_heads,
    msa_proj_dim,
    transformer_layers,
    msa_dropout_rate,
    mlp_classification_head_units,
    mlp_classification_head_dropout_rate,
    data_augmentation=None,
    *,
    augment=lambda layer, images: images if layer is None else layer(images),
    encoder=PatchEncoder,
    encode=None,
    block=transformer_block,
    blocks=None,
    factors=(2, 1),
    read=lambda tokens: tokens[:, 0],
    head=mlp,
    activation=None,
):
    """The right classifier with one of its parts replaced by a wrong one."""
    inputs = tf_keras.Input(input_shape)
    patches = PatchExtractor(patch_size)(augment(data_augmentation, inputs))
    if encode is not None:
        x = encode(patches, embedding_proj_dim)
    else:
        x = encoder(patches.shape[1], embedding_proj_dim)(patches)
    mlp_units = [factor * embedding_proj_dim for factor in factors]
    arguments = (num_heads, msa_proj_dim, mlp_units, msa_dropout_rate)
    if blocks is not None:
        x = blocks(x, transformer_layers, *arguments)
    else:
        for _ in range(transformer_layers):
            x = block(x, *arguments)
    x = head(read(x), mlp_classification_head_units, mlp_classification_head_dropout_rate)
    return tf_keras.Model(inputs, layers.Dense(num_classes, activation=activation)(x))


@wrong("vit_classifier", told=NOT_ATTEMPTED, slips=0)
def classifier_stub(**sizes):
    raise NotImplementedError


@wrong("vit_classifier", told=NOT_ATTEMPTED, slips=0)
def classifier_forgot_return(**sizes):
    _classifier(**sizes)


@wrong("vit_classifier", told=WRONG_TYPE, slips=0)
def tensor_in_place_of_model(**sizes):
    return _classifier(**sizes).output


@wrong("vit_classifier", told=WRONG_TYPE, slips=0)
def inputs_and_outputs(**sizes):
    model = _classifier(**sizes)
    return model.input, model.output


@wrong("vit_classifier", told="mean of all tokens")
def mean_of_all_tokens(**sizes):
    return _classifier(**sizes, read=layers.GlobalAveragePooling1D())


@wrong("vit_classifier", told="mean of the patches")
def mean_of_the_patches(**sizes):
    return _classifier(**sizes, read=lambda tokens: tf.reduce_mean(tokens[:, 1:], axis=1))


@wrong("vit_classifier", told="largest of all tokens")
def largest_of_all_tokens(**sizes):
    return _classifier(**sizes, read=layers.GlobalMaxPooling1D())


@wrong("vit_classifier", told="last token read")
def last_token(**sizes):
    return _classifier(**sizes, read=lambda tokens: tokens[:, -1])


@wrong("vit_classifier", told="first patch read")
def first_patch(**sizes):
    return _classifier(**sizes, read=lambda tokens: tokens[:, 1, :])


@wrong("vit_classifier", told="head reads all tokens")
def all_tokens_flattened(**sizes):
    return _classifier(**sizes, read=layers.Flatten())


@wrong("vit_classifier", told="softmax in the model")
def softmax_at_the_end(**sizes):
    return _classifier(**sizes, activation="softmax")


@wrong("vit_classifier", told="sigmoid in the model")
def sigmoid_at_the_end(**sizes):
    return _classifier(**sizes, activation="sigmoid")


@wrong("vit_classifier", told="non-linearity after the last layer")
def number_of_classes_among_the_head_units(**sizes):
    units = [*sizes["mlp_classification_head_units"], sizes["num_classes"]]
    model = _classifier(**{**sizes, "mlp_classification_head_units": units})
    before_last = model.layers[-2]
    return tf_keras.Model(model.input, before_last.output)


@wrong("vit_classifier", told="no positions")
def no_positions_used(**sizes):
    return _classifier(**sizes, encoder=PositionsForgotten)


@wrong("vit_classifier", told="no positions")
def positions_kept_but_unused(**sizes):
    class Encoder(_Encoding):
        def call(self, patches):
            return self.tokens(patches) + 0.0 * self.table()

    return _classifier(**sizes, encoder=Encoder)


@wrong("vit_classifier", told="positions not trainable")
def positions_in_the_open(**sizes):
    """The Embedding is called on tf.range in the functional model: nobody tracks it."""

    def encode(patches, width):
        class Tokens(_Encoding):
            def call(self, patches):
                return self.tokens(patches)

        tokens = Tokens(patches.shape[1], width)(patches)
        rows = patches.shape[1] + 1
        return tokens + layers.Embedding(rows, width)(tf.range(rows))

    return _classifier(**sizes, encode=encode)


@wrong("vit_classifier", told="class token or its position missing")
def class_token_of_zeros(**sizes):
    return _classifier(**sizes, encoder=TokenOfZeros)


@wrong("vit_classifier", told="no class token")
def first_patch_for_want_of_a_token(**sizes):
    return _classifier(**sizes, encoder=NoToken)


@wrong("vit_classifier", told="augmentation ignored")
def augmentation_ignored(**sizes):
    return _classifier(**sizes, augment=lambda layer, images: images)


@wrong("vit_classifier", told="augmentation ignored")
def augmentation_result_dropped(**sizes):
    sizes.pop("data_augmentation", None)
    return _classifier(**sizes)


@wrong("vit_classifier", told="augmentation always on")
def augmentation_always_on(**sizes):
    def augment(layer, images):
        return images if layer is None else layer(images, training=True)

    return _classifier(**sizes, augment=augment)


@wrong("vit_classifier", told="augmentation not switched")
def augmentation_never_on(**sizes):
    def augment(layer, images):
        return images if layer is None else layer(images, training=False)

    return _classifier(**sizes, augment=augment)


@wrong("vit_classifier", told="wrong number of blocks")
def one_block_too_many(**sizes):
    return _classifier(**{**sizes, "transformer_layers": sizes["transformer_layers"] + 1})


@wrong("vit_classifier", told="wrong number of blocks")
def one_block_too_few(**sizes):
    number = len(range(1, sizes["transformer_layers"]))
    return _classifier(**{**sizes, "transformer_layers": number})


@wrong("vit_classifier", told="one block only")
def same_block_again_and_again(**sizes):
    def blocks(x, number, *arguments):
        inputs = tf_keras.Input(x.shape[1:])
        shared = tf_keras.Model(inputs, transformer_block(inputs, *arguments))
        for _ in range(number):
            x = shared(x)
        return x

    return _classifier(**sizes, blocks=blocks)


@wrong("vit_classifier", told="one block only")
def every_block_reads_the_first_tokens(**sizes):
    def blocks(tokens, number, *arguments):
        x = tokens
        for _ in range(number):
            x = transformer_block(tokens, *arguments)
        return x

    return _classifier(**sizes, blocks=blocks)


@wrong("vit_classifier", told="wrong MLP widths")
def mlp_not_widened(**sizes):
    return _classifier(**sizes, factors=(1, 1))


@wrong("vit_classifier", told="wrong MLP widths")
def mlp_four_times_as_wide(**sizes):
    return _classifier(**sizes, factors=(4, 1))


@wrong("vit_classifier", told=RAISED, because="no model with a block can be made")
def mlp_not_back_to_d(**sizes):
    return _classifier(**sizes, factors=(2,))


@wrong("vit_classifier", told="no hidden layers in the head")
def no_hidden_layers(**sizes):
    return _classifier(**sizes, head=lambda x, units, rate: layers.Dropout(rate)(x))


@wrong("vit_classifier", told="too few hidden layers in the head")
def first_hidden_layer_only(**sizes):
    return _classifier(**sizes, head=lambda x, units, rate: mlp(x, units[:1], rate))


@wrong("vit_classifier", told="head without non-linearity")
def linear_head(**sizes):
    def head(x, units, rate):
        for n in units:
            x = layers.Dropout(rate)(layers.Dense(n)(x))
        return x

    return _classifier(**sizes, head=head)


@wrong("vit_classifier", told="dropout always on")
def dropout_always_on(**sizes):
    def head(x, units, rate):
        for n in units:
            x = layers.Dropout(rate)(layers.Dense(n, activation="gelu")(x), training=True)
        return x

    return _classifier(**sizes, head=head)


@wrong("vit_classifier", told="dropout rates swapped or unused")
def dropout_rates_swapped(**sizes):
    names = "msa_dropout_rate", "mlp_classification_head_dropout_rate"
    swapped = {names[0]: sizes[names[1]], names[1]: sizes[names[0]]}
    return _classifier(**{**sizes, **swapped})


@wrong("vit_classifier", told="dropout rates swapped or unused")
def default_dropout_in_blocks(**sizes):
    return _classifier(**{**sizes, "msa_dropout_rate": 0.0})


@wrong("vit_classifier", told="number of classes fixed")
def ten_classes(**sizes):
    return _classifier(**{**sizes, "num_classes": 10})


@wrong("vit_classifier", told=None, because="no formula of other patches is tried")
def patches_of_one_pixel(**sizes):
    return _classifier(**{**sizes, "patch_size": 1})


@wrong("vit_classifier", told="number of heads ignored")
def one_head_always(**sizes):
    return _classifier(**{**sizes, "num_heads": 1})


def _keras_block(x, num_heads, proj_dim, mlp_units, rate, key_dim, use_bias):
    attention = layers.MultiHeadAttention(num_heads, key_dim, use_bias=use_bias)
    x = layers.LayerNormalization()(x + layers.Dropout(rate)(attention(x, x)))
    return layers.LayerNormalization()(x + layers.Dropout(rate)(mlp(x, mlp_units, rate)))


@wrong("vit_classifier", told="biases in attention")
def keras_attention_with_biases(**sizes):
    def block(x, num_heads, proj_dim, mlp_units, rate):
        return _keras_block(x, num_heads, proj_dim, mlp_units, rate, proj_dim, True)

    return _classifier(**sizes, block=block)


@wrong("vit_classifier", told="narrow heads")
def heads_share_the_width(**sizes):
    def block(x, num_heads, proj_dim, mlp_units, rate):
        return _keras_block(x, num_heads, proj_dim, mlp_units, rate, proj_dim // num_heads, False)

    return _classifier(**sizes, block=block)


@wrong("vit_classifier", told="pre-norm")
def blocks_normalise_first(**sizes):
    def block(x, num_heads, proj_dim, mlp_units, rate):
        normed = layers.LayerNormalization(epsilon=1e-6)(x)
        attended = MultiHeadAttention(num_heads, proj_dim)(normed, normed, normed)
        x = x + layers.Dropout(rate)(attended)
        normed = layers.LayerNormalization(epsilon=1e-6)(x)
        return x + layers.Dropout(rate)(mlp(normed, mlp_units, rate))

    return _classifier(**sizes, block=block)


@wrong("vit_classifier", told="no residual")
def blocks_without_residual(**sizes):
    def block(x, num_heads, proj_dim, mlp_units, rate):
        attended = MultiHeadAttention(num_heads, proj_dim)(x, x, x)
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Dropout(rate)(attended))
        update = layers.Dropout(rate)(mlp(x, mlp_units, rate))
        return layers.LayerNormalization(epsilon=1e-6)(update)

    return _classifier(**sizes, block=block)


@wrong("vit_classifier", told="normalisation too many")
def normalised_before_the_head(**sizes):
    def read(tokens):
        return layers.LayerNormalization(epsilon=1e-6)(tokens)[:, 0]

    return _classifier(**sizes, read=read)


@wrong("vit_classifier", told=None)
def gradient_stopped_at_the_encoder(**sizes):
    class Encoder(PatchEncoder):
        def call(self, patches):
            return tf.stop_gradient(super().call(patches))

    return _classifier(**sizes, encoder=Encoder)


@wrong("vit_classifier", told="positions scaled")
def positions_added_twice(**sizes):
    class Encoder(_Encoding):
        def call(self, patches):
            return self.tokens(patches) + 2.0 * self.table()

    return _classifier(**sizes, encoder=Encoder)


@wrong("vit_classifier", told="one block only")
def range_of_one(**sizes):
    return _classifier(**{**sizes, "transformer_layers": min(sizes["transformer_layers"], 1)})


def _scaled(factor, shift=0.0):
    def augment(layer, images):
        images = layers.Rescaling(factor, shift)(images)
        return images if layer is None else layer(images)

    return augment


@wrong("vit_classifier", told="images scaled again")
def divided_by_255(**sizes):
    return _classifier(**sizes, augment=_scaled(1 / 255))


@wrong("vit_classifier", told="images scaled again")
def pixels_to_plus_and_minus_one(**sizes):
    return _classifier(**sizes, augment=_scaled(1 / 127.5, -1.0))


@wrong("vit_classifier", told="images scaled again")
def images_three_times_as_strong(**sizes):
    return _classifier(**sizes, augment=_scaled(3.0))


@wrong("vit_classifier", told="augmentation ignored")
def result_of_the_augmentation_dropped(**sizes):
    def augment(layer, images):
        if layer is not None:
            layer(images)
        return images

    return _classifier(**sizes, augment=augment)


@wrong("vit_classifier", told=None)
def dropout_after_the_encoding(**sizes):
    class Encoder(PatchEncoder):
        def call(self, patches):
            return super().call(patches)

    def encode(patches, width):
        return layers.Dropout(0.1)(Encoder(patches.shape[1], width)(patches))

    return _classifier(**sizes, encode=encode)


@wrong("vit_classifier", told="dropout missing in the head")
def dropout_after_the_first_hidden_layer_alone(**sizes):
    def head(x, units, rate):
        x = layers.Dropout(rate)(layers.Dense(units[0], activation="gelu")(x))
        for n in units[1:]:
            x = layers.Dense(n, activation="gelu")(x)
        return x

    return _classifier(**sizes, head=head)


@wrong("vit_classifier", told="dropout too many")
def dropout_before_the_head(**sizes):
    def head(x, units, rate):
        return mlp(layers.Dropout(rate)(x), units, rate)

    return _classifier(**sizes, head=head)


@wrong("vit_classifier", told="dropout rates swapped or unused")
def rate_of_the_head_unused(**sizes):
    return _classifier(**{**sizes, "mlp_classification_head_dropout_rate": 0.0})


@wrong("vit_classifier", told="tokens scaled")
def tokens_times_root_of_d(**sizes):
    def encode(patches, width):
        class Scaled(_Encoding):
            def call(self, patches):
                return self.tokens(patches) * width**0.5 + self.table()

        return Scaled(patches.shape[1], width)(patches)

    return _classifier(**sizes, encode=encode)


@wrong("vit_classifier", told="head reads all tokens", also=("normalisation too many",))
def normalised_and_flattened(**sizes):
    def read(tokens):
        return layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(tokens))

    return _classifier(**sizes, read=read)


@wrong("vit_classifier", told="start that cannot learn")
def attention_starts_at_zero(**sizes):
    class Zeros(layers.Layer):
        def __init__(self, num_heads, width):
            super().__init__()
            options = {"use_bias": False, "kernel_initializer": "zeros"}
            self.inner = layers.MultiHeadAttention(num_heads, width, **options)

        def call(self, x):
            return self.inner(x, x)

    def block(x, num_heads, proj_dim, mlp_units, rate):
        attended = layers.Dropout(rate)(Zeros(num_heads, proj_dim)(x))
        x = layers.LayerNormalization()(x + attended)
        return layers.LayerNormalization()(x + layers.Dropout(rate)(mlp(x, mlp_units, rate)))

    return _classifier(**sizes, block=block)


@wrong("vit_classifier", told="head units not used")
def head_of_fixed_width(**sizes):
    return _classifier(**{**sizes, "mlp_classification_head_units": [512]})


@wrong("vit_classifier", told="head units reversed")
def head_turned_round(**sizes):
    units = sizes["mlp_classification_head_units"][::-1]
    return _classifier(**{**sizes, "mlp_classification_head_units": units})


@wrong("vit_classifier", told=None)
def class_token_at_half_strength(**sizes):
    return _classifier(**sizes, read=lambda tokens: 0.5 * tokens[:, 0])


@wrong("vit_classifier", told=None)
def blocks_shifted(**sizes):
    def block(x, *arguments):
        return transformer_block(x, *arguments) + 0.5

    return _classifier(**sizes, block=block)


@wrong("vit_classifier", told=None)
def tokens_shifted(**sizes):
    class Encoder(PatchEncoder):
        def call(self, patches):
            return super().call(patches) + 0.5

    return _classifier(**sizes, encoder=Encoder)


@wrong("vit_classifier", told="softmax in the model", slips=2, also=("mean of all tokens",))
def softmax_of_the_mean(**sizes):
    return _classifier(**sizes, activation="softmax", read=layers.GlobalAveragePooling1D())


@wrong("vit_classifier", told="one block only", slips=2, also=("mean of all tokens",))
def one_block_and_a_mean(**sizes):
    sizes = {**sizes, "transformer_layers": min(sizes["transformer_layers"], 1)}
    return _classifier(**sizes, read=layers.GlobalAveragePooling1D())


@wrong("vit_classifier", told="piece of Keras 3", slips=0)
def model_of_keras_3(**sizes):
    import keras

    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(sizes["num_classes"])])


@wrong("vit_classifier", told="piece of Keras 3", slips=0)
def dense_of_keras_3(**sizes):
    import keras

    return _classifier(**sizes, read=lambda tokens: keras.layers.Dense(8)(tokens[:, 0]))

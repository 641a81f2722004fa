"""Call the layers and functions of the lab on inductive bias and return what they compute."""

import inspect
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.checks.kernel.case import WRONG_SHAPE, WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array, describe, refuse_nothing

# --- position embeddings ---------------------------------------------------------------------


def position_embedding_2d(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the tokens of a layer that holds the case's tables, and facts about its weights."""
    tokens = tf.constant(case["tokens"])  # (B, N, d)
    layer = _layer(implementation, case["rows"], case["columns"], case["proj_dim"])
    as_array(layer(tokens), "output")  # the first call makes the weights
    made = {id(weight) for weight in layer.weights}
    tables = _tables(layer, case)
    for name, variable in tables.items():
        variable.assign(tf.cast(tf.reshape(case[name], variable.shape), variable.dtype))
    with tf.GradientTape() as tape:
        output = _in_functional_model(layer, tokens) if case.stage == "functional" else layer(tokens)
        loss = _uneven_sum(tf.cast(output, tf.float32) ** 2)
    gradients = dict(zip(tables, tape.gradient(loss, list(tables.values())), strict=True))
    trainable = {id(weight) for weight in layer.trainable_weights}
    names = ("x_table", "y_table")
    return {
        "output": as_array(output, "output"),
        "found": np.array([name in tables for name in names]),
        "trained": np.array(
            [n in tables and id(tables[n]) in trainable and _reaches(gradients[n]) for n in names]
        ),
        "trainable_count": np.array(_size(layer.trainable_weights)),
        "made_once": np.array({id(weight) for weight in layer.weights} == made),
        "shapes": _shapes(layer.weights),
    }


def _tables(layer: Any, case: Case) -> dict[str, tf.Variable]:
    """Return the tables by their shape; axes of length 1 in front or behind do not count."""
    tables: dict[str, tf.Variable] = {}
    for variable in layer.weights:
        size = tuple(variable.shape)
        for name in ("x_table", "y_table"):
            if _without_ones(size) == _without_ones(case[name].shape) and name not in tables:
                tables[name] = variable
                break
    return tables


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


# --- relative positions ----------------------------------------------------------------------


def relative_position_bias(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return what a layer adds to scores of 0 and to others, once all its weights are different."""
    scores = tf.constant(case["scores"])  # (B, h, N, N)
    layer = _layer(implementation, case["num_heads"], case["rows"], case["columns"])
    as_array(layer(scores), "output")
    made = {id(weight) for weight in layer.weights}
    trainable = list(layer.trainable_weights)
    floating = [weight for weight in layer.weights if weight.dtype.is_floating]
    _number(trainable or floating)
    zeros = tf.zeros_like(scores)
    call = layer
    if case.stage == "functional":
        inputs = tf_keras.Input(scores.shape[1:])
        call = tf_keras.Model(inputs, layer(inputs))
    with tf.GradientTape() as tape:
        output = call(scores)
        loss = _uneven_sum(tf.cast(output, tf.float32))
    gradients = tape.gradient(loss, trainable) if trainable else []
    return {
        "bias": as_array(call(zeros), "output"),
        "output": as_array(output, "output"),
        "trainable_count": np.array(_size(trainable)),
        "weight_count": np.array(_size(floating)),
        "unreached": np.array(sum(map(_unreached, gradients, trainable))),
        "made_once": np.array({id(weight) for weight in layer.weights} == made),
    }


def _number(variables: list[tf.Variable]) -> None:
    """Give every entry of the variables another whole number, from 1 on."""
    first = 1
    for variable in variables:
        count = int(tf.size(variable))
        values = np.arange(first, first + count).reshape(variable.shape)
        variable.assign(tf.cast(values, variable.dtype))
        first += count


def _unreached(gradient: Any, variable: tf.Variable) -> int:
    """Return how many entries of a variable the gradient does not reach."""
    if gradient is None:
        return int(tf.size(variable))
    return int(np.sum(tf.convert_to_tensor(gradient).numpy() == 0))


# --- the convolutional rival -----------------------------------------------------------------


class Backbone:
    """A tiny network that is made like those of `tf_keras.applications`, and remembers how."""

    def __init__(self, filters: int):
        self.filters = filters
        self.asked: dict[str, Any] = {}
        self.convolution = layers.Conv2D(filters, 3, strides=2, padding="same")
        self.normalization = layers.BatchNormalization()

    def __call__(
        self,
        include_top: bool = True,
        weights: str | None = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        **_: Any,
    ) -> tf_keras.Model:
        self.asked = {"include_top": bool(include_top), "weights": weights is not None}
        inputs = tf_keras.Input(input_shape) if input_tensor is None else input_tensor
        x = layers.ReLU()(self.normalization(self.convolution(inputs)))
        if include_top:
            x = layers.GlobalAveragePooling2D()(x)
            x = layers.Dense(classes, activation=classifier_activation)(x)
        elif pooling is not None:
            x = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}[pooling]()(x)
        source = inputs if input_tensor is None else tf_keras.utils.get_source_inputs(input_tensor)
        return tf_keras.Model(source, x)

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """Return the feature maps (B, h, w, f) that the network makes of images at inference."""
        return tf.nn.relu(self.normalization(self.convolution(images), training=False))


def resnet_classifier(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the logits of a classifier with the case's head, and facts about its backbone."""
    backbone, images = Backbone(case["filters"]), tf.constant(case["images"])
    augmentation = layers.Resizing(*(n + 4 for n in images.shape[1:3])) if case["augmented"] else None
    options = {} if augmentation is None else {"data_augmentation": augmentation}
    model = implementation(
        tuple(images.shape[1:]), case["num_classes"], backbone, _head_units(case), **options
    )
    refuse_nothing(model, "model")
    if not isinstance(model, tf_keras.Model):
        raise Stopped(WRONG_TYPE, f"A tf_keras.Model is expected; you return {describe(model)}.")
    output = as_array(model(images), "output")  # builds the weights of a subclassed model
    if not backbone.asked:
        raise Stopped(
            WRONG_TYPE,
            "Your function never calls make_backbone. It is an argument, so that ResNet101V2 and "
            "small networks can be put in its place.",
        )
    found = _assign_head(model, case)
    before = backbone.normalization.moving_mean.numpy()
    seen = images if augmentation is None else augmentation(images)
    values = {
        "output": as_array(model(images), "output") if found.any() else output,
        "features": backbone.features(seen).numpy(),
        "features_not_augmented": backbone.features(images).numpy(),
        "include_top": np.array(backbone.asked["include_top"]),
        "weights_asked": np.array(backbone.asked["weights"]),
        "found": found,
        "kernels": _shapes([w for w in model.weights if len(w.shape) == 2]),
        "trainable_count": np.array(_size(model.trainable_weights)),
        "expected_count": np.array(_expected_count(backbone, case)),
        "backbone_trainable": np.array(_all_in(backbone.convolution.weights, model.trainable_weights)),
    }
    model(images, training=True)
    values["statistics_move"] = np.array(np.any(backbone.normalization.moving_mean.numpy() != before))
    return values


def _head_units(case: Case) -> tuple[int, ...]:
    return tuple(int(units) for units in case["head_units"])


def _assign_head(model: tf_keras.Model, case: Case) -> np.ndarray:
    """Give the head the case's weights, found by their shapes, and return which were found."""
    found = []
    for i in range(1, len(case["head_units"]) + 2):
        kernel, bias = case[f"kernel_{i}"], case[f"bias_{i}"]
        dense = [
            layer
            for layer in model.submodules
            if isinstance(getattr(layer, "kernel", None), tf.Variable)
            and tuple(layer.kernel.shape) == kernel.shape
            and isinstance(getattr(layer, "bias", None), tf.Variable)
        ]
        for layer in dense[:1]:
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)
        found.append(bool(dense))
    return np.array(found)


def _expected_count(backbone: Backbone, case: Case) -> int:
    head = sum(np.size(case[n]) for n in case.inputs if n.startswith(("kernel_", "bias_")))
    own = backbone.convolution.weights + backbone.normalization.weights[:2]  # gamma and beta
    return head + _size(own)


def _all_in(some: list[tf.Variable], others: list[tf.Variable]) -> bool:
    ids = {id(variable) for variable in others}
    return all(id(variable) in ids for variable in some)


# --- vital signs -----------------------------------------------------------------------------


def vital_signs(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the three numbers for a model that holds the case's weights, and what it left behind."""
    model = _two_layers(case)
    before = [weight.numpy() for weight in model.weights]
    result = implementation(model, case["images"], case["labels"])
    refuse_nothing(result, "result")
    if not isinstance(result, (tuple, list)) or len(result) != 3:
        came = f"{len(result)} values" if isinstance(result, (tuple, list)) else describe(result)
        raise Stopped(
            WRONG_TYPE, f"Return three numbers, (loss, spread, gradient_norm); you return {came}."
        )
    names = ("loss", "spread", "gradient_norm")
    numbers = {n: _one_number(v, n.replace("_", " ")) for n, v in zip(names, result, strict=True)}
    after = [weight.numpy() for weight in model.weights]
    return {**numbers, "unchanged": np.array(all(map(np.array_equal, before, after)))}


def _two_layers(case: Case) -> tf_keras.Model:
    """Return a model of two Dense layers: ReLU between them, dropout before the last in its stage."""
    hidden, num_classes = case["kernel_2"].shape
    first = layers.Dense(hidden, activation="relu", trainable=case.stage != "frozen")
    last = layers.Dense(num_classes)
    inputs = tf_keras.Input(case["images"].shape[1:])
    x = first(layers.Flatten()(inputs))
    if case.stage == "dropout":
        x = layers.Dropout(0.5)(x)
    model = tf_keras.Model(inputs, last(x))
    first.set_weights([case["kernel_1"], case["bias_1"]])
    last.set_weights([case["kernel_2"], case["bias_2"]])
    return model


def _one_number(value: Any, name: str) -> np.ndarray:
    array = as_array(value, name, tensor=False)
    if array.size != 1:
        raise Stopped(
            WRONG_SHAPE, f"The {name} has shape {array.shape}; one number for all images is expected."
        )
    return array.reshape(())


# --- shared ----------------------------------------------------------------------------------


def _layer(implementation: Any, *arguments: int) -> Any:
    """Return the layer that the class makes, or stop where it makes none."""
    if not callable(implementation) or isinstance(implementation, layers.Layer):
        raise Stopped(
            WRONG_TYPE, f"Give the class itself to the check; you give {describe(implementation)}."
        )
    layer = implementation(*arguments)
    refuse_nothing(layer, "layer")
    if not isinstance(layer, layers.Layer):
        hint = "" if inspect.isclass(implementation) else f" It is {describe(implementation)}."
        raise Stopped(
            WRONG_TYPE, "A class that inherits from tf_keras.layers.Layer is expected." + hint
        )
    return layer


def _in_functional_model(layer: Any, example: tf.Tensor) -> tf.Tensor:
    """Return what a functional model of the layer, its batch size unknown, makes of an example."""
    inputs = tf_keras.Input(example.shape[1:])
    return tf_keras.Model(inputs, layer(inputs))(example)


def _shapes(variables: list[tf.Variable]) -> np.ndarray:
    """Return the shapes of the variables, one line of text each."""
    return np.array(["×".join(map(str, variable.shape)) for variable in variables] or [""])


def _size(variables: list[tf.Variable]) -> int:
    return sum(int(tf.size(variable)) for variable in variables)


def _uneven_sum(x: tf.Tensor) -> tf.Tensor:
    """Return a sum with factors that differ, so that no normalisation can leave it unchanged."""
    return tf.reduce_sum(tf.reshape(x, [-1]) * tf.cos(tf.range(tf.size(x), dtype=tf.float32)))


def _reaches(gradient: Any) -> bool:
    return gradient is not None and bool(tf.reduce_any(tf.convert_to_tensor(gradient) != 0))

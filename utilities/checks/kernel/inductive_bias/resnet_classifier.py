"""Make classifiers on a small backbone, give them known weights, and return what they compute."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.checks.kernel import known, probes
from utilities.checks.kernel.case import WRONG_TYPE, Case
from utilities.checks.kernel.inductive_bias.protocol import PATCH, REPEAT
from utilities.checks.kernel.observing import Stopped, as_array, describe, from_keras_3, refuse_nothing


class Backbone:
    """A tiny network that is made like those of `tf_keras.applications`, and remembers how."""

    def __init__(self, filters: int):
        self.asked: dict[str, bool] = {}
        self.convolution = layers.Conv2D(filters, PATCH, strides=PATCH)
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

    @property
    def own(self) -> list[tf.Variable]:
        return [*self.convolution.weights, *self.normalization.weights[:2]]  # gamma and beta


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the logits of a classifier with known weights, the pooled features, and facts about it."""
    backbone, images = Backbone(case["filters"]), tf.constant(case["images"])
    model = _model(implementation, case, backbone)
    as_array(model(images), "output")  # builds the weights of a subclassed model
    if not backbone.asked:
        raise Stopped(
            WRONG_TYPE,
            "Your function never calls make_backbone. It is an argument, so that ResNet101V2 and "
            "small networks can be put in its place.",
        )
    trained = model.trainable_weights
    _assign(model.weights, backbone, case["weights"])
    pooled = known.inner(model, images, lambda shape: len(shape) == 1)
    output = as_array(model(images), "output")
    values = {
        "output": output,
        "in_pieces": np.array(len(pooled) > 0),
        "pooled_features": pooled[0] if pooled else output,
        "parameter_count": probes.count(model.weights),
        "include_top": np.array(backbone.asked["include_top"]),
        "weights_asked": np.array(backbone.asked["weights"]),
        "backbone_trained": np.array(bool(np.all(probes.among(backbone.own, trained)))),
        "reached": probes.gradient_reaches(lambda: model(images, training=False), backbone.own),
        "head_trained": np.array(all(map(_is_statistic, model.non_trainable_weights))),
    }
    if case.stage != "training":
        return values
    statistics = backbone.normalization.get_weights()
    values["output_in_training"] = as_array(model(images, training=True), "output")
    backbone.normalization.set_weights(statistics)
    again = as_array(model(images, training=True), "output")
    values["training_repeats"] = np.array(
        np.array_equal(values["output_in_training"], again, equal_nan=True)
    )
    return values


def _is_statistic(variable: tf.Variable) -> bool:
    return probes.own_name(variable).startswith("moving_")


def _model(implementation: Any, case: Case, backbone: Backbone) -> tf_keras.Model:
    options = {"data_augmentation": known.augmentation(REPEAT)} if case["augmented"] else {}
    units = tuple(int(units) for units in case["head_units"])
    shape = tuple(case["images"].shape[1:])
    model = implementation(shape, case["num_classes"], backbone, units, **options)
    refuse_nothing(model, "model")
    if not isinstance(model, tf_keras.Model):
        raise Stopped(
            WRONG_TYPE,
            f"A tf_keras.Model is expected; you return {describe(model)}.{from_keras_3(model)}",
        )
    return model


def _assign(weights: Iterable[tf.Variable], backbone: Backbone, seed: int) -> None:
    """Give every weight the numbers of its shape; gains stay 1, and variances are positive."""
    mean, variance = backbone.normalization.weights[2:]
    for variable in weights:
        shape = tuple(variable.shape)
        if len(shape) == 4:  # a convolution is a kernel on the pixels of a patch
            numbers = known.weight(seed, int(np.prod(shape[:3])), shape[3]).reshape(shape)
        else:
            numbers = known.weight(seed, *shape)
        if variable is variance or variable is mean:
            variable.assign(1.0 + np.square(numbers) if variable is variance else numbers)
        elif not probes.own_name(variable).startswith(("gamma", "moving_")):
            variable.assign(numbers)

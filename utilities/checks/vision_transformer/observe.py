"""Call patch layers and classifiers and return what they compute."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel.case import WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array, describe, refuse_nothing

ENCODER_WEIGHTS = ("kernel", "bias", "class_token", "positions")


def patch_extractor(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the patches; in the functional stage from a model, with the static shape."""
    images = tf.constant(case["images"])  # (B, H, W, C)
    patches = as_array(_layer(implementation, case["patch_size"])(images), "output")
    if case.stage != "functional":
        return {"output": patches}
    inputs = tf_keras.Input(images.shape[1:])
    outputs = _layer(implementation, case["patch_size"])(inputs)
    model = tf_keras.Model(inputs, outputs)
    return {
        "output": as_array(model(images), "output"),
        "output_of_one": as_array(model(images[:1]), "output"),
        "static_shape": np.array([-1 if n is None else n for n in outputs.shape[1:]]),
    }


def patch_encoder(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the tokens of an encoder that holds the case's weights, and facts about these."""
    patches = tf.constant(case["patches"])  # (B, N, p)
    sizes = case["num_patches"], case["proj_dim"]
    encoder = _layer(implementation, *sizes)
    as_array(encoder(patches), "output")  # builds the weights
    if case.stage == "functional":
        encoder = _functional_model(_layer(implementation, *sizes), patches)
    found = _encoder_weights(encoder, case)
    for name, variable in found.items():
        variable.assign(np.resize(case[name], variable.shape))
    with tf.GradientTape() as tape:
        tokens = encoder(patches)
        loss = _uneven_sum((tf.cast(tokens, tf.float32) + 1.0) ** 2)  # tokens may be zero
    gradients = dict(zip(found, tape.gradient(loss, list(found.values())), strict=True))
    trainable = {id(variable) for variable in encoder.trainable_weights}
    return {
        **{name: _like(case[name], variable) for name, variable in found.items()},
        "output": as_array(tokens, "output"),
        "output_again": as_array(encoder(patches), "output"),
        "output_of_one": as_array(encoder(patches[:1]), "output"),
        "found": np.array([name in found for name in ENCODER_WEIGHTS]),
        "trained": np.array(
            [
                name in found and id(found[name]) in trainable and _reaches(gradients[name])
                for name in ENCODER_WEIGHTS
            ]
        ),
        "trainable_count": np.array(sum(int(tf.size(w)) for w in encoder.trainable_weights)),
    }


def _layer(implementation: Any, *arguments: int) -> Any:
    """Return the layer that the implementation makes, or stop where it makes none."""
    layer = implementation(*arguments)
    refuse_nothing(layer, "layer")
    return layer


def _functional_model(layer: Any, example: tf.Tensor) -> tf_keras.Model:
    inputs = tf_keras.Input(example.shape[1:])
    return tf_keras.Model(inputs, layer(inputs))


def _encoder_weights(encoder: Any, case: Case) -> dict[str, tf.Variable]:
    """Return the encoder's weights by their role, wherever in it they live."""
    if not hasattr(encoder, "weights"):
        raise Stopped(WRONG_TYPE, f"PatchEncoder(…) is {describe(encoder)}; a Keras layer is expected.")
    found: dict[str, tf.Variable] = {}
    for variable in encoder.weights:
        role = _encoder_role(variable, case)
        if role is not None:
            found.setdefault(role, variable)
    return found


def _encoder_role(variable: tf.Variable, case: Case) -> str | None:
    """Return the role that name and shape of a weight speak for; axes of length 1 do not count."""
    values, proj_dim = case["kernel"].shape
    shape = tuple(length for length in variable.shape if length != 1)
    if shape == (proj_dim,):
        is_token = len(variable.shape) > 1 or _is_named(variable, "class_token")
        return "class_token" if is_token else "bias"
    if shape == (values, proj_dim):
        return "kernel"
    return "positions" if len(shape) == 2 and shape[1] == proj_dim else None


def _is_named(variable: tf.Variable, name: str) -> bool:
    """Return whether the weight itself, not the layer it is in, has that name."""
    return variable.name.split("/")[-1].startswith(name)


def _like(expected: np.ndarray, variable: tf.Variable) -> np.ndarray:
    """Return the variable's values, in the contract's shape where their number allows it."""
    values = as_array(variable, "weight")
    return values.reshape(expected.shape) if values.size == expected.size else np.squeeze(values)


def _uneven_sum(x: tf.Tensor) -> tf.Tensor:
    """Return a sum with factors that differ, so that no normalisation can leave it unchanged."""
    return tf.reduce_sum(tf.reshape(x, [-1]) * tf.cos(tf.range(tf.size(x), dtype=tf.float32)))


def _reaches(gradient: Any) -> bool:
    return gradient is not None and bool(tf.reduce_any(tf.convert_to_tensor(gradient) != 0))


VIT_ARGUMENTS = (
    "num_classes",
    "patch_size",
    "embedding_proj_dim",
    "num_heads",
    "msa_proj_dim",
    "transformer_layers",
    "msa_dropout_rate",
    "mlp_classification_head_dropout_rate",
)
BOLD = 32.0  # images this strong still show in a model that divides pixels by 255


class Mirror(tf_keras.layers.Layer):
    """An augmentation without chance: in training, and only there, images are mirrored."""

    used = False

    def call(self, images: tf.Tensor, training: bool | tf.Tensor | None = None) -> tf.Tensor:
        self.used = True
        if training is None or isinstance(training, (bool, int)):
            return tf.reverse(images, axis=[2]) if training else tf.identity(images)
        return tf.cond(
            tf.cast(training, tf.bool),
            lambda: tf.reverse(images, axis=[2]),
            lambda: tf.identity(images),
        )


def vit_classifier(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return what a classifier with the case's weights makes of images, and facts about it.

    `output` is what it gives once weights of unknown shape, as of fused attention, repeat the case's
    row for them; vectors among them, which have no part in a right attention, are zero.
    """
    mirror = Mirror()
    model = _classifier(implementation, case, mirror)
    images = tf.constant(case["images"])  # (B, H, W, C)
    if not model.built:
        model(images)
    parts = list(model.submodules)
    unknown = _assign_by_shape(model, parts, case)
    values = {
        "attends": np.array(not unknown),
        "parameter_count": np.array(sum(int(tf.size(w)) for w in model.trainable_weights)),
        "images_seen": _after_pixel_layers(parts, images),
        "epsilons": np.array(_epsilons(parts), dtype=float),
        "mirror_used": np.array(mirror.used),
        "in_training": as_array(model(images, training=True), "output"),
        **_reactions(model, case),
    }
    for variable in unknown:
        row = case["fused"] if len(variable.shape) > 1 else 0.0
        variable.assign(np.resize(row, variable.shape))
    values["output"] = as_array(model(images), "output")
    _scale_last_layer(model, values["output"].shape[-1], 3.0)
    return {**values, "output_of_scaled": as_array(model(images), "output")}


def _reactions(model: tf_keras.Model, case: Case) -> dict[str, np.ndarray]:
    """Return the output for images changed in several ways, and what has no part in it."""
    images = case["images"]
    changed = {
        "unchanged": images,
        "again": images,
        "other": -images,
        "mirrored": images[:, :, ::-1],
        "bold": BOLD * images,
        "swapped": _swapped(BOLD * images, case["patch_size"]),
    }
    with tf.GradientTape() as tape:
        output = model(tf.constant(np.concatenate(list(changed.values()))), training=False)
        loss = _uneven_sum(tf.cast(output, tf.float32) ** 2)
    weights = model.trainable_weights
    gradients = tape.gradient(loss, weights)
    missed = [w.name for w, g in zip(weights, gradients, strict=True) if not _reaches(g)]
    outputs = np.split(as_array(output, "output"), len(changed))
    return {
        "without_gradient": np.array(missed, dtype=str),
        **dict(zip(changed, outputs, strict=True)),
    }


def _classifier(implementation: Any, case: Case, mirror: Mirror) -> tf_keras.Model:
    """Return the model, with the mirror where the case has several blocks, or stop."""
    model = implementation(
        input_shape=(case["height"], case["width"], case["channels"]),
        mlp_classification_head_units=[int(n) for n in case["mlp_classification_head_units"]],
        **{name: case[name] for name in VIT_ARGUMENTS},
        **({"data_augmentation": mirror} if case.stage == "blocks" else {}),
    )
    refuse_nothing(model, "result")
    if not isinstance(model, tf_keras.Model):
        raise Stopped(
            WRONG_TYPE,
            f"The result is {describe(model)}; a tf_keras.Model is expected, from the images to "
            "the logits.",
        )
    return model


def _assign_by_shape(model: tf_keras.Model, parts: list[tf.Module], case: Case) -> list[tf.Variable]:
    """Give the model's weights the case's values; return those whose shape says nothing."""
    values = _values_by_shape(model, case)
    class_token = _class_token(model, parts, case)
    unknown = []
    for variable in model.trainable_weights:
        shape = tuple(length for length in variable.shape if length != 1)
        if class_token is not None and variable is class_token:
            variable.assign(case["class_token"].reshape(variable.shape))
        elif len(shape) == 1 and bool(tf.reduce_all(variable == 1)):
            continue  # the gain of a layer normalisation stays 1
        elif shape in values:
            variable.assign(values[shape].reshape(variable.shape))
        else:
            variable.assign(np.resize(case["W"], variable.shape))  # any values, always the same
            unknown.append(variable)
    return unknown


def _class_token(model: tf_keras.Model, parts: list[tf.Module], case: Case) -> tf.Variable | None:
    """Return the class token: a weight or an attribute of that name, else the first (1, …, d)."""
    width = case["embedding_proj_dim"]
    attributes = [getattr(part, "class_token", None) for part in parts]
    candidates = [v for v in model.trainable_weights if tf.size(v) == width]
    for variable in candidates:
        if _is_named(variable, "class_token") or any(variable is a for a in attributes):
            return variable
    return next((v for v in candidates if len(v.shape) > 1), None)


def _values_by_shape(model: tf_keras.Model, case: Case) -> dict[tuple[int, ...], np.ndarray]:
    """Return the case's weights by their shape, heads laid out as in the model's attention."""
    kinds = ("patch_kernel", "positions", "kernel_", "bias_", "head_")
    values = {case[name].shape: case[name] for name in case.inputs if name.startswith(kinds)}
    size, heads, width = case["patch_size"], case["num_heads"], case["embedding_proj_dim"]
    as_filter = tuple(n for n in (size, size, case["channels"], width) if n != 1)
    values[as_filter] = case["patch_kernel"]
    shapes = {tuple(variable.shape) for variable in model.trainable_weights}
    if (width, heads, width) in shapes:  # Keras' layout
        return {
            **values,
            (width, heads, width): case["W"].swapaxes(0, 1),
            (heads, width, width): case["W_o"],
        }
    return {**values, case["W"].shape: case["W"], case["W_o"].shape: case["W_o"]}


def _after_pixel_layers(parts: list[tf.Module], images: tf.Tensor) -> np.ndarray:
    """Return images as the model's own layers for scaling pixels, where it has any, leave them."""
    pixel_layers = (tf_keras.layers.Rescaling, tf_keras.layers.Normalization)
    for part in parts:
        if isinstance(part, pixel_layers):
            images = part(images)
    return np.asarray(images)


def _epsilons(parts: list[tf.Module]) -> list[float]:
    """Return what the model's layer normalisations add to the variance, without repetition."""
    norms = (part for part in parts if isinstance(part, tf_keras.layers.LayerNormalization))
    return sorted({float(norm.epsilon) for norm in norms})


def _swapped(images: np.ndarray, size: int) -> np.ndarray:
    """Return images whose first and last patch changed places."""
    swapped = images.copy()
    swapped[:, :size, :size] = images[:, -size:, -size:]
    swapped[:, -size:, -size:] = images[:, :size, :size]
    return swapped


def _scale_last_layer(model: tf_keras.Model, num_classes: int, factor: float) -> None:
    """Multiply the weights of the last Dense layer, told by the number of its outputs."""
    for variable in model.trainable_weights:
        if variable.shape[-1:] == (num_classes,):
            variable.assign(factor * variable)

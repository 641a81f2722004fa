"""Call attention variants, the constraint and the ViT, and return what they compute."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities.checks.kernel.case import NOT_ATTEMPTED, RAISED, WRONG_SHAPE, WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array, as_pair, describe, refuse_nothing
from utilities.models.sizes import PreNormViTSize
from utilities.training.cost import arrays_made

Seen = dict[str, np.ndarray]


# --- dot-product attention -------------------------------------------------------------------


def dot_product_attention(implementation: Any, case: Case) -> Seen:
    """Return output and weights; of an unknown normalization, whether it was refused."""
    q, k, v = (tf.constant(case[name]) for name in "qkv")
    if case.stage == "unknown":
        return _refusal(implementation, case["normalization"], (q, k, v))
    layer = _layer(implementation, "DotProductAttention", case["normalization"])
    if case.stage == "config":
        layer = _made_anew(layer)
    call: Callable = layer
    if case.stage == "model":
        symbolic = [tf_keras.Input(x.shape[1:]) for x in (q, k, v)]
        pair = as_pair(layer(*symbolic), "output", "attention_weights")
        model = tf_keras.Model(symbolic, list(pair))
        call = lambda *qkv: model(list(qkv))  # noqa: E731
    first, second = (_pair(call(q, k, v)) for _ in range(2))
    return {
        **first,
        "repeats": _same(first, second),
        "weight_count": np.array(sum(int(tf.size(w)) for w in layer.weights)),
    }


def _refusal(implementation: Any, normalization: str, qkv: tuple) -> Seen:
    """Return whether an unknown normalization raises ValueError, when made or when called."""
    try:
        layer = _layer(implementation, "DotProductAttention", normalization)
        refuse_nothing(layer(*qkv), "result")
    except NotImplementedError:
        raise
    except ValueError:
        return {"refused": np.array(True), "error": np.array("ValueError")}
    except Exception as error:
        if isinstance(error, Stopped):
            raise
        return {"refused": np.array(False), "error": np.array(type(error).__name__)}
    return {"refused": np.array(False), "error": np.array("")}


def _pair(result: Any) -> Seen:
    output, weights = as_pair(result, "output", "attention_weights")
    return {
        "output": as_array(output, "output"),
        "attention_weights": as_array(weights, "attention weights"),
    }


# --- layers of self-attention ----------------------------------------------------------------


def cosine_attention(implementation: Any, case: Case) -> Seen:
    """Return what a layer of cosine attention that holds the case's weights makes of tokens."""
    return _self_attention(implementation, "CosineAttention", case)


def linear_attention(implementation: Any, case: Case) -> Seen:
    """Return what a layer of linear attention makes of tokens; of many tokens, what it costs."""
    if case.stage == "cost":
        return _cost(implementation, case)
    return _self_attention(implementation, "LinearAttention", case)


def _self_attention(implementation: Any, name: str, case: Case) -> Seen:
    x = tf.constant(case["x"])  # (B, N, d)
    layer = _layer(implementation, name, case["num_heads"], case["key_dim"])
    if case.stage == "config":
        layer = _made_anew(layer)
    call: Callable = layer
    if case.stage == "model":
        inputs = tf_keras.Input(x.shape[1:])
        outputs = layer(inputs)
        refuse_nothing(outputs, "output")
        call = tf_keras.Model(inputs, outputs)
    as_array(call(x), "output")  # makes the weights
    made = {id(weight) for weight in layer.weights}
    _assign(layer, case)
    if case.stage == "weights":
        return _training(layer, x, case)
    output = as_array(call(x), "output")
    return {
        "output": output,
        "repeats": np.array(np.array_equal(output, as_array(call(x), "output"), equal_nan=True)),
        "made_once": np.array({id(weight) for weight in layer.weights} == made),
    }


def _training(layer: layers.Layer, x: tf.Tensor, case: Case) -> Seen:
    """Return how many numbers are trained, and which of the projections the gradient reaches."""
    names = _projections(case)
    kernels = [_dense(layer, name)[0] for name in names]
    trained = {id(weight) for weight in layer.trainable_weights}
    with tf.GradientTape() as tape:
        output = layer(x)
        loss = _uneven_sum(output)
    gradients = tape.gradient(loss, kernels)
    return {
        "trainable_count": np.array(sum(int(tf.size(w)) for w in layer.trainable_weights)),
        "trainable": np.array([id(kernel) in trained for kernel in kernels]),
        "gradient_reaches": np.array([_reaches(gradient) for gradient in gradients]),
    }


def _cost(implementation: Any, case: Case) -> Seen:
    """Return the numbers that all arrays of a call hold, and the largest one's shape, by length."""
    numbers, largest = [], []
    for length in case["lengths"]:
        x = tf.constant(np.resize(case["x"], (1, int(length), case["x"].shape[-1])))
        layer = _layer(implementation, "LinearAttention", case["num_heads"], case["key_dim"])
        as_array(layer(x), "output")  # makes the weights
        made = arrays_made(layer, x)
        numbers.append(made.numbers)
        largest.append(made.largest)
    return {
        "numbers": np.array(numbers),
        "largest_sizes": np.array([int(np.prod(shape)) for shape in largest]),
        "largest_shape": np.array(largest[-1], dtype=int),
    }


def _projections(case: Case) -> list[str]:
    return [name for name in ("W_q", "W_k", "W_v", "W_o") if name in case.inputs]


def _assign(layer: layers.Layer, case: Case) -> None:
    """Give the layer's projections the weights of the case, laid out as the layer has them."""
    for name in _projections(case):
        for variable, value in zip(
            _dense(layer, name), (case[name], case[f"{name}_bias"]), strict=True
        ):
            if int(tf.size(variable)) != value.size or not _ordered(variable.shape, value.shape):
                part = "kernel" if value.ndim == 2 else "bias"
                raise Stopped(
                    WRONG_SHAPE,
                    f"The {part} of {name} has shape {tuple(variable.shape)}; {value.shape} is "
                    f"expected for tokens of width {case['x'].shape[-1]}, num_heads = "
                    f"{case['num_heads']} and key_dim = {case['key_dim']}.",
                )
            variable.assign(tf.cast(value.reshape(variable.shape), variable.dtype))


def _ordered(shape: tf.TensorShape, expected: tuple[int, ...]) -> bool:
    """Return whether a shape is the expected one, but for axes that were split in two."""
    lengths = list(shape)
    for length in expected:
        product = 1
        while lengths and product < length:
            product *= lengths.pop(0)
        if product != length:
            return False
    return all(length == 1 for length in lengths)


def _dense(layer: layers.Layer, name: str) -> tuple[tf.Variable, tf.Variable]:
    """Return kernel and bias of the Dense layer of that name, or stop where there is none."""
    part = getattr(layer, name, None)
    if part is None:
        part = next((p for p in layer.submodules if getattr(p, "name", None) == name), None)
    kernel, bias = getattr(part, "kernel", None), getattr(part, "bias", None)
    if kernel is None:
        known = sorted(n for n, p in vars(layer).items() if isinstance(p, layers.Layer) and n[0] != "_")
        raise Stopped(
            WRONG_TYPE,
            f"Your layer has no Dense layer {name}: keep it as self.{name}. Its layers: "
            f"{', '.join(known) or 'none'}.",
        )
    if bias is None:
        raise Stopped(WRONG_TYPE, f"{name} has no bias: all projections of this layer have one.")
    return kernel, bias


# --- the constraint --------------------------------------------------------------------------


def orthonormal(implementation: Any, case: Case) -> Seen:
    """Return what the constraint makes of a matrix, applied directly or by Keras in training."""
    if not callable(implementation) or isinstance(implementation, tf_keras.constraints.Constraint):
        raise Stopped(
            WRONG_TYPE,
            f"Give the class Orthonormal itself to the check; you give {describe(implementation)}.",
        )
    arguments = () if case["beta"] is None else (case["beta"],)
    constraint = implementation(*arguments)
    is_constraint = isinstance(constraint, tf_keras.constraints.Constraint)
    if not callable(constraint):
        raise Stopped(WRONG_TYPE, "An Orthonormal is called with a matrix: write its __call__.")
    if case.stage == "config":
        constraint = _made_anew(constraint)
    result = _applied_in_training if case.stage == "trained" else _applied
    return {
        "is_constraint": np.array(is_constraint),
        "matrix": result(constraint, case["w"]),
    }


def _applied(constraint: Callable, w: np.ndarray) -> np.ndarray:
    return as_array(constraint(tf.constant(w)), "result")


def _applied_in_training(constraint: Callable, w: np.ndarray) -> np.ndarray:
    """Return the kernel of a Dense layer after one step of training that itself changes nothing."""
    refuse_nothing(constraint(tf.constant(w)), "result")
    dense = layers.Dense(w.shape[1], use_bias=False, kernel_constraint=constraint)
    dense.build((None, w.shape[0]))
    dense.kernel.assign(w)
    optimizer = tf_keras.optimizers.SGD(0.0)
    optimizer.apply_gradients([(tf.zeros_like(dense.kernel), dense.kernel)])
    return as_array(dense.kernel, "kernel")


# --- the Vision Transformer ------------------------------------------------------------------


class Mixing(layers.Layer):
    """A stand-in for attention: each token becomes a fixed mixture of all, times a trained gain."""

    def __init__(self, mixing: np.ndarray):
        super().__init__()
        self.mixing = tf.constant(mixing)  # (N, N)
        self.gain = self.add_weight("gain", (1, 1, 1), initializer="ones")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.gain * tf.einsum("mn,bnd->bmd", self.mixing, x)  # (B, N, d)


class DoubleAndMirror(layers.Layer):
    """An augmentation without chance: images twice as large, and in training mirrored as well."""

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        doubled = tf.repeat(tf.repeat(images, 2, axis=1), 2, axis=2)  # (B, 2·H, 2·W, C)
        mirror = tf.cast(bool(training) if training is None else training, tf.bool)
        return tf.cond(mirror, lambda: tf.reverse(doubled, axis=[2]), lambda: doubled)


def attention_vit(implementation: Any, case: Case) -> Seen:
    """Return what a model with the case's weights makes of images, and facts about it."""
    made: list[Mixing] = []

    def make_attention() -> Mixing:
        made.append(Mixing(case["mixing"]))
        return made[-1]

    model = _vit(implementation, case, make_attention)
    images = tf.constant(case["images"])  # (B, H, W, C)
    _assign_by_shape(model, made, case)
    output = as_array(model(images), "output")
    with tf.GradientTape() as tape:
        loss = _uneven_sum(model(images, training=False))
    weights = model.trainable_weights
    gradients = tape.gradient(loss, weights)
    seen = {
        "output": output,
        "again": as_array(model(images), "output"),
        "in_training": as_array(model(images, training=True), "output"),
        "parameter_count": np.array(sum(int(tf.size(w)) for w in weights)),
        "attentions_made": np.array(len(made)),
        "without_gradient": np.array(
            [w.name for w, g in zip(weights, gradients, strict=True) if not _reaches(g)], dtype=str
        ),
        "epsilons": np.array(_epsilons(model), dtype=float),
    }
    for variable in weights:
        if variable.shape[-1] == case["num_classes"]:
            variable.assign(3.0 * variable)
    return {**seen, "output_of_scaled": as_array(model(images), "output")}


def _vit(implementation: Any, case: Case, make_attention: Callable) -> tf_keras.Model:
    size = PreNormViTSize(
        image_size=case["image_size"],
        patch_size=case["patch_size"],
        embedding_proj_dim=case["embedding_proj_dim"],
        num_heads=1,
        transformer_layers=case["transformer_layers"],
        mlp_units=tuple(int(n) for n in case["mlp_units"]),
        head_units=tuple(int(n) for n in case["head_units"]),
        dropout_rate=case["dropout_rate"],
        head_dropout_rate=case["head_dropout_rate"],
    )
    augmented = {"data_augmentation": DoubleAndMirror()} if case.stage == "blocks" else {}
    model = implementation(
        input_shape=case["images"].shape[1:],
        num_classes=case["num_classes"],
        size=size,
        make_attention=make_attention,
        **augmented,
    )
    refuse_nothing(model, "result")
    if not isinstance(model, tf_keras.Model):
        raise Stopped(
            WRONG_TYPE,
            f"The result is {describe(model)}; a tf_keras.Model is expected, from the images to "
            "the logits.",
        )
    if not model.built:
        model(tf.constant(case["images"]))
    return model


def _assign_by_shape(model: tf_keras.Model, made: list[Mixing], case: Case) -> None:
    """Give the model's weights the case's values, told by their shape; other shapes get any."""
    parts = (
        "patch_kernel",
        "positions",
        "bias_",
        "mlp_kernel_",
        "mlp_bias_",
        "head_kernel_",
        "head_bias_",
    )
    values = {case[n].shape: case[n] for n in case.inputs if n.startswith(parts)}
    side, width = case["patch_size"], case["embedding_proj_dim"]
    values[(side, side, case["images"].shape[-1], width)] = case["patch_kernel"]  # a convolution
    values = {tuple(n for n in shape if n != 1): value for shape, value in values.items()}
    attentions = {id(attention.gain) for attention in made}
    for variable in model.trainable_weights:
        shape = tuple(length for length in variable.shape if length != 1)
        gain = len(shape) == 1 and bool(tf.reduce_all(variable == 1))  # of a normalisation: stays 1
        if id(variable) not in attentions and not gain:
            value = values.get(shape, case["patch_kernel"])
            variable.assign(np.resize(value, variable.shape))


def _epsilons(model: tf_keras.Model) -> list[float]:
    """Return what the model's layer normalisations add to the variance, without repetition."""
    norms = (part for part in model.submodules if isinstance(part, layers.LayerNormalization))
    return sorted({float(norm.epsilon) for norm in norms})


# --- common ----------------------------------------------------------------------------------


def _layer(implementation: Any, name: str, *arguments: Any) -> layers.Layer:
    """Return a new layer, or stop where what was given makes none."""
    if not callable(implementation) or isinstance(implementation, layers.Layer):
        came = "a layer" if callable(implementation) else describe(implementation)
        raise Stopped(WRONG_TYPE, f"Give the class {name} itself to the check; you give {came}.")
    layer = implementation(*arguments)
    if isinstance(layer, layers.Layer):
        return layer
    base = "" if inspect.isclass(implementation) else f" It is {describe(implementation)}."
    raise Stopped(WRONG_TYPE, f"{name} must be a class that inherits from tf_keras.layers.Layer.{base}")


def _made_anew(thing: Any) -> Any:
    """Return the same again from its config, or stop where that cannot be done."""
    try:
        config = thing.get_config()
    except NotImplementedError:
        raise Stopped(
            NOT_ATTEMPTED, "get_config is not written yet: Keras needs it to save and copy."
        ) from None
    try:
        return type(thing).from_config(config)
    except Exception as error:
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise Stopped(
            RAISED,
            f"Nothing can be made anew from get_config(): {reason[0]}. The config must hold every "
            "argument under its name, and a layer must take those of every Keras layer, such as name.",
        ) from None


def _same(first: Seen, second: Seen) -> np.ndarray:
    return np.array(all(np.array_equal(first[n], second[n], equal_nan=True) for n in first))


def _uneven_sum(x: Any) -> tf.Tensor:
    """Return the squares' sum with different factors, so that no part cancels another."""
    refuse_nothing(x, "output")
    squares = tf.reshape(tf.square(tf.cast(x, tf.float32)), (-1,))
    return tf.reduce_sum(squares * tf.range(1.0, 1.0 + tf.cast(tf.size(squares), tf.float32)))


def _reaches(gradient: Any) -> bool:
    return gradient is not None and bool(np.any(tf.convert_to_tensor(gradient) != 0))

"""Call what students write in the small-data lab and return what it computes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel.case import NOT_ATTEMPTED, RAISED, WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array, as_pair, describe, refuse_nothing
from utilities.checks.small_datasets.signs import LSA_SIZES, SCHEDULE

PROJECTIONS = ("query", "key", "value", "output")
Weights = list[tf.Variable]
Values = dict[str, np.ndarray]


# Shifted patch tokenization


def shifted_patch_tokenization(implementation: Any, case: Case) -> Values:
    """Return what a token is made from, and the tokens made with the weights of the case.

    normalised_patches (B, N, F): from a second layer, whose projection is made the identity; so the
    values come out in whatever order the layer has them. output (B, N, d): the tokens.
    """
    images = tf.constant(case["images"])  # (B, H, W, C)
    probe = _tokenizer(implementation, case, case["kernel"].shape[0])
    as_array(probe(images), "output")  # builds the weights
    _make_identity(probe)
    layer = _tokenizer(implementation, case, case["proj_dim"])
    if case.stage == "config":
        layer = _made_anew(layer)
    model: Any = layer
    static_shape: tuple[int | None, ...] = ()
    if case.stage == "functional":
        inputs = tf_keras.Input(images.shape[1:])
        tokens = layer(inputs)
        model, static_shape = tf_keras.Model(inputs, tokens), tokens.shape[1:]
    else:
        layer(images)
    _assign_tokenizer(layer, case)
    return {
        "normalised_patches": as_array(probe(images), "output"),
        "output": as_array(model(images), "output"),
        "static_shape": np.array([-1 if n is None else n for n in static_shape]),
        **_trained(layer, lambda: layer(images), layer.trainable_weights, case),
    }


def _tokenizer(implementation: Any, case: Case, proj_dim: int) -> tf_keras.layers.Layer:
    layer = implementation(case["patch_size"], proj_dim)
    return _a_layer(layer, "ShiftedPatchTokenization")


def _make_identity(layer: tf_keras.layers.Layer) -> None:
    """Make the projection the identity and its bias 0; the normalisation is left as it is made."""
    for variable in layer.trainable_weights:
        if _is_kernel(variable):
            rows, columns = _rows(variable), variable.shape[-1]
            variable.assign(np.eye(rows, columns).reshape(variable.shape))
        elif not _is_gain(variable):
            variable.assign(tf.zeros_like(variable))


def _assign_tokenizer(layer: tf_keras.layers.Layer, case: Case) -> None:
    """Give the layer's weights the values of the case, cut or repeated where their shape differs."""
    for variable in layer.trainable_weights:
        if _is_kernel(variable):
            name = "kernel"
        elif _is_gain(variable):
            name = "gamma"
        else:
            name = "bias" if variable.shape[-1:] == (case["proj_dim"],) else "beta"
        variable.assign(np.resize(case[name], variable.shape))


def _is_kernel(variable: tf.Variable) -> bool:
    return len(variable.shape) > 1 and _rows(variable) > 1 and not _is_gain(variable)


def _is_gain(variable: tf.Variable) -> bool:
    """Return whether the weight is the gain of a normalisation, which starts as ones."""
    return bool(tf.reduce_all(variable == 1))


def _rows(variable: tf.Variable) -> int:
    """Return how many numbers go into one output of a kernel."""
    return int(np.prod(variable.shape[:-1]))


# Locality self-attention


def multi_head_attention_lsa(implementation: Any, case: Case) -> Values:
    """Return what a layer makes of tokens with the weights of the case, each stage in its own way.

    temperature: the one that the layer makes itself, empty where it has none.
    """
    x = tf.constant(case["x"])  # (B, N, d)
    dropout = {"dropout": 0.5} if case.stage == "dropout" else {}
    layer = _attention(implementation, case, **dropout)
    if case.stage == "config":
        layer = _made_anew(layer)
    model = _in_model(layer, x) if case.stage == "functional" else layer
    as_array(model(x, x) if model is layer else model(x), "output")  # builds the weights
    temperature = _temperature(layer, case)
    seen = {
        "temperature": np.concatenate([_flat(v) for v in temperature] or [np.zeros(0)]),
        "temperature_trained": np.array(all(_is_in(v, layer.trainable_weights) for v in temperature)),
    }
    _assign_attention(layer, case, temperature)
    if case.stage == "attention weights":
        result = layer(x, x, return_attention_scores=True)
        output, weights = as_pair(result, "output", "attention_scores")
        seen["attention_weights"] = as_array(weights, "attention weights")
    else:
        output = model(x, x) if model is layer else model(x)
    seen["output"] = as_array(output, "output")
    again = layer(x, x, training=True) if case.stage == "dropout" else layer(x, x)
    seen["changes"] = np.array(not np.array_equal(as_array(again, "output"), seen["output"]))
    return {**seen, **_trained(layer, lambda: layer(x, x), temperature, case)}


def _attention(implementation: Any, case: Case, **options: float) -> tf_keras.layers.Layer:
    layer = implementation(*(case[name] for name in LSA_SIZES), **options)
    return _a_layer(layer, "MultiHeadAttentionLSA")


def _in_model(layer: tf_keras.layers.Layer, x: tf.Tensor) -> tf_keras.Model:
    inputs = tf_keras.Input(x.shape[1:])
    return tf_keras.Model(inputs, layer(inputs, inputs))


def _temperature(layer: tf_keras.layers.Layer, case: Case) -> Weights:
    """Return the weights that may be a temperature: of one number, or of one for each head."""
    variables = [*layer.weights, *(v for v in vars(layer).values() if isinstance(v, tf.Variable))]
    sizes = (1, case["num_heads"])
    fitting = (v for v in variables if v.dtype.is_floating and int(tf.size(v)) in sizes)
    return list({id(v): v for v in fitting}.values())


def _assign_attention(layer: tf_keras.layers.Layer, case: Case, temperature: Weights) -> None:
    for variable in temperature:
        variable.assign(np.resize(case["temperature"], variable.shape))
    others = [v for v in layer.weights if not _is_in(v, temperature)]
    kernel_size, bias_size = case["query_kernel"].size, case["query_bias"].size
    for name, variable in _by_role([v for v in others if int(tf.size(v)) == kernel_size]):
        variable.assign(case[f"{name}_kernel"].reshape(variable.shape))
    for name, variable in _by_role([v for v in others if int(tf.size(v)) == bias_size]):
        variable.assign(case[f"{name}_bias"].reshape(variable.shape))
    for variable in others:
        if int(tf.size(variable)) == case["output_bias"].size:
            variable.assign(case["output_bias"].reshape(variable.shape))


def _by_role(variables: Weights) -> list[tuple[str, tf.Variable]]:
    """Return the variables with their roles: by their names or, where these do not tell, in order."""
    named = {_role(variable.name): variable for variable in variables}
    if len(named) == len(variables) and None not in named:
        return [(role, variable) for role, variable in named.items() if role]
    return list(zip(PROJECTIONS, variables, strict=False))


def _role(name: str) -> str | None:
    """Return the projection that the name of a weight speaks of, the innermost part first."""
    for part in reversed(name.lower().split(":")[0].split("/")):
        for role in reversed(PROJECTIONS):
            if role in part or part in (f"w_{role[0]}", f"w{role[0]}", f"b_{role[0]}", role[0]):
                return role
    return None


# Learning rate


def warm_up_cosine(implementation: Any, case: Case) -> Values:
    """Return the learning rate at the steps of the case, or whether bad settings are refused."""
    if case.stage == "too short":
        return {"refused": np.array(_is_refused(implementation, case))}
    schedule = _schedule(implementation, case)
    if case.stage == "config":
        schedule = _made_anew(schedule)
    if case.stage == "tensors":
        rate_at = tf.function(lambda step: schedule(step), [tf.TensorSpec((), tf.int64)])
        steps: Sequence = [tf.constant(step) for step in case["steps"]]
    else:
        rate_at, steps = schedule, [int(step) for step in case["steps"]]
    return {"learning_rate": np.array([_number(rate_at(step)) for step in steps])}


def _schedule(implementation: Any, case: Case, **changed: int) -> Any:
    settings = {name: case[name] for name in SCHEDULE} | changed
    schedule = implementation(**settings)
    refuse_nothing(schedule, "schedule")
    if not isinstance(schedule, tf_keras.optimizers.schedules.LearningRateSchedule):
        raise Stopped(
            WRONG_TYPE,
            f"WarmUpCosine(…) is {describe(schedule)}. An optimiser takes it for a schedule only "
            "if the class inherits from tf_keras.optimizers.schedules.LearningRateSchedule.",
        )
    return schedule


def _is_refused(implementation: Any, case: Case) -> bool:
    """Return whether a ValueError comes where the warm-up outlasts the run, and only there."""
    _number(_schedule(implementation, case, warmup_steps=2)(0))
    try:
        _schedule(implementation, case)(0)
    except ValueError:
        return True
    return False


def _number(value: Any) -> float:
    array = as_array(value, "learning rate", tensor=False)
    if array.size != 1:
        raise Stopped(WRONG_TYPE, f"One step gives {array.size} learning rates; one is expected.")
    return float(array.reshape(()))


def make_optimizer(implementation: Any, case: Case) -> Values:
    """Return the learning rate that each step used, and the weights (steps, p) after it."""
    names = ("num_samples", "epochs", "batch_size", "learning_rate", "weight_decay", "warmup_epochs")
    optimizer = implementation(**{name: case[name] for name in names})
    refuse_nothing(optimizer, "optimiser")
    if not isinstance(optimizer, tf_keras.optimizers.Optimizer):
        raise Stopped(
            WRONG_TYPE,
            f"make_optimizer(…) returns {describe(optimizer)}; an optimiser of tf_keras.optimizers "
            "is expected, which a model can be compiled with.",
        )
    variable, rates, weights = tf.Variable(case["kernel"]), [], []
    for gradient in case["gradients"]:
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
        rates.append(_number(optimizer.learning_rate))
        weights.append(variable.numpy())
    return {"learning_rate": np.array(rates), "weights": np.array(weights)}


# What all of them need


def _a_layer(layer: Any, name: str) -> tf_keras.layers.Layer:
    """Return the layer, or stop where it is none."""
    refuse_nothing(layer, "layer")
    if not isinstance(layer, tf_keras.layers.Layer):
        raise Stopped(
            WRONG_TYPE, f"{name}(…) is {describe(layer)}; derive your class from a tf_keras layer."
        )
    return layer


def _made_anew(made: Any) -> Any:
    """Return the same again from its config, as Keras does when it copies or loads a model."""
    try:
        config = made.get_config()
    except NotImplementedError:
        raise Stopped(
            NOT_ATTEMPTED, "get_config is not written yet: Keras needs it to save and copy a model."
        ) from None
    try:
        return type(made).from_config(config)
    except Exception as error:
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise Stopped(
            RAISED,
            f"Nothing can be made anew from get_config(): {reason[0]}. The config must hold every "
            "argument under its name, and a layer must take the arguments of every Keras layer, "
            "such as name.",
        ) from None


def _trained(
    layer: tf_keras.layers.Layer, call: Callable[[], Any], weights: Weights, case: Case
) -> Values:
    """Return how many numbers a layer trains, and the names of those weights without a gradient."""
    if case.stage != "weights":
        return {}
    with tf.GradientTape() as tape:
        output = tf.cast(call(), tf.float32)
        uneven = tf.cos(tf.range(tf.size(output), dtype=tf.float32))  # no normalisation undoes it
        loss = tf.reduce_sum(tf.reshape(output, [-1]) * uneven)
    gradients = tape.gradient(loss, weights)
    missed = [w.name for w, g in zip(weights, gradients, strict=True) if not _reaches(g)]
    return {
        "trainable_count": np.array(sum(int(tf.size(w)) for w in layer.trainable_weights)),
        "without_gradient": np.array(missed, dtype=str),
    }


def _reaches(gradient: Any) -> bool:
    return gradient is not None and bool(tf.reduce_any(tf.convert_to_tensor(gradient) != 0))


def _is_in(variable: tf.Variable, variables: Weights) -> bool:
    return any(variable is other for other in variables)


def _flat(variable: tf.Variable) -> np.ndarray:
    return np.reshape(as_array(variable, "temperature"), -1)

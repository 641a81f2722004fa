"""Make locality self-attention, give it the weights of a case, and return what it computes."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel import probes
from utilities.checks.kernel.case import RAISED, WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped, as_array, as_pair
from utilities.checks.kernel.small_datasets.protocol import DROPOUT, PROJECTIONS

MORE_TOKENS = 3  # of the second call, where a layer is called twice
Weights = list[tf.Variable]
Seen = dict[str, np.ndarray]


def observe(implementation: Any, case: Case) -> Seen:
    """Return what a layer makes of tokens with the weights of the case, each stage in its own way.

    temperature: as a new layer starts with it, empty where it has none.
    """
    x = tf.constant(case["x"])  # (B, N, d)
    options: dict[str, Any] = {"dropout": DROPOUT} if case.stage == "dropout" else {}
    sizes = (case["num_heads"], case["key_dim"])
    layer = probes.new_layer(implementation, "MultiHeadAttentionLSA", *sizes, **options)
    if case.stage == "config":
        layer = probes.made_anew(layer)
    call = _in_model(layer, x) if case.stage == "functional" else lambda x: layer(x, x)
    as_array(_alone(call(x[:, :-MORE_TOKENS] if case.stage == "lengths" else x)), "output")
    temperature = _temperature(layer, case)
    start = np.concatenate([np.ravel(as_array(v, "temperature")) for v in temperature] or [np.zeros(0)])
    facts = _facts(layer, x, temperature, case) if case.stage == "weights" else {}
    roles_known = _assign(layer, case, temperature)
    if case.stage == "weights":  # at the weights of the case, not at a start that may be bad
        facts["gradient_reaches"] = probes.gradient_reaches(lambda: layer(x, x), temperature)
    seen = _called(layer, call, x, case)
    return {"temperature": start, "roles_known": np.array(roles_known), **facts, **seen}


def _called(layer: Any, call: Any, x: tf.Tensor, case: Case) -> Seen:
    """Return output and attention weights as the stage asks for them, and whether they repeat."""
    if case.stage == "lengths":
        return {"output": _longer(call, x)}
    if case.stage == "attention weights":
        output, weights = as_pair(
            layer(x, x, return_attention_scores=True), "output", "attention_scores"
        )
        return {"output": as_array(output, "output"), "attention_weights": as_array(weights, "weights")}
    output = as_array(_alone(call(x)), "output")
    again = as_array(_alone(call(x)), "output")
    seen = {"output": output, "repeats": np.array(np.array_equal(output, again, equal_nan=True))}
    return {**seen, **_in_training(layer, x)} if case.stage == "dropout" else seen


def _in_training(layer: Any, x: tf.Tensor) -> Seen:
    """Return output and attention weights of a call in training, with dropout."""
    result = layer(x, x, return_attention_scores=True, training=True)
    output, weights = as_pair(result, "output", "attention_scores")
    return {
        "output_in_training": as_array(output, "output"),
        "weights_in_training": as_array(weights, "attention weights"),
    }


def _longer(call: Any, x: tf.Tensor) -> np.ndarray:
    """Return the output for more tokens than the layer was first called with."""
    try:
        return as_array(_alone(call(x)), "output")
    except Stopped:
        raise
    except Exception as error:
        raise Stopped(
            RAISED,
            f"Called with {x.shape[1] - MORE_TOKENS} tokens first, the layer stops at {x.shape[1]} "
            f"with {type(error).__name__}. Make the mask from the number of tokens at each call.",
            "number of tokens fixed",
        ) from None


def _alone(result: Any) -> Any:
    """Return the output, or stop where attention weights come unasked."""
    if isinstance(result, (tuple, list)):
        raise Stopped(
            WRONG_TYPE,
            "attention(x, x) returns several values; the attention weights are returned only where "
            "return_attention_scores=True asks for them.",
            "weights returned unasked",
        )
    return result


def _in_model(layer: Any, x: tf.Tensor) -> tf_keras.Model:
    inputs = tf_keras.Input(x.shape[1:])
    return tf_keras.Model(inputs, layer(inputs, inputs))


def _facts(layer: Any, x: tf.Tensor, temperature: Weights, case: Case) -> Seen:
    """Return what is trained, what can learn, and what a layer makes of being frozen."""
    trained = list(layer.trainable_weights)
    # Biases are left out: the softmax undoes that of the keys, so no gradient reaches it.
    kernels = [v for v in trained if int(tf.size(v)) == case["query_kernel"].size]
    return {
        "parameter_count": probes.count(trained),
        "temperature_trained": np.array(bool(np.all(probes.among(temperature, trained)))),
        "freezes": probes.freezes(layer, lambda: layer(x, x)),
        "learns": probes.can_learn(lambda: layer(x, x), kernels),
        "alike": np.array(any(bool(tf.reduce_all(v == 1)) for v in kernels)),
    }


def _temperature(layer: Any, case: Case) -> Weights:
    """Return the weights that may be a temperature: of one number, or of one for each head."""
    variables = [*layer.weights, *(v for v in vars(layer).values() if isinstance(v, tf.Variable))]
    sizes = (1, case["num_heads"])
    fitting = (v for v in variables if v.dtype.is_floating and int(tf.size(v)) in sizes)
    return list({id(v): v for v in fitting}.values())


def _assign(layer: Any, case: Case, temperature: Weights) -> bool:
    """Give the layer the weights of the case; return whether their names tell which is which."""
    for variable in temperature:
        variable.assign(np.resize(case["temperature"], variable.shape))
    known = probes.among(layer.weights, temperature)
    others = [v for v, is_temperature in zip(layer.weights, known, strict=True) if not is_temperature]
    told = []
    for part in ("kernel", "bias"):
        size = case[f"query_{part}"].size
        fitting = [v for v in others if int(tf.size(v)) == size]
        named = {_role(v.name): v for v in fitting}
        told.append(len(named) == len(fitting) and None not in named)
        roles = named.items() if told[-1] else zip(PROJECTIONS, fitting, strict=False)
        for name, variable in roles:
            variable.assign(case[f"{name}_{part}"].reshape(variable.shape))
    for variable in others:
        if int(tf.size(variable)) == case["output_bias"].size:
            variable.assign(case["output_bias"].reshape(variable.shape))
    return all(told)


def _role(name: str) -> str | None:
    """Return the projection that the name of a weight speaks of, the innermost part first."""
    for part in reversed(name.lower().split(":")[0].split("/")):
        for role in reversed(PROJECTIONS):
            if role in part or part in (f"w_{role[0]}", f"w{role[0]}", f"b_{role[0]}", role[0]):
                return role
    return None

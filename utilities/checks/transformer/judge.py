"""Judge the MLP and the transformer block: formulas with known weights, and common mistakes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from utilities.checks import oracles
from utilities.checks.case import WRONG_VALUE, Case, Observation
from utilities.checks.judging import (
    Mistake,
    Stage,
    Values,
    agrees,
    fact,
    judge_stages,
    problem_finding,
    recognise,
    when,
)
from utilities.checks.report import Finding
from utilities.checks.transformer.cases import ANCHORS
from utilities.checks.transformer.dropout import (
    Branch,
    as_frequent_as_expected,
    branch_of_each,
    constant_along_an_axis,
    dropped,
)

Activation = Callable[[np.ndarray], np.ndarray]
Pairs = Sequence[tuple[Case, Observation]]
MLP_DEPTH = 6  # dependent operations up to an output: tolerances grow with them
BLOCK_DEPTH = 12
DEFAULT_RATE = 0.1


def mlp(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the layers, the values of one and of several, and dropout."""
    stages = [
        Stage("one layer", "one layer: a non-linearity after xW + b"),
        Stage("several layers", "several layers, each followed by the non-linearity", 2.0),
    ]
    pairs = list(zip(cases, observations, strict=True))
    layers, training = _apart(pairs, ("training", "rate 0"))
    return [
        _layers_finding(
            "one Dense layer for each entry of hidden_units", layers, MLP_MISTAKES + SIZE_MISTAKES
        ),
        *judge_stages(cases, observations, stages, _mlp(_everywhere), MLP_MISTAKES, MLP_DEPTH),
        _dropout_finding(
            "dropout after each layer, in training only", training, _mlp_dropout_mistake, 2.0
        ),
    ]


def transformer_block(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the parts found, the values of each part and of the whole, and dropout."""
    stages = [
        Stage("attention part", "attention part: x₁ = LN(x + MHA(x, x, x))"),
        Stage("MLP part", "MLP part: x₂ = LN(x₁ + mlp(x₁))"),
        Stage("whole block", "the whole block, for any sizes", 2.0),
    ]
    pairs = list(zip(cases, observations, strict=True))
    layers, training = _apart(pairs, ("training",))
    return [
        _layers_finding(
            "one attention, one MLP, and a LayerNormalization after each", layers, BLOCK_MISTAKES
        ),
        *judge_stages(cases, observations, stages, _right_block, BLOCK_MISTAKES, BLOCK_DEPTH),
        _dropout_finding(
            "dropout on what each part adds, in training only",
            training,
            _block_dropout_mistake,
            1.0,
        ),
    ]


def _apart(pairs: Pairs, stages: Sequence[str]) -> tuple[Pairs, Pairs]:
    """Return the pairs of all other stages, and those of the given ones."""
    inside = [pair for pair in pairs if pair[0].stage in stages]
    return [pair for pair in pairs if pair[0].stage not in stages], inside


# Non-linearities. Any of the usual ones will do, since nothing later depends on which.


def _leaky_relu(slope: float) -> Activation:
    return lambda x: np.where(x > 0, x, slope * x)


def _elu(x: np.ndarray, scale: float = 1.0, alpha: float = 1.0) -> np.ndarray:
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _linear(x: np.ndarray) -> np.ndarray:
    return x


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def _silu(x: np.ndarray) -> np.ndarray:
    return x * oracles.sigmoid(x)


USUAL = [oracles.gelu, _relu, _silu]
LESS_USUAL = [
    lambda x: x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2,  # GELU, fast
    lambda x: x * oracles.sigmoid(1.702 * x),  # GELU, faster still
    partial(_elu),
    partial(_elu, scale=1.05070098, alpha=1.67326324),  # SELU
    lambda x: x * np.tanh(np.logaddexp(x, 0)),  # Mish
    *(_leaky_relu(slope) for slope in (0.3, 0.2, 0.1, 0.01)),
]
SATURATING = [oracles.sigmoid, np.tanh]
ACCEPTED = USUAL + LESS_USUAL

Pattern = Callable[[Activation, int], list[Activation]]


def _everywhere(activation: Activation, depth: int) -> list[Activation]:
    return [activation] * depth


def _last_linear(activation: Activation, depth: int) -> list[Activation]:
    return [activation] * (depth - 1) + [_linear]


def _first_only(activation: Activation, depth: int) -> list[Activation]:
    return [activation] + [_linear] * (depth - 1)


# The MLP


def _mlp(pattern: Pattern, among: Sequence[Activation] = ACCEPTED, formula=oracles.mlp, bias=True):
    """Return the oracle of an MLP whose non-linearity is the one of `among` that comes closest."""

    def oracle(case: Case, observation: Observation) -> Values:
        x, (kernels, biases) = _float(case["x"]), _dense_weights(case)
        biases = biases if bias else [np.zeros_like(b) for b in biases]
        outputs = (formula(x, kernels, biases, pattern(f, len(kernels))) for f in among)
        return {"output": _closest(outputs, observation["output"])}

    return oracle


def _activation_first(x, kernels, biases, activations) -> np.ndarray:
    for kernel, bias, activation in zip(kernels, biases, activations, strict=True):
        x = activation(x) @ kernel + bias
    return x


def _bias_last(x, kernels, biases, activations) -> np.ndarray:
    for kernel, bias, activation in zip(kernels, biases, activations, strict=True):
        x = activation(x @ kernel) + bias
    return x


def _dense_weights(case: Case) -> tuple[list[np.ndarray], list[np.ndarray]]:
    layers = range(1, 1 + sum(name.startswith("kernel_") for name in case.inputs))
    kernels = [_float(case[f"kernel_{i}"]) for i in layers]
    return kernels, [_float(case[f"bias_{i}"]) for i in layers]


def _kernel_shapes(observation: Observation) -> list[tuple[int, ...]]:
    """Return the shapes (d_in, d_out) of the Dense kernels found, in order."""
    kernels = observation["shapes"][observation["roles"] == "kernel"]
    return [tuple(int(n) for n in shape[1:]) for shape in kernels]


def _expected_shapes(case: Case) -> list[tuple[int, ...]]:
    return [case[name].shape for name in case.inputs if name.startswith("kernel_")]


def _sizes_are(order: Callable[[list[int]], list[int]]):
    """Return the condition that the layers have the sizes of hidden_units in the wrong order."""

    def condition(case: Case, observation: Observation) -> bool:
        shapes = _expected_shapes(case)
        sizes = order([d_out for _, d_out in shapes])
        d_in = [shapes[0][0], *sizes[:-1]]
        return len(shapes) > 1 and _kernel_shapes(observation) == list(
            zip(d_in, sizes, strict=True)
        )

    return condition


def _mixes_tokens(case: Case, observation: Observation) -> bool:
    width, shapes = case["x"].shape[-1], _kernel_shapes(observation)
    return bool(shapes) and shapes[0][0] % case["x"].shape[1] == 0 and shapes[0][0] != width


def _several(condition: Callable[[Case, Observation], bool]):
    """Return the condition that all cases of several layers fulfil, others being no evidence."""
    return lambda case, observation: len(_expected_shapes(case)) == 1 or condition(case, observation)


ALWAYS_ON = Mistake(
    "dropout always on",
    "The same input gives another result each time, although the model is not training. Dropout "
    "belongs to training alone: use the Dropout layer, and leave the switch to Keras.",
    when(lambda case, seen: not _repeatable(seen)),
)
NO_WEIGHTS = Mistake(
    "weights untracked",
    "Keras finds no trainable weights in what you built, so nothing could be learned or saved. "
    "Weights are tracked when they belong to a layer and the layer is called on x.",
    when(lambda case, seen: seen["roles"].size == 0),
)
NO_BIAS = Mistake(
    "no bias",
    "Your Dense layers have no bias: xW + b is expected.",
    when(lambda case, seen: "kernel" in seen["roles"] and "bias" not in seen["roles"]),
)
NEVER_NON_LINEAR = Mistake(
    "no non-linearity",
    "There is no non-linearity between your Dense layers, so that together they are one linear "
    "map. What could such an MLP do that one matrix could not?",
    _mlp(_everywhere, [_linear]),
)
MLP_MISTAKES = [
    ALWAYS_ON,
    NEVER_NON_LINEAR,
    Mistake(
        "last layer linear",
        "Your last Dense layer has no non-linearity. Here every layer has one, the last one too.",
        _mlp(_last_linear),
    ),
    Mistake(
        "only the first layer non-linear",
        "Only your first Dense layer has a non-linearity; every layer has one.",
        _mlp(_first_only),
    ),
    Mistake(
        "softmax as non-linearity",
        "Your layers end in a softmax, which makes the units of a token compete. The non-linearity "
        "here acts on each number by itself, as GELU does.",
        _mlp(_everywhere, [oracles.softmax]),
    ),
    Mistake(
        "saturating non-linearity",
        "Your non-linearity is a sigmoid or a tanh, which flatten out for large inputs, and the "
        "gradient with them. Use GELU.",
        _mlp(_everywhere, SATURATING),
    ),
    Mistake(
        "non-linearity before Dense",
        "Your non-linearity comes before the Dense layer. The order is Dense, then non-linearity.",
        _mlp(_everywhere, formula=_activation_first),
    ),
    Mistake(
        "bias after the non-linearity",
        "Your bias is added after the non-linearity; it belongs to the Dense layer, before it.",
        _mlp(_everywhere, formula=_bias_last),
    ),
    NO_BIAS,
    NO_WEIGHTS,
    Mistake(
        "normalisation in the MLP",
        "Your MLP holds a normalisation layer. It is made of Dense and Dropout alone; the block "
        "normalises outside it.",
        when(lambda case, seen: "gamma" in seen["roles"]),
    ),
    Mistake(
        "tokens mixed",
        "Your first Dense layer runs over the tokens: its kernel has as many rows as there are "
        "tokens, or tokens times numbers. The MLP treats every token by itself, and Dense already "
        "works on the last axis: neither flatten nor transpose.",
        when(_mixes_tokens),
    ),
]
# Where one layer is all there is, sizes cannot go wrong: these are recognised over all cases.
SIZE_MISTAKES = [
    Mistake(
        "sizes in reverse",
        "Your layers have the sizes of hidden_units in reverse order.",
        when(_several(_sizes_are(lambda sizes: sizes[::-1]))),
    ),
    Mistake(
        "all layers one size",
        "All your layers have the same size. Each has its own entry of hidden_units.",
        when(
            _several(
                lambda case, seen: _sizes_are(lambda s: [s[0]] * len(s))(case, seen)
                or _sizes_are(lambda s: [s[-1]] * len(s))(case, seen)
            )
        ),
    ),
    Mistake(
        "too few layers",
        "You have fewer Dense layers than hidden_units has entries. Does your loop reach the last?",
        when(_several(lambda case, seen: len(_kernel_shapes(seen)) < len(_expected_shapes(case)))),
    ),
    Mistake(
        "too many layers",
        "You have more Dense layers than hidden_units has entries.",
        when(lambda case, seen: len(_kernel_shapes(seen)) > len(_expected_shapes(case))),
    ),
]


# The block: a mistake is a formula of the same steps as the right one.


def _block(formula=oracles.transformer_block, pattern=_everywhere, among=USUAL, norm=None):
    """Return the oracle of a block that follows a formula of (x, attend, mlp, norm_1, norm_2)."""

    def oracle(case: Case, observation: Observation) -> Values:
        outputs = _block_outputs(case, formula, pattern, among, norm, (1e-6, 1e-3))
        return {"output": _closest(outputs, observation["output"])}

    return oracle


def _right_block(case: Case, observation: Observation) -> Values:
    """Return the output of a right block: any usual epsilon and non-linearity, either naming."""
    arguments = (_everywhere, ACCEPTED, None, (1e-6, 1e-3, 1e-5, 1e-4))
    outputs = (
        output
        for formula in (oracles.transformer_block, _norms_swapped)
        for output in _block_outputs(case, formula, *arguments)
    )
    return {"output": _closest(outputs, observation["output"])}


def _norms_swapped(x, attend, mlp, norm_1, norm_2) -> np.ndarray:
    """Return the right output of a block that created its second normalisation first."""
    return oracles.transformer_block(x, attend, mlp, norm_2, norm_1)


def _block_outputs(case, formula, pattern, among, norm, epsilons) -> Iterable[np.ndarray]:
    x, (kernels, biases) = _float(case["x"]), _dense_weights(case)
    W_q, W_k, W_v, W_o = (_float(case[name]) for name in ("W_q", "W_k", "W_v", "W_o"))
    gains = [(_float(case[f"gamma_{i}"]), _float(case[f"beta_{i}"])) for i in (1, 2)]

    def attend(x):
        return oracles.multi_head_attention(x, x, x, W_q, W_k, W_v, W_o)[0]

    for epsilon in epsilons:
        normalise = partial(norm or oracles.layer_norm, epsilon=epsilon)
        norms = [partial(normalise, gamma=gamma, beta=beta) for gamma, beta in gains]
        for activation in among:
            activations = pattern(activation, len(kernels))
            mlp = partial(oracles.mlp, kernels=kernels, biases=biases, activations=activations)
            yield formula(x, attend, mlp, *norms)


def _bare_norm(x, gamma, beta, epsilon) -> np.ndarray:
    return oracles.layer_norm(x, np.ones_like(gamma), np.zeros_like(beta), epsilon)


def _batch_norm(x, gamma, beta, epsilon) -> np.ndarray:
    """Return what batch normalisation gives before it has seen a batch: Keras' mean 0, variance 1."""
    return gamma * x / np.sqrt(1.0 + epsilon) + beta


# Each returns the output (B, N, d) of a block gone wrong, from the same steps as the right one.


def _no_residual(x, attend, mlp, norm_1, norm_2):
    return norm_2(mlp(norm_1(attend(x))))


def _no_attention_residual(x, attend, mlp, norm_1, norm_2):
    x_1 = norm_1(attend(x))
    return norm_2(x_1 + mlp(x_1))


def _no_mlp_residual(x, attend, mlp, norm_1, norm_2):
    return norm_2(mlp(norm_1(x + attend(x))))


def _residual_from_x(x, attend, mlp, norm_1, norm_2):
    return norm_2(x + mlp(norm_1(x + attend(x))))


def _residual_from_sum(x, attend, mlp, norm_1, norm_2):
    total = x + attend(x)
    return norm_2(total + mlp(norm_1(total)))


def _residual_from_attention(x, attend, mlp, norm_1, norm_2):
    attended = attend(x)
    return norm_2(attended + mlp(norm_1(x + attended)))


def _mlp_reads_x(x, attend, mlp, norm_1, norm_2):
    return norm_2(norm_1(x + attend(x)) + mlp(x))


def _mlp_reads_attention(x, attend, mlp, norm_1, norm_2):
    attended = attend(x)
    return norm_2(norm_1(x + attended) + mlp(attended))


def _pre_norm(x, attend, mlp, norm_1, norm_2):
    x_1 = x + attend(norm_1(x))
    return x_1 + mlp(norm_2(x_1))


def _pre_norm_mlp(x, attend, mlp, norm_1, norm_2):
    x_1 = norm_1(x + attend(x))
    return x_1 + mlp(norm_2(x_1))


def _pre_norm_attention(x, attend, mlp, norm_1, norm_2):
    x_1 = x + attend(norm_1(x))
    return norm_2(x_1 + mlp(x_1))


def _norm_of_updates(x, attend, mlp, norm_1, norm_2):
    x_1 = x + norm_1(attend(x))
    return x_1 + norm_2(mlp(x_1))


def _no_first_norm(x, attend, mlp, norm_1, norm_2):
    x_1 = x + attend(x)
    return norm_1(x_1 + mlp(x_1))  # the only one there is


def _no_second_norm(x, attend, mlp, norm_1, norm_2):
    x_1 = norm_1(x + attend(x))
    return x_1 + mlp(x_1)


def _no_norm(x, attend, mlp, norm_1, norm_2):
    x_1 = x + attend(x)
    return x_1 + mlp(x_1)


def _shared_norm(x, attend, mlp, norm_1, norm_2):
    return oracles.transformer_block(x, attend, mlp, norm_1, norm_1)


def _mlp_first(x, attend, mlp, norm_1, norm_2):
    return oracles.transformer_block(x, mlp, attend, norm_1, norm_2)


def _in_parallel(x, attend, mlp, norm_1, norm_2):
    return norm_1(x + attend(x) + mlp(x))


def _attention_unused(x, attend, mlp, norm_1, norm_2):
    return oracles.transformer_block(x, np.zeros_like, mlp, norm_1, norm_2)


def _attention_and_norm_unused(x, attend, mlp, norm_1, norm_2):
    return norm_1(x + mlp(x))


def _mlp_unused(x, attend, mlp, norm_1, norm_2):
    return norm_2(norm_1(x + attend(x)))


def _only_attention_part(x, attend, mlp, norm_1, norm_2):
    return norm_1(x + attend(x))


def _multiplied(x, attend, mlp, norm_1, norm_2):
    x_1 = norm_1(x * attend(x))
    return norm_2(x_1 * mlp(x_1))


def _added_twice(x, attend, mlp, norm_1, norm_2):
    x_1 = norm_1(x + x + attend(x))
    return norm_2(x_1 + x_1 + mlp(x_1))


def _after(activation: Activation):
    return lambda *steps: activation(oracles.transformer_block(*steps))


def _block_mistake(name: str, message: str, *formulas: Callable, **options) -> list[Mistake]:
    return [Mistake(name, message, _block(formula, **options)) for formula in formulas]


def _norm_shape_is_wrong(case: Case, observation: Observation) -> bool:
    of_norms = np.isin(observation["roles"], ("gamma", "beta"))
    width = case["x"].shape[-1]
    return bool(np.any(observation["shapes"][of_norms] != (1, 1, width)))


def _count(observation: Observation, role: str) -> int:
    return int(np.sum(observation["roles"] == role))


PRE_NORM = (
    "You normalise before attention or MLP and add x afterwards: that is pre-norm. This block is "
    "post-norm: add first, then normalise the sum, LN(x + …)."
)
NORM_AXIS = (
    "Your LayerNormalization does not run over the last axis alone. Each token is normalised by "
    "itself, over its own numbers: neither the other tokens nor the batch take part."
)
BLOCK_MISTAKES = [
    ALWAYS_ON,
    NO_WEIGHTS,
    *_block_mistake(
        "residuals missing",
        "Neither part adds its input back: both residual connections are missing. Which path "
        "does the gradient take past attention and MLP?",
        _no_residual,
    ),
    *_block_mistake(
        "attention residual missing",
        "The input x is not added to the output of attention: the first residual connection is "
        "missing.",
        _no_attention_residual,
    ),
    *_block_mistake(
        "MLP residual missing",
        "x₁ is not added to the output of the MLP: the second residual connection is missing.",
        _no_mlp_residual,
    ),
    *_block_mistake(
        "residual from the wrong tensor",
        "Your second residual connection adds the wrong tensor. The MLP's output is added to what "
        "the MLP was given: x₁, the normalised result of the attention part.",
        _residual_from_x,
        _residual_from_sum,
        _residual_from_attention,
    ),
    *_block_mistake(
        "MLP reads the wrong tensor",
        "Your MLP is given the wrong tensor, so that the attention part and its normalisation do "
        "not lead into it. It is to be given x₁.",
        _mlp_reads_x,
        _mlp_reads_attention,
    ),
    *_block_mistake("pre-norm", PRE_NORM, _pre_norm, _pre_norm_mlp, _pre_norm_attention),
    *_block_mistake(
        "normalised before adding",
        "You normalise what attention and MLP give, then add. The sum is to be normalised: LN(x + …).",
        _norm_of_updates,
    ),
    *_block_mistake(
        "first LayerNormalization missing",
        "The sum of x and attention is not normalised: the first LayerNormalization is missing.",
        _no_first_norm,
    ),
    *_block_mistake(
        "second LayerNormalization missing",
        "The sum of x₁ and MLP is not normalised: the second LayerNormalization is missing.",
        _no_second_norm,
    ),
    *_block_mistake(
        "no LayerNormalization", "Neither of the two sums is normalised.", _no_norm
    ),
    *_block_mistake(
        "LayerNormalization shared",
        "Both places share one LayerNormalization. Each has gains and shifts of its own to learn: "
        "make two layers.",
        _shared_norm,
    ),
    *_block_mistake(
        "MLP before attention",
        "Your block runs the MLP first and attention second: it is the other way round.",
        _mlp_first,
    ),
    *_block_mistake(
        "parts in parallel",
        "Attention and MLP both read x, and one sum is normalised. They follow each other: the MLP "
        "works on the result of the attention part.",
        _in_parallel,
    ),
    *_block_mistake(
        "attention unused",
        "The output of attention does not reach the result: is it computed and then forgotten?",
        _attention_unused,
        _attention_and_norm_unused,
    ),
    *_block_mistake(
        "MLP unused",
        "The output of the MLP does not reach the result: is it computed and then forgotten, or is "
        "x₁ returned in place of x₂?",
        _mlp_unused,
        _only_attention_part,
    ),
    *_block_mistake(
        "multiplied, not added",
        "You multiply each part by its input. A residual connection adds the two.",
        _multiplied,
    ),
    *_block_mistake(
        "input added twice",
        "The input of each part is added twice. Does the function that you call add it already?",
        _added_twice,
    ),
    *_block_mistake(
        "non-linearity after the block",
        "A non-linearity acts on the output of the block. The block ends with the second "
        "LayerNormalization.",
        *map(_after, (_relu, oracles.gelu, oracles.softmax, np.tanh, oracles.sigmoid)),
    ),
    *_block_mistake(
        "batch normalisation",
        "Your block uses batch normalisation, which takes mean and variance over all tokens of the "
        "batch. LayerNormalization takes them over the numbers of each token.",
        oracles.transformer_block,
        norm=_batch_norm,
    ),
    *(
        mistake
        for axis in (-2, (-2, -1))
        for mistake in _block_mistake(
            "LayerNormalization axis",
            NORM_AXIS,
            oracles.transformer_block,
            norm=partial(oracles.layer_norm, axis=axis),
        )
    ),
    Mistake("LayerNormalization axis", NORM_AXIS, when(_norm_shape_is_wrong)),
    *_block_mistake(
        "LayerNormalization without gain and shift",
        "Your LayerNormalization has no gain and shift to learn (gamma and beta).",
        oracles.transformer_block,
        norm=_bare_norm,
    ),
    *_block_mistake(
        "MLP ends linear",
        "The last Dense layer of your MLP has no non-linearity: here every layer of the MLP has "
        "one. Call your mlp rather than write it again.",
        oracles.transformer_block,
        pattern=_last_linear,
    ),
    *_block_mistake(
        "no non-linearity",
        NEVER_NON_LINEAR.message,
        oracles.transformer_block,
        among=[_linear],
    ),
    Mistake(
        "attention biases",
        "Your attention has biases. Use your MultiHeadAttention, which has none.",
        when(lambda case, seen: "attention bias" in seen["roles"]),
    ),
    Mistake(
        "attention twice",
        "Your block holds more than one attention layer. Make one, and call it once.",
        when(lambda case, seen: _count(seen, "W_q") > 1),
    ),
    Mistake(
        "attention unused",
        "No attention layer leads to the result: is its output computed and then forgotten?",
        when(lambda case, seen: "kernel" in seen["roles"] and "W_v" not in seen["roles"]),
    ),
    Mistake(
        "MLP unused",
        "No Dense layer leads to the result: is the output of the MLP computed and then forgotten, "
        "or is x₁ returned in place of x₂?",
        when(lambda case, seen: "W_v" in seen["roles"] and "kernel" not in seen["roles"]),
    ),
    NO_BIAS,
    Mistake(
        "too many normalisations",
        "Your block holds more than two normalisations: one after each sum is enough.",
        when(lambda case, seen: _count(seen, "gamma") > 2),
    ),
    Mistake(
        "MLP sizes",
        "The Dense layers of your block do not have the sizes of mlp_units, one layer an entry.",
        when(lambda case, seen: _kernel_shapes(seen) != _expected_shapes(case)),
    ),
]


# Facts about the layers found


def _layers_finding(name: str, pairs: Pairs, mistakes: Sequence[Mistake]) -> Finding:
    """Judge whether all weights were found, none too many, and all of them learn."""
    for case, observation in pairs:
        stopped = problem_finding(name, observation)
        if stopped:
            return stopped
    odd = [(case, observation) for case, observation in pairs if not _all_found(observation)]
    if odd:
        mistake = recognise(mistakes, pairs) or recognise(mistakes, odd)
        message = mistake.message if mistake else _what_was_found(*odd[0])
        return fact(name, False, message, mistake.name if mistake else "", WRONG_VALUE)
    return fact(
        name,
        all(np.all(observation.values.get("reached", True)) for _, observation in pairs),
        "The gradient does not reach all of the weights, so that some cannot learn. Use TensorFlow "
        "operations throughout, and let every layer lead to the result.",
        "gradient cut off",
    )


def _all_found(observation: Observation) -> bool:
    return not observation["missing"].size and bool(np.all(observation["matched"]))


def _what_was_found(case: Case, observation: Observation) -> str:
    shapes = observation["shapes"][~observation["matched"]]
    odd = [f"({', '.join(str(n) for n in shape if n > 1)})" for shape in shapes]
    parts = [f"For {case.describe()}:"]
    if observation["missing"].size:
        parts.append(f"no trainable weight plays the part of {', '.join(observation['missing'])};")
    if odd:
        parts.append(f"weights of shape {', '.join(odd)} were not expected;")
    return " ".join(parts)[:-1] + "."


# Dropout


@dataclass(frozen=True)
class Placement:
    """A way to go wrong with dropout: a name, a message, and the steps that an MLP then takes."""

    name: str
    message: str
    steps: Callable[[int], list[str]]
    rate: Callable[[float], float] = lambda rate: rate
    scaled: bool = True


DENSE, ACTIVATION, DROPOUT = "dense", "activation", "dropout"
LAYER = [DENSE, ACTIVATION, DROPOUT]
NO_DROPOUT = (
    "In training, nothing is dropped. Is there a Dropout layer after each step that needs one?"
)
RATE_IGNORED = "Dropout does not use the dropout_rate it is given."
KEEP_RATE = (
    "Dropout drops what it should keep: in Keras the rate is the part that is dropped, not the "
    "part that stays."
)
NOT_SCALED = (
    "What dropout keeps is not scaled up by 1/(1 − rate), so that training and inference see "
    "numbers of different size. Keras' Dropout does it for you."
)
ROWS = (
    "Dropout drops whole rows or columns together. Each number is dropped by itself: no noise_shape."
)
PLACEMENTS = [
    Placement("no dropout", NO_DROPOUT, lambda depth: LAYER[:2] * depth),
    Placement(
        "dropout after the last layer only",
        "Only your last layer is followed by dropout. Every layer is: put it inside the loop.",
        lambda depth: LAYER[:2] * depth + [DROPOUT],
    ),
    Placement(
        "no dropout after the last layer",
        "Your last layer is not followed by dropout; every layer is.",
        lambda depth: (LAYER * depth)[:-1],
    ),
    Placement(
        "dropout before Dense",
        "Your dropout comes before the Dense layer: the order is Dense, non-linearity, dropout.",
        lambda depth: [DROPOUT, DENSE, ACTIVATION] * depth,
    ),
    Placement(
        "dropout before the non-linearity",
        "Your dropout comes before the non-linearity: the order is Dense, non-linearity, dropout.",
        lambda depth: [DENSE, DROPOUT, ACTIVATION] * depth,
    ),
    Placement(
        "keep rate for drop rate", KEEP_RATE, lambda depth: LAYER * depth, lambda rate: 1 - rate
    ),
    Placement("not scaled", NOT_SCALED, lambda depth: LAYER * depth, scaled=False),
    *(
        Placement("rate ignored", RATE_IGNORED, lambda depth: LAYER * depth, lambda rate, r=r: r)
        for r in (0.1, 0.2, 0.25, 0.4, 0.5)
    ),
]


def _dropout_finding(name: str, pairs: Pairs, mistake_of: Callable, share: float) -> Finding:
    """Judge that inference is repeatable, and training as the rate says."""
    for case, observation in pairs:
        stopped = problem_finding(name, observation, share)
        if stopped:
            return stopped
        if not _repeatable(observation):
            return fact(name, False, ALWAYS_ON.message, ALWAYS_ON.name, share=share)
        found = mistake_of(case, observation)
        if found:
            mistake, message = found
            return fact(name, False, message, mistake, share=share)
    return fact(name, True, "", share=share)


def _repeatable(observation: Observation) -> bool:
    first, again = observation["output"], observation["output_again"]
    return bool(np.allclose(first, again, rtol=1e-4, atol=1e-5, equal_nan=True))


def _mlp_dropout_mistake(case: Case, observation: Observation) -> tuple[str, str] | None:
    """Return name and message of what is wrong with dropout in one case, or None."""
    if case.stage == "rate 0":
        same = agrees(observation["output_in_training"], observation["output"], 1, MLP_DEPTH)
        return None if same else ("rate ignored", RATE_IGNORED)
    activations = _activations_seen(case, observation)
    if activations is None:
        return "", "Dropout can be judged once the output at inference is right."
    observed = observation["output_in_training"][..., : _chain_width(case)]
    branches_of = partial(_mlp_branches, case, observation, activations)
    right = branches_of(LAYER * len(activations), case["dropout_rate"])
    taken = branch_of_each(observed, right)
    if taken is not None:
        return _frequency_mistake(taken, [right])
    for wrong in PLACEMENTS:
        steps, rate = wrong.steps(len(activations)), wrong.rate(case["dropout_rate"])
        if branch_of_each(observed, branches_of(steps, rate, wrong.scaled)) is not None:
            return wrong.name, wrong.message
    return "", (
        "In training, each number after a layer is either dropped (it becomes 0) or kept and "
        f"divided by 1 − {case['dropout_rate']}; yours are something else."
    )


def _frequency_mistake(taken, alternatives: Sequence[Sequence[Branch]]) -> tuple[str, str] | None:
    if constant_along_an_axis(taken):
        return "whole rows dropped", ROWS
    if any(as_frequent_as_expected(taken, branches) for branches in alternatives):
        return None
    return "rate ignored", (
        "Dropout does not drop as many numbers as its rate says, and yet scales the others by it."
    )


def _mlp_branches(case, observation, activations, steps, rate, scaled=True) -> list[Branch]:
    """Return what the entries may become on their way through the steps (B, N, chain width)."""
    width = _chain_width(case)
    x = _float(case["x"][..., :width])
    remaining = iter(zip(_biases_found(case, observation), activations, strict=True))
    branches: list[Branch] = [(x, 1.0)]
    activation: Activation = _linear
    for step in steps:
        if step == DROPOUT:
            branches = dropped(branches, rate, scaled)
        elif step == DENSE:
            bias, activation = next(remaining)
            branches = [(values + bias[:width], p) for values, p in branches]
        else:
            branches = [(activation(values), p) for values, p in branches]
    return branches


def _activations_seen(case: Case, observation: Observation) -> list[Activation] | None:
    """Return the non-linearities, right or wrong, that explain the output at inference."""
    depth = len(_expected_shapes(case))
    observed = observation["output"][..., : _chain_width(case)]
    for pattern in (_everywhere, _last_linear):
        for activation in [*ACCEPTED, *SATURATING, _linear]:
            activations = pattern(activation, depth)
            [(values, _)] = _mlp_branches(case, observation, activations, LAYER[:2] * depth, 0.0)
            if agrees(observed, values, case.longest_axis, MLP_DEPTH):
                return activations
    return None


def _biases_found(case: Case, observation: Observation) -> list[np.ndarray]:
    return [
        bias * (f"bias_{i}" not in observation["missing"])
        for i, bias in enumerate(_dense_weights(case)[1], start=1)
    ]


def _chain_width(case: Case) -> int:
    """Return how many columns go straight from input to output of a training case."""
    return min(min(shape) for shape in _expected_shapes(case))


def _block_dropout_mistake(case: Case, observation: Observation) -> tuple[str, str] | None:
    """Return name and message of what is wrong with dropout in one case, or None."""
    if not _all_found(observation):
        return "", "Dropout can be judged once the layers of the block are as expected."
    found = _block_dropout_unlike_expected(case, observation)
    expected = _right_block(case, observation)["output"]
    if found and not agrees(observation["output"], expected, case.longest_axis, BLOCK_DEPTH):
        return "", "Dropout can be judged once the output at inference is right."
    return found


def _block_dropout_unlike_expected(case: Case, observation: Observation):
    if not _same_in_training(observation, "neither"):
        return "dropout on the residual", (
            "In training, x itself is dropped in places, not only what attention and MLP add to "
            "it. Dropout acts on their outputs, before x is added: x keeps its free passage."
        )
    rate = DEFAULT_RATE if case["dropout_rate"] is None else case["dropout_rate"]
    if all(_same_in_training(observation, part) for part in ("attention", "mlp")):
        return "no dropout", NO_DROPOUT
    x = _float(case["x"])
    x_1 = oracles.layer_norm(x, 1.0, 0.0)
    return _update_mistake(observation, "attention", x, rate, 1) or _update_mistake(
        observation, "mlp", x_1, rate, 2
    )


def _update_mistake(observation, part: str, base, rate: float, times: int):
    """Judge the dropout on what one part adds to `base`: dropout of that rate, so many times."""
    label = {"attention": "attention", "mlp": "the MLP"}[part]
    update = _update(observation[f"{part}_alone"], base)
    observed = _update(observation[f"{part}_alone_in_training"], base)
    if not np.all(np.abs(update) > 0.05):  # false where nothing is added, or a NaN came
        return "", f"Dropout on the output of {label} can be judged once inference is right."
    right = _block_branches(update, rate, times)
    taken = branch_of_each(observed, right)
    if taken is not None:
        one_seed = [(values, p) for (values, _), (_, p) in zip(right, _block_branches(update, rate, 1))]
        return _frequency_mistake(taken, [right, one_seed])
    for n in range(times):
        if branch_of_each(observed, _block_branches(update, rate, n)) is not None:
            return f"no dropout after {label}", _missing_dropout(label, n)
    for name, message, wrong_rate, scaled in (
        ("keep rate for drop rate", KEEP_RATE, 1 - rate, True),
        ("not scaled", NOT_SCALED, rate, False),
        *(("rate ignored", RATE_IGNORED, r, True) for r in (0.1, 0.2, 0.25, 0.3, 0.4, 0.5)),
    ):
        branches = [_block_branches(update, wrong_rate, n, scaled) for n in range(1, times + 1)]
        if any(branch_of_each(observed, b) is not None for b in branches):
            return name, message
    return "", (
        f"In training, each number that {label} adds is either dropped (it becomes 0) or kept and "
        f"scaled up by 1/(1 − {rate}); yours are something else."
    )


def _missing_dropout(label: str, found: int) -> str:
    if found == 0:
        return f"In training, nothing of the output of {label} is dropped before it is added."
    return (
        "The output of the MLP passes only one dropout: your mlp ends with one of its own, and the "
        "block has another on all that the MLP gives."
    )


def _block_branches(update: np.ndarray, rate: float, times: int, scaled: bool = True):
    branches: list[Branch] = [(update, 1.0)]
    for _ in range(times):
        branches = dropped(branches, rate, scaled)
    return branches


def _update(normalised: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Return what was added to `base` (B, N, d) before each row was shifted and scaled.

    Nothing is added to the two anchor columns, so they tell by how much; (B, N, d − 2).
    """
    z = _float(normalised)
    with np.errstate(all="ignore"):
        scale = (base[..., 0] - base[..., 1]) / (z[..., 0] - z[..., 1])  # (B, N)
        total = base[..., :1] + (z - z[..., :1]) * scale[..., None]
    return (total - base)[..., ANCHORS:]


def _same_in_training(observation: Observation, part: str) -> bool:
    here, there = observation[f"{part}_alone"], observation[f"{part}_alone_in_training"]
    return bool(np.allclose(here, there, rtol=1e-4, atol=1e-4))


def _closest(candidates: Iterable[np.ndarray], observed: np.ndarray) -> np.ndarray:
    """Return the first candidate that is as good as equal or, failing that, the nearest."""
    nearest, smallest = None, np.inf
    for candidate in candidates:
        if candidate.shape != observed.shape:
            return candidate
        distance = float(np.abs(candidate - observed).max())
        if nearest is None or distance < smallest:
            nearest, smallest = candidate, distance
        if smallest <= 5e-6:
            break
    return nearest


def _float(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64)

"""The mistakes that people make with the MLP and the block, each as what it computes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.judging import Mistake, when
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.transformer.formulas import (
    SATURATING,
    Activation,
    Formula,
    activation_first,
    bare_norm,
    batch_norm,
    bias_last,
    block_oracle,
    everywhere,
    expected_shapes,
    first_only,
    kernel_shapes,
    last_linear,
    linear,
    mlp_oracle,
    relu,
    repeatable,
)

Condition = Callable[[Case, Observation], bool]


def _sizes_are(order: Callable[[list[int]], list[int]]) -> Condition:
    """Return the condition that the layers have the sizes of hidden_units in the wrong order."""

    def condition(case: Case, observation: Observation) -> bool:
        shapes = expected_shapes(case)
        sizes = order([d_out for _, d_out in shapes])
        d_in = [shapes[0][0], *sizes[:-1]]
        return len(shapes) > 1 and kernel_shapes(observation) == list(zip(d_in, sizes, strict=True))

    return condition


def _mixes_tokens(case: Case, observation: Observation) -> bool:
    width, shapes = case["x"].shape[-1], kernel_shapes(observation)
    return bool(shapes) and shapes[0][0] % case["x"].shape[1] == 0 and shapes[0][0] != width


def _several(condition: Condition) -> Condition:
    """Return the condition that all cases of several layers fulfil, others being no evidence."""
    return lambda case, observation: len(expected_shapes(case)) == 1 or condition(case, observation)


ALWAYS_ON = Mistake(
    "dropout always on",
    "The same input gives another result each time, although the model is not training. Dropout "
    "belongs to training alone: use the Dropout layer, and leave the switch to Keras.",
    when(lambda case, seen: not repeatable(seen)),
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
    mlp_oracle(everywhere, [linear]),
)
MLP_MISTAKES = [
    ALWAYS_ON,
    NEVER_NON_LINEAR,
    Mistake(
        "last layer linear",
        "Your last Dense layer has no non-linearity. Here every layer has one, the last one too.",
        mlp_oracle(last_linear),
    ),
    Mistake(
        "only the first layer non-linear",
        "Only your first Dense layer has a non-linearity; every layer has one.",
        mlp_oracle(first_only),
    ),
    Mistake(
        "softmax as non-linearity",
        "Your layers end in a softmax, which makes the units of a token compete. The non-linearity "
        "here acts on each number by itself, as GELU does.",
        mlp_oracle(everywhere, [oracles.softmax]),
    ),
    Mistake(
        "saturating non-linearity",
        "Your non-linearity is a sigmoid or a tanh, which flatten out for large inputs, and the "
        "gradient with them. Use GELU.",
        mlp_oracle(everywhere, SATURATING),
    ),
    Mistake(
        "non-linearity before Dense",
        "Your non-linearity comes before the Dense layer. The order is Dense, then non-linearity.",
        mlp_oracle(everywhere, formula=activation_first),
    ),
    Mistake(
        "bias after the non-linearity",
        "Your bias is added after the non-linearity; it belongs to the Dense layer, before it.",
        mlp_oracle(everywhere, formula=bias_last),
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
                lambda case, seen: (
                    _sizes_are(lambda s: [s[0]] * len(s))(case, seen)
                    or _sizes_are(lambda s: [s[-1]] * len(s))(case, seen)
                )
            )
        ),
    ),
    Mistake(
        "too few layers",
        "You have fewer Dense layers than hidden_units has entries. Does your loop reach the last?",
        when(_several(lambda case, seen: len(kernel_shapes(seen)) < len(expected_shapes(case)))),
    ),
    Mistake(
        "too many layers",
        "You have more Dense layers than hidden_units has entries.",
        when(lambda case, seen: len(kernel_shapes(seen)) > len(expected_shapes(case))),
    ),
]


# Each returns the output (B, N, d) of a block gone wrong, from the same steps as the right one.


def no_residual(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return norm_2(mlp(norm_1(attend(x))))


def _no_attention_residual(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    x_1 = norm_1(attend(x))
    return norm_2(x_1 + mlp(x_1))


def _no_mlp_residual(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return norm_2(mlp(norm_1(x + attend(x))))


def _residual_from_x(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return norm_2(x + mlp(norm_1(x + attend(x))))


def _residual_from_sum(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    total = x + attend(x)
    return norm_2(total + mlp(norm_1(total)))


def _residual_from_attention(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    attended = attend(x)
    return norm_2(attended + mlp(norm_1(x + attended)))


def _mlp_reads_x(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return norm_2(norm_1(x + attend(x)) + mlp(x))


def _mlp_reads_attention(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    attended = attend(x)
    return norm_2(norm_1(x + attended) + mlp(attended))


def pre_norm(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    x_1 = x + attend(norm_1(x))
    return x_1 + mlp(norm_2(x_1))


def _pre_norm_mlp(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    x_1 = norm_1(x + attend(x))
    return x_1 + mlp(norm_2(x_1))


def _pre_norm_attention(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    x_1 = x + attend(norm_1(x))
    return norm_2(x_1 + mlp(x_1))


def _norm_of_updates(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    x_1 = x + norm_1(attend(x))
    return x_1 + norm_2(mlp(x_1))


def _no_first_norm(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    x_1 = x + attend(x)
    return norm_1(x_1 + mlp(x_1))  # the only one there is


def _no_second_norm(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    x_1 = norm_1(x + attend(x))
    return x_1 + mlp(x_1)


def _no_norm(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    x_1 = x + attend(x)
    return x_1 + mlp(x_1)


def _shared_norm(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return oracles.transformer_block(x, attend, mlp, norm_1, norm_1)


def _mlp_first(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return oracles.transformer_block(x, mlp, attend, norm_1, norm_2)


def _in_parallel(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return norm_1(x + attend(x) + mlp(x))


def _attention_unused(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return oracles.transformer_block(x, np.zeros_like, mlp, norm_1, norm_2)


def _attention_and_norm_unused(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return norm_1(x + mlp(x))


def _mlp_unused(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return norm_2(norm_1(x + attend(x)))


def _only_attention_part(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    return norm_1(x + attend(x))


def _multiplied(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    x_1 = norm_1(x * attend(x))
    return norm_2(x_1 * mlp(x_1))


def _added_twice(
    x: np.ndarray, attend: Activation, mlp: Activation, norm_1: Activation, norm_2: Activation
) -> np.ndarray:
    x_1 = norm_1(x + x + attend(x))
    return norm_2(x_1 + x_1 + mlp(x_1))


def _after(activation: Activation) -> Formula:
    return lambda *steps: activation(oracles.transformer_block(*steps))


def _block_mistake(name: str, message: str, *formulas: Callable, **options: Any) -> list[Mistake]:
    return [Mistake(name, message, block_oracle(formula, **options)) for formula in formulas]


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
AFTER_THE_BLOCK: list[Activation] = [
    relu,
    oracles.gelu,
    oracles.softmax,
    np.tanh,
    oracles.sigmoid,
]
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
        no_residual,
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
    *_block_mistake("pre-norm", PRE_NORM, pre_norm, _pre_norm_mlp, _pre_norm_attention),
    *_block_mistake(
        "normalised before adding",
        "You normalise what attention and MLP give, then add. Normalise the sum: LN(x + …).",
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
    *_block_mistake("no LayerNormalization", "Neither of the two sums is normalised.", _no_norm),
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
        *(_after(activation) for activation in AFTER_THE_BLOCK),
    ),
    *_block_mistake(
        "batch normalisation",
        "Your block uses batch normalisation, which takes mean and variance over all tokens of the "
        "batch. LayerNormalization takes them over the numbers of each token.",
        oracles.transformer_block,
        norm=batch_norm,
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
        norm=bare_norm,
    ),
    *_block_mistake(
        "MLP ends linear",
        "The last Dense layer of your MLP has no non-linearity: here every layer of the MLP has "
        "one. Call your mlp rather than write it again.",
        oracles.transformer_block,
        pattern=last_linear,
    ),
    *_block_mistake(
        "no non-linearity",
        NEVER_NON_LINEAR.message,
        oracles.transformer_block,
        among=[linear],
    ),
    Mistake(
        "attention biases",
        "Your attention has biases. Use your MultiHeadAttention, which has none.",
        when(lambda case, seen: "attention bias" in seen["roles"]),
    ),
    Mistake(
        "attention sizes",
        "Your attention layer has not the sizes asked for: num_heads heads, each of the width "
        "proj_dim. What does your block hand to MultiHeadAttention, and in which order?",
        when(lambda case, seen: "W_q" in seen["roles"] and "W_q" in seen["missing"]),
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
        when(lambda case, seen: kernel_shapes(seen) != expected_shapes(case)),
    ),
]

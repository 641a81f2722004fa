"""Judge the pre-norm Vision Transformer: its logits with known weights, and what it is made of.

The attention is the check's own: each token becomes a known mixture of all.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.attention_variants import formulas
from utilities.checks.attention_variants.formulas import Array
from utilities.checks.core import oracles
from utilities.checks.core.report import Finding
from utilities.checks.judging import (
    Mistake,
    Oracle,
    Stage,
    Values,
    agrees,
    fact,
    judge_stages,
    problem_finding,
    recognise,
    when,
)
from utilities.checks.kernel.case import WRONG_SHAPE, WRONG_VALUE, Case, Observation
from utilities.checks.transformer.formulas import ACCEPTED, MIXED

Pairs = Sequence[tuple[Case, Observation]]
Block = Callable[[Array, Callable, Callable, Callable], Array]  # (x, attention, mlp, norm) → x
DEPTH = 8  # residuals are not normalised again before the last layers
EPSILONS = (1e-6, 1e-3, 1e-5)  # of layer normalisations that do not tell theirs

LOGITS = "a tf_keras.Model with one logit for each class"
COUNTED = "it has as many weights as tokens, blocks and head need"
ATTENTIONS = "make_attention is called once for each block"
NOT_PROBABILITIES = "the result is logits, not probabilities"
DROPS = "dropout in training only, in the blocks and in the head at their own rates"
AUGMENTS = "data_augmentation works in training, and only there"
LEARNS = "the gradient reaches every weight"

STAGES = [
    Stage("no blocks", "without blocks: tokens, LayerNorm, then the head on all of them"),
    Stage("one block", "one pre-norm block between them", 2.0),
    Stage("blocks", "several blocks, on images as the augmentation leaves them", 2.0),
]


def attention_vit(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge shape and number of weights, the logits stage by stage, then what they react to."""
    pairs = list(zip(cases, observations, strict=True))
    counted = _counted(pairs)
    mistakes = MISTAKES + [m for m in MISCOUNTS if m.name == counted.mistake]
    values = judge_stages(cases, observations, STAGES, _right, mistakes, DEPTH)
    return [
        _one_logit_per_class(pairs),
        counted,
        *values,
        _attentions(pairs),
        _logits_not_squashed(pairs),
        _dropout(pairs),
        _augmentation(pairs),
        _gradients(pairs),
    ]


# --- the logits ------------------------------------------------------------------------------


def _right(case: Case, seen: Observation) -> Values:
    """Return the logits with the non-linearity and epsilon that the model has, any usual one."""
    for head_activation in (None, *MIXED):
        for logits in _candidates(case, seen, ACCEPTED, head_activation=head_activation):
            if agrees(seen["output"], logits, case.longest_axis, DEPTH):
                return {"output": logits}
    return {"output": next(_candidates(case, seen, ACCEPTED))}


def _candidates(
    case: Case, seen: Observation, activations: Sequence[Callable], **ways: Any
) -> Iterator[Array]:
    for epsilon in seen["epsilons"] if seen["epsilons"].size else EPSILONS:
        for activation in activations:
            yield _logits(case, activation, float(epsilon), **ways)


def _logits(
    case: Case,
    activation: Callable,
    epsilon: float,
    block: Block = formulas.pre_norm_block,
    last_norm: bool = True,
    positions: bool = True,
    mirrored: bool = False,
    chained: bool = True,
    head_activation: Callable | None = None,
    mlp_activations: Callable[[Callable, int], list[Callable]] = lambda a, n: [a] * n,
    read: Callable[[Array], Array] = lambda tokens: tokens.reshape(len(tokens), -1),
) -> Array:
    """Return the logits (B, num_classes) with the case's weights, or of a model gone wrong."""
    weights = {name: np.asarray(case[name], np.float64) for name in case.unsaid}
    images = _augmented(case, mirrored)
    shift = weights["bias_width"]
    norm = partial(oracles.layer_norm, gamma=1.0, beta=shift, epsilon=epsilon)
    x = oracles.patches(images, case["patch_size"]) @ weights["patch_kernel"] + shift  # (B, N, d)
    x = x + weights["positions"] if positions else x

    def mlp(x: Array) -> Array:
        kernels, biases = _dense(weights, "mlp")
        return oracles.mlp(x, kernels, biases, mlp_activations(activation, len(kernels)))

    def attention(x: Array) -> Array:
        return np.einsum("mn,bnd->bmd", weights["mixing"], x)

    layers = case["transformer_layers"]
    for _ in range(layers if chained else min(layers, 1)):
        x = block(x, attention, mlp, norm)
    kernels, biases = _dense(weights, "head")
    hidden = [head_activation or activation] * (len(kernels) - 1)
    return oracles.mlp(read(norm(x) if last_norm else x), kernels, biases, [*hidden, _identity])


def _augmented(case: Case, mirrored: bool) -> Array:
    """Return the images (B, H, W, C) as the check's augmentation leaves them."""
    images = case["images"].astype(np.float64)
    if case.stage != "blocks":
        return images
    doubled = images.repeat(2, axis=1).repeat(2, axis=2)
    return doubled[:, :, ::-1] if mirrored else doubled


def _dense(weights: dict[str, Array], part: str) -> tuple[list[Array], list[Array]]:
    """Return kernels and biases of the Dense layers of a part, in order."""
    count = sum(name.startswith(f"{part}_kernel_") for name in weights)
    layers = range(1, count + 1)
    kernels = [weights[f"{part}_kernel_{i}"] for i in layers]
    return kernels, [weights[f"{part}_bias_{i}"] for i in layers]


def _identity(x: Array) -> Array:
    return x


def _wrong(finish: Callable[[Array], Array] = _identity, **ways: Any) -> Oracle:
    """Return the oracle of a model that goes wrong in the given ways."""

    def oracle(case: Case, seen: Observation) -> Values:
        outputs = [finish(logits) for logits in _candidates(case, seen, ACCEPTED[:2], **ways)]
        fitting = (o for o in outputs if agrees(seen["output"], o, case.longest_axis, DEPTH))
        return {"output": next(fitting, outputs[0])}

    return oracle


# Blocks gone wrong, from the same steps as the right one.


def _post_norm(x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step) -> Array:
    x = norm(x + attention(x))
    return norm(x + mlp(x))


def _no_residuals(x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step) -> Array:
    return mlp(norm(attention(norm(x))))


def _no_attention_residual(
    x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step
) -> Array:
    x = attention(norm(x))
    return x + mlp(norm(x))


def _no_mlp_residual(x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step) -> Array:
    return mlp(norm(x + attention(norm(x))))


def _residual_of_normalised(
    x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step
) -> Array:
    x = norm(x)
    x = norm(x + attention(x))
    return x + mlp(x)


def _attention_of_normalised(
    x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step
) -> Array:
    x = norm(x)
    x = x + attention(x)
    return x + mlp(norm(x))


def _mlp_of_normalised(
    x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step
) -> Array:
    x = norm(x + attention(norm(x)))
    return x + mlp(x)


def _first_residual_twice(
    x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step
) -> Array:
    return x + mlp(norm(x + attention(norm(x))))


def _parallel(x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step) -> Array:
    return x + attention(norm(x)) + mlp(norm(x))


def _mlp_first(x: Array, attention: oracles.Step, mlp: oracles.Step, norm: oracles.Step) -> Array:
    x = x + mlp(norm(x))
    return x + attention(norm(x))


_NORMALISED = (
    "Your residual adds the normalised tokens. It adds x as it came: the normalised tokens go only "
    "into attention or MLP, so that there is a path without any normalisation from first to last."
)
_RESIDUAL = "What attention and MLP give is added to what came into the block, each for itself: "
MISTAKES = [
    Mistake(
        "post-norm",
        "Your blocks normalise after the sum. Here they normalise before attention and before the "
        "MLP, and what is added is x itself.",
        _wrong(block=_post_norm),
    ),
    Mistake("no residuals", f"{_RESIDUAL}both sums are missing.", _wrong(block=_no_residuals)),
    Mistake(
        "attention residual missing",
        f"{_RESIDUAL}the sum after attention is missing.",
        _wrong(block=_no_attention_residual),
    ),
    Mistake(
        "MLP residual missing",
        f"{_RESIDUAL}the sum after the MLP is missing.",
        _wrong(block=_no_mlp_residual),
    ),
    Mistake("normalised tokens added", _NORMALISED, _wrong(block=_residual_of_normalised)),
    Mistake("normalised tokens added", _NORMALISED, _wrong(block=_attention_of_normalised)),
    Mistake("normalised tokens added", _NORMALISED, _wrong(block=_mlp_of_normalised)),
    Mistake(
        "first sum lost",
        "Your second sum adds the tokens that came into the block, so what attention did reaches "
        "the output only through the MLP. Add what the first sum gave.",
        _wrong(block=_first_residual_twice),
    ),
    Mistake(
        "attention and MLP side by side",
        "Your MLP reads the tokens that came into the block. It reads what attention has added to.",
        _wrong(block=_parallel),
    ),
    Mistake(
        "MLP before attention",
        "Your MLP comes before attention; it is the other way round.",
        _wrong(block=_mlp_first),
    ),
    Mistake(
        "last normalisation missing",
        "After the last block the tokens are normalised once more, before the head.",
        _wrong(last_norm=False),
    ),
    Mistake(
        "positions missing",
        "Your tokens carry no positions.",
        _wrong(positions=False),
    ),
    Mistake(
        "blocks not chained",
        "Your blocks do not follow each other: each one reads the tokens that the first one read.",
        _wrong(chained=False),
    ),
    Mistake(
        "augmentation always on",
        "Your images are augmented at inference as in training. Call the layer on the images and "
        "leave it to Keras to tell it when the model trains.",
        _wrong(mirrored=True),
    ),
    Mistake(
        "softmax in the model",
        "Your model ends in a softmax. The loss takes logits: end in a Dense layer without activation.",
        _wrong(oracles.softmax),
    ),
    Mistake(
        "non-linearity after the last layer",
        "Your last Dense layer has a non-linearity. Logits may be any number: leave it out there.",
        _wrong(lambda logits: np.maximum(logits, 0.0)),
    ),
    Mistake(
        "non-linearity after the last layer",
        "Your last Dense layer has a non-linearity. Logits may be any number: leave it out there.",
        _wrong(oracles.gelu),
    ),
    Mistake(
        "MLP without non-linearity",
        "The Dense layers of your blocks' MLP have no non-linearity: together they are one linear map.",
        _wrong(mlp_activations=lambda activation, n: [_identity] * n),
    ),
    Mistake(
        "last layer of the MLP linear",
        "In your blocks' MLP the last Dense layer has no non-linearity. In this model every entry of "
        "mlp_units is a Dense layer with GELU.",
        _wrong(mlp_activations=lambda activation, n: [activation] * (n - 1) + [_identity]),
    ),
    Mistake(
        "head without non-linearity",
        "Your head's hidden layers have no non-linearity: together they are one linear map.",
        _wrong(head_activation=_identity),
    ),
]

# --- the number of weights -------------------------------------------------------------------


def _count(case: Case, **others: Any) -> int:
    """Return the number of weights of the case's model, or of one with other sizes."""
    sizes = {
        "patch_values": len(case["patch_kernel"]),
        "num_patches": len(case["positions"]),
        "width": case["embedding_proj_dim"],
        "layers": case["transformer_layers"],
        "mlp_units": tuple(int(n) for n in case["mlp_units"]),
        "head_units": tuple(int(n) for n in case["head_units"]),
        "num_classes": case["num_classes"],
    }
    return formulas.vit_parameter_count(**{**sizes, **others})


def _has(count: Callable[[Case], int]) -> Oracle:
    """Return the oracle that fits where the model has that number of weights."""
    return when(lambda case, seen: int(seen["parameter_count"]) == count(case))


def _less(norms: Callable[[int], int]) -> Oracle:
    """Return the oracle of a model that lacks so many normalisations, given its blocks."""
    return _has(lambda c: _count(c) - 2 * c["embedding_proj_dim"] * norms(c["transformer_layers"]))


def _pooled(case: Case) -> int:
    further = (len(case["positions"]) - 1) * case["embedding_proj_dim"]
    return _count(case) - further * int(case["head_units"][0])


_BLOCKS = "Your model has not as many blocks as transformer_layers says."
_HEAD = "Your head does not have one hidden layer for each entry of head_units."
MISCOUNTS = [
    Mistake(
        "one attention for all blocks",
        "All your blocks share one attention. Call make_attention anew in each turn of the loop.",
        _has(lambda c: _count(c) - max(c["transformer_layers"] - 1, 0)),
    ),
    Mistake(
        "one block only",
        "However many blocks are asked for, your model has the weights of one. Make new layers in "
        "each turn of the loop.",
        _has(lambda c: _count(c, layers=min(c["transformer_layers"], 1))),
    ),
    Mistake(
        "wrong number of blocks", _BLOCKS, _has(lambda c: _count(c, layers=c["transformer_layers"] + 1))
    ),
    Mistake(
        "wrong number of blocks",
        _BLOCKS,
        _has(lambda c: _count(c, layers=max(c["transformer_layers"] - 1, 0))),
    ),
    Mistake("wrong number of blocks", _BLOCKS, _has(lambda c: _count(c, layers=0))),
    Mistake(
        "attention missing",
        "Your model has no weights of attention: is what make_attention returns called on the tokens?",
        _has(lambda c: _count(c, attention=0)),
    ),
    Mistake(
        "normalisation missing in the blocks",
        "Your blocks have one layer normalisation in place of two, or share one: attention and MLP "
        "each have their own.",
        _less(lambda layers: layers),
    ),
    Mistake(
        "normalisation missing in the blocks",
        "Your blocks have no layer normalisation: attention and MLP each have their own.",
        _less(lambda layers: 2 * layers),
    ),
    Mistake(
        "last normalisation missing",
        "After the last block the tokens are normalised once more, before the head.",
        _less(lambda layers: 1),
    ),
    Mistake(
        "positions missing",
        "Your model has no trained positions.",
        _has(lambda c: _count(c) - c["positions"].size),
    ),
    Mistake(
        "tokens averaged",
        "Your head reads one vector of width d, as a mean over the tokens or one token alone. In "
        "this model it reads all tokens, flattened.",
        _has(_pooled),
    ),
    Mistake("hidden layers of the head missing", _HEAD, _has(lambda c: _count(c, head_units=()))),
    Mistake(
        "hidden layers of the head missing",
        _HEAD,
        _has(lambda c: _count(c, head_units=tuple(int(n) for n in c["head_units"][:1]))),
    ),
    Mistake(
        "MLP missing",
        "Your blocks have no MLP.",
        _has(lambda c: _count(c, mlp_units=())),
    ),
    Mistake(
        "MLP widths ignored",
        "The MLPs of your blocks do not have the widths mlp_units says.",
        _has(lambda c: _count(c, mlp_units=(2 * c["embedding_proj_dim"], c["embedding_proj_dim"]))),
    ),
]


def _counted(pairs: Pairs) -> Finding:
    stopped = _stopped(COUNTED, pairs, 2.0)
    if stopped:
        return stopped
    wrong = [pair for pair in pairs if int(pair[1]["parameter_count"]) != _count(pair[0])]
    if not wrong:
        return Finding(COUNTED, True, share=2.0)
    mistake = recognise(MISCOUNTS, wrong)
    case, seen = wrong[0]
    difference = (
        f"With transformer_layers = {case['transformer_layers']} and tokens of width "
        f"{case['embedding_proj_dim']} your model has {int(seen['parameter_count']):,} trainable "
        f"numbers; {_count(case):,} are expected."
    )
    if mistake is None:
        return Finding(COUNTED, False, difference, kind=WRONG_VALUE, share=2.0)
    return Finding(COUNTED, False, mistake.message, mistake.name, WRONG_VALUE, difference, 2.0)


# --- what it is made of and reacts to --------------------------------------------------------


def _one_logit_per_class(pairs: Pairs) -> Finding:
    stopped = _stopped(LOGITS, pairs)
    if stopped:
        return stopped
    for case, seen in pairs:
        expected, came = (len(case["images"]), case["num_classes"]), seen["output"].shape
        if came != expected:
            message = (
                f"For {expected[0]} images of {expected[1]} classes your model gives {came}; "
                f"{expected} is expected."
            )
            return fact(LOGITS, False, message, kind=WRONG_SHAPE)
    return Finding(LOGITS, True)


def _attentions(pairs: Pairs) -> Finding:
    stopped = _stopped(ATTENTIONS, pairs)
    if stopped:
        return stopped
    wrong = [p for p in pairs if int(p[1]["attentions_made"]) != p[0]["transformer_layers"]]
    if not wrong:
        return Finding(ATTENTIONS, True)
    case, seen = wrong[-1]
    made = int(seen["attentions_made"])
    return fact(
        ATTENTIONS,
        False,
        f"For {case['transformer_layers']} blocks you call make_attention {made} times. Each block "
        "has an attention of its own, made when the block is made.",
        "one attention for all blocks" if made == 1 else "attentions not one a block",
    )


def _logits_not_squashed(pairs: Pairs) -> Finding:
    stopped = _stopped(NOT_PROBABILITIES, pairs)
    linear = stopped or all(
        agrees(seen["output_of_scaled"], 3.0 * seen["output"], case.longest_axis, DEPTH)
        for case, seen in pairs
    )
    return stopped or fact(
        NOT_PROBABILITIES,
        bool(linear),
        "Three times the weights of the last Dense layer should give three times the result. Yours "
        "is squashed, as by a softmax. The loss takes logits: end in a Dense layer without activation.",
        "logits squashed",
    )


def _dropout(pairs: Pairs) -> Finding:
    stopped = _stopped(DROPS, pairs)
    if stopped:
        return stopped
    if not all(_same(pair, "again", "output") for pair in pairs):
        return fact(
            DROPS,
            False,
            "The same images give other logits each time, although the model is not training. "
            "Dropout belongs to training alone: leave the switch to Keras.",
            "dropout always on",
        )
    idle = [
        name
        for stage, name in (("no blocks", "head_dropout_rate"), ("one block", "dropout_rate"))
        if any(p[0].stage == stage and _same(p, "in_training", "output") for p in pairs)
    ]
    return fact(
        DROPS,
        not idle,
        f"In training, {' and '.join(idle)} does nothing where it should. Give each rate to the part "
        "that it is named after: head_dropout_rate to the head, dropout_rate to the blocks' MLPs.",
        "dropout rates swapped or unused",
    )


def _augmentation(pairs: Pairs) -> Finding:
    pairs = [pair for pair in pairs if pair[0].stage == "blocks"]
    stopped = _stopped(AUGMENTS, pairs)
    if stopped:
        return stopped
    if all(_fits_mirrored(*pair) for pair in pairs):
        return Finding(AUGMENTS, True)
    if any(_same(pair, "in_training", "output") for pair in pairs):
        message = (
            "In training your model gives the same logits as at inference, although the augmentation "
            "mirrors images there. Apply it inside the model and leave the switch to Keras."
        )
        return fact(AUGMENTS, False, message, "augmentation not switched")
    return fact(
        AUGMENTS,
        False,
        "With an augmentation that mirrors images in training, the training logits should be those "
        "of the mirrored images. With both dropout rates 0, nothing else may change them.",
    )


def _fits_mirrored(case: Case, seen: Observation) -> bool:
    """Return whether the training logits are those of the mirrored images in the right model."""
    outputs = _candidates(case, seen, ACCEPTED, mirrored=True)
    return any(agrees(seen["in_training"], o, case.longest_axis, DEPTH) for o in outputs)


def _gradients(pairs: Pairs) -> Finding:
    stopped = _stopped(LEARNS, pairs)
    if stopped:
        return stopped
    missed = sorted({str(name) for _, seen in pairs for name in seen["without_gradient"]})
    return fact(
        LEARNS,
        not missed,
        f"Training would not move {len(missed)} of the weights, {', '.join(missed[:4])} among "
        "them: the logits do not depend on them, or the gradient is cut on the way.",
        "weights without gradient",
    )


def _same(pair: tuple[Case, Observation], name: str, like: str) -> bool:
    case, seen = pair
    return agrees(seen[name], seen[like], case.longest_axis, DEPTH)


def _stopped(name: str, pairs: Pairs, share: float = 1.0) -> Finding | None:
    """Return the finding for what stopped the first of the cases that was stopped, if any."""
    findings = (problem_finding(name, seen, share) for _, seen in pairs)
    return next((finding for finding in findings if finding), None)

"""Judge the classifier: its number of weights, its logits with known weights, what it reacts to.

The weights of the model were told by their shape. Those of unknown shape, as of a fused
attention, repeat one row: whether they hold queries, keys and values of one head or of all, each
is then that row times the sum of a token.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.report import Finding
from utilities.checks.judging import (
    Mistake,
    Oracle,
    Pairs,
    Stage,
    Values,
    agrees,
    beside_values,
    fact,
    judge_stages,
    of_stage,
    problem_finding,
    recognise,
    when,
)
from utilities.checks.kernel.case import WRONG_SHAPE, WRONG_VALUE, Case, Observation
from utilities.checks.transformer.formulas import ACCEPTED, MIXED, Activation
from utilities.checks.transformer.mistakes import no_residual, pre_norm

DEPTH = 4  # rounding grows slowly here: every block ends in a normalisation
EPSILONS = (1e-3, 1e-6, 1e-5)  # of layer normalisations that do not tell theirs
LARGEST_EPSILON, MOST_EPSILONS = 1e-2, 4  # a larger one would leave nothing of what it normalises

LOGITS = "a tf_keras.Model with one logit for each class"
COUNTED = "it has as many weights as patches, blocks and head need"
READS_TOKEN = "without blocks, the class token knows nothing of the image"
KNOWS_PLACES = "two patches that change places change the logits"
NOT_PROBABILITIES = "the result is logits, not probabilities"
DROPS = "dropout in training only, in the blocks and in the head at their own rates"
AUGMENTS = "data_augmentation works in training, and only there"
LEARNS = "the gradient reaches every weight"


def vit_classifier(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge shape and number of weights, the logits stage by stage, then what they react to."""
    stages = [
        Stage("no blocks", "without blocks: encoding, then the head on the class token"),
        Stage("one block", "one block between them"),
        Stage("blocks", "several blocks, each on what the one before gives", 2.0),
    ]
    pairs = list(zip(cases, observations, strict=True))
    counted = _counted(pairs)
    mistakes = MISTAKES + [m for m in MISCOUNTS if m.name == counted.mistake]
    values = judge_stages(cases, observations, stages, _right, mistakes, DEPTH)
    facts = [
        _one_logit_per_class(pairs),
        counted,
        _each(READS_TOKEN, pairs, ("no blocks",), _reads_only_the_token, READS_OTHERS),
        _each(KNOWS_PLACES, pairs, ("blocks",), _knows_places, PLACELESS),
        _each(NOT_PROBABILITIES, pairs, (), _is_linear_in_last_layer, NOT_LINEAR),
        _dropout(pairs),
        _augmentation(pairs),
        _gradients(pairs),
    ]
    formulas = (_right, mistakes + STRUCTURES, DEPTH)
    facts = beside_values(facts, of_stage("blocks", pairs), *formulas)
    return [*facts[:2], *values, *facts[2:]]


# --- the logits ------------------------------------------------------------------------------

Block = Callable[..., np.ndarray]  # (x, attend, mlp, norm_1, norm_2) → x
Read = Callable[[np.ndarray], np.ndarray]  # tokens (B, N + 1, d) → what the head reads


def _class_token(tokens: np.ndarray) -> np.ndarray:
    return tokens[:, 0]  # (B, d)


def _right(case: Case, seen: Observation) -> Values:
    """Return the logits with any usual non-linearity, epsilon and scaling of the pixels.

    The head may have another non-linearity than the blocks: None stands for the same one.
    """
    raw = case["images"].astype(np.float64)
    scaled = (_pixels(case, seen), raw / 255.0, raw / 127.5 - 1.0)
    for attention, images in product(_attention(case, seen), scaled):
        for activations, head_activation in [(ACCEPTED, None), *((MIXED, head) for head in MIXED)]:
            ways = {"attention": attention, "head_activation": head_activation}
            for logits in _candidates(case, seen, images, activations, **ways):
                if agrees(seen["output"], logits, case.longest_axis, DEPTH):
                    return {"output": logits}
    attention = _attention(case, seen)[0]
    return {"output": next(_candidates(case, seen, scaled[0], ACCEPTED, attention=attention))}


def _pixels(case: Case, seen: Observation) -> np.ndarray:
    """Return the images as the model says it scales them; as they are, where that is no scaling."""
    raw, scaled = case["images"].astype(np.float64), seen["images_seen"].astype(np.float64)
    if scaled.shape != raw.shape or not np.all(np.isfinite(scaled)):
        return raw
    axes = (0, 1, 2)  # each channel (B, H, W) has its own factor and shift
    centred, centred_scaled = raw - raw.mean(axes), scaled - scaled.mean(axes)
    factor = (centred * centred_scaled).sum(axes) / np.square(centred).sum(axes)  # (C,)
    is_scaling = np.allclose(centred_scaled, factor * centred, rtol=1e-3, atol=1e-5)
    usual = np.all((np.abs(factor) > 1e-4) & (np.abs(factor) < 1e4) & (np.abs(scaled).max() < 1e4))
    return scaled if is_scaling and usual else raw


def _candidates(
    case: Case, seen: Observation, images: np.ndarray, activations: Sequence[Activation], **ways: Any
) -> Iterator[np.ndarray]:
    """Yield the logits of each non-linearity and each epsilon the model may have."""
    said = [float(e) for e in seen["epsilons"] if 0.0 < e <= LARGEST_EPSILON]
    for epsilon in said[:MOST_EPSILONS] or EPSILONS:
        for activation in activations:
            yield _logits(case, images, activation, epsilon, **ways)


def _attention(case: Case, seen: Observation) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return what W_q, W_k and W_v of every block may all be, and W_o."""
    W, W_o = (case[name].astype(np.float64) for name in ("W", "W_o"))
    if seen["attends"]:
        return [(W, W_o)]
    rows = np.broadcast_to(case["fused"].astype(np.float64), W.shape)  # (h, d, p)
    fused = [(rows, o) for o in (W_o, W.reshape(W_o.shape), rows.reshape(W_o.shape))]
    return [*fused, (W, W_o)]  # where weights of other parts have shapes of their own


def _logits(
    case: Case,
    images: np.ndarray,
    activation: Callable,
    epsilon: float,
    attention: tuple[np.ndarray, np.ndarray],
    block: Block = oracles.transformer_block,
    read: Read = _class_token,
    positions: bool = True,
    chained: bool = True,
    head_activation: Callable | None = None,
    layers: Callable[[int], int] = int,
    mlp_factors: Sequence[int] = (2, 1),
    head: Callable[[tuple[int, ...]], tuple[int, ...]] = tuple,
    token: float = 1.0,
) -> np.ndarray:
    """Return the logits (B, num_classes) with the case's weights, or of a model gone wrong.

    mlp_factors: the widths of a block's MLP, in multiples of d. layers, head: what the model makes
    of the number of blocks and of the head's widths. token: a factor of the class token.
    """
    weights = {name: np.asarray(value, np.float64) for name, value in case.inputs.items()}
    tokens = oracles.encoded_patches(
        oracles.patches(images, case["patch_size"]),
        weights["patch_kernel"],
        weights["bias_d"],
        token * weights["class_token"],
        weights["positions"] if positions else 0.0,
    )  # (B, N + 1, d)
    width, number = case["embedding_proj_dim"], layers(case["transformer_layers"])
    mlp = _dense(case, width, [factor * width for factor in mlp_factors])
    steps = _steps(attention, mlp, weights["bias_d"], activation, epsilon)
    for _ in range(number if chained else min(number, 1)):
        tokens = block(tokens, *steps)
    read_tokens, units = read(tokens), head(tuple(case["mlp_classification_head_units"]))
    kernels, biases = _dense(case, read_tokens.shape[-1], [*units, case["num_classes"]])
    hidden = [head_activation or activation] * (len(kernels) - 1)
    return oracles.mlp(read_tokens, kernels, biases, [*hidden, _identity])


def _dense(case: Case, d_in: int, widths: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return what the kernels and biases of Dense layers hold, all of it told by shape."""
    kinds = ("patch_kernel", "positions", "kernel_", "bias_", "head_", "W_o")
    known = {v.shape: v for name, v in case.inputs.items() if name.startswith(kinds)}
    shapes = list(zip([d_in, *widths], widths, strict=False))
    kernels = [known.get(shape, np.resize(case["fused"], shape)) for shape in shapes]
    biases = [known.get((d_out,), np.zeros(d_out)) for d_out in widths]
    return [k.astype(np.float64) for k in kernels], [b.astype(np.float64) for b in biases]


def _steps(
    attention: tuple[np.ndarray, np.ndarray],
    mlp: tuple[list[np.ndarray], list[np.ndarray]],
    shift: np.ndarray,
    activation: Activation,
    epsilon: float,
) -> tuple[Callable, Callable, Callable, Callable]:
    """Return attention, MLP and the two normalisations of every block."""
    (W, W_o), (kernels, biases) = attention, mlp
    norm = partial(oracles.layer_norm, gamma=1.0, beta=shift, epsilon=epsilon)
    return (
        lambda x: oracles.multi_head_attention(x, x, x, W, W, W, W_o)[0],
        lambda x: oracles.mlp(x, kernels, biases, [activation] * len(kernels)),
        norm,
        norm,
    )


def _identity(x: np.ndarray) -> np.ndarray:
    return x


def _wrong(
    finish: Callable[[np.ndarray], np.ndarray] = _identity, mirrored: bool = False, **ways: Any
) -> Oracle:
    """Return the oracle of a classifier that goes wrong in the given ways."""

    def oracle(case: Case, seen: Observation) -> Values:
        images = _pixels(case, seen)  # (B, H, W, C)
        if mirrored and case.stage == "blocks":
            images = images[:, :, ::-1]
        outputs = [
            finish(logits)
            for attention in _attention(case, seen)
            for logits in _candidates(case, seen, images, ACCEPTED[:2], attention=attention, **ways)
        ]
        fitting = (o for o in outputs if agrees(seen["output"], o, case.longest_axis, DEPTH))
        return {"output": next(fitting, outputs[0])}

    return oracle


# --- the number of weights -------------------------------------------------------------------


def _count(case: Case, **others: Any) -> int:
    """Return the number of weights of the case's classifier, or of one with other sizes."""
    sizes = {
        "image_shape": (case["height"], case["width"], case["channels"]),
        "patch_size": case["patch_size"],
        "width": case["embedding_proj_dim"],
        "num_heads": case["num_heads"],
        "layers": case["transformer_layers"],
        "head_units": tuple(int(n) for n in case["mlp_classification_head_units"]),
        "num_classes": case["num_classes"],
    }
    return oracles.vit_parameter_count(**{**sizes, **others})


def _num_tokens(case: Case) -> int:
    return len(case["positions"])


def _has(count: Callable[[Case], int]) -> Oracle:
    """Return the oracle that fits where the model has that number of weights."""
    return when(lambda case, seen: int(seen["parameter_count"]) == count(case))


def _with_mlp(*factors: int) -> Oracle:
    """Return the oracle of blocks whose MLP has these multiples of d as widths."""
    return _has(lambda c: _count(c, mlp_units=[f * c["embedding_proj_dim"] for f in factors]))


def _narrow_heads(case: Case) -> int:
    width, heads = case["embedding_proj_dim"], case["num_heads"]
    too_many = heads * width - width // heads * heads
    return _count(case) - 4 * case["transformer_layers"] * width * too_many


def _attention_biases(case: Case) -> int:
    width, heads = case["embedding_proj_dim"], case["num_heads"]
    return _count(case) + case["transformer_layers"] * (3 * heads * width + width)


def _flat_head(case: Case) -> int:
    further = (_num_tokens(case) - 1) * case["embedding_proj_dim"]
    return _count(case) + further * int(case["mlp_classification_head_units"][0])


def _another_patch_size(case: Case, seen: Observation) -> bool:
    sides = (n for n in range(1, 1 + case["height"]) if n != case["patch_size"])
    return int(seen["parameter_count"]) in {_count(case, patch_size=side) for side in sides}


_HEAD = "mlp_classification_head_units"
_BLOCKS = (
    "Your model has not as many blocks as transformer_layers says. Each turn of the loop makes one "
    "block, and gives it what the one before gave back."
)
_MLP = (
    "The MLPs of your blocks have other widths than [2·d, d], d being the width of a token: first "
    "twice as wide, then back."
)
MISCOUNTS = [
    Mistake(
        "one block only",
        "However many blocks are asked for, your model has the weights of one. Either the same "
        "block is used again, so that all share their weights, or each reads the first tokens, so "
        "that only the last counts. Make a new block in each turn, on what the one before gave.",
        _has(lambda c: _count(c, layers=min(c["transformer_layers"], 1))),
    ),
    Mistake(
        "wrong number of blocks",
        _BLOCKS,
        _has(lambda c: _count(c, layers=c["transformer_layers"] + 1)),
    ),
    Mistake(
        "wrong number of blocks",
        _BLOCKS,
        _has(lambda c: _count(c, layers=max(c["transformer_layers"] - 1, 0))),
    ),
    Mistake("wrong number of blocks", _BLOCKS, _has(lambda c: _count(c, layers=0))),
    *(
        Mistake("wrong MLP widths", _MLP, _with_mlp(*factors))
        for factors in ((1, 1), (4, 1), (3, 1), (1,), (2, 2, 1))
    ),
    Mistake(
        "no hidden layers in the head",
        "Your head has no hidden layers: mlp_classification_head_units is not used. The class "
        "token goes through an MLP of these widths before the last Dense layer.",
        _has(lambda c: _count(c, head_units=())),
    ),
    Mistake(
        "too few hidden layers in the head",
        "Your head does not have a hidden layer for every entry of mlp_classification_head_units.",
        _has(lambda c: _count(c, head_units=tuple(int(n) for n in c[_HEAD][:1]))),
    ),
    Mistake(
        "too few hidden layers in the head",
        "Your head does not have a hidden layer for every entry of mlp_classification_head_units.",
        _has(lambda c: _count(c, head_units=tuple(int(n) for n in c[_HEAD][-1:]))),
    ),
    Mistake(
        "head reads all tokens",
        "Your head reads all tokens, flattened into one long vector. It should read the class "
        "token alone.",
        _has(_flat_head),
    ),
    Mistake(
        "positions not trainable",
        "Keras does not know the table of positions of your model: they are missing, or they are "
        "made outside a layer. An Embedding called on tf.range in the open is not tracked: it is "
        "never trained and never saved.",
        _has(lambda c: _count(c) - _num_tokens(c) * c["embedding_proj_dim"]),
    ),
    Mistake(
        "no class token",
        "Your model has no class token, and no position for it: it lacks just these weights.",
        _has(lambda c: _count(c) - 2 * c["embedding_proj_dim"]),
    ),
    Mistake(
        "class token or its position missing",
        "Your model lacks the weights of one token: is the class token trainable, and has the "
        "table of positions a row for it?",
        _has(lambda c: _count(c) - c["embedding_proj_dim"]),
    ),
    Mistake(
        "biases in attention",
        "Your attention has biases. In this course it has none.",
        _has(_attention_biases),
    ),
    Mistake(
        "narrow heads",
        "Your heads are d/h wide. In this course every head has the full width msa_proj_dim.",
        _has(_narrow_heads),
    ),
    Mistake(
        "number of heads ignored",
        "Your blocks have one head each, whatever num_heads says.",
        _has(lambda c: _count(c, num_heads=1)),
    ),
    Mistake(
        "normalisation too many",
        "Your model has one layer normalisation more than its blocks need: they end in one each.",
        _has(lambda c: _count(c) + 2 * c["embedding_proj_dim"]),
    ),
    Mistake(
        "another patch size",
        "Your patches are not of the size patch_size says.",
        when(_another_patch_size),
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


# --- what it reacts to -----------------------------------------------------------------------

READS_OTHERS = Mistake(
    "reads more than the class token",
    "With no block at all nothing has passed between the tokens yet, and still your logits depend "
    "on the image. Which token does the head read?",
    when(lambda case, seen: True),
)
PLACELESS = Mistake(
    "no positions",
    "Your logits do not change when two patches of the image change places. Does each token get "
    "its position, before the first block?",
    when(lambda case, seen: True),
)
NOT_LINEAR = Mistake(
    "logits squashed",
    "Three times the weights of the last Dense layer should give three times the result. Yours is "
    "squashed, as by a softmax. The loss takes logits: end in a Dense layer without activation.",
    when(lambda case, seen: True),
)


def _same(case: Case, seen: Observation, name: str, like: str, factor: float = 1.0) -> bool:
    return agrees(seen[name], factor * seen[like], case.longest_axis, DEPTH)


def _reads_only_the_token(case: Case, seen: Observation) -> bool:
    return _same(case, seen, "other", "unchanged")


def _knows_places(case: Case, seen: Observation) -> bool:
    return not agrees(seen["swapped"], seen["bold"], case.longest_axis)


def _is_linear_in_last_layer(case: Case, seen: Observation) -> bool:
    return _same(case, seen, "output_of_scaled", "output", factor=3.0)


def _each(
    name: str,
    pairs: Pairs,
    stages: tuple[str, ...],
    holds: Callable[[Case, Observation], bool],
    mistake: Mistake,
) -> Finding:
    """Return the finding that something holds in all cases of the stages, or of all stages."""
    pairs = [pair for pair in pairs if not stages or pair[0].stage in stages]
    stopped = _stopped(name, pairs)
    return stopped or fact(name, all(holds(*p) for p in pairs), mistake.message, mistake.name)


def _one_logit_per_class(pairs: Pairs) -> Finding:
    stopped = _stopped(LOGITS, pairs)
    if stopped:
        return stopped
    for case, seen in pairs:
        expected = (len(case["images"]), case["num_classes"])
        came = seen["output"].shape
        if came != expected:
            fixed = came[-1:] == (10,)
            message = f"For {expected[0]} images of {expected[1]} classes your model gives {came}; "
            message += f"{expected} is expected."
            if fixed:
                message += " Take the number of classes from num_classes."
            mistake = "number of classes fixed" if fixed else ""
            return fact(LOGITS, False, message, mistake, WRONG_SHAPE)
    return Finding(LOGITS, True)


def _dropout(pairs: Pairs) -> Finding:
    stopped = _stopped(DROPS, pairs)
    if stopped:
        return stopped
    if not all(_same(case, seen, "again", "unchanged") for case, seen in pairs):
        return fact(
            DROPS,
            False,
            "The same images give other logits each time, although the model is not training. "
            "Dropout belongs to training alone: leave the switch to Keras.",
            "dropout always on",
        )
    drops = {
        case.stage: not _same(case, seen, "in_training", "unchanged")
        for case, seen in pairs
        if case.stage != "blocks"  # where both rates are 0
    }
    head, blocks = drops["no blocks"], drops["one block"]
    names = {"head": "mlp_classification_head_dropout_rate", "blocks": "msa_dropout_rate"}
    idle = [part for part, works in (("head", head), ("blocks", blocks)) if not works]
    return fact(
        DROPS,
        not idle,
        " ".join(f"In training, {names[part]} does nothing in the {part}." for part in idle)
        + " Give each rate to the part that it is named after.",
        "dropout rates swapped or unused",
    )


def _augmentation(pairs: Pairs) -> Finding:
    pairs = [pair for pair in pairs if pair[0].stage == "blocks"]
    stopped = _stopped(AUGMENTS, pairs)
    if stopped:
        return stopped
    if all(_same(*pair, "in_training", "mirrored") for pair in pairs):
        return Finding(AUGMENTS, True)
    case, seen = pairs[0]
    if not seen["mirror_used"]:
        message = "Your model does not use data_augmentation: apply it to the images, first of all."
        return fact(AUGMENTS, False, message, "augmentation ignored")
    if _same(case, seen, "in_training", "unchanged"):
        return fact(
            AUGMENTS,
            False,
            _ALWAYS_AUGMENTED,
            "augmentation always on",
        )
    return fact(
        AUGMENTS,
        False,
        "With an augmentation that mirrors the images in training, the training logits should be "
        "those of the mirrored images. With both dropout rates 0, nothing else may change them.",
    )


def _gradients(pairs: Pairs) -> Finding:
    stopped = _stopped(LEARNS, pairs)
    if stopped:
        return stopped
    with_blocks = [seen for case, seen in pairs if case.stage != "no blocks"]
    missed = sorted({str(name) for seen in with_blocks for name in seen["without_gradient"]})
    return fact(
        LEARNS,
        not missed,
        f"Training would not move {len(missed)} of the weights, {', '.join(missed[:4])} among "
        "them: the logits do not depend on them, or the gradient is cut on the way.",
        "weights without gradient",
    )


def _stopped(name: str, pairs: Pairs, share: float = 1.0) -> Finding | None:
    """Return the finding for what stopped the first of the cases that was stopped, if any."""
    findings = (problem_finding(name, seen, share) for _, seen in pairs)
    return next((finding for finding in findings if finding), None)


_ALWAYS_AUGMENTED = (
    "Your images are augmented the same way at inference as in training. Call the layer on the "
    "images and leave it to Keras to tell it when the model trains."
)
_NOT_THE_TOKEN = "The head should read the class token, the first of the sequence."

MISTAKES = [
    Mistake(
        "mean of all tokens",
        f"Your head reads the mean of all tokens. {_NOT_THE_TOKEN}",
        _wrong(read=lambda tokens: tokens.mean(axis=1)),
    ),
    Mistake(
        "mean of the patches",
        f"Your head reads the mean of the patches, without the class token. {_NOT_THE_TOKEN}",
        _wrong(read=lambda tokens: tokens[:, 1:].mean(axis=1)),
    ),
    Mistake(
        "largest of all tokens",
        f"Your head reads the largest number of all tokens in each place. {_NOT_THE_TOKEN}",
        _wrong(read=lambda tokens: tokens.max(axis=1)),
    ),
    Mistake(
        "last token read",
        f"Your head reads the last token. {_NOT_THE_TOKEN}",
        _wrong(read=lambda tokens: tokens[:, -1]),
    ),
    Mistake(
        "first patch read",
        f"Your head reads token 1, the first patch. {_NOT_THE_TOKEN} It has index 0.",
        _wrong(read=lambda tokens: tokens[:, 1]),
    ),
    Mistake(
        "softmax in the model",
        "Your model ends in a softmax. The loss takes logits: end in a Dense layer without activation.",
        _wrong(oracles.softmax),
    ),
    Mistake(
        "sigmoid in the model",
        "Your model ends in a sigmoid. The loss takes logits: end in a Dense layer without activation.",
        _wrong(oracles.sigmoid),
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
        "head without non-linearity",
        "Your head's hidden layers have no non-linearity, so that together they are one linear map.",
        _wrong(head_activation=_identity),
    ),
    Mistake(
        "no positions",
        "Your tokens carry no positions: the model cannot tell where a patch was.",
        _wrong(positions=False),
    ),
    Mistake(
        "blocks not chained",
        "Your blocks do not follow each other: each one reads the tokens that the first one read. "
        "Give every block what the one before gave back.",
        _wrong(chained=False),
    ),
    Mistake("augmentation always on", _ALWAYS_AUGMENTED, _wrong(mirrored=True)),
    Mistake(
        "pre-norm",
        "Your blocks normalise before attention and MLP. In this course they do so after the "
        "residual: x₁ = LN(x + MHA(x)), x₂ = LN(x₁ + mlp(x₁)).",
        _wrong(block=pre_norm),
    ),
    Mistake(
        "no residual",
        "Your blocks have no residual connections: x is added to what attention and MLP give.",
        _wrong(block=no_residual),
    ),
]

# Models built otherwise, told by their number of weights: what these compute all the same. Those
# without any block compute next to nothing, and do not count.
BUILT_OTHERWISE: list[dict[str, Any]] = [
    *({"layers": layers} for layers in (lambda n: n + 1, lambda n: n - 1)),
    *({"mlp_factors": factors} for factors in ((1, 1), (4, 1), (3, 1), (1,), (2, 2, 1))),
    *({"head": head} for head in (lambda u: (), lambda u: u[:1], lambda u: u[-1:])),
    {"read": lambda tokens: tokens.reshape(len(tokens), -1)},
    {"token": 0.0},
]
STRUCTURES = [Mistake("", "", _wrong(**ways)) for ways in BUILT_OTHERWISE]

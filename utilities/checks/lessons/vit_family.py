"""Vision Transformers, of both labs: the formula with its settings, the mistakes, what is looked at."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from utilities.checks.core import activations, oracles
from utilities.checks.core.check import Lazily, Mistake, Remark, Sign, Values, Wrong
from utilities.checks.core.oracles import Step
from utilities.checks.kernel import known
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.shared import GRID

STAGES = ("no blocks", "one block", "blocks")
DEPTH = 8
SEVERAL_BLOCKS = Values(
    "blocks", "several blocks, each on what the one before gives", 1.5, of=("last_tokens",)
)
AUGMENTATION = Values(
    "blocks",
    "data_augmentation works in training, and only there",
    0.5,
    of=("output_in_training",),
    about=("augment",),
)
LARGEST_EPSILON = 1e-2  # a larger one would leave little of what it normalises

# --- the formula -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sizes:
    """What a model is made of; a mistake may make another one of it."""

    patch_size: int
    width: int  # d
    layers: int
    mlp_units: tuple[int, ...]
    head_units: tuple[int, ...]
    num_classes: int
    num_heads: int = 1
    head_width: int = 0  # of a head's queries


Attention = Callable[[Case, Observation, Sizes, Any], tuple[Step, int]]  # → step, number of weights


def vit(
    case: Case,
    seen: Observation,
    *,
    sizes: Callable[[Case], Sizes],
    attention: Attention,
    usual: Sequence[Step] = activations.GELU[:2],
    repeat: int = 1,
    resize: Callable[[Sizes], Sizes] = lambda sizes: sizes,
    augment: Callable[[bool], bool | None] = lambda training: training,
    pixels: Step = lambda images: images,
    scale: Callable[[int], tuple[float, float]] = lambda width: (1.0, 1.0),
    class_token: bool | None = None,
    token: tuple[float, int] = (1.0, 1),
    positions: tuple[float, int] = (1.0, 1),
    attend: Any = None,
    attentions: Callable[[int], int] = lambda layers: layers,
    norms: Callable[[int], int] = lambda layers: 2 * layers,
    chained: bool = True,
    shared: bool = False,
    activation: Step | None = None,
    mlp_pattern: Callable[[Step, int], list[Step]] = lambda step, depth: [step] * depth,
    epsilon: float | None = None,
    largest_epsilon: float = LARGEST_EPSILON,
    last_norm: bool | None = None,
    carry_normalised: tuple[bool, bool] = (False, False),
    head_reads: Step = lambda tokens: tokens[:, 0],
    head_activation: Step | None = None,
    head_norm: bool = False,
    finish: Step = lambda logits: logits,
    **wiring: Any,
) -> Lazily:
    """Return the tokens before and after the blocks, the logits, and the number of weights.

    sizes, attention, repeat: of the exercise; whether it has a class token and a last normalisation
    too. usual: the non-linearities that are right. resize: what the model makes of the sizes it is
    given. augment: how the augmentation acts, given whether the model trains (None: not at all).
    pixels: what is done to the images. scale: factors of projected patches and class token, by the
    width. token, positions: their factor, and whether they are weights. attend: another attention.
    attentions, norms: how many there are. chained: each block reads what the one before gives.
    activation, epsilon: those that the model has, where None; an epsilon counts if it is not above
    the largest. carry_normalised: each sum adds the normalised tokens. head_reads, head_norm: what of
    the tokens, and whether it is normalised. wiring: the settings of a block.
    Each piece is computed from the piece before as it was observed, where that can be seen.
    """
    size = resize(sizes(case))
    step, attention_count = attention(case, seen, size, attend)
    dense = partial(_dense, case)
    epsilon = _epsilon(seen, largest_epsilon) if epsilon is None else epsilon
    norm = partial(oracles.layer_norm, gamma=1.0, beta=_weight(case, size.width), epsilon=epsilon)
    for name, normalised in zip(("add_1", "add_2"), carry_normalised, strict=True):
        if normalised:
            wiring[name] = lambda x, update: norm(x) + update
    options = _used(seen["non_linearities"].astype(float).tobytes(), tuple(usual))
    inside = [activation] if activation else options
    number = size.layers if chained else min(size.layers, 1)

    def encode(training: bool) -> np.ndarray:
        images = pixels(_images(case, augment(training), repeat))
        patches = oracles.patches(images, size.patch_size)
        kernel = _weight(case, patches.shape[-1], size.width)
        of_patches, of_token = scale(size.width)
        projected = of_patches * (patches @ kernel + _weight(case, size.width))  # (B, N, d)
        if class_token:
            first = of_token * token[0] * _weight(case, 1, 1, size.width)
            first = np.broadcast_to(first, (len(images), 1, size.width))
            projected = np.concatenate([first, projected], axis=1)  # (B, N + 1, d)
        return projected + positions[0] * _weight(case, *projected.shape[1:])

    def transform(tokens: np.ndarray, activation: Step) -> np.ndarray:
        steps = mlp_pattern(activation, len(size.mlp_units))
        mlp = partial(dense, widths=size.mlp_units, steps=steps)
        for _ in range(number):
            tokens = oracles.transformer_block(tokens, step, mlp, norm, norm, **wiring)
        return norm(tokens) if last_norm else tokens

    def classify(tokens: np.ndarray, activation: Step) -> np.ndarray:
        steps = [*[head_activation or activation] * len(size.head_units), activations.linear]
        x = head_reads(norm(tokens) if head_norm else tokens)
        return finish(dense(x, (*size.head_units, size.num_classes), steps))

    def whole(name: str, training: bool) -> np.ndarray:
        start, pairs = encode(training), [(one, one) for one in inside]
        pairs += [(one, other) for one in inside for other in inside if one is not other]
        ends = (classify(transform(start, of_block), of_head) for of_block, of_head in pairs)
        return activations.closest(ends, seen[name])

    @once
    def encoded() -> np.ndarray:
        return encode(False)

    @once
    def tokens() -> np.ndarray:
        start = _observed(seen, "encoding", encoded)
        return activations.closest((transform(start, one) for one in inside), seen["last_tokens"])

    def output() -> np.ndarray:
        end = _observed(seen, "last_tokens", tokens)
        return activations.closest((classify(end, one) for one in inside), seen["output"])

    count = parameter_count(
        size,
        _image_shape(case, augment(False)),
        attention_count * (attentions(number) if number else 0),
        norms(number) + bool(last_norm) + head_norm,
        lambda tokens, width: head_reads(np.zeros((1, tokens, width))).shape[-1],
        bool(class_token),
        (token[1], positions[1]),
        min(number, 1) if shared else number,
    )
    values: dict[str, Any] = {"parameter_count": np.array(count)}
    if "attentions_made" in seen.values:
        values["attentions_made"] = np.array(attentions(size.layers))
    if seen["in_pieces"]:
        values |= {"encoding": encoded, "last_tokens": tokens, "output": output}
    else:
        values |= dict.fromkeys(
            ("encoding", "last_tokens", "output"), once(partial(whole, "output", False))
        )
    if case.stage == "blocks":
        values["output_in_training"] = partial(whole, "output_in_training", True)
    return values


def once(compute: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
    """Return a function that computes its value when it is first called.

    functools.cache does the same; to make one takes longer than most of what is computed here.
    """
    known: list[np.ndarray] = []

    def value() -> np.ndarray:
        if not known:
            known.append(compute())
        return known[0]

    return value


def _observed(seen: Observation, name: str, expected: Callable[[], np.ndarray]) -> np.ndarray:
    """Return a piece as it was observed, where it has the shape that it should have."""
    fits = seen[name].shape == expected().shape
    return seen[name].astype(np.float64) if fits else expected()


@lru_cache(maxsize=64)
def _used(on_grid: bytes, usual: tuple[Step, ...]) -> list[Step]:
    """Return those of the usual non-linearities that were seen in a model; all, if none was."""
    rows = np.frombuffer(on_grid).reshape(-1, len(GRID))
    return activations.used(rows, usual) or list(usual)


def _epsilon(seen: Observation, largest: float) -> float:
    """Return what the model's normalisations add to the variance, if it is small, else 1e-6."""
    small = [float(epsilon) for epsilon in seen["epsilons"] if 0.0 < epsilon <= largest]
    return small[0] if small else 1e-6


def _images(case: Case, training: bool | None, repeat: int) -> np.ndarray:
    images = case["images"].astype(np.float64)
    if case.stage != "blocks" or training is None:
        return images
    return known.augmented(images, training, repeat)


def _image_shape(case: Case, training: bool | None) -> tuple[int, int, int]:
    """Return (H, W, C) of an image as the augmentation leaves it."""
    height, across, channels = case["images"].shape[1:]
    side = None if training is None else case.inputs.get("image_size")
    return (side or height, side or across, channels)


def _weight(case: Case, *shape: int) -> np.ndarray:
    return known.weight(case["weights"], *shape).astype(np.float64)


def _dense(case: Case, x: np.ndarray, widths: Sequence[int], steps: Sequence[Step]) -> np.ndarray:
    """Return x (…, d) after Dense layers of these widths, each with its non-linearity."""
    sizes = [x.shape[-1], *widths]
    kernels = [_weight(case, *pair) for pair in zip(sizes, widths, strict=False)]
    return oracles.mlp(x, kernels, [_weight(case, n) for n in widths], steps)


def parameter_count(
    size: Sizes,
    image_shape: tuple[int, int, int],
    attention: int,
    norms: int,
    read_width: Callable[[int, int], int],
    class_token: bool = False,
    tables: tuple[int, int] = (1, 1),
    blocks: int | None = None,
) -> int:
    """Return the number of trained weights of a Vision Transformer.

    image_shape (H, W, C), as the patches are cut from it; attention: weights of all attentions;
    norms: number of normalisations; read_width: (tokens, d) → the width that the head reads; tables:
    whether class token and positions are trained; blocks: MLPs that have weights of their own.
    """
    (height, across, channels), width = image_shape, size.width
    patches = (height // size.patch_size) * (across // size.patch_size)
    tokens = patches + class_token
    count = oracles.dense_parameter_count(size.patch_size**2 * channels, width)
    count += tables[0] * class_token * width + tables[1] * tokens * width
    count += attention + 2 * norms * width
    number = size.layers if blocks is None else blocks
    count += number * oracles.dense_parameter_count(width, *size.mlp_units)
    last = (*size.head_units, size.num_classes)
    return count + oracles.dense_parameter_count(read_width(tokens, width), *last)


# --- mistakes of both models -----------------------------------------------------------------------


def resized(**changes: Callable[[Sizes], Any]) -> Mapping[str, Any]:
    """Return the setting that makes other sizes of those given."""
    return {"resize": lambda s: replace(s, **{name: of(s) for name, of in changes.items()})}


def _always(value: Any, sizes: Sizes) -> Any:
    return value


def cut_head(cut: slice) -> Mapping[str, Any]:
    """Return the setting that leaves only some of the head's hidden layers."""
    return resized(head_units=lambda s: s.head_units[cut])


def mlp_of(*factors: int) -> Mapping[str, Any]:
    """Return the setting that gives a block's MLP these multiples of d as widths."""
    return resized(mlp_units=lambda s: tuple(factor * s.width for factor in factors))


def _with_layers(more: int = 0, fixed: int | None = None) -> Mapping[str, Any]:
    return resized(layers=lambda s: max(s.layers + more, 0) if fixed is None else fixed)


def _rescaled(factor: float, shift: float) -> Step:
    return lambda images: factor * images + shift


BLOCKS = "Each turn of the loop makes one block, and gives it what the one before gave back."
SCALED = (
    "Your model changes the size of the pixels. The images come standardised already: what is right "
    "for bytes makes them tiny, or large, here."
)
DROPOUT = (
    "dropout rates swapped or unused",
    "dropout missing in the blocks",
    "dropout missing in the head",
    "dropout too many",
)
SCALINGS = ((1 / 255, 0.0), (1 / 127.5, -1.0), (1 / 256, 0.0), (255.0, 0.0), (3.0, 0.0), (2.0, 0.0))
UNLEARNED = ("weights without gradient", "start that cannot learn")
NO_ACTIVATION = "The loss takes logits: end in a Dense layer without activation."
MISTAKES = [
    Mistake(
        "softmax in the model", f"Your model ends in a softmax. {NO_ACTIVATION}", finish=oracles.softmax
    ),
    Mistake(
        "sigmoid in the model", f"Your model ends in a sigmoid. {NO_ACTIVATION}", finish=oracles.sigmoid
    ),
    Mistake(
        "non-linearity after the last layer",
        "Your last Dense layer has a non-linearity. Logits may be any number: leave it out there.",
        *({"finish": step} for step in (activations.relu, *activations.GELU[:2], np.tanh)),
        entails=(*UNLEARNED, "dropout too many"),
    ),
    Mistake(
        "head without non-linearity",
        "Your head's hidden layers have no non-linearity, so that together they are one linear map.",
        head_activation=activations.linear,
    ),
    Mistake(
        "augmentation ignored",
        "Your model does not use data_augmentation, or drops its result: apply it to the images, first "
        "of all, and go on with what it gives back.",
        augment=lambda training: None,
    ),
    Mistake(
        "augmentation always on",
        "Your images are augmented at inference as they are in training. Call the layer on the "
        "images and leave it to Keras to tell it when the model trains.",
        augment=lambda training: True,
    ),
    Mistake(
        "augmentation not switched",
        "In training your images are left as they are at inference. Call the layer on the images and "
        "leave the switch to Keras.",
        augment=lambda training: False,
    ),
    Mistake(
        "images scaled again",
        SCALED,
        *({"pixels": _rescaled(factor, shift)} for factor, shift in SCALINGS),
    ),
    Mistake(
        "number of classes fixed",
        "The number of your logits does not follow num_classes: take it from there.",
        *(resized(num_classes=partial(_always, number)) for number in (10, 100, 1000)),
        resized(num_classes=lambda s: s.num_classes + 1),
        resized(num_classes=lambda s: s.num_classes - 1),
    ),
    Mistake(
        "wrong number of blocks",
        f"The number of blocks is not what transformer_layers says. {BLOCKS}",
        *(_with_layers(more=more) for more in (1, -1)),
        *(_with_layers(fixed=fixed) for fixed in (0, 2, 3, 4)),
        resized(layers=lambda s: 2 * s.layers),
    ),
    Mistake(
        "too few hidden layers in the head",
        "Your head does not have a hidden layer for every entry of its list of widths.",
        *(cut_head(cut) for cut in (slice(0, 1), slice(-1, None), slice(0, -1), slice(1, None))),
    ),
    Mistake(
        "head units not used",
        "The hidden layers of your head have fixed widths: they are an argument.",
        *(
            resized(head_units=partial(_always, fixed))
            for fixed in ((2048, 1024), (2048,), (1024,), (512,), (256,), (128,))
        ),
    ),
    Mistake(
        "head units reversed",
        "The hidden layers of your head come in the reverse order.",
        resized(head_units=lambda s: s.head_units[::-1]),
    ),
    Mistake(
        "tokens scaled",
        "You multiply the tokens by √d. That is a habit of language models; here nothing is scaled.",
        {"scale": lambda width: (np.sqrt(width), 1.0)},
        {"scale": lambda width: (np.sqrt(width), np.sqrt(width))},
        {"scale": lambda width: (1 / np.sqrt(width), 1.0)},
    ),
    Mistake(
        "positions scaled",
        "Your positions are added more than once, or multiplied. They are added once, as they are.",
        {"positions": (2.0, 1)},
        {"positions": (0.5, 1)},
        {"positions": (-1.0, 1)},
    ),
    Mistake(
        "another patch size",
        "Your patches are not of the size patch_size says.",
        resized(patch_size=lambda s: 1),
    ),
]


def mistakes(*further: Mistake, without: Sequence[str] = ()) -> list[Mistake]:
    """Return the mistakes of both models, those named left out, and further ones first.

    A model of other sizes has its dropouts elsewhere, and may have weights that are never reached:
    that costs nothing beside the sizes.
    """
    known_here = {mistake.name for mistake in further}
    chosen = [*further, *(m for m in MISTAKES if m.name not in {*without, *known_here})]
    for mistake in chosen:
        if any({"resize", "head_reads", "shared"} & set(way) for way in mistake.ways):
            mistake.entails = (*mistake.entails, *DROPOUT, *UNLEARNED)
    return chosen


# --- what only the kernel can know -----------------------------------------------------------------

RANDOM = Sign(
    "dropout always on",
    "The same images give other logits each time, although the model is not training. Dropout "
    "belongs to training alone: leave the switch to Keras.",
    lambda case, seen: not seen["repeats"],
    anywhere=True,
)


def untracked(formula: Callable[..., Lazily]) -> Sign:
    """Return the sign of a model that lacks just the weights of its table of positions."""

    def seen_in(case: Case, seen: Observation) -> bool:
        expected: Any = formula(case, seen)["parameter_count"]
        lacking = int(expected) - int(seen["parameter_count"])
        return bool(seen["in_pieces"]) and lacking == int(np.prod(seen["encoding"].shape[1:]))

    return Sign(
        "positions not trainable",
        "Keras does not know the table of positions of your model: it is made outside a layer. An "
        "Embedding called on tf.range in the open is not tracked: it is never trained and never saved.",
        seen_in,
    )


def learns(case: Case, seen: Observation) -> Wrong | None:
    """The gradient reaches every weight, from the model's own initial values too."""
    for fact in ("without_gradient", "cannot_learn"):
        missed = sorted(str(name) for name in seen.values.get(fact, np.array([], str)))
        if not missed:
            continue
        if fact == "cannot_learn":
            return Wrong(
                "start that cannot learn",
                f"With the initial values that your model starts from, {len(missed)} of its weights, "
                f"{', '.join(missed[:4])} among them, get no gradient, and it is still so after a few "
                "steps. Draw initial values at random.",
            )
        return Wrong(
            "weights without gradient",
            f"Training would not change {len(missed)} of the weights, {', '.join(missed[:4])} among "
            "them: the logits do not depend on them, or the gradient is cut on the way.",
        )
    return None


def nothing_random(case: Case, seen: Observation) -> Wrong | None:
    """At inference, nothing is left to chance."""
    return None if seen["repeats"] else Wrong(RANDOM.name, RANDOM.message)


def acted(seen: Observation) -> list[tuple[int, int, float]]:
    """Return rows, width and rate of each dropout that acted."""
    return [(int(rows), int(width), float(rate)) for rows, width, rate in seen["dropouts"]]


@dataclass(frozen=True)
class Part:
    """Where dropout belongs: the argument that holds its rate, and the widths that it drops from."""

    argument: str
    rate: float
    widths: Sequence[int]


def dropout(
    case: Case, seen: Observation, blocks: Part, head: Part, more: bool = False
) -> Wrong | None:
    """Return what is wrong with the places and rates of dropout; `more`: blocks may have further ones.

    Dropout that is not made of Keras' layers cannot be seen: then it is enough that there is some.
    """
    found = acted(seen)
    inside = [(width, rate) for rows, width, rate in found if rows > 1]
    outside = [(width, rate) for rows, width, rate in found if rows == 1]
    if not found and seen["drops"]:
        return None
    if not case["transformer_layers"] and inside:
        return Wrong(
            "dropout too many",
            "Without any block, dropout acts on your tokens. It belongs into the blocks and the head: "
            "nothing is dropped from the tokens between or behind them.",
        )
    parts = [(outside, head, "head"), *([(inside, blocks, "blocks")] if blocks.widths else [])]
    for drops, part, place in parts:
        wrong = _of_part(drops, part, place, further=more and place == "blocks")
        if wrong:
            return wrong
    return None


def _of_part(drops: Sequence[tuple[int, float]], part: Part, place: str, further: bool) -> Wrong | None:
    others = sorted({rate for _, rate in drops if abs(rate - part.rate) > 1e-6})
    if not drops or others:
        came = f"dropout has the rate {others[0]:g}" if others else "nothing is dropped"
        return Wrong(
            "dropout rates swapped or unused",
            f"With {part.argument} = {part.rate:g}, {came} in the {place}. Give each rate to the part "
            "that it is named after.",
        )
    missing = Counter(part.widths) - Counter(width for width, _ in drops)
    extra = Counter(width for width, _ in drops) - Counter(part.widths)
    if missing:
        return Wrong(
            f"dropout missing in the {place}",
            f"In the {place} nothing is dropped where {' and '.join(map(str, missing))} numbers of "
            "a row come out. After which layers does the task ask for Dropout?",
        )
    if extra and not further:
        return Wrong(
            "dropout too many",
            f"In the {place}, dropout acts where {' and '.join(map(str, extra))} numbers of a row come "
            "out, and nobody asked for it there.",
        )
    return None


def another_activation(case: Case, seen: Observation) -> bool:
    """Return whether a non-linearity other than GELU was seen."""
    others = [step for steps in activations.OTHERS.values() for step in steps]
    return bool(activations.used(seen["non_linearities"], others))


def remark_on_activation(text: str) -> Remark:
    return Remark(text, another_activation)

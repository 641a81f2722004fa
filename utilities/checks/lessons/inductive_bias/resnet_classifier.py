"""A classifier on a convolutional backbone: cases, the formula, the mistakes, what is looked at."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from utilities.checks.core import activations, oracles
from utilities.checks.core.check import Check, Choice, Claim, Lazily, Mistake, Sign, Values, Wrong
from utilities.checks.core.drawing import normal
from utilities.checks.core.oracles import Step
from utilities.checks.kernel import known
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.inductive_bias.protocol import PATCH, REPEAT

IMAGENET = 1000  # classes of a backbone's own top
EPSILON = 1e-3  # of Keras' batch normalisation
STAGES = ("one layer", "head", "augmentation", "training")

# --- what goes in: no two weights of a head have one shape ----------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw classifiers with one hidden layer and with several, without and with augmentation."""
    drawn = [
        _case(rng, "one layer", 2, (8, 6, 3), filters=5, head_units=(7,), num_classes=4),
        _case(rng, "head", 1, (6, 10, 2), filters=4, head_units=(9, 11), num_classes=6),
        _case(rng, "head", 2, (4, 6, 3), filters=6, head_units=(8, 12, 7), num_classes=3),
        _case(rng, "augmentation", 3, (4, 6, 1), filters=6, head_units=(10, 5), num_classes=7),
        _case(rng, "training", 4, (4, 2, 2), filters=5, head_units=(9, 8), num_classes=3),
    ]
    if thorough:
        first, second, filters = (int(n) for n in rng.permutation(np.array([6, 9, 13])))
        drawn.append(_case(rng, "head", 2, (10, 8, 3), filters, (first, second, 8), num_classes=5))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    image: tuple[int, int, int],
    filters: int,
    head_units: Sequence[int],
    num_classes: int,
) -> Case:
    inputs = {
        "num_classes": num_classes,
        "head_units": np.array(head_units),
        "filters": filters,
        "augmented": stage in ("augmentation", "training"),
        "images": normal(rng, batch, *image),
        "weights": int(rng.integers(1 << 30)),
    }
    return Case(stage, inputs, unsaid=("filters", "augmented", "weights"))


# --- the formula -----------------------------------------------------------------------------------

Units = Callable[[Case], Sequence[int]]


def formula(
    case: Case,
    seen: Observation,
    *,
    augment: Callable[[bool], bool | None] = lambda training: training,
    statistics: Callable[[bool], bool] = lambda training: training,
    pool: Step = lambda maps: maps.mean(axis=(1, 2)),
    top: bool = False,
    units: Units = lambda case: case["head_units"].tolist(),
    classes: Callable[[Case], int] = lambda case: case["num_classes"],
    activation: Step = oracles.gelu,
    normalise: tuple[str, str] | None = None,
    finish: Step = lambda logits: logits,
) -> Lazily:
    """Return pooled features, logits, and the number of weights.

    augment: how the augmentation acts, given whether the model trains (None: not at all).
    statistics: whether the backbone's normalisation takes those of the batch. pool, top: what is
    made of the feature maps, and whether the backbone's own classifier is. units, classes: widths
    of the head. normalise: a normalisation too many ("batch" or "layer") and its place ("pooled" or
    "hidden"). finish: what is done to the logits.
    """
    widths = [*units(case), classes(case)]
    head = partial(_head, case, widths, activation, normalise)
    follows = bool(seen["backbone_trained"])  # Keras runs what is frozen as at inference
    of_batch = statistics if follows else (lambda training: False)
    summary = cache(partial(_summary, case, augment, of_batch, pool, top))

    def output() -> np.ndarray:
        fits = seen["in_pieces"] and seen["pooled_features"].shape == summary(False).shape
        return finish(
            head(seen["pooled_features"].astype(np.float64) if fits else summary(False), False)
        )

    height, across, channels = case["images"].shape[1:]
    if case["augmented"] and augment(False) is not None:
        height, across = REPEAT * height, REPEAT * across
    maps = np.zeros((1, height // PATCH, across // PATCH, case["filters"]))
    pooled_width = IMAGENET if top else pool(maps).shape[-1]
    layers = [case["filters"], IMAGENET] if top else [pooled_width]
    count = oracles.dense_parameter_count(PATCH**2 * channels, case["filters"]) + 4 * case["filters"]
    count += oracles.dense_parameter_count(*layers, *widths)
    if normalise:
        kind, place = normalise
        places = [pooled_width] if place == "pooled" else widths[:-1]
        count += {"batch": 4, "layer": 2}[kind] * sum(places)
    values: dict[str, Any] = {"parameter_count": np.array(count)}
    values["pooled_features"] = partial(summary, False) if seen["in_pieces"] else output
    values["output"] = output
    if case.stage == "training":
        values["output_in_training"] = lambda: finish(head(summary(True), True))
    return values


def _weight(case: Case, *shape: int) -> np.ndarray:
    return known.weight(case["weights"], *shape).astype(np.float64)


def _summary(
    case: Case, augment: Callable, statistics: Callable, pool: Step, top: bool, training: bool
) -> np.ndarray:
    """Return what the head gets, (B, f): the backbone's feature maps, pooled."""
    images, filters = case["images"].astype(np.float64), case["filters"]
    how = augment(training)
    if case["augmented"] and how is not None:
        images = known.augmented(images, how, REPEAT)
    batch, height, width, channels = images.shape
    cut = oracles.patches(images, PATCH)  # (B, N, PATCH²·C)
    maps = cut @ _weight(case, PATCH**2 * channels, filters) + _weight(case, filters)
    maps = maps.reshape(batch, height // PATCH, width // PATCH, filters)  # (B, h, w, f)
    mean, variance = _weight(case, filters), 1.0 + np.square(_weight(case, filters))
    if statistics(training):
        mean, variance = maps.mean(axis=(0, 1, 2)), maps.var(axis=(0, 1, 2))
    maps = (maps - mean) / np.sqrt(variance + EPSILON) + _weight(case, filters)
    maps = np.maximum(maps, 0.0)
    if top:
        scores = maps.mean(axis=(1, 2)) @ _weight(case, filters, IMAGENET) + _weight(case, IMAGENET)
        return oracles.softmax(scores)
    return pool(maps)


def _head(
    case: Case,
    widths: Sequence[int],
    activation: Step,
    normalise: tuple[str, str] | None,
    x: np.ndarray,
    training: bool,
) -> np.ndarray:
    """Return the logits (B, K) of pooled features (B, f)."""
    kind, place = normalise or ("", "")
    x = _normalised(case, x, kind, training) if place == "pooled" else x
    for width in widths[:-1]:
        x = activation(x @ _weight(case, x.shape[-1], width) + _weight(case, width))
        x = _normalised(case, x, kind, training) if place == "hidden" else x
    return x @ _weight(case, x.shape[-1], widths[-1]) + _weight(case, widths[-1])


def _normalised(case: Case, x: np.ndarray, kind: str, training: bool) -> np.ndarray:
    shift = _weight(case, x.shape[-1])
    if kind == "layer":
        return oracles.layer_norm(x, 1.0, shift, EPSILON)
    mean, variance = (x.mean(axis=0), x.var(axis=0)) if training else (0.0, 1.0)
    return (x - mean) / np.sqrt(variance + EPSILON) + shift


# --- the mistakes ----------------------------------------------------------------------------------


def _given(case: Case) -> list[int]:
    return [int(n) for n in case["head_units"]]


TOP = (
    "Your backbone brings its own classifier for the 1,000 classes of ImageNet. You need its feature "
    "maps, and put your own head on them."
)
ANOTHER = (
    "Your hidden layers have another non-linearity. The task asks for GELU, so that the two rivals "
    "differ in what they know of images, and not in this as well."
)
MISTAKES = [
    Mistake("include_top", TOP, top=True, entails=("include_top",)),
    Mistake(
        "flattened instead of averaged",
        "You flatten the feature maps, so that the head gets a weight for every place. Average them "
        "over height and width: what was found counts, not where.",
        pool=lambda maps: maps.reshape(len(maps), -1),
    ),
    Mistake(
        "largest instead of mean",
        "You take the largest value of each feature map; the mean over height and width is asked for.",
        pool=lambda maps: maps.max(axis=(1, 2)),
    ),
    Mistake(
        "summed instead of averaged",
        "You add the feature maps up over height and width; their mean is asked for.",
        pool=lambda maps: maps.sum(axis=(1, 2)),
    ),
    Mistake(
        "head missing",
        "Your logits come straight from the pooled features: the hidden layers of the head are "
        "missing.",
        units=lambda case: [],
    ),
    Mistake(
        "head units reversed",
        "Your hidden layers come in the reverse order of head_units.",
        units=lambda case: _given(case)[::-1],
    ),
    Mistake(
        "first hidden layer alone",
        "Only the first entry of head_units becomes a layer; each of them does.",
        units=lambda case: _given(case)[:1],
    ),
    Mistake(
        "last hidden layer alone",
        "Only the last entry of head_units becomes a layer. Give each layer what the one before "
        "gives, and make one for each entry.",
        units=lambda case: _given(case)[-1:],
    ),
    Mistake(
        "one hidden layer too few",
        "Your head has one hidden layer too few: each entry of head_units becomes a layer, and the "
        "logits come from one more.",
        {"units": lambda case: _given(case)[:-1]},
        {"units": lambda case: _given(case)[1:]},
    ),
    Mistake(
        "hidden layers doubled",
        "Your head has two Dense layers for each entry of head_units; one each is asked for.",
        {"units": lambda case: [n for n in _given(case) for _ in range(2)]},
        {"units": lambda case: 2 * _given(case)},
    ),
    Mistake(
        "head_units not used",
        "Your hidden layers have fixed widths, whatever head_units says. It is an argument: make one "
        "layer for each of its entries.",
        *(
            {"units": lambda case, fixed=fixed: list(fixed)}
            for fixed in ((512, 1024), (512,), (1024,), (256,), (128,), (1024, 512), (64,))
        ),
    ),
    Mistake(
        "wrong number of classes",
        "Your last layer has another width than num_classes.",
        *({"classes": lambda case, n=n: case["num_classes"] + n} for n in (1, -1)),
        *({"classes": lambda case, n=n: n} for n in (10, 100, 1000)),
    ),
    Mistake(
        "softmax at the end",
        "You return probabilities. Return logits: the loss, which is told from_logits=True, applies "
        "the softmax itself.",
        finish=oracles.softmax,
    ),
    Mistake(
        "sigmoid at the end",
        "Your logits went through a sigmoid. Return them as the last Dense layer gives them.",
        finish=oracles.sigmoid,
    ),
    Mistake(
        "non-linearity at the end",
        "Your logits went through a non-linearity. The last layer is linear: a logit may be negative.",
        {"finish": activations.relu},
        {"finish": oracles.gelu},
        {"finish": activations.fast_gelu},
        entails=("backbone cut off",),
    ),
    Mistake(
        "no non-linearity",
        "Your hidden layers have no non-linearity: without one, several Dense layers are no more "
        "than one.",
        activation=activations.linear,
    ),
    Mistake(
        "another non-linearity",
        ANOTHER,
        *({"activation": step} for steps in activations.OTHERS.values() for step in steps),
        *({"activation": step} for step in activations.SATURATING),
    ),
    Mistake(
        "normalisation too many",
        "Your head has a normalisation that nobody asked for: pooled features go straight into the "
        "Dense layers, and each of these into the next.",
        *(
            {"normalise": (kind, place)}
            for kind in ("batch", "layer")
            for place in ("pooled", "hidden")
        ),
    ),
    Mistake(
        "augmentation left out",
        "Your model never applies data_augmentation, or drops its result. The images go through it "
        "before the backbone.",
        augment=lambda training: None,
    ),
    Mistake(
        "augmentation always on",
        "Your images are augmented at inference as they are in training. Leave the switch to Keras: "
        "call data_augmentation without the argument training.",
        augment=lambda training: True,
    ),
    Mistake(
        "augmentation never on",
        "In training your images are left as they are at inference. Leave the switch to Keras: call "
        "data_augmentation without the argument training.",
        augment=lambda training: False,
    ),
    Mistake(
        "backbone at inference",
        "In training your backbone runs as if it were at inference: its batch normalisation never "
        "learns mean and variance. Leave `training` to Keras.",
        statistics=lambda training: False,
    ),
    Mistake(
        "backbone always in training",
        "At inference your backbone runs as if it were training: an image's logits depend on the "
        "others of its batch. Leave `training` to Keras.",
        statistics=lambda training: True,
    ),
]

# --- what only the kernel can know -----------------------------------------------------------------


def _from_scratch(case: Case, seen: Observation) -> Wrong | None:
    """The backbone has no top and no trained weights."""
    if seen["weights_asked"]:
        return Wrong(
            "trained weights",
            "You ask for trained weights, which is also what happens if nothing is said. They know a "
            "million images; the comparison is between models that start from scratch. Which value of "
            "weights says so?",
        )
    return Wrong("include_top", TOP) if seen["include_top"] else None


def _all_trained(case: Case, seen: Observation) -> Wrong | None:
    """Backbone and head are trained, and the gradient reaches the backbone."""
    if not seen["backbone_trained"]:
        return Wrong(
            "backbone frozen",
            "Your backbone is frozen. With random weights it has learned nothing that could be kept: "
            "it has to be trained with the rest.",
        )
    if not np.all(seen["reached"]):
        return Wrong(
            "backbone cut off",
            "No gradient reaches your backbone: something between it and the logits cuts it off, so "
            "training would not change it.",
        )
    if not seen["head_trained"]:
        return Wrong("head frozen", "Some weights of your head are frozen. Everything is trained.")
    return None


CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values(
            ("one layer", "head"),
            "feature maps averaged over height and width",
            2.5,
            of=("pooled_features",),
        ),
        Values(
            "one layer", "one hidden layer with GELU, then logits", 1.0, ("output",), ("activation",)
        ),
        Values("head", "hidden layers of any number and width", 1.5, of=("output",)),
        Values(
            "augmentation", "images go through the augmentation first", 1.5, of=("pooled_features",)
        ),
        Values(
            "training",
            "augmentation and backbone switch to training by themselves, and nothing else does",
            of=("output_in_training",),
            about=("augment", "statistics"),
        ),
        Values(
            STAGES,
            "it has as many weights as backbone and head need",
            0.5,
            of=("parameter_count",),
            about=("units", "classes", "normalise"),
            claim=True,
        ),
        Claim(
            STAGES,
            "the backbone comes without its own top and without trained weights",
            1.0,
            _from_scratch,
            ("one layer",),
            early=True,
        ),
        Claim(STAGES, "everything is trained, the backbone too", 1.0, _all_trained, ("one layer",)),
    ],
    mistakes=MISTAKES,
    choices=[Choice("", {"activation": step}) for step in activations.GELU[1:]],
    signs=[
        Sign(
            "dropout nobody asked for",
            "In training the same images give other logits each time, although the augmentation here "
            "leaves nothing to chance. The task asks for no dropout.",
            lambda case, seen: case.stage == "training" and not seen["training_repeats"],
        ),
    ],
    depth=6,
)

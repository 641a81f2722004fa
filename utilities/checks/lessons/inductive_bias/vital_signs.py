"""Vital signs: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import permutations

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import (
    Arrays,
    Check,
    Claim,
    Mistake,
    Only,
    Remark,
    Sign,
    Values,
    Wrong,
)
from utilities.checks.core.drawing import kernel, normal
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.inductive_bias.protocol import SIGNS

NEAR_ZERO, NEAR_ZERO_TRIES = 0.03, 200
MANY = 300  # images: more than any habit of looking at the first few
FEW = (1, 2, 3, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100, 128, 200, 250, 256)

# --- what goes in ----------------------------------------------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw live models, one with dropout, one partly frozen, a dead one; labels both ways."""
    drawn = [
        _case(rng, "live", 5, (2, 3, 1), hidden=4, num_classes=3),
        _case(rng, "live", 9, (3, 2, 2), hidden=5, num_classes=4, strength=3.0),
        _case(rng, "column", 6, (2, 2, 2), hidden=7, num_classes=4, column=True),
        _case(rng, "many", MANY, (2, 1, 2), hidden=4, num_classes=3),
        _case(rng, "dropout", 7, (2, 2, 3), hidden=8, num_classes=5, column=True),
        _case(rng, "frozen", 4, (3, 1, 2), hidden=7, num_classes=3),
        _case(rng, "dead", 6, (2, 4, 1), hidden=5, num_classes=3, column=True),
    ]
    for stage in ("live", "dropout") if thorough else ():
        n, hidden, num_classes = (int(n) for n in rng.permutation(np.array([4, 6, 9])))
        column = stage == "dropout"  # as above: what stops for labels in a column stops as often
        drawn.append(_case(rng, stage, n, (2, 5, 1), hidden, num_classes, column))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    n: int,
    image: tuple[int, int, int],
    hidden: int,
    num_classes: int,
    column: bool = False,
    strength: float = 1.0,
) -> Case:
    """Return images, labels, and the weights of a model of two layers.

    A dead model has no last kernel, so that its logits are its biases whatever the image. No logit
    of a small case is nearly 0: taken for a probability it would have no digits left.
    """
    labels = rng.integers(0, num_classes, size=(n, 1) if column else n)
    labels.flat[:num_classes] = np.arange(num_classes)[:n]
    weights = {
        "kernel_1": kernel(rng, int(np.prod(image)), hidden),
        "bias_1": normal(rng, hidden) / 2 + np.float32(0.5),
        "kernel_2": kernel(rng, hidden, num_classes) * np.float32(strength * (stage != "dead")),
        "bias_2": normal(rng, num_classes),
    }
    for _ in range(NEAR_ZERO_TRIES):
        images = normal(rng, n, *image)
        case = Case(stage, {"images": images, "labels": labels, **weights}, unsaid=tuple(weights))
        if n == MANY or np.abs(_forward(case)[2]).min() > NEAR_ZERO:
            break
    return case


# --- the formula: logits z (n, K), labels y (n,) ---------------------------------------------------

Loss = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]  # z, y → loss, its slope (n, K)


def cross_entropy(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean cross-entropy and its derivative by the logits."""
    slope = (oracles.softmax(z) - np.eye(z.shape[-1])[y]) / len(y)
    return float(oracles.cross_entropy(z, y).mean()), slope


def spread_of(z: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each class over the images, averaged over the classes."""
    return z.std(axis=0).mean()


def global_norm(gradients: Sequence[np.ndarray]) -> float:
    """Return the root of the sum of all squares."""
    return float(np.sqrt(sum(np.square(gradient).sum() for gradient in gradients)))


def formula(
    case: Case,
    seen: Observation,
    *,
    first: int | None = None,
    loss: Loss = cross_entropy,
    slope: Loss = cross_entropy,
    every_label: bool = False,
    spread: Callable[[np.ndarray], np.ndarray] = spread_of,
    norm: Callable[[Sequence[np.ndarray]], float] = global_norm,
    frozen_too: bool = False,
    order: tuple[int, ...] = (0, 1, 2),
) -> Arrays:
    """Return loss, spread and gradient norm of the case's model.

    first: how many images are looked at, all if None. slope: the loss that is differentiated.
    every_label: labels in a column are compared with every image. order: of the results.
    """
    flat, hidden, z = (array[:first] for array in _forward(case))
    y = np.ravel(case["labels"])[:first]
    if every_label and case["labels"].ndim > 1:
        loss, slope = (partial(_every_label, of) for of in (loss, slope))
    by_z = slope(z, y)[1]
    by_hidden = by_z @ case["kernel_2"].T.astype(np.float64) * (hidden > 0)  # (n, u)
    gradients = [flat.T @ by_hidden, by_hidden.sum(0), hidden.T @ by_z, by_z.sum(0)]
    counted = gradients[2:] if case.stage == "frozen" and not frozen_too else gradients
    signs = (np.array(loss(z, y)[0]), np.asarray(spread(z)), np.array(norm(counted)))
    named = {name: signs[place] for name, place in zip(SIGNS, order, strict=True)}
    return {name: named[name] for name in (SIGNS[:2] if case.stage == "many" else SIGNS)}


def _forward(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the flat images (n, p), the hidden values (n, u) and the logits (n, K)."""
    flat = case["images"].reshape(len(case["images"]), -1).astype(np.float64)
    kernel_1, bias_1, kernel_2, bias_2 = (case[name].astype(np.float64) for name in case.unsaid)
    hidden = np.maximum(flat @ kernel_1 + bias_1, 0.0)
    return flat, hidden, hidden @ kernel_2 + bias_2


# --- the mistakes ----------------------------------------------------------------------------------


def _every_label(loss: Loss, z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    shifted = [loss(z, np.full(len(y), label)) for label in y]
    return float(np.mean([value for value, _ in shifted])), np.mean(
        [by_z for _, by_z in shifted], axis=0
    )


def _as_probabilities(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return what Keras makes of logits that it takes for probabilities."""
    clipped = np.clip(z, 1e-7, 1 - 1e-7)
    value, by_log = cross_entropy(np.log(clipped), y)
    return value, np.where((z >= 1e-7) & (z <= 1 - 1e-7), by_log / clipped, 0.0)


def _softmax_twice(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    probabilities = oracles.softmax(z)
    value, by_p = cross_entropy(probabilities, y)
    return value, probabilities * (by_p - (by_p * probabilities).sum(-1, keepdims=True))


def _summed(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    value, by_z = cross_entropy(z, y)
    return value * len(y), by_z * len(y)


def _norms(gradients: Sequence[np.ndarray]) -> list[float]:
    return [global_norm([gradient]) for gradient in gradients]


MISTAKES = [
    Mistake(
        "results exchanged",
        "Your three numbers are right, but stand in another order: loss, spread, gradient norm.",
        *({"order": order} for order in permutations(range(3)) if order != (0, 1, 2)),
    ),
    Mistake(
        "first images alone",
        "Your numbers are those of the first few images. Whoever calls vital_signs says how many "
        "there are: look at all that are given.",
        *({"first": n} for n in FEW),
    ),
    Mistake(
        "logits taken for probabilities",
        "Your loss takes the logits for probabilities. The model ends in logits: tell the loss so.",
        {"loss": _as_probabilities},
        {"loss": _as_probabilities, "slope": _as_probabilities},
    ),
    Mistake(
        "softmax twice",
        "Your loss equals that of a softmax of a softmax: say from_logits=True of logits, not of "
        "probabilities.",
        {"loss": _softmax_twice},
        {"loss": _softmax_twice, "slope": _softmax_twice},
    ),
    Mistake(
        "loss summed",
        "Your loss is the sum over the images; the mean does not depend on how many there are.",
        {"loss": _summed},
        {"loss": _summed, "slope": _summed},
    ),
    Mistake(
        "every label for every image",
        "Where the labels stand in a column, (n, 1), your loss compares each image with the labels "
        "of all images. Lay them in a row first.",
        every_label=True,
    ),
    Mistake(
        "spread between classes",
        "Your spread is taken over the classes of one image. A dead model can have that too: what "
        "tells it is that nothing changes from image to image.",
        spread=lambda z: z.std(axis=1).mean(),
    ),
    Mistake(
        "spread of all logits",
        "Your spread is that of all logits together, so that biases which differ from class to class "
        "count as well. Take it for each class over the images, then the mean.",
        spread=lambda z: z.std(),
    ),
    Mistake(
        "variance",
        "Your spread is a mean variance; the standard deviation is its root.",
        spread=lambda z: z.var(axis=0).mean(),
    ),
    Mistake(
        "root of the mean variance",
        "You average the variances of the classes and take the root last. Take the root for each "
        "class, then the mean.",
        spread=lambda z: np.sqrt(z.var(axis=0).mean()),
    ),
    Mistake(
        "n − 1",
        "Your standard deviation divides by n − 1 (ddof=1); divide by n, as np.std and "
        "tf.math.reduce_std do.",
        spread=lambda z: z.std(axis=0).mean() * np.sqrt(len(z) / max(len(z) - 1, 1)),
    ),
    Mistake(
        "spread of probabilities",
        "Your spread is that of the probabilities; take it of the logits.",
        spread=lambda z: oracles.softmax(z).std(axis=0).mean(),
    ),
    Mistake(
        "spread of each class",
        "Your spread has one number for each class. One number is asked for: their mean.",
        spread=lambda z: z.std(axis=0),
    ),
    Mistake(
        "spread summed",
        "You add the standard deviations of the classes; their mean is asked for.",
        spread=lambda z: z.std(axis=0).sum(),
    ),
    Mistake(
        "largest spread",
        "Your spread is that of the class that spreads most; the mean over the classes is asked for.",
        spread=lambda z: z.std(axis=0).max(),
    ),
    Mistake(
        "norms added",
        "You add the norms of the single gradients. The norm of all of them together is the root of "
        "the sum of their squares.",
        norm=lambda gradients: sum(_norms(gradients)),
    ),
    Mistake(
        "norms averaged",
        "You average the norms of the single gradients. The norm of all of them together is the root "
        "of the sum of their squares.",
        norm=lambda gradients: float(np.mean(_norms(gradients))),
    ),
    Mistake(
        "squared norm",
        "Your gradient norm is squared: the root is missing.",
        norm=lambda gradients: global_norm(gradients) ** 2,
    ),
    Mistake(
        "largest norm",
        "Your gradient norm is the largest of the single ones; all of them count.",
        norm=lambda gradients: max(_norms(gradients)),
    ),
    Mistake(
        "sum of absolute values",
        "Your gradient norm is the sum of absolute values; the Euclidean norm is asked for.",
        norm=lambda gradients: float(sum(np.abs(g).sum() for g in gradients)),
    ),
    Mistake(
        "last gradient alone",
        "Your gradient norm is that of the last weight alone; all trainable weights count.",
        norm=lambda gradients: _norms(gradients)[-1],
    ),
    Mistake(
        "first gradient alone",
        "Your gradient norm is that of the first weight alone; all trainable weights count.",
        norm=lambda gradients: _norms(gradients)[0],
    ),
    Mistake(
        "biases left out",
        "Your gradient norm is that of the kernels alone. Biases are trained too: all trainable "
        "weights count.",
        norm=lambda gradients: global_norm(gradients[::2]),
    ),
    Mistake(
        "frozen weights counted",
        "Your gradient norm counts weights that are frozen. Training does not change them: ask the "
        "model for its trainable weights.",
        frozen_too=True,
    ),
    Mistake(
        "gradient of the summed loss",
        "Your gradient belongs to the sum over the images; take that of their mean.",
        slope=_summed,
    ),
]


def _changed(case: Case, seen: Observation) -> Wrong | None:
    """The model is left as it was."""
    if seen["kept"]:
        return None
    return Wrong(
        "model trained",
        "Your function changes the model: its weights, or which of them are trained. It is to look, "
        "not to train: no optimiser takes a step.",
    )


CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values("live", "loss: the mean cross-entropy of the logits", 2.0, of=("loss",)),
        Values("live", "spread: how much each logit varies from image to image", 2.0, of=("spread",)),
        Values("column", "gradient norm: one norm of all gradients", 2.0, of=("gradient_norm",)),
        Values("many", "every image counts, however many there are", about=("first",)),
        Values("dropout", "the model is looked at as it is at inference: without dropout"),
        Values(
            "frozen",
            "gradients of the trainable weights count, and only these",
            of=("gradient_norm",),
            about=("frozen_too",),
        ),
        Values(
            "dead", "a model that gives every image the same logits has spread 0", 0.5, of=("spread",)
        ),
        Claim("column", "the model is as it was before", 1.0, _changed, ("column",)),
    ],
    mistakes=MISTAKES,
    signs=[
        Sign(
            "dropout active",
            "Your numbers change from call to call where the model has dropout: it is active while "
            "you look. Call the model with training=False.",
            lambda case, seen: case.stage == "dropout" and not seen["repeats"],
        )
    ],
    kinds=[
        Only(
            "labels in a row alone",
            "Your function works where the labels stand in a row, (n,), but not in a column, (n, 1), "
            "as CIFAR has them.",
            lambda case: case["labels"].ndim == 2,
        ),
        Only(
            "labels in a column alone",
            "Your function works where the labels stand in a column, (n, 1), but not in a row, (n,).",
            lambda case: case["labels"].ndim == 1,
        ),
    ],
    remarks=[
        Remark(
            "Your three numbers come in one array. They unpack as a tuple does, and a tuple is what "
            "the task says.",
            lambda case, seen: bool(seen["in_an_array"]),
        )
    ],
    depth=4,
)

"""The optimiser that uses the schedule: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Mistake, Values
from utilities.checks.core.drawing import normal
from utilities.checks.kernel.case import Case, Observation

KERAS_WEIGHT_DECAY = 0.004  # what AdamW does if nothing else is said

# --- what goes in ----------------------------------------------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw runs whose last batch is full or not, with and without warm-up."""
    draw = partial(_case, rng)
    drawn = [
        draw("full batches", num_samples=12, epochs=5, batch_size=4, warmup_epochs=1),
        draw("last batch", num_samples=10, epochs=5, batch_size=4, warmup_epochs=1),
        draw("no warm-up", num_samples=6, epochs=3, batch_size=2, warmup_epochs=0),
        draw("update", num_samples=11, epochs=3, batch_size=4, warmup_epochs=1),
    ]
    if thorough:
        batch_size = int(rng.integers(3, 6))
        num_samples = 2 * batch_size + int(rng.integers(1, batch_size))
        sizes = {"num_samples": num_samples, "batch_size": batch_size}
        drawn.append(draw("last batch", epochs=5, warmup_epochs=2, **sizes))
        drawn.append(draw("update", epochs=4, warmup_epochs=0, **sizes))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    num_samples: int,
    epochs: int,
    batch_size: int,
    warmup_epochs: int,
) -> Case:
    """Return the arguments of `make_optimizer`, weights, and gradients for two steps too many."""
    steps = epochs * -(-num_samples // batch_size) + 2
    inputs = {
        "num_samples": num_samples,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": round(float(rng.uniform(0.05, 0.1)), 3),
        "weight_decay": round(float(rng.uniform(0.2, 0.3)), 3),
        "warmup_epochs": warmup_epochs,
        "kernel": normal(rng, 5),
        "gradients": normal(rng, steps, 5) + np.float32(0.5),
    }
    return Case(stage, inputs, unsaid=("kernel", "gradients"))


# --- the formula -----------------------------------------------------------------------------------


def adamw(
    kernel: np.ndarray, gradients: np.ndarray, rates: np.ndarray, decay: float, penalty: float = 0.0
) -> np.ndarray:
    """Return the weights after each step of AdamW with these gradients, (steps, p)."""

    def step(gradient: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return gradient + penalty * weights

    return oracles.adamw(kernel, [partial(step, gradient) for gradient in gradients], rates, decay)


def formula(
    case: Case,
    seen: Observation,
    *,
    steps_per_epoch: Callable[[int, int], float] = lambda samples, batch: -(-samples // batch),
    total: Callable[[Case, float], float] = lambda case, steps: case["epochs"] * steps,
    warmup: Callable[[Case, float], float] = lambda case, steps: case["warmup_epochs"] * steps,
    first: Callable[[Case], float] = lambda case: 0.0,
    peak: str = "learning_rate",
    rates: Callable[..., np.ndarray] = oracles.warm_up_cosine,
    decay: Callable[[Case], float] = lambda case: case["weight_decay"],
    update: Callable[..., np.ndarray] = adamw,
) -> Arrays:
    """Return the rate that each step uses and, in the last stage, the weights after it.

    The settings: how many steps an epoch has; how many the run and the warm-up have, given that;
    the rate at the first step and the argument that is the highest; the schedule; the weight decay;
    and the optimiser, (weights, gradients, rates, decay) → the weights after each step.
    """
    one_epoch = steps_per_epoch(case["num_samples"], case["batch_size"])
    gradients = case["gradients"].astype(np.float64)
    total_steps, warmup_steps = total(case, one_epoch), warmup(case, one_epoch)
    if total_steps < warmup_steps:
        raise ValueError("the schedule refuses it")
    steps = np.arange(len(gradients))
    used = rates(steps, case[peak], total_steps, first(case), warmup_steps)
    if case.stage != "update":
        return {"learning_rate": used}
    return {"weights": update(case["kernel"].astype(np.float64), gradients, used, decay(case))}


# --- the mistakes ----------------------------------------------------------------------------------


def _constant(steps: np.ndarray, base: float, *_: Any) -> np.ndarray:
    return np.full(len(steps), base)


def _gradient_descent(
    kernel: np.ndarray, gradients: np.ndarray, rates: np.ndarray, decay: float
) -> np.ndarray:
    weights = []
    for gradient, rate in zip(gradients, rates, strict=True):
        kernel = kernel - rate * (gradient + decay * kernel)
        weights.append(kernel)
    return np.array(weights)


def _penalised(
    kernel: np.ndarray, gradients: np.ndarray, rates: np.ndarray, decay: float
) -> np.ndarray:
    return adamw(kernel, gradients, rates, 0.0, penalty=decay)


MISTAKES = [
    Mistake(
        "constant rate",
        "Your optimiser uses the same learning rate in every step. Was the schedule made, and then "
        "not handed to the optimiser?",
        rates=_constant,
    ),
    Mistake(
        "last batch forgotten",
        "Your run ends too soon: when the samples do not fill the last batch, it still is a step. "
        "Which way must the division be rounded?",
        steps_per_epoch=lambda samples, batch: samples // batch,
    ),
    Mistake(
        "a batch too many",
        "Where the samples fill all batches, you count one more. Which rounding leaves a whole "
        "number as it is?",
        steps_per_epoch=lambda samples, batch: samples // batch + 1,
    ),
    Mistake(
        "steps not a whole number",
        "Your epoch has a fraction of a step: num_samples / batch_size is not rounded.",
        steps_per_epoch=lambda samples, batch: samples / batch,
    ),
    Mistake(
        "rounded at the end alone",
        "You round the steps of the whole run. In each epoch the last batch is a step of its own: "
        "round the steps of one epoch, and multiply then.",
        {
            "steps_per_epoch": lambda samples, batch: samples / batch,
            "total": lambda case, steps: int(np.ceil(case["epochs"] * steps)),
            "warmup": lambda case, steps: int(np.ceil(case["warmup_epochs"] * steps)),
        },
        {
            "steps_per_epoch": lambda samples, batch: samples / batch,
            "total": lambda case, steps: int(case["epochs"] * steps),
            "warmup": lambda case, steps: int(case["warmup_epochs"] * steps),
        },
    ),
    Mistake(
        "epochs counted as steps",
        "Your schedule is over after as many steps as there are epochs. The optimiser counts steps, "
        "and an epoch has many of them.",
        {"steps_per_epoch": lambda *_: 1},
        {"total": lambda case, _: case["epochs"]},
    ),
    Mistake(
        "samples counted as steps",
        "Your schedule counts samples. The optimiser makes one step for each batch.",
        steps_per_epoch=lambda samples, _: samples,
    ),
    Mistake(
        "epochs divided by steps",
        "Your schedule lasts for epochs / steps_per_epoch steps. The optimiser makes steps_per_epoch "
        "steps in each epoch: how many in the whole run?",
        total=lambda case, steps: case["epochs"] / steps,
    ),
    Mistake(
        "one epoch only",
        "Your schedule is over after the first epoch: how many steps does the whole run have?",
        total=lambda case, steps: steps,
    ),
    Mistake(
        "warm-up counted in steps",
        "Your warm-up lasts warmup_epochs steps. How many steps has an epoch?",
        warmup=lambda case, _: case["warmup_epochs"],
    ),
    Mistake(
        "no warm-up",
        "Your learning rate starts at its highest: warmup_epochs has no effect.",
        warmup=lambda *_: 0,
    ),
    Mistake(
        "warm-up added to the run",
        "Your run is longer than it is by the warm-up, so the rate does not reach 0. The warm-up is "
        "part of the epochs.",
        total=lambda case, steps: (case["epochs"] + case["warmup_epochs"]) * steps,
    ),
    Mistake(
        "warm-up taken from the run",
        "Your run is shorter than it is by the warm-up. total_steps counts all the steps, those of "
        "the warm-up included.",
        total=lambda case, steps: (case["epochs"] - case["warmup_epochs"]) * steps,
    ),
    Mistake(
        "warm-up from the full rate",
        "Your warm-up starts at the full learning rate, so nothing rises. It starts at 0.",
        first=lambda case: case["learning_rate"],
    ),
    Mistake(
        "warm-up from another rate",
        "Your warm-up does not start at 0: a tenth or a hundredth of the rate, or a number of your "
        "own, stands where the first rate should be 0.",
        *({"first": lambda case, s=share: s * case["learning_rate"]} for share in (0.1, 0.01)),
        {"first": lambda case: 1e-4},
        {"first": lambda case: 1e-3},
    ),
    Mistake(
        "rate and decay exchanged",
        "Your highest learning rate is weight_decay: two arguments have changed places.",
        {"peak": "weight_decay"},
        {"peak": "weight_decay", "decay": lambda case: case["learning_rate"]},
    ),
    Mistake(
        "no weight decay",
        "Your optimiser has no weight decay, though its learning rates are right.",
        decay=lambda _: 0.0,
    ),
    Mistake(
        "weight decay of its own",
        "Your optimiser uses AdamW's own weight decay, 0.004, not the one that is given.",
        decay=lambda _: KERAS_WEIGHT_DECAY,
    ),
    Mistake(
        "penalty instead of weight decay",
        "Your weight decay is added to the gradient, so that Adam rescales it. AdamW keeps it apart: "
        "the decay acts on the weights themselves.",
        update=_penalised,
    ),
    Mistake(
        "not AdamW",
        "The steps of your optimiser are those of plain gradient descent; AdamW is asked for.",
        {"update": _gradient_descent},
        {"update": _gradient_descent, "decay": lambda _: 0.0},
        {"update": _gradient_descent, "decay": lambda _: KERAS_WEIGHT_DECAY},
    ),
]

CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values(
            "full batches",
            "every step uses the learning rate that the schedule has for it, over exactly the run",
            2.0,
            about=("rates", "total", "warmup", "first", "peak"),
        ),
        Values("last batch", "a last batch that is not full is a step too", about=("steps_per_epoch",)),
        Values("no warm-up", "with warmup_epochs = 0 it starts at the highest rate", 0.5),
        Values(
            "update",
            "the steps are AdamW's, with this weight decay",
            1.5,
            about=("update", "decay"),
        ),
    ],
    mistakes=MISTAKES,
    depth=lambda case: 12 if case.stage == "update" else 4,  # steps build on those before them
)

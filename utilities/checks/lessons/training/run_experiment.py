"""A training run: the formula of its steps, the mistakes, and what else is looked at."""

from collections.abc import Callable
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Values
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons.training import run_facts, runs
from utilities.checks.lessons.training.run_cases import run_cases

KERAS_WEIGHT_DECAY = 0.004  # what AdamW does if nothing else is said
STEPS_TOLD = 4  # of a run, by which a wrong loss is told
SHORTEST_STEP = 1e-5  # a step below it is rounding
# (case, seen, steps (s,), the first step's change at a rate of one) → learning rates (s,)
Rates = Callable[[Case, Observation, np.ndarray, Callable[[], np.ndarray]], np.ndarray]

# --- the formula -----------------------------------------------------------------------------------


def formula(
    case: Case,
    seen: Observation,
    *,
    of_logits: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    rates: Rates = lambda case, seen, steps, first: runs.learning_rates(case, steps),
    decay: Callable[[Case], float] = lambda case: runs.given(case, "weight_decay"),
    update: runs.Update | None = None,
) -> Arrays:
    """Return the way of the weights from the start, step by step, on the batches that were seen.

    The settings: the derivative of the loss, the learning rates, the weight decay, the optimiser.
    """
    kernel = case["kernel"].astype(np.float64)
    gradients = [
        oracles.crossentropy_gradient_of(*batch, of_logits) for batch in runs.batches(case, seen)
    ]
    steps = np.arange(len(gradients))

    decays = decay(case)

    def first_at_rate_one() -> np.ndarray:
        return oracles.adamw(kernel, gradients[:1], np.ones(1), decays)[0] - kernel

    used = rates(case, seen, steps, first_at_rate_one)
    if update is not None:
        return {"weight_changes": update(kernel, gradients, used, decays) - kernel}
    changes = _adamw(kernel, gradients, used, decays, seen)
    if of_logits is not None:  # later steps of a wrong loss hang on rounding where it is cut off
        changes[STEPS_TOLD:] = seen["weight_changes"][STEPS_TOLD:]
    return {"weight_changes": changes}


def _adamw(
    kernel: np.ndarray, gradients: list, rates: np.ndarray, decay: Any, seen: Observation
) -> np.ndarray:
    """Return AdamW's changes or, where they hang on rounding or on epsilon, what was observed.

    Adam divides a gradient by its own size: where that is next to nothing, the step is decided by
    rounding, by epsilon, and by a constant factor of the loss. How much, two epsilons tell.
    """
    beta_1, beta_2, own_epsilon = runs.constants(seen)
    epsilons = (own_epsilon, 0.0, 2 * max(own_epsilon, 1e-7))
    expected, low, high = (
        oracles.adamw(kernel, gradients, rates, decay, beta_1, beta_2, epsilon) - kernel
        for epsilon in epsilons
    )
    observed = seen["weight_changes"]
    undecided = np.abs(observed - expected) <= 1.5 * np.abs(high - low)
    return np.where(undecided, observed, expected)


# --- the mistakes ----------------------------------------------------------------------------------


def _own(case: Case, seen: Observation, steps: np.ndarray, first: Callable) -> np.ndarray:
    """Return whatever constant rate the first step shows."""
    rate = np.median(seen["weight_changes"][0] / first())
    if not rate >= SHORTEST_STEP:
        raise ValueError("nothing moves")
    return np.full(len(steps), rate)


def _frozen(case: Case, seen: Observation, steps: np.ndarray, first: Callable) -> np.ndarray:
    return runs.learning_rates(case, 0 * steps)


def _by_epoch(case: Case, seen: Observation, steps: np.ndarray, first: Callable) -> np.ndarray:
    return runs.learning_rates(case, runs.epoch_of_steps(seen))


MISTAKES = [
    Mistake(
        "logits taken for probabilities",
        "Your loss takes the model's outputs for probabilities. They are logits, any real numbers: "
        "what must the loss be told about them?",
        of_logits=runs.of_logits_as_probabilities,
    ),
    Mistake(
        "softmax twice",
        "Your loss applies softmax to outputs that softmax has already been applied to. The model "
        "gives logits; only one place must turn them into probabilities.",
        of_logits=runs.of_softmaxed_logits,
    ),
    Mistake(
        "squared error",
        "Your loss is the squared distance between the outputs and the label's number. A class is "
        "a name, not a quantity: which loss compares a distribution with a class?",
        of_logits=runs.of_squared_error,
    ),
    Mistake(
        "weight decay ignored",
        "Your weights decay as if no weight decay were given, or by a constant of its own: "
        "pass weight_decay on to the optimiser, 0 included.",
        {"decay": lambda case: 0.0},
        {"decay": lambda case: KERAS_WEIGHT_DECAY},
    ),
    Mistake(
        "penalty instead of weight decay",
        "Your weight decay is a penalty in the loss, so that Adam rescales it like any gradient. "
        "AdamW takes it out of the gradient: decay acts on the weights themselves.",
        {"update": runs.penalised(1.0)},
        {"update": runs.penalised(2.0)},
    ),
    Mistake(
        "decay not scaled",
        "Your weights shrink by weight_decay at every step; they should shrink by the learning "
        "rate times weight_decay, so that both fade together.",
        update=runs.undiminished_decay,
    ),
    Mistake(
        "schedule frozen",
        "Your learning rate stays at the schedule's first value. Give the optimiser the schedule "
        "itself: it asks for a new rate at every step.",
        rates=_frozen,
    ),
    Mistake(
        "schedule by epoch",
        "Your learning rate changes once an epoch. A Keras schedule counts steps (batches): give "
        "the optimiser the schedule itself.",
        rates=_by_epoch,
    ),
    Mistake(
        "learning rate ignored",
        "Your steps are Adam's, but of another length than the learning rate says. Does a number "
        "of your own, or Keras' default, stand where the argument should?",
        rates=_own,
        unseen="the rate is read off the first step that was observed",
    ),
    Mistake(
        "gradient descent",
        "Your steps are those of plain gradient descent; AdamW is asked for.",
        {"update": runs.gradient_descent(0.0)},
        {"update": runs.gradient_descent(0.9)},
    ),
    Mistake(
        "RMSprop",
        "Your steps are those of RMSprop; AdamW is asked for.",
        update=runs.rmsprop,
    ),
]

RUNS = ("defaults", "best epoch", "schedule")
CHECK = Check(
    cases=run_cases,
    formula=formula,
    findings=[
        Values("defaults", "a run with nothing but data, epochs and a path works", 0.5),
        Values(
            "best epoch",
            "steps are Adam's, down the cross-entropy of the logits",
            2.0,
            about=("of_logits", "update"),
        ),
        Values(
            "schedule",
            "steps follow the learning rate's schedule and the weight decay",
            1.5,
            about=("rates", "decay"),
        ),
        Claim(RUNS, "runs to its end", 0.5, run_facts.stopped, early=True),
        Claim(RUNS, "runs all epochs, in batches as asked", 1.5, run_facts.epochs),
        Claim(RUNS, "each data set serves its own purpose", 2.0, run_facts.data, early=True),
        Claim("schedule", "the training data are shuffled", 0.5, run_facts.shuffled),
        Claim(RUNS[1:], "callbacks passed in take part", 0.5, run_facts.callbacks),
        Claim("best epoch", "the best weights are saved to ckpt_path", 0.5, run_facts.saved),
        Claim(
            "best epoch",
            "the weights with the best validation accuracy are restored",
            2.0,
            run_facts.weights,
        ),
        Claim(RUNS[1:], "tests on these weights, when asked to", 1.5, run_facts.testing),
        Claim("best epoch", "prints the test accuracy", 0.5, run_facts.printed),
        Claim("best epoch", "returns the History of Keras", 0.5, run_facts.is_history),
        Claim(RUNS[1:], "the history has loss and accuracy of all epochs", 1.0, run_facts.history),
    ],
    mistakes=MISTAKES,
    depth=14,  # an epoch's steps build on each other
)

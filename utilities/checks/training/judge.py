"""Judge training: the optimiser's steps, what each data set is used for, which weights remain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.report import Finding
from utilities.checks.judging import (
    Mistake,
    Pairs,
    Stage,
    Values,
    beside_values,
    fact,
    judge_stages,
    of_stage,
    problem_finding,
)
from utilities.checks.kernel.case import NOT_ATTEMPTED, WRONG_TYPE, Case, Observation
from utilities.checks.training.signs import RUN_SIGNS, SETS, TRACKER_SIGNS

# (weights, gradients, learning rates, decay) → the weights after each step
Update = Callable[[np.ndarray, Sequence[oracles.Step], np.ndarray, float], np.ndarray]
DEFAULTS = {
    "batch_size": 64,
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "run_testing": True,
}
STEPS_DEPTH = 14  # dependent operations: an epoch's steps build on each other
KERAS_WEIGHT_DECAY = 0.004  # what AdamW does if nothing else is said
KERAS_CONSTANTS = np.array([0.9, 0.999, 1e-7])  # beta_1, beta_2, epsilon
LEAST_CONSTANTS, LARGEST_CONSTANTS = np.array([0.5, 0.9, 0.0]), np.array([0.99, 0.99999, 1e-5])
SHORTEST_STEP = 1e-5  # a step below it is rounding
SAME_LOSS = 1e-5  # relative; losses closer than this are a tie


def run_experiment(cases: Sequence[Case], observations: Sequence[Observation]) -> list[Finding]:
    """Judge the training run: steps, epochs, use of the data, weights kept, test and history."""
    seen = [
        (case, _with_steps(case, observation))
        for case, observation in zip(cases, observations, strict=True)
    ]
    observed = [observation for _, observation in seen]
    stages = [
        Stage("defaults", "a run with nothing but data, epochs and a path works"),
        Stage("best epoch", "steps are Adam's, down the cross-entropy of the logits", 2.0),
        Stage(
            "schedule",
            "steps follow the learning rate's schedule and the weight decay",
            1.5,
        ),
    ]
    facts = [
        (
            _epochs,
            ["defaults", "best epoch", "schedule"],
            "runs all epochs, in batches as asked",
            1.0,
        ),
        (
            _data,
            ["defaults", "best epoch", "schedule"],
            "each data set serves its own purpose",
            2.0,
        ),
        (_callbacks, ["best epoch", "schedule"], "callbacks passed in take part", 1.0),
        (_weights, ["best epoch"], "the weights best on validation are restored", 2.0),
        (
            _testing,
            ["best epoch", "schedule"],
            "tests on these weights, when asked to",
            1.5,
        ),
        (
            _history,
            ["best epoch", "schedule"],
            "returns the history with loss and accuracy",
            1.0,
        ),
    ]
    steps = judge_stages(cases, observed, stages, _adamw, STEP_MISTAKES, depth=STEPS_DEPTH)
    found = [_judge_fact(seen, *arguments) for arguments in facts]
    formulas = (_adamw, STEP_MISTAKES, STEPS_DEPTH)
    return steps + beside_values(found, of_stage("best epoch", seen), *formulas)


def carbon_tracker_callback(
    cases: Sequence[Case], observations: Sequence[Observation]
) -> list[Finding]:
    """Judge when the tracker is called in the course of a run."""
    seen = list(zip(cases, observations, strict=True))
    questions = [
        (
            _epoch_starts,
            ["whole run"],
            "each epoch is started before its first batch",
            1.0,
        ),
        (_epoch_stops, ["whole run"], "each epoch is ended after its last batch", 1.0),
        (
            _stop,
            ["whole run"],
            "the tracker is stopped once, after the last epoch",
            1.0,
        ),
        (
            _interrupted,
            ["stopped"],
            "a run that is stopped early is closed as well",
            1.0,
        ),
    ]
    return [_judge_fact(seen, *arguments) for arguments in questions]


def _judge_fact(
    seen: Pairs, judge: Callable, stages: Sequence[str], name: str, share: float
) -> Finding:
    """Return one finding about the cases of some stages: the first that does not hold, if any."""
    pairs = [(case, observation) for case, observation in seen if case.stage in stages]
    for _, observation in pairs:
        stopped = problem_finding(name, observation, share)
        if stopped:
            return stopped
    for case, observation in pairs:
        wrong = judge(case, observation)
        if wrong:
            return fact(name, False, wrong.message, wrong.mistake, wrong.kind, share)
    return fact(name, True, "", share=share)


@dataclass(frozen=True)
class Wrong:
    """Why something does not hold: the name of the mistake, empty if unknown, and the message."""

    mistake: str
    message: str
    kind: str = "wrong value"


# --- what is read out of an observed run ---------------------------------------------------------


def _given(case: Case, name: str) -> Any:
    """Return a setting of a case, or the default that the interface promises."""
    return DEFAULTS[name] if case[name] is None else case[name]


def _with_steps(case: Case, observation: Observation) -> Observation:
    """Return the observation with the weights' way from the start, (steps, p, C)."""
    if observation.problem is not None:
        return observation
    changes = _weight_changes(case, observation)
    return Observation({**observation.values, "weight_changes": changes})


def _kernels_after(observation: Observation) -> np.ndarray:
    """Return the weights after each call: those that the next call or, last, the end shows."""
    return np.concatenate([observation["calls_kernel"][1:], observation["kernel"][None]])


def _weight_changes(case: Case, observation: Observation) -> np.ndarray:
    after = _kernels_after(observation)[observation["calls_training"]].astype(np.float64)
    return after - case["kernel"]


def _epoch_ends(observation: Observation) -> np.ndarray:
    """Return for each call whether it is a training step, the next call being none."""
    training = observation["calls_training"]
    return training & ~np.append(training[1:], False)


def _epoch_kernels(observation: Observation) -> np.ndarray:
    """Return the weights at the end of each epoch, (epochs, p, C)."""
    return _kernels_after(observation)[_epoch_ends(observation)]


def _epoch_of_steps(observation: Observation) -> np.ndarray:
    """Return the epoch that each training step belongs to."""
    training, ends = observation["calls_training"], _epoch_ends(observation)
    return (np.cumsum(ends) - ends)[training]


def _samples(case: Case, observation: Observation, name: str) -> np.ndarray:
    """Return how often each call saw each sample of a set, (calls, n_set); n_set may be 0."""
    sizes = [len(case[f"x_{s}"]) if f"x_{s}" in case.inputs else 0 for s in SETS]
    parts = np.split(observation["calls_seen"], np.cumsum(sizes)[:-1], axis=1)
    return parts[SETS.index(name)]


# --- the steps of the optimiser ------------------------------------------------------------------


def _batches(case: Case, observation: Observation) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return images and labels of each training step."""
    present = [name for name in SETS if f"x_{name}" in case.inputs]
    images, labels = (np.concatenate([case[f"{xy}_{s}"] for s in present]) for xy in "xy")
    seen = observation["calls_seen"][observation["calls_training"]]
    samples = [np.repeat(np.arange(len(images)), times) for times in seen]
    return [(images[i], labels[i]) for i in samples]


def _learning_rates(case: Case, steps: np.ndarray) -> np.ndarray:
    rate = 1.0 if case["decay_rate"] is None else case["decay_rate"]
    return _given(case, "learning_rate") * rate**steps


def _steps(
    case: Case,
    observation: Observation,
    of_logits: Callable | None = None,
    rates: np.ndarray | None = None,
    update: Update | None = None,
    decay: float | None = None,
    epsilon: float | None = None,
) -> Values:
    """Return the change of the weights that the given kind of training makes, step by step."""
    kernel = case["kernel"].astype(np.float64)
    gradients = [
        oracles.crossentropy_gradient_of(*batch, of_logits) for batch in _batches(case, observation)
    ]
    rates = _learning_rates(case, np.arange(len(gradients))) if rates is None else rates
    decay = _given(case, "weight_decay") if decay is None else decay
    if update is not None:
        return {"weight_changes": update(kernel, gradients, rates, decay) - kernel}
    beta_1, beta_2, own_epsilon = _constants(observation)
    epsilon = own_epsilon if epsilon is None else epsilon
    kernels = oracles.adamw(kernel, gradients, rates, decay, beta_1, beta_2, epsilon)
    return {"weight_changes": kernels - kernel}


def _constants(observation: Observation) -> np.ndarray:
    """Return beta_1, beta_2 and epsilon as observed; where Adam could not work so, Keras' own."""
    constants = observation["constants"]
    usual = np.all((constants >= LEAST_CONSTANTS) & (constants <= LARGEST_CONSTANTS))
    return constants if usual else KERAS_CONSTANTS


def _adamw(case: Case, observation: Observation) -> Values:
    """Return AdamW's steps or, where they hang on rounding or on epsilon, what was observed.

    Adam divides a gradient by its own size: where that is next to nothing, the step is decided by
    rounding, by epsilon, and by a constant factor of the loss. How much, two epsilons tell.
    """
    expected, observed = _steps(case, observation)["weight_changes"], observation["weight_changes"]
    epsilons = (0.0, 2 * max(_constants(observation)[2], 1e-7))
    low, high = (_steps(case, observation, epsilon=e)["weight_changes"] for e in epsilons)
    undecided = np.abs(observed - expected) <= 1.5 * np.abs(high - low)
    return {"weight_changes": np.where(undecided, observed, expected)}


def _wrong_steps(**how: Any) -> Callable[[Case, Observation], Values]:
    return lambda case, observation: _steps(case, observation, **how)


def _gradient_descent(momentum: float) -> Update:
    """Return plain gradient descent, with momentum where it is not 0."""

    def update(
        kernel: np.ndarray, gradients: Sequence[oracles.Step], rates: np.ndarray, decay: float
    ) -> np.ndarray:
        velocity, kernels = np.zeros_like(kernel), []
        for gradient, rate in zip(gradients, rates, strict=True):
            velocity = momentum * velocity - rate * gradient(kernel)
            kernel = kernel + velocity - rate * decay * kernel
            kernels.append(kernel)
        return np.array(kernels)

    return update


def _rmsprop(
    kernel: np.ndarray, gradients: Sequence[oracles.Step], rates: np.ndarray, decay: float
) -> np.ndarray:
    """Return Keras' RMSprop: steps divided by a root mean square that starts at 0."""
    square, kernels = np.zeros_like(kernel), []
    for gradient, rate in zip(gradients, rates, strict=True):
        g = gradient(kernel)
        square = 0.9 * square + 0.1 * g**2
        kernel = kernel - rate * (g / np.sqrt(square + 1e-7) + decay * kernel)
        kernels.append(kernel)
    return np.array(kernels)


def _penalised(factor: float) -> Update:
    """Return Adam with the penalty's gradient, factor · decay · weights, added to the loss's."""

    def update(
        kernel: np.ndarray, gradients: Sequence[oracles.Step], rates: np.ndarray, decay: float
    ) -> np.ndarray:
        with_penalty = [lambda w, g=g: g(w) + factor * decay * w for g in gradients]
        return oracles.adamw(kernel, with_penalty, rates)

    return update


def _undiminished_decay(
    kernel: np.ndarray, gradients: Sequence[oracles.Step], rates: np.ndarray, decay: float
) -> np.ndarray:
    """Return AdamW whose decay is not multiplied by the learning rate."""
    return oracles.adamw(kernel, gradients, rates, decay / rates)


def _own_rate(case: Case, observation: Observation) -> Values:
    """Adam with whatever constant rate the first step shows."""
    count = observation["calls_training"].sum()
    of_rate_one = _steps(case, observation, rates=np.ones(count))["weight_changes"][0]
    rate = np.median(observation["weight_changes"][0] / of_rate_one)
    if rate < SHORTEST_STEP:
        raise ValueError("nothing moves")
    return _steps(case, observation, rates=np.full(count, rate))


def _frozen_rate(case: Case, observation: Observation) -> Values:
    steps = np.zeros(observation["calls_training"].sum())
    return _steps(case, observation, rates=_learning_rates(case, steps))


def _rate_by_epoch(case: Case, observation: Observation) -> Values:
    return _steps(case, observation, rates=_learning_rates(case, _epoch_of_steps(observation)))


def _of_logits_as_probabilities(logits: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """Return the derivative of Keras' cross-entropy that takes logits for probabilities."""
    clipped = np.clip(logits, 1e-7, 1 - 1e-7)
    through = (logits == clipped) / clipped
    return (clipped / clipped.sum(-1, keepdims=True) - one_hot) * through


def _of_softmaxed_logits(logits: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """Return the derivative of the cross-entropy that applies softmax to what softmax gave."""
    p = oracles.softmax(logits)
    error = oracles.softmax(p) - one_hot
    return p * (error - (p * error).sum(-1, keepdims=True))


def _of_squared_error(logits: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """Return the derivative of the mean square of logits minus the label's number."""
    labels = one_hot.argmax(-1)[:, None]
    return 2 * (logits - labels) / logits.shape[-1]


STEP_MISTAKES = [
    Mistake(
        "logits taken for probabilities",
        "Your loss takes the model's outputs for probabilities. They are logits, any real numbers: "
        "what must the loss be told about them?",
        _wrong_steps(of_logits=_of_logits_as_probabilities),
    ),
    Mistake(
        "softmax twice",
        "Your loss applies softmax to outputs that softmax has already been applied to. The model "
        "gives logits; only one place must turn them into probabilities.",
        _wrong_steps(of_logits=_of_softmaxed_logits),
    ),
    Mistake(
        "squared error",
        "Your loss is the squared distance between the outputs and the label's number. A class is "
        "a name, not a quantity: which loss compares a distribution with a class?",
        _wrong_steps(of_logits=_of_squared_error),
    ),
    Mistake(
        "weight decay ignored",
        "Your weights decay as if no weight decay were given, or by a constant of its own: "
        "pass weight_decay on to the optimiser, 0 included.",
        _wrong_steps(decay=0.0),
    ),
    Mistake(
        "weight decay ignored",
        "Your weights decay by 0.004 at every step, Keras' own constant: pass weight_decay on to "
        "the optimiser, 0 included.",
        _wrong_steps(decay=KERAS_WEIGHT_DECAY),
    ),
    Mistake(
        "penalty instead of weight decay",
        "Your weight decay is a penalty in the loss, so that Adam rescales it like any gradient. "
        "AdamW takes it out of the gradient: decay acts on the weights themselves.",
        _wrong_steps(update=_penalised(1.0)),
    ),
    Mistake(
        "penalty instead of weight decay",
        "Your weight decay is a penalty in the loss, so that Adam rescales it like any gradient. "
        "AdamW takes it out of the gradient: decay acts on the weights themselves.",
        _wrong_steps(update=_penalised(2.0)),
    ),
    Mistake(
        "decay not scaled",
        "Your weights shrink by weight_decay at every step; they should shrink by the learning "
        "rate times weight_decay, so that both fade together.",
        _wrong_steps(update=_undiminished_decay),
    ),
    Mistake(
        "schedule frozen",
        "Your learning rate stays at the schedule's first value. Give the optimiser the schedule "
        "itself: it asks for a new rate at every step.",
        _frozen_rate,
    ),
    Mistake(
        "schedule by epoch",
        "Your learning rate changes once an epoch. A Keras schedule counts steps (batches): give "
        "the optimiser the schedule itself.",
        _rate_by_epoch,
    ),
    Mistake(
        "learning rate ignored",
        "Your steps are Adam's, but of another length than the learning rate says. Does a number "
        "of your own, or Keras' default, stand where the argument should?",
        _own_rate,
    ),
    Mistake(
        "gradient descent",
        "Your steps are those of plain gradient descent; AdamW is asked for.",
        _wrong_steps(update=_gradient_descent(0.0)),
    ),
    Mistake(
        "gradient descent",
        "Your steps are those of gradient descent with momentum; AdamW is asked for.",
        _wrong_steps(update=_gradient_descent(0.9)),
    ),
    Mistake(
        "RMSprop",
        "Your steps are those of RMSprop; AdamW is asked for.",
        _wrong_steps(update=_rmsprop),
    ),
]


# --- facts about a run ---------------------------------------------------------------------------


def _epochs_run(case: Case, observation: Observation) -> int:
    """Return how many epochs were run, also where nothing separates one from the next."""
    ends = int(_epoch_ends(observation).sum())
    if ends > 1:
        return ends
    seen = observation["calls_seen"][observation["calls_training"]].sum(1)
    return max(1, round(seen.sum() / max(len(case["x_train"]), seen.max())))


def _epochs(case: Case, observation: Observation) -> Wrong | None:
    asked, run = case["epochs"], _epochs_run(case, observation)
    if run != asked:
        mistake = "stopped early" if 1 < run < asked else "epochs ignored"
        hint = "Does something stop it early? " if 1 < run < asked else ""
        return Wrong(
            mistake,
            f"The run goes on for {run} epoch(s); {asked} were asked for. {hint}"
            "All epochs are run, and the best one is chosen afterwards.",
        )
    seen = observation["calls_seen"][observation["calls_training"]]
    largest, available = int(seen.sum(1).max()), int((seen.sum(0) > 0).sum())
    asked = _given(case, "batch_size")
    if largest != min(asked, available):
        default = " (the default)" if case["batch_size"] is None else ""
        return Wrong(
            "batch size ignored",
            f"The model is trained on batches of {largest}; batch_size is {asked}{default}.",
        )
    return None


def _data(case: Case, observation: Observation) -> Wrong | None:
    training = observation["calls_training"]
    train, val, test = (_samples(case, observation, name) for name in SETS)
    if val[training].any():
        return Wrong(
            "validation data used for training",
            "The model is trained on validation data. What it has seen cannot tell any more how it "
            "does on what it has not seen.",
        )
    if test[training].any():
        return Wrong("test data used for training", "The model is trained on test data.")
    if test[: _last_step(observation)].any():
        return Wrong(
            "test data used for validation",
            "The test data are looked at while training goes on. Epochs are chosen on the "
            "validation data; the test data are kept for the very end, or else they flatter.",
        )
    used, count = int((train[training].sum(0) > 0).sum()), len(case["x_train"])
    left_out = Wrong(
        "training data left out",
        f"Of the {count} training samples only {used} are ever trained on. Are some of them held "
        "back, for validation perhaps?",
    )
    if used < count - count % min(_given(case, "batch_size"), count):
        return left_out
    wrong = _validation(observation, train, val, test)
    return left_out if wrong and used < count else wrong


def _validation(
    observation: Observation, train: np.ndarray, val: np.ndarray, test: np.ndarray
) -> Wrong | None:
    """Judge what is evaluated after each epoch; train, val, test (calls, samples of the set)."""
    for part in _between_epochs(observation):
        if (val[part].sum(0) > 0).all():
            continue
        if val[part].any():
            message = "Only a part of the validation data is evaluated after an epoch."
            return Wrong("validation data left out", message)
        if test[part].any():
            message = "The test data take the place of the validation data."
            return Wrong("test data used for validation", message)
        if train[part].any():
            return Wrong(
                "training data used for validation",
                "After an epoch the model is evaluated on training data: that hides overfitting. "
                "What is the validation data for?",
            )
        return Wrong(
            "no validation",
            "No epoch is followed by an evaluation on the validation data.",
        )
    return None


def _callbacks(case: Case, observation: Observation) -> Wrong | None:
    told, run = int(observation["epoch_ends"]), _epochs_run(case, observation)
    if told == run:
        return None
    if told == 0:
        return Wrong(
            "callbacks ignored",
            "A callback that was passed in is never called. Hand all of them to the training, "
            "beside those of your own.",
        )
    return Wrong("", f"A callback that was passed in was told of {told} epochs; {run} were run.")


def _weights(case: Case, observation: Observation) -> Wrong | None:
    kernels, final = _epoch_kernels(observation), observation["kernel"]
    if _is_one_of(final, _best(case, kernels)):
        return None
    wrong_data = _data(case, observation)
    if wrong_data:
        return wrong_data
    if _is_one_of(final, kernels[-1:]):
        return Wrong(
            "best weights not restored",
            "In the end the model has the weights of the last epoch, though an earlier one did "
            "better on the validation data. Are the best weights kept, not overwritten by later "
            "ones, and loaded into the model after the training?",
        )
    accuracies, losses = oracles.scores(kernels, case["x_val"], case["y_val"])
    if _is_one_of(final, kernels[[accuracies.argmin(), losses.argmax()]]):
        return Wrong(
            "worst weights kept",
            "In the end the model has the weights of the epoch that did worst on the validation "
            "data. Accuracy is better when it is larger, a loss when it is smaller: which of them "
            "is compared, and in which direction?",
        )
    if _is_one_of(final, _best_in_training(case, observation)):
        return Wrong(
            "best on training data",
            "In the end the model has the weights of the epoch that did best on the training data. "
            "Which curve tells how the model does on images it has not learned by heart?",
        )
    return Wrong(
        "",
        "In the end the model has weights that are not those of the epoch which did best on the "
        "validation data. Which ones are kept, and are they loaded after the training?",
    )


def _testing(case: Case, observation: Observation) -> Wrong | None:
    test = _samples(case, observation, "test")
    if test[: _last_step(observation)].any():
        return None  # looked at during the training: judged with the use of the data
    if not _given(case, "run_testing"):
        if test.any():
            message = "The test data are evaluated, though run_testing is False."
            return Wrong("tests when told not to", message)
        return None
    after = np.arange(len(test)) > _last_step(observation)
    right = [observation["kernel"], *_best(case, _epoch_kernels(observation))]
    restored = np.array([_is_one_of(kernel, right) for kernel in observation["calls_kernel"]])
    if (test[after & restored].sum(0) > 0).all():
        return None
    if test[after & ~restored].any():
        return Wrong(
            "tested before restoring",
            "The test data are evaluated with other weights than the model has in the end: first "
            "restore the best weights, then test.",
        )
    return Wrong(
        "never tested",
        "The test data are not (all) evaluated, though they are given and run_testing is True.",
    )


def _history(case: Case, observation: Observation) -> Wrong | None:
    returned = str(observation["returned"])
    if returned:
        return Wrong(
            "history not returned",
            f"You return {returned}; the history is expected, which model.fit returns.",
            NOT_ATTEMPTED if returned == "None" else WRONG_TYPE,
        )
    for name, mistake in (
        ("val_loss", "no validation in the history"),
        ("accuracy", "no accuracy"),
        ("val_accuracy", "no accuracy"),
        ("loss", ""),
    ):
        if f"history_{name}" not in observation.values:
            return Wrong(mistake, f"The history has no {name}. Where is it asked for?")
        length, run = (
            len(observation[f"history_{name}"]),
            _epochs_run(case, observation),
        )
        if length != run:
            return Wrong("", f"The history's {name} has {length} entries; {run} epochs were run.")
    return None if _data(case, observation) else _accuracies(case, observation)


def _accuracies(case: Case, observation: Observation) -> Wrong | None:
    """Judge the accuracies: after each epoch or, in training, also as the mean over its steps."""
    kernels = _epoch_kernels(observation)
    train, val = (oracles.scores(kernels, case[f"x_{s}"], case[f"y_{s}"])[0] for s in SETS[:2])
    running = _running_accuracy(case, observation)
    for name, expected in (("val_accuracy", [val]), ("accuracy", [running, train])):
        if not any(_close(observation[f"history_{name}"], values) for values in expected):
            return Wrong(
                "another accuracy",
                f"The history's {name} is not the share of samples whose largest logit is at their "
                "label. Labels are numbers here, not one-hot vectors: does your metric know?",
            )
    return None


# --- helpers of the facts ------------------------------------------------------------------------


def _last_step(observation: Observation) -> int:
    """Return the index of the last call in training."""
    return int(np.flatnonzero(observation["calls_training"])[-1])


def _between_epochs(observation: Observation) -> list[slice]:
    """Return for each epoch the calls between its last training step and the next epoch's first."""
    ends = np.flatnonzero(_epoch_ends(observation))
    training = np.append(observation["calls_training"], True)
    return [slice(end + 1, end + 1 + int(training[end + 1 :].argmax())) for end in ends]


def _best_epochs(kernels: np.ndarray, images: np.ndarray, labels: np.ndarray) -> list[int]:
    """Return the epochs that are best by accuracy or by loss, ties included."""
    accuracies, losses = oracles.scores(kernels, images, labels)
    is_best = (accuracies == accuracies.max()) | (losses <= losses.min() * (1 + SAME_LOSS))
    return np.flatnonzero(is_best).tolist()


def _best(case: Case, kernels: np.ndarray) -> np.ndarray:
    return kernels[_best_epochs(kernels, case["x_val"], case["y_val"])]


def _best_in_training(case: Case, observation: Observation) -> list[np.ndarray]:
    """Return the weights after the epochs best on the training data.

    The training curves score each step's weights before it, the weights kept are those after it.
    """
    training = observation["calls_training"]
    before, after = observation["calls_kernel"][training], _kernels_after(observation)[training]
    data = (case["x_train"], case["y_train"])
    return [after[i] for scored in (before, after) for i in _best_epochs(scored, *data)]


def _is_one_of(kernel: np.ndarray, kernels: np.ndarray | Sequence[np.ndarray]) -> bool:
    return any(np.allclose(kernel, other, rtol=1e-6, atol=1e-7) for other in kernels)


def _running_accuracy(case: Case, observation: Observation) -> np.ndarray:
    """Return the accuracy of each epoch as Keras counts it: before every step, on its batch."""
    batches, epochs = _batches(case, observation), _epoch_of_steps(observation)
    kernels = observation["calls_kernel"][observation["calls_training"]]
    right = [
        oracles.scores(kernel[None], *batch)[0][0] * len(batch[0])
        for kernel, batch in zip(kernels, batches, strict=True)
    ]
    sizes = [len(images) for images, _ in batches]
    return np.bincount(epochs, right) / np.bincount(epochs, sizes)


def _close(observed: np.ndarray, expected: np.ndarray) -> bool:
    return observed.shape == expected.shape and np.allclose(observed, expected, atol=1e-5)


# --- the tracker ---------------------------------------------------------------------------------

START, END, STOP = (TRACKER_SIGNS[name] for name in ("epoch_start", "epoch_end", "stop"))
EPOCH_BEGIN, EPOCH_END = RUN_SIGNS["epoch_begin"], RUN_SIGNS["epoch_end"]
BATCH, VALIDATION = RUN_SIGNS["train_batch_end"], RUN_SIGNS["test_begin"]
NEVER_CALLED = Wrong(
    "tracker never called",
    "The tracker that you are given is never called. Are the hooks spelt as Keras spells them "
    "(on_epoch_begin, on_epoch_end, on_train_end), and do they use the tracker passed in?",
)


def _events(observation: Observation) -> str:
    return observation["events"].tobytes().decode()


def _epochs_of(events: str) -> list[str]:
    """Return the events of each epoch: from its begin to the begin of the next."""
    return [EPOCH_BEGIN + part for part in events.split(EPOCH_BEGIN)[1:]]


def _tracker_calls(events: str) -> str:
    return "".join(sign for sign in events if sign in (START, END, STOP))


def _epoch_starts(case: Case, observation: Observation) -> Wrong | None:
    events = _events(observation)
    epochs = _epochs_of(events)
    expected = f"{len(epochs)} epochs were run; epoch_start was called {events.count(START)} times."
    if not _tracker_calls(events):
        return NEVER_CALLED
    if all(epoch.split(BATCH)[0].count(START) == epoch.count(START) == 1 for epoch in epochs):
        return None
    if all(END in epoch.split(BATCH)[0] and START in epoch for epoch in epochs):
        return Wrong(
            "swapped",
            "epoch_end is called when an epoch begins, epoch_start when it ends.",
        )
    if events.count(START) == 0:
        return Wrong("never started", "epoch_start is never called: when does an epoch begin?")
    if events.count(START) == events.count(BATCH):
        return Wrong("batches tracked", f"Batches are tracked as if they were epochs. {expected}")
    if events.count(START) == events.count(VALIDATION) + events.count(EPOCH_BEGIN):
        return Wrong(
            "validation tracked",
            f"Validation is tracked as an epoch of its own. {expected}",
        )
    if events.count(START) == 1:
        return Wrong(
            "started once",
            f"{expected} A tracker that takes the whole training for one epoch multiplies what it "
            "measured by the number of epochs.",
        )
    return Wrong("", f"{expected} Call it once in each, before the first batch.")


def _epoch_stops(case: Case, observation: Observation) -> Wrong | None:
    events = _events(observation)
    epochs = _epochs_of(events)
    if not _tracker_calls(events):
        return NEVER_CALLED
    if all(epoch.split(EPOCH_END)[-1].count(END) == epoch.count(END) == 1 for epoch in epochs):
        return None
    counts = f"{len(epochs)} epochs were run; epoch_end was called {events.count(END)} times."
    if all(END in epoch.split(BATCH)[0] for epoch in epochs):
        return Wrong(
            "ended at the beginning",
            "epoch_end is called when the epoch begins: nothing of it has been measured by then.",
        )
    if events.count(END) == 0:
        return Wrong("never ended", "epoch_end is never called: when is an epoch over?")
    if events.count(END) == events.count(BATCH):
        return Wrong("batches tracked", f"Batches are tracked as if they were epochs. {counts}")
    if events.count(END) == 1:
        return Wrong("ended once", f"{counts} Each epoch has an end of its own.")
    return Wrong(
        "",
        f"{counts} Call it once in each, when the epoch is over, validation included.",
    )


def _stop(case: Case, observation: Observation) -> Wrong | None:
    events = _events(observation)
    if not _tracker_calls(events):
        return NEVER_CALLED
    stops, epochs = events.count(STOP), len(_epochs_of(events))
    if stops == 0:
        return Wrong(
            "never stopped",
            "stop is never called: the tracker goes on measuring after the training is over.",
        )
    if stops == 1 and _is_last(events):
        return None
    if stops >= epochs and all(STOP in epoch for epoch in _epochs_of(events)):
        return Wrong(
            "stopped every epoch",
            f"stop is called {stops} times, in every epoch: after the first one nothing is "
            "measured any more. It belongs to the end of the training.",
        )
    if stops > 1:
        return Wrong(
            "stopped twice",
            f"stop is called {stops} times; once is enough, at the end.",
        )
    return Wrong("stopped too soon", "stop is called before the last epoch is over.")


def _interrupted(case: Case, observation: Observation) -> Wrong | None:
    events = _events(observation)
    calls = _tracker_calls(events)
    if not calls:
        return NEVER_CALLED
    if STOP not in calls:
        return Wrong(
            "not stopped when interrupted",
            "When training is stopped early (model.stop_training = True, as early stopping does), "
            "stop is never called. Which hook does Keras call however a run ends?",
        )
    if calls.count(STOP) > 1:
        return _stop(case, observation)
    if not _is_last(events):
        return Wrong("stopped too soon", "stop is called before the last epoch is over.")
    if calls != (START + END) * len(_epochs_of(events)) + STOP:
        return Wrong(
            "",
            f"Calls come in the order {_in_words(calls)} when a run is stopped early.",
        )
    return None


def _is_last(events: str) -> bool:
    """Return whether the tracker is stopped after all else that it and the epochs do."""
    return not {START, END, EPOCH_BEGIN, BATCH, EPOCH_END} & set(events.split(STOP, 1)[1])


def _in_words(calls: str) -> str:
    names = {sign: name for name, sign in TRACKER_SIGNS.items()}
    return ", ".join(names[sign] for sign in calls)

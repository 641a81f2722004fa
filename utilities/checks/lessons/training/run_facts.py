"""What is judged of an observed run beside its steps: data, weights, test, history."""

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import Wrong
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.training.protocol import SETS
from utilities.checks.lessons.training import runs


def stopped(case: Case, observation: Observation) -> Wrong | None:
    """What stopped the run after its training, if anything did."""
    text = str(observation["stopped"])
    return Wrong(str(observation["stopped_by"]), text) if text else None


def epochs(case: Case, observation: Observation) -> Wrong | None:
    """All epochs are run, in batches of the size that is asked for."""
    asked, run = case["epochs"], runs.epochs_run(case, observation)
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
    asked = runs.given(case, "batch_size")
    if largest != min(asked, available):
        default = " (the default)" if case["batch_size"] is None else ""
        return Wrong(
            "batch size ignored",
            f"The model is trained on batches of {largest}; batch_size is {asked}{default}.",
        )
    return None


def data(case: Case, observation: Observation) -> Wrong | None:
    """Each data set serves its own purpose."""
    training = observation["calls_training"]
    train, val, test = (runs.samples(case, observation, name) for name in SETS)
    if val[training].any():
        return Wrong(
            "validation data used for training",
            "The model is trained on validation data. What it has seen cannot tell any more how it "
            "does on what it has not seen.",
        )
    if test[training].any():
        return Wrong("test data used for training", "The model is trained on test data.")
    if test[: runs.last_step(observation)].any():
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
    if used < count - count % min(runs.given(case, "batch_size"), count):
        return left_out
    wrong = _validation(observation, train, val, test)
    return left_out if wrong and used < count else wrong


def _validation(
    observation: Observation, train: np.ndarray, val: np.ndarray, test: np.ndarray
) -> Wrong | None:
    """Judge what is evaluated after each epoch; train, val, test (calls, samples of the set)."""
    for part in runs.between_epochs(observation):
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


def callbacks(case: Case, observation: Observation) -> Wrong | None:
    """Callbacks that are passed in take part."""
    told, run = int(observation["epoch_ends"]), runs.epochs_run(case, observation)
    if told == run:
        return None
    if told == 0:
        return Wrong(
            "callbacks ignored",
            "A callback that was passed in is never called. Hand all of them to the training, "
            "beside those of your own.",
        )
    return Wrong("", f"A callback that was passed in was told of {told} epochs; {run} were run.")


def weights(case: Case, observation: Observation) -> Wrong | None:
    """The weights in the end are those of the epoch with the largest validation accuracy."""
    kernels, final = runs.epoch_kernels(observation), observation["kernel"]
    validation = kernels, case["x_val"], case["y_val"]
    if runs.is_one_of(final, kernels[runs.best(*validation)]):
        return None
    if data(case, observation) and runs.is_one_of(final, kernels):
        return None  # chosen on the wrong data: judged with the use of the data
    if why := stopped(case, observation):
        return why
    unnamed = Wrong(
        "",
        "In the end the model has weights that are not those of the epoch which did best on the "
        "validation data. Which ones are kept, and are they loaded after the training?",
    )
    if _by_another_loss(observation, *validation):
        return unnamed  # its epochs are others, and one may be best or worst in several ways
    if runs.is_one_of(final, kernels[-1:]):
        return Wrong(
            "best weights not restored",
            "In the end the model has the weights of the last epoch, though an earlier one did "
            "better on the validation data. Are the best weights kept, not overwritten by later "
            "ones, and loaded into the model after the training?",
        )
    if runs.is_one_of(final, kernels[runs.calmest(*validation)]):
        return Wrong(
            "best by loss",
            "In the end the model has the weights of the epoch with the smallest validation loss. "
            "The best validation accuracy is asked for, and that can be another epoch.",
        )
    accuracies, losses = oracles.scores(*validation)
    if runs.is_one_of(final, kernels[[accuracies.argmin(), losses.argmax()]]):
        return Wrong(
            "worst weights kept",
            "In the end the model has the weights of the epoch that did worst on the validation "
            "data. Accuracy is better when it is larger, a loss when it is smaller: which of them "
            "is compared, and in which direction?",
        )
    if runs.is_one_of(final, runs.best_in_training(case, observation)):
        return Wrong(
            "best on training data",
            "In the end the model has the weights of the epoch that did best on the training data. "
            "Which curve tells how the model does on images it has not learned by heart?",
        )
    return unnamed


def _by_another_loss(
    observation: Observation, kernels: np.ndarray, images: np.ndarray, labels: np.ndarray
) -> bool:
    """Return whether the history tells of another loss than the one asked for."""
    told = observation.values.get("history_val_loss")
    _, losses = oracles.scores(kernels, images, labels)
    return told is not None and told.shape == losses.shape and not np.allclose(told, losses, rtol=1e-2)


def saved(case: Case, observation: Observation) -> Wrong | None:
    """The best weights are saved to the path that is given."""
    if observation["saved"]:
        return _in_file(case, observation)
    if observation["saved_elsewhere"]:
        return Wrong(
            "saved elsewhere",
            "Files are written, but not at ckpt_path: whoever passes a path looks for them there.",
        )
    return stopped(case, observation) or Wrong(
        "no checkpoint",
        "Nothing is written at ckpt_path. Weights that are kept in memory alone are gone when the "
        "notebook is closed.",
    )


def _in_file(case: Case, observation: Observation) -> Wrong | None:
    """The file holds the weights of the best epoch, as far as Keras can read it."""
    kernels, in_file = runs.epoch_kernels(observation), observation["kernel_in_file"]
    best = kernels[runs.best(kernels, case["x_val"], case["y_val"])]
    if not in_file.size or runs.is_one_of(in_file, [observation["kernel"], *best]):
        return None
    return Wrong(
        "other weights in the file",
        "The file at ckpt_path holds other weights than the best ones: whoever loads it later gets "
        "another model than the one you tested. When is it written over?",
    )


def shuffled(case: Case, observation: Observation) -> Wrong | None:
    """The training data do not come in their own order, epoch after epoch."""
    if data(case, observation):
        return None
    if observation["same_order"] and not observation["in_order"]:
        return Wrong(
            "shuffled once",
            "The training images come in the same order in every epoch, so each batch is always the "
            "same. Training data are shuffled anew in each epoch.",
        )
    if not observation["in_order"]:
        return None
    return Wrong(
        "not shuffled",
        "The training images come in the order of the data in every epoch, so each batch is always "
        "the same. Training data are shuffled.",
    )


def printed(case: Case, observation: Observation) -> Wrong | None:
    """The test accuracy is printed, as a fraction or in per cent."""
    if why := stopped(case, observation):
        return why
    if testing(case, observation):
        return None  # not tested as it should be: told there
    tests = runs.samples(case, observation, "test").any(axis=1)
    tests &= np.arange(len(tests)) > runs.last_step(observation)
    kernels = np.concatenate([observation["calls_kernel"][tests], observation["kernel"][None]])
    accuracies, _ = oracles.scores(kernels, case["x_test"], case["y_test"])
    away = np.abs(observation["printed"][:, None] - np.stack([accuracies, 100 * accuracies])[:, None])
    if np.any(away[0] < 0.006) or np.any(away[1] < 0.51):
        return None
    return Wrong("accuracy not printed", "The test accuracy is not printed, which the task asks for.")


def is_history(case: Case, observation: Observation) -> Wrong | None:
    """What comes back is Keras' History."""
    returned = str(observation["returned"])
    if why := stopped(case, observation):
        return why
    if returned == "a dictionary":
        return Wrong(
            "history's dictionary returned",
            "You return a dictionary; the History is asked for, which model.fit returns. Its curves "
            "are in its attribute history.",
        )
    if returned:
        return Wrong(
            "history not returned",
            f"You return {returned}; the history is expected, which model.fit returns.",
        )
    return None


def testing(case: Case, observation: Observation) -> Wrong | None:
    """The test data are evaluated on the restored weights, where that is asked for."""
    test = runs.samples(case, observation, "test")
    if why := stopped(case, observation):
        return why
    if test[: runs.last_step(observation)].any():
        return None  # looked at during the training: judged with the use of the data
    if not runs.given(case, "run_testing"):
        if test.any():
            message = "The test data are evaluated, though run_testing is False."
            return Wrong("tests when told not to", message)
        return None
    after = np.arange(len(test)) > runs.last_step(observation)
    kernels = runs.epoch_kernels(observation)
    right = [observation["kernel"], *kernels[runs.best(kernels, case["x_val"], case["y_val"])]]
    restored = np.array([runs.is_one_of(kernel, right) for kernel in observation["calls_kernel"]])
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


def history(case: Case, observation: Observation) -> Wrong | None:
    """The history holds loss and accuracy of all epochs, in training and validation."""
    if str(observation["returned"]) not in ("", "a dictionary"):
        return stopped(case, observation) or is_history(case, observation)
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
            runs.epochs_run(case, observation),
        )
        if length != run:
            return Wrong("", f"The history's {name} has {length} entries; {run} epochs were run.")
    return None if data(case, observation) else _accuracies(case, observation)


def _accuracies(case: Case, observation: Observation) -> Wrong | None:
    """Judge the accuracies: after each epoch or, in training, also as the mean over its steps."""
    kernels = runs.epoch_kernels(observation)
    train, val = (oracles.scores(kernels, case[f"x_{s}"], case[f"y_{s}"])[0] for s in SETS[:2])
    running = runs.running_accuracy(case, observation)
    for name, expected in (("val_accuracy", [val]), ("accuracy", [running, train])):
        if not any(_close(observation[f"history_{name}"], values) for values in expected):
            return Wrong(
                "another accuracy",
                f"The history's {name} is not the share of samples whose largest logit is at their "
                "label. Labels are numbers here, not one-hot vectors: does your metric know? And is "
                "the metric made anew in each run, not shared with an earlier one?",
            )
    return None


def _close(observed: np.ndarray, expected: np.ndarray) -> bool:
    return observed.shape == expected.shape and np.allclose(observed, expected, atol=1e-5)

"""A callback that tells a tracker of epochs: what goes in, the formula, the mistakes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Values, Wrong
from utilities.checks.kernel.case import KERAS_3, Case, Observation
from utilities.checks.kernel.training.protocol import CALLS, MOMENTS

# --- what goes in: a whole run, and runs that are stopped ------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw whole runs, one stopped after an epoch, and one stopped in the midst of an epoch."""
    drawn = []
    for _ in range(2 if thorough else 1):
        epochs, batches = int(rng.integers(3, 5)), int(rng.integers(2, 4))
        drawn += [
            _case("whole run", epochs, batches, validation=False),
            _case("whole run", epochs + 1, batches, validation=True),
            _case("stopped", epochs + 2, batches, True, stop_epoch=epochs - 1),
            _case("stopped", epochs + 2, batches, True, stop_epoch=epochs - 2, stop_batch=0),
        ]
    return drawn


def _case(
    stage: str, epochs: int, batches: int, validation: bool, stop_epoch: int = -1, stop_batch: int = -1
) -> Case:
    inputs = {"epochs": epochs, "batches": batches, "validation": validation}
    return Case(stage, {**inputs, "stop_epoch": stop_epoch, "stop_batch": stop_batch})


# --- the formula -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """Something that happens in a run: Keras' name of it, and where in the run it is."""

    hook: str
    epoch: int = -1
    batch: int = -1
    planned: int = 0  # epochs
    batches: int = 0  # of this epoch

    @property
    def last_planned(self) -> bool:
        return self.epoch == self.planned - 1


When = Callable[[Moment], bool]


def moments(case: Case) -> Iterator[Moment]:
    """Yield what happens in a run, in order, as Keras calls it."""
    yield Moment("train_begin")
    last = case["epochs"] - 1 if case["stop_epoch"] < 0 else case["stop_epoch"]
    for epoch in range(last + 1):
        cut_short = epoch == case["stop_epoch"] and case["stop_batch"] >= 0
        batches = case["stop_batch"] + 1 if cut_short else case["batches"]
        hooks = [("epoch_begin", -1)]
        for batch in range(batches):
            hooks += [("train_batch_begin", batch), ("train_batch_end", batch)]
        hooks += [("test_begin", -1), ("test_end", -1)] * case["validation"]
        for hook, batch in (*hooks, ("epoch_end", -1)):
            yield Moment(hook, epoch, batch, case["epochs"], batches)
    yield Moment("train_end")


def formula(
    case: Case,
    seen: Observation,
    *,
    start: When = lambda at: at.hook == "epoch_begin",
    end: When = lambda at: at.hook == "epoch_end",
    stop: When = lambda at: at.hook == "train_end",
) -> Arrays:
    """Return for each of the tracker's methods the moments of the run and its calls, in words.

    The settings say at which moments each method is called.
    """
    called: dict[str, list[str]] = {name: [] for name in CALLS}
    for at in moments(case):
        for name, due in zip(CALLS, (start, end, stop), strict=True):
            called[name] += [MOMENTS[at.hook]] if at.hook in MOMENTS else []
            called[name] += [name] * due(at)
    return {name: np.array(words, dtype=str) for name, words in called.items()}


# --- the mistakes ----------------------------------------------------------------------------------


def _at(*hooks: str) -> When:
    return lambda at: at.hook in hooks


def _never(_: Moment) -> bool:
    return False


MISTAKES = [
    Mistake(
        "tracker never called",
        "The tracker that you are given is never called. Are the hooks spelt as Keras spells them "
        "(on_epoch_begin, on_epoch_end, on_train_end), and do they use the tracker passed in?",
        start=_never,
        end=_never,
        stop=_never,
        carries=False,
    ),
    Mistake(
        "swapped",
        "epoch_end is called when an epoch begins, epoch_start when it ends.",
        start=_at("epoch_end"),
        end=_at("epoch_begin"),
    ),
    Mistake(
        "batches tracked",
        "Batches are tracked as if they were epochs: epoch_start and epoch_end are called for each.",
        {"start": _at("train_batch_begin"), "end": _at("train_batch_end")},
        {"start": _at("train_batch_begin")},
        {"end": _at("train_batch_end")},
    ),
    Mistake(
        "validation tracked",
        "Validation is tracked as an epoch of its own.",
        {"start": _at("epoch_begin", "test_begin"), "end": _at("epoch_end", "test_end")},
        {"start": _at("epoch_begin", "test_begin")},
        {"end": _at("epoch_end", "test_end")},
        {"start": _at("test_begin"), "end": _at("test_end")},
        {"end": _at("test_end")},
        {"end": _at("test_begin")},
    ),
    Mistake("never started", "epoch_start is never called: when does an epoch begin?", start=_never),
    Mistake(
        "started once",
        "epoch_start is called once for all epochs. A tracker that takes the whole training for one "
        "epoch multiplies what it measured by the number of epochs.",
        {"start": _at("train_begin")},
        {"start": _at("train_begin"), "end": _at("train_end")},
        {"start": lambda at: at.hook == "epoch_begin" and at.epoch == 0},
    ),
    Mistake(
        "started when the epoch is over",
        "epoch_start is called when an epoch is over: what it should measure has passed by then.",
        start=_at("epoch_end"),
    ),
    Mistake("never ended", "epoch_end is never called: when is an epoch over?", end=_never),
    Mistake(
        "ended once",
        "epoch_end is called once, at the end of the training. Each epoch has an end of its own.",
        {"end": _at("train_end")},
        {"end": lambda at: at.hook == "epoch_end" and at.last_planned},
    ),
    Mistake(
        "ended at the beginning",
        "epoch_end is called when the epoch begins: nothing of it has been measured by then.",
        end=_at("epoch_begin"),
    ),
    Mistake(
        "ended again with the training",
        "epoch_end is called once more when the training is over, though its last epoch has ended.",
        end=_at("epoch_end", "train_end"),
    ),
    Mistake(
        "never stopped",
        "stop is never called: the tracker goes on measuring after the training is over.",
        stop=_never,
    ),
    Mistake(
        "stopped every epoch",
        "stop is called in every epoch: after the first one nothing is measured any more. It belongs "
        "to the end of the training.",
        {"stop": _at("epoch_end")},
        {"stop": _at("epoch_end", "train_end")},
        {"stop": _at("epoch_begin")},
        {"stop": _at("test_end")},
        {"stop": _at("train_batch_end")},
    ),
    Mistake(
        "stopped twice",
        "stop is called twice; once is enough, at the end.",
        stop=lambda at: at.hook == "train_end" or (at.hook == "epoch_end" and at.last_planned),
    ),
    Mistake(
        "not stopped when interrupted",
        "When training is stopped early (model.stop_training = True, as early stopping does), "
        "stop is never called. Which hook does Keras call however a run ends?",
        stop=lambda at: at.hook == "epoch_end" and at.last_planned,
    ),
    Mistake(
        "stopped too soon",
        "stop is called before the last epoch is over.",
        {"stop": lambda at: at.hook == "epoch_end" and at.epoch == 0},
        {"stop": lambda at: at.hook == "epoch_begin" and at.epoch == 0},
        {"stop": lambda at: at.hook == "epoch_begin" and at.last_planned},
        {"stop": lambda at: at.hook == "epoch_end" and at.epoch == at.planned - 2},
        {"stop": _at("train_begin")},
    ),
]


def _is_callback(case: Case, seen: Observation) -> Wrong | None:
    if seen["is_callback"]:
        return None
    return Wrong(
        "not a callback",
        "Your object is no callback of Keras, so model.fit does not take it: derive your class from "
        f"tf_keras.callbacks.Callback.{KERAS_3 * bool(seen['of_keras_3'])}",
    )


def _methods_known(case: Case, seen: Observation) -> Wrong | None:
    if not str(seen["unknown"]):
        return None
    return Wrong(
        "unknown method",
        f"The tracker has no {seen['unknown']}: the training would stop with an AttributeError. Its "
        "methods are epoch_start(), epoch_end() and stop().",
    )


CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values(
            "whole run",
            "each epoch is started before its first batch",
            of=("epoch_start",),
            about=("start",),
        ),
        Values(
            "whole run", "each epoch is ended after its last batch", of=("epoch_end",), about=("end",)
        ),
        Values(
            "whole run",
            "the tracker is stopped once, after the last epoch",
            of=("stop",),
            about=("stop",),
        ),
        Values("stopped", "a run that is stopped early is closed as well"),
        Claim("whole run", "is a callback of tf_keras", 1.0, _is_callback, early=True),
        Claim("whole run", "uses the tracker's own methods", 0.5, _methods_known, early=True),
    ],
    mistakes=MISTAKES,
)

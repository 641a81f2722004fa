"""Warm-up and cosine: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import oracles
from utilities.checks.core.check import (
    Arrays,
    Check,
    Choice,
    Claim,
    Mistake,
    Only,
    Remark,
    Sign,
    Values,
    Wrong,
)
from utilities.checks.core.oracles import linear_rise
from utilities.checks.kernel.case import KERAS_3, Case, Observation
from utilities.checks.kernel.small_datasets.protocol import SCHEDULE

# --- what goes in ----------------------------------------------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw steps before, in and after the cosine, numbers and tensors, and runs that hardly decay."""
    draw = partial(_case, rng)
    drawn = [
        draw("warm-up", 20, 8, range(9)),
        draw("warm-up", 17, 5, range(6), from_zero=True),
        draw("cosine", 20, 8, range(8, 20)),
        draw("end", 15, 4, (14, 15, 16, 20, 26, 40, 1000)),
        draw("no warm-up", 12, 0, (0, 1, 5, 11, 12)),
        draw("tensors", 30, 6, (0, 3, 5, 6, 7, 18, 29, 30, 31, 54)),
        draw("config", 14, 4, (0, 3, 4, 8, 13, 16)),
        draw("short", 7, 6, (0, 5, 6, 7, 8)),
        draw("short", 6, 6, (0, 5, 6, 7)),
        *(draw("settings", total, 9, (0,)) for total in (6, 8, 9, 10)),
    ]
    for stage in ("warm-up", "cosine", "tensors") if thorough else ():
        warmup_steps = int(rng.integers(3, 9))
        total_steps = warmup_steps + int(rng.integers(5, 25))
        first = warmup_steps if stage == "cosine" else 0
        last = warmup_steps if stage == "warm-up" else total_steps
        drawn.append(draw(stage, total_steps, warmup_steps, range(first, last)))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    total_steps: int,
    warmup_steps: int,
    steps: Sequence[int],
    from_zero: bool = False,
) -> Case:
    """Return the settings of a schedule and the steps to ask it for."""
    base = round(float(rng.uniform(0.5, 2.0)), 3)
    inputs = {
        "learning_rate_base": base,
        "total_steps": total_steps,
        "warmup_learning_rate": 0.0 if from_zero else round(base * float(rng.uniform(0.1, 0.4)), 3),
        "warmup_steps": warmup_steps,
        "steps": np.array(steps, np.int64),
    }
    return Case(stage, inputs)


# --- the formula -----------------------------------------------------------------------------------


def formula(
    case: Case,
    seen: Observation,
    *,
    refuses: Any = lambda total, warm: total < warm,
    at_once: float = 1.0,
    **settings: Any,
) -> Arrays:
    """Return the learning rates, or whether the settings are refused.

    refuses: (total_steps, warmup_steps) → bool. at_once: where nothing is left to decay, the share
    of the rate at that one step. The other settings are those of the oracle.
    """
    base, total, first, warm = (case[name] for name in SCHEDULE)
    if case.stage == "settings":
        return {"refused": np.array(refuses(total, warm))}
    if refuses(total, warm):
        raise ValueError("refused")
    steps = case["steps"]
    rates = oracles.warm_up_cosine(steps, base, total, first, warm, **settings)
    return {"learning_rate": np.where((steps == total) & (total == warm), at_once * rates, rates)}


# --- the mistakes ----------------------------------------------------------------------------------


def _goes_on(_: float, decayed: np.ndarray) -> np.ndarray:
    return decayed


def _from_the_start(step: np.ndarray, total: float, _: float) -> np.ndarray:
    return step / total


def _full(step: np.ndarray, base: float, *_: float) -> np.ndarray:
    return np.full(step.shape, base)


MISTAKES = [
    Mistake(
        "constant",
        "Your learning rate is the same at every step.",
        carries=False,
        rise=_full,
        wave=np.ones_like,
        after=_goes_on,
    ),
    Mistake(
        "no warm-up",
        "Your learning rate has no warm-up: it starts at its highest and only falls.",
        {"begins": lambda warm: 0, "share": _from_the_start},
        {"rise": _full},
    ),
    Mistake(
        "cosine counted from step 0",
        "Your cosine starts at step 0, so that it has already fallen when the warm-up ends. It "
        "starts where the warm-up ends, at the full rate.",
        share=_from_the_start,
    ),
    Mistake(
        "cosine too long",
        "Your cosine takes total_steps steps from the end of the warm-up on, so it does not "
        "reach 0 at step total_steps. How many steps are left for it?",
        share=lambda step, total, warm: (step - warm) / total,
    ),
    Mistake(
        "cosine never quite ends",
        "Your cosine takes one step more, or one less, than there are between the end of the "
        "warm-up and total_steps.",
        {"share": lambda step, total, warm: (step - warm) / (total - warm + 1)},
        {"share": lambda step, total, warm: (step - warm) / max(total - warm - 1, 1)},
    ),
    Mistake(
        "short decay stretched",
        "Where a single step is left after the warm-up, your cosine takes longer than that. What "
        "keeps you from dividing by 0 must not change the division by 1.",
        {"share": lambda step, total, warm: (step - warm) / max(total - warm, 2)},
        {"share": lambda step, total, warm: (step - warm) / max(total - warm, 1) * (total - warm > 1)},
    ),
    Mistake(
        "cosine not halved",
        "Your decay starts at twice the full rate: 1 + cos runs from 2 to 0.",
        wave=lambda share: 1 + np.cos(np.pi * share),
    ),
    Mistake(
        "cosine without the 1",
        "Your decay is the cosine itself, which runs from 1 to −1: half of your rates are "
        "negative. What turns it into a run from 1 to 0?",
        {"wave": lambda share: np.cos(np.pi * share)},
        {"wave": lambda share: np.cos(np.pi * share) / 2},
    ),
    Mistake(
        "cosine turned round",
        "Your decay rises: 1 − cos runs from 0 to 2. Which sign makes it start at its highest?",
        {"wave": lambda share: (1 - np.cos(np.pi * share)) / 2},
    ),
    Mistake(
        "sine",
        "Your decay is made with a sine, which starts at 0. Which wave starts at its highest?",
        {"wave": lambda share: (1 + np.sin(np.pi * share)) / 2},
        {"wave": lambda share: np.sin(np.pi * share)},
    ),
    Mistake(
        "quarter of a wave",
        "Your decay is the first quarter of a cosine. The half wave is asked for, made to run "
        "from 1 to 0: slow at the start and slow at the end.",
        {"wave": lambda share: np.cos(np.pi * share / 2)},
        {"wave": lambda share: (1 + np.cos(np.pi * share / 2)) / 2},
    ),
    Mistake(
        "whole wave",
        "Your decay is a whole wave: it falls and rises again. Half a wave is asked for.",
        wave=lambda share: (1 + np.cos(2 * np.pi * share)) / 2,
    ),
    Mistake(
        "cosine without π",
        "Your cosine is taken of the share of the steps itself. At the end of the run its angle "
        "must be half a turn.",
        wave=lambda share: (1 + np.cos(share)) / 2,
    ),
    Mistake(
        "straight line",
        "Your learning rate falls along a straight line, not along a cosine.",
        wave=lambda share: 1 - share,
    ),
    Mistake(
        "no decay",
        "After its warm-up your learning rate stays at its highest. It falls along a cosine.",
        wave=np.ones_like,
    ),
    Mistake(
        "ends at the first rate",
        "Your cosine falls to warmup_learning_rate. It falls to 0.",
        lowest=lambda first: first,
    ),
    Mistake(
        "rises again",
        "Behind the last step your cosine goes on, and the learning rate rises again. There it "
        "is to be 0.",
        after=_goes_on,
    ),
    Mistake(
        "full rate after the end",
        "Behind the last step your learning rate is the full one. There it is to be 0.",
        after=lambda base, _: base,
    ),
    Mistake(
        "warm-up from 0",
        "Your warm-up starts at 0. It starts at warmup_learning_rate.",
        rise=lambda step, base, first, warm: base * step / max(warm, 1),
    ),
    Mistake(
        "warm-up too high",
        "Your warm-up rises by learning_rate_base, and starts at warmup_learning_rate: so it ends "
        "too high. By how much must it rise to end at learning_rate_base?",
        rise=lambda step, base, first, warm: first + base * step / max(warm, 1),
    ),
    Mistake(
        "warm-up one step ahead",
        "Your warm-up is one step ahead: at step 0 it has already risen.",
        rise=lambda step, base, first, warm: linear_rise(step + 1, base, first, warm),
    ),
    Mistake(
        "warm-up too short",
        "Your warm-up arrives at the full rate one step too soon: it takes warmup_steps steps.",
        rise=lambda step, base, first, warm: linear_rise(step, base, first, warm - 1),
    ),
    Mistake(
        "flat warm-up",
        "Your warm-up does not rise: it stays at warmup_learning_rate.",
        rise=lambda step, base, first, _: np.full(step.shape, first),
    ),
    Mistake(
        "warm-up falls",
        "Your warm-up falls where it should rise.",
        rise=lambda step, base, first, warm: linear_rise(warm - step, base, first, warm),
    ),
    Mistake(
        "not refused",
        "A warm-up longer than the whole run is to raise a ValueError, and yours goes on.",
        refuses=lambda total, warm: False,
    ),
    Mistake(
        "refused too soon",
        "You refuse settings that fit: total_steps may be as small as warmup_steps, and only where "
        "it is smaller a ValueError is asked for.",
        {"refuses": lambda total, warm: total <= warm},
        {"refuses": lambda total, warm: total <= warm + 1},
        {"refuses": lambda total, warm: total > warm},
    ),
    Mistake(
        "refused by one too few",
        "A warm-up one step longer than the whole run is to raise a ValueError too.",
        refuses=lambda total, warm: total < warm - 1,
    ),
]


def _inherits(case: Case, seen: Observation) -> Wrong | None:
    if seen["is_schedule"]:
        return None
    return Wrong(
        "not a schedule",
        "An optimiser takes your object for a schedule only if the class inherits from "
        f"tf_keras.optimizers.schedules.LearningRateSchedule.{KERAS_3 * bool(seen['of_keras_3'])}",
    )


def _depends_on_no_tensor(case: Case, seen: Observation) -> bool:
    return case.stage == "tensors" and len(set(seen["learning_rate"].tolist())) == 1


CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[oracles.warm_up_cosine],
    findings=[
        Values(
            "warm-up",
            "rises in a straight line from warmup_learning_rate to learning_rate_base",
            2.0,
            about=("rise",),
        ),
        Values(
            "cosine",
            "falls along a cosine from there to 0 at total_steps",
            2.5,
            about=("wave", "share", "lowest"),
        ),
        Values("end", "is 0 after total_steps", 1.5, about=("after",)),
        Values("no warm-up", "starts with the cosine where warmup_steps is 0"),
        Values("tensors", "takes a tensor as step, as an optimiser gives it", 1.5),
        Values("config", "a schedule made anew from get_config() is the same", 0.5),
        Values("short", "the warm-up may be all of the run, or all but one step", 0.5),
        Values(
            "settings",
            "total_steps below warmup_steps is refused, and nothing else",
            0.5,
            about=("refuses",),
            claim=True,
        ),
        Claim("warm-up", "is a schedule of tf_keras.optimizers.schedules", 1.0, _inherits, early=True),
    ],
    mistakes=MISTAKES,
    choices=[Choice("", {"at_once": 0.0})],
    signs=[
        Sign(
            "division by zero",
            "Your learning rate is not a number where the warm-up takes all steps: the share of the "
            "cosine is then 0 divided by 0. What is the smallest number that you may divide by?",
            lambda case, seen: bool(np.isnan(seen["learning_rate"]).any()),
        ),
        Sign(
            "step of a tensor replaced",
            "Where the step is a tensor, as in training, your learning rate is the same at every "
            "step. Cast the step, and do not ask whether it is an int.",
            _depends_on_no_tensor,
        ),
    ],
    kinds=[
        Only(
            "numbers alone",
            "Your schedule works where the step is a number, but not with the tensor of whole numbers "
            "that an optimiser passes. Cast it to floating point, and use TensorFlow's functions "
            "throughout: inside a graph it has no value yet.",
            lambda case: case.stage == "tensors",
        ),
    ],
    remarks=[
        Remark(
            "Your ValueError does not speak of the warm-up: whoever meets it wants to know what does "
            "not fit.",
            lambda case, seen: case.stage == "settings" and not seen["tells_why"],
        ),
    ],
    depth=4,  # rounding in the share, the cosine, the sum and the product
)

"""The orthonormal constraint: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable
from functools import partial

import numpy as np

from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Only, Sign, Values, Wrong
from utilities.checks.core.drawing import kernel
from utilities.checks.core.oracles import Step
from utilities.checks.kernel.case import KERAS_3, Case, Observation

DEFAULT_BETA = 0.01
Update = Callable[[np.ndarray, np.ndarray, float], np.ndarray]  # w, (wwᵀ)w, beta → w

# --- what goes in ----------------------------------------------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw wide, tall and square matrices, an orthonormal one, and one that a layer trains."""
    draw = partial(_case, rng)
    drawn = [
        draw("matrices", (3, 5), 0.25),
        draw("matrices", (6, 2), 0.25),
        draw("matrices", (4, 4), 0.5),
        draw("default", (4, 4), None),
        Case("orthonormal", {"w": _orthonormal(rng), "beta": 0.5}),
        draw("trained", (3, 3), 0.25),
        draw("config", (5, 5), 0.75),
    ]
    for beta in thorough * (0.125, 0.75):
        m, n = (int(length) for length in rng.permutation(np.arange(2, 9))[:2])
        drawn.append(draw("matrices", (m, n), beta))
    return drawn


def _case(rng: np.random.Generator, stage: str, shape: tuple[int, int], beta: float | None) -> Case:
    return Case(stage, {"w": kernel(rng, *shape), "beta": beta})


def _orthonormal(rng: np.random.Generator) -> np.ndarray:
    """Return w (3, 4) with wwᵀ = 1 exactly, so that no formula leaves the rounding of a difference."""
    rows = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])  # Hadamard's
    signs = rng.choice([-1, 1], size=4)
    return (rng.permutation(rows)[:3] * signs / 2).astype(np.float32)


# --- the formula -----------------------------------------------------------------------------------


def cube(w: np.ndarray) -> np.ndarray:
    """Return (wwᵀ)w, for w (m, n)."""
    return w @ w.T @ w


def step(w: np.ndarray, cubed: np.ndarray, beta: float) -> np.ndarray:
    """Return (1 + β)w − β(wwᵀ)w.

    Source: Conneau et al., "Word Translation Without Parallel Data", 2018, equation 7.
    """
    return (1 + beta) * w - beta * cubed


def formula(
    case: Case,
    seen: Observation,
    *,
    cube: Step = cube,
    step: Update = step,
    used: Callable[[float], float] = lambda beta: beta,
    default: Callable[[np.ndarray, Observation], float] = lambda w, seen: DEFAULT_BETA,
) -> Arrays:
    """Return the new matrix (m, n).

    The settings: what the second term is made of, how the two terms are put together, which β is
    used, and which where none is given.
    """
    w = case["w"].astype(np.float64)
    beta = default(w, seen) if case["beta"] is None else float(case["beta"])
    return {"matrix": step(w, cube(w), used(beta))}


# --- the mistakes ----------------------------------------------------------------------------------


def _observed_beta(w: np.ndarray, seen: Observation) -> float:
    """Return the β that fits the matrix observed best: M − w = β(w − (wwᵀ)w)."""
    change = w - cube(w)
    matrix = seen.values.get("matrix", w)
    fits = matrix.shape == w.shape
    return float(np.sum((matrix - w) * change) / np.sum(change**2)) if fits else DEFAULT_BETA


def _orthogonal_factor(w: np.ndarray, cubed: np.ndarray, beta: float) -> np.ndarray:
    left, _, right = np.linalg.svd(w, full_matrices=False)
    return left @ right


def _unit(axis: int) -> Update:
    return lambda w, cubed, beta: w / np.linalg.norm(w, axis=axis, keepdims=True)


def _penalty(w: np.ndarray, cubed: np.ndarray, beta: float) -> np.ndarray:
    return np.asarray(beta * np.square(w @ w.T - np.eye(len(w))).sum())


MISTAKES = [
    Mistake(
        "matrix unchanged",
        "Your constraint returns the matrix as it came.",
        carries=False,
        step=lambda w, cubed, beta: w,
    ),
    Mistake(
        "1 + β forgotten",
        "Your result is w − β(wwᵀ)w, which shrinks every matrix. What stands before the first w?",
        step=lambda w, cubed, beta: w - beta * cubed,
    ),
    Mistake(
        "β for 1 + β",
        "Your result is βw − β(wwᵀ)w, which is next to nothing. What stands before the first w?",
        step=lambda w, cubed, beta: beta * w - beta * cubed,
    ),
    Mistake(
        "1 − β for 1 + β",
        "Your result is (1 − β)w + β(wwᵀ)w: the two signs are exchanged, so lengths move away from 1.",
        step=lambda w, cubed, beta: (1 - beta) * w + beta * cubed,
    ),
    Mistake(
        "1 − β in the first term",
        "Your result is (1 − β)w − β(wwᵀ)w: one sign is wrong, and every matrix shrinks.",
        step=lambda w, cubed, beta: (1 - beta) * w - beta * cubed,
    ),
    Mistake(
        "terms added",
        "Your result is (1 + β)w + β(wwᵀ)w, which lets every matrix grow. One term is subtracted.",
        step=lambda w, cubed, beta: (1 + beta) * w + beta * cubed,
    ),
    Mistake(
        "sign turned",
        "Your result has the wrong sign as a whole: it is β(wwᵀ)w − (1 + β)w.",
        step=lambda w, cubed, beta: beta * cubed - (1 + beta) * w,
    ),
    Mistake(
        "β before the second term forgotten",
        "Your result is (1 + β)w − (wwᵀ)w: the second term has a factor too.",
        step=lambda w, cubed, beta: (1 + beta) * w - cubed,
    ),
    Mistake(
        "β squared",
        "Your second term has β twice.",
        step=lambda w, cubed, beta: (1 + beta) * w - beta**2 * cubed,
    ),
    Mistake(
        "only wwᵀ subtracted",
        "Your result is (1 + β)w − βwwᵀ: wwᵀ is multiplied by w once more, so that the shape is w's.",
        cube=lambda w: w @ w.T,
    ),
    Mistake(
        "multiplied entry by entry",
        "Your second term multiplies entry by entry. The formula has matrix products.",
        {"cube": lambda w: w**3},
        {"cube": lambda w: (w @ w.T) * w},
        {"cube": lambda w: (w * w) @ w},
    ),
    Mistake(
        "ones for the identity",
        "Your second term is (wwᵀ − 1)w with 1 taken off every entry. What is taken off wwᵀ has ones "
        "on its diagonal alone.",
        step=lambda w, cubed, beta: w - beta * (w @ w.T - 1.0) @ w,
    ),
    Mistake(
        "not transposed",
        "Your second term is (ww)w: one factor has to be transposed.",
        cube=lambda w: w @ w @ w,
    ),
    Mistake(
        "transposed on the wrong side",
        "Your second term is (wwᵀ)wᵀ or wᵀ(wwᵀ): the transposed one stands in the middle.",
        {"cube": lambda w: w @ w.T @ w.T},
        {"cube": lambda w: w.T @ w @ w.T},
        {"cube": lambda w: w.T @ w @ w},
    ),
    Mistake(
        "β fixed",
        "Your constraint uses 0.01 whatever β it was made with. Keep the argument, and use it.",
        used=lambda beta: DEFAULT_BETA,
    ),
    Mistake(
        "wrong default",
        "Made without an argument, your constraint does not use β = 0.01.",
        default=_observed_beta,
        unseen="it is read off what was observed: the catalogue shows it",
    ),
    Mistake(
        "orthonormal at once",
        "Your constraint makes the matrix orthonormal at once. The formula takes one small step each "
        "time, so that training is not undone.",
        step=_orthogonal_factor,
    ),
    Mistake(
        "rows of length 1",
        "Your constraint gives each row length 1. That does not make rows orthogonal to each other.",
        step=_unit(1),
    ),
    Mistake(
        "columns of length 1",
        "Your constraint gives each column length 1. That does not make columns orthogonal.",
        step=_unit(0),
    ),
    Mistake(
        "a penalty, not a matrix",
        "You return a number, how far the matrix is from orthonormal: that would be a regulariser. A "
        "constraint returns the new matrix.",
        step=_penalty,
    ),
]


def _is_constraint(case: Case, seen: Observation) -> Wrong | None:
    """It is what Keras takes for a constraint, and leaves the matrix it is given alone."""
    if not seen["is_constraint"]:
        return Wrong(
            "no Constraint",
            "Orthonormal should be a class that inherits from tf_keras.constraints.Constraint: Keras "
            "can then save it with a layer." + (KERAS_3 if seen["from_keras_3"] else ""),
        )
    return None


def _leaves_alone(case: Case, seen: Observation) -> Wrong | None:
    if seen["left_alone"]:
        return None
    return Wrong(
        "changed in place",
        "Your constraint changes the weight it is given (assign). Keras assigns what you return: "
        "compute the new matrix, and leave w alone.",
    )


CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values("matrices", "(1 + β)w − β(wwᵀ)w for wide, tall and square matrices", 2.0),
        Values("default", "β is 0.01 if nothing else is said", about=("default",)),
        Values("orthonormal", "an orthonormal matrix stays as it is", 0.75),
        Values("trained", "Keras applies it after a step of training"),
        Values("config", "a constraint made anew from get_config() is the same"),
        Claim("default", "it is a tf_keras.constraints.Constraint", 1.0, _is_constraint, ("default",)),
        Claim(
            "default", "it returns the new matrix and leaves w alone", 1.0, _leaves_alone, ("default",)
        ),
    ],
    mistakes=MISTAKES,
    signs=[
        Sign(
            "random",
            "The same call twice gives different results: something random is at work.",
            lambda case, seen: not seen["repeats"],
            anywhere=True,
        ),
    ],
    kinds=[
        Only(
            "config incomplete",
            "A constraint made anew from its get_config() computes something else: the config must "
            "hold every argument under its name, with the value it was made with.",
            lambda case: case.stage == "config",
        ),
    ],
    depth=6,  # a singular value decomposition, which is right as well, rounds more often than products
)

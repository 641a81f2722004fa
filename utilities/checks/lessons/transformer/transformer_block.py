"""The transformer block: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import activations, oracles
from utilities.checks.core.activations import MIXED, closest, linear, relu
from utilities.checks.core.check import (
    Arrays,
    Check,
    Choice,
    Claim,
    Mistake,
    Remark,
    Sign,
    Values,
    Wrong,
)
from utilities.checks.core.drawing import kernel, normal, uniform
from utilities.checks.core.dropout import Branch, as_taken, dropped
from utilities.checks.core.oracles import Step
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.shared import spare
from utilities.checks.lessons.transformer.mlp import (
    ALWAYS_ON,
    DRAWN,
    KEEP_RATE,
    LINEAR,
    NO_DROPOUT,
    NOT_SCALED,
    RATE,
    RATE_IGNORED,
    Pattern,
    everywhere,
    last_linear,
    starts_well,
    weights_are_trained,
    weights_for,
)

DEFAULT_RATE = 0.1
ANCHORS = 2  # columns that the updates of a training case leave alone

# --- what goes in: all dimensions of a case differ, save those that the residual makes equal --------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw cases of each part alone, of the whole block, and of what dropout does in training."""
    draw, drop = partial(_case, rng), partial(_dropout_case, rng)
    drawn = [
        draw("attention part", (2, 5, 4), 3, [7, 4], silent=("kernel_2", "bias_2")),
        draw("MLP part", (3, 4, 5), 2, [6, 5], silent=("W_o",)),
        draw("whole block", (2, 5, 6), 3, [8, 6]),
        draw("whole block", (1, 7, 5), 4, [6, 8, 5]),
        drop((6, 11, 9), 3, RATE),
        drop((7, 12, 10), 2, None),
    ]
    if thorough:
        for depth in (1, 3):
            sizes = (int(n) for n in rng.permutation(np.arange(2, 10)))
            batch, tokens, width, heads, *units = sizes
            shape, units = (batch, tokens, width), [*units[: depth - 1], width]
            drawn.append(draw("whole block", shape, heads if depth == 1 else 1, units))
        drawn.append(drop((7, 13, 9), 2, 0.15))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    shape: tuple[int, ...],
    num_heads: int,
    units: Sequence[int],
    silent: Sequence[str] = (),
) -> Case:
    """Return a block with random weights, those in `silent` being zero; both norms hold the same."""
    width = shape[-1]
    gamma, beta = rng.uniform(0.5, 1.5, width).astype(np.float32), normal(rng, width)
    weights = {
        **{name: kernel(rng, num_heads, width, width) for name in ("W_q", "W_k", "W_v")},
        "W_o": kernel(rng, num_heads * width, width),
        **{"gamma_1": gamma, "beta_1": beta, "gamma_2": gamma, "beta_2": beta},
    }
    for i, (d_in, d_out) in enumerate(zip([width, *units], units, strict=False), start=1):
        weights[f"kernel_{i}"] = 1.5 * kernel(rng, d_in, d_out)  # GELU takes some of the size away
        weights[f"bias_{i}"] = 0.5 * normal(rng, d_out)
    weights |= {name: np.zeros_like(weights[name]) for name in silent}
    return _case_of(rng, stage, normal(rng, *shape), num_heads, units, 0.0, weights)


def _dropout_case(
    rng: np.random.Generator, shape: tuple[int, ...], num_heads: int, rate: float | None
) -> Case:
    """Return a block whose two updates can be read off its output.

    Layer normalisation only shifts and scales each row. The updates leave two columns of a row
    alone, the anchors, and from these both the shift and the scale can be found. The MLP's update
    does not depend on what it reads: each hidden number is its bias, and goes to a column of its own.
    """
    width = shape[-1]
    hidden = width - ANCHORS
    x = uniform(rng, *shape)
    x[..., 0], x[..., 1] = 3.0, -2.0
    W_v, W_o = uniform(rng, num_heads, width, width) / width, uniform(rng, num_heads * width, width)
    W_v[..., :ANCHORS] = W_o[:, :ANCHORS] = 0.0
    one, zero = np.ones(width, np.float32), np.zeros(width, np.float32)
    weights = {
        "W_q": kernel(rng, num_heads, width, width),
        "W_k": kernel(rng, num_heads, width, width),
        "W_v": W_v,
        "W_o": W_o / np.float32(num_heads * width),
        **{"gamma_1": one, "beta_1": zero, "gamma_2": one, "beta_2": zero},
        "kernel_1": np.zeros((width, hidden), np.float32),
        "bias_1": uniform(rng, hidden),
        "kernel_2": np.eye(hidden, width, ANCHORS, dtype=np.float32),
        "bias_2": zero,
    }
    return _case_of(rng, "training", x, num_heads, [hidden, width], rate, weights)


def _case_of(
    rng: np.random.Generator,
    stage: str,
    x: np.ndarray,
    num_heads: int,
    units: Sequence[int],
    rate: float | None,
    weights: dict[str, np.ndarray],
) -> Case:
    weights["spare"] = normal(rng, 64)  # for weights of shapes that a right block does not have
    inputs = {
        "x": x,
        "num_heads": num_heads,
        "proj_dim": x.shape[-1],
        "mlp_units": np.array(units),
        "dropout_rate": rate,
    }
    return Case(stage, inputs | weights, unsaid=tuple(weights))


# --- the formula -----------------------------------------------------------------------------------

Norm = Callable[..., np.ndarray]  # (x, gamma, beta, epsilon) → x
Rate = Callable[[float, Observation], float]
AFTER_MLP = (("mlp", "block"), ("block",), ("mlp",))  # one dropout or two: both forms are in use


def formula(
    case: Case,
    seen: Observation,
    *,
    heads: Callable[[int], int] = lambda heads: heads,
    widths: Callable[[list[int], int], list[int]] = lambda units, d: units,
    activation: Step | None = None,
    pattern: Pattern = everywhere,
    norm: Norm = oracles.layer_norm,
    epsilon: float = 1e-6,
    rate: Rate = lambda rate, seen: rate,
    mlp_rate: Rate = lambda rate, seen: rate,
    after_attention: bool = True,
    inside_mlp: bool = True,
    after_mlp: Sequence[Sequence[str]] = AFTER_MLP,
    scaled: bool = True,
    always: bool = False,
    **wiring: Any,
) -> Arrays:
    """Return the output; in training that of each part alone, as it may come.

    The settings: number of heads; widths of the MLP; its non-linearity, of those accepted the one
    that comes closest if None; which of its layers have it; what normalises, with which epsilon; the
    rates of the block's dropout and of the MLP's; where they act; whether what is kept is scaled, and
    whether dropout acts at inference too. The others are those of the oracle.
    """
    x = case["x"].astype(np.float64)
    width, number = x.shape[-1], heads(case["num_heads"])
    W_q, W_k, W_v = (_given(case, n, (number, width, width)) for n in ("W_q", "W_k", "W_v"))
    W_o = _given(case, "W_o", (number * width, width))
    kernels, biases = weights_for(case, [width, *widths(case["mlp_units"].tolist(), width)])
    gamma, beta = (case[name].astype(np.float64) for name in ("gamma_1", "beta_1"))
    normalise = partial(norm, gamma=gamma, beta=beta, epsilon=epsilon)

    def attend(x: np.ndarray) -> np.ndarray:
        return oracles.multi_head_attention(x, x, x, W_q, W_k, W_v, W_o)[0]

    def block(attend: Step, mlp: Step, **changed: Any) -> np.ndarray:
        return oracles.transformer_block(x, attend, mlp, normalise, normalise, **{**wiring, **changed})

    def mlp_of(f: Step) -> Step:
        return partial(
            oracles.mlp, kernels=kernels, biases=biases, activations=pattern(f, len(kernels))
        )

    used = (activations.used(seen["non_linearities"]) or MIXED) if activation is None else [activation]
    outputs = [block(attend, mlp_of(f)) for f in used]
    output = closest(outputs, seen["output"])
    if case.stage != "training":
        return {"output": output}
    if f"kernel_{len(case['mlp_units'])}" in seen["missing"] or "W_o" in seen["missing"]:
        return {"output": output}  # no update can be switched off: of other sizes than asked for

    f = used[[o is output for o in outputs].index(True)]
    asked = DEFAULT_RATE if case["dropout_rate"] is None else case["dropout_rate"]
    rates = {"block": rate(asked, seen), "mlp": mlp_rate(asked, seen)}
    f_1, f_2 = pattern(f, 2)
    updates = {
        "attention": _update_of(attend, block, x),
        "mlp": f_2(f_1(biases[0]) @ kernels[1] + biases[1]) + 0 * x,
    }
    updates["neither"] = np.zeros_like(x)

    def ways(part: str) -> list[list[Branch]]:
        """Return, for each accepted form, what an entry of an update may become, and how probably."""
        if part == "attention":
            branches: list[Branch] = [(updates[part][..., ANCHORS:], 1.0)]
            return [dropped(branches, rates["block"], scaled) if after_attention else branches]
        hidden: list[Branch] = [(f_1(biases[0]) + 0 * x[..., ANCHORS:], 1.0)]
        hidden = dropped(hidden, rates["mlp"], scaled) if inside_mlp else hidden
        return [
            _after([(f_2(h), p) for h, p in hidden], [rates[n] for n in form], scaled)
            for form in after_mlp
        ]

    def alone(part: str, update: np.ndarray) -> np.ndarray:
        given = {"attention": updates["neither"], "mlp": updates["neither"], part: update}
        return block(lambda _: given["attention"], lambda _: given["mlp"])

    def random(part: str, name: str) -> np.ndarray:
        """Return what came, if it can have come: the update is read off it, number by number."""
        base = _carried_past(part, block, updates["neither"], wiring)
        right = alone(part, updates[part])
        if not np.allclose(_read_off(right, base), updates[part][..., ANCHORS:], atol=1e-3):
            return np.full_like(right, np.nan)  # not to be read off a block wired in this way
        update = np.zeros_like(x)
        update[..., ANCHORS:] = _first_possible(_read_off(seen[name], base), ways(part), rates["mlp"])
        return alone(part, update)

    # At inference, where dropout is always on, both updates are dropped at once: whatever comes.
    values = {"output": seen["output"] if always else output}
    for part in ("neither", "attention", "mlp"):
        name, right = f"{part}_alone", alone(part, updates[part])
        values[name] = random(part, name) if always and part != "neither" else right
        name += "_in_training"
        values[name] = right if part == "neither" else random(part, name)
    return values


def _given(case: Case, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a weight of the case, or a spare one where its shape is another one."""
    value = case[name]
    return np.asarray(value if value.shape == shape else spare(case, shape), np.float64)


def _after(branches: list[Branch], rates: Sequence[float], scaled: bool) -> list[Branch]:
    for rate in rates:
        branches = dropped(branches, rate, scaled)
    return branches


def _update_of(attend: Step, block: Callable, x: np.ndarray) -> np.ndarray:
    """Return what attention gives in a block, whatever it reads there, while nothing else is added."""
    kept = []

    def remember(read: np.ndarray) -> np.ndarray:
        kept.append(attend(read))
        return kept[0]

    block(remember, lambda _: np.zeros_like(x))
    return kept[0]


def _carried_past(part: str, block: Callable, nothing: np.ndarray, wiring: dict) -> np.ndarray:
    """Return what the update of a part is added to, while nothing else is added."""
    order = wiring.get("order", lambda attend, mlp: (attend, mlp))
    add = "add_1" if order("attention", "mlp")[0] == part else "add_2"
    kept = []

    def remember(carried: np.ndarray, update: np.ndarray) -> np.ndarray:
        kept.append(carried)
        return wiring.get(add, np.add)(carried, update)

    block(lambda _: nothing, lambda _: nothing, **{add: remember})
    return kept[0]


def _read_off(normalised: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Return what was added to `base` (B, N, d) before each row was shifted and scaled.

    Nothing is added to the two anchor columns, so they tell by how much; (B, N, d − 2).
    """
    z = normalised.astype(np.float64)
    scale = (base[..., 0] - base[..., 1]) / (z[..., 0] - z[..., 1])  # (B, N)
    total = base[..., :1] + (z - z[..., :1]) * scale[..., None]
    return (total - base)[..., ANCHORS:]


def _first_possible(observed: np.ndarray, forms: list[list[Branch]], rate: float) -> np.ndarray:
    """Return the observed numbers as the first form has them in which they can have come."""
    for branches in forms:
        for counted in (branches, _of_one_seed(branches, rate)):
            try:
                return as_taken(observed, counted)
            except ValueError:
                continue
    raise ValueError("in none of the forms")


def _of_one_seed(branches: list[Branch], rate: float) -> list[Branch]:
    """Return the branches where two dropouts in a row drop the same numbers, as equal seeds do."""
    kept = [p / (1.0 - rate) if np.any(values) else 0.0 for values, p in branches]
    none = 1.0 - sum(kept)
    return [
        (values, p if np.any(values) else none) for (values, _), p in zip(branches, kept, strict=True)
    ]


# --- the mistakes ----------------------------------------------------------------------------------


def _without_input(carried: np.ndarray, update: np.ndarray) -> np.ndarray:
    return update


def _without_update(carried: np.ndarray, update: np.ndarray) -> np.ndarray:
    return carried


def _twice(carried: np.ndarray, update: np.ndarray) -> np.ndarray:
    return carried + carried + update


def bare_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float, **on: Any
) -> np.ndarray:
    return oracles.layer_norm(x, 1.0, 0.0, epsilon, **on)


def batch_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray:
    """Return what batch normalisation gives before it has seen a batch: mean 0, variance 1."""
    return gamma * x / np.sqrt(1.0 + 1e-3) + beta


def _fixed(rate: float, seen: Observation) -> float:
    """Return the rate of the dropout layers, or the one among two that was not asked for.

    Layers that never drop, such as the one inside Keras' attention, do not count.
    """
    rates = {r for r in seen["rates"].tolist() if r > 0}
    others = {r for r in rates if abs(r - rate) > 1e-6} or rates
    (fixed,) = others
    return float(fixed)


AFTER_THE_BLOCK: list[Step] = [relu, oracles.gelu, oracles.softmax, np.tanh, oracles.sigmoid]
WIRING = [  # how the parts are joined; in a classifier made of blocks these mistakes are the same
    Mistake(
        "residuals missing",
        "Neither part adds its input back: both residual connections are missing. Which path "
        "does the gradient take past attention and MLP?",
        add_1=_without_input,
        add_2=_without_input,
    ),
    Mistake(
        "attention residual missing",
        "The input x is not added to the output of attention: the first residual connection is "
        "missing.",
        add_1=_without_input,
    ),
    Mistake(
        "MLP residual missing",
        "x₁ is not added to the output of the MLP: the second residual connection is missing.",
        add_2=_without_input,
    ),
    Mistake(
        "residual from the wrong tensor",
        "Your second residual connection adds the wrong tensor. The MLP's output is added to what "
        "the MLP was given: x₁, the normalised result of the attention part.",
        *({"carried": name} for name in ("x", "total", "attended")),
    ),
    Mistake(
        "MLP reads the wrong tensor",
        "Your MLP is given the wrong tensor, so that the attention part and its normalisation do "
        "not lead into it. It is to be given x₁.",
        *({"read": name} for name in ("x", "attended", "total")),
    ),
    Mistake(
        "pre-norm",
        "You normalise before attention or MLP and add x afterwards: that is pre-norm. This block "
        "is post-norm: add first, then normalise the sum, LN(x + …).",
        {"place_1": "input", "place_2": "input"},
        {"place_2": "input"},
        {"place_1": "input"},
    ),
    Mistake(
        "normalised before adding",
        "You normalise what attention and MLP give, then add. Normalise the sum: LN(x + …).",
        {"place_1": "update", "place_2": "update"},
        {"place_1": "update"},
        {"place_2": "update"},
    ),
    Mistake(
        "no LayerNormalization",
        "Neither of the two sums is normalised.",
        place_1="nothing",
        place_2="nothing",
    ),
    Mistake(
        "first LayerNormalization missing",
        "The sum of x and attention is not normalised: the first LayerNormalization is missing.",
        entails=("LayerNormalization shared",),
        place_1="nothing",
    ),
    Mistake(
        "second LayerNormalization missing",
        "The sum of x₁ and MLP is not normalised: the second LayerNormalization is missing.",
        entails=("LayerNormalization shared",),
        place_2="nothing",
    ),
    Mistake(
        "MLP before attention",
        "Your block runs the MLP first and attention second: it is the other way round.",
        order=lambda attend, mlp: (mlp, attend),
    ),
    Mistake(
        "parts in parallel",
        "Attention and MLP both read x, and one sum is normalised. They follow each other: the MLP "
        "works on the result of the attention part.",
        {"read": "x", "carried": "total", "place_1": "nothing"},
        {"read": "x", "carried": "total"},
        entails=("LayerNormalization shared",),
    ),
    Mistake(
        "attention unused",
        "The output of attention does not reach the result: is it computed and then forgotten?",
        {"add_1": _without_update},
        {"read": "x", "carried": "x"},
        entails=("attention unused", "gradient cut off", "LayerNormalization shared"),
    ),
    Mistake(
        "MLP unused",
        "The output of the MLP does not reach the result: is it computed and then forgotten, or is "
        "x₁ returned in place of x₂?",
        {"add_2": _without_update},
        {"finish": lambda x_1, x_2: x_1},
        entails=("MLP unused", "gradient cut off", "LayerNormalization shared"),
    ),
    Mistake(
        "multiplied, not added",
        "You multiply each part by its input. A residual connection adds the two.",
        {"add_1": np.multiply, "add_2": np.multiply},
        {"add_1": np.multiply},
        {"add_2": np.multiply},
    ),
    Mistake(
        "input added twice",
        "The input of each part is added twice. Does the function that you call add it already?",
        {"add_1": _twice, "add_2": _twice},
        {"add_1": _twice},
        {"add_2": _twice},
    ),
    Mistake(
        "non-linearity after the block",
        "A non-linearity acts on the output of the block. The block ends with the second "
        "LayerNormalization.",
        *({"finish": lambda x_1, x_2, f=f: f(x_2)} for f in AFTER_THE_BLOCK),
    ),
]
INSIDE = [
    Mistake(
        "batch normalisation",
        "Your block uses batch normalisation, which takes mean and variance over all tokens of the "
        "batch. LayerNormalization takes them over the numbers of each token.",
        norm=batch_norm,
    ),
    Mistake(
        "LayerNormalization axis",
        "Your LayerNormalization does not run over the last axis alone. Each token is normalised by "
        "itself, over its own numbers: neither the other tokens nor the batch take part.",
        {"norm": partial(bare_norm, axis=-2)},
        {"norm": partial(bare_norm, axis=-2), "epsilon": 1e-3},
        {"norm": partial(bare_norm, axis=(-2, -1))},
        {"norm": partial(bare_norm, axis=(-2, -1)), "epsilon": 1e-3},
        {"norm": partial(oracles.layer_norm, axis=(-2, -1))},
        {"norm": partial(oracles.layer_norm, axis=(-2, -1)), "epsilon": 1e-3},
        entails=("too few normalisation weights",),
    ),
    Mistake(
        "LayerNormalization without gain and shift",
        "Your LayerNormalization has no gain and shift to learn (gamma and beta).",
        entails=("too few normalisation weights",),
        norm=bare_norm,
    ),
    Mistake(
        "epsilon too large",
        "What your LayerNormalization adds to the variance is so large that the tokens are no longer "
        "normalised. It only keeps the division from failing: 1e-6 will do.",
        *({"epsilon": epsilon} for epsilon in (1e-2, 1e-1, 1.0)),
    ),
    Mistake(
        "MLP ends linear",
        "The last Dense layer of your MLP has no non-linearity: here every layer of the MLP has "
        "one. Call your mlp rather than write it again.",
        pattern=last_linear,
    ),
    Mistake("no non-linearity", LINEAR, activation=linear),
    Mistake(
        "attention sizes",
        "Your attention layer has not the sizes asked for: num_heads heads, each of the width "
        "proj_dim. What does your block hand to MultiHeadAttention, and in which order?",
        heads=lambda heads: 1,
    ),
    Mistake(
        "MLP sizes",
        "The Dense layers of your block do not have the sizes of mlp_units, one layer an entry.",
        {"widths": lambda units, d: [4 * d, d]},
        {"widths": lambda units, d: [2 * d, d]},
        {"widths": lambda units, d: [d]},
        {"widths": lambda units, d: [units[0], d]},
        {"widths": lambda units, d: units[-1:]},
    ),
    Mistake(
        "no dropout",
        NO_DROPOUT,
        {"after_attention": False, "inside_mlp": False, "after_mlp": ((),)},
        {"after_attention": False, "after_mlp": ((),)},
        unseen=DRAWN,
    ),
    Mistake(
        "no dropout after attention",
        "In training, nothing of the output of attention is dropped before it is added.",
        after_attention=False,
        unseen=DRAWN,
    ),
    Mistake(
        "no dropout inside the MLP",
        "In training, nothing is dropped inside the MLP. Does it get the rate that the block is given?",
        inside_mlp=False,
        unseen=DRAWN,
    ),
    Mistake(
        "no dropout after the MLP",
        "In training, nothing of the output of the MLP is dropped before it is added.",
        {"after_mlp": ((),)},
        {"after_mlp": ((),), "inside_mlp": False},
        unseen=DRAWN,
    ),
    Mistake(
        "keep rate for drop rate",
        KEEP_RATE,
        rate=lambda rate, seen: 1 - rate,
        mlp_rate=lambda rate, seen: 1 - rate,
        unseen=DRAWN,
    ),
    Mistake(
        "rate ignored",
        RATE_IGNORED,
        {"rate": _fixed, "mlp_rate": _fixed},
        {"mlp_rate": _fixed},
        {"rate": _fixed},
        unseen=DRAWN,
    ),
    Mistake("not scaled", NOT_SCALED, scaled=False, unseen=DRAWN),
]

# --- what only the kernel can know -----------------------------------------------------------------


def _parts(case: Case, seen: Observation) -> Wrong | None:
    """One attention, one MLP and two normalisations are there, without anything else."""
    counts = {role: int(np.sum(seen["roles"] == role)) for role in ("W_q", "W_v", "kernel", "gamma")}
    if "attention bias" in seen["roles"]:
        return Wrong(
            "attention biases",
            "Your attention has biases. Use your MultiHeadAttention, which has none.",
        )
    if counts["W_q"] > 1:
        return Wrong(
            "attention twice",
            "Your block holds more than one attention layer. Make one, and call it once.",
        )
    if counts["gamma"] > 2:
        return Wrong(
            "too many normalisations",
            "Your block holds more than two normalisations: one after each sum is enough.",
        )
    if counts["kernel"] and not counts["W_v"]:
        return Wrong(
            "attention unused",
            "No attention layer leads to the result: is its output computed and then forgotten?",
        )
    if counts["W_v"] and not counts["kernel"]:
        return Wrong(
            "MLP unused",
            "No Dense layer leads to the result: is the output of the MLP computed and then "
            "forgotten, or is x₁ returned in place of x₂?",
        )
    named = seen["roles"][np.isin(seen["roles"], ("gamma", "beta"))]
    shapes = seen["shapes"][np.isin(seen["roles"], ("gamma", "beta"))]
    if counts["gamma"] == 1 and len(named) == 2 and tuple(shapes[0]) == (1, 1, case["x"].shape[-1]):
        return Wrong(
            "LayerNormalization shared",
            "Both places share one LayerNormalization. Each has gains and shifts of its own to "
            "learn: make two layers.",
        )
    untold = seen["roles"][seen["roles"] != "gamma"]
    plain = Observation({**seen.values, "roles": untold})
    return weights_are_trained(case, plain)


WHOLE = ("whole block",)


def _one_dropout(case: Case, seen: Observation) -> bool:
    """Return whether what came in training is possible with one dropout after the MLP alone."""
    if case.stage != "training":
        return False
    formula(case, seen)  # raises where it is possible in no way
    try:
        formula(case, seen, after_mlp=AFTER_MLP[:1])
    except ValueError:
        return True
    return False


CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[oracles.transformer_block],
    findings=[
        Values(
            "attention part",
            "attention part: x₁ = LN(x + MHA(x, x, x))",
            1.5,
            about=("add_1", "place_1", "heads", "order"),
        ),
        Values(
            "MLP part",
            "MLP part: x₂ = LN(x₁ + mlp(x₁))",
            1.5,
            about=("add_2", "place_2", "read", "carried", "widths", "activation", "pattern"),
        ),
        Values(WHOLE, "the whole block, for any sizes", 2.0),
        Values(
            "training",
            "dropout on what each part adds and inside the MLP, in training only",
            1.5,
            about=(
                "rate",
                "mlp_rate",
                "after_attention",
                "inside_mlp",
                "after_mlp",
                "scaled",
                "always",
            ),
        ),
        Claim(
            WHOLE,
            "one attention, one MLP, and a LayerNormalization after each, all of it trained",
            1.0,
            _parts,
            early=True,
        ),
        Claim(WHOLE, "with its own initial weights the block can learn", 0.5, starts_well),
    ],
    mistakes=[*WIRING, *INSIDE],
    choices=[
        Choice(
            "Your LayerNormalization adds 1e-3 to the variance, Keras' default; the hint has 1e-6. "
            "Either will do.",
            {"epsilon": 1e-3},
        ),
        Choice(
            "Your LayerNormalization adds 1e-5 to the variance, as PyTorch does; the hint has 1e-6. "
            "Either will do.",
            {"epsilon": 1e-5},
        ),
    ],
    signs=[
        Sign(
            "dropout on the residual",
            "In training, x itself is dropped in places, not only what attention and MLP add to "
            "it. Dropout acts on their outputs, before x is added: x keeps its free passage.",
            lambda case, seen: (
                not np.allclose(
                    seen["neither_alone"], seen["neither_alone_in_training"], rtol=1e-4, atol=1e-4
                )
            ),
        ),
        Sign(
            "dropout always on",
            ALWAYS_ON,
            lambda case, seen: not seen["repeats"],
            anywhere=True,
        ),
    ],
    remarks=[
        Remark(
            "One dropout acts after your MLP, where the task keeps two: the last of the MLP's own and "
            "the block's. Either form is in use, and either passes.",
            _one_dropout,
        ),
    ],
    depth=12,
)

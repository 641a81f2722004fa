"""The pre-norm Vision Transformer around any attention: cases, mistakes, what is looked at."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import activations, oracles
from utilities.checks.core.check import Check, Claim, Mistake, Values, Wrong
from utilities.checks.core.drawing import normal
from utilities.checks.core.oracles import Step
from utilities.checks.kernel import known
from utilities.checks.kernel.attention_variants.protocol import REPEAT
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons import vit_family
from utilities.checks.lessons.vit_family import DEPTH, STAGES, Sizes, resized, vit

LARGEST_EPSILON = 2e-5  # the task names 1e-6; PyTorch's 1e-5 is taken, Keras' 1e-3 is not

# --- what goes in ----------------------------------------------------------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw models of no block, one and several; with the last, the augmentation doubles the images."""
    drawn = [
        _case(rng, "no blocks", 2, 6, 3, width=5, layers=0, mlp=(7, 5), head=(8, 6), channels=2),
        _case(rng, "one block", 1, 8, 4, width=6, layers=1, mlp=(10, 6), head=(9, 7), channels=1),
        _case(rng, "blocks", 2, 16, 4, width=7, layers=2, mlp=(11, 8, 7), head=(12, 10), channels=3),
    ]
    if thorough:
        mlp, head = (13, 8), (14, 9, 6)
        drawn.append(_case(rng, "blocks", 3, 8, 2, 8, layers=3, mlp=mlp, head=head, channels=1))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    image_size: int,
    patch_size: int,
    width: int,
    layers: int,
    mlp: Sequence[int],
    head: Sequence[int],
    channels: int,
) -> Case:
    """Return a model's sizes and images; without augmentation, it has both dropouts."""
    side = image_size // REPEAT if stage == "blocks" else image_size
    rates = (0.0, 0.0) if stage == "blocks" else (0.25, 0.5)
    inputs = {
        "num_classes": {"no blocks": 3, "one block": 4, "blocks": 5}[stage],
        "image_size": image_size,
        "patch_size": patch_size,
        "embedding_proj_dim": width,
        "transformer_layers": layers,
        "mlp_units": np.array(mlp),
        "head_units": np.array(head),
        "dropout_rate": rates[0],
        "head_dropout_rate": rates[1],
        "images": normal(rng, batch, side, side, channels),
        "weights": int(rng.integers(1 << 30)),
    }
    return Case(stage, inputs, unsaid=("weights",))


def _sizes(case: Case) -> Sizes:
    return Sizes(
        patch_size=case["patch_size"],
        width=case["embedding_proj_dim"],
        layers=case["transformer_layers"],
        mlp_units=tuple(int(n) for n in case["mlp_units"]),
        head_units=tuple(int(n) for n in case["head_units"]),
        num_classes=case["num_classes"],
    )


def _mixing(case: Case, seen: Observation, size: Sizes, attend: Any) -> tuple[Step, int]:
    """Return the check's attention, one weight: each token becomes a fixed mixture of all."""

    def mix(x: np.ndarray) -> np.ndarray:
        mixing = known.weight(case["weights"], x.shape[1], x.shape[1]).astype(np.float64)
        return np.einsum("mn,bnd->bmd", mixing, x)

    return attend or mix, 1


def _flat(tokens: np.ndarray) -> np.ndarray:
    return tokens.reshape(len(tokens), -1)


formula = partial(
    vit,
    sizes=_sizes,
    attention=_mixing,
    repeat=REPEAT,
    largest_epsilon=LARGEST_EPSILON,
    class_token=False,
    last_norm=True,
    head_reads=_flat,
    place_1="input",
    place_2="input",
)

# --- the mistakes ----------------------------------------------------------------------------------

NORMALISED = (
    "Your residual adds the normalised tokens. It adds x as it came: the normalised tokens go only "
    "into attention or MLP, so that there is a path without any normalisation from first to last."
)
RESIDUAL = "What attention and MLP give is added to what came into the block, each for itself: "
ANOTHER = "The task asks for GELU in the blocks' MLPs and in the head; yours has another non-linearity "
TWO_NORMS = "attention and MLP each have their own."


def _alone(x: np.ndarray, update: np.ndarray) -> np.ndarray:
    return update


MISTAKES = vit_family.mistakes(
    Mistake(
        "post-norm",
        "Your blocks normalise after the sum. Here they normalise before attention and before the "
        "MLP, and what is added is x itself.",
        {"place_1": "sum", "place_2": "sum"},
        {"place_1": "sum", "place_2": "sum", "last_norm": False},
    ),
    Mistake("no residuals", f"{RESIDUAL}both sums are missing.", add_1=_alone, add_2=_alone),
    Mistake(
        "attention residual missing", f"{RESIDUAL}the sum after attention is missing.", add_1=_alone
    ),
    Mistake("MLP residual missing", f"{RESIDUAL}the sum after the MLP is missing.", add_2=_alone),
    Mistake(
        "normalised tokens added",
        NORMALISED,
        {"carry_normalised": (True, True)},
        {"carry_normalised": (True, False)},
        {"carry_normalised": (False, True)},
    ),
    Mistake(
        "first sum lost",
        "Your second sum adds the tokens that came into the block, so what attention did reaches "
        "the output only through the MLP. Add what the first sum gave.",
        carried="x",
    ),
    Mistake(
        "attention and MLP side by side",
        "Your MLP reads the tokens that came into the block. It reads what attention has added to.",
        read="x",
    ),
    Mistake(
        "MLP before attention",
        "Your MLP comes before attention; it is the other way round.",
        order=lambda attend, mlp: (mlp, attend),
    ),
    Mistake(
        "one attention for all blocks",
        "All your blocks share one attention. Call make_attention anew in each turn of the loop.",
        {"attentions": lambda layers: min(layers, 1)},
        {"attentions": lambda layers: 1},
    ),
    Mistake(
        "one block only",
        "However many blocks are asked for, your model has the weights of one. Make new layers in "
        f"each turn of the loop. {vit_family.BLOCKS}",
        resized(layers=lambda s: min(s.layers, 1)),
        {"shared": True, "norms": lambda layers: 2 * min(layers, 1), "attentions": lambda n: min(n, 1)},
    ),
    Mistake(
        "blocks not chained",
        "Your blocks do not follow each other: each one reads the tokens that the first one read. "
        "Give every block what the one before gave back.",
        chained=False,
    ),
    Mistake(
        "attention missing",
        "Your model has no weights of attention: is what make_attention returns called on the tokens?",
        {"attend": lambda x: 0.0 * x, "attentions": lambda layers: 0},
        {"attend": lambda x: x, "attentions": lambda layers: 0},
    ),
    Mistake(
        "normalisation missing in the blocks",
        f"Your blocks share one layer normalisation, or lack one: {TWO_NORMS}",
        {"norms": lambda layers: layers},
        {"norms": lambda layers: layers, "place_1": "nothing"},
        {"norms": lambda layers: layers, "place_2": "nothing"},
        {"norms": lambda layers: 0, "place_1": "nothing", "place_2": "nothing"},
    ),
    Mistake(
        "last normalisation missing",
        "After the last block the tokens are normalised once more, before the head.",
        last_norm=False,
    ),
    Mistake("positions missing", "Your tokens carry no positions.", positions=(0.0, 0)),
    Mistake(
        "tokens averaged",
        "Your head reads one vector of width d, as a mean over the tokens or one token alone. In "
        "this model it reads all tokens, flattened.",
        {"head_reads": lambda tokens: tokens.mean(axis=1)},
        {"head_reads": lambda tokens: tokens.max(axis=1)},
        {"head_reads": lambda tokens: tokens[:, 0]},
        {"head_reads": lambda tokens: tokens[:, -1]},
    ),
    Mistake(
        "hidden layers of the head missing",
        "Your head does not have one hidden layer for each entry of head_units.",
        *(
            vit_family.cut_head(cut)
            for cut in (slice(0, 0), slice(0, 1), slice(0, -1), slice(-1, None), slice(1, None))
        ),
    ),
    Mistake("MLP missing", "Your blocks have no MLP.", resized(mlp_units=lambda s: ())),
    Mistake(
        "MLP widths ignored",
        "The MLPs of your blocks do not have the widths mlp_units says.",
        *(vit_family.mlp_of(*factors) for factors in ((2, 1), (4, 1), (1,), (1, 1))),
        resized(mlp_units=lambda s: (s.mlp_units[0], s.width)),
        resized(mlp_units=lambda s: s.mlp_units[-1:]),
    ),
    Mistake(
        "MLP without non-linearity",
        "The Dense layers of your blocks' MLP have no non-linearity: together they are one linear map.",
        mlp_pattern=lambda step, depth: [activations.linear] * depth,
    ),
    Mistake(
        "last layer of the MLP linear",
        "In your blocks' MLP the last Dense layer has no non-linearity. In this model every entry of "
        "mlp_units is a Dense layer with GELU.",
        mlp_pattern=lambda step, depth: [step] * (depth - 1) + [activations.linear],
    ),
    *(
        Mistake(
            f"{name} in place of GELU",
            f"{ANOTHER}({name}).",
            *({"activation": step} for step in steps),
            *({"head_activation": step} for step in steps[:1]),
            *({"activation": step, "head_activation": oracles.gelu} for step in steps[:1]),
        )
        for name, steps in (*activations.OTHERS.items(), ("tanh", (np.tanh,)))
    ),
    Mistake(
        "epsilon of the normalisations",
        "Your layer normalisations have another epsilon than 1e-6, which the task names. Keras' own "
        "default is a thousand times as large.",
        *({"epsilon": epsilon} for epsilon in (1e-3, 1e-2, 1e-1, 1e-4)),
    ),
    without=("too few hidden layers in the head",),
)

# --- what only the kernel can know -----------------------------------------------------------------


def _dropout(case: Case, seen: Observation) -> Wrong | None:
    """Dropout acts after each Dense of the MLPs, before the head, and after its hidden layers."""
    if case.stage == "blocks":
        return None
    units = case["head_units"].tolist()
    flat = (case["image_size"] // case["patch_size"]) ** 2 * case["embedding_proj_dim"]
    widths = case["transformer_layers"] * case["mlp_units"].tolist()
    blocks = vit_family.Part("dropout_rate", case["dropout_rate"], widths)
    head = vit_family.Part("head_dropout_rate", case["head_dropout_rate"], [flat, *units])
    return vit_family.dropout(case, seen, blocks, head)


CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[oracles.transformer_block],
    findings=[
        Values(STAGES, "tokens: projected patches with their positions", 1.5, of=("encoding",)),
        Values("one block", "one pre-norm block, and LayerNorm behind it", 1.5, of=("last_tokens",)),
        vit_family.SEVERAL_BLOCKS,
        Values(STAGES, "logits: the head on all tokens", 2.5, of=("output",)),
        vit_family.AUGMENTATION,
        Values(
            STAGES,
            "it has as many weights as tokens, blocks and head need, and an attention for each block",
            0.5,
            of=("parameter_count", "attentions_made"),
            about=("resize", "attentions", "norms", "activation", "head_activation", "epsilon"),
            claim=True,
        ),
        Claim(
            STAGES,
            "dropout in training only, in the blocks and in the head at their own rates",
            1.0,
            _dropout,
        ),
        Claim(STAGES, "the gradient reaches every weight", 1.0, vit_family.learns),
    ],
    mistakes=MISTAKES,
    signs=[vit_family.RANDOM, vit_family.untracked(formula)],
    depth=DEPTH,
)

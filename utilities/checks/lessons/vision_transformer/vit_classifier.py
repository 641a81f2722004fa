"""The Vision Transformer of the core lab: what goes in, the mistakes, what is looked at."""

from functools import partial
from typing import Any

import numpy as np

from utilities.checks.core import activations, oracles
from utilities.checks.core.check import Check, Claim, Mistake, Values, Wrong
from utilities.checks.core.drawing import normal
from utilities.checks.core.oracles import Step
from utilities.checks.kernel import known
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.vision_transformer.protocol import row
from utilities.checks.lessons import vit_family
from utilities.checks.lessons.vit_family import DEPTH, STAGES, Sizes, resized, vit

# --- what goes in: no two weights of a model have one shape unless they may hold the same ----------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw models of no block, one and several; with the last, images are augmented."""
    drawn = [
        _case(rng, "no blocks", 2, (4, 6, 1), 2, width=8, num_heads=3, layers=0, head=(9, 7)),
        _case(rng, "one block", 1, (6, 9, 2), 3, width=10, num_heads=5, layers=1, head=(13,)),
        _case(rng, "blocks", 2, (8, 16, 3), 4, width=12, num_heads=5, layers=2, head=(14, 11)),
    ]
    if thorough:
        width = int(rng.choice([8, 10, 11]))
        image, head = (9, 6, 1), (23, 13, 6)
        drawn.append(_case(rng, "blocks", 3, image, 3, width, num_heads=5, layers=3, head=head))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    image: tuple[int, int, int],
    patch_size: int,
    width: int,
    num_heads: int,
    layers: int,
    head: tuple[int, ...],
) -> Case:
    """Return a classifier's arguments and images; without augmentation, it has both dropouts."""
    rates = (0.0, 0.0) if stage == "blocks" else (0.25, 0.5)
    inputs = {
        "num_classes": {"no blocks": 3, "one block": 6, "blocks": 5}[stage],
        "patch_size": patch_size,
        "embedding_proj_dim": width,
        "num_heads": num_heads,
        "msa_proj_dim": width,
        "transformer_layers": layers,
        "msa_dropout_rate": rates[0],
        "head_units": np.array(head),
        "mlp_classification_head_dropout_rate": rates[1],
        "images": normal(rng, batch, *image),
        "weights": int(rng.integers(1 << 30)),
    }
    return Case(stage, inputs, unsaid=("weights",))


def _sizes(case: Case) -> Sizes:
    width = case["embedding_proj_dim"]
    return Sizes(
        patch_size=case["patch_size"],
        width=width,
        layers=case["transformer_layers"],
        mlp_units=(2 * width, width),
        head_units=tuple(int(n) for n in case["head_units"]),
        num_classes=case["num_classes"],
        num_heads=case["num_heads"],
        head_width=width,
    )


def _attention(case: Case, seen: Observation, size: Sizes, biases: Any) -> tuple[Step, int]:
    """Return multi-head attention with W_q = W_k = W_v, and its number of weights."""
    heads, width, inside = size.num_heads, size.width, size.head_width
    shape = (heads, width, inside) if heads > 1 else (width, inside)
    W = known.weight(case["weights"], *shape).reshape(heads, width, inside).astype(np.float64)
    if seen["fused"]:
        W = np.broadcast_to(row(width).astype(np.float64)[:inside], W.shape)
    W_o = known.weight(case["weights"], heads * inside, width).astype(np.float64)
    inner = known.weight(case["weights"], heads, inside) if biases else np.zeros((heads, inside))
    outer = known.weight(case["weights"], width) if biases else 0.0

    def attend(x: np.ndarray) -> np.ndarray:
        def project(x: np.ndarray, W: np.ndarray) -> np.ndarray:
            return oracles.project(x, W) + inner[:, None]

        return oracles.multi_head_attention(x, x, x, W, W, W, W_o, project=project)[0] + outer

    number = 4 * heads * width * inside + (3 * heads * inside + width if biases else 0)
    return attend, number


formula = partial(vit, sizes=_sizes, attention=_attention, class_token=True, usual=activations.ACCEPTED)

# --- the mistakes ----------------------------------------------------------------------------------

NOT_THE_TOKEN = "The head should read the class token, the first of the sequence."
NO_TOKEN = "Your model has no class token, and no position for it: it lacks just these weights."
MISTAKES = vit_family.mistakes(
    Mistake(
        "mean of all tokens",
        f"Your head reads the mean of all tokens. {NOT_THE_TOKEN}",
        head_reads=lambda tokens: tokens.mean(axis=1),
    ),
    Mistake(
        "mean of the patches",
        f"Your head reads the mean of the patches, without the class token. {NOT_THE_TOKEN}",
        head_reads=lambda tokens: tokens[:, 1:].mean(axis=1),
    ),
    Mistake(
        "largest of all tokens",
        f"Your head reads the largest number of all tokens in each place. {NOT_THE_TOKEN}",
        head_reads=lambda tokens: tokens.max(axis=1),
    ),
    Mistake(
        "last token read",
        f"Your head reads the last token. {NOT_THE_TOKEN}",
        head_reads=lambda tokens: tokens[:, -1],
    ),
    Mistake(
        "first patch read",
        f"Your head reads token 1, the first patch. {NOT_THE_TOKEN} It has index 0.",
        head_reads=lambda tokens: tokens[:, 1],
    ),
    Mistake(
        "head reads all tokens",
        f"Your head reads all tokens, flattened into one long vector. {NOT_THE_TOKEN}",
        {"head_reads": lambda tokens: tokens.reshape(len(tokens), -1)},
        {"head_reads": lambda tokens: tokens.reshape(len(tokens), -1), "head_norm": True},
    ),
    Mistake(
        "normalisation too many",
        "Your model has one layer normalisation more than its blocks need: they end in one each.",
        {"head_norm": True},
        {"last_norm": True},
    ),
    Mistake(
        "one block only",
        "However many blocks are asked for, your model has the weights of one. Either one alone is "
        "made, or the same one is used again, or each reads the first tokens, so that only the last "
        f"counts. {vit_family.BLOCKS}",
        resized(layers=lambda s: min(s.layers, 1)),
        {"shared": True, "norms": lambda layers: 2 * min(layers, 1), "attentions": lambda n: min(n, 1)},
    ),
    Mistake(
        "wrong MLP widths",
        "The MLPs of your blocks have other widths than [2·d, d], d being the width of a token: "
        "first twice as wide, then back.",
        *(vit_family.mlp_of(*factors) for factors in ((1, 1), (4, 1), (3, 1), (1,), (2, 2, 1), ())),
    ),
    Mistake(
        "no hidden layers in the head",
        "Your head has no hidden layers: mlp_classification_head_units is not used. The class "
        "token goes through an MLP of these widths before the last Dense layer.",
        resized(head_units=lambda s: ()),
    ),
    Mistake(
        "no positions",
        "Your tokens carry no positions: the model cannot tell where a patch was.",
        {"positions": (0.0, 0)},
        {"positions": (0.0, 1)},
        entails=vit_family.UNLEARNED,
    ),
    Mistake("no class token", NO_TOKEN, class_token=False),
    Mistake(
        "class token or its position missing",
        "Your model lacks the weights of one token: is the class token trainable, and has the "
        "table of positions a row for it?",
        token=(0.0, 0),
    ),
    Mistake(
        "biases in attention", "Your attention has biases. In this course it has none.", attend=True
    ),
    Mistake(
        "narrow heads",
        "Your heads are d/h wide. In this course every head has the full width msa_proj_dim.",
        resized(head_width=lambda s: s.width // s.num_heads),
    ),
    Mistake(
        "number of heads ignored",
        "Your blocks do not have as many heads as num_heads says.",
        resized(num_heads=lambda s: 1),
    ),
    Mistake(
        "pre-norm",
        "Your blocks normalise before attention and MLP. In this course they do so after the "
        "residual: x₁ = LN(x + MHA(x)), x₂ = LN(x₁ + mlp(x₁)).",
        {"place_1": "input", "place_2": "input"},
        {"place_1": "input", "place_2": "input", "last_norm": True},
    ),
    Mistake(
        "no residual",
        "Your blocks have no residual connections: x is added to what attention and MLP give.",
        add_1=lambda x, update: update,
        add_2=lambda x, update: update,
    ),
)

# --- what only the kernel can know -----------------------------------------------------------------


def _dropout(case: Case, seen: Observation) -> Wrong | None:
    """Dropout acts in the blocks and after each hidden layer of the head, at their own rates."""
    if case.stage == "blocks":
        return None
    width, layers = case["embedding_proj_dim"], case["transformer_layers"]
    rates = case["msa_dropout_rate"], case["mlp_classification_head_dropout_rate"]
    blocks = vit_family.Part("msa_dropout_rate", rates[0], layers * [width, 2 * width, width])
    units = case["head_units"].tolist()
    head = vit_family.Part("mlp_classification_head_dropout_rate", rates[1], units)
    return vit_family.dropout(case, seen, blocks, head, more=True)


CHECK = Check(
    cases=cases,
    formula=formula,
    passes_to=[oracles.transformer_block],
    findings=[
        Values(STAGES, "tokens: patches, class token and positions", 1.5, of=("encoding",)),
        Values("one block", "one block on these tokens", 1.5, of=("last_tokens",)),
        vit_family.SEVERAL_BLOCKS,
        Values(STAGES, "one logit for each class, from the class token", 2.5, of=("output",)),
        vit_family.AUGMENTATION,
        Values(
            STAGES,
            "it has as many weights as patches, blocks and head need",
            0.5,
            of=("parameter_count",),
            about=("resize", "token", "attend", "head_norm", "last_norm", "shared"),
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
    remarks=[
        vit_family.remark_on_activation(
            "Your model has another non-linearity than GELU: it does as well here."
        )
    ],
    depth=DEPTH,
)

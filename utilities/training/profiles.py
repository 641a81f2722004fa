"""How large the training of a lab is: quick for grading and CI, standard for a laptop, full, published.

`full` has the published sizes, with what makes a comparison fair: one schedule for all, no attention
dropout that only some of the attentions have. `published` is what the sources ran, as they ran it.

LAB_PROFILE chooses; without it the standard profile is used. While nbgrader validates or grades a
notebook it is always the quick one, which is enough to see whether everything runs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from utilities.models.sizes import KERAS_VIT, WIDE_VIT, PreNormViTSize


@dataclass(frozen=True)
class Training:
    """How long and how fast a model is trained.

    scheduled: whether the rate warms up and falls along a cosine, or stays as it is; restore_best:
    whether the weights best on validation are restored at the end.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    warmup_epochs: float = 0
    scheduled: bool = True
    restore_best: bool = False


@dataclass(frozen=True)
class Profile:
    """Sample counts and training settings of one profile."""

    name: str
    training_samples: int
    validation_samples: int
    test_samples: int
    first_training: Training
    training: Training
    ablation: Training


@dataclass(frozen=True)
class ExtensionProfile:
    """Sample counts, model size and training settings of one profile of an extension lab."""

    name: str
    training_samples: int
    validation_samples: int
    test_samples: int
    size: PreNormViTSize
    training: Training
    seeds: tuple[int, ...] = field(default=(42,), kw_only=True)


@dataclass(frozen=True)
class VariantsProfile(ExtensionProfile):
    """What the attention variants need besides: the width of a head, and where cost is measured."""

    key_dim: int
    lengths: tuple[int, ...]  # numbers of tokens
    long_lengths: tuple[int, ...]  # more of them, for what costs no N² in memory
    repetitions: int
    variants: tuple[str, ...] = ()  # those to train; all, if none is named
    attention_dropout_rate: float = 0.0  # of Keras' layer, the only one that has it


@dataclass(frozen=True)
class InductiveBiasProfile(ExtensionProfile):
    """What the lab on inductive bias needs besides; it trains many models, most of them briefly.

    key_dim: width of a head; stacks: those of the small ResNet, None for ResNet101V2; fractions: of
    the training images; brief_training: of every run but the main two; attempt_steps: of each try
    at what keeps a model from learning; positions: of the ViT in the main runs; attention_dropout_rate:
    of Keras' layer; reported_resnet: whether the ResNet is the project report's, on images of 32×32
    pixels with an augmentation and a head of their own.
    """

    key_dim: int
    stacks: tuple[tuple[int, int, int], ...] | None
    resnet_head_units: tuple[int, ...]
    fractions: tuple[float, ...]
    brief_training: Training
    attempt_steps: int
    positions: str = "2-D"
    attention_dropout_rate: float = 0.0
    reported_resnet: bool = False


CORE = (
    Profile(
        "quick", 256, 64, 64, Training(1, 64, 1e-4),
        Training(1, 64, 1.5e-3, 1e-2), ablation=Training(1, 64, 1.5e-3, 1e-2),
    ),
    Profile(
        "standard", 7500, 2500, 2000, Training(8, 64, 1e-4),
        Training(40, 64, 1.5e-3, 1e-2, 3), ablation=Training(8, 64, 1.5e-3, 1e-2, 1),
    ),
    Profile(
        "full", 7500, 2500, 2000, Training(30, 64, 1e-4),
        Training(150, 64, 1.5e-3, 1e-2, 10), ablation=Training(40, 64, 1.5e-3, 1e-2, 3),
    ),
)  # fmt: skip
# The published runs' sizes and settings: the Keras examples, the cosine-attention report.
KERAS_TRAINING = Training(10, 256, 1e-3, 1e-4, scheduled=False, restore_best=True)
ATTENTION_VARIANTS = (
    VariantsProfile(
        "quick", 256, 64, 64,
        PreNormViTSize(32, 8, 16, 4, 1, (32, 16), (32,), 0.0, 0.0), Training(1, 64, 1e-3, 1e-4, 0.2),
        key_dim=4, lengths=(64, 128, 256, 512), long_lengths=(1024,), repetitions=2,
    ),
    VariantsProfile(
        "standard", 12_000, 1000, 5000,
        PreNormViTSize(32, 4, 64, 4, 3, (128, 64), (128,), 0.0, 0.0), Training(5, 64, 1e-3, 1e-4, 1),
        key_dim=16, lengths=(128, 256, 512, 1024, 2048, 4096),
        long_lengths=(8192, 16_384, 32_768), repetitions=5,
    ),
    VariantsProfile(
        "full", 45_000, 5000, 10_000, KERAS_VIT, Training(100, 256, 1e-3, 1e-4, 5),
        key_dim=64, lengths=(128, 256, 512, 1024, 2048, 4096, 8192),
        long_lengths=(16_384, 32_768, 65_536), repetitions=9, seeds=(42, 43, 44),
    ),
    VariantsProfile(
        "published", 45_000, 5000, 10_000, KERAS_VIT, KERAS_TRAINING,
        key_dim=64, lengths=(128, 256, 512, 1024, 2048, 4096, 8192),
        long_lengths=(16_384, 32_768, 65_536), repetitions=9,
        variants=("Keras' layer", "the report's layer"), attention_dropout_rate=0.1,
    ),
)  # fmt: skip
# The published runs are the second Keras example's: a constant rate, the last weights, two models.
SMALL_DATASETS = (
    ExtensionProfile(
        "quick", 256, 64, 64,
        PreNormViTSize(32, 8, 16, 2, 2, (32, 16), (32,), 0.0, 0.2), Training(2, 64, 1e-3, 1e-4, 1),
    ),
    ExtensionProfile(
        "standard", 10_000, 2000, 5000,
        PreNormViTSize(32, 4, 64, 4, 3, (128, 64), (256,), 0.0, 0.2), Training(8, 64, 1e-3, 1e-4, 1),
    ),
    ExtensionProfile(
        "full", 45_000, 5000, 10_000, KERAS_VIT, Training(50, 256, 1e-3, 1e-4, 5), seeds=(42, 43, 44)
    ),
    ExtensionProfile(
        "published", 45_000, 5000, 10_000, KERAS_VIT, Training(50, 256, 1e-3, 1e-4, scheduled=False)
    ),
)  # fmt: skip
# In the standard profile ViT and ResNet have about 0.7 million parameters: 675 and 696 thousand. The
# published runs are the project report's; what it did not run is brief there.
INDUCTIVE_BIAS = (
    InductiveBiasProfile(
        "quick", 400, 64, 64,
        PreNormViTSize(32, 8, 16, 2, 1, (16, 16), (16,), 0.0, 0.0), Training(1, 64, 1e-3, 1e-4, 0.2),
        key_dim=8, stacks=((4, 2, 2),), resnet_head_units=(16,), fractions=(0.25, 1.0),
        brief_training=Training(1, 64, 1e-3, 1e-4, 0.2), attempt_steps=2,
    ),
    InductiveBiasProfile(
        "standard", 20_000, 2000, 10_000,
        PreNormViTSize(32, 4, 64, 4, 4, (128, 64), (128,), 0.0, 0.0), Training(6, 64, 1e-3, 1e-4, 1),
        key_dim=16, stacks=((64, 3, 2), (96, 2, 1)), resnet_head_units=(128,),
        fractions=(0.01, 0.05, 0.2, 1.0), brief_training=Training(2, 64, 1e-3, 1e-4, 0.2),
        attempt_steps=100,
    ),
    InductiveBiasProfile(
        "full", 45_000, 5000, 10_000, WIDE_VIT, Training(100, 256, 1e-4, 1e-4, 5),
        key_dim=128, stacks=None, resnet_head_units=(512, 1024), fractions=(0.01, 0.05, 0.2, 1.0),
        brief_training=Training(30, 256, 1e-4, 1e-4, 3), attempt_steps=500,
    ),
    InductiveBiasProfile(
        "published", 40_000, 10_000, 10_000, WIDE_VIT, Training(30, 32, 1e-3, 1e-4, scheduled=False),
        key_dim=128, stacks=None, resnet_head_units=(512, 1024), fractions=(0.2, 1.0),
        brief_training=Training(2, 32, 1e-3, 1e-4, scheduled=False), attempt_steps=500,
        positions="1-D", attention_dropout_rate=0.1, reported_resnet=True,
    ),
)  # fmt: skip
# The profiles of each lab, under the name of its folder.
LABS: dict[str, dict[str, Any]] = {
    lab: {profile.name: profile for profile in profiles}
    for lab, profiles in (
        ("vision_transformer", CORE),
        ("attention_variants", ATTENTION_VARIANTS),
        ("small_datasets", SMALL_DATASETS),
        ("inductive_bias", INDUCTIVE_BIAS),
    )
}


def load_profile(name: str | None = None, lab: str = "vision_transformer") -> Any:
    """Return the named profile of a lab, or the one LAB_PROFILE names, or the standard one.

    While nbgrader validates or grades, always the quick one.

    Raises ValueError, naming what there is, for any other profile or lab.
    """
    if lab not in LABS:
        raise ValueError(f"No lab {lab!r}: choose one of {', '.join(LABS)}.")
    chosen = name or os.environ.get("LAB_PROFILE") or "standard"
    if os.environ.get("NBGRADER_EXECUTION"):
        chosen = "quick"
    if chosen not in LABS[lab]:
        raise ValueError(f"No profile {chosen!r}: choose one of {', '.join(LABS[lab])}.")
    return LABS[lab][chosen]

"""How large the training of a lab is: quick for grading and CI, standard for a laptop, full.

LAB_PROFILE chooses; without it the standard profile is used.
"""

import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Training:
    """How long and how fast a model is trained."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    warmup_epochs: int = 0


@dataclass(frozen=True)
class ViTSize:
    """The arguments of `create_vit_classifier` that set a model's size and regularisation."""

    patch_size: int
    embedding_proj_dim: int
    num_heads: int
    msa_proj_dim: int
    transformer_layers: int
    msa_dropout_rate: float
    mlp_classification_head_units: tuple[int, ...]
    mlp_classification_head_dropout_rate: float


@dataclass(frozen=True)
class Profile:
    """Sample counts and training settings of one profile."""

    name: str
    training_samples: int
    validation_samples: int
    test_samples: int
    first_training: Training
    training: Training


@dataclass(frozen=True)
class PreNormViTSize:
    """Widths, depth and dropout of the extension labs' Vision Transformer, and how images are cut."""

    image_size: int
    patch_size: int
    embedding_proj_dim: int
    num_heads: int
    transformer_layers: int
    mlp_units: tuple[int, ...]
    head_units: tuple[int, ...]
    dropout_rate: float = 0.1
    head_dropout_rate: float = 0.5

    @property
    def num_patches(self) -> int:
        """Number of patches of one image."""
        return (self.image_size // self.patch_size) ** 2


@dataclass(frozen=True)
class ExtensionProfile:
    """Sample counts, model size and training settings of one profile of an extension lab."""

    name: str
    training_samples: int
    validation_samples: int
    test_samples: int
    size: PreNormViTSize
    training: Training


@dataclass(frozen=True)
class VariantsProfile(ExtensionProfile):
    """What the attention variants need besides: the width of a head, and where cost is measured."""

    key_dim: int
    lengths: tuple[int, ...]  # numbers of tokens
    long_lengths: tuple[int, ...]  # more of them, for what costs no N² in memory
    repetitions: int


# The course's first configuration: large patches, wide and shallow, no augmentation.
FIRST_VIT = ViTSize(16, 512, 4, 512, 3, 0.1, (2048,), 0.5)
# The models of question 10, as wide and deep as ViT-Base.
LARGE_VIT = ViTSize(16, 768, 12, 768, 12, 0.1, (3074,), 0.5)
# What a laptop can train (40 epochs: 14 minutes of processor time): small patches, narrow.
SMALL_VIT = ViTSize(4, 64, 4, 64, 4, 0.0, (128,), 0.0)

# The models of the extension labs as published, 72×72 pixels; the first is the Keras example's.
KERAS_VIT = PreNormViTSize(72, 6, 64, 4, 8, (128, 64), (2048, 1024))
WIDE_VIT = PreNormViTSize(72, 6, 128, 8, 10, (256, 128), (2048, 1024))

PROFILES = {
    profile.name: profile
    for profile in (
        Profile("quick", 256, 64, 64, Training(1, 64, 1e-4), Training(1, 64, 1.5e-3, 1e-2)),
        Profile("standard", 7500, 2500, 2000, Training(8, 64, 1e-4), Training(40, 64, 1.5e-3, 1e-2, 3)),
        Profile("full", 7500, 2500, 2000, Training(30, 64, 1e-4), Training(150, 64, 1.5e-3, 1e-2, 10)),
    )
}


# 64 tokens of width 64. Seven models: 8 minutes of processor time in the standard profile.
VARIANTS_VIT = PreNormViTSize(32, 4, 64, 4, 3, (128, 64), (128,), 0.0, 0.0)
VARIANTS_PROFILES = {
    profile.name: profile
    for profile in (
        VariantsProfile(
            "quick", 256, 64, 64, PreNormViTSize(32, 8, 16, 4, 1, (32, 16), (32,), 0.0, 0.0),
            Training(1, 64, 1e-3, 1e-4), key_dim=4,
            lengths=(64, 128, 256, 512), long_lengths=(1024,), repetitions=2,
        ),
        VariantsProfile(
            "standard", 12_000, 1000, 5000, VARIANTS_VIT,
            Training(5, 64, 1e-3, 1e-4, 1), key_dim=16,
            lengths=(128, 256, 512, 1024, 2048, 4096), long_lengths=(8192, 16_384, 32_768),
            repetitions=5,
        ),
        VariantsProfile(
            "full", 45_000, 5000, 10_000, KERAS_VIT,
            Training(100, 256, 1e-3, 1e-4), key_dim=64,
            lengths=(128, 256, 512, 1024, 2048, 4096, 8192), long_lengths=(16_384, 32_768, 65_536),
            repetitions=9,
        ),
    )
}  # fmt: skip


# One dictionary of profiles a lab, under the name of its folder.
LABS: dict[str, dict[str, Any]] = {
    "vision_transformer": PROFILES,
    "attention_variants": VARIANTS_PROFILES,
}


def load_profile(name: str | None = None, lab: str = "vision_transformer") -> Any:
    """Return the named profile of a lab, or the one LAB_PROFILE names, or the standard one.

    Raises ValueError, naming what there is, for any other profile or lab.
    """
    if lab not in LABS:
        raise ValueError(f"No lab {lab!r}: choose one of {', '.join(LABS)}.")
    chosen = name or os.environ.get("LAB_PROFILE") or "standard"
    if chosen not in LABS[lab]:
        raise ValueError(f"No profile {chosen!r}: choose one of {', '.join(LABS[lab])}.")
    return LABS[lab][chosen]

"""How large the training of a lab is: quick for grading and CI, standard for a laptop, full.

LAB_PROFILE chooses; without it the standard profile is used.
"""

import os
from dataclasses import dataclass


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


# The course's first configuration: large patches, wide and shallow, no augmentation.
FIRST_VIT = ViTSize(16, 512, 4, 512, 3, 0.1, (2048,), 0.5)
# The models of question 10, as wide and deep as ViT-Base.
LARGE_VIT = ViTSize(16, 768, 12, 768, 12, 0.1, (3074,), 0.5)
# What a laptop can train (40 epochs: 14 minutes of processor time): small patches, narrow.
SMALL_VIT = ViTSize(4, 64, 4, 64, 4, 0.0, (128,), 0.0)

PROFILES = {
    profile.name: profile
    for profile in (
        Profile("quick", 256, 64, 64, Training(1, 64, 1e-4), Training(1, 64, 1.5e-3, 1e-2)),
        Profile("standard", 7500, 2500, 2000, Training(8, 64, 1e-4), Training(40, 64, 1.5e-3, 1e-2, 3)),
        Profile("full", 7500, 2500, 2000, Training(30, 64, 1e-4), Training(150, 64, 1.5e-3, 1e-2, 10)),
    )
}


def load_profile(name: str | None = None) -> Profile:
    """Return the named profile, or the one LAB_PROFILE names, or the standard one.

    Raises ValueError, naming the profiles there are, for any other name.
    """
    chosen = name or os.environ.get("LAB_PROFILE") or "standard"
    if chosen not in PROFILES:
        raise ValueError(f"No profile {chosen!r}: choose one of {', '.join(PROFILES)}.")
    return PROFILES[chosen]

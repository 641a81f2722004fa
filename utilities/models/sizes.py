"""How wide and deep the Vision Transformers of the labs are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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


# The course's first configuration: large patches, wide and shallow, no augmentation.
FIRST_VIT = ViTSize(16, 512, 4, 512, 3, 0.1, (2048,), 0.5)
# The models of question 10, as wide and deep as ViT-Base.
LARGE_VIT = ViTSize(16, 768, 12, 768, 12, 0.1, (3074,), 0.5)
# What a laptop can train: small patches, narrow.
SMALL_VIT = ViTSize(4, 64, 4, 64, 4, 0.0, (128,), 0.0)

# The models of the extension labs as published, 72×72 pixels; the first is the Keras example's.
KERAS_VIT = PreNormViTSize(72, 6, 64, 4, 8, (128, 64), (2048, 1024))
WIDE_VIT = PreNormViTSize(72, 6, 128, 8, 10, (256, 128), (2048, 1024))

CIFAR10_SHAPE = (32, 32, 3)
CIFAR10_NUM_CLASSES = 10


def vit_arguments(size: ViTSize) -> dict[str, Any]:
    """Return the arguments that `create_vit_classifier` needs for a CIFAR-10 model of this size."""
    arguments = dict(vars(size))
    arguments["mlp_classification_head_units"] = list(size.mlp_classification_head_units)
    return {"input_shape": CIFAR10_SHAPE, "num_classes": CIFAR10_NUM_CLASSES, **arguments}

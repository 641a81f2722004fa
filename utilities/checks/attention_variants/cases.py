"""What goes into the checks of the attention variants. All dimensions of a case differ."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from utilities.checks.kernel.case import Case


def attention_vit(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw models of no block, one and two; the first drops in its head, the second in its block."""
    cases = [
        _vit_case(rng, "no blocks", 2, 4, 2, 7, 0, (10, 7), (9,), 3, channels=3, head_rate=0.5),
        _vit_case(rng, "one block", 1, 6, 3, 5, 1, (8, 5), (13,), 6, channels=2, rate=0.5),
        _vit_case(rng, "blocks", 2, 12, 3, 6, 2, (11, 6), (14, 9), 4, channels=3),
    ]
    if thorough:
        width = int(rng.choice([5, 6, 7]))
        hidden = (12, 17, width)
        cases.append(_vit_case(rng, "blocks", 3, 8, 2, width, 3, hidden, (15, 13), 10, channels=1))
    return cases


def _vit_case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    image_size: int,
    patch_size: int,
    width: int,
    layers: int,
    mlp_units: Sequence[int],
    head_units: Sequence[int],
    num_classes: int,
    channels: int,
    rate: float = 0.0,
    head_rate: float = 0.0,
) -> Case:
    """Return a model's sizes, images, how its attention mixes tokens, and its weights by shape.

    All biases and shifts of one length hold the same values, so that it does not matter in which
    order a model holds its weights. In the stage "blocks" the augmentation doubles the images.
    """
    num_patches = (image_size // patch_size) ** 2
    given = image_size // 2 if stage == "blocks" else image_size
    sizes: dict[str, Any] = {
        "num_classes": num_classes,
        "image_size": image_size,
        "patch_size": patch_size,
        "embedding_proj_dim": width,
        "transformer_layers": layers,
        "mlp_units": np.array(mlp_units),
        "head_units": np.array(head_units),
        "dropout_rate": rate,
        "head_dropout_rate": head_rate,
        "images": _normal(rng, batch, given, given, channels),
    }
    weights = {
        "mixing": _kernel(rng, num_patches, num_patches),
        "patch_kernel": _kernel(rng, patch_size**2 * channels, width),
        "positions": _normal(rng, num_patches, width),
        "bias_width": _normal(rng, width) / 2,
    }
    for part, widths in (
        ("mlp", (width, *mlp_units)),
        ("head", (num_patches * width, *head_units, num_classes)),
    ):
        for i, (d_in, d_out) in enumerate(zip(widths, widths[1:], strict=False), start=1):
            weights[f"{part}_kernel_{i}"] = _kernel(rng, d_in, d_out)
            weights[f"{part}_bias_{i}"] = _normal(rng, d_out) / 2
            if d_out == width:
                weights[f"{part}_bias_{i}"] = weights["bias_width"]
    return Case(stage, {**sizes, **weights}, unsaid=tuple(weights))


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def _kernel(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return _normal(rng, *shape) / np.float32(np.sqrt(shape[-2]))

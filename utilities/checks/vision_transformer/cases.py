"""What goes into the checks of patches, their encoding and the classifier (NumPy only)."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from utilities.checks.core.drawing import kernel, normal
from utilities.checks.kernel.case import Case


def patch_extractor(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one patch, one-pixel patches, images wider and higher, bytes, a functional model."""
    cases = [
        _images_case(rng, "one patch", 1, height=3, width=3, channels=2, patch_size=3),
        _images_case(rng, "patches", 1, height=4, width=2, channels=3, patch_size=1),
        _images_case(rng, "patches", 2, height=8, width=12, channels=3, patch_size=4),
        _images_case(rng, "patches", 3, height=10, width=4, channels=1, patch_size=2),
        _images_case(rng, "uint8", 2, height=9, width=6, channels=4, patch_size=3, dtype=np.uint8),
        _images_case(rng, "functional", 3, height=6, width=10, channels=4, patch_size=2),
    ]
    if thorough:
        for stage in ("patches", "uint8", "functional"):
            rows, columns, channels, patch_size, batch = (int(n) for n in rng.permutation(5) + 1)
            sizes = dict(height=rows * patch_size, width=columns * patch_size, channels=channels)
            dtype = np.uint8 if stage == "uint8" else np.float32
            cases.append(_images_case(rng, stage, batch, **sizes, patch_size=patch_size, dtype=dtype))
    return cases


def patch_encoder(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw the projection alone, then with a class token, then with positions, then in a model."""
    cases = [
        _encoder_case(rng, "projection", batch=2, num_patches=4, values=7, proj_dim=6, alone=True),
        _encoder_case(rng, "class token", batch=3, num_patches=5, values=8, proj_dim=4),
        _encoder_case(rng, "positions", batch=2, num_patches=6, values=12, proj_dim=5, full=True),
        _encoder_case(rng, "positions", batch=1, num_patches=3, values=5, proj_dim=8, full=True),
        _encoder_case(rng, "functional", batch=3, num_patches=4, values=9, proj_dim=6, full=True),
    ]
    if thorough:
        for stage in ("positions", "functional"):
            batch, num_patches, values, proj_dim = (
                int(n) for n in rng.permutation(np.array([2, 4, 6, 9]))
            )
            cases.append(_encoder_case(rng, stage, batch, num_patches, values, proj_dim, full=True))
    return cases


def _images_case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    height: int,
    width: int,
    channels: int,
    patch_size: int,
    dtype: DTypeLike = np.float32,
) -> Case:
    shape = (batch, height, width, channels)
    if dtype == np.uint8:
        images = rng.integers(0, 256, size=shape, dtype=np.uint8)
    else:
        images = rng.normal(size=shape).astype(dtype)
    return Case(stage, {"images": images, "patch_size": patch_size})


def _encoder_case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    num_patches: int,
    values: int,
    proj_dim: int,
    alone: bool = False,
    full: bool = False,
) -> Case:
    """Return patches and the weights to give to the encoder.

    alone: class token and positions are zero; full: nothing is; else only the positions are.
    """
    sizes = {"num_patches": num_patches, "proj_dim": proj_dim}
    weights = {
        "kernel": kernel(rng, values, proj_dim),
        "bias": normal(rng, proj_dim),
        "class_token": normal(rng, 1, 1, proj_dim) * np.float32(not alone),
        "positions": normal(rng, num_patches + 1, proj_dim) * np.float32(full),
    }
    patches = normal(rng, batch, num_patches, values)
    return Case(stage, {**sizes, "patches": patches, **weights}, unsaid=tuple(weights))


def vit_classifier(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw models of no block, one and several; the one in the middle alone drops inside blocks.

    No two weights of a model have the same shape unless they may hold the same values.
    """
    cases = [
        _vit_case(
            rng, "no blocks", 2, image=(4, 6, 1), patch_size=2, width=8, num_heads=3, layers=0,
            head_units=(9,), num_classes=3, head_rate=0.5,
        ),
        _vit_case(
            rng, "one block", 1, image=(6, 9, 2), patch_size=3, width=10, num_heads=4, layers=1,
            head_units=(13,), num_classes=6, block_rate=0.5,
        ),
        _vit_case(
            rng, "blocks", 2, image=(8, 16, 3), patch_size=4, width=12, num_heads=3, layers=2,
            head_units=(14, 11), num_classes=5,
        ),
    ]  # fmt: skip
    if thorough:
        width = int(rng.choice([8, 10, 11]))
        cases.append(
            _vit_case(
                rng, "blocks", 3, image=(9, 6, 1), patch_size=3, width=width, num_heads=5, layers=3,
                head_units=(23, 13, 6), num_classes=4,
            )
        )  # fmt: skip
    return cases


def _vit_case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    image: tuple[int, int, int],
    patch_size: int,
    width: int,
    num_heads: int,
    layers: int,
    head_units: tuple[int, ...],
    num_classes: int,
    block_rate: float = 0.0,
    head_rate: float = 0.0,
) -> Case:
    """Return a classifier's arguments, images, and weights: one value for all weights of a shape.

    W stands for W_q, W_k and W_v of every block, kernel_1 and kernel_2 for the MLP of every block,
    bias_d for every bias and shift of length d: so it does not matter in which order a model
    holds its weights. fused is the row that all weights of any other shape repeat, as of a Dense
    layer that makes queries, keys and values at once.
    """
    height, across, channels = image
    num_patches = (height // patch_size) * (across // patch_size)
    widths = (width, *head_units, num_classes)
    arguments: dict[str, Any] = {
        "height": height,
        "width": across,
        "channels": channels,
        "num_classes": num_classes,
        "patch_size": patch_size,
        "embedding_proj_dim": width,
        "num_heads": num_heads,
        "msa_proj_dim": width,
        "transformer_layers": layers,
        "msa_dropout_rate": block_rate,
        "mlp_classification_head_units": np.array(head_units),
        "mlp_classification_head_dropout_rate": head_rate,
        "images": normal(rng, batch, *image),
    }
    weights = {
        "patch_kernel": kernel(rng, patch_size**2 * channels, width),
        "class_token": normal(rng, 1, 1, width),
        "positions": normal(rng, num_patches + 1, width),
        "W": kernel(rng, num_heads, width, width),
        "W_o": kernel(rng, num_heads * width, width),
        "kernel_1": kernel(rng, width, 2 * width),
        "kernel_2": kernel(rng, 2 * width, width),
        "bias_1": normal(rng, 2 * width) / 2,
        "bias_d": normal(rng, width) / 2,
        "fused": np.linspace(0.05, 0.15, width, dtype=np.float32),
    }
    for i, (d_in, d_out) in enumerate(zip(widths, widths[1:], strict=False), start=1):
        weights[f"head_kernel_{i}"] = kernel(rng, d_in, d_out)
        weights[f"head_bias_{i}"] = normal(rng, d_out) / 2
    return Case(stage, {**arguments, **weights}, unsaid=tuple(weights))

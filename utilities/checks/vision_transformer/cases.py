"""What goes into the checks of patches, their encoding and the classifier (NumPy only)."""

from typing import Any

import numpy as np

from utilities.checks.case import Case


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
            cases.append(
                _images_case(rng, stage, batch, **sizes, patch_size=patch_size, dtype=dtype)
            )
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
            sizes = dict(batch=batch, num_patches=num_patches, values=values, proj_dim=proj_dim)
            cases.append(_encoder_case(rng, stage, **sizes, full=True))
    return cases


def _images_case(
    rng, stage, batch, height, width, channels, patch_size, dtype=np.float32
) -> Case:
    shape = (batch, height, width, channels)
    if dtype == np.uint8:
        images = rng.integers(0, 256, size=shape, dtype=np.uint8)
    else:
        images = rng.normal(size=shape).astype(dtype)
    return Case(stage, {"images": images, "patch_size": patch_size})


def _encoder_case(
    rng, stage, batch, num_patches, values, proj_dim, alone=False, full=False
) -> Case:
    """Return patches and the weights to give to the encoder.

    alone: class token and positions are zero; full: nothing is; else only the positions are.
    """
    inputs: dict[str, Any] = {
        "num_patches": num_patches,
        "proj_dim": proj_dim,
        "patches": _normal(rng, batch, num_patches, values),
        "kernel": _normal(rng, values, proj_dim) / np.float32(np.sqrt(values)),
        "bias": _normal(rng, proj_dim),
        "class_token": _normal(rng, 1, 1, proj_dim) * np.float32(not alone),
        "positions": _normal(rng, num_patches + 1, proj_dim) * np.float32(full),
    }
    return Case(stage, inputs)


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)

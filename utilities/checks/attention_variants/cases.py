"""What goes into the checks of the attention variants. All dimensions of a case differ."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from utilities.checks.kernel.case import Case

NORMALIZATIONS = ("standard", "linear", "cosine")
LENGTHS = np.array([256, 512])  # tokens, between which the cost is compared


def dot_product_attention(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw each normalization for several shapes, a Keras model, a zero query, an unknown name."""
    cases = []
    for name in NORMALIZATIONS:
        cases += [
            _scores_case(rng, name, name, (), 4, 6, 3, 2),
            _scores_case(rng, name, name, (1,), 3, 7, 5, 4),
            _scores_case(rng, name, name, (2, 3), 4, 5, 7, 6),
        ]
        if thorough:
            n_q, n_k, d, d_v, *leading = (int(n) for n in rng.permutation(np.arange(2, 8)))
            cases.append(_scores_case(rng, name, name, tuple(leading), n_q, n_k, d, d_v))
    zeros = _scores_case(rng, "zeros", "cosine", (2,), 4, 5, 3, 6)
    zeros["q"][:, 1] = zeros["k"][:, 2] = 0.0
    return [
        *cases,
        zeros,
        _scores_case(rng, "model", "linear", (2, 3), 5, 4, 7, 6),
        _scores_case(rng, "config", "cosine", (3,), 4, 6, 5, 2),
        _scores_case(rng, "unknown", "euclidean", (2,), 3, 5, 4, 6),
    ]


def cosine_attention(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one head, several, a token whose query is zero, a Keras model."""
    return _layer_cases(rng, thorough, ("W_q", "W_v", "W_o"), ["zeros"])


def linear_attention(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one head, several, large scores, many tokens, a Keras model."""
    cases = _layer_cases(rng, thorough, ("W_q", "W_k", "W_v", "W_o"), ["cost"])
    long = next(case for case in cases if case.stage == "cost")
    long.inputs["lengths"] = LENGTHS
    return cases


def orthonormal(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw wide, tall and square matrices, an orthonormal one, and one that a layer trains."""
    cases = [
        _matrix_case(rng, "matrices", (3, 5), 0.25),
        _matrix_case(rng, "matrices", (6, 2), 0.25),
        _matrix_case(rng, "matrices", (4, 4), 0.5),
        _matrix_case(rng, "default", (3, 4), None),
        _matrix_case(rng, "trained", (5, 3), 0.25),
        _matrix_case(rng, "config", (2, 4), 0.75),
    ]
    orthonormal = np.linalg.qr(rng.normal(size=(5, 3)))[0].T.astype(np.float32)
    cases.append(Case("orthonormal", {"w": orthonormal, "beta": 0.5}))
    if thorough:
        for beta in (0.125, 0.75):
            m, n = (int(length) for length in rng.permutation(np.arange(1, 9))[:2])
            cases.append(_matrix_case(rng, "matrices", (m, n), beta))
    return cases


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


def _scores_case(
    rng: np.random.Generator,
    stage: str,
    normalization: str,
    leading: Sequence[int],
    n_q: int,
    n_k: int,
    d: int,
    d_v: int,
) -> Case:
    """Return q, k, v; keys are longer than queries, so that their lengths show."""
    inputs = {
        "normalization": normalization,
        "q": _normal(rng, *leading, n_q, d),
        "k": _normal(rng, *leading, n_k, d) * np.float32(1.5),
        "v": _normal(rng, *leading, n_k, d_v),
    }
    return Case(stage, inputs)


def _layer_cases(
    rng: np.random.Generator, thorough: bool, weights: Sequence[str], special: Sequence[str]
) -> list[Case]:
    """Return the cases of a layer of self-attention, each stage with sizes of its own."""
    stages = [
        ("one head", dict(batch=2, length=5, width=6, num_heads=1, key_dim=4)),
        ("heads", dict(batch=2, length=7, width=5, num_heads=3, key_dim=4)),
        ("heads", dict(batch=1, length=4, width=9, num_heads=2, key_dim=5)),
        ("heads", dict(batch=3, length=5, width=8, num_heads=4, key_dim=2)),  # h·p is the width
        *((stage, dict(batch=2, length=6, width=5, num_heads=3, key_dim=4)) for stage in special),
        ("weights", dict(batch=4, length=5, width=7, num_heads=2, key_dim=3)),
        ("model", dict(batch=4, length=5, width=7, num_heads=3, key_dim=2)),
        ("config", dict(batch=4, length=6, width=7, num_heads=2, key_dim=5)),
    ]
    if thorough:
        names = ("batch", "length", "width", "num_heads", "key_dim")
        for _ in range(2):
            lengths = (int(n) for n in rng.permutation(np.arange(2, 10))[: len(names)])
            stages.append(("heads", dict(zip(names, lengths, strict=True))))
    return [_layer_case(rng, stage, weights, **sizes) for stage, sizes in stages]


def _layer_case(
    rng: np.random.Generator,
    stage: str,
    weights: Sequence[str],
    batch: int,
    length: int,
    width: int,
    num_heads: int,
    key_dim: int,
) -> Case:
    """Return tokens x, and kernel and bias of each Dense layer, projections of size one."""
    x = _normal(rng, batch, length, width)
    values = {}
    for name in weights:
        shape = (num_heads * key_dim, width) if name == "W_o" else (width, num_heads * key_dim)
        values[name] = _kernel(rng, *shape)
        values[f"{name}_bias"] = _normal(rng, shape[-1]) / 2
    if stage == "zeros":
        x[:, 1] = values["W_q_bias"][:] = 0.0
    inputs = {"num_heads": num_heads, "key_dim": key_dim, "x": x, **values}
    return Case(stage, inputs, unsaid=tuple(values))


def _matrix_case(
    rng: np.random.Generator, stage: str, shape: tuple[int, ...], beta: float | None
) -> Case:
    return Case(stage, {"w": _kernel(rng, *shape), "beta": beta})


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

"""What goes into the checks of the small-data lab (NumPy only)."""

from collections.abc import Sequence

import numpy as np

from utilities.checks.kernel.case import Case


def shifted_patch_tokenization(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one patch, images wider and higher, odd patches, a functional model, a saved layer."""
    cases = [
        _images_case(rng, "one patch", 2, rows=1, columns=1, channels=1, patch_size=4, proj_dim=7),
        _images_case(rng, "patches", 1, rows=2, columns=3, channels=1, patch_size=4, proj_dim=9),
        _images_case(rng, "patches", 2, rows=4, columns=3, channels=3, patch_size=2, proj_dim=5),
        _images_case(rng, "odd patches", 2, rows=3, columns=2, channels=1, patch_size=3, proj_dim=4),
        _images_case(rng, "weights", 2, rows=3, columns=4, channels=2, patch_size=2, proj_dim=7),
        _images_case(rng, "functional", 3, rows=2, columns=4, channels=1, patch_size=2, proj_dim=6),
        _images_case(rng, "config", 1, rows=3, columns=2, channels=2, patch_size=2, proj_dim=9),
    ]
    if thorough:
        for stage, patch_size in (("patches", 4), ("odd patches", 5), ("functional", 3)):
            rows, columns, batch = (int(n) for n in rng.permutation(3) + 2)
            cases.append(_images_case(rng, stage, batch, rows, columns, 1, patch_size, proj_dim=7))
    return cases


def multi_head_attention_lsa(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one head, several heads, attention weights, dropout, a functional model, a saved layer."""
    cases = [
        _attention_case(rng, "one head", 2, length=3, width=5, num_heads=1, key_dim=4),
        _attention_case(rng, "heads", 2, length=5, width=6, num_heads=3, key_dim=4),
        _attention_case(rng, "heads", 1, length=4, width=7, num_heads=2, key_dim=5),
        _attention_case(rng, "attention weights", 2, length=6, width=5, num_heads=3, key_dim=7),
        _attention_case(rng, "weights", 2, length=4, width=6, num_heads=3, key_dim=5),
        _attention_case(rng, "dropout", 2, length=7, width=6, num_heads=3, key_dim=4),
        _attention_case(rng, "functional", 3, length=5, width=7, num_heads=2, key_dim=6),
        _attention_case(rng, "config", 2, length=5, width=8, num_heads=3, key_dim=6),
    ]
    if thorough:
        for stage in ("heads", "attention weights", "functional"):
            num_heads, key_dim, length, width, batch = (int(n) for n in rng.permutation(5) + 3)
            cases.append(_attention_case(rng, stage, batch, length, width, num_heads, key_dim))
    return cases


def warm_up_cosine(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw steps before, in and after the cosine, plain numbers and tensors, and odd settings."""
    cases = [
        _schedule_case(rng, "warm-up", 20, 8, range(9)),
        _schedule_case(rng, "warm-up", 17, 5, range(6), from_zero=True),
        _schedule_case(rng, "cosine", 20, 8, range(8, 20)),
        _schedule_case(rng, "end", 15, 4, (14, 15, 16, 20, 26, 40, 1000)),
        _schedule_case(rng, "no warm-up", 12, 0, (0, 1, 5, 11, 12)),
        _schedule_case(rng, "tensors", 30, 6, (0, 3, 5, 6, 7, 18, 29, 30, 31, 54)),
        _schedule_case(rng, "too short", 6, 9, (0,)),
        _schedule_case(rng, "config", 14, 4, (0, 3, 4, 8, 13, 16)),
    ]
    if thorough:
        for stage in ("warm-up", "cosine", "tensors"):
            warmup_steps = int(rng.integers(3, 9))
            total_steps = warmup_steps + int(rng.integers(5, 25))
            first = warmup_steps if stage == "cosine" else 0
            last = warmup_steps if stage == "warm-up" else total_steps
            cases.append(_schedule_case(rng, stage, total_steps, warmup_steps, range(first, last)))
    return cases


def make_optimizer(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw runs whose last batch is full or not, with and without warm-up and weight decay."""
    cases = [
        _run_case(rng, "rate", num_samples=10, epochs=4, batch_size=4, warmup_epochs=1),
        _run_case(rng, "rate", num_samples=6, epochs=3, batch_size=2, warmup_epochs=0),
        _run_case(rng, "update", num_samples=11, epochs=3, batch_size=4, warmup_epochs=1),
    ]
    if thorough:
        batch_size = int(rng.integers(3, 6))
        num_samples = 2 * batch_size + int(rng.integers(1, batch_size))
        sizes = {"num_samples": num_samples, "batch_size": batch_size}
        cases.append(_run_case(rng, "rate", epochs=5, warmup_epochs=2, **sizes))
        cases.append(_run_case(rng, "update", epochs=4, warmup_epochs=0, **sizes))
    return cases


def _images_case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    rows: int,
    columns: int,
    channels: int,
    patch_size: int,
    proj_dim: int,
) -> Case:
    """Return images of `rows` × `columns` patches, and the weights to give to the layer."""
    values = 5 * patch_size**2 * channels
    weights = {
        "gamma": (1 + rng.normal(size=values) / 4).astype(np.float32),
        "beta": (rng.normal(size=values) / 2).astype(np.float32),
        "kernel": (rng.normal(size=(values, proj_dim)) / np.sqrt(values)).astype(np.float32),
        "bias": rng.normal(size=proj_dim).astype(np.float32),
    }
    images = rng.normal(size=(batch, rows * patch_size, columns * patch_size, channels))
    sizes = {"patch_size": patch_size, "proj_dim": proj_dim}
    return Case(stage, {"images": images.astype(np.float32), **sizes, **weights}, tuple(weights))


def _attention_case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    length: int,
    width: int,
    num_heads: int,
    key_dim: int,
) -> Case:
    """Return tokens, weights that keep projections at size one, and temperatures around √key_dim."""
    outward = (width, num_heads, key_dim)
    shapes = {"query": outward, "key": outward, "value": outward, "output": (*outward[1:], width)}
    weights = {}
    for name, shape in shapes.items():
        summed = width if name != "output" else num_heads * key_dim
        bias = shape[-1:] if name == "output" else shape[1:]
        weights[f"{name}_kernel"] = (rng.normal(size=shape) / np.sqrt(summed)).astype(np.float32)
        weights[f"{name}_bias"] = (rng.normal(size=bias) / 2).astype(np.float32)
    spread = rng.permutation(np.linspace(0.45, 0.75, num_heads))  # well away from 1
    weights["temperature"] = (np.sqrt(key_dim) * spread).astype(np.float32)
    inputs = {
        "num_heads": num_heads,
        "key_dim": key_dim,
        "x": rng.normal(size=(batch, length, width)).astype(np.float32),
    }
    return Case(stage, {**inputs, **weights}, unsaid=tuple(weights))


def _schedule_case(
    rng: np.random.Generator,
    stage: str,
    total_steps: int,
    warmup_steps: int,
    steps: Sequence[int],
    from_zero: bool = False,
) -> Case:
    """Return the settings of a schedule and the steps to ask it for."""
    base = round(float(rng.uniform(0.5, 2.0)), 3)
    inputs = {
        "learning_rate_base": base,
        "total_steps": total_steps,
        "warmup_learning_rate": 0.0 if from_zero else round(base * float(rng.uniform(0.1, 0.4)), 3),
        "warmup_steps": warmup_steps,
        "steps": np.array(steps, np.int64),
    }
    return Case(stage, inputs)


def _run_case(
    rng: np.random.Generator,
    stage: str,
    num_samples: int,
    epochs: int,
    batch_size: int,
    warmup_epochs: int,
) -> Case:
    """Return the arguments of `make_optimizer`, weights, and gradients for two steps too many."""
    steps = epochs * -(-num_samples // batch_size) + 2
    inputs = {
        "num_samples": num_samples,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": round(float(rng.uniform(0.05, 0.2)), 3),
        "weight_decay": round(float(rng.uniform(0.1, 0.3)), 3),
        "warmup_epochs": warmup_epochs,
        "kernel": rng.normal(size=5).astype(np.float32),
        "gradients": (rng.normal(size=(steps, 5)) + 0.5).astype(np.float32),
    }
    return Case(stage, inputs, unsaid=("kernel", "gradients"))

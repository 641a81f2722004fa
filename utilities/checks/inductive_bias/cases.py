"""What goes into the checks of the lab on inductive bias (NumPy only)."""

from collections.abc import Sequence

import numpy as np

from utilities.checks.kernel.case import Case


def position_embedding_2d(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one row of patches, grids wider and higher, and a functional model."""
    cases = [
        _grid_case(rng, "one row", batch=2, rows=1, columns=4, proj_dim=6),
        _grid_case(rng, "grid", batch=2, rows=3, columns=5, proj_dim=8),
        _grid_case(rng, "grid", batch=1, rows=6, columns=4, proj_dim=10),
        _grid_case(rng, "functional", batch=3, rows=2, columns=5, proj_dim=8),
    ]
    if thorough:
        for stage in ("grid", "functional"):
            batch, rows, columns, half = (int(n) for n in rng.permutation(np.array([2, 3, 5, 7])))
            cases.append(_grid_case(rng, stage, batch, rows, columns, 2 * half + 4))
    return cases


def relative_position_bias(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one row of patches, grids wider and higher, and a functional model."""
    cases = [
        _scores_case(rng, "one row", batch=2, num_heads=3, rows=1, columns=4),
        _scores_case(rng, "grid", batch=2, num_heads=3, rows=4, columns=5),
        _scores_case(rng, "grid", batch=1, num_heads=2, rows=5, columns=3),
        _scores_case(rng, "functional", batch=5, num_heads=4, rows=2, columns=3),
    ]
    if thorough:
        num_heads, rows, columns = (int(n) for n in rng.permutation(np.array([3, 4, 6])))
        cases.append(_scores_case(rng, "grid", 2, num_heads, rows, columns))
    return cases


def resnet_classifier(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw classifiers with one hidden layer and with two, without and with augmentation."""
    cases = [
        _classifier_case(rng, "one layer", 2, (8, 6, 3), filters=5, head_units=(7,), num_classes=4),
        _classifier_case(rng, "head", 1, (6, 10, 2), filters=4, head_units=(9, 11), num_classes=6),
        _classifier_case(
            rng, "augmentation", 3, (8, 12, 1), filters=6, head_units=(10, 5), num_classes=7,
            augmented=True,
        ),
    ]  # fmt: skip
    if thorough:
        first, second, filters = (int(n) for n in rng.permutation(np.array([6, 9, 13])))
        cases.append(
            _classifier_case(rng, "head", 2, (10, 8, 3), filters, (first, second, 8), num_classes=5)
        )
    return cases


def vital_signs(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw a model without dropout, one with it, one partly frozen, and a dead one."""
    cases = [
        _model_case(rng, "model", 5, (2, 3, 1), hidden=4, num_classes=3, column=False),
        _model_case(rng, "model", 6, (3, 2, 2), hidden=5, num_classes=4, strength=3.0),
        _model_case(rng, "dropout", 7, (2, 2, 3), hidden=8, num_classes=5),
        _model_case(rng, "frozen", 4, (3, 1, 2), hidden=7, num_classes=3),
        _model_case(rng, "dead", 6, (2, 4, 1), hidden=5, num_classes=3),
    ]
    if thorough:
        for stage in ("model", "dropout"):
            n, hidden, num_classes = (int(n) for n in rng.permutation(np.array([4, 6, 9])))
            cases.append(_model_case(rng, stage, n, (2, 5, 1), hidden, num_classes))
    return cases


def _grid_case(
    rng: np.random.Generator, stage: str, batch: int, rows: int, columns: int, proj_dim: int
) -> Case:
    sizes = {"rows": rows, "columns": columns, "proj_dim": proj_dim}
    tables = {
        "x_table": _normal(rng, columns, proj_dim // 2),
        "y_table": _normal(rng, rows, proj_dim // 2),
    }
    tokens = _normal(rng, batch, rows * columns, proj_dim)
    return Case(stage, {**sizes, "tokens": tokens, **tables}, unsaid=tuple(tables))


def _scores_case(
    rng: np.random.Generator, stage: str, batch: int, num_heads: int, rows: int, columns: int
) -> Case:
    num_patches = rows * columns
    scores = _normal(rng, batch, num_heads, num_patches, num_patches)
    return Case(stage, {"num_heads": num_heads, "rows": rows, "columns": columns, "scores": scores})


def _classifier_case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    image: tuple[int, int, int],
    filters: int,
    head_units: Sequence[int],
    num_classes: int,
    augmented: bool = False,
) -> Case:
    """Return a classifier's arguments, images, and the weights of backbone and head."""
    widths = (filters, *head_units, num_classes)
    arguments = {
        "num_classes": num_classes,
        "head_units": np.array(head_units),
        "filters": filters,
        "augmented": augmented,
        "images": _normal(rng, batch, *image),
    }
    weights = {}
    for i, (d_in, d_out) in enumerate(zip(widths, widths[1:], strict=False), start=1):
        weights[f"kernel_{i}"] = _kernel(rng, d_in, d_out)
        weights[f"bias_{i}"] = _normal(rng, d_out) / 2
    return Case(stage, {**arguments, **weights}, unsaid=("filters", *weights))


def _model_case(
    rng: np.random.Generator,
    stage: str,
    n: int,
    image: tuple[int, int, int],
    hidden: int,
    num_classes: int,
    column: bool = True,
    strength: float = 1.0,
) -> Case:
    """Return images, labels in a column or a row, and the weights of a model of two layers.

    A dead model has no last kernel, so that its logits are its biases whatever the image.
    """
    values = int(np.prod(image))
    labels = rng.integers(0, num_classes, size=(n, 1) if column else n)
    labels.flat[:num_classes] = np.arange(num_classes)[:n]
    weights = {
        "kernel_1": _kernel(rng, values, hidden),
        "bias_1": _normal(rng, hidden) / 2 + np.float32(0.5),
        "kernel_2": _kernel(rng, hidden, num_classes) * np.float32(strength * (stage != "dead")),
        "bias_2": _normal(rng, num_classes),
    }
    images = _normal(rng, n, *image)
    return Case(stage, {"images": images, "labels": labels, **weights}, unsaid=tuple(weights))


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def _kernel(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return _normal(rng, *shape) / np.float32(np.sqrt(shape[-2]))

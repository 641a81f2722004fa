"""An example of every figure that the kit draws."""

import functools

import numpy as np

from utilities import (
    EnergyReport,
    compare_energy,
    draw_attention_vit,
    draw_blocks,
    draw_locality,
    draw_merge,
    draw_multi_head,
    draw_rivals,
    draw_vit,
    plot_ablation,
    plot_accuracies,
    plot_approximation,
    plot_attempts,
    plot_attention,
    plot_attention_distances,
    plot_class_token_attention,
    plot_confusion,
    plot_cost,
    plot_deletion,
    plot_differences,
    plot_grid_offsets,
    plot_history,
    plot_images,
    plot_learning_rate,
    plot_patches,
    plot_position_maps,
    plot_position_similarity,
    plot_regression,
    plot_relative_bias,
    plot_retrieval,
    plot_rollout,
    plot_sample_efficiency,
    plot_sharpness,
    plot_shifted_patches,
    plot_singular_values,
    plot_softmax_temperature,
    plot_temperatures,
    plot_token_fields,
    plot_top_classes,
)
from utilities.energy.report import ESTIMATED, MEASURED, ComponentRecord, Span
from utilities.training.runs import Run

CLASSES = ["airplane", "automobile", "bird", "cat"]
RNG = np.random.default_rng(0)
X_TRAIN = np.sort(RNG.uniform(0, 5, 20))
X_QUERY = np.linspace(0, 5, 30)
IMAGE = RNG.integers(0, 256, (12, 8, 3), dtype=np.uint8)  # height and width differ
HISTORY = {
    "loss": [2.0, 1.5, 1.25],
    "val_loss": [2.1, 1.8, 1.75],
    "accuracy": [0.2, 0.4, 0.5],
    "val_accuracy": [0.1, 0.3, 0.375],
}
LENGTHS = (128, 256, 512, 1024)
VARIANTS = [
    "Keras' layer",
    "standard",
    "linear scaling",
    "cosine scaling",
    "cosine, no softmax",
    "linear attention",
    "cosine, brackets moved",
]
MODELS = ("plain", "shifted patches", "locality attention", "both")
DISTANCES = {name: RNG.uniform(5, 15, (3, 4)) for name in MODELS}
ATTEMPTS = {
    "healthy": {"losses": [5.0, 4.4], "spread": 0.5, "predicted_classes": 41},
    "off the scale": {"losses": [16.0, 15.5, 15.5], "spread": 4.5, "predicted_classes": 9},
    "dead": {"losses": [12.0, 4.605], "spread": 0.0, "predicted_classes": 1},
}
SAMPLE_CURVES = {"ViT": ([200, 1000], [0.05, 0.125]), "ResNet": ([200, 1000], [0.07, 0.25])}


def softmax(*shape):
    scores = np.exp(2 * RNG.standard_normal(shape))
    return scores / scores.sum(axis=-1, keepdims=True)


def gaussian(distance, sigma=1.0):
    return np.exp(-(distance**2) / (2 * sigma**2))


def nadaraya_watson(q, k, v, kernel, sigma=1.0):
    similarity = kernel(np.linalg.norm(q[:, None] - k[None], axis=-1), sigma)  # (n_q, n_k)
    weights = similarity / similarity.sum(axis=-1, keepdims=True)
    return weights @ v, weights


def to_patches(image, size):
    height, width = image.shape[:2]
    return np.stack(
        [
            image[top : top + size, left : left + size].reshape(-1)
            for top in range(0, height, size)
            for left in range(0, width, size)
        ]
    )


def regression(sigma=0.5):
    prediction, weights = nadaraya_watson(
        X_QUERY[:, None], X_TRAIN[:, None], np.sin(X_TRAIN)[:, None], gaussian, sigma
    )
    return plot_regression(
        X_TRAIN, np.sin(X_TRAIN), X_QUERY, prediction, np.sin(X_QUERY), weights, sigma
    )


def cost():
    """Time and memory of every attention variant; the last two are linear in the number of tokens."""
    N = np.array(LENGTHS, float)
    powers = dict(zip(VARIANTS, (2, 2, 2, 2, 2, 1, 1), strict=True))
    seconds = {name: 1e-6 * N[: 5 - power] ** power for name, power in powers.items()}
    return plot_cost(LENGTHS, seconds, {name: 4 * N**power for name, power in powers.items()})


def bias_of(rows, columns, heads=3):
    """A bias that is the offset itself: 10 · rows down + columns to the right, times the head."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    offset = 10 * (row[None] - row[:, None]) + column[None] - column[:, None]
    return offset * np.arange(1, heads + 1)[:, None, None]


def report_of(label):
    """The report of a run on a GPU that is measured and a processor that is estimated."""
    gpu = ComponentRecord("gpu", ("NVIDIA H200",), "NVML", MEASURED, 0.95, 1.05)
    cpu = ComponentRecord("cpu", ("AMD EPYC",), "nominal power", ESTIMATED, 0.4, 2.0)
    span = Span(36.0, {"gpu": 1e-3, "cpu": 1e-3})
    return EnergyReport(
        label, (gpu, cpu), (span,), Span(0.0, {"gpu": 0.0, "cpu": 0.0}), 400.0, "stated",
        1.0, False, (), "2026-01-01", "tests",
    )  # fmt: skip


def run_of(name, accuracy):
    """A kept run that reached this accuracy."""
    return Run(
        "vision_transformer", name, 42, "standard", {}, 10, 20, HISTORY, accuracy, 1.5,
        "a processor", "TensorFlow", "2026-01-01",
    )  # fmt: skip


FIGURES = {
    "regression": regression,
    "attention": lambda: plot_attention(softmax(5, 6, 7)),
    "attention, labelled": lambda: plot_attention(softmax(2, 3), "ab", "xyz", title="Words"),
    "softmax": plot_softmax_temperature,
    "images": lambda: plot_images(IMAGE[None], [2], CLASSES),
    "images, predicted": lambda: plot_images(IMAGE[None].repeat(4, 0), range(4), CLASSES, [0] * 4),
    "patches": lambda: plot_patches(IMAGE, to_patches(IMAGE, 4), 4),
    "history": lambda: plot_history({"ViT": HISTORY, "CNN": HISTORY}),
    "history of many": lambda: plot_history(dict.fromkeys(VARIANTS, HISTORY), training=False),
    "class token": lambda: plot_class_token_attention(IMAGE, softmax(4, 7, 7), 4),
    "positions": lambda: plot_position_similarity(RNG.standard_normal((7, 5)), (3, 2)),
    "top classes": lambda: plot_top_classes(IMAGE, ["tabby, cat", "lynx"], [0.9, 0.05]),
    "rollout": lambda: plot_rollout(IMAGE, softmax(5, 5)),
    "deletion": lambda: plot_deletion([0, 0.4, 0.8], {"first": [1, 0.9, 0.5], "last": [1, 0.4, 0.2]}),
    "confusion": lambda: plot_confusion(range(4), [0, 1, 1, 3], CLASSES),
    "retrieval": plot_retrieval,
    "heads": draw_multi_head,
    "merging": draw_merge,
    "blocks": draw_blocks,
    "ViT": draw_vit,
    "ViT around any attention": draw_attention_vit,
    "locality": draw_locality,
    "rivals": draw_rivals,
    "ablation": lambda: plot_ablation(
        {"base": [run_of("base", 0.5), run_of("base", 0.53)], "dropout": [run_of("dropout", 0.4)]},
        ["base", "dropout", "not run"],
        own={"dropout": 0.42},
    ),
    # the lab on attention variants
    "sharpness": lambda: plot_sharpness(
        (4, 8, 16), {"standard": (0.2, 0.2, 0.2), "linear": (0.1, 0.06, 0.03)}, 64
    ),
    "approximation": lambda: plot_approximation(
        (0.5, 1, 2), {"linear attention": (0.1, 0.3, 0.8), "the plain mean": (0.1, 0.4, 0.9)}
    ),
    "singular values": lambda: plot_singular_values(np.linspace((0.2, 1.8), (1, 1), 20)),
    "cost": cost,
    "accuracies": lambda: plot_accuracies({name: (0.15, 0.4) for name in VARIANTS}, 5000, 100),
    # the lab on small data sets
    "shifts": lambda: plot_shifted_patches(IMAGE, 4, (1, 0)),
    "grey shifts": lambda: plot_shifted_patches(IMAGE[..., :1], 2, (5, 3)),
    "fields": lambda: plot_token_fields({"plain": np.eye(8), "shifted": np.ones((8, 8))}, 4),
    "learning rate": lambda: plot_learning_rate(np.arange(90) / 90, np.arange(90) / 90, 30),
    "temperatures": lambda: plot_temperatures({"both": RNG.uniform(6, 9, (3, 1))}, 8.0),
    "temperatures of heads": lambda: plot_temperatures(
        {"one": RNG.uniform(6, 9, (3, 4)), "both": RNG.uniform(6, 9, (3, 1))}, 8.0
    ),
    "distances": lambda: plot_attention_distances(DISTANCES, DISTANCES, 16.9),
    "differences": lambda: plot_differences(
        {"this lab": ["shifted", "both"], "training": ["Mixup"], "others": ["not run"]},
        {"shifted": (0.01, 0.004), "Mixup": (-0.02, 0.004)},
        {"both": (0.013, 0.006), "shifted": (-0.002, 0.006)},
        "plain",
    ),
    "differences of no runs": lambda: plot_differences({"this lab": ["both"]}, {}, {}, "plain"),
    # the lab on inductive bias
    "maps": lambda: plot_position_maps(
        {"1-D": RNG.standard_normal((6, 4)), "2-D": RNG.standard_normal((6, 8))}, (2, 3)
    ),
    "offsets": lambda: plot_grid_offsets(2, 3),
    "bias": lambda: plot_relative_bias(bias_of(2, 3), (2, 3)),
    "attempts": lambda: plot_attempts(ATTEMPTS, 100),
    "samples": lambda: plot_sample_efficiency(SAMPLE_CURVES, 0.01, 10_000),
    # energy
    "energy": lambda: compare_energy([report_of("ViT"), report_of("CNN")], [0.5, 0.8]),
}


@functools.cache
def drawn(name):
    return FIGURES[name]()

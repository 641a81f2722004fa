"""Drawings that explain: retrieval by attention, heads and their shapes, the block, the whole ViT."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import softmax

from utilities.figures.boxes import FIXED, LEARNED, TINTS, arrow, box, canvas, chain, prepare, shown
from utilities.figures.drawing import new_figure
from utilities.figures.style import BLUE, MUTED, RIGHT, TEXT, WRONG, styled


@styled
def plot_retrieval() -> Figure:
    """Show attention as retrieval with numbers: one query, four keys and values, and the average."""
    query, keys = np.array([1, 2]), np.array([[1, 2], [2, 0], [0, 1], [-1, -1]])
    values = np.array([10, 20, 40, 80])
    scores = keys @ query / 2**0.5  # (4,)
    weights = softmax(scores)  # (4,)
    output = weights @ values

    fig, axes = canvas(8.6, 3.6, 10.2, 5.4)
    for x, title in (
        (1.0, "query q"),
        (2.9, "keys k"),
        (4.5, "q · k / √2"),
        (6.5, "weights = softmax"),
        (8.4, "values v"),
    ):
        axes.text(x, 5.0, title, ha="center", va="center", color=MUTED)
    box(axes, (1.0, 2.6), _row(query), TINTS[1])
    for i, (key, score, weight, value) in enumerate(zip(keys, scores, weights, values, strict=True)):
        y = 4.1 - i
        arrow(axes, (1.65, 2.6), (2.2, y))
        box(axes, (2.9, y), _row(key), TINTS[0])
        axes.text(4.5, y, f"{score:.2f}".replace("-", "−"), ha="center", va="center")
        axes.barh(y, 1.4 * weight, left=5.6, height=0.45, color=BLUE)
        axes.text(5.7 + 1.4 * weight, y, f"{weight:.2f}", va="center")
        box(axes, (8.4, y), str(value), TINTS[2])
    terms = " + ".join(f"{w:.2f}·{v}" for w, v in zip(weights, values, strict=True))
    axes.text(9.0, 0.2, f"output = {terms} = {output:.1f}", ha="right")
    return shown(
        fig,
        "A query, (1, 2), is compared with four keys. The scores "
        + ", ".join(f"{s:.2f}" for s in scores)
        + " become the weights "
        + ", ".join(f"{w:.2f}" for w in weights)
        + f"; the average of the values 10, 20, 40 and 80 with these weights is {output:.1f}, close to "
        "the value of the best matching key.",
    )


@styled
def draw_multi_head() -> Figure:
    """Show multi-head attention as a row of operations, with the shape at each arrow."""
    fig, axes = canvas(10.4, 3.2, 21.0, 5.0)
    axes.text(0.65, 2.5, "tokens\n(B, n, d)", ha="center", va="center")
    for y, name in ((4.1, "q"), (2.5, "k"), (0.9, "v")):
        arrow(axes, (1.4, 2.5), (2.3, y))
        box(axes, (2.9, y), f"$W_{name}$", LEARNED)
        arrow(
            axes,
            (3.5, y),
            (6.3, 2.5 + 0.35 * (y - 2.5)),
            "(B, h, n, p)",
            rise=0.32 if y >= 2.5 else -0.4,
        )
    box(axes, (7.3, 2.5), "scaled\ndot-product\nattention", FIXED)
    axes.text(7.3, 0.9, "weights\n(B, h, n, n)", ha="center", va="center", color=MUTED)
    box(axes, (11.0, 2.5), "transpose", FIXED)
    box(axes, (14.5, 2.5), "reshape", FIXED)
    box(axes, (17.5, 2.5), "$W_o$", LEARNED)
    for begin, end, shape in (
        (8.4, 10.2, "(B, h, n, p)"),
        (11.9, 13.8, "(B, n, h, p)"),
        (15.25, 17.0, "(B, n, h·p)"),
        (18.0, 19.2, "(B, n, p)"),
    ):
        arrow(axes, (begin, 2.5), (end, 2.5), shape, rise=0.6)
    axes.text(19.4, 2.5, "output", va="center")
    return shown(
        fig,
        "Multi-head attention from left to right. Tokens (B, n, d) are multiplied by W_q, W_k and W_v, "
        "which gives queries, keys and values of shape (B, h, n, p). Attention turns "
        "them into (B, h, n, p), with weights (B, h, n, n). A transpose makes (B, n, h, p) of it, a "
        "reshape (B, n, h·p), and W_o the output (B, n, p).",
    )


@styled
def draw_merge() -> Figure:
    """Show why heads are transposed before they are merged: two heads, three tokens, two numbers."""
    h, n, p = 2, 3, 2
    heads = np.array(
        [[f"t{token + 1} h{head + 1}" for token in range(n) for _ in range(p)] for head in range(h)]
    )
    heads = heads.reshape(h, n, p)
    right = heads.transpose(1, 0, 2).reshape(n, h * p)
    wrong = heads.reshape(n, h * p)

    fig, (panels,) = new_figure(9.6, 2.9, columns=3)
    for axes, cells, title, colour in (
        (panels[0], heads.reshape(h * n, p), "heads (h, n, p) = (2, 3, 2)", TEXT),
        (panels[1], right, "✓ transpose, then reshape", RIGHT),
        (panels[2], wrong, "✗ reshape alone", WRONG),
    ):
        _draw_cells(axes, cells)
        axes.set_title(title, color=colour)
    panels[0].set_yticks(range(h * n), [f"head {i // n + 1}, token {i % n + 1}" for i in range(h * n)])
    for axes in panels[1:]:
        axes.set_yticks(range(n), [f"token {i + 1}" for i in range(n)])
    return shown(
        fig,
        "Three tables of numbers, each named after its token and its head. Left: the heads, two of "
        "three tokens with two numbers each. Middle: transposed, then reshaped, each row holds one "
        "token's numbers from both heads. Right: reshaped without transposing, the first row holds "
        "tokens 1 and 2 of head 1, the second token 3 of head 1 and token 1 of head 2.",
    )


@styled
def draw_blocks() -> Figure:
    """Show the post-norm block, which the lab uses, beside the pre-norm block of the ViT paper."""
    fig, (panels,) = new_figure(8.4, 5.6, columns=2)
    post = [
        ("multi-head attention", "dropout", "+", "layer norm"),
        ("MLP", "dropout", "+", "layer norm"),
    ]
    pre = [
        ("layer norm", "multi-head attention", "dropout", "+"),
        ("layer norm", "MLP", "dropout", "+"),
    ]
    for axes, halves, title in (
        (panels[0], post, "post-norm (this lab)"),
        (panels[1], pre, "pre-norm (ViT paper)"),
    ):
        prepare(axes, 6, 11.4)
        axes.set_title(title)
        axes.text(2.6, 0.35, "tokens (B, n, d)", ha="center", va="center")
        y = 0.7
        for half in halves:
            y = _draw_half(axes, half, y)
        arrow(axes, (2.6, y), (2.6, y + 0.55))
        axes.text(2.6, y + 0.85, "tokens (B, n, d)", ha="center", va="center")
    return shown(
        fig,
        "Two transformer blocks, from bottom to top. Post-norm: attention, dropout, addition of the "
        "block's input, layer normalisation; then MLP, dropout, addition, layer normalisation. "
        "Pre-norm: layer normalisation comes first in each half, and the line of additions runs "
        "through the block without a normalisation in it.",
    )


@styled
def draw_vit() -> Figure:
    """Show the whole Vision Transformer from image to logits, with the shape between its parts."""
    fig, axes = canvas(10.8, 2.6, 22.4, 4.0)
    parts = [
        ("data\naugmentation", "image\n(B, H, W, C)", FIXED),
        ("Patch-\nExtractor", "(B, H, W, C)", FIXED),
        ("Patch-\nEncoder", "(B, N, P²·C)", LEARNED),
        ("transformer\nblock\n× layers", "(B, N + 1, d)", LEARNED),
        ("take the\nfirst token", "(B, N + 1, d)", FIXED),
        ("mlp", "(B, d)", LEARNED),
        ("Dense", "(B, units)", LEARNED),
    ]
    chain(axes, 2.0, parts)
    axes.text(22.3, 0.5, "logits (B, classes)", ha="right", va="center")
    axes.text(2.6, 0.5, "in training only", ha="center", va="center", color=MUTED, fontsize=9)
    return shown(
        fig,
        "The Vision Transformer from left to right: an image (B, H, W, C) passes data augmentation, in "
        "training only; PatchExtractor makes patches (B, N, P²·C) of it, PatchEncoder tokens "
        "(B, N + 1, d); a stack of transformer blocks keeps that shape; the first token, (B, d), goes "
        "through the mlp and a Dense layer and becomes logits (B, classes).",
    )


def _draw_half(axes: Axes, parts: Sequence[str], y: float) -> float:
    """Draw one half of a block from height y up, with its residual connection; return where it ends."""
    begin = y + 0.15
    for part in parts:
        arrow(axes, (2.6, y), (2.6, y + 0.4))
        if part == "+":
            axes.plot([2.6, 5.3, 5.3], [begin, begin, y + 0.65], color=BLUE)
            axes.annotate(
                "", (2.85, y + 0.65), (5.3, y + 0.65), arrowprops={"arrowstyle": "-|>", "color": BLUE}
            )
        box(axes, (2.6, y + 0.65), part, FIXED if part in ("+", "dropout") else LEARNED)
        y += 1.15
    return y - 0.2


def _draw_cells(axes: Axes, cells: np.ndarray) -> None:
    """Draw a table of names, tinted by token; the text tells head and token as well."""
    rows, columns = cells.shape
    for (row, column), name in np.ndenumerate(cells):
        tint = TINTS[int(name[1]) - 1]
        axes.fill_between(
            [column - 0.5, column + 0.5], row - 0.5, row + 0.5, facecolor=tint, edgecolor=MUTED
        )
        axes.text(column, row, name, ha="center", va="center", fontsize=9)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _row(numbers: np.ndarray) -> str:
    return "(" + ", ".join(str(number).replace("-", "−") for number in numbers) + ")"

"""Drawings of what the extension labs build: the ViT around any attention, locality, the two rivals."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utilities.figures.boxes import FIXED, LEARNED, TINTS, arrow, box, canvas, chain, place, shown
from utilities.figures.style import BLUE, MUTED, styled

YOURS = TINTS[1]  # what the student writes, or chooses


@styled
def draw_attention_vit() -> Figure:
    """Show the ViT whose attention is exchanged, and below it one of its blocks."""
    fig, axes = canvas(10.8, 4.3, 22.4, 7.0)
    chain(
        axes,
        5.4,
        [
            ("resize,\naugment", "image\n(B, H, W, C)", FIXED),
            ("PatchTokens", "(B, H, W, C)", LEARNED),
            ("block\n× layers", "(B, N, d)", LEARNED),
            ("LayerNorm,\nFlatten", "(B, N, d)", LEARNED),
            ("Dropout", "(B, N·d)", FIXED),
            ("head's\nMLP", "(B, N·d)", LEARNED),
            ("Dense", "(B, units)", LEARNED),
        ],
    )
    axes.text(22.3, 4.4, "logits (B, classes)", ha="right", va="center")
    axes.text(0.7, 2.9, "one block, (B, N, d) throughout:", va="center", color=MUTED)
    _residual_line(axes, 1.6, ("LayerNorm", "any attention"), ("LayerNorm", "MLP"))
    return shown(
        fig,
        "Above, from left to right: an image (B, H, W, C) is resized and augmented; PatchTokens makes"
        " tokens (B, N, d) of it; a stack of blocks keeps that shape; LayerNorm and Flatten make one "
        "vector (B, N·d) of all tokens, which goes through Dropout, the head's MLP and a Dense layer "
        "and becomes logits (B, classes). Below, one block: LayerNorm, then any attention, then the "
        "block's input is added; LayerNorm, MLP, and again what came in is added.",
    )


def _residual_line(axes: Axes, y: float, *halves: tuple[str, str]) -> None:
    """Draw the halves of a pre-norm block from left to right, each with its residual connection."""
    x = 2.2
    for half in halves:
        for name in half:
            arrow(axes, (x, y), (x + 1.0, y))
            box(axes, (x + 2.3, y), name, YOURS if "any" in name else LEARNED)
            x += 3.6
        arrow(axes, (x, y), (x + 0.9, y))
        box(axes, (x + 1.4, y), "+", FIXED)
        begin, end = x - 7.1, x + 1.4
        axes.plot([begin, begin, end], [y, y - 1.1, y - 1.1], color=BLUE)
        axes.annotate(
            "", (end, y - 0.35), (end, y - 1.1), arrowprops={"arrowstyle": "-|>", "color": BLUE}
        )
        x += 1.9
    arrow(axes, (x, y), (x + 0.9, y))


@styled
def draw_locality() -> Figure:
    """Show the two changes of the small-data lab, step by step, with the shapes between."""
    fig, axes = canvas(10.8, 4.4, 21.6, 7.6)
    axes.text(0.2, 7.2, "Shifted patch tokenization", va="center", weight="bold")
    chain(
        axes,
        5.2,
        [
            ("four copies,\nshifted by\nhalf a patch", "images\n(B, H, W, C)", YOURS),
            ("cut into\npatches", "(B, H, W, 5C)", FIXED),
            ("LayerNorm", "(B, N, 5P²C)", LEARNED),
            ("Dense", "(B, N, 5P²C)", LEARNED),
            ("add\npositions", "(B, N, d)", LEARNED),
        ],
        step=3.7,
    )
    axes.text(19.9, 5.2, "tokens", va="center")
    axes.text(0.2, 3.3, "Locality self-attention", va="center", weight="bold")
    chain(
        axes,
        1.2,
        [
            ("$QK^\\top$", "q, k\n(B, N, h, p)", FIXED),
            ("divide by τ,\nwhich is\nlearned", "(B, h, N, N)", YOURS),
            ("mask the\ndiagonal", "(B, h, N, N)", YOURS),
            ("softmax,\ndropout", "(B, h, N, N)", FIXED),
            ("times V", "(B, h, N, N)", FIXED),
        ],
        step=3.7,
    )
    axes.text(19.9, 1.2, "outputs", va="center")
    return shown(
        fig,
        "Two rows. Shifted patch tokenization: images (B, H, W, C) are joined with four copies, "
        "shifted by half a patch, to (B, H, W, 5C), cut into patches (B, N, 5P²C), normalised, and "
        "projected by a Dense layer to (B, N, d), to which positions are added. Locality "
        "self-attention: queries and keys (B, N, h, p) give scores (B, h, N, N), which are divided by"
        " the learned τ; the diagonal is masked; softmax and dropout make weights of them, which "
        "multiply the values.",
    )


@styled
def draw_rivals() -> Figure:
    """Show the ViT and the ResNet of the lab on inductive bias, one above the other."""
    fig, axes = canvas(10.8, 4.6, 20.9, 7.9)
    for y, title, parts, built_in in (
        (
            5.2,
            "ViT",
            [
                ("cut, project\neach patch", "image\n(B, H, W, C)", LEARNED),
                ("add\npositions", "(B, N, d)", YOURS),
                ("block\n× layers", "(B, N, d)", LEARNED),
                ("Flatten", "(B, N, d)", FIXED),
                ("head", "(B, N·d)", LEARNED),
            ],
            (
                "pixels of a patch\nbelong together",
                "say where\na patch is",
                "every patch looks\nat every other",
                "keeps\nthe places",
            ),
        ),
        (
            1.4,
            "ResNet",
            [
                ("3×3 filters", "image\n(B, H, W, C)", LEARNED),
                ("residual\nblocks", "(B, H, W, f)", LEARNED),
                ("halve\nthe side", "(B, H, W, f)", LEARNED),
                ("mean over\nplaces", "(B, h, w, f)", FIXED),
                ("head", "(B, f)", LEARNED),
            ],
            (
                "neighbours only,\nalike everywhere",
                "a correction to\nwhat came in",
                "what lies far\napart meets late",
                "forgets\nthe places",
            ),
        ),
    ):
        axes.text(0.2, y + 2.0, title, va="center", weight="bold")
        chain(axes, y, parts, step=3.6)
        axes.text(19.4, y, "logits", va="center")
        for i, text in enumerate(built_in):
            axes.text(place(i, 3.6), y - 1.2, text, ha="center", va="center", color=MUTED, fontsize=9)
    return shown(
        fig,
        "Two rows. ViT: an image is cut and each patch projected, (B, N, d); positions are added; "
        "blocks compare every patch with every other; Flatten, (B, N·d), keeps the places, and the "
        "head gives logits. ResNet: 3×3 filters see neighbours only and are alike everywhere; "
        "residual blocks add a correction; the side is halved, so that what lies far apart meets "
        "late; the mean, (B, f), forgets the places; the head gives logits.",
    )

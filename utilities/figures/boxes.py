"""What drawings are made of: a panel without axes, boxes with a name, arrows with a shape."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from utilities.figures.drawing import new_figure
from utilities.figures.showing import LabFigure, show_figure
from utilities.figures.style import MUTED

TINTS = ("#CCE3F0", "#F9DCC6", "#CFEDE3", "#F3DDEA")  # pale enough for dark text
LEARNED, FIXED = TINTS[0], "#EEEEEE"

Point = tuple[float, float]
Part = tuple[str, str, str]  # name, shape in front of it, colour


def canvas(width: float, height: float, columns: float, rows: float) -> tuple[LabFigure, Axes]:
    """Return a figure of one panel without axes; its units run to `columns` and `rows`."""
    fig, ((axes,),) = new_figure(width, height)
    prepare(axes, columns, rows)
    return fig, axes


def prepare(axes: Axes, columns: float, rows: float) -> None:
    """Make a panel a canvas."""
    axes.set_axis_off()
    axes.set_xlim(0, columns)
    axes.set_ylim(0, rows)


def box(axes: Axes, centre: Point, text: str, colour: str) -> None:
    """Draw a name in a frame."""
    frame = {"boxstyle": "round,pad=0.4", "facecolor": colour, "edgecolor": MUTED}
    axes.text(*centre, text, ha="center", va="center", bbox=frame)


def arrow(axes: Axes, begin: Point, end: Point, text: str = "", rise: float = 0.25) -> None:
    """Draw an arrow, with its text above the middle, or below where `rise` is negative."""
    axes.annotate(
        "",
        end,
        begin,
        arrowprops={"arrowstyle": "-|>", "color": MUTED, "shrinkA": 0, "shrinkB": 0},
        zorder=1,
    )
    axes.text(
        (begin[0] + end[0]) / 2,
        (begin[1] + end[1]) / 2 + rise,
        text,
        ha="center",
        va="center",
        color=MUTED,
        fontsize=9,
    )


def chain(axes: Axes, y: float, parts: Sequence[Part], step: float = 3.0) -> None:
    """Draw parts from left to right at height y, with an arrow and its shape in front of each."""
    for i, (name, shape, colour) in enumerate(parts):
        x = place(i, step)
        arrow(axes, (x - step + 1.05, y), (x - 1.15, y), shape, rise=1.1)
        box(axes, (x, y), name, colour)
    arrow(axes, (x + 0.85, y), (x + 1.6, y))


def place(index: int, step: float) -> float:
    """Return where in a chain the middle of a part is."""
    return step * (index + 1) - 0.4


def shown(fig: LabFigure, alt: str) -> LabFigure:
    """Show a drawing with its alternative text, and return it."""
    show_figure(fig, alt)
    return fig

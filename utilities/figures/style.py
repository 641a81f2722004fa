"""The look of every figure: colours, markers, fonts; legible to all.

Figures have a white background of their own and dark text, which is legible in JupyterLab's light
and dark themes alike. Colours are those of Okabe & Ito (2008) that reach a contrast of 3:1 on white;
heat maps are viridis. No meaning rests on colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import matplotlib.colors
import numpy as np
from cycler import cycler

TEXT = "#1a1a1a"
MUTED = "#595959"
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, TEXT)
ORANGE = "#E69F00"  # for areas alone, and hatched: less than 3:1 on white
RIGHT, WRONG = "#00558A", "#A84300"  # Okabe-Ito's blue and vermillion, darkened for text
MARKERS = ("o", "s", "^", "D", "v")
HEAT = "viridis"
NO_VALUE = "#D0D0D0"  # where a heat map has no number

_STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": TEXT,
    "axes.titlesize": 11,
    "axes.labelsize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=CYCLE),
    "figure.titlesize": 12,
    "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.09,
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "grid.color": "#E0E0E0",
    "image.cmap": HEAT,
    "image.interpolation": "nearest",
    "legend.edgecolor": MUTED,
    "legend.facecolor": "white",
    "legend.fontsize": 9.5,
    "legend.labelcolor": TEXT,
    "text.color": TEXT,
    "xtick.color": TEXT,
    "xtick.labelsize": 9.5,
    "ytick.color": TEXT,
    "ytick.labelsize": 9.5,
}

styled = matplotlib.rc_context(_STYLE)  # as a decorator: the style holds inside the function only


def text_colour(background: Sequence[float]) -> str:
    """Return black or white, whichever stands out more (one of them always reaches WCAG AA, 4.5:1)."""
    white, black, ground = (luminance(colour) for colour in ("white", "black", background))
    on_white, on_black = (white + 0.05) / (ground + 0.05), (ground + 0.05) / (black + 0.05)
    return "white" if on_white > on_black else "black"


def luminance(colour: Any) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))

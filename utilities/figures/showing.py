"""Show a figure once, as an image with alternative text, in a notebook or outside one.

A figure is shown by `show_figure` and returned, already closed, so that no cell shows it twice.
"""

from __future__ import annotations

import base64
import html
import io
import sys
from typing import Any

import numpy as np
from IPython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

Bundle = tuple[dict[str, str], dict[str, Any]]  # display data and metadata, by MIME type

_CSS_DPI = 96  # CSS pixels an inch
_PNG_DPI = 2 * _CSS_DPI  # two pixels for each CSS pixel: sharp at 200 % zoom


class LabFigure(Figure):
    """A figure that knows its alternative text and that it has already been shown.

    pyplot does not know it, so that nothing shows it behind our back. As the last expression of the
    cell that drew it, it shows nothing more; named in a later cell, it shows again.
    """

    alt = ""
    _bundle: Bundle | None = None
    _shown_in: int | None = None

    def _ipython_display_(self) -> None:
        if self._bundle is None:
            show_figure(self, self.alt)
        elif self._shown_in != _execution_count():
            display_bundle(self._bundle)


def show_figure(fig: Figure, alt: str) -> None:
    """Show a figure as a PNG with alternative text, once.

    JupyterLab 4 ignores an `alt` in the metadata of an `image/png` output, and so does the lab
    template of nbconvert 7; both keep the `alt` of an `<img>` in an HTML output. So the PNG
    goes out inside HTML, and only there: Jupyter's server drops the output of a kernel that sends
    more than a megabyte a second, which two copies of each figure would come near.

    Args:
        fig: any Matplotlib figure; one that pyplot manages is closed.
        alt: what the figure shows, in a sentence or two.

    Raises:
        ValueError: `alt` is empty.
    """
    bundle = mime_bundle(fig, alt)
    if isinstance(fig, LabFigure):
        fig.alt, fig._bundle, fig._shown_in = alt, bundle, _execution_count()
    display_bundle(bundle)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(fig)


def mime_bundle(fig: Figure, alt: str) -> Bundle:
    """Return the figure as display data and metadata."""
    if not alt.strip():
        raise ValueError("show_figure needs alternative text: say in a sentence what is shown.")
    png = base64.b64encode(png_of(fig)).decode("ascii")
    width = round(fig.get_figwidth() * _CSS_DPI)
    image = (
        f'<img alt="{html.escape(alt)}" width="{width}" '
        'style="max-width: 100%; height: auto; border: 0; background-color: white" '
        f'src="data:image/png;base64,{png}">'
    )
    return {"text/html": image, "text/plain": alt}, {"text/html": {"alt": alt}}


def png_of(fig: Figure) -> bytes:
    """Return the figure's pixels; a chart, with its few colours, in a palette: a third of the bytes."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    photographs = any(np.asarray(i.get_array()).ndim == 3 for a in fig.axes for i in a.images)
    packing = {"compress_level": 6 if photographs else 1}  # a chart is packed again
    fig.savefig(drawn, format="png", dpi=_PNG_DPI, facecolor="white", pil_kwargs=packing)
    if photographs:
        return drawn.getvalue()
    with Image.open(drawn) as image:
        # the default method drops rare colours, such as the bright end of a heat map
        chart = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    chart.save(packed, format="png")
    return packed.getvalue()


def display_bundle(bundle: Bundle, display_id: bool = False) -> Any:
    """Send a bundle to the notebook; where there is none, print its plain text."""
    data, metadata = bundle
    if get_ipython() is None:
        print(data["text/plain"])
        return None
    # display() takes None as a request for an id of its own, hence the two calls
    if display_id:
        return display(data, raw=True, metadata=metadata, display_id=True)
    return display(data, raw=True, metadata=metadata)


def sentence(text: str) -> Bundle:
    """Return a message as display data."""
    return {"text/html": f"<p>{html.escape(text)}</p>", "text/plain": text}, {}


def _execution_count() -> int | None:
    """Return the number of the running cell; None outside IPython."""
    shell = get_ipython()
    return None if shell is None else shell.execution_count


def in_notebook() -> bool:
    """Return whether a Jupyter kernel runs us, whose displays can be updated in place."""
    return hasattr(get_ipython(), "kernel")

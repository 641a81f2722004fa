"""Figures of the notebooks: one look, colour-blind-safe, each with alternative text.

Every function shows its figure through :func:`show_figure` and returns it, already closed, so that
no cell shows it twice. Figures have a white background of their own and dark text, which is legible
in JupyterLab's light and dark themes alike. Colours are those of Okabe & Ito (2008) that reach a
contrast of 3:1 on white; heat maps are viridis. Nothing is told by colour alone.

Importing this module imports neither TensorFlow nor pyplot.
"""

import base64
import functools
import html
import io
import math
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import matplotlib.cm
import matplotlib.colors
import matplotlib.ticker
import numpy as np
from cycler import cycler
from IPython import get_ipython
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike
from PIL import Image
from scipy.special import softmax

TEXT = "#1a1a1a"
MUTED = "#595959"
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, TEXT)
RIGHT, WRONG = "#00558A", "#A84300"  # Okabe-Ito's blue and vermillion, darkened for text
MARKERS = ("o", "s", "^", "D", "v")
HEAT = "viridis"
NO_VALUE = "#D0D0D0"  # where a heat map has no number

_CSS_DPI = 96  # CSS pixels an inch
_PNG_DPI = 2 * _CSS_DPI  # two pixels for each CSS pixel: sharp at 200 % zoom
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
_styled = matplotlib.rc_context(_STYLE)  # as a decorator: the style holds inside the function only


# ---------------------------------------------------------------------------------- show


class LabFigure(Figure):
    """A figure that knows its alternative text and that it has already been shown.

    pyplot does not know it, so that nothing shows it behind our back. As the last expression of the
    cell that drew it, it shows nothing more; named in a later cell, it shows again.
    """

    alt = ""
    _bundle: tuple[dict[str, str], dict[str, Any]] | None = None
    _shown_in: int | None = None

    def _ipython_display_(self) -> None:
        if self._bundle is None:
            show_figure(self, self.alt)
        elif self._shown_in != _execution_count():
            _display(self._bundle)


def show_figure(fig: Figure, alt: str) -> None:
    """Show a figure as a PNG with alternative text, once.

    JupyterLab 4 ignores an ``alt`` in the metadata of an ``image/png`` output, and so does the lab
    template of nbconvert 7; both keep the ``alt`` of an ``<img>`` in an HTML output. So the PNG
    goes out inside HTML, and only there: Jupyter's server drops the output of a kernel that sends
    more than a megabyte a second, which two copies of each figure would come near.

    Args:
        fig: any Matplotlib figure; one that pyplot manages is closed.
        alt: what the figure shows, in a sentence or two.

    Raises:
        ValueError: ``alt`` is empty.
    """
    bundle = _mime_bundle(fig, alt)
    if isinstance(fig, LabFigure):
        fig.alt, fig._bundle, fig._shown_in = alt, bundle, _execution_count()
    _display(bundle)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(fig)


def _mime_bundle(fig: Figure, alt: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The figure as display data and metadata."""
    if not alt.strip():
        raise ValueError("show_figure needs alternative text: say in a sentence what is shown.")
    png = base64.b64encode(_png(fig)).decode("ascii")
    width = round(fig.get_figwidth() * _CSS_DPI)
    image = (
        f'<img alt="{html.escape(alt)}" width="{width}" '
        'style="max-width: 100%; height: auto; border: 0; background-color: white" '
        f'src="data:image/png;base64,{png}">'
    )
    return {"text/html": image, "text/plain": alt}, {"text/html": {"alt": alt}}


def _png(fig: Figure) -> bytes:
    """The figure's pixels; a chart, which has few colours, with a palette: a third of the bytes."""
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


def _display(bundle: tuple[dict[str, str], dict[str, Any]], display_id: bool = False) -> Any:
    """Send a bundle to the notebook; where there is none, print its plain text."""
    data, metadata = bundle
    if get_ipython() is None:
        print(data["text/plain"])
        return None
    # display() takes None as a request for an id of its own, hence the two calls
    if display_id:
        return display(data, raw=True, metadata=metadata, display_id=True)
    return display(data, raw=True, metadata=metadata)


def _execution_count() -> int | None:
    """The number of the running cell; None outside IPython."""
    shell = get_ipython()
    return None if shell is None else shell.execution_count


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs us, whose displays can be updated in place."""
    return hasattr(get_ipython(), "kernel")


# ------------------------------------------------------------------------------- helpers


def _new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, **grid: Any
) -> tuple[LabFigure, np.ndarray]:
    """A figure of our own and its axes, always (rows, columns)."""
    fig = LabFigure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots(rows, columns, squeeze=False, **grid)


def _array(name: str, value: ArrayLike, expected: str, *ndims: int) -> np.ndarray:
    """``value`` as an array, or a ValueError that names the shape expected."""
    array = np.asarray(value)
    if array.ndim not in ndims or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; expected {expected}.")
    return array


def _vector(name: str, value: ArrayLike, length: int | None = None) -> np.ndarray:
    """``value`` of shape (n,) or (n, 1) as a vector (n,)."""
    array = np.asarray(value)
    expected = "n" if length is None else str(length)
    column = array.ndim == 2 and array.shape[1] == 1
    if not (array.ndim == 1 or column) or len(array) == 0 or length not in (None, len(array)):
        raise ValueError(f"{name} has shape {array.shape}; expected ({expected},) or ({expected}, 1).")
    return array.reshape(-1)


def _picture(image: np.ndarray) -> np.ndarray:
    """Pixels as Matplotlib draws them: 0-255 or 0-1 as they are, other ranges stretched to 0-1."""
    if image.dtype == np.uint8:
        return image[..., 0] if image.shape[-1] == 1 else image
    pixels = image.astype(np.float64)
    low, high = np.nanmin(pixels), np.nanmax(pixels)
    if low < 0 or high > 255:  # standardised images
        pixels = (pixels - low) / (high - low)
    elif high > 1:
        pixels = pixels / 255
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def _image(name: str, value: ArrayLike, *ndims: int, expected: str) -> np.ndarray:
    """Images with one or three channels, ready to draw."""
    array = _array(name, value, expected, *ndims)
    if array.shape[-1] not in (1, 3):
        raise ValueError(f"{name} has shape {array.shape}; expected {expected}, C being 1 or 3.")
    return _picture(array)


def _show_pixels(axes: Axes, pixels: np.ndarray, title: str | None = None, **text: Any) -> None:
    """Draw one picture without axes."""
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255 if pixels.dtype == np.uint8 else 1)
    axes.set_axis_off()
    if title is not None:
        axes.set_title(title, **text)


def _heat_map(axes: Axes, values: np.ndarray, **limits: Any) -> AxesImage:
    """Draw a matrix; NaN is grey."""
    colours = matplotlib.colormaps[HEAT].with_extremes(bad=NO_VALUE)
    for spine in axes.spines.values():
        spine.set_visible(True)
    return axes.imshow(values, cmap=colours, interpolation="nearest", **limits)


def _panel_grid(count: int, most: int) -> tuple[int, int]:
    """Rows and columns for ``count`` panels, as even as they go, at most ``most`` in a row."""
    rows = math.ceil(count / most)
    return rows, math.ceil(count / rows)


def _patch_grid(height: int, width: int, patch_size: int) -> tuple[int, int]:
    """Rows and columns of patches in an image."""
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(
            f"patch_size is {patch_size}; expected a divisor of the image's height {height} "
            f"and width {width}."
        )
    return height // patch_size, width // patch_size


def _text_colour(background: Sequence[float]) -> str:
    """Black or white, whichever stands out more (one of them always reaches WCAG AA, 4.5:1)."""
    white, black, ground = (_luminance(colour) for colour in ("white", "black", background))
    on_white, on_black = (white + 0.05) / (ground + 0.05), (ground + 0.05) / (black + 0.05)
    return "white" if on_white > on_black else "black"


def _luminance(colour: Any) -> float:
    """Relative luminance (WCAG 2.2)."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _number(value: float) -> str:
    return f"{value:.3g}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# ---------------------------------------------------------------------------- regression


@_styled
def plot_regression(
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_query: ArrayLike,
    prediction: ArrayLike,
    truth: ArrayLike,
    attention_weights: ArrayLike,
    sigma: float,
    title: str | None = None,
) -> Figure:
    """Show a Nadaraya-Watson fit beside its attention map.

    Args:
        x_train, y_train: observations (n_k,) or (n_k, 1).
        x_query, prediction, truth: the fit and the true curve (n_q,) or (n_q, 1).
        attention_weights: (n_q, n_k).
        sigma: the kernel's bandwidth, for the labels.

    Raises:
        ValueError: a shape does not fit.
    """
    fig, alt = _regression_figure(
        x_train, y_train, x_query, prediction, truth, attention_weights, sigma, title
    )
    show_figure(fig, alt)
    return fig


def _regression_figure(
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_query: ArrayLike,
    prediction: ArrayLike,
    truth: ArrayLike,
    attention_weights: ArrayLike,
    sigma: float,
    title: str | None = None,
) -> tuple[LabFigure, str]:
    x_train = _vector("x_train", x_train)
    y_train = _vector("y_train", y_train, len(x_train))
    x_query = _vector("x_query", x_query)
    prediction = _vector("prediction", prediction, len(x_query))
    truth = _vector("truth", truth, len(x_query))
    weights = np.asarray(attention_weights)
    if weights.shape != (len(x_query), len(x_train)):
        raise ValueError(
            f"attention_weights has shape {weights.shape}; "
            f"expected (queries, keys) = ({len(x_query)}, {len(x_train)})."
        )
    keys, queries = np.argsort(x_train, kind="stable"), np.argsort(x_query, kind="stable")

    fig, ((fit, attention),) = _new_figure(9.6, 4.0, columns=2, width_ratios=(1.25, 1))
    fit.plot(x_query[queries], truth[queries], color=GREEN, linestyle="--", label="true curve")
    fit.plot(x_query[queries], prediction[queries], color=BLUE, linewidth=2.4, label="prediction")
    fit.plot(x_train, y_train, "o", color=VERMILLION, markersize=4, alpha=0.75, label="observations")
    fit.set(xlabel="x", ylabel="y", title=f"Fit with σ = {_number(sigma)}")
    fit.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False)
    fit.grid(True)

    colours = _heat_map(attention, weights[np.ix_(queries, keys)], aspect="auto", vmin=0)
    attention.set(xlabel="key: training point x", ylabel="query: x", title="Attention weights")
    _value_ticks(attention.xaxis, x_train[keys])
    _value_ticks(attention.yaxis, x_query[queries])
    fig.colorbar(colours, ax=attention, label="weight")
    if title:
        fig.suptitle(title)
    return fig, _regression_alt(len(x_train), prediction, truth, weights, sigma)


def _value_ticks(axis: Any, values: np.ndarray) -> None:
    """Label the rows or columns of a matrix with round values, where these lie among ``values``."""
    ticks = matplotlib.ticker.MaxNLocator(5).tick_values(values[0], values[-1])
    ticks = ticks[(ticks >= values[0]) & (ticks <= values[-1])]
    axis.set_ticks(np.interp(ticks, values, np.arange(len(values))), [f"{t:g}" for t in ticks])


def _regression_alt(
    n_keys: int, prediction: np.ndarray, truth: np.ndarray, weights: np.ndarray, sigma: float
) -> str:
    alt = (
        f"Line plot: {n_keys} noisy observations, the true curve and the Nadaraya-Watson "
        f"prediction with σ = {_number(sigma)}"
    )
    lost = int((~np.isfinite(prediction)).sum())
    if lost:
        return (
            f"{alt}; {lost} of {len(prediction)} predictions are not numbers, "
            "because there all the weights are zero or not numbers."
        )
    error = _number(np.mean((prediction - truth) ** 2))
    # 1 / Σw² is the number of equal weights that would be as concentrated (Kish 1965)
    shared = np.mean(1 / np.maximum(np.sum(np.square(weights), axis=-1), np.finfo(float).tiny))
    return (
        f"{alt}, mean squared distance to the true curve {error}. Beside it, the attention map of "
        f"{weights.shape[0]} queries × {weights.shape[1]} keys: a query averages over about "
        f"{_number(shared)} keys, the largest weight is {_number(np.max(weights))}."
    )


def regression_slider(
    nadaraya_watson: Callable,
    kernel: Callable,
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_query: ArrayLike,
    truth: ArrayLike,
    sigma: float = 0.5,
    sigma_range: tuple[float, float] = (0.05, 5.0),
) -> None:
    """Show a slider for σ above the fit and the attention map that it gives.

    The picture is an ordinary output that the slider replaces, so that it also stands in a notebook
    that ran unattended. What goes wrong in ``nadaraya_watson`` or ``kernel`` is told in its place
    in a sentence, and the slider goes on.

    Args:
        nadaraya_watson: ``(q, k, v, kernel, sigma) -> (prediction, attention_weights)`` on
            q (n_q, 1), k (n_k, 1), v (n_k, 1).
        kernel: ``(distance, sigma) -> similarity``, passed on to it.
        x_train, y_train: observations (n_k,) or (n_k, 1).
        x_query, truth: the true curve (n_q,) or (n_q, 1).
        sigma: where the slider stands at first.
        sigma_range: its two ends.

    Raises:
        ValueError: a shape does not fit, or not 0 < lowest ≤ sigma ≤ highest.
    """
    lowest, highest = sigma_range
    if not 0 < lowest <= sigma <= highest:
        raise ValueError(f"sigma is {sigma}; expected 0 < {lowest} ≤ sigma ≤ {highest}.")
    x_train = _vector("x_train", x_train)
    y_train = _vector("y_train", y_train, len(x_train))
    x_query = _vector("x_query", x_query)
    truth = _vector("truth", truth, len(x_query))
    view = functools.partial(
        _regression_view, nadaraya_watson, kernel, x_train, y_train, x_query, truth
    )
    if not _in_notebook():
        _display(view(sigma))
        return

    import ipywidgets  # needs a kernel to talk to

    slider = ipywidgets.FloatLogSlider(
        value=sigma,
        base=10,
        min=math.log10(lowest),
        max=math.log10(highest),
        step=math.log10(highest / lowest) / 100,
        description="bandwidth σ",
        readout_format=".3g",
        tooltip="The kernel's bandwidth σ. The arrow keys move it.",
        layout=ipywidgets.Layout(width="32em", max_width="100%"),
        style={"description_width": "initial"},
    )
    display(slider)
    picture = _display(view(slider.value), display_id=True)

    def redraw(change: Mapping[str, Any]) -> None:
        data, metadata = view(change["new"])
        picture.update(data, raw=True, metadata=metadata)

    slider.observe(redraw, names="value")


@_styled
def _regression_view(
    nadaraya_watson: Callable,
    kernel: Callable,
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_query: np.ndarray,
    truth: np.ndarray,
    sigma: float,
) -> tuple[dict[str, str], dict[str, Any]]:
    """The picture at one σ, or the sentence that says why there is none."""
    try:
        # a small σ makes 0/0: the picture shows it, and a warning would go to stderr
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # copies, lest code that works in place spoils the next picture
            q, k, v = (part[:, None].copy() for part in (x_query, x_train, y_train))
            result = nadaraya_watson(q, k, v, kernel, sigma)
            if not (isinstance(result, tuple | list) and len(result) == 2):
                raise TypeError(
                    "it must return a pair (prediction, attention_weights), "
                    f"but it returned {_kind(result)}"
                )
            prediction, weights = (np.asarray(part, dtype=np.float64) for part in result)
            fig, alt = _regression_figure(x_train, y_train, x_query, prediction, truth, weights, sigma)
            return _mime_bundle(fig, alt)
    except NotImplementedError:
        return _sentence(
            "The slider needs your gaussian and nadaraya_watson: "
            "complete both exercises, then run this cell again."
        )
    except Exception as error:  # noqa: BLE001 (whatever the student wrote raises is told)
        reason = " ".join(str(error).split()).rstrip(".")
        return _sentence(
            f"There is no picture at σ = {_number(sigma)}: your nadaraya_watson stopped with "
            f"{type(error).__name__}{f' ({reason})' if reason else ''}."
        )


def _kind(value: Any) -> str:
    if value is None:
        return "None (is the return statement missing?)"
    return f"{len(value)} values" if isinstance(value, tuple | list) else type(value).__name__


def _sentence(text: str) -> tuple[dict[str, str], dict[str, Any]]:
    """A message as display data."""
    return {"text/html": f"<p>{html.escape(text)}</p>", "text/plain": text}, {}


# ----------------------------------------------------------------------------- attention


@_styled
def plot_attention(
    attention_weights: ArrayLike,
    query_labels: Sequence[str] | None = None,
    key_labels: Sequence[str] | None = None,
    title: str = "Attention weights",
) -> Figure:
    """Show attention weights as heat maps, one for each head, on one colour scale.

    Args:
        attention_weights: (n_q, n_k) or (h, n_q, n_k).
        query_labels: n_q names for the rows.
        key_labels: n_k names for the columns.

    Raises:
        ValueError: a shape or a number of labels does not fit.
    """
    weights = _array(
        "attention_weights", attention_weights, "(n_q, n_k) or (h, n_q, n_k)", 2, 3
    ).astype(np.float64)
    heads = weights[None] if weights.ndim == 2 else weights
    h, n_q, n_k = heads.shape
    for name, labels, count in (("query", query_labels, n_q), ("key", key_labels, n_k)):
        if labels is not None and len(labels) != count:
            raise ValueError(f"{name}_labels has {len(labels)} entries; expected {count}.")

    rows, columns = _panel_grid(h, most=4)
    side = 4.4 if h == 1 else 3.0 if columns <= 3 else 2.4
    fig, panels = _new_figure(
        columns * side + 1.2, rows * side * 0.95 + 0.5, rows, columns, sharex=True, sharey=True
    )
    limits = {"vmin": 0.0, "vmax": np.nanmax(heads)}
    for index, axes in enumerate(panels.flat):
        if index >= h:
            axes.set_axis_off()
            continue
        colours = _heat_map(axes, heads[index], aspect="auto", **limits)
        if h > 1:
            axes.set_title(f"head {index + 1}")
        if query_labels is not None:
            axes.set_yticks(range(n_q), query_labels)
        if key_labels is not None:
            long = max(map(len, map(str, key_labels))) * n_k > side * 8
            axes.set_xticks(range(n_k), key_labels, rotation=90 if long else 0)
    for axes in panels[:, 0]:
        axes.set_ylabel("query")
    for column in range(columns):
        last = (h - 1 - column) // columns
        panels[last, column].set_xlabel("key")
        panels[last, column].tick_params(labelbottom=True)
    fig.colorbar(colours, ax=panels, label="weight", shrink=0.9 if rows == 1 else 0.6)
    fig.suptitle(title)

    of_heads = "" if h == 1 else f", one for each of {h} heads"
    alt = (
        f"{title}: heat map of {n_q} queries × {n_k} keys{of_heads}. "
        f"The weights reach from {_number(np.nanmin(heads))} to {_number(np.nanmax(heads))}."
    )
    show_figure(fig, alt)
    return fig


@_styled
def plot_softmax_temperature(
    dimensions: Sequence[int] = (2, 16, 128, 512), num_keys: int = 10, seed: int = 42
) -> Figure:
    """Show why scores are divided by √d: as d grows, softmax(q·k) saturates, softmax(q·k/√d) not.

    q and k have independent standard normal entries, so that q·k has variance d
    (Vaswani et al. 2017, section 3.2.1). Bars are one query's weights, sorted; the number is the
    largest weight, averaged over 1,000 queries.

    Args:
        dimensions: the widths d to compare.
        num_keys: how many keys a query attends to.
        seed: of the random vectors.
    """
    rng = np.random.default_rng(seed)
    fig, panels = _new_figure(
        2.35 * len(dimensions) + 0.5, 4.8, 2, len(dimensions), sharex=True, sharey=True
    )
    means = np.empty((2, len(dimensions)))
    for column, d in enumerate(dimensions):
        q = rng.standard_normal((1000, 1, d))
        k = rng.standard_normal((1000, num_keys, d))
        scores = np.sum(q * k, axis=-1)  # (1000, num_keys)
        for row, scale in enumerate((1.0, math.sqrt(d))):
            weights = np.sort(softmax(scores / scale, axis=-1), axis=-1)[:, ::-1]
            means[row, column] = weights[:, 0].mean()
            axes = panels[row, column]
            axes.bar(np.arange(1, num_keys + 1), weights[0], color=(VERMILLION, BLUE)[row])
            axes.text(
                0.96, 0.93, f"largest weight,\nmean: {means[row, column]:.2f}",
                transform=axes.transAxes, ha="right", va="top",
            )  # fmt: skip
            axes.set_ylim(0, 1)
            axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
        panels[0, column].set_title(f"d = {d}")
        panels[1, column].set_xlabel("key, sorted by weight")
    panels[0, 0].set_ylabel("softmax(q·k)")
    panels[1, 0].set_ylabel("softmax(q·k / √d)")

    plain, scaled = (", ".join(f"{mean:.2f}" for mean in row) for row in means)
    alt = (
        f"Bar charts of one query's attention to {num_keys} random keys for d = "
        f"{', '.join(map(str, dimensions))}. Mean largest weight without scaling: {plain}; "
        f"with division by √d: {scaled}."
    )
    show_figure(fig, alt)
    return fig


# -------------------------------------------------------------------------------- images


@_styled
def plot_images(
    images: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    predictions: ArrayLike | None = None,
) -> Figure:
    """Show images with their classes and, where given, whether the predicted class is right.

    Args:
        images: (n, H, W, C), C being 1 or 3.
        labels: (n,) or (n, 1), indices into ``class_names``.
        class_names: the classes' names.
        predictions: (n,) or (n, 1), predicted indices; or (n, num_classes), logits.

    Raises:
        ValueError: a shape or an index does not fit.
    """
    pixels = _image("images", images, 4, expected="(n, H, W, C)")
    n = len(pixels)
    truth = _classes("labels", labels, n, class_names)
    guess = None if predictions is None else _predicted(predictions, n, class_names)

    rows, columns = _panel_grid(n, most=8 if guess is None else 6)
    width, height = (1.2, 1.45) if guess is None else (1.5, 1.95)
    fig, panels = _new_figure(width * columns, height * rows + 0.1, rows, columns)
    for index, axes in enumerate(panels.flat):
        if index >= n:
            axes.set_axis_off()
            continue
        title, style = class_names[truth[index]], {}
        if guess is not None:
            right = guess[index] == truth[index]
            title = f"✓ {title}" if right else f"✗ {class_names[guess[index]]}\n(is {title})"
            style = {"color": RIGHT if right else WRONG}
        _show_pixels(axes, pixels[index], title, fontsize=9.5, **style)

    names = [class_names[label] for label in truth]
    alt = f"{_count(n, 'image')}: {', '.join(names[:12])}{', …' if n > 12 else ''}."
    if guess is not None:
        alt += f" {int(np.sum(guess == truth))} of {n} are predicted correctly."
    show_figure(fig, alt)
    return fig


def _classes(name: str, value: ArrayLike, n: int | None, class_names: Sequence[str]) -> np.ndarray:
    indices = _vector(name, value, n).astype(int)
    if indices.min() < 0 or indices.max() >= len(class_names):
        raise ValueError(
            f"{name} holds {indices.min()} to {indices.max()}; "
            f"expected indices from 0 to {len(class_names) - 1}."
        )
    return indices


def _predicted(predictions: ArrayLike, n: int, class_names: Sequence[str]) -> np.ndarray:
    scores = np.asarray(predictions)
    if scores.shape == (n, len(class_names)):
        return scores.argmax(axis=-1)
    return _classes("predictions", scores, n, class_names)


@_styled
def plot_patches(image: ArrayLike, patches: ArrayLike, patch_size: int) -> Figure:
    """Show an image and beside it its patches, row by row, numbered from 1.

    Args:
        image: (H, W, C), C being 1 or 3.
        patches: (N, patch_size²·C), one flattened patch a row.
        patch_size: side of a patch in pixels.

    Raises:
        ValueError: a shape does not fit.
    """
    raw = _array("image", image, "(H, W, C)", 3)
    pixels = _image("image", raw, 3, expected="(H, W, C)")
    height, width, channels = raw.shape
    rows, columns = _patch_grid(height, width, patch_size)
    flat = np.asarray(patches)
    expected = (rows * columns, patch_size**2 * channels)
    if flat.shape != expected:
        raise ValueError(f"patches has shape {flat.shape}; expected (N, patch_size²·C) = {expected}.")
    tiles = _picture(flat.reshape(-1, patch_size, patch_size, channels))  # (N, P, P[, C])

    side = min(max(3.4, 0.6 * rows), 6.5)  # inches
    font_size = 10 if rows <= 4 else 8.5 if rows <= 8 else 7
    label_inches = (font_size + 2) / 72
    label_height = label_inches / (side / rows - label_inches)  # in patches
    gap = 0.08  # in patches
    fig, ((original, grid),) = _new_figure(
        3.2 + side * columns / rows, side + 0.5, columns=2, width_ratios=(2.9, side)
    )
    _show_pixels(original, pixels, f"image, {height} × {width}")
    top = 255 if tiles.dtype == np.uint8 else 1
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        left, above = column * (1 + gap), row * (1 + label_height)
        grid.imshow(tile, cmap="gray", vmin=0, vmax=top, extent=(left, left + 1, above + 1, above))
        grid.text(
            left + 0.5, above - 0.1 * label_height, index + 1,
            ha="center", va="bottom", fontsize=font_size,
        )  # fmt: skip
    grid.set_axis_off()
    grid.set_xlim(-gap, columns * (1 + gap))
    grid.set_ylim(rows * (1 + label_height) - label_height, -label_height)
    grid.set_aspect("equal")
    grid.set_title(f"{rows} × {columns} = {rows * columns} patches of {patch_size} × {patch_size}")

    alt = (
        f"An image of {height} × {width} pixels and beside it its {rows * columns} patches of "
        f"{patch_size} × {patch_size} pixels in {rows} rows and {columns} columns, "
        "numbered row by row."
    )
    show_figure(fig, alt)
    return fig


# ------------------------------------------------------------------------------ training


@_styled
def plot_history(histories: Mapping[str, Any]) -> Figure:
    """Show loss and accuracy of one or more runs: training dashed, validation solid.

    Args:
        histories: name of the run → Keras' ``History`` or its dict
            (``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``, one number an epoch).

    Raises:
        ValueError: there is no run, or one holds no loss.
    """
    fig, alt = _history_figure(histories)
    show_figure(fig, alt)
    return fig


def _history_figure(histories: Mapping[str, Any]) -> tuple[LabFigure, str]:
    if not isinstance(histories, Mapping) or not histories:
        raise ValueError("histories is no mapping of runs; expected {name of the run: History}.")
    runs = {
        name: {metric: list(values) for metric, values in getattr(run, "history", run).items()}
        for name, run in histories.items()
    }
    for name, run in runs.items():
        if not run.get("loss"):
            raise ValueError(f"The run {name!r} holds no loss; expected History or its dict.")
    metrics = [metric for metric in ("loss", "accuracy") if any(metric in r for r in runs.values())]

    fig, (panels,) = _new_figure(4.8 * len(metrics), 4.0, columns=len(metrics))
    epochs = max(len(run["loss"]) for run in runs.values())
    for axes, metric in zip(panels, metrics, strict=True):
        for index, (name, run) in enumerate(runs.items()):
            _plot_run(axes, name, run, metric, index)
        axes.set(xlabel="epoch", ylabel=metric, title=metric.capitalize())
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.set_xlim(1 - 0.04 * epochs, epochs + 0.04 * epochs)
        axes.grid(True)
    handles, names = panels[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    return fig, _history_alt(runs)


def _plot_run(axes: Axes, name: str, run: Mapping[str, Any], metric: str, index: int) -> None:
    """One run's two curves; colour and marker tell the run, dashes tell training."""
    colour, marker = CYCLE[index % len(CYCLE)], MARKERS[index % len(MARKERS)]
    for key, kind, dashes in ((metric, "training", "--"), (f"val_{metric}", "validation", "-")):
        values = run.get(key)
        if values:
            axes.plot(
                range(1, len(values) + 1), values, dashes, color=colour, marker=marker,
                markersize=4.5, markevery=max(1, len(values) // 12), label=f"{name}, {kind}",
                markerfacecolor="white" if kind == "training" else colour,
            )  # fmt: skip


def _history_alt(runs: Mapping[str, Mapping[str, Any]]) -> str:
    sentences = []
    for name, run in runs.items():
        ends = ", ".join(
            f"{key.replace('val_', 'validation ')} {_number(run[key][-1])}"
            for key in ("loss", "val_loss", "accuracy", "val_accuracy")
            if run.get(key)
        )
        epochs = len(run["loss"])
        sentences.append(f"{name} after {_count(epochs, 'epoch')}: {ends}.")
    return f"Learning curves. {' '.join(sentences)}"


@functools.cache
def _live_curves() -> type:
    """The class LiveCurves, made when first asked for."""
    from tf_keras.callbacks import Callback

    class LiveCurves(Callback):
        """Show how training goes on: a line of progress, and curves drawn anew after an epoch.

        Both are displays that are replaced in place, so that an unattended run, too, ends with one
        line and one figure however long it trains. Nothing goes to stderr. Outside a notebook, it
        prints a line an epoch. Fit with ``verbose=0`` beside it.
        """

        seconds_between_lines = 0.5
        seconds_between_figures = 2.0

        def __init__(self, name: str = "this run") -> None:
            super().__init__()
            self.name = name
            self.history: dict[str, list[float]] = {}

        def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
            self.history = {}
            self._line = self._figure = None
            self._begun = time.monotonic()
            self._line_due = self._figure_due = 0.0
            self._first_epoch: int | None = None
            self._epoch = 0
            if _in_notebook():
                self._line = _display(_sentence("Training begins …"), display_id=True)

        def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            if self._first_epoch is None:
                self._first_epoch = epoch
            self._epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
            if self._line is not None and time.monotonic() >= self._line_due:
                self._show_line(batch + 1, logs or {})

        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            logs = logs or {}
            for key, value in logs.items():
                self.history.setdefault(key, []).append(float(value))
            self._show_line(self.params.get("steps"), logs)
            if self._line is not None and time.monotonic() >= self._figure_due:
                self._show_figure()

        def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
            if self._line is not None and self.history.get("loss"):
                self._show_figure()

        def _show_line(self, step: int | None, logs: Mapping[str, Any]) -> None:
            text, share = self._progress(step, logs)
            if self._line is None:
                print(text, flush=True)
                return
            bar = f'<progress max="1" value="{share:.4f}" aria-label="training"></progress>'
            data = {"text/html": f"<p>{bar} {html.escape(text)}</p>", "text/plain": text}
            self._line.update(data, raw=True)
            self._line_due = time.monotonic() + self.seconds_between_lines

        def _progress(self, step: int | None, logs: Mapping[str, Any]) -> tuple[str, float]:
            """The line of progress and the share of the work done."""
            epochs, steps = self.params.get("epochs", 1), self.params.get("steps")
            within = step / steps if step and steps else 0.0
            first = self._first_epoch or 0
            share = min((self._epoch - first + within) / max(epochs - first, 1), 1.0)
            elapsed = time.monotonic() - self._begun
            parts = [f"Epoch {self._epoch + 1}/{epochs}"]
            if step and steps and step < steps:
                parts.append(f"step {step}/{steps}")
            parts += [
                f"{key.replace('val_', 'validation ')} {float(value):.3f}"
                for key, value in logs.items()
                if key.removeprefix("val_") in ("loss", "accuracy")
            ]
            parts.append(f"{_clock(elapsed)} elapsed")
            if 0 < share < 1:
                parts.append(f"about {_clock(elapsed / share * (1 - share))} left")
            return " · ".join(parts), share

        @_styled
        def _show_figure(self) -> None:
            fig, alt = _history_figure({self.name: self.history})
            data, metadata = bundle = _mime_bundle(fig, alt)
            if self._figure is None:
                self._figure = _display(bundle, display_id=True)
            else:
                self._figure.update(data, raw=True, metadata=metadata)
            self._figure_due = time.monotonic() + self.seconds_between_figures

    LiveCurves.__qualname__ = "LiveCurves"
    return LiveCurves


def __getattr__(name: str) -> Any:
    """Make LiveCurves on demand: its base class needs TensorFlow, whose import takes seconds that
    the sections on NumPy should not wait for."""
    if name == "LiveCurves":
        return _live_curves()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"


# ------------------------------------------------------------------ inside a trained ViT


@_styled
def plot_class_token_attention(
    image: ArrayLike, attention_weights: ArrayLike, patch_size: int
) -> Figure:
    """Show where the class token looks: its attention to the patches, laid over the image.

    Args:
        image: (H, W, C), C being 1 or 3.
        attention_weights: (h, N+1, N+1) of one layer, the class token first.
        patch_size: side of a patch in pixels.

    Raises:
        ValueError: a shape does not fit.
    """
    pixels = _image("image", image, 3, expected="(H, W, C)")
    height, width = pixels.shape[:2]
    rows, columns = _patch_grid(height, width, patch_size)
    tokens = rows * columns + 1
    weights = np.asarray(attention_weights, dtype=np.float64)
    if weights.ndim != 3 or weights.shape[1:] != (tokens, tokens):
        raise ValueError(
            f"attention_weights has shape {weights.shape}; "
            f"expected (h, N+1, N+1) = (h, {tokens}, {tokens})."
        )
    maps = weights[:, 0, 1:].reshape(-1, rows, columns)  # (h, rows, columns)
    h = len(maps)
    shown = maps if h == 1 else np.concatenate([maps.mean(axis=0, keepdims=True), maps])
    titles = ["class token"] if h == 1 else ["mean"] + [f"head {i + 1}" for i in range(h)]

    grid_rows, grid_columns = _panel_grid(len(shown) + 1, most=5)
    side = 2.6 if grid_rows == 1 and grid_columns <= 3 else 1.75
    fig, panels = _new_figure(
        side * grid_columns + 1.0, (side + 0.25) * grid_rows + 0.4, grid_rows, grid_columns
    )
    for axes in panels.flat:
        axes.set_axis_off()
    original, *others = panels.flat
    _show_pixels(original, pixels, "image")
    grey = pixels if pixels.ndim == 2 else pixels @ (0.299, 0.587, 0.114)
    grey = grey / 255 if np.asarray(pixels).dtype == np.uint8 else grey
    for axes, values, title in zip(others, shown, titles, strict=False):
        _show_pixels(axes, grey, title)
        axes.imshow(
            values, cmap=HEAT, alpha=0.7, vmin=0, vmax=shown.max(), interpolation="bilinear",
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        )  # fmt: skip
    opaque = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, shown.max()), HEAT)
    fig.colorbar(opaque, ax=panels, label="attention to a patch", shrink=0.85)
    fig.suptitle("Where the class token looks")

    peak_row, peak_column = np.unravel_index(maps.mean(axis=0).argmax(), (rows, columns))
    alt = (
        f"An image and, over it, the class token's attention to its {rows} × {columns} patches, "
        f"for {_count(h, 'head')}{' and their mean' if h > 1 else ''}. "
        f"On average it looks most at the patch in row {peak_row + 1}, column {peak_column + 1} "
        f"(weight {_number(maps.mean(axis=0).max())}; even attention would be "
        f"{_number(1 / tokens)})."
    )
    show_figure(fig, alt)
    return fig


@_styled
def plot_position_similarity(position_embeddings: ArrayLike, grid: int | tuple[int, int]) -> Figure:
    """Show which positions a ViT holds for alike: cosine similarity of its position embeddings.

    The small map at row i, column j compares patch (i, j) with all the patches, as in the centre of
    figure 7 of Dosovitskiy et al. (2021). The colours span the similarities of different patches;
    a patch is alike to itself by 1.

    Args:
        position_embeddings: (N+1, d), the class token's (left out) first.
        grid: rows and columns of patches; one number if they are the same.

    Raises:
        ValueError: a shape does not fit.
    """
    rows, columns = (grid, grid) if isinstance(grid, int | np.integer) else grid
    embeddings = _array("position_embeddings", position_embeddings, "(N+1, d)", 2)
    if len(embeddings) != rows * columns + 1:
        raise ValueError(
            f"position_embeddings has shape {embeddings.shape}; expected (N+1, d) with "
            f"N = {rows} × {columns} = {rows * columns}, hence {rows * columns + 1} rows."
        )
    patches = embeddings[1:].astype(np.float64)
    patches = patches / np.maximum(np.linalg.norm(patches, axis=-1, keepdims=True), 1e-12)
    similarity = patches @ patches.T  # (N, N)
    others = similarity[~np.eye(len(similarity), dtype=bool)]

    fig, ((axes,),) = _new_figure(6.4, 5.6 * rows / columns + 0.2)
    mosaic = _mosaic(similarity.reshape(rows, columns, rows, columns))
    colours = axes.imshow(
        mosaic, cmap=matplotlib.colormaps[HEAT].with_extremes(bad="white"),
        vmin=others.min(), vmax=others.max(), interpolation="nearest",
    )  # fmt: skip
    axes.set_xticks(np.arange(columns) * (columns + 1) + (columns - 1) / 2, range(1, columns + 1))
    axes.set_yticks(np.arange(rows) * (rows + 1) + (rows - 1) / 2, range(1, rows + 1))
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set(
        xlabel="input patch column", ylabel="input patch row", title="Position embedding similarity"
    )
    fig.colorbar(colours, ax=axes, label="cosine similarity", extend="max", shrink=0.85)

    neighbours = _neighbours(rows, columns)
    alt = (
        f"{rows} × {columns} small heat maps: each patch's position embedding compared with all "
        f"the others. Mean cosine similarity of patches side by side "
        f"{_number(similarity[neighbours].mean())}, of all pairs {_number(others.mean())}."
    )
    show_figure(fig, alt)
    return fig


def _mosaic(maps: np.ndarray) -> np.ndarray:
    """Maps (rows, columns, r, c) side by side in one matrix, one cell of NaN between them."""
    rows, columns, r, c = maps.shape
    padded = np.full((rows, r + 1, columns, c + 1), np.nan)
    padded[:, :r, :, :c] = maps.transpose(0, 2, 1, 3)  # (rows, r, columns, c)
    return padded.reshape(rows * (r + 1), columns * (c + 1))[:-1, :-1]


def _neighbours(rows: int, columns: int) -> np.ndarray:
    """Which pairs of patches lie side by side or one above the other, (N, N)."""
    place = np.stack(np.unravel_index(np.arange(rows * columns), (rows, columns)), axis=-1)
    return np.abs(place[:, None] - place[None]).sum(axis=-1) == 1


@_styled
def plot_confusion(y_true: ArrayLike, y_pred: ArrayLike, class_names: Sequence[str]) -> Figure:
    """Show how often each class is taken for each.

    Args:
        y_true: (n,) or (n, 1), indices into ``class_names``.
        y_pred: (n,) or (n, 1), predicted indices; or (n, num_classes), logits.
        class_names: the classes' names.

    Raises:
        ValueError: a shape or an index does not fit.
    """
    from sklearn.metrics import ConfusionMatrixDisplay  # imports pyplot

    truth = _classes("y_true", y_true, None, class_names)
    guess = _predicted(y_pred, len(truth), class_names)
    size = 2.2 + 0.52 * len(class_names)
    fig, ((axes,),) = _new_figure(size + 0.6, size)
    shown = ConfusionMatrixDisplay.from_predictions(
        truth, guess, labels=range(len(class_names)), display_labels=class_names,
        cmap=HEAT, ax=axes, colorbar=False, xticks_rotation="vertical",
    )  # fmt: skip
    for text, count in zip(shown.text_.flat, shown.confusion_matrix.flat, strict=True):
        text.set_color(_text_colour(shown.im_.cmap(shown.im_.norm(count))))
    fig.colorbar(shown.im_, ax=axes, label="images", shrink=0.8)
    axes.set(xlabel="predicted class", ylabel="true class")
    accuracy = np.mean(truth == guess)
    axes.set_title(f"Confusion matrix, accuracy {accuracy:.1%}")

    wrong = shown.confusion_matrix * (1 - np.eye(len(class_names), dtype=int))
    worst, taken_for = np.unravel_index(wrong.argmax(), wrong.shape)
    alt = (
        f"Confusion matrix of {len(truth)} images in {len(class_names)} classes, accuracy "
        f"{accuracy:.1%}."
    )
    if wrong.any():
        alt += (
            f" The most frequent mistake: {class_names[worst]} taken for "
            f"{class_names[taken_for]} ({_count(wrong.max(), 'time')})."
        )
    show_figure(fig, alt)
    return fig


# -------------------------------------------------------------------- pre-trained models


@_styled
def plot_top_classes(image: ArrayLike, names: Sequence[str], probabilities: ArrayLike) -> Figure:
    """Show an image and, beside it, what a classifier takes it for: bars of probability.

    Args:
        image: (H, W, C), C being 1 or 3.
        names: the classes, most probable first; of several names of a class the first is shown.
        probabilities: theirs, (k,), in [0, 1].

    Raises:
        ValueError: a shape does not fit.
    """
    pixels = _thumbnail(_image("image", image, 3, expected="(H, W, C)"), side=160)
    shares = _vector("probabilities", probabilities, len(names)).astype(np.float64)
    short = [name.split(",")[0] for name in names]

    fig, ((picture, bars),) = _new_figure(8.4, 0.42 * len(short) + 1.0, columns=2)
    _show_pixels(picture, pixels)
    places = np.arange(len(short))
    bars.barh(places, shares, color=BLUE, height=0.7)
    for place, share in zip(places, shares, strict=True):
        bars.annotate(
            f"{share:.1%}", (share, place), xytext=(4, 0), textcoords="offset points", va="center"
        )
    bars.set_yticks(places, short)
    bars.invert_yaxis()
    bars.set(xlim=(0, 1.18), xticks=[0, 0.5, 1], xlabel="probability")

    listed = ", ".join(f"{name} {share:.1%}" for name, share in zip(short, shares, strict=True))
    show_figure(fig, f"A photograph and what it is taken for: {listed}.")
    return fig


@_styled
def plot_rollout(image: ArrayLike, rollout: ArrayLike, title: str = "Attention roll-out") -> Figure:
    """Show from which parts of an image the class token has gathered, by attention roll-out.

    Args:
        image: (H, W, C), C being 1 or 3; the patches are taken to cover all of it evenly.
        rollout: (N+1, N+1) of a square grid of N patches, the class token first.
        title: of the figure.

    Raises:
        ValueError: a shape does not fit.
    """
    pixels = _thumbnail(_image("image", image, 3, expected="(H, W, C)"))
    weights = np.asarray(rollout, dtype=np.float64)
    side = math.isqrt(max(len(weights) - 1, 0)) if weights.ndim == 2 else 0
    if side == 0 or weights.shape != (side**2 + 1, side**2 + 1):
        raise ValueError(
            f"rollout has shape {weights.shape}; expected (N+1, N+1), N being a square number."
        )
    gathered = weights[0, 1:].reshape(side, side)
    height, width = pixels.shape[:2]

    fig, ((original, overlay),) = _new_figure(9.2, 3.6, columns=2)
    _show_pixels(original, pixels, "photograph")
    _show_pixels(overlay, _tinted(pixels, gathered / gathered.max()), "class token")
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), HEAT)
    fig.colorbar(scale, ax=overlay, label="relative to the largest", shrink=0.85)
    fig.suptitle(title)

    row, column = np.unravel_index(gathered.argmax(), gathered.shape)
    alt = (
        f"A photograph, and over it in colours from which of its {side} × {side} patches the class "
        f"token has gathered by attention roll-out. The strongest is in row {row + 1}, column "
        f"{column + 1} ({_number(gathered.max() / gathered.mean())} times the mean)."
    )
    show_figure(fig, alt)
    return fig


def _tinted(pixels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A picture in grey under colours for values in [0, 1] on a grid; (H, W, 3) in [0, 1].

    Mixed here and not by Matplotlib, which would do it at the resolution of the figure.
    """
    height, width = pixels.shape[:2]
    grey = pixels if pixels.ndim == 2 else pixels @ (0.299, 0.587, 0.114)
    grey = grey / 255 if pixels.dtype == np.uint8 else grey
    grid = Image.fromarray(values.astype(np.float32))
    smooth = np.asarray(grid.resize((width, height), Image.Resampling.BILINEAR))
    return 0.6 * matplotlib.colormaps[HEAT](smooth)[..., :3] + 0.4 * grey[..., np.newaxis]


def _thumbnail(pixels: np.ndarray, side: int = 240) -> np.ndarray:
    """A photograph at the size at which it is shown, lest the notebook grow by megabytes."""
    if max(pixels.shape[:2]) <= side or pixels.dtype != np.uint8:
        return pixels
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side))
    return np.asarray(picture)


def summary_slider(
    summarise: Callable[[int], str], value: int = 40, lengths: tuple[int, int] = (5, 80)
) -> None:
    """Show a slider for the greatest length of a summary above the summary itself.

    The text is an ordinary output that the slider replaces, so that it also stands in a notebook
    that ran unattended. What goes wrong in ``summarise`` is told in its place in a sentence.

    Args:
        summarise: takes the greatest number of tokens and returns the summary.
        value: where the slider stands at first.
        lengths: its two ends.

    Raises:
        ValueError: not 0 < lowest ≤ value ≤ highest.
    """
    lowest, highest = lengths
    if not 0 < lowest <= value <= highest:
        raise ValueError(f"value is {value}; expected 0 < {lowest} ≤ value ≤ {highest}.")
    if not _in_notebook():
        _display(_summary_view(summarise, value))
        return

    import ipywidgets  # needs a kernel to talk to

    slider = ipywidgets.IntSlider(
        value=value,
        min=lowest,
        max=highest,
        description="at most … tokens",
        continuous_update=False,  # a summary takes seconds
        tooltip="The greatest number of tokens in the summary. The arrow keys move it.",
        layout=ipywidgets.Layout(width="32em", max_width="100%"),
        style={"description_width": "initial"},
    )
    display(slider)
    shown = _display(_summary_view(summarise, value), display_id=True)

    def redraw(change: Mapping[str, Any]) -> None:
        data, metadata = _summary_view(summarise, change["new"])
        shown.update(data, raw=True, metadata=metadata)

    slider.observe(redraw, names="value")


def _summary_view(
    summarise: Callable[[int], str], length: int
) -> tuple[dict[str, str], dict[str, Any]]:
    """The summary at one length, or the sentence that says why there is none."""
    try:
        return _sentence(f"At most {length} tokens: “{summarise(length)}”")
    except Exception as error:  # noqa: BLE001 (whatever a summariser raises is told)
        reason = " ".join(str(error).split()).rstrip(".")
        return _sentence(f"There is no summary: {type(error).__name__} ({reason}).")

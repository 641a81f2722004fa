"""Sliders above a picture or a text that they replace in place."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from IPython.display import display
from numpy.typing import ArrayLike

from utilities.figures.drawing import check_vector, rounded
from utilities.figures.regression import regression_figure
from utilities.figures.showing import Bundle, display_bundle, in_notebook, mime_bundle, sentence
from utilities.figures.style import styled


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
    that ran unattended. An error in `nadaraya_watson` or `kernel` is reported in its place
    in a sentence, and the slider goes on.

    Args:
        nadaraya_watson: `(q, k, v, kernel, sigma) -> (prediction, attention_weights)` on
            q (n_q, 1), k (n_k, 1), v (n_k, 1).
        kernel: `(distance, sigma) -> similarity`, passed on to it.
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
    x_train = check_vector("x_train", x_train)
    y_train = check_vector("y_train", y_train, len(x_train))
    x_query = check_vector("x_query", x_query)
    truth = check_vector("truth", truth, len(x_query))
    view = functools.partial(
        _regression_view, nadaraya_watson, kernel, x_train, y_train, x_query, truth
    )
    _slide(
        "FloatLogSlider",
        view,
        sigma,
        base=10,
        min=math.log10(lowest),
        max=math.log10(highest),
        step=math.log10(highest / lowest) / 100,
        description="bandwidth σ",
        readout_format=".3g",
        tooltip="The kernel's bandwidth σ. The arrow keys move it.",
    )


@styled
def _regression_view(
    nadaraya_watson: Callable,
    kernel: Callable,
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_query: np.ndarray,
    truth: np.ndarray,
    sigma: float,
) -> Bundle:
    """Return the picture at one σ, or the sentence that says why there is none."""
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
            fig, alt = regression_figure(x_train, y_train, x_query, prediction, truth, weights, sigma)
            return mime_bundle(fig, alt)
    except NotImplementedError:
        return sentence(
            "The slider needs your gaussian and nadaraya_watson: "
            "complete both exercises, then run this cell again."
        )
    except Exception as error:  # noqa: BLE001 (whatever the student wrote raises is shown)
        reason = " ".join(str(error).split()).rstrip(".")
        return sentence(
            f"There is no picture at σ = {rounded(sigma)}: your nadaraya_watson stopped with "
            f"{type(error).__name__}{f' ({reason})' if reason else ''}."
        )


def _kind(value: Any) -> str:
    if value is None:
        return "None (is the return statement missing?)"
    return f"{len(value)} values" if isinstance(value, tuple | list) else type(value).__name__


def summary_slider(
    summarise: Callable[[int], str], value: int = 40, lengths: tuple[int, int] = (5, 80)
) -> None:
    """Show a slider for the greatest length of a summary above the summary itself.

    The text is an ordinary output that the slider replaces, so that it also stands in a notebook
    that ran unattended. An error in `summarise` is reported in its place in a sentence.

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
    _slide(
        "IntSlider",
        functools.partial(_summary_view, summarise),
        value,
        min=lowest,
        max=highest,
        description="at most … tokens",
        continuous_update=False,  # a summary takes seconds
        tooltip="The greatest number of tokens in the summary. The arrow keys move it.",
    )


def _summary_view(summarise: Callable[[int], str], length: int) -> Bundle:
    """Return the summary at one length, or the sentence that says why there is none."""
    try:
        return sentence(f"At most {length} tokens: “{summarise(length)}”")
    except Exception as error:  # noqa: BLE001 (whatever a summariser raises is shown)
        reason = " ".join(str(error).split()).rstrip(".")
        return sentence(f"There is no summary: {type(error).__name__} ({reason}).")


def _slide(widget: str, view: Callable[[Any], Bundle], value: float, **settings: Any) -> None:
    """Show a slider of ipywidgets above the view of its value; outside a notebook the view alone.

    The view is an ordinary output that the slider replaces, so that it also stands in a notebook
    that ran unattended.
    """
    if not in_notebook():
        display_bundle(view(value))
        return

    import ipywidgets  # needs a kernel to talk to

    slider = getattr(ipywidgets, widget)(
        value=value,
        layout=ipywidgets.Layout(width="32em", max_width="100%"),
        style={"description_width": "initial"},
        **settings,
    )
    display(slider)
    shown = display_bundle(view(slider.value), display_id=True)

    def redraw(change: Mapping[str, Any]) -> None:
        data, metadata = view(change["new"])
        shown.update(data, raw=True, metadata=metadata)

    slider.observe(redraw, names="value")

"""A figure is shown once, with alternative text, as an image that is small enough."""

import io
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from tests.figures.examples import RNG, X_TRAIN, gaussian, nadaraya_watson, regression, softmax
from utilities import (
    plot_regression,
    plot_rollout,
    show_figure,
)
from utilities.figures.showing import LabFigure, png_of
from utilities.figures.style import HEAT


def test_alt_text_is_escaped_and_required():
    fig = LabFigure()
    show_figure(fig, 'a "quoted" <b>')
    assert 'alt="a &quot;quoted&quot; &lt;b&gt;"' in fig._bundle[0]["text/html"]
    with pytest.raises(ValueError, match="alternative text"):
        show_figure(LabFigure(), " ")


def test_a_pyplot_figure_is_closed():
    fig = plt.figure()
    show_figure(fig, "an empty figure")
    assert not plt.fignum_exists(fig.number)


def test_the_style_stays_inside():
    before = dict(matplotlib.rcParams)
    regression()
    assert dict(matplotlib.rcParams) == before


def test_a_packed_heat_map_keeps_both_ends_of_its_colours():
    x, y = np.linspace(0, 5, 100)[:, None], X_TRAIN[:, None]
    prediction, weights = nadaraya_watson(x, y, y, gaussian, 0.8)
    fig = plot_regression(y, y, x, prediction, x, weights, 0.8)
    with Image.open(io.BytesIO(png_of(fig))) as packed:
        pixels = np.asarray(packed.convert("RGB")).reshape(-1, 3).astype(int)  # (pixels, 3)
    for end in (0.0, 1.0):
        colour = np.multiply(matplotlib.colormaps[HEAT](end)[:3], 255)
        assert np.abs(pixels - colour).max(axis=-1).min() < 12


def test_large_photographs_are_shown_small():
    photograph = RNG.integers(0, 256, (400, 600, 3), dtype=np.uint8)
    assert len(png_of(plot_rollout(photograph, softmax(5, 5)))) < 400_000


def test_import_brings_neither_tensorflow_nor_pyplot():
    code = (
        "import sys; from utilities import plot_attention, plot_images, plot_patches, plot_history, "
        "plot_regression, regression_slider, show_figure; "
        "assert not {'tensorflow', 'tf_keras', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

"""Position embeddings: which positions a Vision Transformer holds for alike."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

from utilities.figures.drawing import check_array, new_figure, rounded
from utilities.figures.showing import show_figure
from utilities.figures.style import HEAT, styled


@styled
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
    embeddings = check_array("position_embeddings", position_embeddings, "(N+1, d)", 2)
    if len(embeddings) != rows * columns + 1:
        raise ValueError(
            f"position_embeddings has shape {embeddings.shape}; expected (N+1, d) with "
            f"N = {rows} × {columns} = {rows * columns}, hence {rows * columns + 1} rows."
        )
    similarity = cosine_similarity(embeddings[1:])
    others = similarity[~np.eye(len(similarity), dtype=bool)]

    fig, ((axes,),) = new_figure(6.4, 5.6 * rows / columns + 0.2)
    colours = show_mosaic(axes, similarity, (rows, columns), others.min(), others.max())
    axes.set_xticks(np.arange(columns) * (columns + 1) + (columns - 1) / 2, range(1, columns + 1))
    axes.set_yticks(np.arange(rows) * (rows + 1) + (rows - 1) / 2, range(1, rows + 1))
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set(
        xlabel="input patch column", ylabel="input patch row", title="Position embedding similarity"
    )
    fig.colorbar(colours, ax=axes, label="cosine similarity", extend="max", shrink=0.85)

    near = are_neighbours(rows, columns)
    alt = (
        f"{rows} × {columns} small heat maps: each patch's position embedding compared with all "
        f"the others. Mean cosine similarity of patches side by side "
        f"{rounded(similarity[near].mean())}, of all pairs {rounded(others.mean())}."
    )
    show_figure(fig, alt)
    return fig


def cosine_similarity(embeddings: np.ndarray) -> np.ndarray:
    """Return the cosine similarity (N, N) of embeddings (N, d)."""
    rows = embeddings.astype(np.float64)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return rows @ rows.T


def show_mosaic(
    axes: Axes, similarity: np.ndarray, grid: tuple[int, int], low: float, high: float
) -> AxesImage:
    """Draw a similarity (N, N) as one small map for each patch of a grid, white between them."""
    rows, columns = grid
    mosaic = _tile(similarity.reshape(rows, columns, rows, columns))
    colours = matplotlib.colormaps[HEAT].with_extremes(bad="white")
    return axes.imshow(mosaic, cmap=colours, vmin=low, vmax=high, interpolation="nearest")


def _tile(maps: np.ndarray) -> np.ndarray:
    """Return maps (rows, columns, r, c) side by side in one matrix, one cell of NaN between them."""
    rows, columns, r, c = maps.shape
    padded = np.full((rows, r + 1, columns, c + 1), np.nan)
    padded[:, :r, :, :c] = maps.transpose(0, 2, 1, 3)  # (rows, r, columns, c)
    return padded.reshape(rows * (r + 1), columns * (c + 1))[:-1, :-1]


def are_neighbours(rows: int, columns: int) -> np.ndarray:
    """Return which pairs of patches lie side by side or one above the other, (N, N)."""
    place = np.stack(np.unravel_index(np.arange(rows * columns), (rows, columns)), axis=-1)
    return np.abs(place[:, None] - place[None]).sum(axis=-1) == 1

"""Cutting images into patches: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike

from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Only, Remark, Values, Wrong
from utilities.checks.core.drawing import normal
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.lessons.layers import BATCH_SIZE_FIXED

# --- what goes in: the dimensions of a case differ from each other, the sides of square images apart --


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one patch, images of every form, then square ones: one-pixel patches, bytes, a model."""
    draw = partial(_case, rng)
    drawn = [
        draw("one patch", 1, rows=1, columns=1, channels=2, patch_size=3),
        draw("patches", 2, rows=2, columns=3, channels=3, patch_size=4),
        draw("patches", 3, rows=5, columns=2, channels=1, patch_size=2),
        draw("patches", 1, rows=1, columns=2, channels=3, patch_size=16),
        draw("patches of one pixel", 1, rows=2, columns=2, channels=3, patch_size=1),
        draw("bytes", 2, rows=3, columns=3, channels=4, patch_size=2, dtype=np.uint8),
        draw("model", 3, rows=2, columns=2, channels=4, patch_size=5),
    ]
    if thorough:
        for stage in ("patches", "bytes", "model"):
            rows, columns, channels, patch_size, batch = (int(n) for n in rng.permutation(5) + 2)
            columns = columns if stage == "patches" else rows
            dtype = np.uint8 if stage == "bytes" else np.float32
            drawn.append(draw(stage, batch, rows, columns, channels, patch_size, dtype))
    return drawn


def _case(
    rng: np.random.Generator,
    stage: str,
    batch: int,
    rows: int,
    columns: int,
    channels: int,
    patch_size: int,
    dtype: DTypeLike = np.float32,
) -> Case:
    shape = (batch, rows * patch_size, columns * patch_size, channels)
    if dtype == np.uint8:
        return Case(stage, {"images": rng.integers(0, 256, shape, np.uint8), "patch_size": patch_size})
    return Case(stage, {"images": normal(rng, *shape), "patch_size": patch_size})


# --- the formula -----------------------------------------------------------------------------------

Cut = Callable[[np.ndarray, int], np.ndarray]  # (B, H, W, C), P → (B, rows, P, columns, P, C)
ROW_BY_ROW = (0, 1, 3, 2, 4, 5)  # axes: batch, rows, rows of pixels, columns, columns of pixels, C


def side_by_side(images: np.ndarray, size: int) -> np.ndarray:
    """Return images cut into patches that do not overlap, (B, rows, P, columns, P, C)."""
    batch, height, width, channels = images.shape
    return images.reshape(batch, height // size, size, width // size, size, channels)


def in_sequence(cut: np.ndarray, merged: int, size: int) -> np.ndarray:
    """Return (B, N, P²·C), the first `merged` axes after the batch counting the patches."""
    return cut.reshape(len(cut), int(np.prod(cut.shape[1 : 1 + merged])), -1)


def formula(
    case: Case,
    seen: Observation,
    *,
    pixels: Callable[[np.ndarray], np.ndarray] = lambda images: images,
    cut: Cut = side_by_side,
    axes: tuple[int, ...] = ROW_BY_ROW,
    merged: int = 2,
    flatten: Callable[[np.ndarray, int, int], np.ndarray] = in_sequence,
    finish: Callable[[np.ndarray], np.ndarray] = lambda patches: patches,
) -> Arrays:
    """Return the patches, and those of the first image alone where a model is looked at.

    The settings: what is done to pixels, how images are cut, in which order the axes are laid, how
    many of these count the patches, how the rest is flattened, what happens to the result.
    """
    images, size = case["images"].astype(np.float64), case["patch_size"]

    def patches(images: np.ndarray) -> np.ndarray:
        return finish(flatten(cut(pixels(images), size).transpose(axes), merged, size))

    of_one = {"output_of_one": patches(images[:1])} if case.stage == "model" else {}
    return {"output": patches(images), **of_one}


# --- the mistakes ----------------------------------------------------------------------------------


def _sides_swapped(images: np.ndarray, size: int) -> np.ndarray:
    batch, height, width, channels = images.shape
    return side_by_side(images.reshape(batch, width, height, channels), size)


def _overlapping(step: Callable[[int], int], padded: bool = False) -> Cut:
    """Return the cut into patches that start every step(patch_size) pixels."""

    def cut(images: np.ndarray, size: int) -> np.ndarray:
        stride = max(step(size), 1)
        if padded:
            extra = size - stride  # TensorFlow's "SAME": the smaller half before, the larger after
            sides = (extra // 2, extra - extra // 2)
            images = np.pad(images, ((0, 0), sides, sides, (0, 0)))
        windows = sliding_window_view(images, size, axis=1)  # (B, r, W, C, P)
        windows = sliding_window_view(windows, size, axis=2)  # (B, r, c, C, P, P)
        return windows[:, ::stride, ::stride].transpose(0, 1, 4, 2, 5, 3)

    return cut


def _as_it_lies(cut: np.ndarray, merged: int, size: int) -> np.ndarray:
    batch, rows, _, columns, *_ = cut.shape
    return cut.reshape(batch, rows * columns, -1)  # (B, N, P²·C)


def _as_grid(cut: np.ndarray, merged: int, size: int) -> np.ndarray:
    return cut.reshape(*cut.shape[:3], -1)  # (B, rows, columns, P²·C)


def _as_small_images(cut: np.ndarray, merged: int, size: int) -> np.ndarray:
    return cut.reshape(len(cut), -1, *cut.shape[3:])  # (B, N, P, P, C)


def _batch_merged(cut: np.ndarray, merged: int, size: int) -> np.ndarray:
    return cut.reshape(-1, int(np.prod(cut.shape[3:])))  # (B·N, P²·C)


CHANNELS_APART = (
    "You make a patch of its own from every channel. A patch holds all channels of its pixels: "
    "patch_size² · C numbers."
)
OVERLAP = (
    "Your patches overlap: there are more of them than fit side by side. How far must the window "
    "move so that every pixel is in exactly one patch?"
)
CUTS = (lambda size: 1, lambda size: size // 2)
MISTAKES = [
    Mistake(
        "plain reshape",
        "Your patches are consecutive stretches of the image's pixels: a plain reshape cuts full "
        "rows, not squares. Split height and width into (patch, pixel) pairs, then bring the two "
        "patch axes together.",
        axes=(0, 1, 2, 3, 4, 5),
        flatten=_as_it_lies,
    ),
    Mistake(
        "patches column by column",
        "Your patches are the right ones, but they come column by column. Number them as one "
        "reads: along the first row, then the next.",
        axes=(0, 3, 1, 2, 4, 5),
    ),
    Mistake(
        "pixels column by column",
        "Inside each patch your pixels come column by column. Read them row by row.",
        axes=(0, 1, 3, 4, 2, 5),
    ),
    Mistake(
        "image transposed",
        "Your patches are those of the image mirrored on its diagonal: rows and columns are "
        "exchanged, both of the patches and of the pixels inside them.",
        axes=(0, 3, 1, 4, 2, 5),
    ),
    Mistake(
        "channels first",
        "Inside each patch you give all pixels of the first channel, then all of the second. Keep "
        "the channels of a pixel together: channels are the last axis.",
        axes=(0, 1, 3, 5, 2, 4),
    ),
    Mistake(
        "channels apart",
        CHANNELS_APART,
        {"axes": (0, 5, 1, 3, 2, 4), "merged": 3},
        {"axes": (0, 1, 3, 5, 2, 4), "merged": 3},
    ),
    Mistake(
        "height and width swapped",
        "Your height and width are exchanged: it shows as soon as an image is not square. Images "
        "are (B, H, W, C), height first.",
        cut=_sides_swapped,
    ),
    Mistake(
        "overlapping patches",
        OVERLAP,
        *({"cut": _overlapping(step, padded)} for step in CUTS for padded in (False, True)),
    ),
    Mistake(
        "not flattened",
        "Your patches still lie in a grid of rows and columns. The transformer reads one sequence: "
        "merge the two into N.",
        flatten=_as_grid,
    ),
    Mistake(
        "pixels not flattened",
        "Your patches are small images still. Each patch is one vector of patch_size² · C numbers.",
        flatten=_as_small_images,
    ),
    Mistake(
        "batch merged",
        "You merged the images of the batch into one long list of patches. The first axis stays "
        "the batch.",
        flatten=_batch_merged,
    ),
    Mistake(
        "first image only",
        "You return the patches of the first image only.",
        pixels=lambda images: images[:1],
    ),
    Mistake(
        "pixels scaled",
        "Your patches hold the pixels divided by 255. This step only cuts: scaling belongs to the "
        "preparation of the data, where it must not be done twice.",
        entails=("another type of number",),
        finish=lambda patches: patches / 255.0,
    ),
    Mistake(
        "image passed on",
        "Your images come out as they went in: nothing is cut.",
        carries=False,
        cut=lambda images, size: images,
        axes=(0, 1, 2, 3),
        flatten=lambda images, merged, size: images,
    ),
]

# --- what only the kernel can know -----------------------------------------------------------------


def _keeps_type(case: Case, seen: Observation) -> Wrong | None:
    """Patches have the type of the images."""
    images, patches = case["images"].dtype, seen["output"].dtype
    if images == patches:
        return None
    return Wrong(
        "another type of number",
        f"Images of {images} come back as {patches}. This step only moves numbers: patches have the "
        "type of the images.",
    )


CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values("one patch", "one patch keeps its pixels in order: row by row, channels together", 0.4),
        Values("patches", "patches come row by row, whatever the height and width", 4.0),
        Values("bytes", "images of bytes keep their values", 0.6),
        Claim("bytes", "and stay bytes", 0.25, _keeps_type, ("bytes",)),
        Values("patches of one pixel", "a patch may be as small as one pixel", 0.25),
        Values("model", "works inside a functional model, for any batch size", 1.5),
    ],
    mistakes=MISTAKES,
    kinds=[
        BATCH_SIZE_FIXED,
        Only(
            "bytes refused",
            "It works for float32, but not for images of bytes (uint8), the form in which they are "
            "loaded. Not every operation takes whole numbers: move them with one that does, or cast.",
            lambda case: case["images"].dtype == np.uint8,
        ),
        Only(
            "one pixel refused",
            "It works for all patches but the smallest, of one pixel. Does the operation that you use "
            "ask for a least size?",
            lambda case: case["patch_size"] == 1,
        ),
        Only(
            "square images only",
            "It works for square images alone. How many rows of patches are there, and how many "
            "columns?",
            lambda case: case["images"].shape[1] != case["images"].shape[2],
        ),
        Only(
            "patch size ignored",
            "It works for patches of 16 pixels alone: take the size from the argument patch_size.",
            lambda case: case["patch_size"] != 16,
        ),
    ],
    remarks=[
        Remark(
            "Inside a functional model the shape of your patches is not fully known (None): whoever "
            "needs the number of patches there, or the length of one, has to compute it.",
            lambda case, seen: not seen["shape_known"],
        ),
    ],
)

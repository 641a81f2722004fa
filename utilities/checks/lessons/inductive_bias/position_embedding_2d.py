"""Position embedding in two dimensions: what goes in, the formula, the mistakes, what is looked at."""

from collections.abc import Callable
from functools import partial

import numpy as np

from utilities.checks.core.check import Arrays, Check, Claim, Mistake, Only, Sign, Values, Wrong
from utilities.checks.core.drawing import normal
from utilities.checks.kernel.case import Case, Observation
from utilities.checks.kernel.shared import TABLES
from utilities.checks.lessons.layers import BATCH_SIZE_FIXED, TAKES_NO_NAME, unchanged

# --- what goes in: all dimensions of a case differ from each other ---------------------------------


def cases(rng: np.random.Generator, thorough: bool) -> list[Case]:
    """Draw one row of patches, grids wider and higher, and a functional model."""
    draw = partial(_case, rng)
    drawn = [
        draw("one row", batch=2, rows=1, columns=4, proj_dim=6),
        draw("grid", batch=2, rows=3, columns=5, proj_dim=8),
        draw("grid", batch=1, rows=6, columns=4, proj_dim=10),
        draw("model", batch=3, rows=2, columns=5, proj_dim=8),
    ]
    if thorough:
        for stage in ("grid", "model"):
            batch, rows, columns, half = (int(n) for n in rng.permutation(np.array([2, 3, 5, 7])))
            drawn.append(draw(stage, batch, rows, columns, 2 * half + 4))
    return drawn


def _case(
    rng: np.random.Generator, stage: str, batch: int, rows: int, columns: int, proj_dim: int
) -> Case:
    tables = {
        "x_table": normal(rng, columns, proj_dim // 2),
        "y_table": normal(rng, rows, proj_dim // 2),
    }
    sizes = {"rows": rows, "columns": columns, "proj_dim": proj_dim}
    tokens = normal(rng, batch, rows * columns, proj_dim)
    return Case(stage, {**sizes, "tokens": tokens, **tables}, unsaid=TABLES)


# --- the formula -----------------------------------------------------------------------------------

Places = Callable[[int, int], tuple[np.ndarray, np.ndarray]]  # rows, columns → (N,), (N,)


def row_by_row(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of each patch; both (rows·columns,)."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return row, column


def beside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the halves side by side, (N, d)."""
    return np.concatenate([x, y], axis=-1)


def formula(
    case: Case,
    seen: Observation,
    *,
    made_once: bool = False,
    places: Places = row_by_row,
    x_factor: float = 1.0,
    y_factor: float = 1.0,
    join: Callable[[np.ndarray, np.ndarray], np.ndarray] = beside,
    add: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda tokens, positions: tokens + positions,
    instead: str = "",
) -> Arrays:
    """Return the tokens with their positions, (B, N, d).

    The settings: whether the tables act with the values that they had when they were made; where
    patches lie; whether each half counts; how the halves are joined; how they are added; what the
    layer has instead of the two tables, so that whatever comes, the same for all images, is expected.
    Source: Dosovitskiy et al. 2021, arXiv 2010.11929, appendix D.4.
    """
    tokens = case["tokens"].astype(np.float64)
    if instead:
        if instead not in _instead_of_tables(case, seen):
            raise ValueError(instead)
        return {"output": tokens + (seen["output"] - tokens).mean(axis=0)}
    tables = [case[name].astype(np.float64) for name in TABLES]
    if made_once and not all(np.any(seen[f"first_{name}"]) for name in TABLES):
        raise ValueError("tables of zeros tell nothing")
    if made_once:
        tables = [seen[f"first_{n}"].reshape(t.shape) for n, t in zip(TABLES, tables, strict=True)]
    row, column = places(case["rows"], case["columns"])
    x, y = x_factor * tables[0][column], y_factor * tables[1][row]  # (N, d/2)
    return {"output": add(tokens, join(x, y))}


def _instead_of_tables(case: Case, seen: Observation) -> list[str]:
    """Return what a layer may have that does not keep two tables, or nothing where it does."""
    if not seen["made_once"]:
        return ["tables made in every call"]
    if seen["found"].all():
        return []
    shapes, width = seen["shapes"].tolist(), case["proj_dim"]
    lengths = {
        "one vector per patch": case["rows"] * case["columns"],
        "tables of full width": case["columns"],
    }
    others = [name for name, length in lengths.items() if f"{length}×{width}" in shapes]
    one = "one table for both axes" if seen["found"].any() else "tables are no weights"
    return others or [one]


# --- the mistakes ----------------------------------------------------------------------------------


def _column_by_column(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    column, row = np.divmod(np.arange(rows * columns), rows)
    return row, column


def _interleaved(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([x, y], axis=-1).reshape(len(x), -1)  # (N, d)


def _scaled(tokens: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return tokens * np.sqrt(tokens.shape[-1]) + positions


def _behind(tokens: np.ndarray, positions: np.ndarray) -> np.ndarray:
    shape = (*tokens.shape[:-1], positions.shape[-1])
    return np.concatenate([tokens, np.broadcast_to(positions, shape)], axis=-1)


INSTEAD = {
    "tables made in every call": (
        "Your layer makes new weights in every call, so that what it learns is thrown away. Weights "
        "are made once: in __init__ or in build."
    ),
    "one vector per patch": (
        "Your layer holds one vector for every patch: that is the one-dimensional position "
        "embedding. In two dimensions a column has a vector and a row has one, and patches share them."
    ),
    "tables of full width": (
        "Your tables are proj_dim wide. The two vectors stand side by side in a token of width "
        "proj_dim: how wide may each of them be?"
    ),
    "one table for both axes": (
        "Your layer has only one of the two tables: columns and rows each need their own, of shape "
        "(columns, proj_dim/2) and (rows, proj_dim/2)."
    ),
    "tables are no weights": (
        "Your layer adds something, but none of its weights is one of the two tables. Numbers that "
        "are drawn or computed in the layer stay what they are; self.add_weight makes what training "
        "changes."
    ),
}
ELSEWHERE = "it can only be made by a layer whose weights are others"
OF_TABLES = ("tables not trained", "other weights are trained")
MISTAKES = [
    Mistake(
        "rows and columns exchanged",
        "Your first half says the row and your second half the column; X, the column, comes first.",
        join=lambda x, y: beside(y, x),
    ),
    Mistake(
        "patches column by column",
        "Your patches are numbered column by column. They come row by row: the first `columns` "
        "patches are the first row.",
        places=_column_by_column,
    ),
    Mistake(
        "halves interleaved",
        "The entries of X and Y alternate in your output. One half stands before the other.",
        join=_interleaved,
    ),
    Mistake(
        "halves added",
        "You add X and Y to each other. Side by side they keep column and row apart.",
        join=lambda x, y: np.tile(x + y, 2),
    ),
    Mistake(
        "Y missing",
        "Your tokens know their column only: the half that says the row is missing.",
        entails=("tables not trained",),
        y_factor=0.0,
    ),
    Mistake(
        "X missing",
        "Your tokens know their row only: the half that says the column is missing.",
        entails=("tables not trained",),
        x_factor=0.0,
    ),
    Mistake(
        "positions alone",
        "You return the positions without the tokens. They are to be added to them.",
        {"add": lambda tokens, positions: 0 * tokens + positions},
        {"add": lambda tokens, positions: positions},
        {"add": lambda tokens, positions: positions[None]},
    ),
    Mistake(
        "multiplied",
        "You multiply tokens and positions. They are added.",
        add=np.multiply,
    ),
    Mistake(
        "positions behind the tokens",
        "You put the positions behind the tokens, which are now twice as wide. Add them: the width "
        "stays.",
        add=_behind,
    ),
    Mistake(
        "tokens scaled",
        "You multiply the tokens by √proj_dim before the positions are added. That is a habit of "
        "language models; here nothing is scaled.",
        add=_scaled,
    ),
    Mistake(
        "tables made and not used",
        "Your tables are weights, but changing them afterwards changes nothing. What is computed in "
        "__init__ from a weight is a copy that training never reaches: put the positions together in "
        "call.",
        entails=("tables not trained",),
        made_once=True,
    ),
    Mistake(
        "nothing added",
        "Your tokens come out as they went in.",
        carries=False,
        add=lambda tokens, positions: tokens,
    ),
    *(
        Mistake(name, message, {"instead": name}, entails=(*INSTEAD, *OF_TABLES), unseen=ELSEWHERE)
        for name, message in INSTEAD.items()
    ),
]

# --- what only the kernel can know -----------------------------------------------------------------


def _trained(case: Case, seen: Observation) -> Wrong | None:
    """Both tables are trained, and nothing else."""
    if instead := _instead_of_tables(case, seen):
        return Wrong(instead[0], INSTEAD[instead[0]])
    if not np.all(seen["trained"]):
        lacking = " and ".join(n for n, held in zip(TABLES, seen["trained"], strict=True) if not held)
        return Wrong(
            "tables not trained",
            f"Training would not change {lacking}: it is made, but it is not trainable, or no gradient "
            "reaches it from the output.",
        )
    has = f"For {case.describe()} it has: {', '.join(map(str, seen['shapes']))}."
    if int(seen["trainable_count"]) != sum(case[name].size for name in TABLES):
        return Wrong(
            "other weights are trained",
            "Your layer trains other weights beside the two tables; (rows + columns)·proj_dim/2 "
            f"numbers are all it needs. {has}",
        )
    return None


def _the_same_always(case: Case, seen: Observation) -> Wrong | None:
    """Training and freezing change nothing."""
    return unchanged(
        seen,
        Wrong(
            "dropout in the positions",
            "In training the same tokens give other ones. No dropout is asked for here.",
        ),
    )


GRID = ("grid",)
CHECK = Check(
    cases=cases,
    formula=formula,
    findings=[
        Values("one row", "in one row of patches, every column has its own position"),
        Values("grid", "in a grid, the X half says the column and the Y half the row", 2.5),
        Values("model", "works inside a functional model, for any batch size"),
        Claim(GRID, "both tables are trained, and nothing else is", 1.0, _trained, GRID, early=True),
        Claim(
            "model", "it does the same in training and when it is frozen", 0.5, _the_same_always, GRID
        ),
    ],
    mistakes=MISTAKES,
    signs=[
        Sign(
            "random",
            "The same tokens twice give different results: something random is at work, such as a "
            "dropout, or tables that are drawn in each call.",
            lambda case, seen: not seen["repeats"] and bool(seen["made_once"]),
            anywhere=True,
        ),
    ],
    kinds=[
        BATCH_SIZE_FIXED,
        Only(
            "one row only",
            "It works where all patches lie in one row, but not in a grid. How do row and column of a "
            "patch follow from its number?",
            lambda case: case["rows"] > 1,
        ),
    ],
    remarks=[TAKES_NO_NAME],
    depth=2,
)

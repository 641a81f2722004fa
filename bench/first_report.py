"""Row b: seconds from `from utilities import …` to a check's report, as a student waits for it."""

from __future__ import annotations

import tempfile

from bench.kernels import fresh_kernel
from bench.measuring import Cost, Costs, Row, Settings, interleave, row
from bench.solution import CORE
from tests.course import HIDDEN_REGION, read

REPETITIONS = 5
TENSORFLOW = "import tensorflow as tf\nimport tf_keras"
COLD, BARE = "imports and first report", "bare import of TensorFlow"
AGAIN, HARDER = "the same check again", "check of multi-head attention"


def measure(settings: Settings) -> list[Row]:
    """Start fresh kernels in turns: one imports the kit and checks, one imports TensorFlow alone."""
    warm: Costs = {AGAIN: [], HARDER: []}

    def cold() -> Cost:
        first, warm_costs = first_reports()
        for name, cost in warm_costs.items():
            warm[name].append(cost)
        return first

    costs = interleave(
        {COLD: cold, BARE: bare_import}, settings.repetitions or REPETITIONS, "fresh kernels"
    )
    return [
        row("b", "cold kernel", "s", costs, COLD, BARE),
        *(row("b", "warm kernel", "s", costs | warm, name, COLD) for name in warm),
    ]


def first_reports() -> tuple[Cost, Costs]:
    """Return the cost of the first report in a fresh kernel, and of others after it."""
    cells = {cell.id: HIDDEN_REGION.sub("", cell.source) for cell in read(CORE).cells}
    with tempfile.TemporaryDirectory() as folder, fresh_kernel(folder) as run:
        first = run("\n\n".join(cells[id] for id in ("imports", "gaussian", "check-gaussian")))
        again = run(cells["check-gaussian"])
        for exercise in ("scaled-dot-product-attention", "multi-head-attention"):
            run(cells[exercise])
        return first, {AGAIN: again, HARDER: run(cells["check-multi-head-attention"])}


def bare_import() -> Cost:
    """Return what TensorFlow alone costs in a fresh kernel."""
    with tempfile.TemporaryDirectory() as folder, fresh_kernel(folder) as run:
        return run(TENSORFLOW)

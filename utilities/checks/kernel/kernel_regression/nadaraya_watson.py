"""Call a kernel regression and return what it computes."""

from typing import Any

import numpy as np

from utilities.checks.kernel.case import Case
from utilities.checks.kernel.kernel_regression.gaussian import as_numpy, in_numpy, with_sigma
from utilities.checks.kernel.observing import as_parts


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return prediction and attention weights, computed with the kernel of the case."""
    from utilities.checks.core.oracles import KERNELS  # in grading they arrive with this check

    result = with_sigma(implementation, case, case["q"], case["k"], case["v"], KERNELS[case["kernel"]])
    parts = as_parts(result, "prediction", "attention_weights")
    values = {name: as_numpy(part, name.replace("_", " ")) for name, part in parts.items()}
    return {**values, "in_numpy": in_numpy(*parts.values())}

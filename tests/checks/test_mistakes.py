"""Each known mistake is visible in the cases that a seed draws, and told from all the others.

Here nothing is run but the oracles of the mistakes themselves, so many seeds cost little.
"""

import numpy as np
import pytest

import utilities
from utilities.checks.attention.mistakes import ATTENTION_MISTAKES, HEADS_MISTAKES, WEIGHTS
from utilities.checks.kernel.case import RAISED, Observation, Problem
from utilities.checks.kernel_regression.judge import GAUSSIAN_MISTAKES, REGRESSION_MISTAKES

MISTAKES = {
    "gaussian": GAUSSIAN_MISTAKES,
    "nadaraya_watson": REGRESSION_MISTAKES,
    "scaled_dot_product_attention": ATTENTION_MISTAKES,
    "multi_head_attention": HEADS_MISTAKES,
}
UNSEEN = {
    "gaussian": {"cut to zero"},  # looks at what was observed
    "multi_head_attention": {"divided by √d_v"},  # inside a head d_v is d_k
}


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_told_by_its_own_name(name, thorough):
    exercise = getattr(utilities, f"test_{name}")
    for seed in range(3):
        cases = exercise.cases(seed, thorough)
        for mistake in MISTAKES[name]:
            if mistake.name not in UNSEEN.get(name, ()):
                report = exercise.judge(cases, [_observed(mistake.oracle, case) for case in cases])
                assert report.mistakes == [mistake.name], f"seed {seed}: {mistake.name}\n{report}"


def _observed(oracle, case):
    """Return the observation of an implementation that computes what the oracle computes."""
    trained = sum(np.size(case.inputs.get(weight, ())) for weight in WEIGHTS)
    facts = {
        "trainable_count": np.array(trained),
        "trainable": np.ones(len(WEIGHTS), bool),
        "gradient_reaches": np.ones(len(WEIGHTS), bool),
        "refused": np.array(True),
    }
    try:
        with np.errstate(all="ignore"):
            values = oracle(case, Observation())
    except ValueError:  # the mistake does not run on these shapes
        return Observation(problem=Problem(RAISED, "shapes do not fit"))
    return Observation({name: np.asarray(value) for name, value in {**facts, **values}.items()})

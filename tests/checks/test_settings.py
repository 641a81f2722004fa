"""Global settings that a notebook leaves behind change no result, are said, and are put back."""

import subprocess
import sys

import numpy as np
import pytest

from tests.checks.catalogue import entries
from utilities.checks.kernel import wire
from utilities.checks.kernel.case import Observation, Problem
from utilities.checks.kernel.settings import LEGACY, NAMES

SET = {
    "mixed precision": "tf_keras.mixed_precision.set_global_policy('mixed_float16')",
    "floatx": "tf_keras.backend.set_floatx('float64')",
    "image data format": "tf_keras.backend.set_image_data_format('channels_first')",
    "learning phase": "tf_keras.backend.set_learning_phase(1)",
    "NumPy behaviour": "tf.experimental.numpy.experimental_enable_numpy_behavior()",
    "op determinism": "tf.config.experimental.enable_op_determinism()",
    LEGACY: "tf.compat.v1.disable_v2_behavior()",
}
EXERCISES = ("nadaraya_watson", "multi_head_attention", "mlp")
PROGRAM = """
import warnings
import numpy as np, tensorflow as tf, tf_keras
import utilities
from tests.checks.test_settings import right_ones
from utilities.checks.kernel.settings import usual_settings

warnings.simplefilter("ignore")
np.seterr(all="raise")
{setting}
for entry in right_ones():
    report = getattr(utilities, "test_" + entry.exercise).report(entry.implementation)
    assert report.passed, report
    assert any({name!r} in note for note in report.notes), report
with usual_settings() as reset:
    pass
assert {name!r} in reset, "the notebook's own setting is put back after a check"
"""


def right_ones():
    """Return two right implementations of each exercise: a process of its own tries them."""
    return [
        entry
        for name in EXERCISES
        for entry in [e for e in entries() if e.is_correct and e.exercise == name][:2]
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_changes_nothing_is_said_and_put_back(name):
    program = PROGRAM.format(setting=SET[name], name=name)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


@pytest.mark.parametrize(
    "seen", [Observation({"x": np.ones(2)}), Observation(problem=Problem("a", "b"))]
)
def test_what_was_reset_comes_home_from_the_kernel_and_nothing_else(seen):
    seen.reset = ["floatx"]
    (item,) = wire.dump_observations([seen])
    assert wire.load_observations([item], 1)[0].reset == ["floatx"]
    (item,) = wire.dump_observations([seen])
    item["reset"] = ["<b>", 7, "floatx", ["floatx"]]
    assert wire.load_observations([item], 1)[0].reset == ["floatx"]

"""Judging needs NumPy, and neither TensorFlow nor anything that runs a student's code."""

import subprocess
import sys

from tests.course import ROOT

SCRIPT = """
import importlib, pkgutil, sys

for name in ("tensorflow", "tf_keras", "keras", "matplotlib"):
    sys.modules[name] = None  # importing it is now an error

import numpy
from utilities import checks

names = [module.name for module in pkgutil.walk_packages(checks.__path__, "utilities.checks.")]
trusted = [name for name in names if ".lessons." in name or ".core." in name]
for name in trusted:
    if not name.endswith(".references"):
        importlib.import_module(name)
assert "utilities.checks.kernel.observing" not in sys.modules

from utilities.checks import test_scaled_dot_product_attention as check
from utilities.checks.kernel.case import Observation
from utilities.checks.core.oracles import scaled_dot_product_attention

def answer(case):
    q, k, v = (case[name].astype(float) for name in "qkv")
    output, weights = scaled_dot_product_attention(q, k, v, case["mask"])
    reached = numpy.ones(3, bool)
    return Observation({"output": output, "attention_weights": weights, "reached": reached})

cases = check.cases(7)
assert check.judge(cases, [answer(case) for case in cases]).passed
print(len(trusted), "modules")
"""


def test_judges_and_oracles_work_in_a_process_without_tensorflow():
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 15

"""Keep TensorFlow's native messages out of notebooks.

nbgrader scores a graded cell 0 if anything reaches stderr, and TensorFlow's C++ side writes
warnings there that no setting turns off (`TF_CPP_MIN_LOG_LEVEL=3` leaves those of XLA and of the
graph optimiser). Python's own `sys.stderr` goes another way in a kernel, and is left alone: a
student's warnings and errors stay visible.
"""

import os
import sys


def quiet_tensorflow() -> None:
    """Settle TensorFlow's start-up; in a Jupyter kernel also drop what native code writes to stderr.

    To be called before TensorFlow is imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # tf.keras is then tf_keras, imported once
    if _in_kernel():
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)


def _in_kernel() -> bool:
    """Return whether this process is a Jupyter kernel, whose sys.stderr is not descriptor 2."""
    ipykernel = sys.modules.get("ipykernel.kernelapp")
    return ipykernel is not None and ipykernel.IPKernelApp.initialized()

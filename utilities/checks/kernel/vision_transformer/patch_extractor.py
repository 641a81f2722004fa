"""Call a layer that cuts images into patches, with numbers and inside a functional model."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel import probes
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.observing import as_array


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the patches; in the model stage from a functional model, of all images and of one."""
    images = tf.constant(case["images"])  # (B, H, W, C)
    extractor = probes.new_layer(implementation, "PatchExtractor", case["patch_size"])
    if case.stage != "model":
        return {"output": as_array(extractor(images), "output")}
    inputs = tf_keras.Input(images.shape[1:])
    outputs = extractor(inputs)
    model = tf_keras.Model(inputs, outputs)
    return {
        "output": as_array(model(images), "output"),
        "output_of_one": as_array(model(images[:1]), "output"),
        "shape_known": np.array(all(length is not None for length in outputs.shape[1:])),
    }

"""Hold the global settings of NumPy, TensorFlow and Keras at their usual values for a while.

A cell may set them for good reasons, such as training in mixed precision, or by accident. A check asks
what a step does as it is written, so it runs as in a fresh kernel, and the report says so.
"""

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

LEGACY = "TensorFlow 1 behaviour"
NAMES = (
    "floatx",
    "mixed precision",
    "image data format",
    "learning phase",
    "NumPy behaviour",
    "op determinism",
    LEGACY,
)


class Setting(NamedTuple):
    """One global setting: its name among `NAMES`, its usual value, how it is read and written."""

    name: str
    usual: Any
    read: Callable[[], Any]
    write: Callable[[Any], object]


@contextlib.contextmanager
def usual_settings() -> Iterator[list[str]]:
    """Put global settings to their usual values; yield the names of those that were not; put back."""
    numbers, numpy_numbers = random.getstate(), np.random.get_state()
    with contextlib.ExitStack() as stack:
        stack.callback(random.setstate, numbers)
        stack.callback(np.random.set_state, numpy_numbers)
        stack.enter_context(np.errstate(all="ignore"))
        yield list(dict.fromkeys(_reset(stack)))


def _reset(stack: contextlib.ExitStack) -> Iterator[str]:
    """Reset what is not as usual, have the stack put it back, and yield its name."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and not tensorflow.executing_eagerly():
        from tensorflow.python.eager.context import eager_mode  # once it is off, no public way back

        stack.enter_context(eager_mode())
        yield LEGACY
    settings = [] if tensorflow is None else _of_tensorflow(tensorflow)
    if "tf_keras" in sys.modules:
        settings += _of_tf_keras()
    for name in ("tf_keras", "keras"):
        if hasattr(sys.modules.get(name), "mixed_precision"):
            settings += _of_keras(sys.modules[name])
    for setting in settings:
        before = setting.read()
        if before != setting.usual:
            stack.callback(setting.write, before)
            setting.write(setting.usual)
            yield setting.name


def _of_keras(keras: Any) -> list[Setting]:
    """Return the settings that tf-keras and Keras 3 name alike."""
    backend, precision = keras.backend, keras.mixed_precision
    return [
        Setting("floatx", "float32", backend.floatx, backend.set_floatx),
        Setting("mixed precision", "float32", lambda: precision.global_policy().name,
                precision.set_global_policy),
        Setting("image data format", "channels_last", backend.image_data_format,
                backend.set_image_data_format),
    ]  # fmt: skip


def _of_tf_keras() -> list[Setting]:
    """Return the settings of tf-keras alone, left over from TensorFlow 1."""
    from tf_keras.src import backend
    from tf_keras.src.engine import base_layer_utils

    def dtypes(on: bool) -> None:
        switch = "enable_v2_dtype_behavior" if on else "disable_v2_dtype_behavior"
        getattr(base_layer_utils, switch)()

    def phase() -> int | None:
        return backend.learning_phase() if backend.global_learning_phase_is_set() else None

    def set_phase(phase: int | None) -> None:
        if phase is not None:
            backend.set_learning_phase(phase)
            return
        backend._DUMMY_EAGER_GRAPH.learning_phase_is_set = False
        backend._GRAPH_LEARNING_PHASES.pop(backend._DUMMY_EAGER_GRAPH.key, None)

    return [
        Setting(LEGACY, True, base_layer_utils.v2_dtype_behavior_enabled, dtypes),
        Setting("learning phase", None, phase, set_phase),
    ]


def _of_tensorflow(tensorflow: Any) -> list[Setting]:
    """Return TensorFlow's settings; its NumPy behaviour, for one, has no public way back."""
    from tensorflow.python import tf2
    from tensorflow.python.framework import config, ops

    legacy = tensorflow.compat.v1

    def promotion() -> str:
        return ops.promo_mode_enum_to_string(ops.get_dtype_conversion_mode())

    def slicing(numpy_style: bool) -> None:
        ops._numpy_style_slicing = numpy_style

    def determinism(on: bool) -> None:
        (config.enable_op_determinism if on else config.disable_op_determinism)()

    def second(on: bool) -> None:
        (tf2.enable if on else tf2.disable)()

    def plain_shapes(on: bool) -> None:
        (legacy.enable_v2_tensorshape if on else legacy.disable_v2_tensorshape)()

    def equality(on: bool) -> None:
        (legacy.enable_tensor_equality if on else legacy.disable_tensor_equality)()

    return [
        Setting("NumPy behaviour", "off", promotion, ops.set_dtype_conversion_mode),
        Setting("NumPy behaviour", False, lambda: ops._numpy_style_slicing, slicing),
        Setting("op determinism", False, config.is_op_determinism_enabled, determinism),
        Setting(LEGACY, True, tf2.enabled, second),
        Setting(LEGACY, True, lambda: isinstance(tensorflow.TensorShape([1])[0], int), plain_shapes),
        Setting(LEGACY, True, lambda: tensorflow.Tensor._USE_EQUALITY, equality),
    ]

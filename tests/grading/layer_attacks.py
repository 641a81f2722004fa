# ruff: noqa: E501  code in texts
"""Attempts on exercises in TensorFlow: forged observations, weights and outputs.

None of the steps is written: whatever is earned is gained by the attempt. Each runs against four
checks of the core at once, in a course of its own.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
from nbformat.notebooknode import NotebookNode

import utilities
from tests.course import run_exercises
from tests.grading import course as stand_in
from tests.grading import forgeries
from utilities.checks.core import oracles

ASSIGNMENT = "layers"
STEPS = {  # points, and the name of the student's function or class
    "scaled_dot_product_attention": (6, "scaled_dot_product_attention"),
    "multi_head_attention": (9, "MultiHeadAttention"),
    "mlp": (3, "mlp"),
    "patch_encoder": (5, "PatchEncoder"),
}
POINTS = {f"check_{step}": float(points) for step, (points, _) in STEPS.items()}
RECORDED = "answers.npz"
CORE = stand_in.ROOT / "solutions" / "vision_transformer" / "vision_transformer.ipynb"
SEEDS = ((42, False), (1009, True))  # the forger knows the seeds of the hidden tests, too
IMPORTS = """import utilities

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from utilities import glorot_per_head, {}"""

# Steps that do nothing, so that a model can be built of them and nothing in it is right.
EMPTY = {
    "scaled_dot_product_attention": """def scaled_dot_product_attention(q, k, v, mask=None):
    weights = tf.zeros((*q.shape[:-1], k.shape[-2]), q.dtype)
    return tf.matmul(weights, v), weights""",
    "multi_head_attention": """class MultiHeadAttention(tf_keras.layers.Layer):
    def __init__(self, num_heads, proj_dim, return_attention_weights=False, **kwargs):
        super().__init__(**kwargs)
        self.h, self.p, self.both = num_heads, proj_dim, return_attention_weights

    def call(self, q, k, v, mask=None):
        if not hasattr(self, "W_o"):
            widths = {"W_q": q.shape[-1], "W_k": k.shape[-1], "W_v": v.shape[-1]}
            self.W_q, self.W_k, self.W_v = (self.add_weight(n, (self.h, d, self.p)) for n, d in widths.items())
            self.W_o = self.add_weight("W_o", (self.h * self.p, self.p))
        output = tf.zeros_like(q[..., :1]) + tf.zeros(self.p)
        weights = tf.zeros((tf.shape(q)[0], self.h, q.shape[1], k.shape[1]))
        return (output, weights) if self.both else output

    def get_config(self):
        return {**super().get_config(), "num_heads": self.h, "proj_dim": self.p, "return_attention_weights": self.both}""",
    "mlp": """def mlp(x, hidden_units, dropout_rate):
    for units in hidden_units:
        x = tf_keras.layers.Dense(units, kernel_initializer="zeros", trainable=False)(x)
    return x""",
    "patch_encoder": """class PatchEncoder(tf_keras.layers.Layer):
    def __init__(self, num_patches, proj_dim, **kwargs):
        super().__init__(**kwargs)
        self.n, self.d = num_patches, proj_dim

    def build(self, shape):
        self.kernel = self.add_weight("kernel", (shape[-1], self.d), initializer="zeros")
        self.bias = self.add_weight("bias", (self.d,), initializer="zeros")
        self.class_token = self.add_weight("class_token", (1, 1, self.d), initializer="zeros")
        self.positions = self.add_weight("positions", (self.n + 1, self.d), initializer="zeros")

    def call(self, patches):
        return tf.zeros_like(patches[:, :1, :1]) + tf.zeros((self.n + 1, self.d))""",
}


@dataclass(frozen=True)
class LayerAttack:
    """One attempt: code that runs before the first check, and files beside the notebook."""

    name: str
    code: str
    spoil: Callable[[Path], object] | None = None


LAYER_ATTACKS: dict[str, LayerAttack] = {}


def attack(name: str, code: str, spoil: Callable[[Path], object] | None = None) -> None:
    assert name not in LAYER_ATTACKS
    LAYER_ATTACKS[name] = LayerAttack(name, code, spoil)


def _forger(folder: Path) -> None:
    right = run_exercises(nbformat.read(CORE, as_version=4))
    checks = {getattr(utilities, f"test_{step}"): right[name] for step, (_, name) in STEPS.items()}
    forgeries.record(folder, checks, SEEDS)
    (folder / "forgeries.py").write_text(Path(forgeries.__file__).read_text())


def _answers_of_the_visible_cases(folder: Path) -> None:
    """Write the right answers of the cases that a student sees, seed 42, under their first input."""
    arrays = {}
    for number, case in enumerate(utilities.test_scaled_dot_product_attention.cases(42)):
        q, k, v = (case[name].astype(float) for name in "qkv")
        answer = oracles.scaled_dot_product_attention(q, k, v, case["mask"])
        arrays |= {f"q{number}": case["q"], f"o{number}": answer[0], f"w{number}": answer[1]}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (folder / RECORDED).write_bytes(buffer.getvalue())


attack("forges all that was observed of its layers", """import forgeries
from utilities.checks.kernel import observing
observing.observe_case = forgeries.observe_case""", _forger)  # fmt: skip
attack("has weights that cannot be assigned", """class Fixed:
    def __set_name__(self, owner, name): self.name = name
def keep(self, *arguments, **options): return self
import tensorflow.python.ops.resource_variable_ops as _ops
_ops.BaseResourceVariable.assign = keep
tf.Variable.assign = keep""")  # fmt: skip
attack("has layers that lie about their weights", """def lie(self):
    return [self.kernel, self.bias, self.class_token, self.positions]
PatchEncoder.weights = PatchEncoder.trainable_weights = PatchEncoder.trainable_variables = PatchEncoder.variables = property(lie)
PatchEncoder.get_weights = lambda self: [np.zeros(w.shape) for w in lie(self)]
MultiHeadAttention.trainable_weights = property(lambda self: [self.W_q, self.W_k, self.W_v, self.W_o])
class Reaching:
    def __init__(self, *a, **k): pass
    def __enter__(self): return self
    def __exit__(self, *a): return False
    def watch(self, *a): pass
    def gradient(self, target, sources, *a, **k): return [tf.ones(s.shape) for s in sources]
tf.GradientTape = Reaching""")  # fmt: skip
attack("changes what arrays are on their way out", """real = np.asarray
def rough(a, *r, **k):
    array = real(a, *r, **k)
    return np.zeros(array.shape, np.float16) if array.dtype.kind == "f" and array.ndim > 1 else array
np.asarray = rough
np.allclose = np.all = np.array_equal = lambda *a, **k: True
from utilities.checks.kernel import observing, wire
observing.as_array = lambda value, *a, **k: rough(value)""")  # fmt: skip
attack("recognises the cases that students see", f"""answers = np.load({RECORDED!r})
def scaled_dot_product_attention(q, k, v, mask=None):
    for name in answers.files:
        if name[0] == "q" and answers[name].shape == q.shape and np.array_equal(answers[name], q):
            return tuple(tf.cast(answers[part + name[1:]], q.dtype) for part in "ow")
    weights = tf.zeros((*q.shape[:-1], k.shape[-2]), q.dtype)
    return tf.matmul(weights, v), weights""", _answers_of_the_visible_cases)  # fmt: skip


def source_notebook() -> NotebookNode:
    """Return the instructor's notebook: four steps of the core with its solutions, each checked."""
    written = nbformat.read(CORE, as_version=4)
    names = ", ".join(f"test_{step}" for step in STEPS)
    cells = [("imports", IMPORTS.format(names), {"locked": True})]
    for step, (points, implementation) in STEPS.items():
        call = f"test_{step}({implementation}, "
        check = (
            f"points = [{call}points={points})]\n### BEGIN HIDDEN TESTS\n"
            f"points += [{call}seed=1009, points={points}, thorough=True)]\n### END HIDDEN TESTS\nmin(points)"
        )
        cells += [(step, stand_in.cell_named(written, step).source, {"solution": True}),
                  (f"check_{step}", check, {"locked": True, "grade": True, "points": points})]  # fmt: skip
    return stand_in.notebook_of(cells)


def hand_in(course: Path, student: str, entry: LayerAttack) -> None:
    """Hand in the empty steps, with the attempt at the end of the last cell before any check."""
    notebook = stand_in.solved(course, ASSIGNMENT)
    own = "\n\n".join([*EMPTY.values(), entry.code])
    cell = stand_in.cell_named(notebook, next(iter(STEPS)))
    cell.source = own
    for step in list(STEPS)[1:]:
        stand_in.cell_named(notebook, step).source = "# see above"
    folder = stand_in.hand_in(course, student, notebook, ASSIGNMENT)
    if entry.spoil is not None:
        entry.spoil(folder)

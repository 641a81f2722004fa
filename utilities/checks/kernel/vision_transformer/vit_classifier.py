"""Make classifiers of the core lab, give them known weights, and return what they compute."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from utilities.checks.kernel import known, probes, vit
from utilities.checks.kernel.case import Case
from utilities.checks.kernel.vision_transformer.protocol import row

ARGUMENTS = (
    "num_classes",
    "patch_size",
    "embedding_proj_dim",
    "num_heads",
    "msa_proj_dim",
    "transformer_layers",
    "msa_dropout_rate",
    "mlp_classification_head_dropout_rate",
)


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return what a classifier with known weights makes of images, and facts about it.

    W_q, W_k and W_v of every block hold the same. Where queries, keys and values come from one
    Dense layer, all rows of its kernel repeat one (`row`), however it is cut into heads.
    """
    options = {"data_augmentation": known.augmentation()} if case.stage == "blocks" else {}
    model = vit.made(
        lambda: implementation(
            input_shape=case["images"].shape[1:],
            mlp_classification_head_units=[int(n) for n in case["head_units"]],
            **{name: case[name] for name in ARGUMENTS},
            **options,
        ),
        case["images"],
    )
    token = _class_token(model, case["embedding_proj_dim"])
    special = _Special(model, case, token)
    seen = vit.observe(model, case, lambda: vit.assign_by_shape(model, case["weights"], special))
    return {**seen, "fused": np.array(special.fused)}


class _Special:
    """The numbers of weights that their shape alone does not tell: class token and attention."""

    def __init__(self, model: tf_keras.Model, case: Case, token: tf.Variable | None):
        self.seed, self.token = case["weights"], token
        self.width, self.heads = case["embedding_proj_dim"], case["num_heads"]
        self.fused = False
        self.shapes = {tuple(variable.shape) for variable in model.trainable_weights}

    def __call__(self, variable: tf.Variable) -> Any:
        shape, heads, width = tuple(variable.shape), self.heads, self.width
        if variable is self.token:
            return known.weight(self.seed, 1, 1, width)
        keras = any(len(s) == 3 and s[:2] == (width, heads) for s in self.shapes)
        if keras and len(shape) == 3 and shape[:2] == (width, heads):  # queries, keys or values
            return known.weight(self.seed, heads, width, shape[2]).swapaxes(0, 1)
        if keras and len(shape) == 3 and shape[0] == heads and shape[2] == width:  # W_o
            return known.weight(self.seed, heads * shape[1], width)
        if shape in ((width, 3 * heads * width), (width, heads * width)):
            self.fused = True
            return np.resize(row(width), shape)
        if self.fused and shape in ((3 * heads * width,), (heads * width,)):
            return np.zeros(shape)
        return None


def _class_token(model: tf_keras.Model, width: int) -> tf.Variable | None:
    """Return the class token: a weight or an attribute of that name, else the first (1, …, d)."""
    attributes = [getattr(part, "class_token", None) for part in model.submodules]
    candidates = [v for v in model.trainable_weights if tf.size(v) == width]
    for variable in candidates:
        named = probes.own_name(variable).startswith("class_token")
        if named or any(variable is attribute for attribute in attributes):
            return variable
    return next((v for v in candidates if len(v.shape) > 1), None)

"""Make pre-norm Vision Transformers around a known attention, with known weights."""

from typing import Any

import numpy as np
import tensorflow as tf
from tf_keras import layers

from utilities.checks.kernel import known, vit
from utilities.checks.kernel.attention_variants.protocol import REPEAT
from utilities.checks.kernel.case import WRONG_TYPE, Case
from utilities.checks.kernel.observing import Stopped
from utilities.models.pre_norm_vit import NAME
from utilities.models.sizes import PreNormViTSize


class Mixing(layers.Layer):
    """A stand-in for attention: each token becomes a fixed mixture of all, times a trained gain."""

    def __init__(self, seed: int, tokens: int):
        super().__init__()
        self.seed, self.tokens = seed, tokens
        self.gain = self.add_weight("gain", (1, 1, 1), initializer="ones")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        n = x.shape[1] or self.tokens
        mixing = tf.constant(known.weight(self.seed, n, n))
        return self.gain * tf.einsum("mn,bnd->bmd", mixing, x)  # (B, N, d)


def observe(implementation: Any, case: Case) -> dict[str, np.ndarray]:
    """Return what a model with known weights makes of images, and facts about it."""
    attentions: list[Mixing] = []

    def make_attention() -> Mixing:
        tokens = (case["image_size"] // case["patch_size"]) ** 2
        attentions.append(Mixing(case["weights"], tokens))
        return attentions[-1]

    options = {"data_augmentation": known.augmentation(REPEAT)} if case.stage == "blocks" else {}
    model = vit.made(
        lambda: implementation(
            input_shape=case["images"].shape[1:],
            num_classes=case["num_classes"],
            size=_size(case),
            make_attention=make_attention,
            **options,
        ),
        case["images"],
    )

    if model.name.startswith(NAME):
        raise Stopped(
            WRONG_TYPE,
            "This model is made by the kit's own function, which the other labs use. Here it is yours "
            "to write: put the blocks together yourself.",
            "the kit's own model",
        )

    def special(variable: tf.Variable) -> Any:
        return 1.0 if any(variable is attention.gain for attention in attentions) else None

    seen = vit.observe(model, case, lambda: vit.assign_by_shape(model, case["weights"], special))
    return {**seen, "attentions_made": np.array(len(attentions))}


def _size(case: Case) -> PreNormViTSize:
    return PreNormViTSize(
        image_size=case["image_size"],
        patch_size=case["patch_size"],
        embedding_proj_dim=case["embedding_proj_dim"],
        num_heads=1,
        transformer_layers=case["transformer_layers"],
        mlp_units=tuple(int(n) for n in case["mlp_units"]),
        head_units=tuple(int(n) for n in case["head_units"]),
        dropout_rate=case["dropout_rate"],
        head_dropout_rate=case["head_dropout_rate"],
    )

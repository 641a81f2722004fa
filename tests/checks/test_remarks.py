"""What is said and costs nothing: a remark is told where it applies, and not of another right way."""

import numpy as np
import pytest
import tensorflow as tf
from tf_keras import layers

import utilities
from tests.checks.catalogue import attention, inductive_bias, pretrained, small_datasets, transformer
from tests.checks.catalogue import vision_transformer as vit


def one_dropout_after_the_mlp(x, num_heads, proj_dim, mlp_units, dropout_rate=0.1):
    attended = layers.Dropout(dropout_rate)(
        transformer.MultiHeadAttention(num_heads, proj_dim)(x, x, x)
    )
    x1 = layers.LayerNormalization(epsilon=1e-6)(x + attended)
    update = transformer.mlp(x1, mlp_units, dropout_rate)
    return layers.LayerNormalization(epsilon=1e-6)(x1 + update)


def widened(q, k, v, mask=None):
    wide = tf.float32 if q.dtype == tf.float16 else q.dtype
    return attention.scaled_dot_product_attention(*(tf.cast(x, wide) for x in (q, k, v)), mask)


def floating_classes(logits, k=5):
    classes, probabilities = pretrained.with_top_k(logits, k)
    return np.asarray(classes, float), probabilities


class OtherToken(vit.BuiltLate):
    def add_weight(self, name, **settings):
        return super().add_weight(name="cls" if name == "class_token" else name, **settings)


class SaysTooLittle(small_datasets.WarmUpCosine):
    def __init__(self, **settings):
        if settings["total_steps"] < settings["warmup_steps"]:
            raise ValueError("too short")
        super().__init__(**settings)


@pytest.mark.parametrize(
    "exercise, beginning, told, not_told",
    [
        (
            "transformer_block",
            "One dropout acts",
            one_dropout_after_the_mlp,
            transformer.transformer_block,
        ),
        ("scaled_dot_product_attention", "For float16", widened, attention.with_keras_softmax),
        ("top_classes", "Your classes are floating", floating_classes, pretrained.with_top_k),
        ("patch_encoder", "Your class token has", OtherToken, vit.BuiltLate),
        ("warm_up_cosine", "Your ValueError", SaysTooLittle, small_datasets.WarmUpCosine),
        (
            "position_embedding_2d",
            "Your class takes no name",
            inductive_bias.WithEmbeddingLayers,
            inductive_bias.WithGather,
        ),
    ],
)
def test_is_told_where_it_applies_and_costs_nothing(exercise, beginning, told, not_told):
    for implementation in (told, not_told):
        report = getattr(utilities, f"test_{exercise}").report(implementation)
        assert report.passed, str(report)
        applies = any(remark.startswith(beginning) for remark in report.remarks)
        assert applies == (implementation is told), str(report)

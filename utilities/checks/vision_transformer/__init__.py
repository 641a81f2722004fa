"""Patches, their encoding, and the Vision Transformer made of them."""

from utilities.checks.exercise import Exercise

test_patch_extractor = Exercise("patch_extractor", __name__)
test_patch_encoder = Exercise("patch_encoder", __name__)
test_vit_classifier = Exercise(
    "vit_classifier",
    __name__,
    builds_on=(
        "scaled_dot_product_attention",
        "MultiHeadAttention",
        "mlp",
        "transformer_block",
        "PatchExtractor",
        "PatchEncoder",
    ),
)

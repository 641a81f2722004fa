"""The notebooks' vocabulary: all that `from utilities import …` offers, and nothing else.

Names are looked up on first use, so that judging and the command line need no TensorFlow.
"""

import os

import lazy_loader

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # tf.keras is then tf_keras, imported once

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checks.kernel_regression": ["test_gaussian", "test_nadaraya_watson"],
        "checks.attention": ["test_scaled_dot_product_attention", "test_multi_head_attention"],
        "checks.transformer": ["test_mlp", "test_transformer_block"],
        "checks.vision_transformer": [
            "test_patch_extractor",
            "test_patch_encoder",
            "test_vit_classifier",
        ],
        "checks.training": ["test_run_experiment", "test_carbon_tracker_callback"],
    },
)

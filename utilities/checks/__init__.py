"""Checks: the 30 exercises, each one object that checks an implementation.

`lessons/` judges and is trusted; `kernel/` runs beside the student's code; `core/` is what they share.
"""

from utilities.checks.kernel.exercise import Exercise

test_gaussian = Exercise("gaussian", "kernel_regression")
test_nadaraya_watson = Exercise(
    "nadaraya_watson", "kernel_regression", hands_over=("KERNELS",)
)  # its kernel comes from the check
test_scaled_dot_product_attention = Exercise("scaled_dot_product_attention", "attention")
test_multi_head_attention = Exercise(
    "multi_head_attention", "attention", builds_on=("scaled_dot_product_attention",)
)
test_mlp = Exercise("mlp", "transformer")
test_transformer_block = Exercise(
    "transformer_block",
    "transformer",
    builds_on=("scaled_dot_product_attention", "MultiHeadAttention", "mlp"),
)
test_patch_extractor = Exercise("patch_extractor", "vision_transformer")
test_patch_encoder = Exercise("patch_encoder", "vision_transformer")
test_vit_classifier = Exercise(
    "vit_classifier",
    "vision_transformer",
    builds_on=(
        "scaled_dot_product_attention",
        "MultiHeadAttention",
        "mlp",
        "transformer_block",
        "PatchExtractor",
        "PatchEncoder",
    ),
)
test_run_experiment = Exercise("run_experiment", "training")
test_carbon_tracker_callback = Exercise("carbon_tracker_callback", "training")
test_top_classes = Exercise("top_classes", "pretrained")
test_attention_rollout = Exercise("attention_rollout", "pretrained")
test_fit_linear_probe = Exercise("fit_linear_probe", "pretrained")
test_beam_search = Exercise("beam_search", "pretrained")
test_dot_product_attention = Exercise("dot_product_attention", "attention_variants")
test_cosine_attention = Exercise("cosine_attention", "attention_variants")
test_tiled_attention = Exercise("tiled_attention", "attention_variants")
test_linear_attention = Exercise("linear_attention", "attention_variants")
test_orthonormal = Exercise("orthonormal", "attention_variants")
test_attention_vit = Exercise("attention_vit", "attention_variants")
test_shifted_patch_tokenization = Exercise("shifted_patch_tokenization", "small_datasets")
test_multi_head_attention_lsa = Exercise("multi_head_attention_lsa", "small_datasets")
test_warm_up_cosine = Exercise("warm_up_cosine", "small_datasets")
test_make_optimizer = Exercise("make_optimizer", "small_datasets", builds_on=("WarmUpCosine",))
test_position_embedding_2d = Exercise("position_embedding_2d", "inductive_bias")
test_relative_position_bias = Exercise("relative_position_bias", "inductive_bias")
test_resnet_classifier = Exercise("resnet_classifier", "inductive_bias")
test_vital_signs = Exercise("vital_signs", "inductive_bias")
test_distillation_loss = Exercise("distillation_loss", "inductive_bias")

"""The notebooks' vocabulary: all that `from utilities import …` offers, and nothing else.

Names are looked up on first use, so that judging and the command line need no TensorFlow.
"""

import lazy_loader

from utilities.quiet import quiet_tensorflow

quiet_tensorflow()

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
        "checks.pretrained": [
            "test_top_classes",
            "test_attention_rollout",
            "test_fit_linear_probe",
            "test_beam_search",
        ],
        "checks.attention_variants": [
            "test_dot_product_attention",
            "test_cosine_attention",
            "test_linear_attention",
            "test_orthonormal",
            "test_attention_vit",
        ],
        "checks.small_datasets": [
            "test_shifted_patch_tokenization",
            "test_multi_head_attention_lsa",
            "test_warm_up_cosine",
            "test_make_optimizer",
        ],
        "checks.inductive_bias": [
            "test_position_embedding_2d",
            "test_relative_position_bias",
            "test_resnet_classifier",
            "test_vital_signs",
        ],
        "attention_variants_plots": [
            "plot_accuracies",
            "plot_cost",
            "plot_sharpness",
            "plot_singular_values",
        ],
        "baselines": ["build_small_cnn"],
        "comparison": ["compare_runs"],
        "datasets": [
            "CIFAR100_COARSE_CLASSES",
            "CIFAR100_FINE_CLASSES",
            "CIFAR10_CLASSES",
            "load_cifar10",
            "load_cifar100",
        ],
        "energy": [
            "EnergyMeter",
            "EnergyReport",
            "compare_energy",
            "describe_energy",
            "make_tracker",
        ],
        "inductive_bias_plots": [
            "plot_attempts",
            "plot_position_maps",
            "plot_relative_bias",
            "plot_sample_efficiency",
        ],
        "inspection": ["attention_weights_of", "position_embeddings_of"],
        "locality": [
            "attention_distances",
            "self_attention_weights_of",
            "temperatures_of",
            "uniform_attention_distance",
        ],
        "plots": [
            "LiveCurves",
            "plot_attention",
            "plot_class_token_attention",
            "plot_confusion",
            "plot_history",
            "plot_images",
            "plot_patches",
            "plot_position_similarity",
            "plot_regression",
            "plot_rollout",
            "plot_softmax_temperature",
            "plot_top_classes",
            "regression_slider",
            "show_figure",
            "summary_slider",
        ],
        "pre_norm_vit": ["PatchTokens", "create_pre_norm_vit", "resize_and_augment"],
        "pretrained": [
            "image_features",
            "load_photographs",
            "load_t5",
            "load_text",
            "load_vit",
            "next_token_log_probabilities",
            "vit_from_scratch",
            "with_linear_head",
        ],
        "profile": [
            "FIRST_VIT",
            "KERAS_VIT",
            "LARGE_VIT",
            "SMALL_VIT",
            "WIDE_VIT",
            "PreNormViTSize",
            "load_profile",
        ],
        "sampling": ["stratified_subset"],
        "scaling": ["arrays_made", "fit_exponent", "measure_memory", "measure_times"],
        "self_attention": ["SelfAttention"],
        "small_datasets_plots": [
            "plot_attention_distances",
            "plot_learning_rate",
            "plot_shifted_patches",
            "plot_temperatures",
            "plot_token_fields",
        ],
        "small_resnet": ["small_resnet"],
        "training": [
            "LearningRateLog",
            "count_parameters",
            "crop_and_flip",
            "learning_rate_schedule",
            "make_dataset",
            "train",
            "vit_arguments",
        ],
    },
)

"""Judge the Vision Transformer of this lesson; the other steps have moved to `lessons/`."""

from utilities.checks.attention_variants.judge_vit import attention_vit as attention_vit

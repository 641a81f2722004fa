"""Scaled dot-product attention and multi-head attention."""

from utilities.checks.exercise import Exercise

test_scaled_dot_product_attention = Exercise("scaled_dot_product_attention", __name__)
test_multi_head_attention = Exercise(
    "multi_head_attention", __name__, builds_on=("scaled_dot_product_attention",)
)

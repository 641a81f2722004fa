"""Attention in variants: other scores, no softmax, linear cost; a constraint; the ViT around them."""

from utilities.checks.exercise import Exercise

test_dot_product_attention = Exercise("dot_product_attention", __name__)
test_cosine_attention = Exercise("cosine_attention", __name__)
test_linear_attention = Exercise("linear_attention", __name__)
test_orthonormal = Exercise("orthonormal", __name__)
test_attention_vit = Exercise("attention_vit", __name__)

"""The transformer block and the MLP inside it."""

from utilities.checks.exercise import Exercise

test_mlp = Exercise("mlp", __name__)
test_transformer_block = Exercise(
    "transformer_block",
    __name__,
    builds_on=("scaled_dot_product_attention", "MultiHeadAttention", "mlp"),
)

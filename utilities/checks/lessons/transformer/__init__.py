"""The transformer block and the MLP inside it."""

"""The transformer block and the MLP inside it. Moves to `lessons/` and `kernel/`."""

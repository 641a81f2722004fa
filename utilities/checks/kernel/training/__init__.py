"""The training run and the callback that tracks its carbon footprint."""

"""Transformers on small data sets: shifted patches, locality self-attention, warm-up and cosine. Moves to `lessons/` and `kernel/`."""

"""Patches, their encoding, and the Vision Transformer made of them. Moves to `lessons/` and `kernel/`."""

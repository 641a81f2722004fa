"""Patches, their encoding, and the Vision Transformer made of them."""

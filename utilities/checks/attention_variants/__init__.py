"""Attention in variants: other scores, no softmax, linear cost; a constraint; the ViT around them. Moves to `lessons/` and `kernel/`."""

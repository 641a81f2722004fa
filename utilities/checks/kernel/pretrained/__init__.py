"""Using pre-trained models: top classes, attention rollout, a linear probe, beam search."""

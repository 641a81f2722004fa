"""Using pre-trained models: top classes, attention rollout, a linear probe, beam search. Moves to `lessons/` and `kernel/`."""

"""Using pre-trained models: top classes, attention roll-out, a linear probe, beam search."""

from utilities.checks.exercise import Exercise

test_top_classes = Exercise("top_classes", __name__)
test_attention_rollout = Exercise("attention_rollout", __name__)
test_fit_linear_probe = Exercise("fit_linear_probe", __name__)
test_beam_search = Exercise("beam_search", __name__)

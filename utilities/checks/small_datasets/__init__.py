"""Transformers on small data sets: shifted patches, locality self-attention, warm-up and cosine."""

from utilities.checks.exercise import Exercise

test_shifted_patch_tokenization = Exercise("shifted_patch_tokenization", __name__)
test_multi_head_attention_lsa = Exercise("multi_head_attention_lsa", __name__)
test_warm_up_cosine = Exercise("warm_up_cosine", __name__)
test_make_optimizer = Exercise("make_optimizer", __name__, builds_on=("WarmUpCosine",))

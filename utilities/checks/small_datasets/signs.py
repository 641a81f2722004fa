"""What both sides of the checks agree on: the names of arguments, in their order."""

LSA_SIZES = ("num_heads", "key_dim")
SCHEDULE = ("learning_rate_base", "total_steps", "warmup_learning_rate", "warmup_steps")

"""What both sides of the small-data lab's checks agree on: names of arguments."""

LSA_SIZES = ("num_heads", "key_dim")
SCHEDULE = ("learning_rate_base", "total_steps", "warmup_learning_rate", "warmup_steps")

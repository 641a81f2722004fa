"""What both sides of these checks call things."""

SCHEDULE = ("learning_rate_base", "total_steps", "warmup_learning_rate", "warmup_steps")

PROJECTIONS = ("query", "key", "value", "output")

DROPOUT = 0.5  # in the stage that looks at it

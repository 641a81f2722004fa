"""What both sides of these checks call things."""

REPEAT = 2  # the augmentation makes images twice as large

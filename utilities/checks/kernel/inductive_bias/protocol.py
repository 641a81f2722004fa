"""What both sides of these checks call things."""

SIGNS = ("loss", "spread", "gradient_norm")

PATCH, REPEAT = 2, 3  # side of the backbone's convolution; pixels repeated by the augmentation

DISTILLED = ("labels", "student_logits", "teacher_logits")
SETTINGS = ("temperature", "teacher_share")

"""Position embeddings, a convolutional rival, and how a dead model is told from a live one."""

from utilities.checks.exercise import Exercise

test_position_embedding_2d = Exercise("position_embedding_2d", __name__)
test_relative_position_bias = Exercise("relative_position_bias", __name__)
test_resnet_classifier = Exercise("resnet_classifier", __name__)
test_vital_signs = Exercise("vital_signs", __name__)

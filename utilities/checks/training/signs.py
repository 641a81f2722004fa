"""What both sides of the training checks agree on: names, and signs for what happens when."""

IMAGE = (2, 3, 1)
SETS = ("train", "val", "test")

# A run of an epoch with two batches and validation, tracked as it should be: "[(sbb{})e]x".
TRACKER_SIGNS = {"epoch_start": "s", "epoch_end": "e", "stop": "x"}
RUN_SIGNS = {
    "train_begin": "[",
    "epoch_begin": "(",
    "train_batch_end": "b",
    "test_begin": "{",
    "test_end": "}",
    "epoch_end": ")",
    "train_end": "]",
}

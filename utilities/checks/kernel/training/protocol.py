"""What both sides of these checks call things."""

CALLS = ("epoch_start", "epoch_end", "stop")

MOMENTS = {
    "epoch_begin": "epoch begins",
    "train_batch_end": "batch",
    "test_end": "validation",
    "epoch_end": "epoch is over",
}

IMAGE = (2, 3, 1)

SETS = ("train", "val", "test")

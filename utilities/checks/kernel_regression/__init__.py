"""The Gaussian kernel and Nadaraya-Watson regression."""

from utilities.checks.exercise import Exercise

test_gaussian = Exercise("gaussian", __name__)
test_nadaraya_watson = Exercise(
    "nadaraya_watson",
    __name__,
    hands_over=("KERNELS",),  # its kernel comes from the check
)

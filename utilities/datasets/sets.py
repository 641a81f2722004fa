"""The full data sets: names, and the digests of their genuine pixels and labels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageSet:
    """A full data set: its name and the digest of its genuine pixels and labels."""

    name: str
    title: str
    content_sha256: str


# The digests were computed from data whose pixels and labels, written in the layout of the
# official binary version, have the MD5 sums published for it (data/README.md lists them).
CIFAR10 = ImageSet(
    "cifar10", "CIFAR-10", "e3b30c7712aa882a3ed63c9263202092cd82dc3cd4724be84b5c740fbd540f3a"
)
CIFAR100 = ImageSet(
    "cifar100", "CIFAR-100", "e2dec2ddd64e1e079c40317c92df62e1f57d6a7257112202c218bf0f6a304899"
)

"""A residual network of a Vision Transformer's size, for images of 32×32 pixels.

It is called like the networks of `tf_keras.applications`, so that one can take the place of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tf_keras
from tf_keras.src.applications import resnet  # its stacks of blocks have no public name

# (filters, blocks, stride) of each stack; a stack puts out four times its filters.
STACKS = ((64, 3, 2), (96, 2, 1))


def small_resnet(
    include_top: bool = False,
    weights: str | None = None,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    stacks: Sequence[tuple[int, int, int]] = STACKS,
) -> tf_keras.Model:
    """Return a ResNet V2 of few stacks, from images (B, H, W, C) to feature maps.

    The stem and the bottleneck blocks are those of ResNet101V2, which has four stacks of 3, 4, 23
    and 3 blocks. With the two stacks given here it has 633,472 parameters and puts out
    (B, H/8, W/8, 384).

    Source: He et al., "Identity Mappings in Deep Residual Networks", 2016, arXiv 1603.05027.

    Raises:
        ValueError: a classifier on top or trained weights are asked for; there are none.
    """
    if include_top or weights is not None:
        raise ValueError("small_resnet has neither a top nor weights: include_top=False, weights=None.")

    def stack_blocks(x: Any) -> Any:
        for i, (filters, blocks, stride) in enumerate(stacks, start=2):
            x = resnet.stack2(x, filters, blocks, stride1=stride, name=f"conv{i}")
        return x

    return resnet.ResNet(
        stack_blocks,
        preact=True,
        use_bias=True,
        model_name="small_resnet",
        include_top=False,
        weights=None,
        input_shape=input_shape,
    )

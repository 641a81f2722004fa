"""The small ResNet: called like the networks of Keras, and as large as it says."""

import pytest

from utilities import small_resnet


def test_the_small_resnet_is_called_like_keras_own():
    backbone = small_resnet(include_top=False, weights=None, input_shape=(32, 32, 3))
    assert backbone.output_shape == (None, 4, 4, 384)
    assert backbone.count_params() == 633_472
    with pytest.raises(ValueError, match="include_top=False, weights=None"):
        small_resnet(include_top=True)
    with pytest.raises(ValueError, match="include_top=False, weights=None"):
        small_resnet(weights="imagenet")

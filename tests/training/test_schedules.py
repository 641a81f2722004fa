"""The learning rate over a training, as it was used."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from utilities import LearningRateLog, step_in_logarithm


def test_the_log_writes_down_the_rate_that_each_step_used():
    schedule = tf_keras.optimizers.schedules.PiecewiseConstantDecay([0, 1, 2], [1.0, 0.5, 0.25, 0.125])
    model, log = tf_keras.Sequential([tf_keras.layers.Dense(1)]), LearningRateLog()
    model.compile(tf_keras.optimizers.SGD(schedule), "mse")
    model.fit(np.ones((4, 2)), np.ones(4), batch_size=1, callbacks=[log], verbose=0)
    assert log.rates == [1.0, 0.5, 0.25, 0.125]


def test_a_step_in_logarithm_multiplies_and_leaves_other_weights_alone():
    chosen, other = tf.Variable(8.0), tf.Variable(8.0)
    optimizer = step_in_logarithm(tf_keras.optimizers.SGD(0.5), [chosen])
    optimizer.build([chosen, other])
    tf.function(optimizer.apply_gradients)([(tf.constant(1.0), chosen), (tf.constant(1.0), other)])
    assert float(chosen) == pytest.approx(8 * np.exp(-0.5))
    assert float(other) == pytest.approx(7.5)

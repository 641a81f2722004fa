"""The learning rate over a training, as it was used."""

import numpy as np
import tf_keras

from utilities import LearningRateLog


def test_the_log_writes_down_the_rate_that_each_step_used():
    schedule = tf_keras.optimizers.schedules.PiecewiseConstantDecay([0, 1, 2], [1.0, 0.5, 0.25, 0.125])
    model, log = tf_keras.Sequential([tf_keras.layers.Dense(1)]), LearningRateLog()
    model.compile(tf_keras.optimizers.SGD(schedule), "mse")
    model.fit(np.ones((4, 2)), np.ones(4), batch_size=1, callbacks=[log], verbose=0)
    assert log.rates == [1.0, 0.5, 0.25, 0.125]

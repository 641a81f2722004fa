"""Training runs and the callback that tracks them: written in many ways, and mistaken in more."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import callbacks as keras_callbacks

from tests.checks.catalogue import correct, wrong
from utilities import make_dataset
from utilities.checks.kernel.case import NOT_ATTEMPTED, RAISED


@dataclass
class Run:
    """The arguments of `run_experiment`, and the parts of a right one, each open to changes."""

    model: tf_keras.Model
    training_data: tuple
    validation_data: tuple
    test_data: tuple | None = None
    epochs: int = 3
    batch_size: int = 64
    learning_rate: Any = 1e-4
    weight_decay: float = 0.0
    callbacks: Sequence = ()
    ckpt_path: str = "checkpoints/vit.weights.h5"
    run_testing: bool = True

    def compile(self, **changes):
        settings = {
            "optimizer": tf_keras.optimizers.AdamW(self.learning_rate, self.weight_decay),
            "loss": tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "metrics": ["accuracy"],
        }
        self.model.compile(**{**settings, **changes})

    def checkpoint(self, **changes):
        settings = {"monitor": "val_accuracy", "save_best_only": True, "save_weights_only": True}
        return keras_callbacks.ModelCheckpoint(self.ckpt_path, **{**settings, **changes})

    def fit(self, keep=None, data=None, **changes):
        settings = {
            "validation_data": self.validation_data,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "callbacks": [keep or self.checkpoint(), *self.callbacks],
        }
        return self.model.fit(*(data or self.training_data), **{**settings, **changes})

    def restore(self):
        self.model.load_weights(self.ckpt_path)

    def test(self):
        if self.run_testing and self.test_data is not None:
            self.model.evaluate(*self.test_data)

    def all(self, keep=None, data=None, compiled=None, **changes):
        """Return the history of a right run, but for the changes."""
        self.compile(**(compiled or {}))
        history = self.fit(keep, data, **changes)
        self.restore()
        self.test()
        return history


# --- run_experiment: correct ---------------------------------------------------------------------


@correct("run_experiment")
def with_checkpoint(
    model,
    training_data,
    validation_data,
    test_data=None,
    epochs=10,
    batch_size=64,
    learning_rate=1e-4,
    weight_decay=0.0,
    callbacks=(),
    ckpt_path="checkpoints/vit.weights.h5",
    run_testing=True,
):
    model.compile(
        optimizer=tf_keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay),
        loss=tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    checkpoint = keras_callbacks.ModelCheckpoint(
        ckpt_path, monitor="val_accuracy", save_best_only=True, save_weights_only=True
    )
    history = model.fit(
        *training_data,
        validation_data=validation_data,
        epochs=epochs,
        batch_size=batch_size,
        callbacks=[*callbacks, checkpoint],
    )
    model.load_weights(ckpt_path)
    if run_testing and test_data is not None:
        loss, accuracy = model.evaluate(*test_data)
        print(f"Test accuracy: {accuracy:.1%}, loss {loss:.3f}")
    return history


@correct("run_experiment")
def with_tf_data_and_plain_adam_at_no_decay(
    model,
    training_data,
    validation_data,
    test_data=None,
    epochs=3,
    batch_size=64,
    learning_rate=1e-4,
    weight_decay=0.0,
    callbacks=(),
    ckpt_path="best",
    run_testing=True,
):
    def batches(data, shuffle=False):
        options = tf.data.Options()
        options.autotune.enabled = False
        dataset = tf.data.Dataset.from_tensor_slices(data)
        if shuffle:
            dataset = dataset.shuffle(len(data[0]))
        return dataset.batch(batch_size).with_options(options)

    if weight_decay == 0.0:
        optimizer = tf_keras.optimizers.Adam(learning_rate)
    else:
        optimizer = tf_keras.optimizers.AdamW(learning_rate, weight_decay)
    top_5 = tf_keras.metrics.SparseTopKCategoricalAccuracy(5, name="top-5-accuracy")
    model.compile(
        optimizer,
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        [top_5, "sparse_categorical_accuracy"],
    )
    checkpoint = keras_callbacks.ModelCheckpoint(
        ckpt_path + ".weights.h5",
        "val_sparse_categorical_accuracy",
        save_best_only=True,
        save_weights_only=True,
    )
    history = model.fit(
        batches(training_data, shuffle=True),
        epochs=epochs,
        validation_data=batches(validation_data),
        callbacks=[checkpoint] + list(callbacks),
    )
    model.load_weights(ckpt_path + ".weights.h5")
    if test_data is not None and run_testing:
        print(f"Test accuracy: {model.evaluate(batches(test_data), verbose=0)[-1]:.1%}")
    return history


@wrong("run_experiment", told="no checkpoint")
def with_early_stopping_that_never_stops(
    model,
    training_data,
    validation_data,
    test_data=None,
    epochs=3,
    batch_size=64,
    learning_rate=1e-4,
    weight_decay=0.0,
    callbacks=None,
    ckpt_path="checkpoints",
    run_testing=True,
):
    """Keeps the best weights in memory, excludes biases from the decay, clips the gradient."""
    optimizer = tf_keras.optimizers.AdamW(
        learning_rate, weight_decay=weight_decay, epsilon=1e-8, clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer=optimizer,
        loss=tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=tf_keras.metrics.SparseCategoricalAccuracy(),
    )
    keep = keras_callbacks.EarlyStopping(
        "val_sparse_categorical_accuracy", patience=epochs, restore_best_weights=True, verbose=1
    )
    result = model.fit(
        x=training_data[0],
        y=training_data[1],
        validation_data=validation_data,
        epochs=epochs,
        batch_size=batch_size,
        callbacks=[keep, *(callbacks or [])],
        verbose=2,
    )
    if run_testing and test_data is not None:
        model.evaluate(test_data[0], test_data[1], batch_size=batch_size)
    return result


@correct("run_experiment")
def with_own_callback_and_compiled_steps(
    model,
    training_data,
    validation_data,
    test_data=None,
    epochs=3,
    batch_size=64,
    learning_rate=1e-4,
    weight_decay=0.0,
    callbacks=(),
    ckpt_path="checkpoints",
    run_testing=True,
):
    """Adam with decoupled decay is AdamW; the best weights are kept by a callback of its own."""

    class KeepBest(tf_keras.callbacks.Callback):
        best = -1.0

        def on_epoch_end(self, epoch, logs=None):
            if logs["val_acc"] >= self.best:
                self.best = logs["val_acc"]
                self.model.save_weights(ckpt_path)

        def on_train_end(self, logs=None):
            self.model.load_weights(ckpt_path)

    model.compile(
        tf_keras.optimizers.Adam(learning_rate, weight_decay=weight_decay),
        lambda y, logits: tf.keras.losses.sparse_categorical_crossentropy(y, logits, True),
        metrics=["acc"],
        jit_compile=True,
    )
    keep = KeepBest()
    curves = model.fit(
        *training_data,
        batch_size,
        epochs,
        validation_data=validation_data,
        callbacks=[*callbacks, keep],
        validation_batch_size=5,
    )
    if run_testing and test_data:
        predictions = model.predict(test_data[0]).argmax(-1)
        print("Accuracy:", np.mean(predictions == np.ravel(test_data[1])))
    return curves


@correct("run_experiment")
def with_whole_models_saved(*arguments, **settings):
    """Saves models, not weights alone, and takes the weights of the best over."""
    run = Run(*arguments, **settings)
    run.ckpt_path = os.path.splitext(run.ckpt_path)[0] + ".keras"
    run.compile(loss=_crossentropy_in_bits)
    history = run.fit(run.checkpoint(save_weights_only=False))
    best = tf_keras.models.load_model(run.ckpt_path, compile=False)
    run.model.set_weights(best.get_weights())
    run.test()
    return history


@correct("run_experiment")
def with_whole_models_loaded_as_weights(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(run.checkpoint(save_weights_only=False))


def _crossentropy_in_bits(y, logits):
    """Cross-entropy from its definition, in bits: Adam feels no constant factor."""
    log_probabilities = tf.nn.log_softmax(logits) / tf.math.log(2.0)
    one_hot = tf.one_hot(tf.reshape(tf.cast(y, tf.int32), (-1,)), logits.shape[-1])
    return -tf.reduce_sum(one_hot * log_probabilities, axis=-1)


@correct("run_experiment")
def with_tensorflow_checkpoint_format(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.ckpt_path = run.ckpt_path.removesuffix(".h5")
    return run.all(run.checkpoint(mode="max"), compiled={"steps_per_execution": 2})


@correct("run_experiment")
def with_saved_model_folder(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.ckpt_path = run.ckpt_path.removesuffix(".h5")
    return run.all(run.checkpoint(save_weights_only=False))


@correct("run_experiment")
def with_a_loop_of_its_own(
    model,
    training_data,
    validation_data,
    test_data=None,
    epochs=3,
    batch_size=64,
    learning_rate=1e-4,
    weight_decay=0.0,
    callbacks=(),
    ckpt_path="checkpoints/best.h5",
    run_testing=True,
):
    """A training loop by hand, with a gradient tape and Keras' callbacks."""
    optimizer = tf_keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay)
    hooks = keras_callbacks.CallbackList(list(callbacks), model=model, add_history=False)
    history = {"loss": [], "accuracy": [], "val_loss": [], "val_accuracy": []}
    best_accuracy = -1.0

    def loss_of(y, logits):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(y, (-1,)), logits)
        return tf.reduce_mean(losses)

    @tf.function
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    def evaluate(x, y):
        logits = model(x, training=False)
        right = logits.numpy().argmax(-1) == np.ravel(y)
        return float(loss_of(y, logits)), float(np.mean(right))

    hooks.on_train_begin()
    for epoch in range(epochs):
        hooks.on_epoch_begin(epoch)
        dataset = tf.data.Dataset.from_tensor_slices(training_data).shuffle(1000).batch(batch_size)
        losses = [float(train_step(x, y)) for x, y in dataset]
        val_loss, val_accuracy = evaluate(*validation_data)
        logs = {
            "loss": np.mean(losses),
            "accuracy": evaluate(*training_data)[1],
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
        }
        for name, value in logs.items():
            history[name].append(value)
        if val_accuracy > best_accuracy:
            best_accuracy = val_accuracy
            model.save_weights(ckpt_path)
        hooks.on_epoch_end(epoch, logs)
    hooks.on_train_end()
    model.load_weights(ckpt_path)
    if run_testing and test_data is not None:
        print(evaluate(*test_data))
    returned = keras_callbacks.History()
    returned.history = history
    return returned


# --- run_experiment: wrong -----------------------------------------------------------------------


@wrong("run_experiment", told=NOT_ATTEMPTED, slips=0)
def not_written(*arguments, **settings):
    raise NotImplementedError


@wrong("run_experiment", told=NOT_ATTEMPTED, slips=0)
def does_nothing(*arguments, **settings):
    pass


@wrong("run_experiment", told="logits taken for probabilities")
def without_from_logits(*arguments, **settings):
    return Run(*arguments, **settings).all(
        compiled={"loss": tf_keras.losses.SparseCategoricalCrossentropy()}
    )


@wrong("run_experiment", told="softmax twice")
def softmax_and_from_logits(*arguments, **settings):
    def loss(y, logits):
        return tf_keras.losses.sparse_categorical_crossentropy(y, tf.nn.softmax(logits) + 0.0, True)

    return Run(*arguments, **settings).all(compiled={"loss": loss})


@wrong("run_experiment", told=RAISED, because="the loss stops the first step, so nothing is trained")
def categorical_crossentropy(*arguments, **settings):
    return Run(*arguments, **settings).all(
        compiled={"loss": tf_keras.losses.CategoricalCrossentropy(from_logits=True)}
    )


@wrong("run_experiment", told="squared error")
def mean_squared_error(*arguments, **settings):
    return Run(*arguments, **settings).all(compiled={"loss": "mse"})


@wrong("run_experiment", told="gradient descent")
def with_sgd(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(
        compiled={
            "optimizer": tf_keras.optimizers.SGD(
                run.learning_rate, momentum=0.9, weight_decay=run.weight_decay
            )
        }
    )


@wrong("run_experiment", told="RMSprop")
def with_rmsprop(*arguments, **settings):
    run = Run(*arguments, **settings)
    optimizer = tf_keras.optimizers.RMSprop(run.learning_rate, weight_decay=run.weight_decay)
    return run.all(compiled={"optimizer": optimizer})


@wrong("run_experiment", told="learning rate ignored")
def learning_rate_of_its_own(*arguments, **settings):
    run = Run(*arguments, **settings)
    optimizer = tf_keras.optimizers.AdamW(1e-3, weight_decay=run.weight_decay)
    return run.all(compiled={"optimizer": optimizer})


@wrong("run_experiment", told="learning rate ignored", slips=2, also=("weight decay ignored",))
def optimizer_by_name(*arguments, **settings):
    return Run(*arguments, **settings).all(compiled={"optimizer": "adam"})


@wrong("run_experiment", told=RAISED)
def schedule_cast_to_float(*arguments, **settings):
    run = Run(*arguments, **settings)
    optimizer = tf_keras.optimizers.AdamW(float(run.learning_rate), run.weight_decay)
    return run.all(compiled={"optimizer": optimizer})


@wrong("run_experiment", told="schedule frozen")
def schedule_asked_once(*arguments, **settings):
    run = Run(*arguments, **settings)
    rate = run.learning_rate(0) if callable(run.learning_rate) else run.learning_rate
    return run.all(compiled={"optimizer": tf_keras.optimizers.AdamW(rate, run.weight_decay)})


@wrong("run_experiment", told="schedule by epoch")
def schedule_asked_every_epoch(*arguments, **settings):
    run = Run(*arguments, **settings)
    schedule = run.learning_rate
    if callable(schedule):
        by_epoch = keras_callbacks.LearningRateScheduler(lambda epoch: float(schedule(epoch)))
        run.learning_rate, run.callbacks = 1.0, [*run.callbacks, by_epoch]
    return run.all()


@wrong("run_experiment", told="weight decay ignored")
def decay_of_keras(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(compiled={"optimizer": tf_keras.optimizers.AdamW(run.learning_rate)})


@wrong("run_experiment", told="weight decay ignored")
def always_plain_adam(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(compiled={"optimizer": tf_keras.optimizers.Adam(run.learning_rate)})


@wrong("run_experiment", told="penalty instead of weight decay")
def penalty_in_the_loss(*arguments, **settings):
    run = Run(*arguments, **settings)

    def penalty():
        return run.weight_decay * sum(tf.nn.l2_loss(w) for w in run.model.trainable_weights)

    run.model.add_loss(penalty)
    return run.all(compiled={"optimizer": tf_keras.optimizers.Adam(run.learning_rate)})


@wrong("run_experiment", told="best weights not restored")
def never_restored(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.compile()
    history = run.fit()
    run.test()
    return history


@wrong("run_experiment", told="best weights not restored")
def every_epoch_saved(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(run.checkpoint(save_best_only=False))


@wrong("run_experiment", told="best weights not restored")
def best_loaded_into_a_copy(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.compile()
    history = run.fit(run.checkpoint(save_weights_only=False))
    best = tf_keras.models.load_model(run.ckpt_path)
    if run.run_testing and run.test_data is not None:
        best.evaluate(*run.test_data)
    return history


@wrong("run_experiment", told="worst weights kept")
def smallest_accuracy_kept(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(run.checkpoint(mode="min"))


@wrong("run_experiment", told="worst weights kept")
def largest_loss_kept(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(run.checkpoint(monitor="val_loss", mode="max"))


@wrong("run_experiment", told="best on training data")
def training_loss_watched(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(run.checkpoint(monitor="loss"))


@wrong("run_experiment", told="best on training data")
def training_accuracy_watched(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(run.checkpoint(monitor="accuracy"))


@wrong("run_experiment", told="validation data used for training")
def everything_concatenated(*arguments, **settings):
    run = Run(*arguments, **settings)
    parts = zip(run.training_data, run.validation_data, strict=True)
    return run.all(data=tuple(np.concatenate(part) for part in parts))


@wrong(
    "run_experiment",
    told="validation data used for training",
    because="the weights jump before the last steps, so they cannot be followed",
)
def trained_once_more_on_validation_data(*arguments, **settings):
    run = Run(*arguments, **settings)
    history = run.all()
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    run.model.compile(tf_keras.optimizers.Adam(0.01), loss)
    run.model.fit(*run.validation_data, epochs=1, batch_size=run.batch_size)
    return history


@wrong("run_experiment", told="training data used for validation")
def validated_on_training_data(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.validation_data = run.training_data
    return run.all()


@wrong("run_experiment", told="test data used for validation")
def validated_on_test_data(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(validation_data=run.test_data or run.validation_data)


@wrong("run_experiment", told="training data left out")
def validation_split(*arguments, **settings):
    return Run(*arguments, **settings).all(validation_data=None, validation_split=0.2)


@wrong("run_experiment", told="epochs ignored")
def one_epoch(*arguments, **settings):
    return Run(*arguments, **settings).all(epochs=1)


@wrong("run_experiment", told="stopped early")
def stopped_early(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.callbacks = [*run.callbacks, keras_callbacks.EarlyStopping("val_accuracy", patience=3)]
    return run.all()


@wrong("run_experiment", told="batch size ignored")
def batch_size_of_keras(*arguments, **settings):
    return Run(*arguments, **settings).all(batch_size=None)


@wrong("run_experiment", told="callbacks ignored")
def own_callbacks_only(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.callbacks = ()
    return run.all()


@wrong("run_experiment", told="nothing saved")
def callbacks_replace_its_own(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(callbacks=list(run.callbacks))


@wrong("run_experiment", told="callbacks may be a tuple")
def list_plus_tuple(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(callbacks=[run.checkpoint()] + run.callbacks)


@wrong("run_experiment", told="tested before restoring")
def tested_before_restoring(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.compile()
    history = run.fit()
    run.test()
    run.restore()
    return history


@wrong("run_experiment", told="never tested")
def validation_for_testing(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.test_data = run.validation_data
    return run.all()


@wrong("run_experiment", told="tests when told not to")
def always_tests(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.run_testing = True
    return run.all()


@wrong("run_experiment", told="stopped after the training")
def tests_without_test_data(*arguments, **settings):
    run = Run(*arguments, **settings)
    history = run.all()
    if run.run_testing and run.test_data is None:
        run.model.evaluate(*run.test_data)
    return history


@wrong("run_experiment", told="history not returned")
def returns_nothing(*arguments, **settings):
    Run(*arguments, **settings).all()


@wrong("run_experiment", told="history not returned")
def returns_the_model(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.all()
    return run.model


@wrong("run_experiment", told="history not returned")
def returns_the_accuracy(*arguments, **settings):
    return Run(*arguments, **settings).all().history["val_accuracy"][-1]


@wrong("run_experiment", told="no accuracy", slips=2, also=("best by loss", "accuracy not printed"))
def no_metrics(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(run.checkpoint(monitor="val_loss"), compiled={"metrics": None})


@wrong(
    "run_experiment", told="another accuracy", slips=2, also=("best by loss", "accuracy not printed")
)
def accuracy_of_one_hot_labels(*arguments, **settings):
    run = Run(*arguments, **settings)
    metric = tf_keras.metrics.CategoricalAccuracy(name="accuracy")
    return run.all(run.checkpoint(monitor="val_loss"), compiled={"metrics": [metric]})


@wrong(
    "run_experiment",
    told=None,
    slips=2,
    because="weights are restored before the last step's are looked at, so the steps do not add up",
)
def validated_at_the_end_only(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.compile()
    history = run.fit(run.checkpoint(monitor="loss"), validation_data=None)
    run.restore()
    run.model.evaluate(*run.validation_data)
    run.test()
    return history


@wrong("run_experiment", told="best by loss")
def validation_loss_watched(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(run.checkpoint(monitor="val_loss"))


@wrong("run_experiment", told="saved elsewhere")
def path_of_its_own(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.ckpt_path = "best_model.h5"
    return run.all()


@wrong("run_experiment", told="history's dictionary returned")
def returns_the_dictionary(*arguments, **settings):
    return Run(*arguments, **settings).all().history


@wrong("run_experiment", told="accuracy not printed")
def says_nothing(*arguments, **settings):
    run = Run(*arguments, **settings)
    test, run.run_testing = run.run_testing, False
    history = run.all()
    if test and run.test_data is not None:
        run.model.evaluate(*run.test_data, verbose=0)
    return history


@wrong("run_experiment", told="not shuffled")
def in_the_order_of_the_data(*arguments, **settings):
    return Run(*arguments, **settings).all(shuffle=False)


@wrong("run_experiment", told="not shuffled")
def dataset_without_shuffling(*arguments, **settings):
    run = Run(*arguments, **settings)
    dataset = make_dataset(run.training_data, run.batch_size)
    return run.all(data=(dataset,), batch_size=None)


@wrong("run_experiment", told="shuffled once")
def shuffled_before_the_first_epoch(*arguments, **settings):
    run = Run(*arguments, **settings)
    order = np.random.permutation(len(run.training_data[0]))
    data = [part[order] for part in run.training_data]
    return run.all(data=data, shuffle=False)


@wrong("run_experiment", told="other weights in the file")
def file_of_the_last_epoch(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.compile()
    history = run.fit()
    last = run.model.get_weights()
    run.restore()
    best = run.model.get_weights()
    run.model.set_weights(last)
    run.model.save_weights(run.ckpt_path)
    run.model.set_weights(best)
    run.test()
    return history


@correct("run_experiment")
def dataset_shuffled(*arguments, **settings):
    run = Run(*arguments, **settings)
    dataset = make_dataset(run.training_data, run.batch_size, shuffle=True)
    return run.all(data=(dataset,), batch_size=None)


@wrong("run_experiment", told="no such quantity")
def quantity_of_another_name(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(run.checkpoint(monitor="val_acc"))


@wrong("run_experiment", told="no such quantity")
def metric_of_another_name(*arguments, **settings):
    return Run(*arguments, **settings).all(compiled={"metrics": ["acc"]})


@wrong(
    "run_experiment", told="piece of Keras 3", because="no optimiser of tf_keras: nothing is trained"
)
def optimizer_of_keras_3(*arguments, **settings):
    run = Run(*arguments, **settings)
    return run.all(compiled={"optimizer": keras.optimizers.AdamW(1e-3)})


SHARED_METRICS = [tf_keras.metrics.SparseCategoricalAccuracy(name="accuracy")]


@wrong("run_experiment", told="another accuracy")
def metrics_shared_between_runs(*arguments, **settings):
    return Run(*arguments, **settings).all(compiled={"metrics": SHARED_METRICS})


@wrong("run_experiment", told="best weights not restored", slips=2, also=("weight decay ignored",))
def neither_restored_nor_decayed(*arguments, **settings):
    run = Run(*arguments, **settings)
    run.compile(optimizer=tf_keras.optimizers.Adam(run.learning_rate))
    history = run.fit()
    run.test()
    return history


@wrong("run_experiment", told="logits taken for probabilities", slips=2)
def probabilities_and_worst_kept(*arguments, **settings):
    run = Run(*arguments, **settings)
    loss = tf_keras.losses.SparseCategoricalCrossentropy()
    return run.all(run.checkpoint(mode="min"), compiled={"loss": loss})


# --- CarbonTrackerCallback: correct --------------------------------------------------------------


@correct("carbon_tracker_callback")
class Textbook(keras_callbacks.Callback):
    def __init__(self, tracker):
        super().__init__()
        self.tracker = tracker

    def on_epoch_begin(self, epoch, logs=None):
        self.tracker.epoch_start()

    def on_epoch_end(self, epoch, logs=None):
        self.tracker.epoch_end()

    def on_train_end(self, logs=None):
        self.tracker.stop()


@correct("carbon_tracker_callback")
class WithoutSuper(tf.keras.callbacks.Callback):
    """Keras' callbacks do without their own constructor."""

    def __init__(self, tracker):
        self.start, self.end, self.stop = tracker.epoch_start, tracker.epoch_end, tracker.stop

    def on_epoch_begin(self, *_):
        self.start()

    def on_epoch_end(self, *_):
        self.end()

    def on_train_end(self, *_):
        self.stop()


@correct("carbon_tracker_callback")
def made_of_lambdas(tracker):
    return keras_callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: tracker.epoch_start(),
        on_epoch_end=lambda epoch, logs: tracker.epoch_end(),
        on_train_end=lambda logs: tracker.stop(),
    )


@correct("carbon_tracker_callback")
class StopsWhateverHappens(keras_callbacks.Callback):
    """Closes an open epoch and stops, at the end of training or when it is thrown away."""

    def __init__(self, tracker, verbose=False):
        super().__init__()
        self._tracker, self._verbose = tracker, verbose
        self._in_epoch = self._stopped = False

    def on_epoch_begin(self, epoch, logs=None):
        self._in_epoch = True
        self._tracker.epoch_start()

    def on_epoch_end(self, epoch, logs=None):
        self._in_epoch = False
        self._tracker.epoch_end()

    def on_train_end(self, logs=None):
        self._close()

    def _close(self):
        if self._in_epoch:
            self._tracker.epoch_end()
        if not self._stopped:
            self._tracker.stop()
        self._in_epoch, self._stopped = False, True

    def __del__(self):
        self._close()


@correct("carbon_tracker_callback")
class StartedByTheFirstBatch(keras_callbacks.Callback):
    """The epoch is started when its first batch begins."""

    def __init__(self, tracker):
        super().__init__()
        self.tracker = tracker

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            self.tracker.epoch_start()

    def on_epoch_end(self, epoch, logs=None):
        self.tracker.epoch_end()
        print(f"epoch {epoch} tracked")

    def on_train_end(self, logs=None):
        self.tracker.stop()


# --- CarbonTrackerCallback: wrong ----------------------------------------------------------------


@wrong("carbon_tracker_callback", told=NOT_ATTEMPTED, slips=0)
class Stub(keras_callbacks.Callback):
    def __init__(self, tracker):
        raise NotImplementedError


@wrong("carbon_tracker_callback", told=NOT_ATTEMPTED, slips=0)
def gives_none(tracker):
    pass


@wrong("carbon_tracker_callback", told="not a callback")
class NoCallback:
    def __init__(self, tracker):
        self.tracker = tracker

    on_epoch_begin, on_epoch_end = Textbook.on_epoch_begin, Textbook.on_epoch_end
    on_train_end = Textbook.on_train_end


@wrong("carbon_tracker_callback", told="tracker never called", slips=0)
class HooksMisspelt(keras_callbacks.Callback):
    def __init__(self, tracker):
        super().__init__()
        self.tracker = tracker

    on_epoch_start, on_epoch_stop = Textbook.on_epoch_begin, Textbook.on_epoch_end
    on_training_end = Textbook.on_train_end


@wrong("carbon_tracker_callback", told="tracker never called", slips=0)
class OwnTracker(Textbook):
    class Tracker:
        def epoch_start(self): ...

        def epoch_end(self): ...

        def stop(self): ...

    def __init__(self, tracker):
        super().__init__(self.Tracker())


@wrong("carbon_tracker_callback", told="never stopped")
class NeverStopped(Textbook):
    on_train_end = keras_callbacks.Callback.on_train_end


@wrong("carbon_tracker_callback", told="stopped every epoch")
class StoppedEveryEpoch(Textbook):
    def on_epoch_end(self, epoch, logs=None):
        self.tracker.epoch_end()
        self.tracker.stop()

    def on_train_end(self, logs=None): ...


@wrong("carbon_tracker_callback", told="stopped twice")
class StoppedTwice(Textbook):
    def on_epoch_end(self, epoch, logs=None):
        self.tracker.epoch_end()
        if epoch == self.params["epochs"] - 1:
            self.tracker.stop()


@wrong("carbon_tracker_callback", told="not stopped when interrupted")
class StoppedAfterTheLastEpochPlanned(StoppedTwice):
    def on_train_end(self, logs=None): ...


@wrong("carbon_tracker_callback", told="stopped too soon")
class StoppedAfterTheFirstEpoch(Textbook):
    def on_epoch_end(self, epoch, logs=None):
        self.tracker.epoch_end()
        if epoch == 0:
            self.tracker.stop()

    def on_train_end(self, logs=None): ...


@wrong("carbon_tracker_callback", told="started once")
class WholeTrainingAsOneEpoch(keras_callbacks.Callback):
    """What the course used to do."""

    def __init__(self, tracker):
        super().__init__()
        self.tracker = tracker

    def on_train_begin(self, logs=None):
        self.tracker.epoch_start()

    def on_train_end(self, logs=None):
        self.tracker.epoch_end()
        self.tracker.stop()


@wrong("carbon_tracker_callback", told="started once")
class StartedWithTheTraining(Textbook):
    def on_train_begin(self, logs=None):
        self.tracker.epoch_start()

    def on_epoch_begin(self, epoch, logs=None): ...


@wrong("carbon_tracker_callback", told="ended once")
class EndedWithTheTraining(Textbook):
    def on_epoch_end(self, epoch, logs=None): ...

    def on_train_end(self, logs=None):
        self.tracker.epoch_end()
        self.tracker.stop()


@wrong("carbon_tracker_callback", told="never started")
class NeverStarted(Textbook):
    def on_epoch_begin(self, epoch, logs=None): ...


@wrong("carbon_tracker_callback", told="never ended")
class NeverEnded(Textbook):
    def on_epoch_end(self, epoch, logs=None): ...


@wrong("carbon_tracker_callback", told="swapped")
class Swapped(Textbook):
    on_epoch_begin, on_epoch_end = Textbook.on_epoch_end, Textbook.on_epoch_begin


@wrong("carbon_tracker_callback", told="ended at the beginning")
class BothAtTheBeginning(Textbook):
    def on_epoch_begin(self, epoch, logs=None):
        self.tracker.epoch_start()
        self.tracker.epoch_end()

    def on_epoch_end(self, epoch, logs=None): ...


@wrong("carbon_tracker_callback", told="batches tracked")
class BatchesTracked(Textbook):
    on_train_batch_begin, on_train_batch_end = Textbook.on_epoch_begin, Textbook.on_epoch_end

    def on_epoch_begin(self, epoch, logs=None): ...

    def on_epoch_end(self, epoch, logs=None): ...


@wrong("carbon_tracker_callback", told="validation tracked")
class ValidationTracked(Textbook):
    def on_test_begin(self, logs=None):
        self.tracker.epoch_start()

    def on_test_end(self, logs=None):
        self.tracker.epoch_end()


@wrong("carbon_tracker_callback", told="unknown method", also=("never started",))
class MethodsMisspelt(Textbook):
    def on_epoch_begin(self, epoch, logs=None):
        self.tracker.start_epoch()


@wrong("carbon_tracker_callback", told=RAISED, because="nothing can be made, so nothing runs")
class NoArgument(Textbook):
    def __init__(self):
        super().__init__(None)


@wrong("carbon_tracker_callback", told="not a callback")
class CallbackOfKeras3(keras.callbacks.Callback):
    def __init__(self, tracker):
        super().__init__()
        self.tracker = tracker

    on_epoch_begin, on_epoch_end = Textbook.on_epoch_begin, Textbook.on_epoch_end
    on_train_end = Textbook.on_train_end


@wrong("carbon_tracker_callback", told=RAISED, because="the first hook stops the training")
class KeywordsOnly(Textbook):
    """As callbacks of other libraries are written."""

    def on_epoch_begin(self, **named):
        self.tracker.epoch_start()


@wrong("carbon_tracker_callback", told="never ended", slips=2, also=("never stopped",))
class NeitherEndedNorStopped(Textbook):
    def on_epoch_end(self, epoch, logs=None): ...

    def on_train_end(self, logs=None): ...


@wrong("carbon_tracker_callback", told="stopped every epoch", slips=2, also=("never started",))
class StoppedEveryEpochNeverStarted(StoppedEveryEpoch):
    def on_epoch_begin(self, epoch, logs=None): ...


@wrong("carbon_tracker_callback", told="ended again with the training")
class EndedOnceMore(Textbook):
    def on_train_end(self, logs=None):
        self.tracker.epoch_end()
        self.tracker.stop()


@wrong("carbon_tracker_callback", told="started when the epoch is over")
class StartedAtTheEnd(Textbook):
    def on_epoch_begin(self, epoch, logs=None): ...

    def on_epoch_end(self, epoch, logs=None):
        self.tracker.epoch_start()
        self.tracker.epoch_end()
